/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes of unknown origin on a terminal, in JSON and in a shell's words. */
#ifndef WBA_CLI_TEXT_H
#define WBA_CLI_TEXT_H

#include <jansson.h>
#include <stdio.h>

#include "str.h"

/* Writes s; bytes that are neither printable ASCII nor HTAB as \xNN,
 * backslash as it is. */
void text_put(FILE *out, wba_str_t s);

/* Writes a message with bytes of unknown origin in it: control characters, and
 * what turns the direction of writing, as \xNN.  What is not ASCII stays where
 * the locale is UTF-8's and it is that. */
void text_put_message(FILE *out, const char *s);

/* Whether the locale's characters are UTF-8.  main has set it. */
bool text_utf8(void);

/* A JSON string of s, escaped as text_put does where it is not UTF-8; null
 * when s.data is NULL.  The caller owns it. */
json_t *text_json(wba_str_t s);

/* Writes s as it stands between single quotes in a POSIX shell's word, which
 * is also one of xargs. */
void text_put_quoted(FILE *out, wba_str_t s);

/* Writes pretty JSON and a line end to stdout.  json may be NULL (out of
 * memory).  CLI_OK or CLI_TROUBLE. */
int text_put_json(const json_t *json);

#endif
