/* SPDX-License-Identifier: BSD-2-Clause */
#include "point.h"

#include <stdio.h>
#include <string.h>

#include "explain_steps.h"
#include "text.h"

/* Of a long line so much is shown before the caret, and behind it. */
#define BEFORE 60
#define BEHIND 40

#define WHOLE_SECONDS "Times are whole numbers of seconds, without quotes."

/* A place in a field. */
typedef struct {
    const char *name; /* NULL: nowhere */
    wba_str_t field;
    size_t at;
    const char *says; /* what is wrong there; NULL: core's help says it */
} place_t;

static const place_t nowhere = { NULL, WBA_STR_NONE, 0, NULL };

static place_t
place(const trial_t *t, const char *name, const char *lower, size_t at)
{
    place_t p = { name, WBA_STR_NONE, at, NULL };

    /* The arena is the trial's: it has room for a few fields more. */
    if (wba_message_field(&t->raw.message, wba_str_z(lower), &t->mem,
                          &p.field)
        != WBA_OK)
    {
        return nowhere;
    }
    return p;
}

static place_t
input(const trial_t *t)
{
    return place(t, "Signature-Input", "signature-input", 0);
}

static place_t
signature(const trial_t *t)
{
    return place(t, "Signature", "signature", 0);
}

/* ---- within a Dictionary */

/* The member of a signature: where it begins, and its value. */
static bool
member(place_t *p, wba_str_t label, wba_sf_value_t *value)
{
    wba_sf_iter_t it;
    wba_sf_value_t v;
    wba_str_t key;
    bool found = false;

    if (p->name == NULL) {
        return false;
    }
    wba_sf_dict_init(&it, p->field);
    while (wba_sf_dict_next(&it, &key, &v) == WBA_OK) {
        if (wba_str_eq(key, label)) {
            p->at = (size_t) (key.data - p->field.data);
            *value = v;
            found = true;
        }
    }
    return found;
}

/* At the parameter of that name, or, where there is none, at the end. */
static place_t
parameter(const trial_t *t, const wba_fact_t *fact, const char *name)
{
    place_t p = input(t);
    wba_sf_value_t value, param;
    wba_sf_iter_t it;
    wba_str_t key;

    if (!member(&p, fact->input.label, &value)) {
        return nowhere;
    }
    p.at = (size_t) (value.raw.data + value.raw.len - p.field.data);
    wba_sf_params_init(&it, value.params);
    while (wba_sf_params_next(&it, &key, &param) == WBA_OK) {
        if (wba_str_eq(key, wba_str_z(name))) {
            p.at = (size_t) (key.data - p.field.data);
        }
    }
    return p;
}

/* At the i-th component, or behind the last. */
static place_t
component(const trial_t *t, const wba_fact_t *fact, size_t i)
{
    place_t p = input(t);
    wba_sf_value_t value, item;
    wba_sf_iter_t it;

    if (!member(&p, fact->input.label, &value)
        || value.type != WBA_SF_INNER_LIST)
    {
        return p;
    }
    p.at = (size_t) (value.text.data + value.text.len - p.field.data);
    wba_sf_inner_init(&it, &value);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        if (i-- == 0) {
            p.at = (size_t) (item.raw.data - p.field.data);
            break;
        }
    }
    return p;
}

/* The component that names a Signature-Agent. */
static place_t
agent_component(const trial_t *t, const wba_fact_t *fact)
{
    size_t i;

    for (i = 0; i < fact->components->count; i++) {
        if (wba_str_eq(fact->components->items[i].name,
                       WBA_STR("signature-agent")))
        {
            break;
        }
    }
    return component(t, fact, i);
}

static bool
has_upper(wba_str_t s)
{
    size_t i;

    for (i = 0; i < s.len; i++) {
        if (wba_lower(s.data[i]) != s.data[i]) {
            return true;
        }
    }
    return false;
}

/* The component that the list has a second time, or that is none. */
static place_t
bad_component(const trial_t *t, const wba_fact_t *fact)
{
    place_t p = input(t);
    wba_sf_value_t value, item, list;
    wba_sf_iter_t it;
    wba_components_t parsed;
    wba_reason_t why;

    if (!member(&p, fact->input.label, &value)
        || value.type != WBA_SF_INNER_LIST)
    {
        return p;
    }
    /* As much of the list as is sound: the next one is not. */
    list = value;
    wba_sf_inner_init(&it, &value);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        p.at = (size_t) (item.raw.data - p.field.data);
        list.text.len =
            (size_t) (item.raw.data + item.raw.len - value.text.data);
        if (wba_components_parse(&list, &t->mem, &parsed, &why) != WBA_OK) {
            if (wba_str_eq(item.text, WBA_STR("@signature-params"))) {
                p.says = "It is not listed: it is the base's last line always.";
            } else if (item.type == WBA_SF_STRING && has_upper(item.text)) {
                p.says = "The names of fields are in lower case here, however "
                         "they are sent.";
            }
            return p;
        }
    }
    return p;
}

