/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "Did you mean": what is suggested was offered, is near by the words of the
 * header, and nothing that was offered is nearer; two words are as far apart
 * from either side, and in any case of letters.
 *
 * Input: the unknown word, then known ones.
 */
#include "fuzz.h"
#include "nearest.h"

#define KNOWN 16
#define SIDE (WBA_MAX_NEAREST + 1)

static fuzz_mem_t m;

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The whole table, from the words' ends. */
static size_t
distance(wba_str_t a, wba_str_t b)
{
    static size_t d[SIDE + 1][SIDE + 1];
    size_t i, j;

    for (i = a.len + 1; i-- > 0;) {
        for (j = b.len + 1; j-- > 0;) {
            if (i == a.len || j == b.len) {
                d[i][j] = a.len - i + b.len - j;
                continue;
            }
            d[i][j] = least(1 + least(d[i + 1][j], d[i][j + 1]),
                            d[i + 1][j + 1]
                                + (wba_lower(a.data[i])
                                   != wba_lower(b.data[j])));
            if (i + 1 < a.len && j + 1 < b.len
                && wba_lower(a.data[i]) == wba_lower(b.data[j + 1])
                && wba_lower(a.data[i + 1]) == wba_lower(b.data[j]))
            {
                d[i][j] = least(d[i][j], 1 + d[i + 2][j + 2]);
            }
        }
    }
    return d[0][0];
}

static bool
begins(wba_str_t word, wba_str_t with)
{
    return with.len >= 3 && word.len >= with.len
           && wba_str_eq_nocase(wba_str(word.data, with.len), with);
}

/* By the header's words; *n: the changes. */
static bool
near(wba_str_t a, wba_str_t b, size_t *n)
{
    size_t longer = a.len > b.len ? a.len : b.len;
    size_t third = (2 * longer + 3) / 6; /* rounded */

    if (a.len == 0 || b.len == 0 || longer > WBA_MAX_NEAREST) {
        return false;
    }
    *n = distance(a, b);
    third = third < 1 ? 1 : third;
    return *n < longer
           && (*n <= least(third, WBA_NEAREST_CHANGES) || begins(a, b)
               || begins(b, a));
}

static wba_str_t
other_case(wba_str_t s)
{
    wba_str_t copy = fuzz_copy(&m, s);
    uint8_t *at = (uint8_t *) (uintptr_t) copy.data;
    size_t i;

    for (i = 0; i < copy.len; i++) {
        uint8_t lower = wba_lower(at[i]);

        at[i] = at[i] == lower && lower >= 'a' && lower <= 'z'
                    ? (uint8_t) (lower & ~0x20) : lower;
    }
    return copy;
}

static void
pair(wba_str_t word, wba_str_t known)
{
    wba_nearest_t there, back, cased;
    size_t n = 0;
    bool is = near(word, known, &n);

    wba_nearest_init(&there, word);
    wba_nearest_offer(&there, known);
    wba_nearest_init(&back, known);
    wba_nearest_offer(&back, word);
    wba_nearest_init(&cased, other_case(word));
    wba_nearest_offer(&cased, known);
    CHECK((there.best.data != NULL) == is);
    CHECK((back.best.data != NULL) == is);
    CHECK((cased.best.data != NULL) == is);
    if (is) {
        CHECK(there.changes == n && back.changes == n && cased.changes == n);
        CHECK((n == 0) == wba_str_eq_nocase(word, known));
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    wba_str_t word, known, best = WBA_STR_NONE;
    size_t n, fewest = SIZE_MAX, i;
    wba_nearest_t nearest;

    fuzz_mem_init(&m);
    word = fuzz_copy(&m, fuzz_until(&in, FUZZ_PART));
    wba_nearest_init(&nearest, word);
    for (i = 0; i < KNOWN && in.len != 0; i++) {
        known = fuzz_copy(&m, fuzz_until(&in, FUZZ_PART));
        wba_nearest_offer(&nearest, known);
        pair(word, known);
        if (near(word, known, &n) && n < fewest) {
            best = known;
            fewest = n;
        }
    }
    CHECK(nearest.best.data == best.data && nearest.best.len == best.len);
    CHECK(best.data == NULL || nearest.changes == fewest);
    fuzz_mem_free(&m);
    return 0;
}
