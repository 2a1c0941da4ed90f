/* SPDX-License-Identifier: BSD-2-Clause */
#include "nearest.h"

#define ROW (WBA_MAX_NEAREST + 1)

/* Changes that make b of a, each letter taking part in one of them (optimal
 * string alignment): three rows of the table are enough. */
static size_t
changes(wba_str_t a, wba_str_t b)
{
    size_t rows[3][ROW], i, j;
    size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

    for (j = 0; j <= b.len; j++) {
        row[j] = j;
        above[j] = 0;
    }
    for (i = 1; i <= a.len; i++) {
        uint8_t x = wba_lower(a.data[i - 1]);

        spare = before;
        before = above;
        above = row;
        row = spare;
        row[0] = i;
        for (j = 1; j <= b.len; j++) {
            uint8_t y = wba_lower(b.data[j - 1]);
            size_t least = above[j - 1] + (x != y);

            least = above[j] + 1 < least ? above[j] + 1 : least;
            least = row[j - 1] + 1 < least ? row[j - 1] + 1 : least;
            if (i > 1 && j > 1 && x == wba_lower(b.data[j - 2])
                && y == wba_lower(a.data[i - 2])
                && before[j - 2] + 1 < least)
            {
                least = before[j - 2] + 1;
            }
            row[j] = least;
        }
    }
    return row[b.len];
}

void
wba_nearest_init(wba_nearest_t *nearest, wba_str_t word)
{
    nearest->word = word;
    nearest->best = WBA_STR_NONE;
    nearest->changes = 0;
}

void
wba_nearest_offer(wba_nearest_t *nearest, wba_str_t known)
{
    wba_str_t word = nearest->word;
    size_t longer = word.len > known.len ? word.len : known.len;
    size_t shorter = word.len > known.len ? known.len : word.len;
    size_t limit = longer < 3 ? 1 : (longer + 1) / 3, n;

    if (limit > WBA_NEAREST_CHANGES) {
        limit = WBA_NEAREST_CHANGES;
    }
    if (shorter >= 3
        && wba_str_eq_nocase(wba_str(word.data, shorter),
                             wba_str(known.data, shorter)))
    {
        limit = longer - shorter > limit ? longer - shorter : limit;
    }
    if (longer > WBA_MAX_NEAREST || shorter == 0 || longer - shorter > limit) {
        return;
    }
    n = changes(word, known);
    if (n <= limit && n < longer
        && (nearest->best.data == NULL || n < nearest->changes))
    {
        nearest->best = known;
        nearest->changes = n;
    }
}
