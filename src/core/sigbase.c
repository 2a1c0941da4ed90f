/* SPDX-License-Identifier: BSD-2-Clause */
/* The signature base (RFC 9421 section 2.5) of a request or a response: what
 * each covered component's value is, a line for each, and the parameters'
 * line. */
#include "sigbase.h"

#include "fieldtype.h"
#include "form.h"
#include "uri.h"

typedef struct {
    const wba_message_t *msg;
    const wba_response_t *response; /* NULL: it is a request's base */
    wba_str_t authority;
    wba_str_t sent; /* data not NULL: wba_sigbase_build_as_sent's */
    const wba_components_t *components;
    const wba_mem_t *mem;
    wba_buf_t *out;

    wba_target_t target; /* parsed once it is needed */
    bool target_parsed;

    /* @query-param and ;key components, by index, as bits and elements.  All
     * of one query or field are looked up in a single pass over it: 64 passes
     * over a long one would cost an attacker little and us much. */
    uint64_t looked_up;
    uint64_t found;
    uint64_t repeated;
    wba_str_t params[WBA_MAX_COMPONENTS]; /* as received */
    wba_sf_value_t members[WBA_MAX_COMPONENTS];
} builder_t;

_Static_assert(WBA_MAX_COMPONENTS <= 64, "builder_t has one bit for each");

/* WBA_REASON_OK, or why the component has no value.  What sticks in out is
 * looked at by the caller. */
typedef wba_reason_t (*derive_pt)(builder_t *b, size_t at);

static const wba_target_t *
parsed_target(builder_t *b)
{
    const wba_message_ops_t *ops = b->msg->ops;

    if (!b->target_parsed) {
        wba_target_parse(ops->method(b->msg), ops->target(b->msg), &b->target);
        b->target_parsed = true;
    }
    return &b->target;
}

/* An absolute-form target must not name another authority than the one that
 * the operator vouches for. */
