/* SPDX-License-Identifier: BSD-2-Clause */
/* fetch/directory: what each answer means, in words too; proofs; "redirect
 * www".  The files under test are included, so that their memory can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "failing.h"

#define malloc(size) fail_malloc(size)
#define calloc(n, size) fail_calloc(n, size)
#define realloc(p, size) fail_realloc(p, size)
#include "../../src/core/jwks.c"
#include "../../src/core/keyset.c"
#include "../../src/fetch/directory.c"
#undef malloc
#undef calloc
#undef realloc

#include <cmocka.h>

#include "keys.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define NOW 1700000000
#define URL "https://directory.example" WBA_WELL_KNOWN_PATH
#define DIRECTORY TYPE_DIRECTORY

/* Keys of seeds that are 32 octets of 1, of 2 and of 3. */
#define ALICE "UDDReOZl1ipXAfp9wYsm13sDBMK5og--QWdBjzuf6o4"
#define ALICE_X "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w"
#define BOB_X "gTl3Dqh9F19Wo1Rmw0x-zMuNipG07jeiXfYPW4_Js5Q"
#define CAROL_X "7UkoxijRwsbq6QM4kFmVYSlZJzpcY_k2NsFGFKyHN9E"
#define OKP(x) "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"
#define EMPTY "{\"keys\":[]}"
#define ONE "{\"keys\":[" OKP(ALICE_X) "]}"
#define THREE "{\"keys\":[" OKP(ALICE_X) "," OKP(BOB_X) "," OKP(CAROL_X) "]}"
#define HTML "<!DOCTYPE html><title>Welcome</title>"

/* --- an answer, made by hand */

static char lines[WBA_MAX_FETCH_HEADERS + 1000];
static wba_fetch_result_t result;
static wba_directory_options_t options;
static wba_directory_answer_t answer;
static unsigned notes;

static void
add_bytes(const char *name, const char *value, size_t len)
{
    size_t at = result.headers.len;

    assert_true(at + strlen(name) + len + 3 < sizeof(lines));
    at += (size_t) sprintf(lines + at, "%s: ", name);
    memcpy(lines + at, value, len);
    lines[at + len] = '\n';
    result.headers = wba_str(lines, at + len + 1);
    result.content_type = wba_fetch_header(&result, "content-type");
}

static void
add(const char *name, const char *value)
{
    add_bytes(name, value, strlen(value));
}

/* type and body may be NULL. */
static void
begin(int status, const char *type, const char *body)
{
    memset(&result, 0, sizeof(result));
    memset(&options, 0, sizeof(options));
    options.url = URL;
    options.now = NOW;
    result.status = status;
    result.body = wba_str_z(body);
    result.headers = wba_str(lines, 0);
    if (type != NULL) {
        add("Content-Type", type);
    }
}

static void
count_note(void *ctx, const wba_jwks_note_t *note)
{
    (void) note;
    assert_ptr_equal(ctx, &notes);
    notes++;
}

/* Whatever it was told, the error is text, and is there just when needed. */
static wba_status_t
read_it(void)
{
    wba_status_t status;
    size_t i;

    notes = 0;
    memset(&answer, 0xa5, sizeof(answer));
    status = wba_directory_read(&result, &options, count_note, &notes,
                                &answer);
    assert_non_null(memchr(answer.error, '\0', sizeof(answer.error)));
    for (i = 0; answer.error[i] != '\0'; i++) {
        assert_in_range(answer.error[i], 0x20, 0x7e);
    }
    assert_int_equal(answer.error[0] == '\0', status == WBA_OK);
    assert_int_equal(answer.set.data != NULL,
                     status == WBA_OK && !answer.unchanged);
    assert_non_null(answer.proof.text);
    return status;
}

static void
drop(void)
{
    free((void *) (uintptr_t) answer.set.data);
    answer.set.data = NULL;
}

/* --- answers and what is said of them */

typedef struct {
    int status;
    const char *type, *body;
    enum { ANYWHERE, WELL_KNOWN } where;
    wba_status_t want;
    const char *error;
} case_t;

#define BAD WBA_INVALID
#define NEEDS " where the well-known path needs " DIRECTORY
#define NONE_OF ", neither " DIRECTORY " nor " TYPE_JWK_SET " nor " TYPE_JSON

