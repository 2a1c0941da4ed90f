/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli.h"
#include "explain.h"
#include "guess.h"
#include "text.h"

static void
set(json_t *object, const char *name, wba_str_t value)
{
    (void) json_object_set_new(object, name, text_json(value));
}

static void
set_time(json_t *object, const char *name, bool has, int64_t t)
{
    (void) json_object_set_new(object, name,
                               has ? json_integer(t) : json_null());
}

/* The covered components, as they stand in Signature-Input. */
static json_t *
components(const trial_t *t, const wba_fact_t *fact)
{
    json_t *list = json_array();
    wba_sf_value_t item;
    wba_sf_iter_t it;
    wba_buf_t buf;

    if (fact->stage < WBA_STAGE_READ) {
        json_decref(list);
        return json_null();
    }
    wba_sf_inner_init(&it, &fact->input.list);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        wba_buf_init(&buf, &t->mem, WBA_MAX_FIELD);
        wba_sf_write_value(&buf, &item);
        (void) json_array_append_new(list, text_json(wba_buf_view(&buf)));
    }
    return list;
}

static wba_str_t
digest_state(const trial_t *t, const wba_fact_t *fact)
{
    if (!trial_covers_digest(fact)) {
        return WBA_STR_NONE;
    }
    switch (t->verify.facts.digest) {
    case WBA_DIGEST_MATCHES:
        return WBA_STR("matches");
    case WBA_DIGEST_MISMATCH:
        return WBA_STR("mismatch");
    case WBA_DIGEST_UNREADABLE:
        return WBA_STR("unreadable");
    default:
        return WBA_STR_NONE;
    }
}

/* Of the signature, as the settings have it; null unless asked for. */
static wba_str_t
link_state(const trial_t *t, const wba_fact_t *fact)
{
    const wba_body_link_t *link = &t->verify.facts.link;

    if (!t->policy.body_link) {
        return WBA_STR_NONE;
    }
    switch (link->state) {
    case WBA_LINK_READ:
        if (link->count == 0) {
            return WBA_STR("none");
        }
        return wba_body_link_matches(link, fact->input.nonce,
                                     fact->input.keyid)
                   ? WBA_STR("matches")
                   : WBA_STR("mismatch");
    case WBA_LINK_UNREADABLE:
        return WBA_STR("unreadable");
    case WBA_LINK_TOO_LARGE:
        return WBA_STR("too-large");
    case WBA_LINK_MISSING:
        return WBA_STR("missing");
    default:
        return WBA_STR_NONE;
    }
}

/* The members that one signature has, into object. */
static void
set_signature(json_t *object, const trial_t *t, const wba_fact_t *fact)
{
    const wba_siginput_t *in = &fact->input;
    const wba_directory_t *directory = trial_directory(t, fact);
    const trial_note_t *note = trial_note(t, fact);
    bool verified = fact->stage == WBA_STAGE_VERIFIED;
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];

    set(object, "label", in->label);
    set(object, "tag", in->tag);
    set(object, "keyid", in->keyid);
    set(object, "directory",
        directory != NULL ? directory->name : WBA_STR_NONE);
    set(object, "agent", fact->agent_identity);
    if (verified) {
        wba_thumbprint_text(fact->thumbprint, text);
    }
    set(object, "thumbprint",
        verified ? wba_str(text, sizeof(text)) : WBA_STR_NONE);
    set(object, "alg",
        verified ? wba_str_z(wba_alg_name(fact->alg)) : in->alg);
    set_time(object, "created", in->has_created, in->created);
    set_time(object, "expires", in->has_expires, in->expires);
    set(object, "nonce", in->nonce);
    (void) json_object_set_new(object, "components", components(t, fact));
    set(object, "signature_base", note->has_base ? note->base : WBA_STR_NONE);
    set(object, "content_digest", digest_state(t, fact));
    set(object, "body_link", link_state(t, fact));
}

/* The same members where there is no signature to read. */
static void
set_claims(json_t *object, const trial_t *t)
{
    static const char *const names[] = {
        "label",   "tag",     "keyid", "directory",  "agent",
        "thumbprint", "alg",  "created", "expires", "nonce",
        "components", "signature_base", "content_digest",
        "body_link",
    };
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void) json_object_set_new(object, names[i], json_null());
    }
    set(object, "tag", t->verify.facts.claimed_tag);
    set(object, "keyid", t->verify.facts.claimed_keyid);
}

static json_t *
signatures(const trial_t *t)
{
    const wba_facts_t *facts = &t->verify.facts;
    json_t *list = json_array(), *object;
    size_t i;

    for (i = 0; i < facts->count; i++) {
        object = json_object();
        set(object, "reason",
            wba_reason_info(trial_reason(t, facts->signatures[i]))->name);
        set_signature(object, t, facts->signatures[i]);
        (void) json_array_append_new(list, object);
    }
    return list;
}

static json_t *
would_verify_if(const trial_t *t, const wba_fact_t *fact)
{
    char text[GUESS_TEXT];

    return fact != NULL && guess(t, fact, text) ? text_json(wba_str_z(text))
                                                : json_null();
}

int
explain_json(const trial_t *t)
{
    const wba_reason_info_t *info = wba_reason_info(t->verdict.reason);
    const wba_fact_t *fact = trial_subject(t);
    json_t *object = json_object();
    int rc;

    set(object, "outcome", wba_outcome_name(t->verdict.outcome));
    set(object, "reason", info->name);
    set(object, "help", wba_str_z(info->help));
    set(object, "class", wba_class_name(t->verdict.class));
    if (fact != NULL) {
        set_signature(object, t, fact);
    } else {
        set_claims(object, t);
    }
    set(object, "authority", t->verify.facts.authority);
    set_time(object, "now", true, t->now);
    (void) json_object_set_new(object, "would_verify_if",
                               would_verify_if(t, fact));
    (void) json_object_set_new(object, "signatures", signatures(t));
    rc = text_put_json(object);
    json_decref(object);
    return rc;
}
