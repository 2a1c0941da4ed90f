/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load of the benchmarks: signs requests beforehand, then sends them over
 * keep-alive connections on loopback and counts the answers; or measures one
 * libsodium verification.  Bounded in count; prints one JSON object, with the
 * time from sending to the answer's end (microseconds) at the median, the 99th
 * percentile, and the longest.
 *
 *     load raw COUNT
 *     load http PORT COUNT CONNECTIONS PATH KIND SEED [now]
 *
 * KIND: plain (no signature), tap, forged, expired.  SEED: 64 hex digits of
 * the Ed25519 seed.  `load jwk SEED` prints the public key set.
 */
#include "jwk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/tcp.h>

#define HOST "shop.example"
#define REQUEST_SIZE 1024

typedef struct {
    uint8_t pk[crypto_sign_PUBLICKEYBYTES];
    uint8_t sk[crypto_sign_SECRETKEYBYTES];
    char keyid[WBA_THUMBPRINT_TEXT_SIZE + 1];
} identity_t;

typedef struct {
    int fd;
    size_t sent;     /* of the request under way */
    size_t request;  /* its index */
    bool busy;
    double since;    /* when it was sent */
    size_t got;      /* bytes of the answer so far */
    char answer[4096];
} connection_t;

static double
seconds(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double) t.tv_sec + (double) t.tv_nsec / 1e9;
}

static void
die(const char *what)
{
    perror(what);
    exit(2);
}

static void
identity_make(identity_t *id, const char *hex)
{
    uint8_t seed[crypto_sign_SEEDBYTES], thumbprint[WBA_THUMBPRINT_SIZE];
    size_t n;

    if (sodium_hex2bin(seed, sizeof(seed), hex, strlen(hex), NULL, &n, NULL)
            != 0
        || n != sizeof(seed))
    {
        fprintf(stderr, "the seed must be 64 hex digits\n");
        exit(2);
    }
    crypto_sign_seed_keypair(id->pk, id->sk, seed);
    wba_jwk_thumbprint_ed25519(id->pk, thumbprint);
    wba_thumbprint_text(thumbprint, (uint8_t *) id->keyid);
    id->keyid[WBA_THUMBPRINT_TEXT_SIZE] = '\0';
}