static const case_t cases[] = {
    /* good ones */
    { 200, DIRECTORY, ONE, WELL_KNOWN, WBA_OK, "" },
    { 200, DIRECTORY, EMPTY, WELL_KNOWN, WBA_OK, "" },
    { 200, DIRECTORY, ONE, ANYWHERE, WBA_OK, "" },
    { 200, DIRECTORY "; charset=utf-8", ONE, WELL_KNOWN, WBA_OK, "" },
    { 200, "Application/HTTP-message-signatures-Directory+JSON ;x=y", ONE,
      WELL_KNOWN, WBA_OK, "" },
    { 200, TYPE_JSON, ONE, ANYWHERE, WBA_OK, "" },
    { 200, "application/JSON;charset=UTF-8", ONE, ANYWHERE, WBA_OK, "" },
    { 200, TYPE_JWK_SET, ONE, ANYWHERE, WBA_OK, "" },

    /* media types */
    { 200, TYPE_JSON, ONE, WELL_KNOWN, BAD,
      "media type \"application/json\"" NEEDS },
    { 200, TYPE_JWK_SET "; a=b", ONE, WELL_KNOWN, BAD,
      "media type \"application/jwk-set+json\"" NEEDS },
    { 200, "text/html; charset=utf-8", HTML, WELL_KNOWN, BAD,
      "media type \"text/html\"" NEEDS "; the body looks like HTML" },
    { 200, "text/html", HTML, ANYWHERE, BAD,
      "media type \"text/html\"" NONE_OF "; the body looks like HTML" },
    { 200, "text/plain", ONE, ANYWHERE, BAD,
      "media type \"text/plain\"" NONE_OF },
    { 200, "application/jsonx", ONE, ANYWHERE, BAD,
      "media type \"application/jsonx\"" NONE_OF },
    { 200, DIRECTORY "x", ONE, WELL_KNOWN, BAD,
      "media type \"" DIRECTORY "x\"" NEEDS },
    { 200, TYPE_JSON ", " TYPE_JSON, ONE, ANYWHERE, BAD,
      "media type \"application/json, application/json\"" NONE_OF },
    { 200, NULL, ONE, ANYWHERE, BAD, "no media type (Content-Type)" NONE_OF },
    { 200, "", "", WELL_KNOWN, BAD,
      "no media type (Content-Type)" NEEDS "; the body is empty" },
    { 200, "; charset=utf-8", ONE, ANYWHERE, BAD,
      "no media type (Content-Type)" NONE_OF },
    { 200, "a\"\\\x1b[2J\xff", ONE, WELL_KNOWN, BAD,
      "media type \"a\\x22\\x5c\\x1b[2J\\xff\"" NEEDS },
    { 200,
      "text/0123456789012345678901234567890123456789012345678901234567890123"
      "456789",
      ONE, WELL_KNOWN, BAD,
      "media type \"text/0123456789012345678901234567890123456789012345678901"
      "234567890123...\"" NEEDS },

    /* bodies */
    { 200, DIRECTORY, "", WELL_KNOWN, BAD,
      "not JSON: line 1, column 0: '[' or '{' expected near end of file; the "
      "body is empty" },
    { 200, DIRECTORY, " \r\n\t", WELL_KNOWN, BAD,
      "not JSON: line 2, column 1: '[' or '{' expected near end of file; the "
      "body is empty" },
    { 200, DIRECTORY, HTML, WELL_KNOWN, BAD,
      "not JSON: line 1, column 1: '[' or '{' expected near '<'; the body "
      "looks like HTML" },
    { 200, DIRECTORY, "\xef\xbb\xbf\n<html>", WELL_KNOWN, BAD, NULL },
    { 200, DIRECTORY, "<", WELL_KNOWN, BAD,
      "not JSON: line 1, column 1: '[' or '{' expected near '<'; the body "
      "looks like HTML" },
    { 200, DIRECTORY, "<?xml version='1.0'?>", WELL_KNOWN, BAD,
      "not JSON: line 1, column 1: '[' or '{' expected near '<'; the body "
      "looks like XML" },
    { 200, DIRECTORY, "<?", WELL_KNOWN, BAD,
      "not JSON: line 1, column 1: '[' or '{' expected near '<'; the body "
      "looks like XML" },
    { 200, TYPE_JSON, "[]", ANYWHERE, BAD,
      "no JWK Set: no array \"keys\"" },
    { 200, TYPE_JSON, "{}", ANYWHERE, BAD,
      "no JWK Set: no array \"keys\"" },
    { 200, TYPE_JSON, "{\"keys\":[{}]}", ANYWHERE, BAD,
      "no entry is usable" },
    { 200, TYPE_JSON, "[[[[[[[[[[[[[[[[[[[[", ANYWHERE, WBA_TOO_LARGE,
      "the JSON is nested too deeply" },

    /* statuses */
    { 304, NULL, NULL, ANYWHERE, BAD,
      "status 304: a 304 that nobody asked for" },
    { 201, DIRECTORY, ONE, WELL_KNOWN, BAD, "status 201: only a 200 answers" },
    { 204, NULL, NULL, ANYWHERE, BAD, "status 204: only a 200 answers" },
    { 206, DIRECTORY, ONE, WELL_KNOWN, BAD, "status 206: only a 200 answers" },
    { 300, NULL, HTML, ANYWHERE, BAD, "status 300: only a 200 answers" },
    { 400, NULL, HTML, ANYWHERE, BAD,
      "status 400: the server refuses the request" },
    { 401, NULL, HTML, ANYWHERE, BAD,
      "status 401: access is refused; a directory must be open to everybody" },
    { 403, DIRECTORY, ONE, ANYWHERE, BAD,
      "status 403: access is refused; a directory must be open to everybody" },
    { 404, "text/html", HTML, ANYWHERE, BAD,
      "status 404: there is nothing at this URL" },
    { 406, NULL, NULL, ANYWHERE, BAD,
      "status 406: the server has it in no type that was asked for" },
    { 410, NULL, NULL, ANYWHERE, BAD,
      "status 410: there is nothing at this URL" },
    { 429, NULL, NULL, ANYWHERE, BAD,
      "status 429: the server wants to be asked less often" },
    { 500, NULL, NULL, ANYWHERE, BAD,
      "status 500: the server has a failure" },
    { 503, DIRECTORY, ONE, ANYWHERE, BAD,
      "status 503: the server has a failure" },
    { 301, NULL, NULL, ANYWHERE, BAD,
      "status 301: redirects are not followed, configure the final URL; it "
      "names no Location" },
};

