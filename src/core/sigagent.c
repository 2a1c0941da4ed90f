/* SPDX-License-Identifier: BSD-2-Clause */
/* To whom a signature is attributed: the Signature-Agent member that it covers
 * (draft-ietf-webbotauth-httpsig-protocol; the String form is
 * draft-meunier-web-bot-auth-architecture's). */
#include "profile.h"
#include "siginput.h"
#include "uri.h"

/* What the components say about Signature-Agent. */
typedef struct {
    const wba_components_t *components;
    bool whole;
    uint64_t keyed; /* those with ;key, a bit for each */
} coverage_t;

_Static_assert(WBA_MAX_COMPONENTS <= 64, "coverage_t has one bit for each");

/* A covered member that may be the one. */
typedef struct {
    wba_str_t key;
    wba_sf_value_t value;
    wba_agent_type_t type;
} member_t;

/* Candidates at one time, of which at most one can be chosen in the end: more
 * than two are only kept because a later member of the same key may take one
 * away again. */
#define MAX_MEMBERS 8

typedef struct {
    wba_str_t label;
    unsigned lenient;
    member_t members[MAX_MEMBERS]; /* with different keys */
    size_t count;
    bool crowded;         /* there were more */
    wba_reason_t ignored; /* OK, or what those that were passed over lack */
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

/* What a member's parameters make of its URL.  False: they are not ones that
 * are honoured here. */
static bool
read_type(const wba_sf_value_t *member, unsigned lenient,
          wba_agent_type_t *out)
{
    wba_sf_value_t value;
    wba_sf_iter_t it;
    wba_str_t name;

    *out = WBA_AGENT_TYPE_NONE;
    if (member->params.len == 0) {
        return true;
    }
    wba_sf_params_init(&it, member->params);
    if (!(lenient & WBA_LENIENT_AGENT_TYPE) || member->type != WBA_SF_STRING
        || wba_sf_params_next(&it, &name, &value) != WBA_OK
        || !wba_str_eq(name, WBA_STR("type"))
        || (value.type != WBA_SF_TOKEN && value.type != WBA_SF_STRING))
    {
        return false;
    }
    if (wba_str_eq(value.text, WBA_STR("directory"))) {
        *out = WBA_AGENT_TYPE_DIRECTORY;
    } else if (wba_str_eq(value.text, WBA_STR("jwks_uri"))) {
        *out = WBA_AGENT_TYPE_JWKS_URI;
    } else {
        return false;
    }
    return wba_sf_params_next(&it, &name, &value) == WBA_END;
}

/* The candidate of that key, or where the next one goes. */
static member_t *
place_of(choice_t *choice, wba_str_t key)
{
    member_t *m = choice->members;

    while (m < choice->members + choice->count && !wba_str_eq(m->key, key)) {
        m++;
    }
    return m;
}

/* A member that does not count: of equal keys the last one would have, so that
 * an earlier one does not either. */
static void
pass_over(choice_t *choice, wba_str_t key, const wba_sf_value_t *value)
{
    member_t *m = place_of(choice, key);

    if (m < choice->members + choice->count) {
        *m = choice->members[--choice->count];
    }
    if (value->type == WBA_SF_STRING) {
        choice->ignored = WBA_REASON_SIGNATURE_AGENT_TYPED;
    } else if (choice->ignored == WBA_REASON_OK) {
        choice->ignored = WBA_REASON_SIGNATURE_AGENT_UNPARSABLE;
    }
}

/* Covered members come in the field's order; of equal keys the last counts. */
static void
consider(choice_t *choice, wba_str_t key, const wba_sf_value_t *value)
{
    wba_agent_type_t type;
    member_t *m;

    if (!read_type(value, choice->lenient, &type)) {
        pass_over(choice, key, value);
        return;
    }
    m = place_of(choice, key);
    if (m == choice->members + MAX_MEMBERS) {
        choice->crowded = true;
        if (!wba_str_eq(key, choice->label)) {
            return;
        }
        m--; /* with one that bears the label, the others are of no interest */
    } else if (m == choice->members + choice->count) {
        choice->count++;
    }
    m->key = key;
    m->value = *value;
    m->type = type;
}

/* The one among the candidates, NULL where there are none. */
static wba_reason_t
pick(choice_t *choice, const member_t **chosen)
{
    member_t *labelled = place_of(choice, choice->label);

    *chosen = NULL;
    if (labelled < choice->members + choice->count) {
        *chosen = labelled;
    } else if (choice->crowded || choice->count > 1) {
        return WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER;
    } else if (choice->count == 1) {
        *chosen = choice->members;
    } else {
        return choice->ignored;
    }
    return WBA_REASON_OK;
}

static wba_reason_t
choose(wba_str_t field, const coverage_t *coverage, choice_t *choice)
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
            consider(choice, key, &value);
        }
    }
    if (status != WBA_END) {
        return field_reason(status);
    }
    return seen == coverage->keyed
               ? WBA_REASON_OK
               : WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING;
}

