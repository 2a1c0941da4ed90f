/* SPDX-License-Identifier: BSD-2-Clause */
/* Component identifiers (RFC 9421 sections 2.1, 2.2, 2.4 and 2.5): which are
 * legal in a request or a response, when two are the same, and what a list of
 * them covers. */
#include "sigbase.h"

/* The parameters with a meaning.  ;req has none in a request, hence is as bad
 * there as unknown ones, and so is ;tr anywhere: nobody here sees trailers. */
typedef enum {
    PARAM_SF,
    PARAM_BS,
    PARAM_KEY,
    PARAM_NAME,
    PARAM_REQ,
    PARAM_COUNT
} param_t;

#define REQUEST_PARAMS PARAM_REQ /* how many of them a request knows */

typedef struct {
    bool present[PARAM_COUNT];
    wba_sf_value_t value[PARAM_COUNT]; /* where present: the last one */
} params_t;

/* clang-format off */
#define NAME(text) { sizeof(text) - 1, (const uint8_t *) (text) }
/* clang-format on */

static const wba_str_t param_names[PARAM_COUNT] = {
    NAME("sf"),
    NAME("bs"),
    NAME("key"),
    NAME("name"),
    NAME("req"),
};

/* Section 2.2 without @status, which is a response's, and @query-param, which
 * has a parameter. */
static const wba_str_t derived_names[] = {
    NAME("@authority"), NAME("@method"),         NAME("@path"),
    NAME("@query"),     NAME("@request-target"), NAME("@scheme"),
    NAME("@target-uri"),
};

static bool
is_query_param(wba_str_t name)
{
    return wba_str_eq(name, WBA_STR("@query-param"));
}

static bool
is_derived(wba_str_t name)
{
    size_t i;

    for (i = 0; i < sizeof(derived_names) / sizeof(derived_names[0]); i++) {
        if (wba_str_eq(derived_names[i], name)) {
            return true;
        }
    }
    return is_query_param(name);
}

wba_str_t
wba_component_derived_at(size_t i)
{
    size_t n = sizeof(derived_names) / sizeof(derived_names[0]);

    if (i < n) {
        return derived_names[i];
    }
    return i == n ? WBA_STR("@query-param") : WBA_STR_NONE;
}

/* A field name (RFC 9110 section 5.1) in lower case. */
static bool
is_field_name(wba_str_t name)
{
    size_t i;
    uint8_t c;

    for (i = 0; i < name.len; i++) {
        c = name.data[i];
        if (!wba_is_tchar(c) || c != wba_lower(c)) {
            return false;
        }
    }
    return name.len != 0;
}

static bool
is_name(wba_str_t name)
{
    if (name.len != 0 && name.data[0] == '@') {
        return is_derived(name);
    }
    return is_field_name(name);
}

static bool
is_status(wba_str_t name)
{
    return wba_str_eq(name, WBA_STR("@status"));
}

/* known: how many of the parameters are legal. */
static bool
read_params(wba_str_t text, unsigned known, params_t *params)
{
    wba_sf_value_t value;
    wba_status_t status;
    wba_sf_iter_t it;
    wba_str_t key;
    unsigned i;

    wba_sf_params_init(&it, text);
    while ((status = wba_sf_params_next(&it, &key, &value)) == WBA_OK) {
        for (i = 0; i < known; i++) {
            if (wba_str_eq(param_names[i], key)) {
                break;
            }
        }
        if (i == known || it.count > WBA_MAX_COMPONENT_PARAMS) {
            return false;
        }
        params->present[i] = true;
        params->value[i] = value;
    }
    return status == WBA_END;
}

/* An absent flag is false, a present one must be true. */
static wba_status_t
read_flag(const params_t *params, param_t which, bool *out)
{
    const wba_sf_value_t *value = &params->value[which];

    *out = params->present[which];
    if (*out && !(value->type == WBA_SF_BOOLEAN && value->boolean)) {
        return WBA_INVALID;
    }
    return WBA_OK;
}

static wba_status_t
read_string(const params_t *params, param_t which, const wba_mem_t *mem,
            wba_str_t *out)
{
    if (!params->present[which]) {
        return WBA_OK;
    }
    if (params->value[which].type != WBA_SF_STRING) {
        return WBA_INVALID;
    }
    return wba_sf_string(&params->value[which], mem, out);
}

/* Whether the parameters are ones that a component of this name can have. */
static bool
params_apply(const wba_component_t *c)
{
    if (is_query_param(c->name)) {
        return c->param.data != NULL && !c->sf && !c->bs && !c->key.data;
    }
    if (c->name.data[0] == '@') {
        return !c->param.data && !c->sf && !c->bs && !c->key.data;
    }
    return !c->param.data && !(c->bs && (c->sf || c->key.data));
}

/* Whether a response can have the component (sections 2.2 and 2.4): of what is
 * derived it has its own status; the rest is the request's, and says so. */
static bool
response_has(const wba_component_t *c)
{
    return c->name.data[0] != '@' || is_status(c->name) != c->req;
}

