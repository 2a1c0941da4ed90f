/* SPDX-License-Identifier: BSD-2-Clause */
#include "curl_line.h"

#include <stdio.h>
#include <stdlib.h>

#include "text.h"

static void
add_word(curl_line_t *w, wba_str_t a, wba_str_t b, wba_str_t c)
{
    char *word = malloc(a.len + b.len + c.len + 1), *p = word;

    if (word == NULL || w->count == CURL_LINE_WORDS) {
        free(word);
        w->failed = true;
        return;
    }
    if (a.len) {
        memcpy(p, a.data, a.len);
        p += a.len;
    }
    if (b.len) {
        memcpy(p, b.data, b.len);
        p += b.len;
    }
    if (c.len) {
        memcpy(p, c.data, c.len);
        p += c.len;
    }
    *p = '\0';
    w->word[w->count++] = word;
}

static void
add_text(curl_line_t *w, const char *text)
{
    add_word(w, wba_str_z(text), WBA_STR_NONE, WBA_STR_NONE);
}

/* curl sends a field without value only if it ends in ';'. */
static void
add_header(curl_line_t *w, const char *header)
{
    const char *colon = strchr(header, ':');

    add_text(w, "-H");
    if (colon[1 + strspn(colon + 1, " \t")] != '\0') {
        add_text(w, header);
    } else {
        add_word(w, wba_str(header, (size_t) (colon - header)), WBA_STR(";"),
                 WBA_STR_NONE);
    }
}

static void
add_field(curl_line_t *w, const char *name, wba_str_t value)
{
    if (value.data != NULL) {
        add_text(w, "-H");
        add_word(w, wba_str_z(name), WBA_STR(": "), value);
    }
}

static void
add_method(curl_line_t *w, const signing_t *s)
{
    if (strcmp(s->method, "HEAD") == 0) {
        add_text(w, "--head");
    } else if (strcmp(s->method, s->has_body ? "POST" : "GET") != 0) {
        add_text(w, "-X");
        add_text(w, s->method);
    }
}

bool
curl_line_make(curl_line_t *w, const signing_t *s, const signing_result_t *r,
               const char *body, char **more, int nmore)
{
    size_t i;
    int k;

    memset(w, 0, sizeof(*w));
    add_text(w, "curl");
    /* curl must send the target as it was signed. */
    add_text(w, "--path-as-is");
    add_text(w, "--globoff");
    add_method(w, s);
    for (i = 0; i < s->nheaders; i++) {
        add_header(w, s->headers[i]);
    }
    add_field(w, "Signature-Agent", r->agent);
    add_field(w, "Content-Digest", r->digest);
    add_field(w, "Signature-Input", r->input);
    add_field(w, "Signature", r->signature);
    if (body != NULL) {
        add_text(w, "--data-binary");
        add_word(w, WBA_STR("@"), wba_str_z(body), WBA_STR_NONE);
    }
    for (k = 0; k < nmore; k++) {
        add_text(w, more[k]);
    }
    add_text(w, s->url);
    return !w->failed;
}

static bool
is_safe(const char *word)
{
    return *word != '\0'
           && word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRST"
                                "UVWXYZ0123456789-_./@")] == '\0';
}

void
curl_line_print(const curl_line_t *w, size_t first)
{
    size_t i;

    for (i = first; i < w->count; i++) {
        (void) fputs(i > first ? " " : "", stdout);
        if (is_safe(w->word[i])) {
            (void) fputs(w->word[i], stdout);
        } else {
            (void) fputc('\'', stdout);
            text_put_quoted(stdout, wba_str_z(w->word[i]));
            (void) fputc('\'', stdout);
        }
    }
    (void) fputc('\n', stdout);
}

void
curl_line_free(curl_line_t *w)
{
    size_t i;

    for (i = 0; i < w->count; i++) {
        free(w->word[i]);
    }
}
