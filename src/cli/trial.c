/* SPDX-License-Identifier: BSD-2-Clause */
#include "trial.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "file.h"
#include "jwks.h"
#include "uri.h"

/* What a request may make core allocate: every signature's base, twice over
 * while it grows, and the fields they are made of. */
#define ARENA (16 * 1024 * 1024)

_Static_assert(TRIAL_MAX_DIRECTORIES <= 64, "trial_note_t has a bit for each");

trial_t *
trial_new(void)
{
    trial_t *t = calloc(1, sizeof(*t));

    if (t == NULL) {
        return NULL;
    }
    t->block = malloc(ARENA);
    if (t->block == NULL) {
        free(t);
        return NULL;
    }
    wba_arena_init(&t->arena, t->block, ARENA);
    t->mem = wba_arena_mem(&t->arena);
    t->max_lifetime = TRIAL_PROFILE_LIFETIME;
    wba_policy_default(&t->policy);
    t->policy.mode = WBA_MODE_ON;
    return t;
}

void
trial_free(trial_t *t)
{
    size_t i;

    if (t == NULL) {
        return;
    }
    for (i = 0; i < t->ngiven; i++) {
        free((void *) (uintptr_t) t->sets[i].data);
    }
    wba_keyring_free(t->ring);
    free(t->block);
    free(t);
}

/* Directories. */

/* An entry that is not taken as it stands. */
static void
report(void *ctx, const wba_jwks_note_t *note)
{
    static const char *const words[] = {
        [WBA_JWKS_TAKEN] = "taken",
        [WBA_JWKS_WARNING] = "taken, but",
        [WBA_JWKS_SKIPPED] = "skipped",
        [WBA_JWKS_ALERT] = "REFUSED",
    };
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    const char *path = ctx, *hint = "";

    if (note->severity == WBA_JWKS_TAKEN) {
        return;
    }
    if (note->thumbprint != NULL) {
        wba_thumbprint_text(note->thumbprint, text);
        if (wba_jwk_is_test_key(note->thumbprint)
            && note->severity == WBA_JWKS_ALERT)
        {
            hint = " (--test-keys takes it)";
        } else if (strcmp(note->text, WBA_JWKS_OTHER_ALGORITHM) == 0) {
            hint = " (--algorithm NAME takes it)";
        }
        cli_note("%s: key %zu (%.*s) %s: %s%s", path, note->index + 1,
                 (int) sizeof(text), text, words[note->severity], note->text,
                 hint);
    } else {
        cli_note("%s: key %zu %s: %s", path, note->index + 1,
                 words[note->severity], note->text);
    }
}

static bool
ends_with(wba_str_t s, wba_str_t end)
{
    return s.len >= end.len
           && wba_str_eq(wba_str(s.data + s.len - end.len, end.len), end);
}

static int
read_set(trial_t *t, size_t i, bool well_known)
{
    const char *path = t->given[i].path;
    wba_jwks_options_t options = {
        .well_known = well_known,
        .test_keys = t->test_keys,
        .algorithms = t->directories[i].profile.algorithms,
        .bare_jwk = (t->given[i].lenient & WBA_LENIENT_BARE_JWK) != 0,
    };
    wba_jwks_summary_t summary;
    wba_str_t text;

    if (file_read(path, &text) != CLI_OK) {
        return CLI_TROUBLE;
    }
    if (wba_jwks_parse(text, &options, report, (void *) (uintptr_t) path,
                       &t->sets[i], &summary)
            != WBA_OK
        || (summary.compromised && summary.usable == 0))
    {
        file_free(text);
        return cli_fail("%s is no directory: %s%s", path,
                        summary.error[0] ? summary.error
                                         : "no entry is usable",
                        summary.entries == 0
                            ? "; 'wba jwks' makes one from keys"
                            : "");
    }
    file_free(text);
    return CLI_OK;
}

/* What a directory's URL stands for. */
static int
read_agent(trial_t *t, wba_directory_t *d)
{
    switch (wba_agent_resolve(&t->mem, d->name, &d->agent)) {
    case WBA_OK:
        break;
    case WBA_UNSUPPORTED:
        return cli_fail("--directory %.*s is not https, which a "
                        "Signature-Agent always is (and a NAME has no ':')",
                        (int) d->name.len, (const char *) d->name.data);
    default:
        return cli_fail("--directory %.*s is no URL of an agent; write for "
                        "instance https://agent.example=FILE",
                        (int) d->name.len, (const char *) d->name.data);
    }
    return wba_agent_identity(&t->mem, d->name, &d->agent_identity) == WBA_OK
               ? CLI_OK
               : cli_fail("out of memory");
}

