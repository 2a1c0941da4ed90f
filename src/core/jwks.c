/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A JWK Set, entry by entry, into a key set.  Each entry ends in exactly one
 * note to the caller's report.
 */
#include "jwks.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "json.h"

/* What was taken so far, found by thumbprint and by kid in constant time
 * whatever a directory publishes: open addressing over a keyed hash. */
typedef struct {
    wba_str_t *slots; /* a view each; data NULL: free */
    size_t mask;
    uint8_t key[crypto_shorthash_KEYBYTES];
} seen_t;

typedef struct {
    const wba_jwks_options_t *options;
    wba_jwks_report_pt report;
    void *ctx;
    wba_jwks_summary_t *summary;
    wba_keyset_builder_t *builder;
    uint8_t *thumbprints; /* of the usable keys, one after the other */
    seen_t by_thumbprint;
    seen_t by_kid;
    wba_jwk_t jwk;
} parser_t;

static wba_status_t
fail(wba_jwks_summary_t *summary, wba_status_t status, const char *text)
{
    (void) snprintf(summary->error, sizeof(summary->error), "%s", text);
    return status;
}

static bool
seen_init(seen_t *seen, size_t n)
{
    size_t slots = 8;

    while (slots / 2 < n) {
        slots *= 2;
    }
    seen->slots = calloc(slots, sizeof(*seen->slots));
    seen->mask = slots - 1;
    crypto_shorthash_keygen(seen->key);
    return seen->slots != NULL;
}

/* The slot that holds s, or the free one where it belongs. */
static wba_str_t *
seen_slot(const seen_t *seen, wba_str_t s)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t at;

    crypto_shorthash(hash, s.data, s.len, seen->key);
    memcpy(&at, hash, sizeof(at));
    for (;; at++) {
        wba_str_t *slot = &seen->slots[at & seen->mask];

        if (slot->data == NULL || wba_str_eq(*slot, s)) {
            return slot;
        }
    }
}

static wba_status_t
load(wba_str_t text, wba_jwks_summary_t *summary, json_t **root)
{
    json_error_t error;
    wba_status_t status;
    char *p;

    if (wba_json_too_deep(text)) {
        return fail(summary, WBA_TOO_LARGE, "the JSON is nested too deeply");
    }
    status = wba_json_load(text, JSON_REJECT_DUPLICATES, root, &error);
    if (status == WBA_OK) {
        return WBA_OK;
    }
    if (status == WBA_NO_MEMORY) {
        return fail(summary, WBA_NO_MEMORY, "out of memory");
    }
    (void) snprintf(summary->error, sizeof(summary->error),
                    "not JSON: line %d, column %d: %.100s", error.line,
                    error.column, error.text);
    /* jansson quotes what it stumbled on: a stranger's bytes. */
    for (p = summary->error; *p != '\0'; p++) {
        if ((unsigned char) *p < 0x20 || (unsigned char) *p > 0x7e) {
            *p = '?';
        }
    }
    return WBA_INVALID;
}

static void
note(parser_t *p, size_t index, const json_t *entry,
     wba_jwks_severity_t severity, const char *text)
{
    const json_t *kid = json_object_get(entry, "kid");
    bool usable = severity == WBA_JWKS_TAKEN || severity == WBA_JWKS_WARNING;
    wba_jwks_note_t n = { 0 };

    if (p->report == NULL) {
        return;
    }
    n.index = index;
    n.severity = severity;
    if (json_is_string(kid)) {
        n.kid = wba_str(json_string_value(kid), json_string_length(kid));
    }
    n.thumbprint = p->jwk.key.thumbprint;
    n.key = usable ? &p->jwk.key : NULL;
    n.text = text;
    p->report(p->ctx, &n);
}

/* Drops a kid that the well-known path does not allow, and says so; looks
 * for an earlier key of the same kid. */
static const char *
check_kid(parser_t *p, const char *text)
{
    uint8_t own[WBA_THUMBPRINT_TEXT_SIZE];
    wba_key_t *key = &p->jwk.key;

    if (!p->jwk.has_kid) {
        return text;
    }
    wba_thumbprint_text(key->thumbprint, own);
    if (p->options->well_known
        && !wba_str_eq(key->kid, wba_str(own, sizeof(own)))) {
        key->kid = WBA_STR_NONE;
        p->jwk.has_kid = false;
        return "kid is not the key's thumbprint; dropped";
    }
    if (seen_slot(&p->by_kid, key->kid)->data != NULL) {
        return "kid is also that of an earlier key; both are kept";
    }
    return text;
}

/* The seen kid is a view into the JSON, which outlives the parser's copy. */
static wba_status_t
take(parser_t *p, const json_t *entry)
{
    const json_t *published = json_object_get(entry, "kid");
    const wba_key_t *key = &p->jwk.key;
    uint8_t *kept = p->thumbprints + p->summary->usable * WBA_THUMBPRINT_SIZE;
    wba_str_t thumbprint = wba_str(kept, WBA_THUMBPRINT_SIZE);
    wba_status_t rc = wba_keyset_builder_add(p->builder, key);

    if (rc != WBA_OK) {
        return rc;
    }
    memcpy(kept, key->thumbprint, WBA_THUMBPRINT_SIZE);
    *seen_slot(&p->by_thumbprint, thumbprint) = thumbprint;
    if (p->jwk.has_kid) {
        *seen_slot(&p->by_kid, key->kid)
            = wba_str(json_string_value(published), key->kid.len);
    }
    p->summary->usable++;
    return WBA_OK;
}

