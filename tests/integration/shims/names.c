/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names and connections of a preloaded nginx, or of another program, as a test
 * wants them, so that nothing leaves loopback.  The environment names files:
 *
 *   WBA_TEST_NAMES     a table, read anew at each call; its lines:
 *       HOST MS ADDR[,ADDR...]     resolves after so many milliseconds; "-":
 *                                  does not.  Several lines for one host are
 *                                  used in turn, the last one stays.
 *       map ADDR:PORT REAL:PORT    connections to the one go to the other
 *       clock SECONDS              so far ahead are the monotonic clock and
 *                                  time(), not gettimeofday()
 *       wall SECONDS               so far ahead is gettimeofday(), by which
 *                                  nginx knows the time of day
 *   WBA_TEST_CONNECTS  a log: "lookup HOST", "connect ADDR:PORT"
 *   WBA_TEST_ROOTS     the certificates that are read as the system's
 *
 * IPv6 addresses stand in brackets.  Names that are not in the table do not
 * resolve, unmapped addresses outside loopback are unreachable.  A turn is
 * counted in each process by itself.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define HOSTS 512 /* those beyond have their first line always */
#define LINE 1024
#define ADDRESS (INET6_ADDRSTRLEN + 10)

/* nginx's workers have another environment than their master. */
static char table_name[PATH_MAX];
static char log_name[PATH_MAX];
static char roots_name[PATH_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char host[256];
    int turns;
} turns[HOSTS];

__attribute__((constructor)) static void
remember_environment(void)
{
    const char *table = getenv("WBA_TEST_NAMES");
    const char *log = getenv("WBA_TEST_CONNECTS");
    const char *roots = getenv("WBA_TEST_ROOTS");

    if (table != NULL) {
        snprintf(table_name, sizeof(table_name), "%s", table);
    }
    if (log != NULL) {
        snprintf(log_name, sizeof(log_name), "%s", log);
    }
    if (roots != NULL) {
        snprintf(roots_name, sizeof(roots_name), "%s", roots);
    }
}

static void *
next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

/* One write, so that lines of several threads do not mix. */
static void
note(const char *what, const char *of)
{
    char line[LINE];
    int fd, n, saved = errno;

    if (log_name[0] != '\0') {
        fd = open(log_name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (fd != -1) {
            n = snprintf(line, sizeof(line), "%s %s\n", what, of);
            if (write(fd, line, (size_t) n) != n) {
                abort();
            }
            close(fd);
        }
    }
    errno = saved;
}

/* --- names */

static int
turn_of(const char *host)
{
    int i, turn = 0;

    pthread_mutex_lock(&lock);
    for (i = 0; i < HOSTS; i++) {
        if (turns[i].host[0] == '\0') {
            snprintf(turns[i].host, sizeof(turns[i].host), "%s", host);
        }
        if (strcasecmp(turns[i].host, host) == 0) {
            turn = turns[i].turns++;
            break;
        }
    }
    pthread_mutex_unlock(&lock);
    return turn;
}

/* The host's line whose turn it is: its delay and addresses. */
static int
find_host(const char *host, int turn, int *delay, char *addresses)
{
    char line[LINE], name[LINE], list[LINE];
    FILE *f = fopen(table_name, "re");
    int ms, found = 0;

    if (f == NULL) {
        return 0;
    }
    while (turn >= 0 && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "%1023s %d %1023s", name, &ms, list) == 3
            && strcasecmp(name, host) == 0)
        {
            found = 1;
            *delay = ms;
            strcpy(addresses, list);
            turn--;
        }
    }
    fclose(f);
    return found;
}

static int
add_address(char *text, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *,
                struct addrinfo **);
    void *symbol = next("getaddrinfo");
    struct addrinfo numeric;

    memcpy(&real, &symbol, sizeof(real));
    memset(&numeric, 0, sizeof(numeric));
    if (hints != NULL) {
        numeric = *hints;
    }
    numeric.ai_flags = AI_NUMERICHOST;
    if (text[0] == '[') {
        text++;
        text[strcspn(text, "]")] = '\0';
    }
    return real(text, service, &numeric, found);
}

/* One list of all, which freeaddrinfo() frees one by one. */
static int
add_addresses(char *list, const char *service, const struct addrinfo *hints,
              struct addrinfo **found)
{
    struct addrinfo **last = found;
    char *text, *rest = NULL;

    *found = NULL;
    for (text = strtok_r(list, ",", &rest); text != NULL;
         text = strtok_r(NULL, ",", &rest))
    {
        /* one of a family that was not asked for is left out */
        if (strcmp(text, "-") == 0
            || add_address(text, service, hints, last) != 0)
        {
            *last = NULL;
            continue;
        }
        while (*last != NULL) {
            last = &(*last)->ai_next;
        }
    }
    return *found == NULL ? EAI_NONAME : 0;
}

static int
is_numeric(const char *node)
{
    unsigned char buf[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, node, buf) == 1
           || inet_pton(AF_INET6, node, buf) == 1;
}

