/* SPDX-License-Identifier: BSD-2-Clause */
/* Colours on a terminal, and nowhere else. */
#ifndef WBA_CLI_COLOR_H
#define WBA_CLI_COLOR_H

#include <stdbool.h>
#include <stdio.h>

typedef enum {
    COLOR_GOOD,    /* verified, usable */
    COLOR_BAD,     /* refused */
    COLOR_DOUBT,   /* could not be judged; warnings */
    COLOR_HEADING,
    COLOR_FAINT    /* not reached */
} color_t;

/*
 * "auto", which holds until another is chosen: a stream has colours if it is a
 * terminal, TERM is set and not "dumb", and NO_COLOR is not set or empty.
 * "always", "never": both streams have, or have not, whatever they are.
 * False: when is none of these.
 */
bool color_choose(const char *when);

/* What is written between the two is of that colour; where out has none they
 * write nothing. */
void color_begin(FILE *out, color_t color);
void color_end(FILE *out);

/* The text in that colour, as it stands: it must be ours. */
void color_put(FILE *out, color_t color, const char *text);

#endif