/* ---- where a reason points to */

static place_t
unreadable(place_t p)
{
    if (p.name != NULL) {
        p.at = wba_sf_dict_fault(p.field);
    }
    return p;
}

/* Whether the place lies between an Inner List's parentheses. */
static bool
is_inside(wba_str_t field, size_t at)
{
    bool inside = false, quoted = false;
    size_t i;

    for (i = 0; i < at && i < field.len; i++) {
        if (field.data[i] == '\\' && quoted) {
            i++;
        } else if (field.data[i] == '"') {
            quoted = !quoted;
        } else if (!quoted && (field.data[i] == '(' || field.data[i] == ')')) {
            inside = field.data[i] == '(';
        }
    }
    return inside;
}

/* Whether the place is behind "created=1.234" or the like: more digits than a
 * Decimal has break the field. */
static bool
in_fraction(wba_str_t field, size_t at)
{
    size_t i = at;

    while (i > 0 && field.data[i - 1] >= '0' && field.data[i - 1] <= '9') {
        i--;
    }
    return i > 1 && i < at && field.data[i - 1] == '.'
           && field.data[i - 2] >= '0' && field.data[i - 2] <= '9'
           && at < field.len && field.data[at] >= '0' && field.data[at] <= '9';
}

/* The mistakes that break Signature-Input most often.  at: where the parser
 * could not go on, which of "(@path" is behind the '@' (a Date begins so). */
static const char *
say_broken(wba_str_t field, size_t at)
{
    uint8_t c = at < field.len ? field.data[at] : '\0';
    bool blank;

    if (c == '\'') {
        return "Texts stand between double quotes, not single ones.";
    }
    if (field.len > 0 && field.data[0] == '(') {
        return "It begins with a label, which Signature has, too: sig1=(...";
    }
    if (!is_inside(field, at)) {
        if (in_fraction(field, at)) {
            return WHOLE_SECONDS;
        }
        blank = c == ' '
                || (at > 0 && field.data[at - 1] == ' '
                    && (c == ';' || c == '='));
        return blank ? "There is no blank before ';' and around '='." : NULL;
    }
    if (c == ',') {
        return "Components are parted by blanks, not by commas.";
    }
    if (at == field.len) {
        return "The list of components does not end: ')' is missing.";
    }
    if (c == '@' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return "Each component stands between double quotes.";
    }
    return NULL;
}

/* A parameter that RFC 9421 section 2.3 gives another type: what it is; NULL
 * for all others. */
static const char *
wrong_type(wba_str_t key, const wba_sf_value_t *value)
{
    static const char *const integers[] = { "created", "expires" };
    static const char *const strings[] = { "keyid", "alg", "nonce", "tag" };
    size_t i;

    for (i = 0; i < sizeof(integers) / sizeof(integers[0]); i++) {
        if (wba_str_eq(key, wba_str_z(integers[i]))) {
            return value->type != WBA_SF_INTEGER
                       ? WHOLE_SECONDS
                       : NULL;
        }
    }
    for (i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
        if (wba_str_eq(key, wba_str_z(strings[i]))) {
            return value->type != WBA_SF_STRING
                       ? "This is a text, between double quotes."
                       : NULL;
        }
    }
    return NULL;
}

/* Signature-Input, where it is no Dictionary, or a member of it is no Inner
 * List, or a parameter is of the wrong type. */
static place_t
unreadable_input(const trial_t *t)
{
    place_t p = unreadable(input(t));
    wba_sf_iter_t it, params;
    wba_sf_value_t value, param;
    wba_str_t key, name;

    if (p.name == NULL) {
        return p;
    }
    p.says = say_broken(p.field, p.at);
    if (p.at < p.field.len || p.says != NULL) {
        return p;
    }
    wba_sf_dict_init(&it, p.field);
    while (wba_sf_dict_next(&it, &key, &value) == WBA_OK) {
        if (value.type != WBA_SF_INNER_LIST) {
            p.at = (size_t) (key.data - p.field.data);
            return p;
        }
        wba_sf_params_init(&params, value.params);
        while (wba_sf_params_next(&params, &name, &param) == WBA_OK) {
            p.says = wrong_type(name, &param);
            if (p.says != NULL) {
                p.at = (size_t) (name.data - p.field.data);
                return p;
            }
        }
    }
    return p;
}

