/* SPDX-License-Identifier: BSD-2-Clause */
/* The report as JSON.  jansson's setters take NULL for a member and say so, so
 * that running out of memory needs one look, at the end. */
#include "report.h"

#include <jansson.h>

/* Everything is added through these, and failed says whether all went well. */
typedef struct {
    bool failed;
} writer_t;

static void
put(writer_t *w, json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) != 0) {
        w->failed = true;
    }
}

static void
push(writer_t *w, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) {
        w->failed = true;
    }
}

static json_t *
number(uint64_t n)
{
    return json_integer((json_int_t) n);
}

static json_t *
seconds(double s)
{
    return s == WBA_REPORT_UNKNOWN ? json_null() : json_real(s);
}

static json_t *
text(wba_str_t s)
{
    char ascii[1024];
    size_t i;
    bool plain = true;

    for (i = 0; i < s.len && i < sizeof(ascii); i++) {
        plain &= s.data[i] < 0x80;
        ascii[i] = (char) (s.data[i] < 0x80 ? s.data[i] : '?');
    }
    return plain ? json_stringn((const char *) s.data, s.len)
                 : json_stringn(ascii, i);
}

static json_t *
text_or_null(wba_str_t s)
{
    return s.len ? text(s) : json_null();
}

static json_t *
word(const char *s)
{
    return s ? json_string(s) : json_null();
}

static json_t *
versions(writer_t *w, const wba_report_versions_t *v)
{
    json_t *o = json_object();

    put(w, o, "module", word(v->module));
    put(w, o, "installed", word(v->installed));
    put(w, o, "restart_needed", json_boolean(v->restart_needed));
    put(w, o, "nginx", word(v->nginx));
    put(w, o, "libsodium", word(v->libsodium));
    put(w, o, "libcurl", word(v->libcurl));
    put(w, o, "jansson", word(v->jansson));
    put(w, o, "hiredis", word(v->hiredis));
    put(w, o, "openssl", word(v->openssl));
    return o;
}

static json_t *
zone(writer_t *w, const wba_report_t *r)
{
    json_t *o = json_object(), *keys = json_object(), *found = json_object();

    put(w, keys, "size", number(r->arena_size));
    put(w, keys, "used", number(r->arena_used));
    put(w, found, "slots", number(r->found_slots));
    put(w, found, "used", number(r->found_used));

    put(w, o, "size", number(r->zone_size));
    put(w, o, "created", json_integer(r->zone_created));
    put(w, o, "reloads", number(r->reloads));
    put(w, o, "workers", number(r->workers));
    put(w, o, "keys", keys);
    put(w, o, "discovered", found);
    return o;
}

static json_t *
answers(writer_t *w, const uint64_t counts[WBA_STORE_ANSWERS])
{
    unsigned i;
    json_t *o = json_object();

    for (i = 0; i < WBA_STORE_ANSWERS; i++) {
        put(w, o, wba_store_answer_name((wba_store_answer_t) i),
            number(counts[i]));
    }
    return o;
}

static json_t *
nonces(writer_t *w, const wba_report_t *r)
{
    json_t *o = json_object();
    double rated = r->nonces.rated ? (double) r->nonces.rated : 1.0;

    put(w, o, "store", word(r->shared_store ? "shared" : "redis"));
    put(w, o, "file", text_or_null(r->nonce_file));
    put(w, o, "size", number(r->nonce_size));
    put(w, o, "capacity", number(r->nonces.rated));
    put(w, o, "live", number(r->nonces.live));
    put(w, o, "fill", json_real((double) r->nonces.live / rated));
    put(w, o, "cold_until", r->cold ? json_integer(r->nonces.cold_until)
                                    : json_null());
    put(w, o, "answers", answers(w, r->answers));
    put(w, o, "local_answers", answers(w, r->local_answers));
    return o;
}

static json_t *
forgeries(writer_t *w, const wba_forgery_stats_t *f)
{
    json_t *o = json_object();

    put(w, o, "budgets", number(f->budgets));
    put(w, o, "known_keys", number(f->known));
    put(w, o, "capacity", number(f->capacity));
    return o;
}

static json_t *
histogram(writer_t *w, const wba_histogram_t *h)
{
    size_t i;
    uint64_t n = 0;
    json_t *o = json_object(), *buckets = json_array(), *bucket;

    for (i = 0; i < WBA_LATENCY_BUCKETS; i++) {
        n += h->buckets[i];
        bucket = json_object();
        put(w, bucket, "le",
            i < WBA_LATENCY_BOUNDS ? json_real(wba_latency_bounds[i] / 1e6)
                                   : json_null());
        put(w, bucket, "count", number(n));
        push(w, buckets, bucket);
    }
    put(w, o, "buckets", buckets);
    put(w, o, "sum", json_real((double) h->sum_us / 1e6));
    put(w, o, "count", number(n));
    return o;
}

static json_t *
outcomes(writer_t *w, const uint64_t counts[WBA_OUTCOMES], json_t *o)
{
    unsigned i;

    for (i = 0; i < WBA_OUTCOMES; i++) {
        put(w, o, (const char *) wba_outcome_name((wba_outcome_t) i).data,
            number(counts[i]));
    }
    return o;
}

