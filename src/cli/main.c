/* SPDX-License-Identifier: BSD-2-Clause */
/* wba: makes keys and directories, signs requests, and says why one was
 * refused.  Chooses the subcommand. */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "crypto.h"

static const cli_command_t *const commands[] = {
    &cmd_keygen, &cmd_jwks,      &cmd_sign,    &cmd_curl,
    &cmd_verify, &cmd_directory, &cmd_reasons,
};

#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const cli_command_t *
find(const char *name)
{
    size_t i;

    for (i = 0; i < NCOMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

static void
usage(FILE *out)
{
    size_t i;

    (void) fputs("Usage: wba COMMAND [OPTION]...\n\n", out);
    for (i = 0; i < NCOMMANDS; i++) {
        (void) fprintf(out, "  %-9s %s\n", commands[i]->name,
                       commands[i]->summary);
    }
    (void) fputs(
        "  help      how to use wba, or one of its commands\n"
        "\n"
        "'wba help COMMAND' lists a command's options, with examples.\n"
        "'wba --version' prints the version.\n"
        "\n"
        "Examples:\n"
        "  wba keygen --out agent.key\n"
        "  wba jwks agent.key > keys.json\n"
        "  wba sign --key agent.key --url https://shop.example/ --format raw \\\n"
        "      > request.txt\n"
        "  wba verify --request request.txt --directory shop=keys.json\n"
        "  wba curl --key agent.key https://shop.example/\n"
        "  wba directory https://agent.example\n"
        "\n"
        "Exit status: 0 done, or verified, or a directory that the module\n"
        "would take; 1 not verified, or not taken; 2 wrong use, or a file that\n"
        "cannot be read or written.\n",
        out);
}

/* Text with an indent before each line. */
static void
put_indented(const char *text)
{
    const char *end;

    for (; *text != '\0'; text = end) {
        end = strchr(text, '\n') + 1; /* each text of ours ends in one */
        (void) fputs("  ", stdout);
        (void) fwrite(text, 1, (size_t) (end - text), stdout);
    }
}

static void
usage_of(const cli_command_t *command)
{
    (void) fputs(command->usage, stdout);
    (void) fputs("\nAlso --color auto|always|never: colours on a terminal "
                 "(default), always,\nor never; and --help.\n\nExamples:\n",
                 stdout);
    put_indented(command->examples);
    (void) printf("\nExit status: %s", command->status);
}

static int
unknown(const char *name)
{
    return cli_fail("there is no command '%s'; 'wba help' lists them", name);
}

static int
help(const char *name)
{
    const cli_command_t *command;

    if (name == NULL) {
        usage(stdout);
        return CLI_OK;
    }
    command = find(name);
    if (command == NULL) {
        return unknown(name);
    }
    usage_of(command);
    return CLI_OK;
}

static bool
wants_help(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

/* Obeys --color where it stands before the command, and takes it away. */
static int
take_color(int *argc, char ***argv)
{
    static const char name[] = "--color";
    const size_t len = sizeof(name) - 1;
    const char *word, *when;
    int words;

    while (*argc > 1 && strncmp((*argv)[1], name, len) == 0) {
        word = (*argv)[1];
        words = word[len] == '=' ? 1 : 2;
        when = word[len] == '=' ? word + len + 1 : (*argv)[2];
        if (word[len] != '=' && word[len] != '\0') {
            break; /* another word, and no command */
        }
        if (when == NULL) {
            return cli_fail("--color wants a value: auto, always or never");
        }
        if (cli_color(when) != CLI_OK) {
            return CLI_TROUBLE;
        }
        *argc -= words;
        *argv += words;
    }
    return CLI_OK;
}

static int
run(int argc, char **argv)
{
    const cli_command_t *command;

    if (take_color(&argc, &argv) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (argc < 2) {
        usage(stderr);
        return CLI_TROUBLE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void) puts("wba " WBA_VERSION);
        return CLI_OK;
    }
    if (strcmp(argv[1], "help") == 0) {
        return help(argv[2]);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return help(NULL);
    }
    command = find(argv[1]);
    if (command == NULL) {
        return unknown(argv[1]);
    }
    if (wants_help(argc - 1, argv + 1)) {
        return help(command->name);
    }
    cli_name(command->name);
    return command->run(argc - 1, argv + 1);
}

int
main(int argc, char **argv)
{
    int status;

    (void) setlocale(LC_CTYPE, "");
    if (wba_crypto_init() != WBA_OK) {
        return cli_fail("libsodium does not start: no source of randomness?");
    }
    status = run(argc, argv);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_fail("cannot write the output: %s",
                        strerror(errno ? errno : EIO));
    }
    return status;
}
