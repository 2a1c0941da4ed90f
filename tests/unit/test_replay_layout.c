/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How the nonce table lies in memory, to the byte: processes of two versions
 * may share one, or the file that one of them left.  Whoever changes what is
 * asserted here takes a new magic.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sodium.h>

#include "replay_fixture.h"

#define BUCKET 256
#define WAYS 16
#define RATED 12

typedef struct {
    uint64_t magic;
    uint64_t size;
    uint32_t partitions;
    uint32_t buckets;
    uint8_t secret[16];
    int64_t wall_base;
    int64_t mono_base;
} header_t;

static header_t
header_of(const wba_replay_t *table)
{
    header_t header;

    memcpy(&header, table, sizeof(header));
    return header;
}

static void
test_header(void **state)
{
    size_t size = 300 * BUCKET + 7;
    wba_replay_t *table = table_new(size, true);
    header_t header = header_of(table);

    (void) state;
    assert_int_equal(sizeof(header), WBA_REPLAY_IDENTITY);
    assert_true(header.magic
                == (UINT64_C(0x7762610100000000) | sizeof(pthread_mutex_t)));
    assert_int_equal(header.size, size);
    assert_int_equal(header.partitions, 1);
    assert_int_equal(header.buckets, 299);
    assert_memory_equal(header.secret, secret, 16);
    assert_true(header.wall_base == start.wall - (INT64_C(1) << 31));
    assert_true(header.mono_base == start.monotonic);
    free(table);
}

/* Partitions are as many as have 512 buckets or more, headers and locks not
 * counted; what is left over of a bucket in each is lost. */
static void
test_partitions(void **state)
{
    static const struct {
        uint64_t blocks; /* of a bucket's size */
        uint32_t partitions, buckets;
    } cases[] = {
        { 1, 0, 0 },           { 2, 1, 1 },
        { 1022, 1, 1021 },     { 1023, 1, 1022 },
        { 1024, 2, 511 },      { 1025, 2, 512 },
        { 1026, 2, 512 },      { 1027, 2, 513 },
        { 2047, 2, 1023 },     { 2048, 4, 511 },
        { 4095, 4, 1023 },     { 4096, 8, 511 },
        { 1 << 20, 1024, 1023 },
        { 1 << 21, 1024, 2047 },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        uint64_t rated = (uint64_t) cases[i].partitions * cases[i].buckets
                         * RATED;
        size_t size = (size_t) cases[i].blocks * BUCKET;

        if (wba_replay_rated(size) != rated
            || wba_replay_rated(size + BUCKET - 1) != rated)
        {
            fail_msg("%u: %u", (unsigned) cases[i].blocks,
                     (unsigned) wba_replay_rated(size));
        }
        if (cases[i].partitions > 0 && cases[i].blocks < 5000) {
            wba_replay_t *table = table_new(size, true);

            assert_int_equal(header_of(table).partitions, cases[i].partitions);
            assert_int_equal(header_of(table).buckets, cases[i].buckets);
            free(table);
        }
    }
}

/* What a number of nonces takes: no bucket more. */
static void
test_bytes_for_nonces(void **state)
{
    static const struct {
        uint64_t live;
        uint64_t blocks;
    } cases[] = {
        { 0, 2 },
        { 1, 2 },
        { RATED, 2 },
        { RATED + 1, 3 },
        { 1022 * RATED, 1023 },
        { 1023 * RATED, 1025 },
        { 1024 * RATED, 1025 },
        { 1024 * RATED + 1, 1027 },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        size_t size = wba_replay_size(cases[i].live);

        if (size != cases[i].blocks * BUCKET) {
            fail_msg("%u: %u blocks", (unsigned) cases[i].live,
                     (unsigned) (size / BUCKET));
        }
    }
}

/* The largest there is: 4,194,304 buckets in each of 1,024 partitions. */
static void
test_the_largest(void **state)
{
    (void) state;
#if SIZE_MAX > UINT32_MAX
    uint64_t most = (UINT64_C(1) << 32) * RATED;
    size_t size = wba_replay_size(most);

    assert_true(wba_replay_rated(SIZE_MAX) == most);
    assert_true(size == (UINT64_C(1) << 32) * BUCKET + 257 * BUCKET);
    assert_true(wba_replay_rated(size) == most);
    assert_true(wba_replay_rated(size - 1) == most - 1024 * RATED);
    assert_true(wba_replay_size(most + 1) == SIZE_MAX);
#endif
}

/* Where a nonce may lie: 27 bits of its hash name a bucket, the next 27 one of
 * the others, the lowest the partition. */
typedef struct {
    uint64_t fingerprint;
    uint64_t choice;    /* of the second */
    uint64_t bucket[2]; /* counted from the first of the table */
} place_t;

static place_t
place_of(const wba_nonce_t *nonce, const header_t *header)
{
    uint8_t text[WBA_THUMBPRINT_SIZE + 64];
    uint64_t half[2], first, second, base;
    place_t place;

    memcpy(text, nonce->thumbprint, WBA_THUMBPRINT_SIZE);
    memcpy(text + WBA_THUMBPRINT_SIZE, nonce->nonce.data, nonce->nonce.len);
    crypto_shorthash_siphashx24((unsigned char *) half, text,
                                WBA_THUMBPRINT_SIZE + nonce->nonce.len,
                                secret);
    first = (half[1] >> 37) * header->buckets / 134217728;
    place.choice = (half[1] >> 10) % 134217728;
    second = place.choice * (header->buckets - 1) / 134217728;
    second = (first + 1 + second) % header->buckets;
    base = half[1] % header->partitions * header->buckets;
    place.fingerprint = half[0];
    place.bucket[0] = base + first;
    place.bucket[1] = base + second;
    return place;
}