/* The second of two members with one label. */
static place_t
second_label(const trial_t *t)
{
    place_t p = input(t);
    wba_sf_iter_t it, earlier;
    wba_sf_value_t value;
    wba_str_t key, other;

    if (p.name == NULL) {
        return p;
    }
    wba_sf_dict_init(&it, p.field);
    while (wba_sf_dict_next(&it, &key, &value) == WBA_OK) {
        p.at = (size_t) (key.data - p.field.data);
        wba_sf_dict_init(&earlier, p.field);
        while (wba_sf_dict_next(&earlier, &other, &value) == WBA_OK
               && other.data != key.data)
        {
            if (wba_str_eq(other, key)) {
                return p;
            }
        }
    }
    return nowhere;
}

/* keyId, or whatever has a capital. */
static place_t
capital(const trial_t *t)
{
    return unreadable(input(t));
}

static bool
is_between_colons(wba_str_t field, size_t at)
{
    bool between = false;
    size_t i;

    for (i = 0; i < at; i++) {
        between ^= field.data[i] == ':';
    }
    return between;
}

/* How its text between the colons fails, or that there are none. */
static const char *
say_value(wba_str_t field, size_t at)
{
    uint8_t c = at < field.len ? field.data[at] : '\0';

    if (c == '-' || c == '_') {
        return "That is base64url; write base64, with '+' and '/' (RFC 9651 "
               "section 3.3.5).";
    }
    if (field.len > 0 && field.data[0] == ':') {
        return "Before the colon stands Signature-Input's label: sig1=:...:";
    }
    if (is_between_colons(field, at)
        && (c == ' ' || c == '\t' || field.data[at - 1] == ' '))
    {
        return "Base64 has no blanks and no line ends in it here.";
    }
    if (c == '\'' && is_between_colons(field, at)) {
        return "That is no base64; has a program written b'...', decode its "
               "bytes to text.";
    }
    if (memchr(field.data, ':', field.len) == NULL) {
        return "The octets stand under Signature-Input's label, in base64 "
               "between colons: sig1=:...:";
    }
    return NULL;
}

/* The Signature's member of this label; missing: its end. */
static place_t
signature_of(const trial_t *t, const wba_fact_t *fact)
{
    place_t p = signature(t);
    wba_sf_value_t value;
    wba_str_t label = fact != NULL ? fact->input.label : WBA_STR_NONE;

    if (p.name == NULL) {
        return p;
    }
    switch (wba_sf_dict_find(p.field, label, &value)) {
    case WBA_OK:
        (void) member(&p, label, &value);
        if (value.type != WBA_SF_BYTES) {
            p.says = "This is no Byte Sequence: base64 between colons, "
                     "sig1=:...:";
        }
        return p;
    case WBA_NOT_FOUND:
        p.says = "There is no signature under Signature-Input's label.";
        return p;
    default:
        p = unreadable(p);
        p.says = say_value(p.field, p.at);
        return p;
    }
}

/* The host that @authority was read from. */
static place_t
host(const trial_t *t)
{
    return place(t, "Host", "host", 0);
}

static const char *
missing_field(const wba_fact_t *fact)
{
    return !fact->input.has_created   ? "created"
           : !fact->input.has_expires ? "expires"
           : fact->input.keyid.len    ? "alg"
                                      : "keyid";
}