static int
add_directory(trial_t *t, size_t i)
{
    const trial_directory_t *given = &t->given[i];
    wba_directory_t *d = &t->directories[i];
    wba_str_t web = WBA_STR("web-bot-auth"), tap = WBA_STR("tap");
    bool url = memchr(given->spec, ':', given->spec_len) != NULL;
    bool well_known;
    size_t j;

    d->name = wba_str(given->spec, given->spec_len);
    for (j = 0; j < i; j++) {
        if (wba_str_eq(t->directories[j].name, d->name)) {
            return cli_fail("--directory %.*s is given twice",
                            (int) d->name.len, (const char *) d->name.data);
        }
    }
    if (url && read_agent(t, d) != CLI_OK) {
        return CLI_TROUBLE;
    }
    d->profile = given->profile != NULL ? *given->profile
                                        : *wba_profile_find(url ? web : tap);
    d->lenient = given->lenient;
    if (given->algorithms != 0) {
        d->profile.algorithms = given->algorithms;
    }
    if (t->max_lifetime != TRIAL_PROFILE_LIFETIME) {
        d->profile.max_lifetime = t->max_lifetime;
    }
    well_known = url && ends_with(d->agent, WBA_STR(WBA_WELL_KNOWN_PATH));
    return read_set(t, i, well_known);
}

static int
read_directories(trial_t *t)
{
    unsigned numbers[TRIAL_MAX_DIRECTORIES];
    unsigned i;

    for (i = 0; i < t->ngiven; i++) {
        if (add_directory(t, i) != CLI_OK) {
            return CLI_TROUBLE;
        }
        numbers[i] = i;
    }
    t->ring = wba_keyring_new(t->sets, numbers, t->ngiven);
    return t->ring != NULL ? CLI_OK : cli_fail("out of memory");
}

static int
read_components(trial_t *t)
{
    size_t i;

    for (i = 0; i < t->ncomponents; i++) {
        if (wba_component_from_text(wba_str_z(t->components[i]), &t->mem,
                                    &t->required[i])
            != WBA_OK)
        {
            return cli_fail("--component %s can never be covered; write a "
                            "lower-case name (@path, content-digest), or an "
                            "identifier as in Signature-Input",
                            t->components[i]);
        }
    }
    t->policy.components = t->required;
    t->policy.ncomponents = t->ncomponents;
    return CLI_OK;
}

/* The request. */

static int
malformed(wba_str_t text, const char *name, wba_status_t status, size_t line)
{
    if (status == WBA_TOO_LARGE) {
        return cli_fail("%s has more than %d field lines", name,
                        WBA_MAX_RAW_LINES);
    }
    if (text.len == 0) {
        return cli_fail("%s is empty; it must hold a request: a line as GET "
                        "/path HTTP/1.1, fields, an empty line, the body",
                        name);
    }
    if (text.data[0] == '>' || text.data[0] == '*') {
        return cli_fail("%s is what curl -v prints; what was sent, take out "
                        "of it by: sed -n 's/^> //p'",
                        name);
    }
    if (text.data[0] == ':') {
        return cli_fail("%s begins with HTTP/2's names; write :method and "
                        ":path as a line GET /path HTTP/1.1, and :authority "
                        "as Host",
                        name);
    }
    return cli_fail("%s, line %zu: %s", name, line,
                    line == 1 ? "not the line of a request, such as GET "
                                "/path HTTP/1.1"
                              : "not a field (Name: value), or a second Host");
}

static bool
parse_length(wba_str_t text, uint64_t *out)
{
    size_t i;

    *out = 0;
    for (i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || i == 18) {
            return false;
        }
        *out = *out * 10 + (text.data[i] - '0');
    }
    return text.len != 0;
}

/* Captures end in line breaks that are no part of the body. */
static void
cut_body(trial_t *t, const char *name)
{
    const wba_message_t *msg = &t->raw.message;
    uint64_t length;
    wba_str_t value;

    t->body = t->raw.body;
    if (wba_message_field(msg, WBA_STR("transfer-encoding"), &t->mem, &value)
        == WBA_OK)
    {
        cli_note("%s: what follows the fields is taken for the body as it "
                 "stands; if it holds chunks, put them together first",
                 name);
        return;
    }
    if (wba_message_field(msg, WBA_STR("content-length"), &t->mem, &value)
            != WBA_OK
        || !parse_length(value, &length))
    {
        return;
    }
    if (length > t->body.len) {
        cli_note("%s: Content-Length says %" PRIu64 " bytes, and the body has "
                 "%zu",
                 name, length, t->body.len);
        return;
    }
    t->body.len = (size_t) length;
}

static int
read_request(trial_t *t, wba_str_t text, const char *name)
{
    wba_status_t status;
    size_t line;

    status = wba_raw_message_parse(text, &t->raw, &line);
    if (status != WBA_OK) {
        return malformed(text, name, status, line);
    }
    if (t->scheme != NULL) {
        t->raw.scheme = wba_str_z(t->scheme);
    }
    if (t->authority != NULL) {
        t->raw.authority_override = wba_str_z(t->authority);
    }
    cut_body(t, name);
    return CLI_OK;
}

/* The machine's needs. */

/* Offline nobody remembers nonces. */
static bool
never_seen(void *ctx, const wba_nonce_t *nonce)
{
    (void) ctx;
    (void) nonce;
    return false;
}

/* There is time to tell why. */
static bool
diagnose(void *ctx)
{
    (void) ctx;
    return true;
}

