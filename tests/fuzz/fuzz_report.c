/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The status report with strangers' names, URLs and errors in it: the JSON is
 * one object that says them, the Prometheus text is lines of its grammar.
 *
 * Input: numbers, then texts.
 */
#include <jansson.h>
#include <math.h>

#include "fuzz.h"
#include "report.h"

#define MOST 3
#define MAX (1024 * 1024)

static fuzz_mem_t m;

static double
any_double(fuzz_in_t *in)
{
    unsigned how = fuzz_byte(in);

    return how & 1 ? WBA_REPORT_UNKNOWN
           : how & 2 ? -(double) fuzz_number(in, 4)
                     : (double) fuzz_number(in, how & 4 ? 8 : 3) / 8;
}

static void
fill_counts(fuzz_in_t *in, uint64_t *counts, size_t n)
{
    while (n-- != 0) {
        counts[n] = in->len ? fuzz_number(in, 1 + (n & 7)) : n;
    }
}

static wba_str_t
any_text(fuzz_in_t *in)
{
    return fuzz_copy(&m, fuzz_until(in, FUZZ_PART));
}

/* A version: who fills the report in sees to it that it is printable. */
static const char *
any_version(fuzz_in_t *in)
{
    char *text = (char *) (uintptr_t) fuzz_text(&m, fuzz_until(in, FUZZ_PART));
    char *p;

    for (p = text; *p != '\0'; p++) {
        *p = (char) (' ' + (uint8_t) *p % 95);
    }
    return text;
}

typedef struct {
    wba_report_t r;
    wba_report_family_t tags[MOST];
    wba_report_family_t sources[MOST];
    wba_report_directory_t directories[MOST];
    wba_report_sample_t history[MOST];
    wba_tag_t tag;
} all_t;

static void
fill(fuzz_in_t *in, all_t *a)
{
    wba_report_t *r = &a->r;
    size_t i;

    memset(a, 0, sizeof(*a));
    r->now = (double) fuzz_number(in, 4);
    r->zone_size = fuzz_number(in, 8);
    r->zone_created = fuzz_int64(in);
    r->workers = fuzz_byte(in);
    r->arena_size = fuzz_number(in, 4);
    r->arena_used = fuzz_number(in, 4);
    r->shared_store = (fuzz_byte(in) & 1) != 0;
    r->nonces.capacity = fuzz_number(in, 8);
    r->nonces.live = fuzz_number(in, 8);
    r->nonces.cold_until = fuzz_int64(in);
    fill_counts(in, r->reasons, COUNT(r->reasons));
    fill_counts(in, r->redis.buckets, COUNT(r->redis.buckets));
    r->redis.sum_us = fuzz_number(in, 8);
    r->versions.module = any_version(in);
    r->versions.installed = any_version(in);
    r->versions.nginx = any_version(in);
    r->versions.libsodium = r->versions.libcurl = any_version(in);
    r->versions.jansson = r->versions.hiredis = r->versions.openssl = "1";
    r->nonce_file = any_text(in);
    a->tag.text = any_text(in);
    for (i = 0; i < MOST; i++) {
        wba_report_directory_t *d = &a->directories[i];

        a->tags[i].name = any_text(in);
        a->tags[i].verified = fuzz_number(in, 3);
        a->sources[i].name = any_text(in);
        d->name = any_text(in);
        d->url = any_text(in);
        d->profile = WBA_STR("tap");
        d->tags = &a->tag;
        d->ntags = fuzz_byte(in) & 1;
        d->discovered = (fuzz_byte(in) & 1) != 0;
        d->state = (wba_source_state_t) fuzz_below(in, WBA_SOURCE_STATES);
        d->age = any_double(in);
        d->expires_in = any_double(in);
        d->next_refresh_in = any_double(in);
        d->lease_ends_in = any_double(in);
        d->error = any_text(in);
        a->history[i].time = fuzz_int64(in);
    }
    r->tags = a->tags;
    r->sources = a->sources;
    r->directories = a->directories;
    r->history = a->history;
    r->ntags = r->nsources = fuzz_below(in, MOST + 1);
    r->ndirectories = r->nhistory = fuzz_below(in, MOST + 1);
    r->history_interval = 60;
}

