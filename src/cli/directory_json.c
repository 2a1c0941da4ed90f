/* SPDX-License-Identifier: BSD-2-Clause */
/* A directory's report as one object: always the same members, null where
 * nothing is known. */
#include "cli.h"
#include "directory_report.h"
#include "text.h"

static void
set(json_t *object, const char *name, json_t *value)
{
    (void) json_object_set_new(object, name,
                               value != NULL ? value : json_null());
}

static void
set_str(json_t *object, const char *name, wba_str_t value)
{
    set(object, name, text_json(value));
}

static void
set_z(json_t *object, const char *name, const char *text)
{
    set_str(object, name, wba_str_z(text));
}

/* null for the empty text. */
static void
set_text(json_t *object, const char *name, const char *text)
{
    set_z(object, name, text[0] ? text : NULL);
}

static void
set_number(json_t *object, const char *name, bool known, uint64_t n)
{
    set(object, name, known ? json_integer((json_int_t) n) : NULL);
}

static void
set_bool(json_t *object, const char *name, bool known, bool value)
{
    set(object, name, known ? json_boolean(value) : NULL);
}

static json_t *
redirect(const directory_report_t *r)
{
    json_t *object;

    if (!r->redirects) {
        return NULL;
    }
    object = json_object();
    set_str(object, "location", r->fields[DIRECTORY_LOCATION]);
    set_bool(object, "www", true, r->redirects_www);
    return object;
}

/* --- caching */

static json_t *
again(const directory_report_t *r)
{
    static const char *const words[] = {
        [DIRECTORY_NOT_MODIFIED] = "not-modified",
        [DIRECTORY_IN_FULL] = "in-full",
        [DIRECTORY_AGAIN_FAILED] = "failed",
    };

    return r->again == DIRECTORY_NOT_ASKED ? NULL
                                           : json_string(words[r->again]);
}

static json_t *
caching(const directory_report_t *r)
{
    static const char *const names[DIRECTORY_FIELDS] = {
        [DIRECTORY_CACHE_CONTROL] = "cache_control",
        [DIRECTORY_EXPIRES] = "expires",
        [DIRECTORY_DATE] = "date",
        [DIRECTORY_AGE] = "age",
        [DIRECTORY_ETAG] = "etag",
        [DIRECTORY_LAST_MODIFIED] = "last_modified",
        [DIRECTORY_RETRY_AFTER] = "retry_after",
    };
    json_t *object;
    size_t i;

    if (r->ask->is_file) {
        return NULL;
    }
    object = json_object();
    for (i = DIRECTORY_CACHE_CONTROL; i < DIRECTORY_FIELDS; i++) {
        set_str(object, names[i], r->fields[i]);
    }
    set_number(object, "stated", r->has_freshness && r->states_freshness,
               (uint64_t) r->stated);
    set_number(object, "fresh", r->has_freshness, (uint64_t) r->lifetime);
    set_number(object, "refresh_from", r->has_freshness,
               (uint64_t) r->refresh_from);
    set_number(object, "refresh_to", r->has_freshness,
               (uint64_t) r->refresh_to);
    set_number(object, "retry", !r->taken, (uint64_t) r->retry);
    set(object, "conditional", again(r));
    set_text(object, "conditional_error", r->again_text);
    return object;
}

/* --- keys */

static json_t *
algorithms(const directory_entry_t *e)
{
    json_t *list = json_array();
    unsigned alg;

    for (alg = 1; alg <= WBA_ALG_RSA_PSS_SHA256; alg <<= 1) {
        if (e->algs & alg) {
            (void) json_array_append_new(
                list, json_string(wba_alg_name((wba_alg_t) alg)));
        }
    }
    return list;
}