int
getaddrinfo(const char *node, const char *service,
            const struct addrinfo *hints, struct addrinfo **found)
{
    char list[LINE], numeric[LINE];
    int delay = 0;
    struct timespec pause;

    if (node == NULL || is_numeric(node)) {
        snprintf(numeric, sizeof(numeric), "%s",
                 node == NULL ? "127.0.0.1" : node);
        return add_address(numeric, service, hints, found);
    }
    note("lookup", node);
    if (!find_host(node, turn_of(node), &delay, list)) {
        return EAI_NONAME;
    }
    pause.tv_sec = delay / 1000;
    pause.tv_nsec = delay % 1000 * 1000000L;
    nanosleep(&pause, NULL);
    return add_addresses(list, service, hints, found);
}

/* --- connections */

static void
address_text(const struct sockaddr *address, char *text)
{
    char host[INET6_ADDRSTRLEN];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->sa_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        inet_ntop(AF_INET, &v4.sin_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "%s:%d", host, ntohs(v4.sin_port));
    } else {
        memcpy(&v6, address, sizeof(v6));
        inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof(host));
        snprintf(text, ADDRESS, "[%s]:%d", host, ntohs(v6.sin6_port));
    }
}

static int
find_map(const char *from, char *to)
{
    char line[LINE], name[LINE], target[LINE];
    FILE *f = fopen(table_name, "re");
    int found = 0;

    if (f == NULL) {
        return 0;
    }
    while (!found && fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "map %1023s %1023s", name, target) == 2
            && strcmp(name, from) == 0)
        {
            snprintf(to, LINE, "%s", target);
            found = 1;
        }
    }
    fclose(f);
    return found;
}

/* to, an IPv4 address and port, for a socket of either family. */
static socklen_t
mapped_address(int family, char *to, struct sockaddr_storage *out)
{
    char *port = strrchr(to, ':');
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    *port++ = '\0';
    memset(out, 0, sizeof(*out));
    if (family == AF_INET) {
        memset(&v4, 0, sizeof(v4));
        v4.sin_family = AF_INET;
        v4.sin_port = htons((uint16_t) atoi(port));
        inet_pton(AF_INET, to, &v4.sin_addr);
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memset(&v6, 0, sizeof(v6));
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons((uint16_t) atoi(port));
    memcpy(v6.sin6_addr.s6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);
    inet_pton(AF_INET, to, v6.sin6_addr.s6_addr + 12);
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

static int
is_loopback(const char *text)
{
    return strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]:", 6) == 0;
}

int
connect(int fd, const struct sockaddr *address, socklen_t len)
{
    char text[ADDRESS], to[LINE];
    int (*real)(int, const struct sockaddr *, socklen_t);
    void *symbol = next("connect");
    struct sockaddr_storage other;

    memcpy(&real, &symbol, sizeof(real));
    if (table_name[0] == '\0'
        || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
    {
        return real(fd, address, len);
    }
    address_text(address, text);
    note("connect", text);
    if (find_map(text, to)) {
        len = mapped_address(address->sa_family, to, &other);
        return real(fd, (struct sockaddr *) &other, len);
    }
    if (!is_loopback(text)) {
        errno = ENETUNREACH;
        return -1;
    }
    return real(fd, address, len);
}

/* --- certificates */

#define ROOTS "/etc/ssl/certs/ca-certificates.crt" /* Debian's */

static FILE *
open_file(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    void *symbol = next("fopen64");

    memcpy(&real, &symbol, sizeof(real));
    if (roots_name[0] != '\0' && strcmp(path, ROOTS) == 0) {
        path = roots_name;
    }
    return real(path, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
    return open_file(path, mode);
}

FILE *
fopen64(const char *path, const char *mode)
{
    return open_file(path, mode);
}

/* --- time */

static atomic_long ahead, wall_ahead; /* seconds */

/* Looks them up, no more often than every 10 ms. */
static void
look_for_clocks(const struct timespec *now)
{
    static atomic_long looked;
    long ms = (long) now->tv_sec * 1000 + now->tv_nsec / 1000000, seconds;
    char line[LINE];
    FILE *f;

    if (table_name[0] == '\0' || ms - atomic_load(&looked) < 10) {
        return;
    }
    atomic_store(&looked, ms);
    f = fopen(table_name, "re");
    if (f == NULL) {
        return;
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        if (sscanf(line, "clock %ld", &seconds) == 1) {
            atomic_store(&ahead, seconds);
        } else if (sscanf(line, "wall %ld", &seconds) == 1) {
            atomic_store(&wall_ahead, seconds);
        }
    }
    fclose(f);
}

static long
clock_ahead(const struct timespec *now)
{
    look_for_clocks(now);
    return atomic_load(&ahead);
}

int
gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec now;

    (void) zone;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    look_for_clocks(&now);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec + atomic_load(&wall_ahead);
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

int
clock_gettime(clockid_t id, struct timespec *now)
{
    long rc = syscall(SYS_clock_gettime, id, now);

    if (rc == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)) {
        now->tv_sec += clock_ahead(now);
    }
    return (int) rc;
}

time_t
time(time_t *out)
{
    struct timespec now;
    time_t seconds;

    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    seconds = clock_ahead(&now);
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    seconds += now.tv_sec;
    if (out != NULL) {
        *out = seconds;
    }
    return seconds;
}
