/* SPDX-License-Identifier: BSD-2-Clause */
/* wba reasons: core's table of reasons. */
#include <stdio.h>

#include "cli.h"
#include "judge.h"
#include "text.h"

static json_t *
row_json(const wba_reason_info_t *info)
{
    unsigned status = wba_class_default_status(info->class);
    json_t *row = json_object();

    (void) json_object_set_new(row, "name", text_json(info->name));
    (void) json_object_set_new(row, "outcome",
                               text_json(wba_outcome_name(info->outcome)));
    (void) json_object_set_new(row, "class",
                               text_json(wba_class_name(info->class)));
    (void) json_object_set_new(row, "status",
                               status ? json_integer(status) : json_null());
    (void) json_object_set_new(row, "help", json_string(info->help));
    return row;
}

static int
print_json(void)
{
    json_t *rows = json_array();
    int rc, i;

    for (i = 0; i < WBA_REASON_COUNT; i++) {
        (void) json_array_append_new(
            rows, row_json(wba_reason_info((wba_reason_t) i)));
    }
    rc = text_put_json(rows);
    json_decref(rows);
    return rc;
}

static void
print_row(const wba_reason_info_t *info)
{
    unsigned status = wba_class_default_status(info->class);
    wba_str_t outcome = wba_outcome_name(info->outcome);
    wba_str_t class = wba_class_name(info->class);
    char number[16] = "-";

    if (status) {
        (void) snprintf(number, sizeof(number), "%u", status);
    }
    (void) printf("%-34.*s %-10.*s %-11.*s %-6s %s\n", (int) info->name.len,
                  (const char *) info->name.data, (int) outcome.len,
                  (const char *) outcome.data, (int) class.len,
                  (const char *) class.data, number, info->help);
}

static int
run(int argc, char **argv)
{
    enum { JSON = CLI_OPTION_OWN };
    static const struct option known[] = {
        { "json", no_argument, NULL, JSON },
        { NULL, 0, NULL, 0 },
    };
    bool json = false;
    int c, i;

    while ((c = cli_option(argc, argv, known)) != CLI_OPTION_END) {
        if (c != JSON) {
            return CLI_TROUBLE;
        }
        json = true;
    }
    if (optind < argc) {
        return cli_fail("reasons takes no '%s'; it prints the whole table",
                        argv[optind]);
    }
    if (json) {
        return print_json();
    }
    (void) printf("%-34s %-10s %-11s %-6s %s\n", "REASON", "OUTCOME", "CLASS",
                  "STATUS", "HELP");
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        print_row(wba_reason_info((wba_reason_t) i));
    }
    return CLI_OK;
}

const cli_command_t cmd_reasons = {
    "reasons",
    "list the reasons a request can be judged by",
    "Usage: wba reasons [--json]\n"
    "\n"
    "Prints every reason: its outcome, the class that web_bot_auth_answer\n"
    "knows it by, the HTTP status of a refusal unless configured otherwise,\n"
    "and a line of help.\n"
    "\n"
    "  --json   print an array of objects\n",
    "wba reasons\n"
    "# what a Web-Bot-Auth-Reason means\n"
    "wba reasons | grep '^clock-ahead '\n",
    "0 printed, 2 wrong use.\n",
    run,
};
