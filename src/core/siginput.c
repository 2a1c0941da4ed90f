/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of Signature-Input and Signature as typed records (RFC 9421 sections
 * 2.3, 4.1 and 4.2). */
#include "siginput.h"

#define MAX_ALG 64 /* bytes; the longest registered name has 17 */

typedef enum {
    PARAM_CREATED,
    PARAM_EXPIRES,
    PARAM_KEYID,
    PARAM_ALG,
    PARAM_NONCE,
    PARAM_TAG,
    PARAM_COUNT
} param_t;

typedef struct {
    bool present[PARAM_COUNT];
    wba_sf_value_t value[PARAM_COUNT]; /* where present: the last one */
} params_t;

/* clang-format off */
#define NAME(text) { sizeof(text) - 1, (const uint8_t *) (text) }
/* clang-format on */

static const wba_str_t param_names[PARAM_COUNT] = {
    NAME("created"), NAME("expires"), NAME("keyid"),
    NAME("alg"),     NAME("nonce"),   NAME("tag"),
};

/* What wba_siginput_parse returns with why. */
static wba_status_t
refuse(wba_reason_t *why, wba_reason_t reason)
{
    *why = reason;
    return reason == WBA_REASON_OUT_OF_MEMORY ? WBA_NO_MEMORY : WBA_INVALID;
}

wba_str_t
wba_siginput_tag(const wba_sf_value_t *member, const wba_mem_t *mem)
{
    wba_str_t key, tag = WBA_STR_NONE;
    wba_sf_value_t value, last;
    bool found = false;
    wba_sf_iter_t it;

    wba_sf_params_init(&it, member->params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        if (wba_str_eq(key, param_names[PARAM_TAG])) {
            last = value;
            found = true;
        }
    }
    if (!found || last.type != WBA_SF_STRING
        || wba_sf_string(&last, mem, &tag) != WBA_OK)
    {
        return WBA_STR_NONE;
    }
    return tag;
}

/* Parameters with names of their own count towards the limit, but no more.
 * All are read even where they are too many: one may be the tag. */
static wba_status_t
read_params(wba_str_t text, params_t *params)
{
    wba_sf_value_t value;
    wba_status_t status;
    wba_sf_iter_t it;
    wba_str_t key;
    unsigned i;

    memset(params->present, 0, sizeof(params->present));
    wba_sf_params_init(&it, text);
    while ((status = wba_sf_params_next(&it, &key, &value)) == WBA_OK) {
        for (i = 0; i < PARAM_COUNT; i++) {
            if (wba_str_eq(param_names[i], key)) {
                params->present[i] = true;
                params->value[i] = value;
                break;
            }
        }
    }
    if (status != WBA_END) {
        return status;
    }
    return it.count > WBA_MAX_SIGNATURE_PARAMS ? WBA_TOO_LARGE : WBA_OK;
}

static wba_reason_t
read_time(const params_t *params, param_t which, bool *has, int64_t *out)
{
    *has = params->present[which];
    *out = 0;
    if (!*has) {
        return WBA_REASON_OK;
    }
    if (params->value[which].type != WBA_SF_INTEGER) {
        return WBA_REASON_SIGNATURE_INPUT_UNREADABLE;
    }
    *out = params->value[which].integer;
    return WBA_REASON_OK;
}

static wba_reason_t
read_string(const params_t *params, param_t which, size_t max,
            const wba_mem_t *mem, wba_str_t *out)
{
    *out = WBA_STR_NONE;
    if (!params->present[which]) {
        return WBA_REASON_OK;
    }
    if (params->value[which].type != WBA_SF_STRING) {
        return WBA_REASON_SIGNATURE_INPUT_UNREADABLE;
    }
    if (wba_sf_string(&params->value[which], mem, out) != WBA_OK) {
        return WBA_REASON_OUT_OF_MEMORY;
    }
    return out->len > max ? WBA_REASON_FIELD_TOO_LARGE : WBA_REASON_OK;
}

static wba_reason_t
read_all(const params_t *params, const wba_mem_t *mem, wba_siginput_t *out)
{
    wba_reason_t why;

    if ((why = read_time(params, PARAM_CREATED, &out->has_created,
                         &out->created)) != WBA_REASON_OK
        || (why = read_time(params, PARAM_EXPIRES, &out->has_expires,
                            &out->expires)) != WBA_REASON_OK
        || (why = read_string(params, PARAM_KEYID, WBA_MAX_KEYID, mem,
                              &out->keyid)) != WBA_REASON_OK
        || (why = read_string(params, PARAM_ALG, MAX_ALG, mem, &out->alg))
               != WBA_REASON_OK
        || (why = read_string(params, PARAM_NONCE, WBA_MAX_NONCE, mem,
                              &out->nonce)) != WBA_REASON_OK)
    {
        return why;
    }
    if (params->present[PARAM_TAG] && out->tag.data == NULL) {
        return WBA_REASON_SIGNATURE_INPUT_UNREADABLE; /* it is no String */
    }
    return out->tag.len > WBA_MAX_TAG ? WBA_REASON_FIELD_TOO_LARGE
                                      : WBA_REASON_OK;
}

