/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nonce table in a file that is damaged: what the check lets through can
 * be used, and nothing read from it leads outside or never returns; what is
 * accepted is accepted once.
 *
 * Input: how to damage it, then places and octets.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "replay_file.h"
#include "wba_limits.h"

#define REGION (wba_replay_size(60))
#define START INT64_C(1700000000)

static const uint8_t boot[WBA_REPLAY_BOOT_SIZE] = "this very boot.";
static const uint8_t secret[16] = "0123456789abcdef";
static const uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = "a key";
static uint8_t *file; /* at the end of a page, with one behind it that nobody
                         may touch */
static size_t file_size;
static uint8_t *sound; /* as it was before it was damaged */

static wba_nonce_t
nonce_of(unsigned id)
{
    static uint8_t text[256];
    wba_nonce_t nonce = { .thumbprint = thumbprint };

    text[0] = (uint8_t) id;
    nonce.nonce = wba_str(text, 1 + id % 200);
    nonce.created = START + id;
    nonce.until = START + id + 600;
    return nonce;
}

static void
make(void)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    size_t size = WBA_REPLAY_FILE_HEADER + REGION;
    size_t whole = (size + page - 1) / page * page;
    wba_clock_t now = { START, 5000 };
    wba_replay_t *table;
    uint8_t *map;
    unsigned i;

    /* A region is a multiple of 64 bytes and must be aligned so. */
    CHECK(REGION % 64 == 0);
    map = mmap(NULL, whole + page, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(map != MAP_FAILED);
    CHECK(mprotect(map + whole, page, PROT_NONE) == 0);
    file = map + whole - size;
    file_size = size;
    table = wba_replay_init(file + WBA_REPLAY_FILE_HEADER, REGION, secret,
                            &now, true);
    CHECK(table != NULL);
    wba_replay_file_seal(file, REGION, boot);
    for (i = 0; i < 20; i++) {
        wba_nonce_t nonce = nonce_of(i);

        CHECK(wba_replay_record(table, &nonce, 1, 5, &now) == WBA_STORE_FRESH);
    }
    sound = malloc(size);
    CHECK(sound != NULL);
    memcpy(sound, file, size);
}

static void
damage(fuzz_in_t *in, unsigned how)
{
    size_t at, n, behind = WBA_REPLAY_FILE_HEADER + WBA_REPLAY_IDENTITY;

    while (in->len >= 3) {
        at = fuzz_number(in, 2);
        n = how & 2 ? 8 : 1;
        while (n-- != 0 && in->len != 0) {
            /* What the checksum is of, or what it is not of. */
            at = how & 1 ? behind + at % (file_size - behind)
                         : at % file_size;
            file[at++] = fuzz_byte(in);
        }
    }
}

static void
use(wba_replay_t *table, wba_clock_t now)
{
    wba_replay_stats_t stats;
    wba_store_answer_t answer;
    wba_nonce_t nonces[3];
    unsigned i;

    for (i = 0; i < 40; i++) {
        nonces[0] = nonce_of(i);
        nonces[1] = nonce_of(i + 60);
        nonces[2] = nonce_of(i + 120);
        (void) wba_replay_seen(table, &nonces[0], &now);
        answer = wba_replay_record(table, nonces, 1 + i % 3, 5, &now);
        CHECK(answer <= WBA_STORE_UNAVAILABLE);
        if (answer == WBA_STORE_FRESH) {
            CHECK(wba_replay_seen(table, &nonces[0], &now));
            CHECK(wba_replay_record(table, nonces, 1 + i % 3, 5, &now)
                  != WBA_STORE_FRESH);
        }
    }
    wba_replay_stats(table, &now, &stats);
    CHECK(stats.live <= stats.capacity);
    wba_replay_estimate(table, &now, 2, &stats);
    CHECK(stats.live <= stats.capacity && stats.cold_until >= 0);
}

static void
reopen(wba_clock_t now)
{
    wba_replay_t *table;
    const char *why = NULL;

    table = wba_replay_file_check(file, file_size, REGION, boot, &why);
    CHECK((table == NULL) == (why[0] != '\0'));
    if (table == NULL) {
        return;
    }
    CHECK((uint8_t *) table == file + WBA_REPLAY_FILE_HEADER);
    CHECK(memcmp(table, sound + WBA_REPLAY_FILE_HEADER, WBA_REPLAY_IDENTITY)
          == 0);
    CHECK(wba_replay_renew_locks(table));
    use(table, now);
    wba_replay_cool(table, &now);
    wba_replay_supersede(table);
    CHECK(wba_replay_file_check(file, file_size, REGION, boot, &why) == NULL);
    wba_replay_resume(table, &now);
    use(table, now);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    make();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned how = fuzz_byte(&in);
    wba_clock_t now = { START + 30, 5030 };
    const char *why = NULL;
    size_t other;

    if (how & 4) {
        now.wall = fuzz_int64(&in);
        now.monotonic = fuzz_int64(&in);
    }
    memcpy(file, sound, file_size);
    if (how & 8) { /* a file of another size, or less than one */
        other = fuzz_number(&in, 2) % (file_size + 1);
        CHECK(wba_replay_file_check(file + file_size - other, other, REGION,
                                    boot, &why)
                  == NULL
              || other == file_size);
        CHECK(other == file_size || why[0] != '\0');
    }
    damage(&in, how);
    reopen(now);
    return 0;
}
