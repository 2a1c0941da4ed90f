/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load of the benchmarks: signs requests beforehand, then sends them over
 * keep-alive connections on loopback and counts the answers.  Bounded in count;
 * prints one JSON object, with the time from sending to the answer's end
 * (microseconds) at the median, the 99th percentile, and the longest.
 *
 *     load http PORT COUNT CONNECTIONS PATH KIND SEED [OPTION...]
 *     load describe PATH KIND SEED [OPTION...]   sizes of such a request
 *     load jwk SEED                              the public key set
 *
 * KIND: plain (no signature), tap, forged, expired, ... (see load_request.c).
 * SEED: 64 hex digits of the Ed25519 seed.  Options:
 *
 *     spin        never sleep: one who sends need not wake us, which on a
 *                 virtual machine costs microseconds for each answer.  Wants a
 *                 core of its own.
 *     h2          HTTP/2, with prior knowledge
 *     warm=N      requests that come first and are not measured
 *     pool=N      so many different requests, again and again, instead of each
 *                 one another
 *     pid=N,...   processes whose processor time is measured
 *     body=BYTES  of kinds digest and post
 *     pem=FILE keyid=TEXT  the key of kinds rsa and ecdsa
 */
#include "load.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <netinet/tcp.h>

#define MAX_PIDS 8
#define PATIENCE 10 /* seconds without any answer */

typedef struct {
    int port;
    size_t count, connections, warm, pool;
    bool spin;
    int pids[MAX_PIDS];
    size_t npids;
    load_order_t order;
    const load_protocol_t *protocol;

    uint8_t *heads; /* pool times LOAD_HEAD */
    size_t *lengths;
    size_t base_size;
    load_connection_t *conns;
    int epoll;
    size_t statuses[600];
    double *times; /* of what is measured */
} load_t;

/* What processes have used up. */
typedef struct {
    double cpu;  /* seconds on a core */
    double wait; /* seconds ready to run, and not running */
    unsigned long faults;
} usage_t;

static double
seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static _Noreturn void
die(const char *what)
{
    perror(what);
    exit(2);
}

static void *
need(void *p)
{
    if (p == NULL) {
        die("malloc");
    }
    return p;
}

/* --- processor time */

static void
add_thread(usage_t *u, int pid, const char *thread)
{
    unsigned long long cpu, wait;
    char path[64];
    FILE *f;

    (void) snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid,
                    thread);
    f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%llu %llu", &cpu, &wait) != 2) {
        die(path);
    }
    u->cpu += (double) cpu / 1e9;
    u->wait += (double) wait / 1e9;
    fclose(f);
}

static void
add_process(usage_t *u, int pid)
{
    char path[64], text[512];
    unsigned long faults;
    struct dirent *e;
    DIR *dir;
    FILE *f;

    (void) snprintf(path, sizeof(path), "/proc/%d/task", pid);
    dir = opendir(path);
    if (dir == NULL) {
        die(path);
    }
    while ((e = readdir(dir)) != NULL) {
        if (isdigit((unsigned char) e->d_name[0])) {
            add_thread(u, pid, e->d_name);
        }
    }
    closedir(dir);

    (void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "r");
    if (f == NULL || fgets(text, sizeof(text), f) == NULL
        || sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %lu",
                  &faults)
               != 1)
    {
        die(path);
    }
    u->faults += faults;
    fclose(f);
}

static usage_t
usage(const load_t *l)
{
    struct timespec nap = { 0, 2000000 };
    usage_t u = { 0, 0, 0 };
    size_t i;

    /* The kernel adds up when a process goes to sleep. */
    nanosleep(&nap, NULL);
    for (i = 0; i < l->npids; i++) {
        add_process(&u, l->pids[i]);
    }
    return u;
}

/* --- connections */

static void
send_all(int fd, struct iovec *iov, int n)
{
    ssize_t sent;

    while (n > 0) {
        sent = n == 1 ? send(fd, iov->iov_base, iov->iov_len, 0)
                      : writev(fd, iov, n);
        if (sent < 0) {
            die("send");
        }
        while (n > 0 && (size_t) sent >= iov->iov_len) {
            sent -= (ssize_t) iov->iov_len;
            iov++;
            n--;
        }
        if (n > 0) {
            iov->iov_base = (uint8_t *) iov->iov_base + sent;
            iov->iov_len -= (size_t) sent;
        }
    }
}

