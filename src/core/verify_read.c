/* SPDX-License-Identifier: BSD-2-Clause */
/* wba_verify_init: from the signature fields to one fact for each signature
 * whose tag is served. */
#include "verify_private.h"
#include "visa_sample.h"

static const wba_tag_t *
served_tag(const wba_env_t *env, wba_str_t tag)
{
    size_t i;

    for (i = 0; i < env->ntags; i++) {
        if (tag.data != NULL && wba_tag_matches(&env->tags[i], tag)) {
            return &env->tags[i];
        }
    }
    return NULL;
}

static wba_reason_t
reason_of_field(wba_status_t status)
{
    return status == WBA_NO_MEMORY ? WBA_REASON_OUT_OF_MEMORY
                                   : WBA_REASON_FIELD_TOO_LARGE;
}

/* How often a label stands in a Dictionary, as far as that can be read. */
static unsigned
count_label(wba_str_t field, wba_str_t label)
{
    wba_sf_value_t member;
    unsigned count = 0;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &key, &member) == WBA_OK) {
        count += wba_str_eq(key, label);
    }
    return count;
}

/* The bytes of the signature that belongs to a label. */
static wba_reason_t
read_value(wba_verify_t *v, wba_fact_t *fact, wba_str_t field)
{
    switch (wba_signature_find(field, fact->input.label, v->mem,
                               &fact->signature))
    {
    case WBA_OK:
        return WBA_REASON_OK;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return count_label(field, fact->input.label) > 1
                   ? WBA_REASON_DUPLICATE_LABEL
                   : WBA_REASON_SIGNATURE_VALUE_UNREADABLE;
    }
}

static wba_reason_t
read_components(wba_verify_t *v, wba_fact_t *fact)
{
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;

    fact->components = wba_alloc(v->mem, sizeof(*fact->components));
    if (fact->components == NULL) {
        return why;
    }
    switch (wba_components_parse(&fact->input.list, v->mem, fact->components,
                                 &why))
    {
    case WBA_OK:
        return WBA_REASON_OK;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return why;
    }
}

static wba_reason_t
add_fact(wba_verify_t *v, const wba_siginput_t *input, const wba_tag_t *tag,
         wba_reason_t reason)
{
    wba_facts_t *facts = &v->facts;
    wba_fact_t *fact;

    if (facts->count == WBA_MAX_SIGNATURES) {
        return WBA_REASON_TOO_MANY_SIGNATURES;
    }
    fact = wba_alloc(v->mem, sizeof(*fact));
    if (fact == NULL) {
        return WBA_REASON_OUT_OF_MEMORY;
    }
    memset(fact, 0, sizeof(*fact));
    fact->stage = WBA_STAGE_FOUND;
    fact->tag = tag;
    fact->input = *input;
    fact->reason = reason;
    facts->signatures[facts->count++] = fact;
    return WBA_REASON_OK;
}

/* The parameters of one member, which stands in the field as sent. */
static wba_status_t
read_input(wba_verify_t *v, wba_str_t label, const wba_sf_value_t *member,
           wba_str_t sent, wba_siginput_t *input, wba_reason_t *why)
{
    wba_status_t status;

    status = wba_siginput_parse(label, member, v->mem, input, why);
    if (status != WBA_OK) {
        return status;
    }
    if (!wba_visa_sample_single_key(member, sent)) {
        *why = WBA_REASON_SIGNATURE_INPUT_KEYID_CASE;
        return WBA_INVALID;
    }
    if (!wba_str_eq(member->raw, sent)) {
        input->lenient = WBA_LENIENT_VISA_SAMPLE;
    }
    input->sent = sent;
    return WBA_OK;
}

/* One member of Signature-Input becomes a fact, unless nobody here serves its
 * tag.  A member whose tag cannot be told is looked at for its errors. */
static wba_reason_t
read_member(wba_verify_t *v, wba_str_t label, const wba_sf_value_t *member,
            wba_str_t sent)
{
    wba_facts_t *facts = &v->facts;
    wba_reason_t why = WBA_REASON_OK;
    wba_siginput_t input;
    wba_status_t status;
    const wba_tag_t *tag;
    wba_str_t text;

    status = read_input(v, label, member, sent, &input, &why);
    if (status == WBA_NO_MEMORY) {
        return WBA_REASON_OUT_OF_MEMORY;
    }
    text = input.tag;
    tag = served_tag(v->env, text);
    if (text.data != NULL && tag == NULL) {
        if (facts->claimed_tag.data == NULL) {
            facts->claimed_tag = text;
        }
        return WBA_REASON_OK;
    }
    if (status == WBA_OK) {
        return tag == NULL ? WBA_REASON_OK
                           : add_fact(v, &input, tag, WBA_REASON_OK);
    }
    memset(&input, 0, sizeof(input));
    input.label = label;
    input.tag = text;
    return add_fact(v, &input, tag, why);
}

/* A label that stands twice in Signature-Input is an error for that label. */
static void
mark_duplicate_labels(wba_facts_t *facts, wba_str_t field)
{
    unsigned seen[WBA_MAX_SIGNATURES] = { 0 };
    wba_sf_value_t member;
    wba_sf_iter_t it;
    wba_str_t label;
    size_t i;

    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK) {
        for (i = 0; i < facts->count; i++) {
            if (wba_str_eq(facts->signatures[i]->input.label, label)
                && ++seen[i] > 1)
            {
                facts->signatures[i]->reason = WBA_REASON_DUPLICATE_LABEL;
            }
        }
    }
}