static json_t *
key(const directory_report_t *r, const directory_entry_t *e)
{
    static const char *const words[] = {
        [WBA_JWKS_TAKEN] = "taken",
        [WBA_JWKS_WARNING] = "warning",
        [WBA_JWKS_SKIPPED] = "skipped",
        [WBA_JWKS_ALERT] = "alert",
    };
    static const char *const members[] = { "kid", "kty", "crv", "alg" };
    json_t *object = json_object();
    size_t i;

    set_number(object, "index", true, e->index);
    set_z(object, "state", words[e->severity]);
    set_text(object, "text", e->text);
    set_bool(object, "usable", true, e->usable);
    set_text(object, "thumbprint", e->thumbprint);
    for (i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        set_str(object, members[i],
                directory_entry_member(r, e, members[i]));
    }
    set(object, "algorithms", e->usable ? algorithms(e) : NULL);
    set_number(object, "nbf", e->nbf != 0, (uint64_t) e->nbf);
    set_number(object, "exp", e->exp != 0, (uint64_t) e->exp);
    set_bool(object, "valid", e->usable,
             directory_entry_valid(e, r->ask->now));
    return object;
}

static json_t *
keys(const directory_report_t *r)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < r->nnoted; i++) {
        (void) json_array_append_new(list, key(r, &r->entries[i]));
    }
    return list;
}

static json_t *
totals(const directory_report_t *r)
{
    json_t *object;

    if (!r->has_set) {
        return NULL;
    }
    object = json_object();
    set_number(object, "entries", true, r->nentries);
    set_number(object, "usable", true, r->usable);
    set_number(object, "valid", true, r->valid);
    set_number(object, "used", true, r->used);
    return object;
}

/* --- proof, names */

static json_t *
proof(const directory_report_t *r)
{
    static const char *const words[] = {
        [WBA_PROOF_ABSENT] = "absent",
        [WBA_PROOF_GOOD] = "good",
        [WBA_PROOF_BAD] = "bad",
    };
    json_t *object;

    if (!directory_proof_known(r)) {
        return NULL;
    }
    object = json_object();
    set_z(object, "state", words[r->proof.state]);
    set_number(object, "proven", true, r->proof.proven);
    set_text(object, "text", r->proof_text);
    return object;
}

static json_t *
forms(const directory_report_t *r)
{
    json_t *list = json_array(), *object;
    size_t i;

    for (i = 0; i < r->nforms; i++) {
        object = json_object();
        set_z(object, "form", r->forms[i].form);
        set_str(object, "field", r->forms[i].field);
        set_z(object, "component", r->forms[i].component);
        (void) json_array_append_new(list, object);
    }
    return list;
}

static json_t *
warnings(const directory_report_t *r)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < r->nwarnings; i++) {
        (void) json_array_append_new(list, json_string(r->warnings[i]));
    }
    return list;
}

static void
set_answer(json_t *object, const directory_report_t *r)
{
    bool fetched = !r->ask->is_file, known = r->status != 0 && fetched;
    wba_str_t type = fetched ? r->fields[DIRECTORY_CONTENT_TYPE]
                             : wba_str_z(r->ask->type);

    set_z(object, "source", r->ask->source);
    set_z(object, "url", r->url);
    set_bool(object, "well_known", fetched, r->well_known);
    set_text(object, "address", r->address);
    set_number(object, "elapsed_ms", fetched, r->elapsed_ms);
    set_z(object, "fetch_error",
          r->error != WBA_FETCH_OK ? wba_fetch_error_name(r->error) : NULL);
    set_number(object, "status", known, (uint64_t) r->status);
    set_str(object, "media_type", type);
    set_bool(object, "media_type_fits", fetched ? r->status == 200
                                                : type.data != NULL,
             r->type_fits);
    set_str(object, "content_coding", r->fields[DIRECTORY_CONTENT_ENCODING]);
    set(object, "redirect", redirect(r));
}

int
directory_print_json(const directory_report_t *r)
{
    json_t *object = json_object();
    int rc;

    set_bool(object, "taken", true, r->taken);
    set_text(object, "error", r->why_not);
    set_answer(object, r);
    set(object, "caching", caching(r));
    set_text(object, "document_error", r->document_error);
    set(object, "totals", totals(r));
    set(object, "keys", keys(r));
    set(object, "proof", proof(r));
    set(object, "signature_agent", forms(r));
    set(object, "warnings", warnings(r));
    set_str(object, "configuration", r->configuration);
    set(object, "now", json_integer((json_int_t) r->ask->now));
    rc = text_put_json(object);
    json_decref(object);
    return rc;
}
