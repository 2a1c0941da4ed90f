/* SPDX-License-Identifier: BSD-2-Clause */
/* "Did you mean": of the words that are known, the one that an unknown word
 * was most likely meant to be. */
#ifndef WBA_NEAREST_H
#define WBA_NEAREST_H

#include "str.h"

/* Bytes of a word that is compared, at most: those of the longest tag. */
#define WBA_MAX_NEAREST 128

/* Changes between a word and what it is taken for, at most.  A slip of the pen
 * has one or two; four are a forgotten "max_". */
#define WBA_NEAREST_CHANGES 4

typedef struct {
    wba_str_t word;
    wba_str_t best;    /* data NULL: none is near */
    size_t changes;    /* between the two */
} wba_nearest_t;

/* Begins with an unknown word, borrowed as the known ones are. */
void wba_nearest_init(wba_nearest_t *nearest, wba_str_t word);

/*
 * Offers a known word.  It is near where a third of the letters (of the longer
 * word's; rounded, at least one), and no more than WBA_NEAREST_CHANGES, are
 * changed, missing, too many, or exchanged with their neighbour; or where one
 * of the two, of three letters or more, begins the other.  Upper and lower
 * case are one.  Of equally near words the first stays.
 */
void wba_nearest_offer(wba_nearest_t *nearest, wba_str_t known);

#endif