static void
test_answers(void **state)
{
    wba_status_t status;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        const case_t *c = &cases[i];

        begin(c->status, c->type, c->body);
        options.jwks.well_known = c->where == WELL_KNOWN;
        status = read_it();
        if (status != c->want
            || (c->error != NULL && strcmp(answer.error, c->error) != 0))
        {
            fail_msg("case %zu, status %d: got %d\n%s", i, c->status,
                     (int) status, answer.error);
        }
        assert_false(answer.unchanged);
        drop();
    }
}

static void
test_bounds(void **state)
{
    (void) state;
    begin(200, DIRECTORY, THREE);
    options.jwks.max_size = strlen(THREE) - 1;
    assert_int_equal(read_it(), WBA_TOO_LARGE);
    assert_string_equal(answer.error, "longer than is allowed");
    options.jwks.max_size = 0;
    options.jwks.max_keys = 2;
    assert_int_equal(read_it(), WBA_TOO_LARGE);
    assert_string_equal(answer.error, "more keys than are allowed");
}

/* --- failures of the fetch */

static void
test_failed_fetches(void **state)
{
    static const struct {
        wba_fetch_error_t error;
        wba_status_t want;
    } errors[] = {
        { WBA_FETCH_RESOLVE, WBA_INVALID },
        { WBA_FETCH_TIMEOUT, WBA_INVALID },
        { WBA_FETCH_TLS, WBA_INVALID },
        { WBA_FETCH_TOO_LARGE, WBA_TOO_LARGE },
        { WBA_FETCH_MEMORY, WBA_NO_MEMORY },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(errors); i++) {
        begin(0, NULL, NULL);
        result.error = errors[i].error;
        strcpy(result.reason, "it did not work \x1b[1m");
        assert_int_equal(read_it(), errors[i].want);
        assert_string_equal(answer.error, "it did not work ?[1m");
        assert_int_equal(answer.freshness.retry_after, -1);
    }

    begin(200, DIRECTORY, ONE); /* began well, and broke */
    options.conditional = true;
    result.error = WBA_FETCH_CLOSED;
    add("Retry-After", "7");
    assert_int_equal(read_it(), WBA_INVALID);
    assert_string_equal(answer.error, "it cannot be read");
    assert_int_equal(answer.freshness.retry_after, 7);
    result.status = 304;
    assert_int_equal(read_it(), WBA_INVALID);
    assert_false(answer.unchanged);
}

/* --- header lines */

static void
test_freshness(void **state)
{
    static const int statuses[] = { 200, 304, 404, 503 };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(statuses); i++) {
        begin(statuses[i], DIRECTORY, ONE);
        options.conditional = true;
        add("cache-control", "max-age=77");
        add("Age", "7");
        add("RETRY-AFTER", "120");
        read_it();
        assert_int_equal(answer.freshness.max_age, 77);
        assert_int_equal(answer.freshness.age, 7);
        assert_int_equal(answer.freshness.retry_after, 120);
        drop();
    }
    begin(200, DIRECTORY, ONE);
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.freshness.max_age, -1);
    drop();
}

#define LONG_ETAG                                                          \
    "\"0123456789012345678901234567890123456789012345678901234567890123"   \
    "4567890123456789012345678901234567890123456789012345678901234\""
#define DATE "Tue, 14 Nov 2023 22:13:20 GMT"

