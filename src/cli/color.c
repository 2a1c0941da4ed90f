/* SPDX-License-Identifier: BSD-2-Clause */
#include "color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum { AUTO, ALWAYS, NEVER } choice = AUTO;

bool
color_choose(const char *when)
{
    if (strcmp(when, "auto") == 0) {
        choice = AUTO;
    } else if (strcmp(when, "always") == 0) {
        choice = ALWAYS;
    } else if (strcmp(when, "never") == 0) {
        choice = NEVER;
    } else {
        return false;
    }
    return true;
}

static bool
is_set(const char *name)
{
    const char *value = getenv(name);

    return value != NULL && *value != '\0';
}

/* no-color.org; terminals that call themselves dumb show sequences as text. */
static bool
has_colors(FILE *out)
{
    const char *term = getenv("TERM");

    if (choice != AUTO) {
        return choice == ALWAYS;
    }
    return !is_set("NO_COLOR") && term != NULL && *term != '\0'
           && strcmp(term, "dumb") != 0 && isatty(fileno(out));
}

void
color_begin(FILE *out, color_t color)
{
    static const char *const sequences[] = {
        [COLOR_GOOD] = "\033[1;32m",  [COLOR_BAD] = "\033[1;31m",
        [COLOR_DOUBT] = "\033[1;33m", [COLOR_HEADING] = "\033[1m",
        [COLOR_FAINT] = "\033[2m",
    };

    if (has_colors(out)) {
        (void) fputs(sequences[color], out);
    }
}

void
color_end(FILE *out)
{
    if (has_colors(out)) {
        (void) fputs("\033[0m", out);
    }
}

void
color_put(FILE *out, color_t color, const char *text)
{
    color_begin(out, color);
    (void) fputs(text, out);
    color_end(out);
}
