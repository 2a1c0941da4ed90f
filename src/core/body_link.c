/* SPDX-License-Identifier: BSD-2-Clause */
#include "body_link.h"

#include <jansson.h>

#include "json.h"
#include "wba_limits.h"

/* The type without parameters: application/json, or anything that says it is
 * JSON by its suffix (RFC 6839 section 3.1). */
static bool
is_json_type(wba_str_t type)
{
    wba_str_t suffix = WBA_STR("+json");
    size_t i;

    for (i = 0; i < type.len && type.data[i] != ';'; i++) {
    }
    type = wba_str_trim(wba_str(type.data, i));
    if (wba_str_eq_nocase(type, WBA_STR("application/json"))) {
        return true;
    }
    return type.len > suffix.len
           && wba_str_eq_nocase(wba_str(type.data + type.len - suffix.len,
                                        suffix.len),
                                suffix);
}

void
wba_body_link_init(wba_body_link_reader_t *reader, const wba_mem_t *mem,
                   wba_str_t type, wba_str_t coding)
{
    memset(reader, 0, sizeof(*reader));
    wba_buf_init(&reader->text, mem, WBA_MAX_BODY_LINK);
    reader->json = type.data != NULL && is_json_type(type);
    coding = wba_str_trim(coding);
    reader->coded = coding.len != 0
                    && !wba_str_eq_nocase(coding, WBA_STR("identity"));
}

/* What readers of JSON skip before it: blanks, and, for those who guess at
 * encodings, a byte order mark and the zeros of wider characters. */
static bool
is_blank(uint8_t c)
{
    static const uint8_t blanks[] = { ' ',  '\t', '\n', '\r', '\0',
                                      0xef, 0xbb, 0xbf, 0xfe, 0xff };

    return memchr(blanks, c, sizeof(blanks)) != NULL;
}

void
wba_body_link_update(wba_body_link_reader_t *reader, const void *data,
                     size_t len)
{
    const uint8_t *p = data;

    while (!reader->begun && len > 0) {
        if (is_blank(*p)) {
            p++;
            len--;
            continue;
        }
        reader->begun = true;
        reader->examined = !reader->coded && (reader->json || *p == '{');
    }
    if (reader->examined) {
        wba_buf_add(&reader->text, p, len);
    }
}

/* Numbers may be of any size: none of them is looked at. */
static wba_status_t
load(wba_str_t text, json_t **root)
{
    json_error_t error;

    *root = NULL;
    if (wba_json_too_deep(text)) {
        return WBA_INVALID;
    }
    return wba_json_load(text,
                         JSON_REJECT_DUPLICATES | JSON_DECODE_ANY
                             | JSON_DECODE_INT_AS_REAL,
                         root, &error);
}

static wba_status_t
copy(const wba_mem_t *mem, const json_t *value, size_t max, wba_str_t *out)
{
    size_t len = json_string_length(value);

    *out = WBA_STR("");
    if (len == 0 || len > max) {
        return WBA_OK;
    }
    *out = wba_str_copy(mem, wba_str(json_string_value(value), len));
    return out->data != NULL ? WBA_OK : WBA_NO_MEMORY;
}

/* One of the two objects, if it is there. */
static wba_status_t
take(const wba_mem_t *mem, const json_t *object, wba_body_link_t *link)
{
    const json_t *nonce, *kid;

    if (object == NULL || link->state == WBA_LINK_UNREADABLE) {
        return WBA_OK;
    }
    if (!json_is_object(object)) {
        link->state = WBA_LINK_UNREADABLE;
        return WBA_OK;
    }
    nonce = json_object_get(object, "nonce");
    kid = json_object_get(object, "kid");
    if (!json_is_string(nonce) || !json_is_string(kid)) {
        link->state = WBA_LINK_MISSING;
        return WBA_OK;
    }
    if (copy(mem, nonce, WBA_MAX_NONCE, &link->objects[link->count].nonce)
            != WBA_OK
        || copy(mem, kid, WBA_MAX_KEYID, &link->objects[link->count].kid)
               != WBA_OK)
    {
        return WBA_NO_MEMORY;
    }
    link->count++;
    return WBA_OK;
}

static wba_status_t
examine(const wba_buf_t *text, wba_body_link_t *link)
{
    wba_status_t status;
    json_t *root;

    status = load(wba_buf_view(text), &root);
    if (status == WBA_INVALID) {
        link->state = WBA_LINK_UNREADABLE;
        return WBA_OK;
    }
    /* What is no object has no members. */
    if (status == WBA_OK) {
        status = take(text->mem, json_object_get(root, "agenticConsumer"),
                      link);
    }
    if (status == WBA_OK) {
        status = take(text->mem,
                      json_object_get(root, "agenticPaymentContainer"), link);
    }
    json_decref(root);
    return status;
}

wba_status_t
wba_body_link_final(wba_body_link_reader_t *reader, wba_body_link_t *link)
{
    memset(link, 0, sizeof(*link));
    link->state = WBA_LINK_READ;
    if (reader->begun && reader->coded) {
        link->state = WBA_LINK_UNREADABLE;
    }
    if (!reader->examined) {
        return WBA_OK;
    }
    if (reader->text.status == WBA_TOO_LARGE) {
        link->state = WBA_LINK_TOO_LARGE;
        return WBA_OK;
    }
    return reader->text.status == WBA_OK ? examine(&reader->text, link)
                                         : WBA_NO_MEMORY;
}

bool
wba_body_link_matches(const wba_body_link_t *link, wba_str_t nonce,
                      wba_str_t keyid)
{
    size_t i;

    for (i = 0; i < link->count; i++) {
        if (nonce.len == 0 || !wba_str_eq(link->objects[i].nonce, nonce)
            || !wba_str_eq(link->objects[i].kid, keyid))
        {
            return false;
        }
    }
    return true;
}