static void
test_validators(void **state)
{
    static const struct {
        const char *etag, *kept;
    } etags[] = {
        { "\"v1\"", "\"v1\"" },
        { "W/\"v1\"", "W/\"v1\"" },
        { "unquoted", "unquoted" },
        { "\"\xc3\xa4\"", "\"\xc3\xa4\"" },
        { LONG_ETAG, LONG_ETAG },
        { LONG_ETAG "x", "" },
        { "", "" },
        { "a\tb", "" },
        { "a\x1b", "" },
        { "a\rb", "" },
        { "a\x7f", "" },
    };
    size_t i;

    (void) state;
    assert_int_equal(strlen(LONG_ETAG), WBA_MAX_VALIDATOR - 1);
    for (i = 0; i < 2 * COUNT(etags); i++) {
        begin(i % 2 ? 304 : 200, DIRECTORY, ONE);
        options.conditional = true;
        add(i % 2 ? "etag" : "ETag", etags[i / 2].etag);
        add("Last-Modified", i % 2 ? etags[i / 2].etag : DATE);
        assert_int_equal(read_it(), WBA_OK);
        assert_int_equal(answer.unchanged, i % 2);
        assert_string_equal(answer.etag, etags[i / 2].kept);
        assert_string_equal(answer.last_modified,
                            i % 2 ? etags[i / 2].kept : DATE);
        drop();
    }

    begin(200, DIRECTORY, ONE); /* a NUL cannot be sent back either */
    add_bytes("ETag", "a\0b", 3);
    assert_int_equal(read_it(), WBA_OK);
    assert_string_equal(answer.etag, "");
    drop();

    begin(200, DIRECTORY, HTML); /* what is not kept is not asked for again */
    add("ETag", "\"v1\"");
    add("Last-Modified", DATE);
    assert_int_equal(read_it(), WBA_INVALID);
    assert_string_equal(answer.etag, "");
    assert_string_equal(answer.last_modified, "");
}

static void
test_unchanged(void **state)
{
    (void) state;
    begin(304, NULL, NULL);
    options.conditional = true;
    options.proof_required = true; /* had been asked of what is held */
    assert_int_equal(read_it(), WBA_OK);
    assert_true(answer.unchanged);
    assert_string_equal(answer.etag, "");
    assert_int_equal(answer.proof.state, WBA_PROOF_ABSENT);
    assert_int_equal(notes, 0);

    begin(200, DIRECTORY, ONE); /* changed after all */
    options.conditional = true;
    assert_int_equal(read_it(), WBA_OK);
    assert_false(answer.unchanged);
    drop();
}

static void
test_entries(void **state)
{
    (void) state;
    begin(200, TYPE_JSON,
          "{\"keys\":[" OKP(ALICE_X) ",{\"kty\":\"oct\"},17,"
          OKP(ALICE_X) "," OKP(BOB_X) "]}");
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(notes, 5);
    assert_int_equal(answer.skipped, 3);
    assert_int_equal(wba_keyset_count(answer.set), 2);
    drop();

    assert_int_equal(wba_directory_read(&result, &options, NULL, NULL,
                                        &answer),
                     WBA_OK);
    assert_int_equal(answer.skipped, 3);
    drop();

    begin(200, TYPE_JSON, OKP(ALICE_X));
    options.jwks.bare_jwk = true;
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.skipped, 0);
    drop();
}

/* --- redirects that are not followed */

static void
test_redirects_are_named(void **state)
{
    static const char text[] = "status 30x: redirects are not followed, "
                               "configure the final URL; it ";
    static const struct {
        const char *location, *said;
    } locations[] = {
        { "https://www.directory.example/keys",
          "leads to \"https://www.directory.example/keys\"" },
        { "/other", "leads to \"/other\"" },
        { "https://a/b?token=secret",
          "leads to \"https://a/b\" and a query" },
        { "https://a/b#part", "leads to \"https://a/b\" and a query" },
        { "", "names no Location" },
        { "https://a/\"\\\x1b[2J\x7f\xff",
          "leads to \"https://a/\\x22\\x5c\\x1b[2J\\x7f\\xff\"" },
    };
    static const int statuses[] = { 301, 302, 303, 307, 308 };
    char want[300], location[1000];
    size_t i, j;

    (void) state;
    for (i = 0; i < COUNT(statuses); i++) {
        for (j = 0; j < COUNT(locations); j++) {
            begin(statuses[i], "text/html", HTML);
            add("Location", locations[j].location);
            assert_int_equal(read_it(), WBA_INVALID);
            sprintf(want, "%s%s", text, locations[j].said);
            want[9] = (char) ('0' + statuses[i] % 10);
            assert_string_equal(answer.error, want);
        }
    }

    /* of any length and any bytes, it ends in time */
    memset(location, 'a', sizeof(location));
    location[900] = '?';
    location[901] = '\0';
    begin(301, NULL, NULL);
    add("Location", location);
    assert_int_equal(read_it(), WBA_INVALID);
    assert_non_null(strstr(answer.error, "aaa...\" and a query"));
    memset(location, '\xfe', 900);
    begin(301, NULL, NULL);
    add("Location", location);
    assert_int_equal(read_it(), WBA_INVALID);
    assert_non_null(strstr(answer.error, "\\xfe\\xfe...\" and a query"));
}