static void
print_jwks(const identity_t *id)
{
    char x[64];

    sodium_bin2base64(x, sizeof(x), id->pk, sizeof(id->pk),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    printf("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}]}\n",
           x);
}

static size_t
make_request(char *out, const identity_t *id, const char *path,
             const char *kind, long now)
{
    uint8_t raw[16], sig[crypto_sign_BYTES];
    char nonce[32], b64[128], params[512], base[1024];
    long created = now;
    int n;

    if (strcmp(kind, "plain") == 0) {
        return (size_t) snprintf(out, REQUEST_SIZE,
                                 "GET %s HTTP/1.1\r\nHost: " HOST
                                 "\r\n\r\n", path);
    }
    if (strcmp(kind, "expired") == 0) {
        created -= 4000;
    }
    randombytes_buf(raw, sizeof(raw));
    sodium_bin2base64(nonce, sizeof(nonce), raw, sizeof(raw),
                      sodium_base64_VARIANT_ORIGINAL);
    snprintf(params, sizeof(params),
             "(\"@authority\" \"@path\");created=%ld;expires=%ld;keyid=\"%s\""
             ";alg=\"ed25519\";nonce=\"%s\";tag=\"agent-browser-auth\"",
             created, created + 480, id->keyid, nonce);
    n = snprintf(base, sizeof(base),
                 "\"@authority\": " HOST "\n\"@path\": %s\n"
                 "\"@signature-params\": %s", path, params);
    crypto_sign_detached(sig, NULL, (uint8_t *) base, (size_t) n, id->sk);
    if (strcmp(kind, "forged") == 0) {
        sig[3] ^= 1;
    }
    sodium_bin2base64(b64, sizeof(b64), sig, sizeof(sig),
                      sodium_base64_VARIANT_ORIGINAL);
    return (size_t) snprintf(out, REQUEST_SIZE,
                             "GET %s HTTP/1.1\r\nHost: " HOST "\r\n"
                             "Signature-Input: sig2=%s\r\n"
                             "Signature: sig2=:%s:\r\n\r\n",
                             path, params, b64);
}

/* True when the answer is whole; *status is its code. */
static bool
answer_whole(connection_t *c, int *status)
{
    char *end, *length;

    c->answer[c->got] = '\0';
    end = strstr(c->answer, "\r\n\r\n");
    if (end == NULL) {
        return false;
    }
    length = strstr(c->answer, "Content-Length: ");
    if (length == NULL || length > end) {
        fprintf(stderr, "an answer without Content-Length\n");
        exit(2);
    }
    if (c->got < (size_t) (end + 4 - c->answer) + strtoul(length + 16, NULL, 10))
    {
        return false;
    }
    *status = atoi(c->answer + 9);
    return true;
}

static void
connection_open(connection_t *c, int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t) port) };
    int one = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *) &to, sizeof(to)) != 0) {
        die("connect");
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static int
compare_times(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;

    return x < y ? -1 : x > y;
}

static int
run_http(int argc, char **argv)
{
    size_t count, nconn, next = 0, done = 0, i, statuses[600] = { 0 };
    struct pollfd *fds;
    connection_t *conns;
    identity_t id;
    size_t *lengths;
    char *requests;
    double start, *times;
    int status;
    long now;

    if (argc < 8) {
        return 2;
    }
    count = strtoul(argv[3], NULL, 10);
    nconn = strtoul(argv[4], NULL, 10);
    identity_make(&id, argv[7]);
    now = (long) time(NULL);

    requests = malloc(count * REQUEST_SIZE);
    lengths = calloc(count, sizeof(*lengths));
    times = calloc(count + 1, sizeof(*times));
    conns = calloc(nconn, sizeof(*conns));
    fds = calloc(nconn, sizeof(*fds));
    if (requests == NULL || lengths == NULL || times == NULL || conns == NULL
        || fds == NULL)
    {
        die("malloc");
    }
    for (i = 0; i < count; i++) {
        lengths[i] = make_request(requests + i * REQUEST_SIZE, &id, argv[5],
                                  argv[6], now);
    }
    for (i = 0; i < nconn; i++) {
        connection_open(&conns[i], atoi(argv[2]));
        fds[i].fd = conns[i].fd;
        fds[i].events = POLLIN;
    }

    start = seconds(CLOCK_MONOTONIC);
    while (done < count) {
        for (i = 0; i < nconn && next < count; i++) {
            if (!conns[i].busy) {
                if (send(conns[i].fd, requests + next * REQUEST_SIZE,
                         lengths[next], 0) != (ssize_t) lengths[next])
                {
                    die("send");
                }
                conns[i].busy = true;
                conns[i].since = seconds(CLOCK_MONOTONIC);
                conns[i].got = 0;
                next++;
            }
        }
        if (poll(fds, (nfds_t) nconn, 5000) <= 0) {
            die("poll");
        }
        for (i = 0; i < nconn; i++) {
            connection_t *c = &conns[i];
            ssize_t n;

            if (!(fds[i].revents & (POLLIN | POLLHUP | POLLERR))) {
                continue;
            }
            n = recv(c->fd, c->answer + c->got,
                     sizeof(c->answer) - 1 - c->got, 0);
            if (n <= 0) {
                die("recv");
            }
            c->got += (size_t) n;
            if (answer_whole(c, &status)) {
                statuses[status % 600]++;
                c->busy = false;
                times[done++] = seconds(CLOCK_MONOTONIC) - c->since;
            }
        }
    }
    start = seconds(CLOCK_MONOTONIC) - start;

    printf("{\"requests\": %zu, \"seconds\": %.6f, \"statuses\": {", count,
           start);
    for (i = 0, nconn = 0; i < 600; i++) {
        if (statuses[i]) {
            printf("%s\"%zu\": %zu", nconn++ ? ", " : "", i, statuses[i]);
        }
    }
    qsort(times, count, sizeof(*times), compare_times);
    printf("}, \"p50\": %.1f, \"p99\": %.1f, \"max\": %.1f}\n",
           times[count / 2] * 1e6, times[count * 99 / 100] * 1e6,
           times[count - 1] * 1e6);
    free(requests);
    free(times);
    free(lengths);
    free(conns);
    free(fds);
    return 0;
}

static int
run_raw(size_t count)
{
    uint8_t pk[crypto_sign_PUBLICKEYBYTES], sk[crypto_sign_SECRETKEYBYTES];
    uint8_t sig[crypto_sign_BYTES], base[340];
    size_t i, good = 0;
    double start;

    crypto_sign_keypair(pk, sk);
    randombytes_buf(base, sizeof(base));
    crypto_sign_detached(sig, NULL, base, sizeof(base), sk);
    start = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (i = 0; i < count; i++) {
        good += crypto_sign_verify_detached(sig, base, sizeof(base), pk) == 0;
    }
    start = seconds(CLOCK_PROCESS_CPUTIME_ID) - start;
    printf("{\"requests\": %zu, \"seconds\": %.6f}\n", good, start);
    return good == count ? 0 : 2;
}

int
main(int argc, char **argv)
{
    identity_t id;

    if (sodium_init() < 0) {
        return 2;
    }
    if (argc == 3 && strcmp(argv[1], "raw") == 0) {
        return run_raw(strtoul(argv[2], NULL, 10));
    }
    if (argc == 3 && strcmp(argv[1], "jwk") == 0) {
        identity_make(&id, argv[2]);
        print_jwks(&id);
        return 0;
    }
    if (argc >= 8 && strcmp(argv[1], "http") == 0) {
        return run_http(argc, argv);
    }
    fprintf(stderr, "see the comment at the top of load.c\n");
    return 2;
}