static void
connection_open(load_t *l, load_connection_t *c)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t) l->port) };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = c };
    struct iovec iov;
    uint8_t begin[256];
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &to, sizeof(to)) != 0
        || epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &ev) != 0)
    {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    iov.iov_base = begin;
    iov.iov_len = l->protocol->begin(begin);
    if (iov.iov_len) {
        send_all(c->fd, &iov, 1);
    }
}

static void
send_request(load_t *l, load_connection_t *c, size_t number)
{
    size_t i = number % l->pool;
    uint8_t *head = l->heads + i * LOAD_HEAD;
    struct iovec iov[2] = {
        { head, l->lengths[i] },
        { (void *) (uintptr_t) l->order.body, l->order.body_size },
    };

    l->protocol->address(c, head);
    c->busy = true;
    c->since = seconds();
    send_all(c->fd, iov, l->order.body_size ? 2 : 1);
}

/* The status of the answer that is whole now, or 0. */
static int
receive(load_t *l, load_connection_t *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got,
                     sizeof(c->answer) - 1 - c->got, 0);

    if (n <= 0) {
        die("recv");
    }
    c->got += (size_t) n;
    return l->protocol->answer(c);
}

/* Sends requests first to first + count - 1 and waits for all answers; their
 * times go to times, if there is one. */
static void
run(load_t *l, size_t first, size_t count, double *times)
{
    struct epoll_event events[64];
    size_t next = 0, done = 0, i;
    double heard = seconds();
    int status, ready, e;

    for (i = 0; i < l->connections && next < count; i++) {
        send_request(l, &l->conns[i], first + next++);
    }
    while (done < count) {
        ready = epoll_wait(l->epoll, events, 64,
                           l->spin ? 0 : PATIENCE * 1000);
        if (ready < 0 || (ready == 0 && seconds() > heard + PATIENCE)) {
            errno = ready ? errno : ETIMEDOUT;
            die("epoll_wait");
        }
        for (e = 0; e < ready; e++) {
            load_connection_t *c = events[e].data.ptr;

            status = receive(l, c);
            if (status == 0 || !c->busy) {
                continue;
            }
            heard = seconds();
            if (times) {
                times[done] = heard - c->since;
            }
            l->statuses[status % 600]++;
            c->busy = false;
            done++;
            if (next < count) {
                send_request(l, c, first + next++);
            }
        }
    }
}

/* --- the whole */

static void
prepare(load_t *l)
{
    load_request_t request;
    size_t i;

    l->order.now = (long) time(NULL);
    l->heads = need(malloc(l->pool * LOAD_HEAD));
    l->lengths = need(calloc(l->pool, sizeof(*l->lengths)));
    for (i = 0; i < l->pool; i++) {
        load_request(&request, &l->order, i);
        l->lengths[i] = l->protocol->write(&request, l->order.body_size,
                                           l->heads + i * LOAD_HEAD);
        l->base_size = request.base_size;
    }
}

