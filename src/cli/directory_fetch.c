/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks for a directory as the module does, and keeps of the answer what there
 * is to say about it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "address.h"
#include "cli.h"
#include "directory_report.h"
#include "file.h"
#include "json.h"
#include "uri.h"
#include "wba_poll.h"
#include "when.h"

/* Bytes for URLs, header fields (WBA_MAX_FETCH_HEADERS, twice over while they
 * grow) and what is made of them. */
#define ARENA (512 * 1024)

/* The URL of a file, for the reader, which shows it to nobody. */
#define NOWHERE "https://file.invalid/keys"

#define USER_AGENT "wba/" WBA_VERSION

static const char *const field_names[DIRECTORY_FIELDS] = {
    [DIRECTORY_CONTENT_TYPE] = "Content-Type",
    [DIRECTORY_CONTENT_ENCODING] = "Content-Encoding",
    [DIRECTORY_LOCATION] = "Location",
    [DIRECTORY_CACHE_CONTROL] = "Cache-Control",
    [DIRECTORY_EXPIRES] = "Expires",
    [DIRECTORY_DATE] = "Date",
    [DIRECTORY_AGE] = "Age",
    [DIRECTORY_ETAG] = "ETag",
    [DIRECTORY_LAST_MODIFIED] = "Last-Modified",
    [DIRECTORY_RETRY_AFTER] = "Retry-After",
};

const char *
directory_field_name(directory_field_t field)
{
    return field_names[field];
}

static void
drop_set(wba_keyset_t *set)
{
    free((void *) (uintptr_t) set->data);
    set->data = NULL;
}

/* --- header fields */

static wba_str_t
joined(directory_report_t *r, const wba_fetch_result_t *result,
       const char *wanted)
{
    wba_str_t name, value;
    bool found = false;
    size_t at = 0;
    wba_buf_t buf;

    wba_buf_init(&buf, &r->mem, WBA_MAX_FETCH_HEADERS * 2);
    while (wba_fetch_header_next(result, &at, &name, &value)) {
        if (wba_str_eq_nocase(name, wba_str_z(wanted))) {
            if (found) {
                wba_buf_lit(&buf, ", ");
            }
            wba_buf_str(&buf, value);
            found = true;
        }
    }
    if (buf.status != WBA_OK) {
        r->no_memory = true;
    }
    return !found       ? WBA_STR_NONE
           : buf.len == 0 ? WBA_STR("")
                          : wba_buf_view(&buf);
}

static void
take_fields(directory_report_t *r, const wba_fetch_result_t *result)
{
    size_t i;

    for (i = 0; i < DIRECTORY_FIELDS; i++) {
        r->fields[i] = joined(r, result, field_names[i]);
    }
}

/* --- entries */

static wba_jwks_options_t
jwks_options(const directory_report_t *r)
{
    wba_jwks_options_t options = {
        .max_size = r->ask->max_size,
        .max_keys = r->ask->max_keys,
        .well_known = r->well_known,
        .test_keys = r->ask->test_keys,
        .algorithms = (r->ask->algorithms != 0 ? r->ask->algorithms
                                               : r->ask->profile->algorithms)
                      & wba_alg_supported(),
    };

    return options;
}

static bool
reserve(directory_report_t *r)
{
    size_t cap = r->entries_cap == 0 ? 64 : r->entries_cap * 2;
    directory_entry_t *grown;

    if (r->nnoted < r->entries_cap) {
        return true;
    }
    grown = realloc(r->entries, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    r->entries = grown;
    r->entries_cap = cap;
    return true;
}

static char *
copy_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);

    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

bool
directory_entry_valid(const directory_entry_t *e, int64_t now)
{
    return e->usable && e->nbf <= now && (e->exp == 0 || e->exp > now);
}

static void
count_entry(directory_report_t *r, const directory_entry_t *e)
{
    r->alerts += e->severity == WBA_JWKS_ALERT;
    r->valid += directory_entry_valid(e, r->ask->now);
}