/* Why a field is no Dictionary. */
static wba_reason_t
reason_of_syntax(wba_status_t status, wba_str_t field)
{
    if (status == WBA_TOO_LARGE) {
        return WBA_REASON_FIELD_TOO_LARGE;
    }
    return wba_siginput_has_upper_key(field)
               ? WBA_REASON_SIGNATURE_INPUT_KEYID_CASE
               : WBA_REASON_SIGNATURE_INPUT_UNREADABLE;
}

/* The members of field, which is as long as sent, the field as it came.
 * *broken: the reason is that it is no Dictionary. */
static wba_reason_t
read_each(wba_verify_t *v, wba_str_t field, wba_str_t sent, bool *broken)
{
    wba_sf_value_t member;
    wba_sf_iter_t it;
    wba_status_t status;
    wba_reason_t reason;
    wba_str_t label;
    size_t at;

    /* The field is read to its end before any member counts: a syntax error
     * fails it for every signature (RFC 9651 section 4.2). */
    wba_sf_dict_init(&it, field);
    *broken = false;
    while ((status = wba_sf_dict_next(&it, &label, &member)) == WBA_OK) {
        at = (size_t) (member.raw.data - field.data);
        reason = read_member(v, label, &member,
                             wba_str(sent.data + at, member.raw.len));
        if (reason != WBA_REASON_OK) {
            return reason;
        }
    }
    if (status != WBA_END) {
        *broken = status == WBA_INVALID;
        return reason_of_syntax(status, field);
    }
    if (it.count == 0) {
        return WBA_REASON_NO_SIGNATURE;
    }
    if (v->facts.count == 0) {
        return WBA_REASON_NO_SERVED_TAG;
    }
    if (it.count > 1) {
        mark_duplicate_labels(&v->facts, field);
    }
    return WBA_REASON_OK;
}

/* What any directory tolerates is read; who it is that does is asked once the
 * agent is known. */
static unsigned
leniencies(const wba_env_t *env)
{
    unsigned lenient = 0;
    size_t i;

    for (i = 0; i < env->ndirectories; i++) {
        lenient |= env->directories[i].lenient;
    }
    return env->discovery != NULL ? lenient | env->discovery->directory.lenient
                                  : lenient;
}

/* A legal field is read as it stands.  One that is broken by keyId alone is
 * read for those who put up with that. */
static wba_reason_t
read_members(wba_verify_t *v, wba_str_t field)
{
    wba_facts_t *facts = &v->facts;
    wba_reason_t reason;
    wba_str_t legal;
    bool broken;

    reason = read_each(v, field, field, &broken);
    if (!broken || !(leniencies(v->env) & WBA_LENIENT_VISA_SAMPLE)) {
        return reason;
    }
    switch (wba_visa_sample_legalise(field, v->mem, &legal)) {
    case WBA_OK:
        facts->count = 0;
        facts->claimed_tag = WBA_STR_NONE;
        return read_each(v, legal, field, &broken);
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return reason;
    }
}

static wba_reason_t
read_values(wba_verify_t *v)
{
    wba_status_t status;
    wba_str_t field = WBA_STR_NONE;
    size_t i;

    status = wba_message_field(v->message, WBA_STR("signature"), v->mem,
                               &field);
    if (status == WBA_NOT_FOUND) {
        return WBA_REASON_SIGNATURE_VALUE_UNREADABLE;
    }
    if (status != WBA_OK) {
        return reason_of_field(status);
    }
    for (i = 0; i < v->facts.count; i++) {
        wba_fact_t *fact = v->facts.signatures[i];

        if (fact->reason == WBA_REASON_OK) {
            fact->reason = read_value(v, fact, field);
        }
        if (fact->reason == WBA_REASON_OK) {
            fact->reason = read_components(v, fact);
        }
        if (fact->reason == WBA_REASON_OK) {
            fact->stage = WBA_STAGE_READ;
        }
    }
    return WBA_REASON_OK;
}

/* A stranger's signature in front of a served one hides nothing. */
static void
read_claims(wba_verify_t *v)
{
    wba_facts_t *facts = &v->facts;
    wba_status_t status;
    wba_str_t agent;

    if (facts->count && facts->signatures[0]->input.tag.data != NULL) {
        facts->claimed_tag = facts->signatures[0]->input.tag;
        facts->claimed_keyid = facts->signatures[0]->input.keyid;
    }
    status = wba_message_field(v->message, WBA_STR("signature-agent"), v->mem,
                               &agent);
    if (status == WBA_OK) {
        facts->claimed_agent = agent;
    }
    if (status != WBA_NOT_FOUND) {
        v->lenient = leniencies(v->env);
    }
}

static bool
make_room(wba_verify_t *v)
{
    wba_verify_room_t *room = wba_alloc(v->mem, sizeof(*room));

    if (room == NULL) {
        return false;
    }
    v->candidates = room->candidates;
    v->nonces = room->nonces;
    return true;
}

void
wba_verify_init(wba_verify_t *v, const wba_env_t *env,
                const wba_message_t *message, const wba_mem_t *mem)
{
    wba_facts_t *facts = &v->facts;
    wba_status_t status;
    wba_str_t field;

    memset(v, 0, sizeof(*v));
    v->env = env;
    v->message = message;
    v->mem = mem;

    status = wba_message_field(message, WBA_STR("signature-input"), mem,
                               &field);
    if (status == WBA_NOT_FOUND) {
        facts->reason = WBA_REASON_NO_SIGNATURE;
        return;
    }
    if (status != WBA_OK) {
        facts->reason = reason_of_field(status);
        return;
    }
    facts->reason = read_members(v, field);
    if (facts->reason == WBA_REASON_OK) {
        facts->reason = read_values(v);
    }
    if (facts->reason == WBA_REASON_OK && !make_room(v)) {
        facts->reason = WBA_REASON_OUT_OF_MEMORY;
    }
    read_claims(v);
}