static const struct {
    int status;
    const char *url, *location;
    bool allowed;
} hops[] = {
    { 301, "https://a.example/k", "https://www.a.example/k", true },
    { 302, "https://a.example/k", "https://www.a.example/k", true },
    { 307, "https://www.a.example/k", "https://a.example/k", true },
    { 308, "https://www.a.example/k", "https://a.example/k", true },
    { 303, "https://a.example/k", "https://www.a.example/k", false },
    { 300, "https://a.example/k", "https://www.a.example/k", false },
    { 304, "https://a.example/k", "https://www.a.example/k", false },
    { 200, "https://a.example/k", "https://www.a.example/k", false },
    { 201, "https://a.example/k", "https://www.a.example/k", false },

    /* the host: case does not count */
    { 301, "https://a.example/k", "HTTPS://WWW.A.Example/k", true },
    { 301, "https://A.Example/k", "https://www.a.example/k", true },
    { 301, "https://WWW.a.example/k", "https://a.example/k", true },
    { 301, "https://b.a.example/k", "https://www.b.a.example/k", true },
    { 301, "https://a.example./k", "https://www.a.example./k", true },
    { 301, "https://a.example/k", "https://www.a.example./k", false },
    { 301, "https://a.example/k", "https://a.example/k", false },
    { 301, "https://a.example/k", "https://b.example/k", false },
    { 301, "https://a.example/k", "https://www.b.example/k", false },
    { 301, "https://a.example/k", "https://wwwa.example/k", false },
    { 301, "https://a.example/k", "https://ww.a.example/k", false },
    { 301, "https://a.example/k", "https://www.a.example.evil/k", false },
    { 301, "https://a.example/k", "https://www.www.a.example/k", false },
    { 301, "https://www.a.example/k", "https://www.www.a.example/k", false },
    { 301, "https://www.www.a.example/k", "https://www.a.example/k", false },
    { 301, "https://www.a.example/k", "https://www.a.example/k", false },
    { 301, "https://www/k", "https://www.www/k", true }, /* a host "www" */
    { 301, "https://www./k", "https://www.www./k", false },
    { 301, "https://./k", "https://www../k", false },
    { 301, "https://a../k", "https://www.a../k", false },
    { 301, "https://a.-b/k", "https://www.a.-b/k", true },
    { 301, "https://www.a/k", "https://a/k", true },
    { 301, "https://www.com.evil/k", "https://com.evil/k", true },
    { 301, "https://%77ww.a.example/k", "https://a.example/k", false },
    { 301, "https://a%2eb/k", "https://www.a%2eb/k", false },

    /* no addresses */
    { 301, "https://192.0.2.1/k", "https://www.192.0.2.1/k", false },
    { 301, "https://www.192.0.2.1/k", "https://192.0.2.1/k", false },
    { 301, "https://www.192.0.2.1./k", "https://192.0.2.1./k", false },
    { 301, "https://www.2130706433/k", "https://2130706433/k", false },
    { 301, "https://www.0x7f000001/k", "https://0x7f000001/k", false },
    { 301, "https://[::1]/k", "https://www.[::1]/k", false },
    { 301, "https://[::1]/k", "https://[::1]/k", false },
    { 301, "https://www.1.example/k", "https://1.example/k", true },

    /* scheme, user information, fragment */
    { 301, "https://a.example/k", "http://www.a.example/k", false },
    { 301, "http://a.example/k", "https://www.a.example/k", false },
    { 301, "http://a.example/k", "http://www.a.example/k", false },
    { 301, "https://a.example/k", "https://u@www.a.example/k", false },
    { 301, "https://a.example/k", "https://@www.a.example/k", false },
    { 301, "https://u@a.example/k", "https://u@www.a.example/k", false },
    { 301, "https://a.example/k", "https://www.a.example/k#f", false },
    { 301, "https://a.example/k", "https://www.a.example/k#", false },

    /* the port: the default may be left out */
    { 301, "https://a.example/k", "https://www.a.example:443/k", true },
    { 301, "https://a.example:443/k", "https://www.a.example/k", true },
    { 301, "https://a.example/k", "https://www.a.example:/k", true },
    { 301, "https://a.example:8443/k", "https://www.a.example:8443/k", true },
    { 301, "https://a.example:8443/k", "https://www.a.example:08443/k", true },
    { 301, "https://a.example:8443/k", "https://www.a.example/k", false },
    { 301, "https://a.example/k", "https://www.a.example:8443/k", false },
    { 301, "https://a.example/k", "https://www.a.example:80/k", false },
    { 301, "https://a.example/k", "https://www.a.example:4430/k", false },

    /* path and query to the byte */
    { 301, "https://a.example/k?q=1", "https://www.a.example/k?q=1", true },
    { 301, "https://a.example", "https://www.a.example", true },
    { 301, "https://a.example/K", "https://www.a.example/k", false },
    { 301, "https://a.example/k", "https://www.a.example/k/", false },
    { 301, "https://a.example/", "https://www.a.example", false },
    { 301, "https://a.example/k", "https://www.a.example/%6b", false },
    { 301, "https://a.example/k", "https://www.a.example/x/../k", false },
    { 301, "https://a.example/k", "https://www.a.example//k", false },
    { 301, "https://a.example/k", "https://www.a.example/k?", false },
    { 301, "https://a.example/k?q", "https://www.a.example/k", false },
    { 301, "https://a.example/k?q", "https://www.a.example/k?Q", false },
    { 301, "https://a.example/k?q", "https://www.a.example/k?q&r", false },

    /* relative, or no URL */
    { 301, "https://a.example/k", "//www.a.example/k", false },
    { 301, "https://a.example/k", "/k", false },
    { 301, "https://a.example/k", "", false },
    { 301, "https://a.example/k", "https:www.a.example/k", false },
    { 301, "https://a.example/k", "https://www.a.example\\/k", false },
    { 301, "https://a.example/k", "https://www.a.example/k x", false },
    { 301, "https://a.example/k", "https://www.a.example/k\x01", false },
    { 301, "https://a.example/k", "https://www.a.example:999999/k", false },
    { 301, "a.example/k", "https://www.a.example/k", false },
};

