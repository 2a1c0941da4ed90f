/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature-Input and Signature: the typed record says what the structured
 * field says; components are free of duplicates, and each covers itself; what
 * lenient visa-sample reads is the field but for the case of one letter.
 *
 * Input: Signature-Input, LF, Signature.
 */
#include "fuzz.h"
#include "siginput.h"
#include "visa_sample.h"

static fuzz_mem_t m;

/* The last parameter of that name; false: none. */
static bool
param(wba_str_t params, const char *name, wba_sf_value_t *out)
{
    wba_sf_value_t value;
    wba_sf_iter_t it;
    bool any = false;
    wba_str_t key;

    wba_sf_params_init(&it, params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        if (wba_str_eq(key, wba_str_z(name))) {
            *out = value;
            any = true;
        }
    }
    return any;
}

static void
same_time(wba_str_t params, const char *name, bool has, int64_t time)
{
    wba_sf_value_t value;

    CHECK(param(params, name, &value) == has);
    if (has) {
        CHECK(value.type == WBA_SF_INTEGER && value.integer == time);
    }
}

static void
same_string(wba_str_t params, const char *name, size_t max, wba_str_t text)
{
    wba_sf_value_t value;
    wba_str_t plain;

    CHECK(param(params, name, &value) == (text.data != NULL));
    if (text.data != NULL) {
        CHECK(value.type == WBA_SF_STRING);
        CHECK(wba_sf_string(&value, &m.mem, &plain) == WBA_OK);
        CHECK_SAME(plain, text);
        CHECK(text.len <= max);
    }
}

static void
record(wba_str_t label, const wba_sf_value_t *member)
{
    wba_str_t tag = wba_siginput_tag(member, &m.mem);
    wba_reason_t why = WBA_REASON_OK;
    wba_siginput_t input;

    if (wba_siginput_parse(label, member, &m.mem, &input, &why) != WBA_OK) {
        CHECK(why == WBA_REASON_SIGNATURE_INPUT_UNREADABLE
              || why == WBA_REASON_FIELD_TOO_LARGE);
        return;
    }
    CHECK(member->type == WBA_SF_INNER_LIST);
    CHECK(label.len <= WBA_MAX_LABEL);
    same_time(member->params, "created", input.has_created, input.created);
    same_time(member->params, "expires", input.has_expires, input.expires);
    same_string(member->params, "keyid", WBA_MAX_KEYID, input.keyid);
    same_string(member->params, "alg", 64, input.alg);
    same_string(member->params, "nonce", WBA_MAX_NONCE, input.nonce);
    same_string(member->params, "tag", WBA_MAX_TAG, input.tag);
    CHECK_SAME(input.tag, tag);
    CHECK((input.tag.data == NULL) == (tag.data == NULL));
    CHECK_SAME(input.sent, member->raw);
}

/* One identifier, written, is that identifier. */
static void
identifier(const wba_sf_value_t *item, const wba_component_t *component)
{
    wba_component_t again;
    wba_buf_t buf;

    wba_buf_init(&buf, &m.mem, WBA_MAX_FIELD);
    wba_sf_write_value(&buf, item);
    CHECK(wba_component_from_text(wba_buf_view(&buf), &m.mem, &again)
          == WBA_OK);
    CHECK(wba_component_eq(&again, component));
    CHECK(again.sf == component->sf);
}

static void
components(const wba_sf_value_t *list)
{
    static wba_components_t parsed;
    wba_sf_value_t item;
    wba_reason_t why;
    wba_sf_iter_t it;
    size_t i, j;

    if (wba_components_parse(list, &m.mem, &parsed, &why) != WBA_OK) {
        CHECK(why == WBA_REASON_BAD_COMPONENT
              || why == WBA_REASON_DUPLICATE_COMPONENT
              || why == WBA_REASON_TOO_MANY_COMPONENTS);
        return;
    }
    CHECK(parsed.count <= WBA_MAX_COMPONENTS);
    wba_sf_inner_init(&it, list);
    for (i = 0; i < parsed.count; i++) {
        CHECK(wba_sf_inner_next(&it, &item) == WBA_OK);
        CHECK(parsed.items[i].name.len != 0 && !parsed.items[i].req);
        CHECK(wba_components_cover(&parsed, &parsed.items[i]));
        identifier(&item, &parsed.items[i]);
        for (j = 0; j < i; j++) {
            CHECK(!wba_component_eq(&parsed.items[i], &parsed.items[j]));
        }
    }
    CHECK(wba_sf_inner_next(&it, &item) == WBA_END);
    (void) wba_components_cover_target(&parsed);
}