/* The String form: one member, which no ;key can name. */
static wba_reason_t
choose_legacy(wba_str_t field, const coverage_t *coverage, choice_t *choice)
{
    wba_sf_value_t value;
    wba_status_t status = wba_sf_item_parse(field, &value);

    if (status != WBA_OK) {
        return field_reason(status);
    }
    if (coverage->keyed != 0) {
        return WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING;
    }
    consider(choice, WBA_STR(""), &value);
    return WBA_REASON_OK;
}

/* Whether the whole field is a URL and no structured field at all. */
static bool
is_bare_url(wba_str_t field)
{
    static const wba_str_t scheme = { 8, (const uint8_t *) "https://" };
    size_t i;

    if (field.len <= scheme.len
        || !wba_str_eq_nocase(wba_str(field.data, scheme.len), scheme))
    {
        return false;
    }
    for (i = 0; i < field.len; i++) {
        if (field.data[i] <= ' ' || field.data[i] == 0x7f
            || field.data[i] == ',')
        {
            return false;
        }
    }
    return true;
}

/* Where a URL's keys are, which must be a place that they can be fetched
 * from. */
static wba_reason_t
locate(wba_str_t url, wba_agent_type_t type, const wba_mem_t *mem,
       wba_sigagent_t *out)
{
    wba_str_t resolved, identity;
    wba_status_t status;

    status = wba_agent_locate(mem, url, type, &resolved, &identity);
    if (status == WBA_UNSUPPORTED) {
        return WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS;
    }
    if (status == WBA_OK) {
        out->url = url;
        out->resolved = resolved;
        out->identity = identity;
    }
    return field_reason(status);
}

static wba_reason_t
read_bare(wba_str_t field, const coverage_t *coverage, unsigned lenient,
          const wba_mem_t *mem, wba_sigagent_t *out)
{
    if (!(lenient & WBA_LENIENT_UNQUOTED_AGENT)) {
        return WBA_REASON_SIGNATURE_AGENT_UNQUOTED;
    }
    if (coverage->keyed != 0) {
        return WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING;
    }
    out->key = WBA_STR("");
    out->lenient = WBA_LENIENT_UNQUOTED_AGENT;
    return locate(field, WBA_AGENT_TYPE_NONE, mem, out);
}

static wba_reason_t
read_member(const member_t *member, const wba_mem_t *mem, wba_sigagent_t *out)
{
    wba_status_t status;
    wba_str_t url;

    if (member->value.type != WBA_SF_STRING) {
        return WBA_REASON_SIGNATURE_AGENT_UNPARSABLE;
    }
    status = wba_sf_string(&member->value, mem, &url);
    if (status != WBA_OK) {
        return field_reason(status);
    }
    out->key = member->key;
    if (member->type != WBA_AGENT_TYPE_NONE) {
        out->lenient = WBA_LENIENT_AGENT_TYPE;
    }
    return locate(url, member->type, mem, out);
}

static wba_reason_t
attribute(const wba_message_t *msg, wba_str_t label,
          const coverage_t *coverage, unsigned lenient, const wba_mem_t *mem,
          wba_sigagent_t *out)
{
    choice_t choice = { .label = label, .lenient = lenient };
    const member_t *chosen = NULL;
    wba_status_t status;
    wba_reason_t why;
    wba_str_t field;

    status = wba_message_field(msg, WBA_STR("signature-agent"), mem, &field);
    if (status == WBA_NOT_FOUND) {
        return WBA_REASON_OK;
    }
    if (status != WBA_OK) {
        return field_reason(status);
    }
    if (is_bare_url(field)) {
        return read_bare(field, coverage, lenient, mem, out);
    }
    if (field.len != 0 && field.data[0] == '"') {
        why = choose_legacy(field, coverage, &choice);
    } else {
        why = choose(field, coverage, &choice);
    }
    if (why == WBA_REASON_OK) {
        why = pick(&choice, &chosen);
    }
    if (why != WBA_REASON_OK || chosen == NULL) {
        return why;
    }
    return read_member(chosen, mem, out);
}

wba_status_t
wba_sigagent_attribute(const wba_message_t *msg, wba_str_t label,
                       const wba_components_t *components, unsigned lenient,
                       const wba_mem_t *mem, wba_sigagent_t *out,
                       wba_reason_t *why)
{
    coverage_t coverage;

    memset(out, 0, sizeof(*out));
    *why = WBA_REASON_OK;
    read_coverage(components, &coverage);
    if (coverage.whole || coverage.keyed != 0) {
        *why = attribute(msg, label, &coverage, lenient, mem, out);
    }
    if (*why == WBA_REASON_OUT_OF_MEMORY) {
        return WBA_NO_MEMORY;
    }
    return *why == WBA_REASON_OK ? WBA_OK : WBA_INVALID;
}
