/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit.h"

#include <pthread.h>
#include <stdlib.h>

#include "replay_file.h"

#define REGION 65536
#define FILE_SIZE (WBA_REPLAY_FILE_HEADER + REGION)

static const uint8_t boot[WBA_REPLAY_BOOT_SIZE] = "0123456789abcde";
static const uint8_t secret[16] = "fedcba987654321";
static const wba_clock_t start = { 1000000, 5000 };

static uint8_t *
new_file(void)
{
    uint8_t *file = aligned_alloc(4096, FILE_SIZE + 4096);

    assert_non_null(file);
    memset(file, 0xa5, FILE_SIZE);
    assert_non_null(wba_replay_init(file + WBA_REPLAY_FILE_HEADER, REGION,
                                    secret, &start, false));
    wba_replay_file_seal(file, REGION, boot);
    return file;
}

static void
refused(uint8_t *file, size_t file_size, size_t size, const uint8_t *b,
        const char *word)
{
    const char *why = NULL;

    assert_null(wba_replay_file_check(file, file_size, size, b, &why));
    if (strstr(why, word) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", why, word);
    }
}

static void
test_kept(void **state)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = { 1 };
    wba_nonce_t nonce = { thumbprint, WBA_STR("n"), start.wall + 10,
                          start.wall + 600 };
    wba_clock_t now = { start.wall + 20, start.monotonic + 20 };
    uint8_t *file = new_file();
    const char *why = NULL;
    wba_replay_t *table;

    (void) state;
    table = wba_replay_file_check(file, FILE_SIZE, REGION, boot, &why);
    assert_non_null(table);
    assert_string_equal(why, "");
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_FRESH);

    table = wba_replay_file_check(file, FILE_SIZE, REGION, boot, &why);
    assert_non_null(table);
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_SEEN);
    free(file);
}

static void
test_refused(void **state)
{
    uint8_t other[WBA_REPLAY_BOOT_SIZE] = "another boot";
    uint8_t *file = new_file();
    uint8_t zero[FILE_SIZE > 8192 ? 8192 : FILE_SIZE] = { 0 };

    (void) state;
    refused(file, FILE_SIZE, REGION, other, "anew");
    refused(file, FILE_SIZE, REGION - 64, boot, "size");
    refused(file, FILE_SIZE, REGION + 64, boot, "size");
    refused(file, FILE_SIZE - 1, REGION, boot, "size");
    refused(file, FILE_SIZE + 1, REGION, boot, "size");
    refused(file, 0, REGION, boot, "no nonce file");
    refused(file, WBA_REPLAY_FILE_HEADER, REGION, boot, "no nonce file");
    refused(zero, sizeof(zero), sizeof(zero) - WBA_REPLAY_FILE_HEADER, boot,
            "no nonce file");
    free(file);
}

/* Each bit of the header, and of what the table never writes. */
static void
test_every_bit_flipped(void **state)
{
    uint8_t *file = new_file();
    const char *why;
    size_t bit, at;

    (void) state;
    for (bit = 0; bit < 8 * (64 + WBA_REPLAY_IDENTITY); bit++) {
        at = bit / 8 < 64 ? bit / 8 : WBA_REPLAY_FILE_HEADER + bit / 8 - 64;
        file[at] ^= (uint8_t) (1u << bit % 8);
        assert_null(wba_replay_file_check(file, FILE_SIZE, REGION, boot,
                                          &why));
        assert_string_not_equal(why, "");
        file[at] ^= (uint8_t) (1u << bit % 8);
    }
    assert_non_null(wba_replay_file_check(file, FILE_SIZE, REGION, boot,
                                          &why));
    free(file);
}

/* Locks that a copy of the file found held, or that are no locks any more, are
 * waited for by nobody. */
static void
test_damaged_locks(void **state)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = { 1 };
    wba_nonce_t nonce = { thumbprint, WBA_STR("n"), start.wall + 10,
                          start.wall + 600 };
    wba_clock_t now = { start.wall + 20, start.monotonic + 20 };
    uint8_t *file = new_file();
    const char *why = NULL;
    wba_replay_t *table;
    uint8_t *lock = file + WBA_REPLAY_FILE_HEADER + 128;

    (void) state;
    table = wba_replay_file_check(file, FILE_SIZE, REGION, boot, &why);
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_FRESH);
    memset(lock, 0x5a, sizeof(pthread_mutex_t));
    table = wba_replay_file_check(file, FILE_SIZE, REGION, boot, &why);
    assert_non_null(table);
    assert_true(wba_replay_renew_locks(table));
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_SEEN);
    free(file);
}

/* One that another has taken the place of is not taken up again; in memory it
 * is, cold. */
static void
test_superseded(void **state)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE] = { 1 };
    wba_nonce_t nonce = { thumbprint, WBA_STR("n"), start.wall + 10,
                          start.wall + 600 };
    wba_clock_t now = { start.wall + 20, start.monotonic + 20 };
    uint8_t *file = new_file();
    const char *why = NULL;
    wba_replay_t *table;

    (void) state;
    table = wba_replay_file_check(file, FILE_SIZE, REGION, boot, &why);
    assert_false(wba_replay_superseded(table));
    wba_replay_supersede(table);
    assert_true(wba_replay_superseded(table));
    refused(file, FILE_SIZE, REGION, boot, "place");
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_COLD);

    wba_replay_resume(table, &now);
    assert_false(wba_replay_superseded(table));
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_COLD);
    nonce.created = now.wall + 6;
    now.wall += 7;
    now.monotonic += 7;
    assert_int_equal(wba_replay_record(table, &nonce, 1, 5, &now),
                     WBA_STORE_FRESH);
    free(file);
}

/* Sealed by a version whose table is laid out in another way. */
static void
test_another_version(void **state)
{
    uint8_t *file = new_file();

    (void) state;
    file[WBA_REPLAY_FILE_HEADER] ^= 1;
    wba_replay_file_seal(file, REGION, boot);
    refused(file, FILE_SIZE, REGION, boot, "version");
    free(file);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kept),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_damaged_locks),
        cmocka_unit_test(test_superseded),
        cmocka_unit_test(test_another_version),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
