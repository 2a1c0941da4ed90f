/* SPDX-License-Identifier: BSD-2-Clause */
/* core/jwks: sets, what becomes of each entry, and every bound. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "jwks.h"
#include "keys.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define OKP "'kty':'OKP','crv':'Ed25519','x':"
#define A "{" OKP "'" RFC8037_X "'}"
#define A_KID(kid) "{" OKP "'" RFC8037_X "','kid':'" kid "'}"
#define X_B "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define X_C "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B "{" OKP "'" X_B "'}"
#define B_KID(kid) "{" OKP "'" X_B "','kid':'" kid "'}"
#define C_KID(kid) "{" OKP "'" X_C "','kid':'" kid "'}"
#define TEST_KEY "{" OKP "'" ED25519_X "'}"
#define EC                                                              \
    "{'kty':'EC','crv':'P-256','x':'gqWVcUg7l2nVFgoKn6mwkEcs2MaD6qDvjk1DUA" \
    "bk2Zk','y':'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}"
#define RSA "{'kty':'RSA','e':'AQAB','kid':'2011-04-29','n':'" RFC7638_N "'}"

typedef struct {
    char text[2000]; /* a line each: "index severity [name]" */
    char why[2000];  /* texts, a line each */
    size_t notes;
} log_t;

static log_t said;
static wba_keyset_t set;
static wba_jwks_summary_t summary;

static void
report(void *ctx, const wba_jwks_note_t *note)
{
    static const char *const names[] = { "taken", "warning", "skipped",
                                         "alert" };
    bool usable = note->severity <= WBA_JWKS_WARNING;
    log_t *log = ctx;

    assert_int_equal(note->index, log->notes);
    assert_int_equal(note->key != NULL, usable);
    assert_int_equal(note->text[0] == '\0', note->severity == WBA_JWKS_TAKEN);
    if (usable) {
        assert_ptr_equal(note->key->thumbprint, note->thumbprint);
    }
    if (strlen(log->text) < 1000) {
        strcat(log->text, names[note->severity]);
        strcat(log->text, " ");
    }
    if (strlen(log->why) < 1000) {
        strcat(log->why, note->text);
        strcat(log->why, "\n");
    }
    log->notes++;
}

static wba_status_t
parse_bytes(const void *data, size_t len, const wba_jwks_options_t *options)
{
    uint8_t *exact = malloc(len ? len : 1); /* ASan sees reads beyond */
    wba_status_t rc;

    memset(&said, 0, sizeof(said));
    memset(&set, 0xee, sizeof(set));
    memset(&summary, 0xee, sizeof(summary));
    if (len) {
        memcpy(exact, data, len);
    }
    rc = wba_jwks_parse(wba_str(exact, len), options, report, &said, &set,
                        &summary);
    free(exact);
    if (rc == WBA_OK) {
        assert_int_equal(wba_keyset_check(set), WBA_OK);
        assert_int_equal(wba_keyset_count(set), summary.usable);
        assert_string_equal(summary.error, "");
    } else {
        assert_null(set.data);
        assert_int_equal(set.size, 0);
        assert_string_not_equal(summary.error, "");
    }
    return rc;
}

/* ' stands for " */
static wba_status_t
parse_with(const char *text, const wba_jwks_options_t *options)
{
    char *copy = malloc(strlen(text) + 1);
    wba_status_t rc;
    char *p;

    strcpy(copy, text);
    for (p = copy; *p; p++) {
        *p = *p == '\'' ? '"' : *p;
    }
    rc = parse_bytes(copy, strlen(copy), options);
    free(copy);
    return rc;
}

static wba_status_t
parse(const char *text)
{
    static const wba_jwks_options_t none = { 0 };

    return parse_with(text, &none);
}

static void
drop(void)
{
    free((void *) set.data);
    set.data = NULL;
}

typedef struct {
    const char *json;
    wba_status_t status;
    const char *said;  /* severities in order */
    const char *about; /* a part of the texts, or of the document's error */
} row_t;