/* One note of the JWK Set's reader. */
static void
take_entry(void *ctx, const wba_jwks_note_t *note)
{
    directory_report_t *r = ctx;
    directory_entry_t e = { .severity = note->severity,
                            .index = note->index };

    if (note->thumbprint != NULL) {
        wba_thumbprint_text(note->thumbprint, (uint8_t *) e.thumbprint);
    }
    if (note->key != NULL) {
        e.usable = true;
        e.algs = note->key->algs;
        e.nbf = note->key->nbf;
        e.exp = note->key->exp;
    }
    e.text = copy_text(note->text);
    if (e.text == NULL || !reserve(r)) {
        free(e.text);
        r->no_memory = true;
        return;
    }
    r->entries[r->nnoted++] = e;
    count_entry(r, &e);
}

/* The set is looked into even where the module would not have come so far, so
 * that everything that is wrong shows at once. */
static void
take_document(directory_report_t *r, wba_str_t body)
{
    wba_jwks_options_t options = jwks_options(r);
    wba_jwks_summary_t summary;
    wba_keyset_t set;
    json_error_t error;
    json_t *root;

    r->has_set = true;
    if (wba_jwks_parse(body, &options, take_entry, r, &set, &summary)
        != WBA_OK)
    {
        (void) snprintf(r->document_error, sizeof(r->document_error), "%s",
                        summary.error);
    }
    drop_set(&set);
    r->nentries = summary.entries;
    r->usable = summary.usable;
    if (r->nnoted == 0) {
        return;
    }
    /* It has been found to be sound: for what entries say of themselves. */
    (void) wba_json_load(body, 0, &root, &error);
    r->keys = json_incref(json_object_get(root, "keys"));
    json_decref(root);
}

const json_t *
directory_entry_json(const directory_report_t *r, const directory_entry_t *e)
{
    return json_array_get(r->keys, e->index);
}

wba_str_t
directory_entry_member(const directory_report_t *r, const directory_entry_t *e,
                       const char *name)
{
    const json_t *value = json_object_get(directory_entry_json(r, e), name);

    return json_is_string(value) ? wba_str(json_string_value(value),
                                           json_string_length(value))
                                 : WBA_STR_NONE;
}

/* --- the module's verdict */

/* The reader itself is asked about the media type, by the emptiest set there
 * is: nobody else knows which ones fit. */
static bool
type_fits(const wba_fetch_result_t *result,
          const wba_directory_options_t *options)
{
    wba_fetch_result_t bare = { .error = WBA_FETCH_OK, .status = 200 };
    wba_directory_options_t plain = *options;
    wba_directory_answer_t answer;
    bool fits;

    bare.body = WBA_STR("{\"keys\":[]}");
    bare.content_type = result->content_type;
    plain.proof_required = false;
    fits = wba_directory_read(&bare, &plain, NULL, NULL, &answer) == WBA_OK;
    drop_set(&answer.set);
    return fits;
}

static void
take_freshness(directory_report_t *r, const wba_freshness_t *f)
{
    const directory_ask_t *ask = r->ask;

    r->states_freshness = f->no_store || f->bad || f->bad_expires
                          || f->max_age >= 0 || f->expires >= 0
                          || f->last_modified >= 0;
    r->stated = wba_freshness_lifetime(f, ask->now, 0, WHEN_MAX);
    r->lifetime = wba_freshness_lifetime(f, ask->now, ask->refresh_min,
                                         ask->refresh_max);
    r->refresh_from = wba_freshness_refresh_ms(r->lifetime, 0) / 1000;
    r->refresh_to
        = wba_freshness_refresh_ms(r->lifetime, UINT32_MAX) / 1000;
    /* Rounded up: of the first pause, some part is random. */
    r->retry = (wba_freshness_retry_ms(1, f, false, ask->now, UINT32_MAX)
                + 999)
               / 1000;
}

bool
directory_proof_known(const directory_report_t *r)
{
    return !r->ask->is_file && r->has_set && r->type_fits
           && r->document_error[0] == '\0';
}

static void
take_verdict(directory_report_t *r, const wba_fetch_result_t *result,
             const wba_directory_options_t *options)
{
    wba_directory_answer_t answer;
    wba_status_t status
        = wba_directory_read(result, options, NULL, NULL, &answer);

    r->taken = status == WBA_OK;
    r->no_memory |= status == WBA_NO_MEMORY;
    memcpy(r->why_not, answer.error, sizeof(r->why_not));
    if (r->taken) {
        r->used = wba_keyset_count(answer.set);
    }
    r->proof = answer.proof;
    (void) snprintf(r->proof_text, sizeof(r->proof_text), "%s",
                    answer.proof.text);
    memcpy(r->etag, answer.etag, sizeof(r->etag));
    memcpy(r->last_modified, answer.last_modified, sizeof(r->last_modified));
    take_freshness(r, &answer.freshness);
    drop_set(&answer.set);
}

