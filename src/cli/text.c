/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <langinfo.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

#include "cli.h"

static bool
is_plain(uint8_t c)
{
    return (c >= 0x20 && c <= 0x7e) || c == '\t';
}

void
text_put(FILE *out, wba_str_t s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (is_plain(s.data[i])) {
            (void) fputc(s.data[i], out);
        } else {
            (void) fprintf(out, "\\x%02x", s.data[i]);
        }
    }
}

bool
text_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

/* Unicode's controls of direction, by which a text shows as another. */
static bool
turns(wchar_t c)
{
    return c == 0x61c || c == 0x200e || c == 0x200f
           || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Bytes of the character beyond ASCII at s that may be shown; 0: none. */
static size_t
shown(const char *s)
{
    mbstate_t state;
    wchar_t c;
    size_t n;

    memset(&state, 0, sizeof(state));
    if (!text_utf8()) {
        return 0;
    }
    n = mbrtowc(&c, s, strlen(s), &state);
    return n < (size_t) -2 && n > 1 && iswprint((wint_t) c) && !turns(c) ? n
                                                                         : 0;
}

void
text_put_message(FILE *out, const char *s)
{
    size_t n;

    for (; *s != '\0'; s += n) {
        n = shown(s);
        if (n > 0) {
            (void) fwrite(s, 1, n, out);
        } else {
            n = 1;
            text_put(out, wba_str(s, 1));
        }
    }
}

static json_t *
escaped_json(wba_str_t s)
{
    char *text = malloc(s.len * 4 + 1);
    json_t *json;
    size_t i, len = 0;

    if (text == NULL) {
        return NULL;
    }
    for (i = 0; i < s.len; i++) {
        if (is_plain(s.data[i])) {
            text[len++] = (char) s.data[i];
        } else {
            len += (size_t) sprintf(text + len, "\\x%02x", s.data[i]);
        }
    }
    json = json_stringn(text, len);
    free(text);
    return json;
}

json_t *
text_json(wba_str_t s)
{
    json_t *json;

    if (s.data == NULL) {
        return json_null();
    }
    json = json_stringn((const char *) s.data, s.len);
    return json != NULL ? json : escaped_json(s);
}

void
text_put_quoted(FILE *out, wba_str_t s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '\'') {
            (void) fputs("'\\''", out);
        } else {
            (void) fputc(s.data[i], out);
        }
    }
}

/* DEL, which jansson leaves as it is, can only be in a string. */
static int
put_json_bytes(const char *bytes, size_t size, void *out)
{
    size_t i;

    for (i = 0; i < size; i++) {
        if (bytes[i] == 0x7f) {
            (void) fputs("\\u007f", out);
        } else {
            (void) fputc(bytes[i], out);
        }
    }
    return 0;
}

int
text_put_json(const json_t *json)
{
    if (json == NULL) {
        return cli_fail("out of memory");
    }
    /* In ASCII: some terminals obey control characters of Unicode, too. */
    (void) json_dump_callback(json, put_json_bytes, stdout,
                              JSON_INDENT(2) | JSON_ENSURE_ASCII);
    (void) fputc('\n', stdout);
    return CLI_OK;
}
