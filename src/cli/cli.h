/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every subcommand of wba shares: its entry in main's table, exit
 * statuses, messages and the option loop.
 */
#ifndef WBA_CLI_H
#define WBA_CLI_H

#include <getopt.h>

#include "version.h"

/* Exit statuses. */
#define CLI_OK 0
#define CLI_REFUSED 1 /* wba verify: the request does not verify; wba
                         directory: the module would not take it */
#define CLI_TROUBLE 2 /* usage, or files that cannot be read or written */

typedef struct {
    const char *name;
    const char *summary; /* one line for wba help */
    /* What wba help NAME prints, besides what all commands have in common. */
    const char *usage;    /* synopsis, what it does, options */
    const char *examples; /* a shell's lines; each works as it stands after
                             those of the commands before it */
    const char *status;   /* exit statuses, a line or two */
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand */
} cli_command_t;

extern const cli_command_t cmd_keygen;
extern const cli_command_t cmd_jwks;
extern const cli_command_t cmd_sign;
extern const cli_command_t cmd_curl; /* in cmd_sign.c */
extern const cli_command_t cmd_verify;
extern const cli_command_t cmd_directory;
extern const cli_command_t cmd_reasons;

/* Which subcommand messages speak for; NULL: wba itself. */
void cli_name(const char *name);

/* "wba sign: ..." on stderr, what is not fit for a terminal escaped.  cli_fail
 * returns CLI_TROUBLE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What cli_option returns beside the options' own values, which begin at
 * CLI_OPTION_OWN. */
enum { CLI_OPTION_END = -1, CLI_OPTION_BAD = '?', CLI_OPTION_OWN = 256 };

/* The next option, long ones only; its value is in optarg.  CLI_OPTION_END:
 * operands begin at argv[optind].  CLI_OPTION_BAD: it has said what is wrong.
 * --color, which every command has, is obeyed here.  --help and --version
 * never get here: main looks for them first. */
int cli_option(int argc, char **argv, const struct option *options);

/* Obeys --color.  CLI_OK, or CLI_TROUBLE and it has said why. */
int cli_color(const char *when);

#endif