/* The bucket that holds a fingerprint, its slot and what it says. */
typedef struct {
    uint64_t bucket;
    unsigned slot;
    uint32_t wall, mono;
} found_t;

static bool
find(const wba_replay_t *table, uint64_t fingerprint, found_t *found)
{
    header_t header = header_of(table);
    size_t locks = 128 + 64 * (size_t) header.partitions;
    const uint8_t *at = (const uint8_t *) table
                        + (locks + BUCKET - 1) / BUCKET * BUCKET;
    uint64_t n = (uint64_t) header.partitions * header.buckets, value;

    for (found->bucket = 0; found->bucket < n; found->bucket++, at += BUCKET) {
        for (found->slot = 0; found->slot < WAYS; found->slot++) {
            memcpy(&value, at + 8 * found->slot, 8);
            if (value == fingerprint) {
                memcpy(&found->wall, at + 128 + 4 * found->slot, 4);
                memcpy(&found->mono, at + 192 + 4 * found->slot, 4);
                return true;
            }
        }
    }
    return false;
}

/* A nonce goes into the emptier of its two buckets, the first if they are
 * equal, and there into the lowest slot; those of a set one after another. */
static void
lies_where_it_should(size_t size, uint32_t n)
{
    wba_replay_t *table = table_new(size, true);
    header_t header = header_of(table);
    uint64_t buckets = (uint64_t) header.partitions * header.buckets;
    unsigned *fill = calloc(buckets, sizeof(*fill)), second = 0;
    wba_nonce_t set[WBA_MAX_SIGNATURES];
    name_t names[WBA_MAX_SIGNATURES];
    uint32_t id, i, count;

    for (id = 0; id < n; id += count) {
        count = 1 + id % WBA_MAX_SIGNATURES;
        for (i = 0; i < count; i++) {
            set[i] = named(&names[i], id + i, start.wall, start.wall + 60);
        }
        assert_int_equal(wba_replay_record(table, set, count, -1, &start),
                         WBA_STORE_FRESH);
        for (i = 0; i < count; i++) {
            place_t place = place_of(&set[i], &header);
            bool other = fill[place.bucket[1]] < fill[place.bucket[0]];
            found_t found;

            assert_true(find(table, place.fingerprint, &found));
            assert_int_equal(found.bucket, place.bucket[other]);
            assert_int_equal(found.slot, fill[found.bucket]++);
            assert_true(found.wall == (UINT32_C(1) << 31) + 60);
            assert_int_equal(found.mono, 60);
            second += other;
        }
    }
    assert_true(second > n / 10);
    free(fill);
    free(table);
}

static void
test_places(void **state)
{
    (void) state;
    lies_where_it_should(bytes_for(2), 20);
    lies_where_it_should(bytes_for(37), 300);
    lies_where_it_should(2048 * BUCKET, 4000); /* four partitions */
}

/* All 27 bits by which the second bucket is chosen count: of two choices that
 * differ by one in the lowest, each may mean another bucket. */
static void
test_the_lowest_bit(void **state)
{
    wba_replay_t *table = table_new(1023 * BUCKET, true);
    header_t header = header_of(table);
    uint64_t others = header.buckets - 1, choice;
    name_t name;
    wba_nonce_t nonce, before;
    place_t place, taken;
    found_t found;
    uint32_t id = 0, first = 0;

    (void) state;
    do {
        nonce = named(&name, ++id, start.wall, start.wall + 60);
        place = place_of(&nonce, &header);
        choice = (place.bucket[1] + header.buckets - place.bucket[0] - 1)
                 % header.buckets;
    } while (choice == 0 || place.choice % 2 == 0
             || (place.choice - 1) * others / 134217728 == choice);
    do { /* another takes a place in its first bucket */
        before = named(&name, --first, start.wall, start.wall + 60);
        taken = place_of(&before, &header);
    } while (taken.bucket[0] != place.bucket[0]);
    assert_int_equal(wba_replay_record(table, &before, 1, -1, &start),
                     WBA_STORE_FRESH);
    nonce = named(&name, id, start.wall, start.wall + 60);
    assert_int_equal(wba_replay_record(table, &nonce, 1, -1, &start),
                     WBA_STORE_FRESH);
    assert_true(find(table, place.fingerprint, &found));
    assert_int_equal(found.bucket, place.bucket[1]);
    free(table);
}

/* Who is killed between the times of a slot and its fingerprint leaves it
 * empty: whoever takes it has given nothing away. */
static void
test_half_a_record(void **state)
{
    wba_replay_t *table = table_new(bytes_for(1), true);
    uint8_t *bucket = (uint8_t *) table + BUCKET;
    const uint32_t wall = (UINT32_C(1) << 31) + 50;
    name_t name;
    wba_nonce_t nonce;
    uint32_t id;

    (void) state;
    memcpy(bucket + 128, &wall, 4);
    for (id = 1; id < 3; id++) { /* into the first slot, then the second */
        nonce = named(&name, id, start.wall, start.wall + 60 - 20 * id);
        assert_int_equal(wba_replay_record(table, &nonce, 1, -1, &start),
                         WBA_STORE_FRESH);
    }
    free(table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_partitions),
        cmocka_unit_test(test_bytes_for_nonces),
        cmocka_unit_test(test_the_largest),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_the_lowest_bit),
        cmocka_unit_test(test_half_a_record),
    };

    return wba_crypto_init() == WBA_OK
               ? cmocka_run_group_tests_name("replay_layout", tests, NULL,
                                             NULL)
               : 1;
}