/* Whether the key just read, or not taken, could be one that is in use. */
static bool
may_be_held(const parser_t *p)
{
    const uint8_t *thumbprint = p->jwk.key.thumbprint;

    return thumbprint != NULL
           && (p->options->test_keys || !wba_jwk_is_test_key(thumbprint));
}

static wba_status_t
parse_entry(parser_t *p, size_t index, const json_t *entry)
{
    const wba_key_t *key = &p->jwk.key;
    const char *text;
    bool alert;
    wba_status_t rc = wba_jwk_parse(entry, &p->jwk, &alert, &text);

    if (rc != WBA_OK) {
        p->summary->compromised += alert && may_be_held(p);
        note(p, index, entry, alert ? WBA_JWKS_ALERT : WBA_JWKS_SKIPPED, text);
        return WBA_OK;
    }
    if (!p->options->test_keys && wba_jwk_is_test_key(key->thumbprint)) {
        note(p, index, entry, WBA_JWKS_ALERT,
             "a test key of RFC 9421, whose private half everybody knows");
        return WBA_OK;
    }
    if (p->options->algorithms && !(key->algs & p->options->algorithms)) {
        note(p, index, entry, WBA_JWKS_SKIPPED,
             WBA_JWKS_OTHER_ALGORITHM);
        return WBA_OK;
    }
    if (seen_slot(&p->by_thumbprint,
                  wba_str(key->thumbprint, WBA_THUMBPRINT_SIZE))
            ->data
        != NULL) {
        note(p, index, entry, WBA_JWKS_SKIPPED,
             "the same key as an earlier entry, which is kept");
        return WBA_OK;
    }
    text = check_kid(p, text);
    rc = take(p, entry);
    if (rc == WBA_OK) {
        note(p, index, entry, *text ? WBA_JWKS_WARNING : WBA_JWKS_TAKEN, text);
    }
    return rc;
}

/* keys is an array, or the one JWK of lenient bare-jwk. */
static wba_status_t
parse_entries(parser_t *p, const json_t *keys, wba_keyset_t *set)
{
    bool bare = !json_is_array(keys);
    size_t max = p->options->max_keys ? p->options->max_keys : WBA_MAX_KEYS;
    size_t n = bare ? 1 : json_array_size(keys);
    wba_status_t rc = WBA_OK;
    size_t i;

    p->summary->entries = n;
    if (n > max) {
        return fail(p->summary, WBA_TOO_LARGE, "more keys than are allowed");
    }
    p->builder = wba_keyset_builder_new();
    p->thumbprints = calloc(n ? n : 1, WBA_THUMBPRINT_SIZE);
    if (p->builder == NULL || p->thumbprints == NULL
        || !seen_init(&p->by_thumbprint, n) || !seen_init(&p->by_kid, n)) {
        return fail(p->summary, WBA_NO_MEMORY, "out of memory");
    }
    for (i = 0; i < n && rc == WBA_OK; i++) {
        rc = parse_entry(p, i, bare ? keys : json_array_get(keys, i));
    }
    if (rc == WBA_OK && n > 0 && p->summary->usable == 0
        && p->summary->compromised == 0)
    {
        return fail(p->summary, WBA_INVALID, "no entry is usable");
    }
    if (rc == WBA_OK) {
        rc = wba_keyset_builder_take(p->builder, set);
    }
    return rc == WBA_OK ? rc : fail(p->summary, rc, "out of memory");
}

wba_status_t
wba_jwks_parse(wba_str_t json, const wba_jwks_options_t *options,
               wba_jwks_report_pt report, void *ctx, wba_keyset_t *set,
               wba_jwks_summary_t *summary)
{
    size_t max = options->max_size ? options->max_size : WBA_MAX_JWKS;
    parser_t p = { 0 };
    const json_t *keys;
    json_t *root;
    wba_status_t rc;

    memset(summary, 0, sizeof(*summary));
    set->data = NULL;
    set->size = 0;
    if (json.len > max) {
        return fail(summary, WBA_TOO_LARGE, "longer than is allowed");
    }
    rc = load(json, summary, &root);
    if (rc != WBA_OK) {
        return rc;
    }
    keys = json_object_get(root, "keys");
    if (keys == NULL && options->bare_jwk && json_object_get(root, "kty")) {
        keys = root;
    } else if (!json_is_array(keys)) {
        rc = fail(summary, WBA_INVALID, "no JWK Set: no array \"keys\"");
        goto done;
    }
    p.options = options;
    p.report = report;
    p.ctx = ctx;
    p.summary = summary;
    rc = parse_entries(&p, keys, set);

done:
    wba_keyset_builder_free(p.builder);
    free(p.thumbprints);
    free(p.by_thumbprint.slots);
    free(p.by_kid.slots);
    json_decref(root);
    return rc;
}