static void
check_rows(const row_t *rows, size_t n, const wba_jwks_options_t *options)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const row_t *row = &rows[i];
        wba_status_t rc = parse_with(row->json, options);
        const char *where = row->said[0] ? said.why : summary.error;

        if (rc != row->status || strcmp(said.text, row->said) != 0
            || strstr(where, row->about) == NULL) {
            fail_msg("%s: status %d: %s: %s %s", row->json, rc, said.text,
                     said.why, summary.error);
        }
        drop();
    }
}

static void
documents(void **state)
{
    static const row_t t[] = {
        { "{'keys':[]}", WBA_OK, "", "" },
        { "{'keys':[" A "]}", WBA_OK, "taken ", "" },
        { "\r\n\t {'keys':[" A "],'x':1} ", WBA_OK, "taken ", "" },
        { "", WBA_INVALID, "", "not JSON" },
        { " ", WBA_INVALID, "", "not JSON" },
        { "{", WBA_INVALID, "", "not JSON" },
        { "{'keys':[" A "]", WBA_INVALID, "", "not JSON" },
        { "{'keys':[" A "]}x", WBA_INVALID, "", "not JSON" },
        { "{'keys':[" A "]}{}", WBA_INVALID, "", "not JSON" },
        { "{'keys':[" A ",]}", WBA_INVALID, "", "not JSON" },
        { "<html>", WBA_INVALID, "", "not JSON" },
        { "\xef\xbb\xbf{'keys':[]}", WBA_INVALID, "", "not JSON" },
        { "{'keys':[],'a':'\xff'}", WBA_INVALID, "", "not JSON" },
        { "{'keys':[],'a':1e999}", WBA_INVALID, "", "not JSON" },
        { "[]", WBA_INVALID, "", "no array" },
        { "[" A "]", WBA_INVALID, "", "no array" },
        { "{}", WBA_INVALID, "", "no array" },
        { "{'keys':{}}", WBA_INVALID, "", "no array" },
        { "{'keys':null}", WBA_INVALID, "", "no array" },
        { "{'keys':'" RFC8037_X "'}", WBA_INVALID, "", "no array" },
        { "{'Keys':[" A "]}", WBA_INVALID, "", "no array" },
        { A, WBA_INVALID, "", "no array" },
        /* duplicate members, at each level */
        { "{'keys':[],'keys':[" A "]}", WBA_INVALID, "", "not JSON" },
        { "{'keys':[" A "],'a':1,'a':1}", WBA_INVALID, "", "not JSON" },
        { "{'keys':[{" OKP "'" RFC8037_X "','x':'" X_B "'}]}", WBA_INVALID, "",
          "not JSON" },
        { "{'keys':[{" OKP "'" RFC8037_X "','\\u0078':'" X_B "'}]}",
          WBA_INVALID, "", "not JSON" },
    };
    static const wba_jwks_options_t none = { 0 };

    (void) state;
    check_rows(t, COUNT(t), &none);
}