static wba_status_t
parse_params(wba_str_t text, bool response, const wba_mem_t *mem,
             wba_component_t *out)
{
    params_t params;
    wba_status_t status;

    memset(params.present, 0, sizeof(params.present));
    if (!read_params(text, response ? PARAM_COUNT : REQUEST_PARAMS, &params)) {
        return WBA_INVALID;
    }
    if ((status = read_flag(&params, PARAM_SF, &out->sf)) != WBA_OK
        || (status = read_flag(&params, PARAM_BS, &out->bs)) != WBA_OK
        || (status = read_flag(&params, PARAM_REQ, &out->req)) != WBA_OK
        || (status = read_string(&params, PARAM_KEY, mem, &out->key)) != WBA_OK)
    {
        return status;
    }
    return read_string(&params, PARAM_NAME, mem, &out->param);
}

static wba_status_t
parse(const wba_sf_value_t *item, bool response, const wba_mem_t *mem,
      wba_component_t *out, wba_reason_t *why)
{
    wba_status_t status = WBA_OK;

    *why = WBA_REASON_BAD_COMPONENT;
    memset(out, 0, sizeof(*out));
    /* No name holds a character that would need an escape. */
    if (item->type != WBA_SF_STRING || item->escaped
        || !(is_name(item->text) || (response && is_status(item->text))))
    {
        return WBA_INVALID;
    }
    out->name = item->text;
    if (item->params.len != 0) {
        status = parse_params(item->params, response, mem, out);
    }
    if (status == WBA_NO_MEMORY) {
        *why = WBA_REASON_OUT_OF_MEMORY;
        return status;
    }
    if (status != WBA_OK || !params_apply(out)
        || (response && !response_has(out)))
    {
        return WBA_INVALID;
    }
    return WBA_OK;
}

wba_status_t
wba_component_parse(const wba_sf_value_t *item, const wba_mem_t *mem,
                    wba_component_t *out, wba_reason_t *why)
{
    return parse(item, false, mem, out, why);
}

/* Absent and empty are two things. */
static bool
same_string(wba_str_t a, wba_str_t b)
{
    if (a.data == NULL || b.data == NULL) {
        return a.data == b.data;
    }
    return wba_str_eq(a, b);
}

bool
wba_component_eq(const wba_component_t *a, const wba_component_t *b)
{
    return wba_str_eq(a->name, b->name) && a->bs == b->bs && a->req == b->req
           && same_string(a->key, b->key) && same_string(a->param, b->param)
           && (a->sf == b->sf || a->key.data != NULL);
}

wba_status_t
wba_component_from_text(wba_str_t text, const wba_mem_t *mem,
                        wba_component_t *out)
{
    wba_sf_value_t item;
    wba_reason_t why;

    if (text.len != 0 && text.data[0] == '"') {
        if (wba_sf_item_parse(text, &item) != WBA_OK) {
            return WBA_INVALID;
        }
        return wba_component_parse(&item, mem, out, &why);
    }
    memset(out, 0, sizeof(*out));
    if (!is_name(text)) {
        return WBA_INVALID;
    }
    out->name = text;
    return params_apply(out) ? WBA_OK : WBA_INVALID;
}

static bool
occurs_before(const wba_components_t *list, size_t at)
{
    size_t i;

    for (i = 0; i < at; i++) {
        if (wba_component_eq(&list->items[i], &list->items[at])) {
            return true;
        }
    }
    return false;
}

static wba_status_t
parse_list(const wba_sf_value_t *list, bool response, const wba_mem_t *mem,
           wba_components_t *out, wba_reason_t *why)
{
    wba_sf_value_t item;
    wba_status_t status;
    wba_sf_iter_t it;

    out->count = 0;
    *why = WBA_REASON_BAD_COMPONENT;
    if (list->type != WBA_SF_INNER_LIST) {
        return WBA_INVALID;
    }
    wba_sf_inner_init(&it, list);
    while ((status = wba_sf_inner_next(&it, &item)) == WBA_OK) {
        if (out->count == WBA_MAX_COMPONENTS) {
            *why = WBA_REASON_TOO_MANY_COMPONENTS;
            return WBA_TOO_LARGE;
        }
        status = parse(&item, response, mem, &out->items[out->count], why);
        if (status != WBA_OK) {
            return status;
        }
        if (occurs_before(out, out->count)) {
            *why = WBA_REASON_DUPLICATE_COMPONENT;
            return WBA_INVALID;
        }
        out->count++;
    }
    return status == WBA_END ? WBA_OK : WBA_INVALID;
}

wba_status_t
wba_components_parse(const wba_sf_value_t *list, const wba_mem_t *mem,
                     wba_components_t *out, wba_reason_t *why)
{
    return parse_list(list, false, mem, out, why);
}

wba_status_t
wba_components_parse_response(const wba_sf_value_t *list, const wba_mem_t *mem,
                              wba_components_t *out, wba_reason_t *why)
{
    return parse_list(list, true, mem, out, why);
}

bool
wba_components_cover(const wba_components_t *list,
                     const wba_component_t *required)
{
    bool whole = !required->sf && !required->bs && required->key.data == NULL
                 && required->param.data == NULL;
    const wba_component_t *c;
    size_t i;

    for (i = 0; i < list->count; i++) {
        c = &list->items[i];
        if (whole ? wba_str_eq(c->name, required->name) && c->key.data == NULL
                        && c->req == required->req
                  : wba_component_eq(c, required))
        {
            return true;
        }
    }
    return false;
}

bool
wba_components_cover_target(const wba_components_t *list)
{
    size_t i;

    for (i = 0; i < list->count; i++) {
        if (wba_str_eq(list->items[i].name, WBA_STR("@authority"))
            || wba_str_eq(list->items[i].name, WBA_STR("@target-uri")))
        {
            return true;
        }
    }
    return false;
}