static void
test_www(void **state)
{
    char to[100];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(hops); i++) {
        begin(hops[i].status, NULL, NULL);
        add("location", hops[i].location);
        memset(to, 'x', sizeof(to));
        if (wba_directory_redirects(&result, hops[i].url, to, sizeof(to))
                != hops[i].allowed
            || (hops[i].allowed && strcmp(to, hops[i].location) != 0))
        {
            fail_msg("%d from %s to %s", hops[i].status, hops[i].url,
                     hops[i].location);
        }
    }
}

static void
test_www_edges(void **state)
{
    static const char from[] = "https://a.example/k";
    static const char location[] = "https://www.a.example/k";
    char *to = malloc(sizeof(location));

    (void) state;
    assert_non_null(to);
    begin(301, NULL, NULL); /* no Location */
    assert_false(wba_directory_redirects(&result, from, to, 24));
    add("Location", location);
    assert_true(wba_directory_redirects(&result, from, to, sizeof(location)));
    assert_false(wba_directory_redirects(&result, from, to,
                                         sizeof(location) - 1));
    assert_false(wba_directory_redirects(&result, from, to, 0));
    result.error = WBA_FETCH_CLOSED;
    assert_false(wba_directory_redirects(&result, from, to,
                                         sizeof(location)));
    result.error = WBA_FETCH_OK;
    add("Location", location); /* two are none */
    assert_false(wba_directory_redirects(&result, from, to,
                                         sizeof(location)));
    begin(301, NULL, NULL);
    add_bytes("Location", "https://www.a.example/k\0", 24);
    assert_false(wba_directory_redirects(&result, from, to,
                                         sizeof(location) + 1));
    free(to);
}

/* --- possession proof */

static void
digest_line(const char *body, char out[80])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[64];

    crypto_hash_sha256(hash, (const unsigned char *) body, strlen(body));
    sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    sprintf(out, "sha-256=:%s:", text);
}

/* Adds the signature of the key of that seed, as drafts want it. */
static void
sign(unsigned seed_byte, const char *authority)
{
    unsigned char seed[32], pub[32], secret[64], signature[64];
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    char keyid[WBA_THUMBPRINT_TEXT_SIZE + 1] = "";
    char digest[80], params[300], base[700], text[100], value[400];

    memset(seed, (int) seed_byte, sizeof(seed));
    crypto_sign_seed_keypair(pub, secret, seed);
    wba_jwk_thumbprint_ed25519(pub, thumbprint);
    wba_thumbprint_text(thumbprint, (uint8_t *) keyid);
    digest_line((const char *) result.body.data, digest);
    sprintf(params,
            "(\"@authority\";req \"content-digest\");created=%d;expires=%d"
            ";keyid=\"%s\";tag=\"" WBA_PROOF_TAG "\"",
            NOW - 10, NOW + 60, keyid);
    sprintf(base,
            "\"@authority\";req: %s\n\"content-digest\": %s\n"
            "\"@signature-params\": %s",
            authority, digest, params);
    crypto_sign_detached(signature, NULL, (const unsigned char *) base,
                         strlen(base), secret);
    sodium_bin2base64(text, sizeof(text), signature, sizeof(signature),
                      sodium_base64_VARIANT_ORIGINAL);
    sprintf(value, "s%u=%s", seed_byte, params);
    add("Signature-Input", value);
    sprintf(value, "s%u=:%s:", seed_byte, text);
    add("SIGNATURE", value);
}