static void
entries(void **state)
{
    static const row_t t[] = {
        { "{'keys':[" A "," B "," EC "," RSA "]}", WBA_OK,
          "taken taken taken taken ", "" },
        { "{'keys':[{'kty':'oct'}," A "]}", WBA_OK, "skipped taken ", "kty" },
        { "{'keys':[1,null,[],'x',{}," A "]}", WBA_OK,
          "skipped skipped skipped skipped skipped taken ", "object" },
        { "{'keys':[{'kty':'oct'}]}", WBA_INVALID, "skipped ", "kty" },
        { "{'keys':[[],{}]}", WBA_INVALID, "skipped skipped ", "object" },
        { "{'keys':[{" OKP "'" RFC8037_X "','d':'AA'}," B "]}", WBA_OK,
          "alert taken ", "private" },
        /* its keys, that one included, are to be given up */
        { "{'keys':[{" OKP "'" RFC8037_X "','d':'AA'}]}", WBA_OK, "alert ",
          "private" },
        { "{'keys':[{'kty':'oct'},{" OKP "'" RFC8037_X "','d':'AA'}]}", WBA_OK,
          "skipped alert ", "private" },
        /* nobody can have held these */
        { "{'keys':[{" OKP "'" ED25519_X "','d':'AA'}]}", WBA_INVALID,
          "alert ", "private" },
        { "{'keys':[{" OKP "'AA','d':'AA'}]}", WBA_INVALID, "alert ",
          "private" },
        { "{'keys':[{'kty':'oct','k':'AA'}]}", WBA_INVALID, "alert ",
          "private" },
        { "{'keys':[" TEST_KEY "]}", WBA_INVALID, "alert ", "RFC 9421" },
        { "{'keys':[" TEST_KEY "," A "]}", WBA_OK, "alert taken ",
          "RFC 9421" },
        { "{'keys':[{'kty':'RSA','e':'AQAB','n':'" RSA_N "'},"
          "{'kty':'RSA','e':'AQAB','n':'" PSS_N "'},"
          "{'kty':'EC','crv':'P-256','x':'" P256_X "','y':'" P256_Y "'}]}",
          WBA_INVALID, "alert alert alert ", "RFC 9421" },
        { "{'keys':[" A_KID("one") "," B_KID("two") "]}", WBA_OK,
          "taken taken ", "" },
        { "{'keys':[" A_KID("one") "," B_KID("one") "," C_KID("one") "]}",
          WBA_OK, "taken warning warning ", "both are kept" },
        { "{'keys':[" A_KID("one") "," A_KID("two") "," B_KID("two") "]}",
          WBA_OK, "taken skipped taken ", "same key" },
        { "{'keys':[" A "," A "," A "]}", WBA_OK, "taken skipped skipped ",
          "same key" },
        { "{'keys':[{" OKP "'" RFC8037_X "','kid':5}]}", WBA_OK, "warning ",
          "no string" },
        { "{'keys':[" A_KID("") "]}", WBA_OK, "warning ", "empty" },
    };
    static const wba_jwks_options_t none = { 0 };

    (void) state;
    check_rows(t, COUNT(t), &none);
}

static void
options_change(void **state)
{
    static const wba_jwks_options_t test_keys = { .test_keys = true };
    static const wba_jwks_options_t well_known = { .well_known = true };
    static const wba_jwks_options_t bare = { .bare_jwk = true };
    static const wba_jwks_options_t pss = {
        .algorithms = WBA_ALG_RSA_PSS_SHA256 | WBA_ALG_RSA_PSS_SHA512
    };
    static const row_t of_pss[] = {
        { "{'keys':[" A "," RSA "," EC "]}", WBA_OK,
          "skipped taken skipped ", WBA_JWKS_OTHER_ALGORITHM },
        { "{'keys':[" A "]}", WBA_INVALID, "skipped ",
          WBA_JWKS_OTHER_ALGORITHM },
    };
    static const row_t with_test_keys[] = {
        { "{'keys':[" TEST_KEY "]}", WBA_OK, "taken ", "" },
        { "{'keys':[{" OKP "'" ED25519_X "','d':'AA'}]}", WBA_OK,
          "alert ", "private" },
    };
    static const row_t at_well_known[] = {
        { "{'keys':[" A_KID(RFC8037_THUMBPRINT) "]}", WBA_OK, "taken ", "" },
        { "{'keys':[" A "]}", WBA_OK, "taken ", "" },
        { "{'keys':[" A_KID("one") "," B_KID("one") "]}", WBA_OK,
          "warning warning ", "not the key's thumbprint" },
        { "{'keys':[" B_KID(RFC8037_THUMBPRINT) "]}", WBA_OK, "warning ",
          "not the key's thumbprint" },
    };
    static const row_t as_bare[] = {
        { A, WBA_OK, "taken ", "" },
        { "{'keys':[" A "]}", WBA_OK, "taken ", "" },
        { "{'kty':'oct'}", WBA_INVALID, "skipped ", "kty" },
        { "{'x':1}", WBA_INVALID, "", "no array" },
        { "[" A "]", WBA_INVALID, "", "no array" },
        { "{'kty':'OKP','crv':'Ed25519','x':'" RFC8037_X "','keys':1}",
          WBA_INVALID, "", "no array" },
        { "{'kty':'OKP','crv':'Ed25519','x':'" RFC8037_X "','keys':[]}",
          WBA_OK, "", "" },
    };

    (void) state;
    check_rows(with_test_keys, COUNT(with_test_keys), &test_keys);
    check_rows(at_well_known, COUNT(at_well_known), &well_known);
    check_rows(as_bare, COUNT(as_bare), &bare);
    check_rows(of_pss, COUNT(of_pss), &pss);
}