static wba_reason_t
check_target(builder_t *b)
{
    const wba_target_t *target = parsed_target(b);
    wba_str_t named;

    if (target->form == WBA_TARGET_BAD) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    if (target->form != WBA_TARGET_ABSOLUTE) {
        return WBA_REASON_OK;
    }
    switch (wba_authority_normalise(b->mem, target->authority, target->scheme,
                                    &named))
    {
    case WBA_OK:
        break;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    return wba_str_eq(named, b->authority) ? WBA_REASON_OK
                                           : WBA_REASON_AUTHORITY_NOT_SERVED;
}

static wba_reason_t
derive_method(builder_t *b, size_t at)
{
    wba_str_t method = b->msg->ops->method(b->msg);

    (void) at;
    wba_buf_str(b->out, method);
    return method.len ? WBA_REASON_OK : WBA_REASON_MISSING_COMPONENT;
}

static wba_reason_t
derive_authority(builder_t *b, size_t at)
{
    (void) at;
    wba_buf_str(b->out, b->authority);
    return b->authority.len ? WBA_REASON_OK : WBA_REASON_MISSING_COMPONENT;
}

static wba_reason_t
add_scheme(builder_t *b)
{
    wba_str_t scheme = b->msg->ops->scheme(b->msg);
    size_t i;

    for (i = 0; i < scheme.len; i++) {
        wba_buf_byte(b->out, wba_lower(scheme.data[i]));
    }
    return scheme.len ? WBA_REASON_OK : WBA_REASON_MISSING_COMPONENT;
}

/* An absolute-form target may not name another scheme than the connection
 * has: what was signed for https would stand for a request over http. */
static bool
scheme_differs(builder_t *b)
{
    const wba_target_t *target = parsed_target(b);

    return target->form == WBA_TARGET_ABSOLUTE
           && !wba_str_eq_nocase(target->scheme, b->msg->ops->scheme(b->msg));
}

static wba_reason_t
derive_scheme(builder_t *b, size_t at)
{
    (void) at;
    return scheme_differs(b) ? WBA_REASON_SCHEME_MISMATCH : add_scheme(b);
}

static wba_reason_t
derive_target_uri(builder_t *b, size_t at)
{
    const wba_target_t *target = parsed_target(b);
    wba_reason_t why = check_target(b);

    if (why != WBA_REASON_OK) {
        return why;
    }
    if (scheme_differs(b)) {
        return WBA_REASON_SCHEME_MISMATCH;
    }
    if (target->form != WBA_TARGET_ABSOLUTE) {
        why = add_scheme(b);
        if (why != WBA_REASON_OK) {
            return why;
        }
        wba_buf_lit(b->out, "://");
        why = derive_authority(b, at);
        if (target->form != WBA_TARGET_ORIGIN) {
            return why;
        }
    }
    wba_buf_str(b->out, b->msg->ops->target(b->msg));
    return why;
}

static wba_reason_t
derive_request_target(builder_t *b, size_t at)
{
    (void) at;
    wba_buf_str(b->out, b->msg->ops->target(b->msg));
    return check_target(b);
}

static wba_reason_t
derive_path(builder_t *b, size_t at)
{
    const wba_target_t *target = parsed_target(b);

    (void) at;
    if (target->form == WBA_TARGET_BAD) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    wba_buf_str(b->out, target->path.len ? target->path : WBA_STR("/"));
    if (b->sent.data != NULL && target->query.data != NULL) {
        wba_buf_byte(b->out, '?');
        wba_buf_str(b->out, target->query);
    }
    return WBA_REASON_OK;
}

static wba_reason_t
derive_query(builder_t *b, size_t at)
{
    const wba_target_t *target = parsed_target(b);

    (void) at;
    if (target->form == WBA_TARGET_BAD) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    wba_buf_byte(b->out, '?');
    wba_buf_str(b->out, target->query);
    return WBA_REASON_OK;
}

static bool
bit(uint64_t bits, size_t at)
{
    return (bits >> at & 1) != 0;
}

/* Finds the parameters that all the @query-param components ask for. */
static void
look_up_params(builder_t *b)
{
    const wba_components_t *list = b->components;
    wba_str_t query = b->target.query, name, value;
    uint64_t asked = 0, one;
    size_t i;

    for (i = 0; i < list->count; i++) {
        if (list->items[i].param.data != NULL) {
            asked |= (uint64_t) 1 << i;
        }
    }
    while (wba_form_next(&query, &name, &value)) {
        for (i = 0; i < list->count; i++) {
            if (bit(asked, i) && wba_form_name_is(name, list->items[i].param)) {
                one = (uint64_t) 1 << i;
                b->repeated |= b->found & one;
                b->found |= one;
                b->params[i] = value;
            }
        }
    }
    b->looked_up |= asked;
}

static wba_reason_t
derive_query_param(builder_t *b, size_t at)
{
    if (parsed_target(b)->form == WBA_TARGET_BAD) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    if (!bit(b->looked_up, at)) {
        look_up_params(b);
    }
    if (!bit(b->found, at)) {
        return WBA_REASON_MISSING_COMPONENT;
    }
    if (bit(b->repeated, at)) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    wba_form_write(b->out, b->params[at]);
    return WBA_REASON_OK;
}

/* clang-format off */
#define DERIVE(text, function) \
    { { sizeof(text) - 1, (const uint8_t *) (text) }, function }

static const struct {
    wba_str_t name;
    derive_pt derive;
} derivations[] = {
    DERIVE("@authority", derive_authority),
    DERIVE("@method", derive_method),
    DERIVE("@path", derive_path),
    DERIVE("@query", derive_query),
    DERIVE("@query-param", derive_query_param),
    DERIVE("@request-target", derive_request_target),
    DERIVE("@scheme", derive_scheme),
    DERIVE("@target-uri", derive_target_uri),
};
/* clang-format on */

/* @status (section 2.2.9). */
static wba_reason_t
add_status(builder_t *b)
{
    unsigned status = b->response->status;

    if (status < 100 || status > 999) {
        return WBA_REASON_MISSING_COMPONENT;
    }
    wba_buf_byte(b->out, (uint8_t) ('0' + status / 100));
    wba_buf_byte(b->out, (uint8_t) ('0' + status / 10 % 10));
    wba_buf_byte(b->out, (uint8_t) ('0' + status % 10));
    return WBA_REASON_OK;
}

/* What a response's signature covers of what is derived: its status, or with
 * ;req (section 2.4) what is known of the request. */
static wba_reason_t
add_response_derived(builder_t *b, wba_str_t name)
{
    wba_str_t value = WBA_STR_NONE;

    if (wba_str_eq(name, WBA_STR("@status"))) {
        return add_status(b);
    }
    if (wba_str_eq(name, WBA_STR("@authority"))) {
        value = b->response->authority;
    } else if (wba_str_eq(name, WBA_STR("@method"))) {
        value = b->response->method;
    } else if (wba_str_eq(name, WBA_STR("@scheme"))) {
        value = b->response->scheme;
    }
    wba_buf_str(b->out, value);
    return value.len ? WBA_REASON_OK : WBA_REASON_MISSING_COMPONENT;
}

static wba_reason_t
add_derived(builder_t *b, size_t at)
{
    wba_str_t name = b->components->items[at].name;
    size_t i;

    if (b->response != NULL) {
        return add_response_derived(b, name);
    }
    for (i = 0; i < sizeof(derivations) / sizeof(derivations[0]); i++) {
        if (wba_str_eq(derivations[i].name, name)) {
            return derivations[i].derive(b, at);
        }
    }
    return WBA_REASON_BAD_COMPONENT;
}

/* Why a field could not be read, or is not of its structured type. */
static wba_reason_t
field_reason(wba_status_t status)
{
    switch (status) {
    case WBA_OK:
        return WBA_REASON_OK;
    case WBA_NOT_FOUND:
        return WBA_REASON_MISSING_COMPONENT;
    case WBA_TOO_LARGE:
        return WBA_REASON_FIELD_TOO_LARGE;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    default:
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
}

/* What stuck in the buffer of the base. */
static wba_reason_t
buf_reason(const wba_buf_t *buf)
{
    switch (buf->status) {
    case WBA_OK:
        return WBA_REASON_OK;
    case WBA_NO_MEMORY:
        return WBA_REASON_OUT_OF_MEMORY;
    case WBA_TOO_LARGE:
        return WBA_REASON_SIGNATURE_BASE_TOO_LARGE;
    default:
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
}

/* ;sf (section 2.1.1).  What the parser says sticks in out as well, and more
 * members than it takes cannot be told from a base that is full. */
static wba_reason_t
add_canonical(builder_t *b, wba_str_t name, wba_str_t field)
{
    switch (wba_fieldtype_find(name)) {
    case WBA_FIELDTYPE_DICTIONARY:
        (void) wba_sf_canonical_dict(b->out, field);
        break;
    case WBA_FIELDTYPE_LIST:
        (void) wba_sf_canonical_list(b->out, field);
        break;
    case WBA_FIELDTYPE_ITEM:
        (void) wba_sf_canonical_item(b->out, field);
        break;
    default:
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    return buf_reason(b->out);
}

/* Finds the members that the ;key components of field name ask for. */
static wba_reason_t
look_up_members(builder_t *b, wba_str_t name)
{
    const wba_components_t *list = b->components;
    wba_str_t field, key;
    wba_sf_value_t value;
    wba_status_t status;
    wba_sf_iter_t it;
    uint64_t asked = 0;
    size_t i;

    status = wba_message_field(b->msg, name, b->mem, &field);
    if (status != WBA_OK) {
        return field_reason(status);
    }
    if (wba_fieldtype_find(name) != WBA_FIELDTYPE_DICTIONARY) {
        return WBA_REASON_BAD_COMPONENT_VALUE;
    }
    for (i = 0; i < list->count; i++) {
        if (list->items[i].key.data && wba_str_eq(list->items[i].name, name)) {
            asked |= (uint64_t) 1 << i;
        }
    }
    wba_sf_dict_init(&it, field);
    while ((status = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        for (i = 0; i < list->count; i++) {
            if (bit(asked, i) && wba_str_eq(list->items[i].key, key)) {
                b->members[i] = value;
                b->found |= (uint64_t) 1 << i;
            }
        }
    }
    b->looked_up |= asked;
    return status == WBA_END ? WBA_REASON_OK : field_reason(status);
}

/* ;key (section 2.1.2). */
static wba_reason_t
add_member(builder_t *b, const wba_component_t *c, size_t at)
{
    wba_reason_t why;

    if (!bit(b->looked_up, at)) {
        why = look_up_members(b, c->name);
        if (why != WBA_REASON_OK) {
            return why;
        }
    }
    if (bit(b->found, at)) {
        wba_sf_write_value(b->out, &b->members[at]);
        return WBA_REASON_OK;
    }
    return wba_str_eq(c->name, WBA_STR("signature-agent"))
               ? WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING
               : WBA_REASON_MISSING_COMPONENT;
}

/* ;bs (section 2.1.3).  Cookie crumbs are no lines: whoever made them was free
 * to cut where it liked, and the signer may not have known. */
static wba_reason_t
add_lines_as_bytes(builder_t *b, const wba_component_t *c)
{
    wba_str_t line, value;
    wba_status_t status;
    uintptr_t cursor = 0;
    size_t total = 0;
    bool first = true;

    if (wba_str_eq(c->name, WBA_STR("cookie"))
        && b->msg->ops->multiplexed(b->msg))
    {
        status = wba_message_field(b->msg, c->name, b->mem, &value);
        if (status == WBA_OK) {
            wba_sf_write_bytes(b->out, value.data, value.len);
        }
        return field_reason(status);
    }
    while (b->msg->ops->next_line(b->msg, c->name, &cursor, &line) == WBA_OK) {
        status = wba_message_unfold(line, b->mem, &value);
        total += value.len;
        if (status != WBA_OK || total > WBA_MAX_FIELD) {
            return field_reason(status != WBA_OK ? status : WBA_TOO_LARGE);
        }
        if (!first) {
            wba_buf_lit(b->out, ", ");
        }
        wba_sf_write_bytes(b->out, value.data, value.len);
        first = false;
    }
    return first ? WBA_REASON_MISSING_COMPONENT : WBA_REASON_OK;
}

static wba_reason_t
add_field(builder_t *b, const wba_component_t *c, size_t at)
{
    wba_status_t status;
    wba_str_t field;

    if (c->req) {
        return WBA_REASON_MISSING_COMPONENT; /* nobody keeps its fields */
    }
    if (c->key.data != NULL) {
        return add_member(b, c, at);
    }
    if (c->bs) {
        return add_lines_as_bytes(b, c);
    }
    status = wba_message_field(b->msg, c->name, b->mem, &field);
    if (status != WBA_OK) {
        return field_reason(status);
    }
    if (c->sf) {
        return add_canonical(b, c->name, field);
    }
    wba_buf_str(b->out, field);
    return WBA_REASON_OK;
}

/* Whether a value may stand in the base: ASCII, no control character.  HTAB is
 * one that a field's value may hold (section 2.5's field-content). */
static bool
is_clean(const uint8_t *p, const uint8_t *end, bool tab)
{
    for (; p != end; p++) {
        if ((*p < 0x20 && !(tab && *p == '\t')) || *p > 0x7e) {
            return false;
        }
    }
    return true;
}

static wba_reason_t
add_line(builder_t *b, const wba_sf_value_t *item, size_t at)
{
    const wba_component_t *c = &b->components->items[at];
    bool derived = c->name.data[0] == '@';
    wba_buf_t *out = b->out;
    wba_reason_t why;
    size_t start;

    wba_sf_write_value(out, item);
    wba_buf_lit(out, ": ");
    start = out->len;
    why = derived ? add_derived(b, at) : add_field(b, c, at);
    if (why == WBA_REASON_OK) {
        why = buf_reason(out);
    }
    if (why == WBA_REASON_OK
        && !is_clean(out->data + start, out->data + out->len, !derived))
    {
        why = WBA_REASON_BAD_COMPONENT_VALUE;
    }
    wba_buf_byte(out, '\n');
    return why;
}

static wba_reason_t
add_all(builder_t *b, const wba_sf_value_t *list, size_t *at)
{
    wba_sf_value_t item;
    wba_sf_iter_t it;
    wba_reason_t why;

    wba_sf_inner_init(&it, list);
    for (*at = 0; *at < b->components->count; (*at)++) {
        if (wba_sf_inner_next(&it, &item) != WBA_OK) {
            return WBA_REASON_BAD_COMPONENT;
        }
        why = add_line(b, &item, *at);
        if (why != WBA_REASON_OK) {
            return why;
        }
    }
    wba_buf_lit(b->out, "\"@signature-params\": ");
    if (b->sent.data != NULL) {
        wba_buf_str(b->out, b->sent);
    } else {
        wba_sf_write_value(b->out, list);
    }
    return buf_reason(b->out);
}

static wba_status_t
build(builder_t *b, const wba_sf_value_t *list,
      const wba_components_t *components, const wba_mem_t *mem, wba_buf_t *out,
      wba_reason_t *why, size_t *at)
{
    b->components = components;
    b->mem = mem;
    b->out = out;
    b->target_parsed = false;
    b->looked_up = 0;
    b->found = 0;
    b->repeated = 0;
    *why = add_all(b, list, at);
    switch (*why) {
    case WBA_REASON_OK:
        return WBA_OK;
    case WBA_REASON_OUT_OF_MEMORY:
        return WBA_NO_MEMORY;
    case WBA_REASON_FIELD_TOO_LARGE:
    case WBA_REASON_SIGNATURE_BASE_TOO_LARGE:
        return WBA_TOO_LARGE;
    default:
        return WBA_INVALID;
    }
}

wba_status_t
wba_sigbase_build_as_sent(const wba_message_t *msg, wba_str_t authority,
                          const wba_sf_value_t *list, wba_str_t sent,
                          const wba_components_t *components,
                          const wba_mem_t *mem, wba_buf_t *out,
                          wba_reason_t *why, size_t *at)
{
    builder_t b;

    b.msg = msg;
    b.response = NULL;
    b.authority = authority;
    b.sent = sent;
    return build(&b, list, components, mem, out, why, at);
}

wba_status_t
wba_sigbase_build(const wba_message_t *msg, wba_str_t authority,
                  const wba_sf_value_t *list,
                  const wba_components_t *components, const wba_mem_t *mem,
                  wba_buf_t *out, wba_reason_t *why, size_t *at)
{
    return wba_sigbase_build_as_sent(msg, authority, list, WBA_STR_NONE,
                                     components, mem, out, why, at);
}

/* No response has Cookie crumbs to be joined. */
static bool
never_multiplexed(const wba_message_t *msg)
{
    (void) msg;
    return false;
}

wba_status_t
wba_sigbase_build_response(const wba_response_t *response,
                           const wba_sf_value_t *list,
                           const wba_components_t *components,
                           const wba_mem_t *mem, wba_buf_t *out,
                           wba_reason_t *why, size_t *at)
{
    const wba_message_ops_t ops = {
        .next_line = response->message->ops->next_line,
        .multiplexed = never_multiplexed,
    };
    const wba_message_t msg = { .ops = &ops, .ctx = response->message->ctx };
    builder_t b;

    b.msg = &msg;
    b.response = response;
    b.authority = WBA_STR_NONE;
    b.sent = WBA_STR_NONE;
    return build(&b, list, components, mem, out, why, at);
}