static void
response_components(const wba_sf_value_t *list)
{
    static wba_components_t parsed;
    wba_reason_t why;
    size_t i;

    if (wba_components_parse_response(list, &m.mem, &parsed, &why) != WBA_OK) {
        return;
    }
    for (i = 0; i < parsed.count; i++) {
        CHECK(wba_components_cover(&parsed, &parsed.items[i]));
        CHECK(parsed.items[i].name.data[0] != '@'
              || wba_str_eq(parsed.items[i].name, WBA_STR("@status"))
                     != parsed.items[i].req);
    }
}

/* How often a label stands in the field, as a Dictionary. */
static unsigned
count_label(wba_str_t field, wba_str_t label, wba_sf_value_t *last)
{
    wba_sf_value_t value;
    unsigned count = 0;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &key, &value) == WBA_OK) {
        if (wba_str_eq(key, label)) {
            *last = value;
            count++;
        }
    }
    return count;
}

static void
signature(wba_str_t field, wba_str_t label)
{
    uint8_t out[WBA_MAX_SIGNATURE_BYTES];
    wba_sf_value_t value;
    wba_str_t bytes;
    size_t len;

    switch (wba_signature_find(field, label, &m.mem, &bytes)) {
    case WBA_OK:
        CHECK(count_label(field, label, &value) == 1);
        CHECK(value.type == WBA_SF_BYTES);
        CHECK(wba_sf_bytes(&value, out, sizeof(out), &len) == WBA_OK);
        CHECK_SAME(bytes, wba_str(out, len));
        break;
    case WBA_NOT_FOUND:
        CHECK(count_label(field, label, &value) == 0);
        break;
    default:
        break;
    }
}

/* Whether it is a Dictionary. */
static bool
members(wba_str_t field, wba_str_t signatures)
{
    wba_sf_value_t member;
    wba_status_t status;
    wba_sf_iter_t it;
    wba_str_t label;

    wba_sf_dict_init(&it, field);
    while ((status = wba_sf_dict_next(&it, &label, &member)) == WBA_OK) {
        if (it.count > 40) {
            continue;
        }
        record(label, &member);
        components(&member);
        response_components(&member);
        signature(signatures, label);
    }
    return status == WBA_END;
}

static void
sample(wba_str_t field, wba_str_t signatures, bool legal)
{
    wba_sf_value_t member;
    unsigned changed = 0;
    wba_sf_iter_t it;
    wba_str_t copy, label;
    size_t i;

    if (wba_visa_sample_legalise(field, &m.mem, &copy) != WBA_OK) {
        return;
    }
    CHECK(!legal); /* keyId is a key of no Dictionary */
    CHECK(copy.len == field.len);
    for (i = 0; i < field.len; i++) {
        if (copy.data[i] != field.data[i]) {
            CHECK(field.data[i] == 'I' && copy.data[i] == 'i');
            CHECK(i >= 3 && i + 2 < field.len);
            CHECK(memcmp(copy.data + i - 3, "keyid=", 6) == 0);
            changed++;
        }
    }
    CHECK(changed > 0);
    CHECK(wba_visa_sample_legalise(copy, &m.mem, &label) == WBA_NOT_FOUND);
    (void) members(copy, signatures);
    wba_sf_dict_init(&it, copy);
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK) {
        i = (size_t) (member.raw.data - copy.data);
        (void) wba_visa_sample_single_key(
            &member, wba_str(field.data + i, member.raw.len));
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    wba_str_t field, signatures;
    bool legal;

    fuzz_mem_init(&m);
    field = fuzz_copy(&m, fuzz_until(&in, '\n'));
    signatures = fuzz_copy(&m, in);
    legal = members(field, signatures);
    (void) wba_siginput_has_upper_key(field);
    sample(field, signatures, legal);
    fuzz_mem_free(&m);
    return 0;
}