static place_t
place_of(const trial_t *t, const wba_fact_t *fact)
{
    place_t agent = place(t, "Signature-Agent", "signature-agent", 0);

    switch (t->verdict.reason) {
    case WBA_REASON_SIGNATURE_INPUT_UNREADABLE:
        return unreadable_input(t);
    case WBA_REASON_DUPLICATE_LABEL:
        return second_label(t);
    case WBA_REASON_SIGNATURE_INPUT_KEYID_CASE:
        return capital(t);
    case WBA_REASON_SIGNATURE_VALUE_UNREADABLE:
        return signature_of(t, fact);
    case WBA_REASON_SIGNATURE_AGENT_UNPARSABLE:
    case WBA_REASON_SIGNATURE_AGENT_UNQUOTED:
        return unreadable(agent);
    case WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS:
    case WBA_REASON_SIGNATURE_AGENT_TYPED:
    case WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER:
    case WBA_REASON_AGENT_NOT_ALLOWED:
        return agent;
    case WBA_REASON_AUTHORITY_NOT_SERVED:
        return host(t);
    case WBA_REASON_CONTENT_DIGEST_MISMATCH:
        return place(t, "Content-Digest", "content-digest", 0);
    case WBA_REASON_CONTENT_DIGEST_UNREADABLE:
        return unreadable(place(t, "Content-Digest", "content-digest", 0));
    default:
        break;
    }
    if (fact == NULL) {
        return nowhere;
    }
    switch (t->verdict.reason) {
    case WBA_REASON_BAD_COMPONENT:
    case WBA_REASON_DUPLICATE_COMPONENT:
    case WBA_REASON_TOO_MANY_COMPONENTS:
        return bad_component(t, fact);
    case WBA_REASON_MISSING_COMPONENT:
    case WBA_REASON_BAD_COMPONENT_VALUE:
    case WBA_REASON_SCHEME_MISMATCH:
        return component(t, fact, trial_note(t, fact)->at);
    case WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING:
        return agent_component(t, fact);
    case WBA_REASON_TARGET_NOT_COVERED:
    case WBA_REASON_COMPONENT_NOT_COVERED:
    case WBA_REASON_SIGNATURE_AGENT_ABSENT:
        return component(t, fact, WBA_MAX_COMPONENTS);
    case WBA_REASON_MISSING_FIELDS:
        return parameter(t, fact, missing_field(fact));
    case WBA_REASON_CLOCK_AHEAD:
        return parameter(t, fact, "created");
    case WBA_REASON_EXPIRED:
    case WBA_REASON_EXPIRES_NOT_AFTER_CREATED:
    case WBA_REASON_LIFETIME_TOO_LONG:
        return parameter(t, fact, "expires");
    case WBA_REASON_ALG_MISMATCH:
    case WBA_REASON_ALG_NOT_ALLOWED:
        return parameter(t, fact, "alg");
    case WBA_REASON_NONCE_MISSING:
    case WBA_REASON_NONCE_NOT_CHALLENGED:
    case WBA_REASON_CHALLENGE_EXPIRED:
        return parameter(t, fact, "nonce");
    case WBA_REASON_KEY_UNKNOWN:
    case WBA_REASON_KEY_EXPIRED:
    case WBA_REASON_KEY_NOT_YET_VALID:
        return parameter(t, fact, "keyid");
    case WBA_REASON_BAD_SIGNATURE:
        return signature_of(t, fact);
    default:
        return nowhere;
    }
}

/* No signature's tag is served: the first tag, or where it would be. */
static place_t
tag(const trial_t *t)
{
    place_t p = input(t);
    wba_sf_value_t value, param;
    wba_sf_iter_t it;
    wba_str_t key;

    if (p.name == NULL) {
        return p;
    }
    wba_sf_dict_init(&it, p.field);
    if (wba_sf_dict_next(&it, &key, &value) != WBA_OK) {
        return nowhere;
    }
    p.at = (size_t) (value.raw.data + value.raw.len - p.field.data);
    wba_sf_params_init(&it, value.params);
    while (wba_sf_params_next(&it, &key, &param) == WBA_OK) {
        if (wba_str_eq(key, WBA_STR("tag"))) {
            p.at = (size_t) (key.data - p.field.data);
        }
    }
    return p;
}

/* As wide as the text before the caret is shown: a tab for a tab. */
static void
put_blank(wba_str_t before)
{
    size_t i;

    for (i = 0; i < before.len; i++) {
        if (before.data[i] == '\t') {
            (void) fputc('\t', stdout);
        } else {
            (void) fputs(before.data[i] >= 0x20 && before.data[i] <= 0x7e
                             ? " "
                             : "    ",
                         stdout);
        }
    }
}

void
point(const trial_t *t)
{
    place_t p = t->verdict.reason == WBA_REASON_NO_SERVED_TAG
                    ? tag(t)
                    : place_of(t, trial_subject(t));
    size_t from, to;

    if (p.name == NULL) {
        return;
    }
    from = p.at > BEFORE ? p.at - BEFORE : 0;
    to = p.field.len - p.at > BEHIND ? p.at + BEHIND : p.field.len;

    (void) printf("\n  %s: %s", p.name, from ? "..." : "");
    text_put(stdout, wba_str(p.field.data + from, to - from));
    (void) puts(to < p.field.len ? "..." : "");
    (void) printf("%*s", (int) strlen(p.name) + 4 + (from ? 3 : 0), "");
    put_blank(wba_str(p.field.data + from, p.at - from));
    color_put(stdout, explain_color(t->verdict.outcome), "^");
    (void) fputs("\n\n", stdout);
    if (p.says != NULL) {
        (void) puts(p.says);
    }
}
