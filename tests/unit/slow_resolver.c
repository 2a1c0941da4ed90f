/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A getaddrinfo() for names under .test, all of them on loopback, so that
 * tests need neither a name server nor patience:
 *
 *     slow.test     127.0.0.1, after WBA_SLOW_RESOLVER_MS milliseconds (3000),
 *                   or as soon as slow_resolver_release is set
 *     two.test      127.0.0.2, then 127.0.0.1
 *     none.test     no such name
 *     *.test        127.0.0.1
 *
 * Everything else goes to the C library.  Either preloaded (LD_PRELOAD, for a
 * whole nginx) or included in a test, whose own definition then comes before
 * the library's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Calls that sleep now; and the switch that wakes them. */
atomic_int slow_resolver_sleeping;
atomic_bool slow_resolver_release;

typedef int (*resolver_pt)(const char *, const char *, const struct addrinfo *,
                           struct addrinfo **);

static int
real_resolver(const char *node, const char *service,
              const struct addrinfo *hints, struct addrinfo **found)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    resolver_pt resolve;

    memcpy(&resolve, &symbol, sizeof(resolve));
    return resolve(node, service, hints, found);
}

static void
sleep_a_while(void)
{
    const char *text = getenv("WBA_SLOW_RESOLVER_MS");
    struct timespec tick = { 0, 10000000 };
    int ticks = (text != NULL ? atoi(text) : 3000) / 10;

    atomic_fetch_add(&slow_resolver_sleeping, 1);
    while (ticks-- > 0 && !atomic_load(&slow_resolver_release)) {
        nanosleep(&tick, NULL);
    }
    atomic_fetch_sub(&slow_resolver_sleeping, 1);
}

/* Both addresses in one list, which freeaddrinfo() frees one by one. */
static int
two_addresses(const char *service, const struct addrinfo *hints,
              struct addrinfo **found)
{
    struct addrinfo *last;
    int rc = real_resolver("127.0.0.2", service, hints, found);

    if (rc != 0) {
        return rc;
    }
    for (last = *found; last->ai_next != NULL; last = last->ai_next) {
        /* to the end */
    }
    return real_resolver("127.0.0.1", service, hints, &last->ai_next);
}

int
getaddrinfo(const char *node, const char *service,
            const struct addrinfo *hints, struct addrinfo **found)
{
    size_t len = node == NULL ? 0 : strlen(node);

    if (len < 5 || strcmp(node + len - 5, ".test") != 0) {
        return real_resolver(node, service, hints, found);
    }
    if (strcmp(node, "none.test") == 0) {
        return EAI_NONAME;
    }
    if (strcmp(node, "two.test") == 0) {
        return two_addresses(service, hints, found);
    }
    if (strcmp(node, "slow.test") == 0) {
        sleep_a_while();
    }
    return real_resolver("127.0.0.1", service, hints, found);
}
