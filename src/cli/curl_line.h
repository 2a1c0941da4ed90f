/* SPDX-License-Identifier: BSD-2-Clause */
/* curl's command line, a word for each: it sends a signed request. */
#ifndef WBA_CLI_CURL_LINE_H
#define WBA_CLI_CURL_LINE_H

#include "signing.h"

#define CURL_LINE_WORDS (2 * SIGNING_MAX_HEADERS + 64)

/* Words of malloc's. */
typedef struct {
    char *word[CURL_LINE_WORDS + 1]; /* NULL behind the last */
    size_t count;
    bool failed;
} curl_line_t;

/* The words, "curl" first; body: the path of s's body, or NULL; more: words of
 * the user's, before the URL.  False: too many, or no memory.  To be ended by
 * curl_line_free in any case. */
bool curl_line_make(curl_line_t *line, const signing_t *s,
                    const signing_result_t *r, const char *body, char **more,
                    int nmore);
void curl_line_free(curl_line_t *line);

/* Prints the words from first on, quoted for a shell and for xargs. */
void curl_line_print(const curl_line_t *line, size_t first);

#endif