static void
answer_key(trial_t *t)
{
    wba_verify_t *v = &t->verify;
    trial_note_t *note = &t->notes[v->current];
    wba_keyring_match_t match;
    size_t cursor = 0;
    unsigned i;

    for (i = 0; i < t->ngiven; i++) {
        if (wba_verify_accepts(v, i)) {
            note->accepted |= (uint64_t) 1 << i;
        }
    }
    while (wba_keyring_next(t->ring, v->key.keyid, &cursor, &match) == WBA_OK)
    {
        if (!wba_verify_accepts(v, match.directory)) {
            wba_keyring_skip_set(t->ring, &cursor);
            continue;
        }
        wba_verify_offer(v, &match);
    }
    note->ntried = v->ncandidates;
    memcpy(note->tried, v->candidates,
           note->ntried * sizeof(note->tried[0]));
    wba_verify_keys(v, WBA_REASON_KEY_UNKNOWN);
}

static void
answer(trial_t *t)
{
    wba_verify_t *v = &t->verify;

    for (;;) {
        switch (wba_verify_step(v, t->now)) {
        case WBA_NEED_KEY:
            answer_key(t);
            break;
        case WBA_NEED_BODY:
            wba_verify_feed(v, t->body.data, t->body.len);
            wba_verify_body(v, true);
            break;
        case WBA_NEED_RECORD:
            wba_verify_recorded(v, WBA_STORE_FRESH);
            break;
        case WBA_DONE:
            return;
        }
    }
}

/* The base also where the machine refused before it came to it: a signer
 * compares it with its own. */
static void
note_base(trial_t *t, const wba_fact_t *fact, trial_note_t *note)
{
    wba_reason_t why;
    wba_buf_t buf;

    note->at = fact->stage >= WBA_STAGE_READ ? fact->components->count : 0;
    if (fact->base.data != NULL) {
        note->base = fact->base;
        note->has_base = true;
        return;
    }
    if (fact->stage < WBA_STAGE_READ) {
        return;
    }
    wba_buf_init(&buf, &t->mem, WBA_MAX_BASE);
    note->has_base =
        wba_sigbase_build_as_sent(&t->raw.message, t->verify.facts.authority,
                                  &fact->input.list,
                                  fact->input.lenient ? fact->input.sent
                                                      : WBA_STR_NONE,
                                  fact->components, &t->mem, &buf, &why,
                                  &note->at)
        == WBA_OK;
    note->base = wba_buf_view(&buf);
}

int
trial_run(trial_t *t, wba_str_t text, const char *name)
{
    wba_verify_t *v = &t->verify;
    size_t i;

    if (read_components(t) != CLI_OK || read_directories(t) != CLI_OK
        || read_request(t, text, name) != CLI_OK)
    {
        return CLI_TROUBLE;
    }
    t->env.directories = t->directories;
    t->env.ndirectories = t->ngiven;
    t->env.tags = t->tags;
    t->env.ntags = wba_served_tags(t->directories, t->ngiven, t->tags,
                                   TRIAL_MAX_DIRECTORIES);
    t->env.nonce_seen = never_seen;
    t->env.diagnose = diagnose;

    wba_verify_init(v, &t->env, &t->raw.message, &t->mem);
    wba_verify_begin(v, &t->policy);
    answer(t);
    wba_judge(&v->facts, &t->policy, t->now, &t->verdict);
    for (i = 0; i < v->facts.count; i++) {
        note_base(t, v->facts.signatures[i], &t->notes[i]);
    }
    return CLI_OK;
}

/* What became of it. */

const wba_fact_t *
trial_subject(const trial_t *t)
{
    const wba_facts_t *facts = &t->verify.facts;

    if (t->verdict.signature != NULL) {
        return t->verdict.signature;
    }
    if (t->verdict.failed != NULL) {
        return t->verdict.failed;
    }
    return facts->count ? facts->signatures[0] : NULL;
}

const trial_note_t *
trial_note(const trial_t *t, const wba_fact_t *fact)
{
    size_t i = 0;

    while (t->verify.facts.signatures[i] != fact) {
        i++;
    }
    return &t->notes[i];
}

wba_reason_t
trial_reason(const trial_t *t, const wba_fact_t *fact)
{
    if (t->verify.facts.reason != WBA_REASON_OK) {
        return t->verify.facts.reason;
    }
    return wba_judge_signature(&t->verify.facts, fact, &t->policy, t->now);
}

const wba_directory_t *
trial_directory(const trial_t *t, const wba_fact_t *fact)
{
    const trial_note_t *note = trial_note(t, fact);

    if (fact->stage == WBA_STAGE_VERIFIED) {
        return fact->directory;
    }
    return note->ntried ? &t->directories[note->tried[0].directory] : NULL;
}

wba_str_t
trial_field(const trial_t *t, const wba_mem_t *mem, const char *name)
{
    wba_str_t value;

    return wba_message_field(&t->raw.message, wba_str_z(name), mem, &value)
                   == WBA_OK
               ? value
               : WBA_STR_NONE;
}

bool
trial_covers_digest(const wba_fact_t *fact)
{
    return fact->stage >= WBA_STAGE_READ && wba_judge_covers_digest(fact);
}