/* An answer with these keys, its digest, and proofs by those seeds. */
static void
begin_proven(const char *body, const char *authority, const char *signers)
{
    char digest[80];

    begin(200, DIRECTORY, body);
    digest_line(body, digest);
    add("Content-Digest", digest);
    for (; *signers != '\0'; signers++) {
        sign((unsigned) (*signers - '0'), authority);
    }
}

static void
test_proof_is_told(void **state)
{
    (void) state;
    begin_proven(THREE, "directory.example", "13");
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.proof.state, WBA_PROOF_GOOD);
    assert_int_equal(answer.proof.proven, 2);
    assert_string_equal(answer.proof.text, "");
    assert_int_equal(wba_keyset_count(answer.set), 3);
    assert_int_equal(answer.skipped, 0);
    drop();

    begin_proven(THREE, "elsewhere.example", "1");
    assert_int_equal(read_it(), WBA_OK); /* disables nothing */
    assert_int_equal(answer.proof.state, WBA_PROOF_BAD);
    assert_true(answer.proof.text[0] != '\0');
    assert_int_equal(wba_keyset_count(answer.set), 3);
    drop();

    begin(200, DIRECTORY, THREE);
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.proof.state, WBA_PROOF_ABSENT);
    drop();
}

static void
test_proof_authority(void **state)
{
    static const struct {
        const char *url, *authority;
        wba_proof_state_t state;
    } cases_of[] = {
        { "https://directory.example/k", "directory.example",
          WBA_PROOF_GOOD },
        { "HTTPS://Directory.EXAMPLE:443/k?x", "directory.example",
          WBA_PROOF_GOOD },
        { "https://directory.example:8443/k", "directory.example:8443",
          WBA_PROOF_GOOD },
        { "https://directory.example:8443/k", "directory.example",
          WBA_PROOF_BAD },
        { "https://[::1]/k", "[::1]", WBA_PROOF_GOOD },
        { "https://www.directory.example/k", "directory.example",
          WBA_PROOF_BAD },
        { "no url", "", WBA_PROOF_BAD },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases_of); i++) {
        begin_proven(ONE, cases_of[i].authority, "1");
        options.url = cases_of[i].url;
        assert_int_equal(read_it(), WBA_OK);
        if (answer.proof.state != cases_of[i].state) {
            fail_msg("%s: %s", cases_of[i].url, answer.proof.text);
        }
        drop();
    }
}

static void
test_proof_required(void **state)
{
    static const uint8_t none[WBA_THUMBPRINT_SIZE];
    wba_key_t key;

    (void) state;
    begin_proven(THREE, "directory.example", "2");
    add("ETag", "\"v1\"");
    options.proof_required = true;
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.proof.state, WBA_PROOF_GOOD);
    assert_int_equal(wba_keyset_check(answer.set), WBA_OK);
    assert_int_equal(wba_keyset_count(answer.set), 1);
    assert_int_equal(answer.skipped, 2);
    assert_string_equal(answer.etag, "\"v1\"");
    wba_keyset_key(answer.set, 0, &key);
    assert_memory_not_equal(key.thumbprint, none, sizeof(none));
    assert_int_equal(key.pub.data[0], 0x81); /* bob's */
    assert_int_equal(notes, 3);
    drop();

    begin_proven(THREE, "directory.example", "123");
    options.proof_required = true;
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(wba_keyset_count(answer.set), 3);
    assert_int_equal(answer.skipped, 0);
    drop();

    begin(200, DIRECTORY, EMPTY); /* nobody can prove it, and it must revoke */
    options.proof_required = true;
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(wba_keyset_count(answer.set), 0);
    drop();
}

static void
test_proof_required_and_missing(void **state)
{
    (void) state;
    begin(200, DIRECTORY, ONE);
    add("ETag", "\"v1\"");
    add("Cache-Control", "max-age=9");
    options.proof_required = true;
    assert_int_equal(read_it(), WBA_INVALID);
    assert_string_equal(answer.error,
                        "no key has proven possession: the answer has no "
                        "signature of tag " WBA_PROOF_TAG);
    assert_string_equal(answer.etag, "");
    assert_int_equal(answer.freshness.max_age, 9);

    begin_proven(ONE, "elsewhere.example", "1");
    options.proof_required = true;
    assert_int_equal(read_it(), WBA_INVALID);
    assert_string_equal(answer.error,
                        "no key has proven possession: it does not verify "
                        "with the key that keyid names");

    begin_proven(ONE, "directory.example", "1");
    options.proof_required = true;
    result.decoded = true;
    assert_int_equal(read_it(), WBA_INVALID);
    assert_non_null(strstr(answer.error, "content coding"));
    assert_int_equal(answer.proof.state, WBA_PROOF_BAD);
    assert_int_equal(answer.proof.proven, 0);
}