static void
what_is_kept(void **state)
{
    static const wba_jwks_options_t well_known = { .well_known = true };
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_key_t key;

    (void) state;
    /* The first of two entries with one key; nbf and exp untouched. */
    assert_int_equal(parse("{'keys':[{" OKP "'" RFC8037_X
                           "','kid':'one','nbf':5,'exp':1735689600000},"
                           A_KID("two") "]}"),
                     WBA_OK);
    assert_int_equal(summary.entries, 2);
    assert_int_equal(summary.usable, 1);
    wba_keyset_key(set, 0, &key);
    assert_true(wba_str_eq(key.kid, WBA_STR("one")));
    assert_int_equal(key.nbf, 5);
    assert_int_equal(key.exp, 1735689600);
    drop();

    /* Both of two keys with one kid, in the document's order. */
    assert_int_equal(parse("{'keys':[" B_KID("k") ",3," A_KID("k") "]}"),
                     WBA_OK);
    assert_int_equal(summary.entries, 3);
    assert_int_equal(summary.usable, 2);
    wba_keyset_key(set, 0, &key);
    assert_true(wba_str_eq(key.kid, WBA_STR("k")));
    assert_int_equal(key.pub.data[0], 1);
    wba_keyset_key(set, 1, &key);
    assert_true(wba_str_eq(key.kid, WBA_STR("k")));
    assert_int_equal(key.pub.data[0], 0xd7);
    wba_thumbprint_text(key.thumbprint, text);
    assert_memory_equal(text, RFC8037_THUMBPRINT, sizeof(text));
    drop();

    /* A kid that the well-known path does not allow is gone. */
    assert_int_equal(parse_with("{'keys':[" A_KID("one") "]}", &well_known),
                     WBA_OK);
    wba_keyset_key(set, 0, &key);
    assert_int_equal(key.kid.len, 0);
    drop();
}

/* [[[...]]] of a depth, around or beside "keys". */
static wba_status_t
parse_depth(size_t depth, const char *inside)
{
    char json[2000];
    size_t len;
    size_t i;

    (void) snprintf(json, sizeof(json), "{\"keys\":[],\"a\":");
    len = strlen(json);
    for (i = 0; i < depth; i++) {
        json[len++] = '[';
    }
    strcpy(json + len, inside);
    len += strlen(inside);
    for (i = 0; i < depth; i++) {
        json[len++] = ']';
    }
    strcpy(json + len, "}");
    return parse(json);
}