static int
compare_times(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

static void
print_result(load_t *l, double took, const usage_t *used)
{
    size_t i, n = 0;

    printf("{\"requests\": %zu, \"seconds\": %.6f, \"cpu\": %.6f, "
           "\"wait\": %.6f, \"faults\": %lu, \"statuses\": {",
           l->count, took, used->cpu, used->wait, used->faults);
    for (i = 0; i < 600; i++) {
        if (l->statuses[i]) {
            printf("%s\"%zu\": %zu", n++ ? ", " : "", i, l->statuses[i]);
        }
    }
    qsort(l->times, l->count, sizeof(*l->times), compare_times);
    printf("}, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}\n",
           l->times[l->count / 2] * 1e6, l->times[l->count * 99 / 100] * 1e6,
           l->times[l->count - 1] * 1e6);
}

static int
run_http(load_t *l)
{
    usage_t before, after;
    double took;
    size_t i;

    l->pool = l->pool ? l->pool : l->count + l->warm;
    l->conns = need(calloc(l->connections, sizeof(*l->conns)));
    l->times = need(calloc(l->count, sizeof(*l->times)));
    l->epoll = epoll_create1(0);
    prepare(l);
    for (i = 0; i < l->connections; i++) {
        connection_open(l, &l->conns[i]);
    }
    run(l, 0, l->warm, NULL);
    before = usage(l);
    took = seconds();
    run(l, l->warm, l->count, l->times);
    took = seconds() - took;
    after = usage(l);
    after.cpu -= before.cpu;
    after.wait -= before.wait;
    after.faults -= before.faults;
    print_result(l, took, &after);
    return 0;
}

static int
describe(load_t *l)
{
    l->pool = 1;
    prepare(l);
    printf("{\"head\": %zu, \"base\": %zu}\n", l->lengths[0], l->base_size);
    return 0;
}

static int
print_jwks(const char *seed)
{
    load_identity_t id;
    char x[64];

    load_identity(&id, seed);
    sodium_bin2base64(x, sizeof(x), id.pk, sizeof(id.pk),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    printf("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}]}\n",
           x);
    return 0;
}

static void
read_pem(load_t *l, const char *path)
{
    FILE *f = fopen(path, "r");

    if (f == NULL) {
        die(path);
    }
    l->order.pem = PEM_read_PrivateKey(f, NULL, NULL, NULL);
    fclose(f);
    if (l->order.pem == NULL) {
        fprintf(stderr, "load: no private key in %s\n", path);
        exit(2);
    }
}

static void
read_pids(load_t *l, const char *text)
{
    char *end;

    while (l->npids < MAX_PIDS) {
        l->pids[l->npids++] = (int) strtol(text, &end, 10);
        if (*end != ',') {
            break;
        }
        text = end + 1;
    }
}

/* False: no such option. */
static bool
option(load_t *l, const char *word)
{
    const char *value = strchr(word, '=');
    size_t n = value ? (size_t) (value - word) : strlen(word);

    value = value ? value + 1 : "";
#define IS(name) (n == sizeof(name) - 1 && memcmp(word, name, n) == 0)
    if (IS("spin")) {
        l->spin = true;
    } else if (IS("h2")) {
        l->protocol = &load_http2;
    } else if (IS("warm")) {
        l->warm = strtoul(value, NULL, 10);
    } else if (IS("pool")) {
        l->pool = strtoul(value, NULL, 10);
    } else if (IS("pid")) {
        read_pids(l, value);
    } else if (IS("body")) {
        l->order.body_size = strtoul(value, NULL, 10);
        l->order.body = need(calloc(1, l->order.body_size));
    } else if (IS("pem")) {
        read_pem(l, value);
    } else if (IS("keyid")) {
        (void) snprintf(l->order.pem_keyid, sizeof(l->order.pem_keyid), "%s",
                        value);
    } else {
        return false;
    }
#undef IS
    return true;
}

static int
usage_error(void)
{
    fprintf(stderr, "see the comment at the top of load.c; kinds:%s\n",
            load_kinds());
    return 2;
}

/* argv: PATH KIND SEED [OPTION...] */
static bool
read_order(load_t *l, int argc, char **argv)
{
    int i;

    if (argc < 3 || !load_kind_known(argv[1])) {
        return false;
    }
    l->protocol = &load_http1;
    l->order.path = argv[0];
    l->order.kind = argv[1];
    load_identity(&l->order.id, argv[2]);
    load_stranger(&l->order.stranger, argv[2]);
    for (i = 3; i < argc; i++) {
        if (!option(l, argv[i])) {
            return false;
        }
    }
    return true;
}

int
main(int argc, char **argv)
{
    static load_t l;

    if (sodium_init() < 0) {
        return 2;
    }
    if (argc == 3 && strcmp(argv[1], "jwk") == 0) {
        return print_jwks(argv[2]);
    }
    if (argc >= 5 && strcmp(argv[1], "describe") == 0
        && read_order(&l, argc - 2, argv + 2))
    {
        return describe(&l);
    }
    if (argc >= 8 && strcmp(argv[1], "http") == 0
        && read_order(&l, argc - 5, argv + 5))
    {
        l.port = atoi(argv[2]);
        l.count = strtoul(argv[3], NULL, 10);
        l.connections = strtoul(argv[4], NULL, 10);
        return l.count && l.connections ? run_http(&l) : 2;
    }
    return usage_error();
}