static json_t *
families(writer_t *w, const wba_report_family_t *family, size_t n)
{
    size_t i;
    json_t *array = json_array(), *o;

    for (i = 0; i < n; i++) {
        o = json_object();
        put(w, o, "name", text(family[i].name));
        put(w, o, "verified", number(family[i].verified));
        put(w, o, "failed", number(family[i].failed));
        push(w, array, o);
    }
    return array;
}

static json_t *
reasons(writer_t *w, const wba_report_t *r)
{
    unsigned i;
    json_t *array = json_array(), *o;
    const wba_reason_info_t *info;

    for (i = 0; i < WBA_REASON_COUNT; i++) {
        info = wba_reason_info((wba_reason_t) i);
        o = json_object();
        put(w, o, "name", text(info->name));
        put(w, o, "outcome", text(wba_outcome_name(info->outcome)));
        put(w, o, "class", text(wba_class_name(info->class)));
        put(w, o, "count", number(r->reasons[i]));
        push(w, array, o);
    }
    return array;
}

static json_t *
requests(writer_t *w, const wba_report_t *r)
{
    unsigned i;
    uint64_t counts[WBA_OUTCOMES], total = 0;
    json_t *o = json_object(), *decisions = json_object();

    wba_report_outcomes(r, counts);
    for (i = 0; i < WBA_OUTCOMES; i++) {
        total += counts[i];
    }
    for (i = WBA_DECISION_ALLOW; i <= WBA_DECISION_PASS; i++) {
        put(w, decisions,
            (const char *) wba_decision_name((wba_decision_t) i).data,
            number(r->decisions[i]));
    }

    put(w, o, "total", number(total));
    put(w, o, "outcomes", outcomes(w, counts, json_object()));
    put(w, o, "decisions", decisions);
    put(w, o, "reasons", reasons(w, r));
    put(w, o, "tags", families(w, r->tags, r->ntags));
    put(w, o, "directories", families(w, r->sources, r->nsources));
    return o;
}

static json_t *
history(writer_t *w, const wba_report_t *r)
{
    size_t i;
    json_t *o = json_object(), *samples = json_array(), *sample;

    for (i = 0; i < r->nhistory; i++) {
        sample = json_object();
        put(w, sample, "time", json_integer(r->history[i].time));
        push(w, samples, outcomes(w, r->history[i].outcomes, sample));
    }
    put(w, o, "interval", number(r->history_interval));
    put(w, o, "samples", samples);
    return o;
}

static json_t *
directory(writer_t *w, const wba_report_directory_t *d)
{
    size_t i;
    json_t *o = json_object(), *tags = json_array();

    for (i = 0; i < d->ntags; i++) {
        push(w, tags, text(d->tags[i].text));
    }
    put(w, o, "name", text(d->name));
    put(w, o, "url", text(d->url));
    put(w, o, "profile", text(d->profile));
    put(w, o, "tags", tags);
    put(w, o, "discovered", json_boolean(d->discovered));
    put(w, o, "state", word(wba_source_state_name(d->state)));
    put(w, o, "keys", number(d->keys));
    put(w, o, "age", seconds(d->age));
    put(w, o, "expires_in", seconds(d->expires_in));
    put(w, o, "next_refresh_in", seconds(d->next_refresh_in));
    put(w, o, "fetching",
        json_boolean(d->lease_ends_in != WBA_REPORT_UNKNOWN));
    put(w, o, "lease_ends_in", seconds(d->lease_ends_in));
    put(w, o, "fetches", number(d->fetches));
    put(w, o, "failures_in_row", number(d->failures));
    put(w, o, "last_error", text_or_null(d->error));
    return o;
}

static json_t *
report_object(writer_t *w, const wba_report_t *r)
{
    size_t i;
    json_t *o = json_object(), *redis = NULL, *fetch = json_object();
    json_t *directories = json_array();

    if (!r->shared_store) {
        redis = json_object();
        put(w, redis, "connected_workers", number(r->redis_workers));
        put(w, redis, "latency", histogram(w, &r->redis));
        put(w, redis, "failures", number(r->redis_failures));
    }
    put(w, fetch, "latency", histogram(w, &r->fetch));
    put(w, fetch, "failures", number(r->fetch_failures));
    for (i = 0; i < r->ndirectories; i++) {
        push(w, directories, directory(w, &r->directories[i]));
    }

    put(w, o, "format", json_integer(1));
    put(w, o, "now", json_real(r->now));
    put(w, o, "versions", versions(w, &r->versions));
    put(w, o, "zone", zone(w, r));
    put(w, o, "nonces", nonces(w, r));
    put(w, o, "redis", r->shared_store ? json_null() : redis);
    put(w, o, "forgeries", forgeries(w, &r->forgeries));
    put(w, o, "requests", requests(w, r));
    put(w, o, "history", history(w, r));
    put(w, o, "fetch", fetch);
    put(w, o, "directories", directories);
    return o;
}

static int
write_out(const char *data, size_t size, void *ctx)
{
    wba_buf_t *buf = ctx;

    wba_buf_add(buf, data, size);
    return buf->status == WBA_OK ? 0 : -1;
}

bool
wba_report_json(const wba_report_t *report, wba_buf_t *buf)
{
    writer_t w = { false };
    json_t *o = report_object(&w, report);
    bool done;

    done = o && !w.failed
           && json_dump_callback(o, write_out, buf,
                                 JSON_COMPACT | JSON_REAL_PRECISION(15))
                  == 0;
    json_decref(o);
    wba_buf_byte(buf, '\n');
    return done;
}