/* What stands for s in JSON; what is not ASCII is cut at 1,024. */
static wba_str_t
shown(wba_str_t s)
{
    uint8_t *copy = (uint8_t *) (uintptr_t) fuzz_copy(&m, s).data;
    bool ascii = true;
    size_t i;

    for (i = 0; i < s.len && i < 1024; i++) {
        ascii &= copy[i] < 0x80;
        copy[i] = copy[i] < 0x80 ? copy[i] : '?';
    }
    return wba_str(copy, ascii ? s.len : i);
}

static bool
holds(const json_t *json, wba_str_t text)
{
    const char *key;
    json_t *value;
    size_t i;

    if (json_is_string(json)) {
        return wba_str_eq(wba_str(json_string_value(json),
                                  json_string_length(json)),
                          text);
    }
    if (json_is_array(json)) {
        json_array_foreach(json, i, value) {
            if (holds(value, text)) {
                return true;
            }
        }
    }
    json_object_foreach((json_t *) (uintptr_t) json, key, value) {
        if (wba_str_eq(wba_str_z(key), text) || holds(value, text)) {
            return true;
        }
    }
    return false;
}

static void
as_json(const all_t *a)
{
    json_error_t error;
    wba_buf_t buf;
    json_t *root;
    size_t i;

    wba_buf_init(&buf, &m.mem, MAX);
    CHECK(wba_report_json(&a->r, &buf) && buf.status == WBA_OK);
    CHECK(buf.len > 2 && buf.data[buf.len - 1] == '\n');
    root = json_loadb((const char *) buf.data, buf.len,
                      JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (root == NULL) {
        fuzz_show("JSON", wba_buf_view(&buf));
        (void) fprintf(stderr, "  %s\n", error.text);
    }
    CHECK(json_is_object(root));
    for (i = 0; i < a->r.ndirectories; i++) {
        CHECK(holds(root, shown(a->directories[i].url)));
    }
    json_decref(root);
}

static void
is_name(const uint8_t **p, const uint8_t *end)
{
    const uint8_t *start = *p;

    while (*p < end && ((**p >= 'a' && **p <= 'z') || **p == '_'
                        || (**p >= '0' && **p <= '9')))
    {
        (*p)++;
    }
    CHECK(*p > start);
}

/* name="value" with its escapes, comma between. */
static void
labels(const uint8_t **p, const uint8_t *end)
{
    for (;;) {
        is_name(p, end);
        CHECK(end - *p > 2 && (*p)[0] == '=' && (*p)[1] == '"');
        for (*p += 2; *p < end && **p != '"'; (*p)++) {
            CHECK(**p < 0x80);
            if (**p == '\\') {
                (*p)++;
                CHECK(*p < end
                      && (**p == '\\' || **p == '"' || **p == 'n'));
            }
        }
        CHECK(*p < end);
        (*p)++;
        CHECK(*p < end && (**p == ',' || **p == '}'));
        if (*(*p)++ == '}') {
            return;
        }
    }
}

static void
sample(const uint8_t *p, const uint8_t *end)
{
    char number[64], *rest;
    size_t len;
    double value;

    is_name(&p, end);
    if (p < end && *p == '{') {
        p++;
        labels(&p, end);
    }
    CHECK(p < end && *p == ' ');
    p++;
    len = (size_t) (end - p);
    CHECK(len > 0 && len < sizeof(number));
    memcpy(number, p, len);
    number[len] = '\0';
    value = strtod(number, &rest);
    CHECK(*rest == '\0' && isfinite(value));
}

static void
as_prometheus(const all_t *a)
{
    const uint8_t *p, *end, *lf;
    wba_buf_t buf;

    wba_buf_init(&buf, &m.mem, MAX);
    wba_report_prometheus(&a->r, &buf);
    CHECK(buf.status == WBA_OK);
    p = buf.data;
    end = p + buf.len;
    while (p < end) {
        lf = memchr(p, '\n', (size_t) (end - p));
        CHECK(lf != NULL && lf > p);
        if (*p != '#') {
            sample(p, lf);
        }
        p = lf + 1;
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    json_object_seed(1);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    static all_t all;

    fuzz_mem_init(&m);
    fill(&in, &all);
    as_json(&all);
    as_prometheus(&all);
    fuzz_mem_free(&m);
    return 0;
}