static void
depth(void **state)
{
    (void) state;
    assert_int_equal(parse_depth(WBA_MAX_JSON_DEPTH - 1, ""), WBA_OK);
    drop();
    assert_int_equal(parse_depth(WBA_MAX_JSON_DEPTH, ""), WBA_TOO_LARGE);
    assert_int_equal(parse_depth(500, ""), WBA_TOO_LARGE);
    /* Brackets in strings do not count; escapes do not end a string. */
    assert_int_equal(parse_depth(1, "'[[[[[[[[[[[[[[[[[[[[{{{{'"), WBA_OK);
    drop();
    assert_int_equal(parse_depth(1, "'\\\\\\'[[[[[[[[[[[[[[[[[[[['"), WBA_OK);
    drop();
    assert_int_equal(parse_depth(1, "'\\\\',[[[[[[[[[[[[[[[[[[[["),
                     WBA_TOO_LARGE);
    /* Closing ones that nobody opened do not buy depth. */
    assert_int_equal(parse("]]]]]]]]]]]]]]]]]]]]]]]]]]]"), WBA_INVALID);
    assert_int_equal(parse("'\\"), WBA_INVALID);
}

/* n distinct keys; extra is put into each entry. */
static char *
big(size_t n, const char *extra)
{
    char *json = malloc(n * (110 + strlen(extra)) + 100);
    uint8_t x[32] = { 0 };
    char text[50];
    size_t len = (size_t) sprintf(json, "{\"keys\":[");
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t number = (uint32_t) i + 1;

        memcpy(x, &number, sizeof(number));
        sodium_bin2base64(text, sizeof(text), x, sizeof(x),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        len += (size_t) sprintf(json + len,
                                "%s{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
                                "\"x\":\"%s\"%s}",
                                i ? "," : "", text, extra);
    }
    strcpy(json + len, "]}");
    return json;
}

static void
bounds(void **state)
{
    static const wba_jwks_options_t two = { .max_keys = 2 };
    wba_jwks_options_t size = { 0 };
    const char *text = "{\"keys\":[]}";

    (void) state;
    assert_int_equal(parse_with("{'keys':[" A "," B "]}", &two), WBA_OK);
    drop();
    assert_int_equal(parse_with("{'keys':[1,2," A "]}", &two), WBA_TOO_LARGE);
    assert_int_equal(summary.entries, 3);
    assert_int_equal(said.notes, 0);

    size.max_size = strlen(text);
    assert_int_equal(parse_with(text, &size), WBA_OK);
    drop();
    size.max_size--;
    assert_int_equal(parse_with(text, &size), WBA_TOO_LARGE);
}

static void
default_bounds(void **state)
{
    static const wba_jwks_options_t none = { 0 };
    char *json = malloc(WBA_MAX_JWKS + 2);
    size_t len;
    size_t i;

    (void) state;
    memset(json, ' ', WBA_MAX_JWKS + 1);
    memcpy(json, "{\"keys\":[]}", 11);
    assert_int_equal(parse_bytes(json, WBA_MAX_JWKS, &none), WBA_OK);
    drop();
    assert_int_equal(parse_bytes(json, WBA_MAX_JWKS + 1, &none),
                     WBA_TOO_LARGE);
    len = (size_t) sprintf(json, "{\"keys\":[0");
    for (i = 0; i < WBA_MAX_KEYS; i++) {
        memcpy(json + len, ",0", 2);
        len += 2;
    }
    memcpy(json + len, "]}", 2);
    assert_int_equal(parse_bytes(json, len + 2, &none), WBA_TOO_LARGE);
    free(json);
}

/* A hostile set: one kid for all keys. A build that compared each with each
 * would take minutes. */
static void
one_kid_for_all(void **state)
{
    static const wba_jwks_options_t none = { 0 };
    enum { N = 50000 };
    char *json = big(N, ",\"kid\":\"same\"");

    (void) state;
    assert_int_equal(parse_bytes(json, strlen(json), &none), WBA_OK);
    assert_int_equal(summary.usable, N);
    assert_int_equal(said.notes, N);
    drop();
    free(json);
}

static void
long_kid(void **state)
{
    char *kid = malloc(WBA_MAX_KID + 20);
    wba_key_t key;
    char *json;

    (void) state;
    strcpy(kid, ",\"kid\":\"");
    memset(kid + 8, 'k', WBA_MAX_KID + 1);
    strcpy(kid + 8 + WBA_MAX_KID + 1, "\"");
    json = big(2, kid);
    assert_int_equal(parse(json), WBA_OK);
    assert_string_equal(said.text, "warning warning ");
    assert_non_null(strstr(said.why, "too long"));
    wba_keyset_key(set, 1, &key);
    assert_int_equal(key.kid.len, 0);
    drop();
    free(json);
    free(kid);
}

