/* SPDX-License-Identifier: BSD-2-Clause */
/* To whom a signature is attributed: the Signature-Agent member that it covers
 * (draft-ietf-webbotauth-httpsig-protocol; the String form is
 * draft-meunier-web-bot-auth-architecture's). */
#include "siginput.h"
#include "uri.h"

/* What the components say about Signature-Agent. */
typedef struct {
    const wba_components_t *components;
    bool whole;
    uint64_t keyed; /* those with ;key, a bit for each */
} coverage_t;

_Static_assert(WBA_MAX_COMPONENTS <= 64, "coverage_t has one bit for each");

/* The covered members, as far as choosing one needs to know them. */
typedef struct {
    bool any;
    bool several;  /* with different keys */
    bool labelled; /* one bears the label, and it is the one below */
    wba_str_t key;
    wba_sf_value_t value;
} choice_t;

static wba_reason_t
field_reason(wba_status_t status)
{
    switch (status) {
    case WBA_OK:
        return WBA_REASON_OK;
    case WBA_TOO_LARGE:
        return WBA_REASON_FIELD_TOO_LARGE;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return WBA_REASON_SIGNATURE_AGENT_UNPARSABLE;
    }
}

static void
read_coverage(const wba_components_t *components, coverage_t *out)
{
    const wba_component_t *c;
    size_t i;

    out->components = components;
    out->whole = false;
    out->keyed = 0;
    for (i = 0; i < components->count; i++) {
        c = &components->items[i];
        if (!wba_str_eq(c->name, WBA_STR("signature-agent"))) {
            continue;
        }
        if (c->key.data == NULL) {
            out->whole = true;
        } else {
            out->keyed |= (uint64_t) 1 << i;
        }
    }
}

/* The components that cover a member of that key by ;key. */
static uint64_t
keyed_as(const coverage_t *coverage, wba_str_t key)
{
    uint64_t bits = 0;
    size_t i;

    for (i = 0; i < coverage->components->count; i++) {
        if ((coverage->keyed >> i & 1)
            && wba_str_eq(coverage->components->items[i].key, key))
        {
            bits |= (uint64_t) 1 << i;
        }
    }
    return bits;
}

/* Members come in the field's order; of equal keys the last one counts. */
static void
consider(choice_t *choice, wba_str_t label, wba_str_t key,
         const wba_sf_value_t *value)
{
    bool same = choice->any && wba_str_eq(choice->key, key);
    bool labelled = wba_str_eq(key, label);

    if (choice->any && !same) {
        choice->several = true;
    }
    if (!choice->any || same || labelled) {
        choice->key = key;
        choice->value = *value;
        choice->labelled = labelled;
    }
    choice->any = true;
}

static wba_reason_t
choose(wba_str_t field, wba_str_t label, const coverage_t *coverage,
       choice_t *choice)
{
    wba_sf_value_t value;
    wba_status_t status;
    uint64_t seen = 0, bits;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, field);
    while ((status = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        bits = keyed_as(coverage, key);
        seen |= bits;
        if (bits != 0 || coverage->whole) {
            consider(choice, label, key, &value);
        }
    }
    if (status != WBA_END) {
        return field_reason(status);
    }
    if (seen != coverage->keyed) {
        return WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING;
    }
    if (choice->several && !choice->labelled) {
        return WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER;
    }
    return WBA_REASON_OK;
}

/* The String form: one member, which no ;key can name. */
static wba_reason_t
choose_legacy(wba_str_t field, const coverage_t *coverage, choice_t *choice)
{
    wba_status_t status = wba_sf_item_parse(field, &choice->value);

    if (status != WBA_OK) {
        return field_reason(status);
    }
    if (coverage->keyed != 0) {
        return WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING;
    }
    choice->any = true;
    choice->key = WBA_STR("");
    return WBA_REASON_OK;
}

/* The chosen member's URL, which must be one that keys can be fetched from. */
static wba_reason_t
read_url(const wba_sf_value_t *value, const wba_mem_t *mem, wba_str_t *out)
{
    wba_str_t url, resolved;
    wba_status_t status;

    if (value->type != WBA_SF_STRING) {
        return WBA_REASON_SIGNATURE_AGENT_UNPARSABLE;
    }
    if (value->params.len != 0) {
        return WBA_REASON_SIGNATURE_AGENT_TYPED;
    }
    status = wba_sf_string(value, mem, &url);
    if (status == WBA_OK) {
        status = wba_agent_resolve(mem, url, &resolved);
    }
    if (status == WBA_UNSUPPORTED) {
        return WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS;
    }
    if (status == WBA_OK) {
        *out = url;
    }
    return field_reason(status);
}

static wba_reason_t
attribute(const wba_message_t *msg, wba_str_t label,
          const coverage_t *coverage, const wba_mem_t *mem,
          wba_sigagent_t *out)
{
    choice_t choice;
    wba_reason_t why;
    wba_status_t status;
    wba_str_t field;

    status = wba_message_field(msg, WBA_STR("signature-agent"), mem, &field);
    if (status == WBA_NOT_FOUND) {
        return WBA_REASON_OK;
    }
    if (status != WBA_OK) {
        return field_reason(status);
    }
    memset(&choice, 0, sizeof(choice));
    if (field.len != 0 && field.data[0] == '"') {
        why = choose_legacy(field, coverage, &choice);
    } else {
        why = choose(field, label, coverage, &choice);
    }
    if (why != WBA_REASON_OK || !choice.any) {
        return why;
    }
    out->key = choice.key;
    return read_url(&choice.value, mem, &out->url);
}

wba_status_t
wba_sigagent_attribute(const wba_message_t *msg, wba_str_t label,
                       const wba_components_t *components,
                       const wba_mem_t *mem, wba_sigagent_t *out,
                       wba_reason_t *why)
{
    coverage_t coverage;

    out->url = WBA_STR_NONE;
    out->key = WBA_STR_NONE;
    *why = WBA_REASON_OK;
    read_coverage(components, &coverage);
    if (coverage.whole || coverage.keyed != 0) {
        *why = attribute(msg, label, &coverage, mem, out);
    }
    if (*why == WBA_REASON_OUT_OF_MEMORY) {
        return WBA_NO_MEMORY;
    }
    return *why == WBA_REASON_OK ? WBA_OK : WBA_INVALID;
}