static void
take_answer(directory_report_t *r, const wba_fetch_result_t *result)
{
    wba_directory_options_t options = {
        .jwks = jwks_options(r),
        .proof_required = r->ask->proof_required,
        .url = r->url != NULL ? r->url : NOWHERE,
        .now = r->ask->now,
    };
    char to[WBA_MAX_URL + 8];

    r->error = result->error;
    r->status = result->status;
    r->elapsed_ms = result->elapsed_ms;
    r->decoded = result->decoded;
    (void) snprintf(r->address, sizeof(r->address), "%s", result->address);
    take_fields(r, result);
    take_verdict(r, result, &options);
    if (result->error == WBA_FETCH_OK && result->status == 200) {
        r->has_freshness = r->taken;
        r->type_fits = type_fits(result, &options);
        take_document(r, result->body);
    }
    r->redirects = result->status > 300 && result->status < 400
                   && result->status != 304
                   && r->fields[DIRECTORY_LOCATION].data != NULL;
    r->redirects_www = r->redirects && r->url != NULL
                       && wba_directory_redirects(result, r->url, to,
                                                  sizeof(to));
}

/* --- over the network */

static void
on_answer(void *ctx, const wba_fetch_result_t *result)
{
    take_answer(ctx, result);
}

/* To the conditional request: it changes nothing of the verdict. */
static void
on_again(void *ctx, const wba_fetch_result_t *result)
{
    directory_report_t *r = ctx;

    if (result->error != WBA_FETCH_OK) {
        r->again = DIRECTORY_AGAIN_FAILED;
        (void) snprintf(r->again_text, sizeof(r->again_text), "%s",
                        result->reason);
    } else if (result->status == 304) {
        r->again = DIRECTORY_NOT_MODIFIED;
    } else if (result->status == 200) {
        r->again = DIRECTORY_IN_FULL;
    } else {
        r->again = DIRECTORY_AGAIN_FAILED;
        (void) snprintf(r->again_text, sizeof(r->again_text), "status %d",
                        result->status);
    }
}

static bool
is_public(void *ctx, const struct sockaddr *address)
{
    (void) ctx;
    return wba_address_is_public(address);
}

static wba_fetch_request_t
make_request(const directory_report_t *r, wba_str_t trusted)
{
    wba_fetch_request_t request = {
        .url = r->url,
        .timeout_ms = (long) r->ask->timeout * 1000,
        .max_body = r->ask->max_size,
        .trusted_pem = trusted,
        .accept = WBA_DIRECTORY_ACCEPT,
        .user_agent = USER_AGENT,
        .identity = true,
    };

    if (r->ask->public_only) {
        request.allow_address = is_public;
    }
    return request;
}

static int
exchange(wba_poll_t *loop, wba_fetch_t *fetch,
         const wba_fetch_request_t *request, wba_fetch_done_pt done,
         directory_report_t *r)
{
    if (wba_fetch_start(fetch, request, done, r) == NULL) {
        return cli_fail("out of memory");
    }
    (void) wba_poll_run(loop, fetch, NULL, -1); /* the request has a limit */
    return r->no_memory ? cli_fail("out of memory") : CLI_OK;
}

