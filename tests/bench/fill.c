/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fills the nonce table of a running nginx, whose web_bot_auth_zone has
 * file=FILE, with live nonces, as verified requests would have.
 *
 *     fill FILE COUNT SEED
 *
 * They are load_nonce's of the numbers below COUNT, of SEED's key, and live as
 * long as those of requests that are signed now.  Prints a JSON object.
 */
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "replay.h"
#include "replay_file.h"
#include "wba_limits.h"

#define LIFETIME (480 + WBA_MAX_SKEW)

/* A table that takes what was signed at any time. */
#define NEVER_COLD (-(INT64_C(1) << 40))

static _Noreturn void
die(const char *what)
{
    perror(what);
    exit(2);
}

static wba_replay_t *
open_table(const char *path)
{
    struct stat st;
    wba_replay_t *table;
    uint8_t *map;
    int fd = open(path, O_RDWR);

    if (fd < 0 || fstat(fd, &st) != 0) {
        die(path);
    }
    map = mmap(NULL, (size_t) st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
               fd, 0);
    if (map == MAP_FAILED) {
        die(path);
    }
    table = wba_replay_attach(map + WBA_REPLAY_FILE_HEADER,
                              (size_t) st.st_size - WBA_REPLAY_FILE_HEADER);
    if (table == NULL) {
        fprintf(stderr, "fill: no nonce table in %s\n", path);
        exit(2);
    }
    return table;
}

static wba_clock_t
clock_now(void)
{
    struct timespec t;
    wba_clock_t now;

    clock_gettime(CLOCK_MONOTONIC, &t);
    now.wall = (int64_t) time(NULL);
    now.monotonic = t.tv_sec;
    return now;
}

static uint64_t
fill(wba_replay_t *table, uint64_t count, const uint8_t *thumbprint)
{
    wba_nonce_t nonce = { .thumbprint = thumbprint };
    wba_clock_t now = clock_now();
    char text[LOAD_NONCE_TEXT];
    uint64_t i, fresh = 0;

    nonce.nonce = wba_str(text, LOAD_NONCE_TEXT - 1);
    for (i = 0; i < count; i++) {
        if (i % 65536 == 0) {
            now = clock_now();
            nonce.created = now.wall;
            nonce.until = now.wall + LIFETIME;
        }
        load_nonce(i, text);
        fresh += wba_replay_record(table, &nonce, 1, NEVER_COLD, &now)
                 == WBA_STORE_FRESH;
    }
    return fresh;
}

int
main(int argc, char **argv)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    wba_replay_stats_t stats;
    load_identity_t id;
    wba_replay_t *table;
    wba_clock_t now;
    uint64_t fresh;

    if (argc != 4 || sodium_init() < 0) {
        fprintf(stderr, "see the comment at the top of fill.c\n");
        return 2;
    }
    table = open_table(argv[1]);
    load_identity(&id, argv[3]);
    wba_jwk_thumbprint_ed25519(id.pk, thumbprint);
    fresh = fill(table, strtoull(argv[2], NULL, 10), thumbprint);
    now = clock_now();
    wba_replay_stats(table, &now, &stats);
    printf("{\"fresh\": %llu, \"live\": %llu, \"rated\": %llu}\n",
           (unsigned long long) fresh, (unsigned long long) stats.live,
           (unsigned long long) stats.rated);
    return 0;
}