/* What jansson quotes of the document reaches a log: nothing but ASCII. */
static void
error_text(void **state)
{
    static const wba_jwks_options_t none = { 0 };
    static const char text[] = "{\"keys\": \x1b[31m\n\x80\xff evil";
    const char *p;

    (void) state;
    assert_int_equal(parse_bytes(text, sizeof(text) - 1, &none), WBA_INVALID);
    for (p = summary.error; *p; p++) {
        assert_in_range(*p, 0x20, 0x7e);
    }
    assert_non_null(strstr(summary.error, "line 1"));
}

static void
no_report(void **state)
{
    static const wba_jwks_options_t none = { 0 };

    (void) state;
    assert_int_equal(
        wba_jwks_parse(WBA_STR_NONE, &none, NULL, NULL, &set, &summary),
        WBA_INVALID);
    assert_int_equal(wba_jwks_parse(WBA_STR("{\"keys\":[1]}"), &none, NULL,
                                    NULL, &set, &summary),
                     WBA_INVALID);
    assert_string_equal(summary.error, "no entry is usable");
}

/* Every prefix of a document and every byte of it changed: no crash. */
static void
mutations(void **state)
{
    static const wba_jwks_options_t bare = { .bare_jwk = true,
                                             .test_keys = true };
    char text[] = "{'keys':[{" OKP "'" ED25519_X
                  "','kid':'one','nbf':1735689600.0,'alg':'EdDSA','use':'sig',"
                  "'key_ops':['verify']}]}";
    size_t len = sizeof(text) - 1;
    size_t i;
    unsigned v;

    (void) state;
    for (i = 0; i < len; i++) {
        text[i] = text[i] == '\'' ? '"' : text[i];
    }
    for (i = 0; i < len; i++) {
        assert_int_equal(parse_bytes(text, i, &bare), WBA_INVALID);
    }
    for (i = 0; i < len; i++) {
        char old = text[i];

        for (v = 0; v < 256; v += 3) {
            text[i] = (char) v;
            (void) parse_bytes(text, len, &bare);
            drop();
        }
        text[i] = old;
    }
}

static size_t budget;

/* Fails once, after so many that succeed. */
static void *
failing_malloc(size_t size)
{
    return budget-- ? malloc(size) : NULL;
}

/* jansson's allocations fail one after the other: no crash, no leak, and the
 * whole set or nothing of it. */
static void
out_of_memory(void **state)
{
    wba_status_t status;
    size_t n;

    (void) state;
    for (n = 0;; n++) {
        budget = n;
        json_set_alloc_funcs(failing_malloc, free);
        status = parse("{'keys':[" A_KID("a") "," B_KID("b") ",{'kty':'x','y'"
                       ":[1.5,2,{'a':[]}]}]}");
        json_set_alloc_funcs(malloc, free);
        if (budget <= n) {
            break;
        }
        assert_int_equal(status, WBA_NO_MEMORY);
        drop();
    }
    assert_int_equal(status, WBA_OK);
    assert_true(n > 20);
    assert_int_equal(said.notes, 3);
    assert_int_equal(summary.usable, 2);
    drop();
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),    cmocka_unit_test(entries),
        cmocka_unit_test(options_change), cmocka_unit_test(what_is_kept),
        cmocka_unit_test(depth),        cmocka_unit_test(bounds),
        cmocka_unit_test(default_bounds), cmocka_unit_test(one_kid_for_all),
        cmocka_unit_test(long_kid),     cmocka_unit_test(error_text),
        cmocka_unit_test(no_report),    cmocka_unit_test(mutations),
        cmocka_unit_test(out_of_memory),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