wba_status_t
wba_siginput_parse(wba_str_t label, const wba_sf_value_t *member,
                   const wba_mem_t *mem, wba_siginput_t *out,
                   wba_reason_t *why)
{
    params_t params;
    wba_status_t status;

    memset(out, 0, sizeof(*out));
    out->label = label;
    out->list = *member;
    out->sent = member->raw;
    status = read_params(member->params, &params);
    *why = read_string(&params, PARAM_TAG, SIZE_MAX, mem, &out->tag);
    if (*why == WBA_REASON_OUT_OF_MEMORY) {
        return refuse(why, *why);
    }
    if (member->type != WBA_SF_INNER_LIST) {
        return refuse(why, WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    }
    if (label.len > WBA_MAX_LABEL) {
        return refuse(why, WBA_REASON_FIELD_TOO_LARGE);
    }
    if (status != WBA_OK) {
        return refuse(why, status == WBA_TOO_LARGE
                               ? WBA_REASON_FIELD_TOO_LARGE
                               : WBA_REASON_SIGNATURE_INPUT_UNREADABLE);
    }
    *why = read_all(&params, mem, out);
    return *why == WBA_REASON_OK ? WBA_OK : refuse(why, *why);
}

/* The length of the quoted string at the start of s, its quotes included. */
static size_t
quoted_length(wba_str_t s)
{
    size_t i;

    for (i = 1; i < s.len; i++) {
        if (s.data[i] == '"') {
            return i + 1;
        }
        if (s.data[i] == '\\') {
            i++;
        }
    }
    return s.len;
}

/* Whether a word with an upper-case letter in it stands at the start of s,
 * before '='.  *len: the word's length. */
static bool
upper_key_at(wba_str_t s, size_t *len)
{
    bool upper = false;
    size_t i;
    uint8_t c;

    for (i = 0; i < s.len; i++) {
        c = s.data[i];
        upper = upper || c != wba_lower(c);
        if (!wba_is_tchar(c)) {
            break;
        }
    }
    *len = i;
    return upper && i < s.len && s.data[i] == '=';
}

bool
wba_siginput_has_upper_key(wba_str_t field)
{
    bool after_semicolon = false;
    size_t len;

    while (field.len) {
        len = 1;
        if (field.data[0] == '"') {
            len = quoted_length(field);
            after_semicolon = false;
        } else if (field.data[0] == ';') {
            after_semicolon = true;
        } else if (after_semicolon && field.data[0] != ' ') {
            if (upper_key_at(field, &len)) {
                return true;
            }
            len = len ? len : 1;
            after_semicolon = false;
        }
        field = wba_str(field.data + len, field.len - len);
    }
    return false;
}

static wba_status_t
decode(const wba_sf_value_t *value, const wba_mem_t *mem, wba_str_t *bytes)
{
    size_t size = value->text.len / 4 * 3 + 3, len = 0;
    uint8_t *data;

    if (size > WBA_MAX_SIGNATURE_BYTES) {
        size = WBA_MAX_SIGNATURE_BYTES;
    }
    data = wba_alloc(mem, size);
    if (data == NULL) {
        return WBA_NO_MEMORY;
    }
    if (wba_sf_bytes(value, data, size, &len) != WBA_OK) {
        return WBA_INVALID;
    }
    *bytes = wba_str(data, len);
    return WBA_OK;
}

wba_status_t
wba_signature_find(wba_str_t field, wba_str_t label, const wba_mem_t *mem,
                   wba_str_t *bytes)
{
    wba_sf_value_t value, found;
    wba_status_t status;
    unsigned count = 0;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, field);
    while ((status = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        if (wba_str_eq(key, label)) {
            found = value;
            count++;
        }
    }
    if (status != WBA_END || count > 1) {
        return WBA_INVALID;
    }
    if (count == 0) {
        return WBA_NOT_FOUND;
    }
    return found.type == WBA_SF_BYTES ? decode(&found, mem, bytes)
                                      : WBA_INVALID;
}
