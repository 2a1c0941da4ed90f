/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "color.h"
#include "text.h"

static const char *command;

void
cli_name(const char *name)
{
    command = name;
}

/* Bytes of a message that needs no memory. */
#define MESSAGE 1024

static void
say(color_t color, const char *format, va_list args)
{
    char block[MESSAGE], *text = block;
    va_list again;
    int len;

    va_copy(again, args);
    len = vsnprintf(block, sizeof(block), format, args);
    if (len >= MESSAGE) {
        text = malloc((size_t) len + 1);
        if (text != NULL) {
            (void) vsnprintf(text, (size_t) len + 1, format, again);
        } else {
            text = block; /* its beginning must do */
        }
    }
    va_end(again);
    (void) fflush(stdout); /* so that the two come in order on a terminal */
    color_begin(stderr, color);
    (void) fputs("wba", stderr);
    if (command != NULL) {
        (void) fprintf(stderr, " %s", command);
    }
    (void) fputc(':', stderr);
    color_end(stderr);
    (void) fputc(' ', stderr);
    text_put_message(stderr, text);
    (void) fputc('\n', stderr);
    if (text != block) {
        free(text);
    }
}

int
cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(COLOR_BAD, format, args);
    va_end(args);
    return CLI_TROUBLE;
}

void
cli_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(COLOR_DOUBT, format, args);
    va_end(args);
}

int
cli_color(const char *when)
{
    if (color_choose(when)) {
        return CLI_OK;
    }
    return cli_fail("--color %s is none of auto, always, never", when);
}

static int
bad_option(const char *text, const struct option *options)
{
    size_t len = strcspn(text, "=");
    unsigned matches = 0;
    const struct option *o;

    for (o = options; o->name != NULL; o++) {
        if (strlen(o->name) + 2 == len
            && strncmp(o->name, text + 2, len - 2) == 0)
        {
            (void) cli_fail("%.*s takes no value; write it alone", (int) len,
                            text);
            return CLI_OPTION_BAD;
        }
        if (len > 2 && strncmp(o->name, text + 2, len - 2) == 0) {
            matches++;
        }
    }
    if (matches > 1) {
        (void) cli_fail("%.*s could be several options; write it in full",
                        (int) len, text);
    } else {
        (void) cli_fail("there is no option %.*s; 'wba help %s' lists them",
                        (int) len, text, command);
    }
    return CLI_OPTION_BAD;
}

/* A command's options, and those that every command has. */
#define MAX_OPTIONS 64

enum { COLOR = CLI_OPTION_OWN - 1 };

static const struct option *
with_common(const struct option *options)
{
    static struct option all[MAX_OPTIONS + 2];
    static const struct option color = { "color", required_argument, NULL,
                                         COLOR };
    size_t n = 0;

    while (n < MAX_OPTIONS && options[n].name != NULL) {
        all[n] = options[n];
        n++;
    }
    all[n++] = color;
    memset(&all[n], 0, sizeof(all[n]));
    return all;
}

int
cli_option(int argc, char **argv, const struct option *options)
{
    const struct option *all = with_common(options);
    int next, c;

    opterr = 0;
    do {
        next = optind ? optind : 1;
        c = getopt_long(argc, argv, ":", all, NULL);
        if (c == COLOR && cli_color(optarg) != CLI_OK) {
            return CLI_OPTION_BAD;
        }
    } while (c == COLOR);
    if (c == ':') {
        (void) cli_fail("%s wants a value; 'wba help %s' says which",
                        argv[optind - 1], command);
        return CLI_OPTION_BAD;
    }
    if (c != '?') {
        return c;
    }
    if (strncmp(argv[optind - 1], "--", 2) == 0) {
        return bad_option(argv[optind - 1], all);
    }
    return bad_option(argv[next], all);
}