/* As many and as long signatures as an answer's header can hold are judged
 * within the memory there is.  Each repeats the long field in its base. */
static void
test_large_proofs(void **state)
{
    static char value[30000];
    char zeros[89];
    size_t at = 0;
    unsigned i;

    (void) state;
    memset(zeros, 'A', 88);
    strcpy(zeros + 86, "==");
    begin_proven(ONE, "directory.example", "1"); /* the first of eight */
    memset(value, 'v', 13000);
    value[13000] = '\0';
    add("X-Long", value);
    add("X-Long", value);
    for (i = 0; i < 7; i++) {
        at += (size_t) sprintf(value + at,
                               "%sx%u=(\"@authority\";req \"content-digest\" "
                               "\"x-long\" \"x-long\";bs",
                               i ? ", " : "", i);
        at += (size_t) sprintf(value + at,
                               ");created=1;expires=%d;keyid=\"" ALICE
                               "\";tag=\"" WBA_PROOF_TAG "\"",
                               NOW + 60);
    }
    add("Signature-Input", value);
    for (i = 0, at = 0; i < 7; i++) {
        at += (size_t) sprintf(value + at, "%sx%u=:%s:", i ? ", " : "", i,
                               zeros);
    }
    add("Signature", value);
    assert_true(result.headers.len < WBA_MAX_FETCH_HEADERS);
    assert_int_equal(read_it(), WBA_OK);
    assert_int_equal(answer.proof.state, WBA_PROOF_GOOD);
    drop();
}

/* --- memory */

static wba_status_t
read_within(int allocations)
{
    wba_status_t status;

    memory_left = allocations;
    status = read_it();
    memory_left = -1;
    return status;
}

/* Whichever allocation fails, nothing is held and it is told.  (jansson's are
 * test_jwks.c's.) */
static void
test_memory(void **state)
{
    wba_status_t status = WBA_NO_MEMORY;
    int n;

    (void) state;
    begin_proven(THREE, "directory.example", "2");
    options.proof_required = true;
    for (n = 0; n < 1000 && status != WBA_OK; n++) {
        status = read_within(n);
        if (status == WBA_NO_MEMORY) {
            assert_string_equal(answer.error, "out of memory");
        } else {
            assert_int_equal(status, WBA_OK);
        }
    }
    assert_in_range(n, 10, 999);
    assert_int_equal(wba_keyset_count(answer.set), 1);
    drop();
}

/* --- strangers' bytes */

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525U + 1013904223U;
    return *seed >> 16;
}

/* read_it() looks at what is said. */
static void
test_any_bytes(void **state)
{
    static const int statuses[] = { 200, 301, 304, 404, 999 };
    static const char *const names[] = { "Content-Type", "Location", "ETag",
                                         "Signature-Input", "Signature",
                                         "Cache-Control", "Retry-After" };
    uint32_t seed = 1;
    char value[300], to[400], body[100];
    size_t i, j, k;

    (void) state;
    for (i = 0; i < 3000; i++) {
        begin(statuses[next_random(&seed) % COUNT(statuses)], NULL, NULL);
        options.jwks.well_known = next_random(&seed) % 2;
        options.proof_required = next_random(&seed) % 2;
        options.conditional = next_random(&seed) % 2;
        if (next_random(&seed) % 2) {
            add("Content-Type", DIRECTORY);
            result.body = WBA_STR(ONE);
        } else {
            for (j = 0; j < sizeof(body); j++) {
                body[j] = (char) next_random(&seed);
            }
            result.body = wba_str(body, sizeof(body));
        }
        for (j = 0; j < COUNT(names); j++) {
            size_t len = next_random(&seed) % sizeof(value);

            for (k = 0; k < len; k++) {
                value[k] = (char) next_random(&seed);
                if (value[k] == '\n') {
                    value[k] = 'n';
                }
            }
            add_bytes(names[j], value, len);
        }
        read_it();
        drop();
        assert_false(wba_directory_redirects(&result, URL, to, sizeof(to)));
    }
}

static int
prepare(void **state)
{
    (void) state;
    return sodium_init() < 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_failed_fetches),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_validators),
        cmocka_unit_test(test_unchanged),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_redirects_are_named),
        cmocka_unit_test(test_www),
        cmocka_unit_test(test_www_edges),
        cmocka_unit_test(test_proof_is_told),
        cmocka_unit_test(test_proof_authority),
        cmocka_unit_test(test_proof_required),
        cmocka_unit_test(test_proof_required_and_missing),
        cmocka_unit_test(test_large_proofs),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_any_bytes),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