static int
ask_and_ask_again(wba_poll_t *loop, wba_fetch_t *fetch, directory_report_t *r,
                  wba_str_t trusted)
{
    wba_fetch_request_t request = make_request(r, trusted);

    if (exchange(loop, fetch, &request, on_answer, r) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (!r->taken || !r->ask->revalidate
        || (r->etag[0] == '\0' && r->last_modified[0] == '\0'))
    {
        return CLI_OK;
    }
    request.if_none_match = r->etag;
    request.if_modified_since = r->last_modified;
    return exchange(loop, fetch, &request, on_again, r);
}

static int
ask_loop(directory_report_t *r, wba_str_t trusted)
{
    wba_poll_t *loop = wba_poll_new();
    wba_fetch_t *fetch = NULL;
    int rc;

    if (loop != NULL) {
        fetch = wba_fetch_new(&wba_poll_hooks, loop, 0);
    }
    rc = fetch != NULL ? ask_and_ask_again(loop, fetch, r, trusted)
                       : cli_fail("out of memory");
    wba_fetch_free(fetch);
    wba_poll_free(loop);
    return rc;
}

/* What web_bot_auth_trusted_certificate would not take is no fault of the
 * directory's. */
static int
read_trusted(const char *path, wba_str_t *trusted)
{
    if (path == NULL) {
        return CLI_OK;
    }
    if (file_read(path, trusted) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (strstr((const char *) trusted->data, "-----BEGIN CERTIFICATE-----")
        == NULL)
    {
        file_free(*trusted);
        return cli_fail("no certificate in %s; --ca wants a file of PEM "
                        "certificates",
                        path);
    }
    return CLI_OK;
}

/* A server that goes away must not end the tool; a pager that does, may. */
static int
ask_url(directory_report_t *r)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    wba_str_t trusted = WBA_STR_NONE;
    int rc;

    if (read_trusted(r->ask->ca, &trusted) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (!wba_fetch_global_init()) {
        file_free(trusted);
        return cli_fail("libcurl does not start");
    }
    (void) sigaction(SIGPIPE, &ignore, &before);
    rc = ask_loop(r, trusted);
    (void) sigaction(SIGPIPE, &before, NULL);
    wba_fetch_global_free();
    file_free(trusted);
    return rc;
}

/* --- from a file */

static int
ask_file(directory_report_t *r)
{
    wba_fetch_result_t result = { .error = WBA_FETCH_OK, .status = 200 };
    wba_str_t text;

    if (file_read(r->ask->source, &text) != CLI_OK) {
        if (strchr(r->ask->source, '/') == NULL
            && strchr(r->ask->source, '.') != NULL)
        {
            cli_note("if a directory on the Internet is meant, write "
                     "https://...");
        }
        return CLI_TROUBLE;
    }
    result.body = text;
    result.content_type = wba_str_z(r->ask->type != NULL
                                        ? r->ask->type
                                        : "application/jwk-set+json");
    take_answer(r, &result);
    file_free(text);
    return CLI_OK;
}

/* --- the whole */

static int
resolve(directory_report_t *r)
{
    const char *source = r->ask->source;
    wba_str_t url;
    wba_uri_t uri;
    wba_buf_t buf;

    switch (wba_agent_resolve(&r->mem, wba_str_z(source), &url)) {
    case WBA_OK:
        break;
    case WBA_UNSUPPORTED:
        return cli_fail("%s is not https, and nothing else is fetched",
                        source);
    case WBA_NO_MEMORY:
        return cli_fail("out of memory");
    default:
        return cli_fail("%s is no URL of a directory; write for instance "
                        "https://agent.example",
                        source);
    }
    (void) wba_uri_parse(url, &uri);
    r->well_known = wba_str_eq(uri.path, WBA_STR(WBA_WELL_KNOWN_PATH));
    wba_buf_init(&buf, &r->mem, url.len + 1);
    wba_buf_str(&buf, url);
    wba_buf_byte(&buf, '\0');
    r->url = (const char *) buf.data;
    return buf.status == WBA_OK ? CLI_OK : cli_fail("out of memory");
}

int
directory_report_make(directory_report_t *r, const directory_ask_t *ask)
{
    int rc;

    memset(r, 0, sizeof(*r));
    r->ask = ask;
    r->proof.state = WBA_PROOF_ABSENT;
    r->block = malloc(ARENA);
    if (r->block == NULL) {
        return cli_fail("out of memory");
    }
    wba_arena_init(&r->arena, r->block, ARENA);
    r->mem = wba_arena_mem(&r->arena);
    if (ask->is_file) {
        rc = ask_file(r);
    } else {
        rc = resolve(r);
        rc = rc == CLI_OK ? ask_url(r) : rc;
    }
    if (rc == CLI_OK && (r->no_memory || !directory_words(r))) {
        rc = cli_fail("out of memory");
    }
    return rc;
}

void
directory_report_free(directory_report_t *r)
{
    size_t i;

    for (i = 0; i < r->nnoted; i++) {
        free(r->entries[i].text);
    }
    free(r->entries);
    json_decref(r->keys);
    free(r->block);
}
