/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *command;

void
cli_name(const char *name)
{
    command = name;
}

static void
say(const char *format, va_list args)
{
    (void) fflush(stdout); /* so that the two come in order on a terminal */
    (void) fputs("wba", stderr);
    if (command != NULL) {
        (void) fprintf(stderr, " %s", command);
    }
    (void) fputs(": ", stderr);
    (void) vfprintf(stderr, format, args);
    (void) fputc('\n', stderr);
}

int
cli_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
    return CLI_TROUBLE;
}

void
cli_note(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(format, args);
    va_end(args);
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

int
cli_option(int argc, char **argv, const struct option *options)
{
    int next = optind ? optind : 1;
    int c;

    opterr = 0;
    c = getopt_long(argc, argv, ":", options, NULL);
    if (c == ':') {
        (void) cli_fail("%s wants a value; 'wba help %s' says which",
                        argv[optind - 1], command);
        return CLI_OPTION_BAD;
    }
    if (c != '?') {
        return c;
    }
    if (strncmp(argv[optind - 1], "--", 2) == 0) {
        return bad_option(argv[optind - 1], options);
    }
    return bad_option(argv[next], options);
}
