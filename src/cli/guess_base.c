/* SPDX-License-Identifier: BSD-2-Clause */
/* The mistakes that are made in making a signature base. */
#include <stdio.h>
#include <string.h>

#include "guess_private.h"
#include "uri.h"

static void
say(char *says, const char *text)
{
    (void) snprintf(says, SAYS, "%s", text);
}

/* ---- strings in the attempt's memory */

static wba_str_t
join(guesser_t *g, wba_str_t a, wba_str_t b, wba_str_t c)
{
    wba_buf_t buf;

    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    wba_buf_str(&buf, a);
    wba_buf_str(&buf, b);
    wba_buf_str(&buf, c);
    return wba_buf_view(&buf);
}

static line_t *
find(form_t *form, const char *name)
{
    size_t i;

    for (i = 0; i < form->count; i++) {
        if (wba_str_eq(form->lines[i].name, wba_str_z(name))) {
            return &form->lines[i];
        }
    }
    return NULL;
}

static void
change(form_t *form, line_t *line, wba_str_t value)
{
    if (line != NULL && !wba_str_eq(line->value, value)) {
        line->value = value;
        form->changed = true;
    }
}

/* ---- kinds of mistakes */

static wba_str_t
spaced(guesser_t *g, wba_str_t s)
{
    wba_buf_t buf;
    bool quoted = false;
    size_t i;

    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    for (i = 0; i < s.len; i++) {
        wba_buf_byte(&buf, s.data[i]);
        if (s.data[i] == '\\' && quoted && i + 1 < s.len) {
            wba_buf_byte(&buf, s.data[++i]);
        } else if (s.data[i] == '"') {
            quoted = !quoted;
        } else if (s.data[i] == ';' && !quoted) {
            wba_buf_byte(&buf, ' ');
        }
    }
    return wba_buf_view(&buf);
}

static bool
params(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line = &form->lines[form->count - 1];
    wba_str_t label = g->fact->input.label, sent = g->fact->input.sent;
    wba_str_t equals = WBA_STR("=");

    switch (i) {
    case 0:
        say(says, "the line of \"@signature-params\" were Signature-Input's "
                  "member as it was sent; it is serialised anew, without "
                  "spaces after ';' (RFC 9421 section 2.5)");
        change(form, line, sent);
        return true;
    case 1:
        say(says, "the line of \"@signature-params\" had spaces after ';'; it "
                  "has none (RFC 9421 section 2.5)");
        change(form, line, spaced(g, line->value));
        return true;
    case 2:
        (void) snprintf(says, SAYS,
                        "the line of \"@signature-params\" began with the "
                        "label, %.*s=; it begins with '(' (RFC 9421 section "
                        "2.5)",
                        (int) label.len, (const char *) label.data);
        change(form, line, join(g, label, equals, line->value));
        return true;
    case 3:
        (void) snprintf(says, SAYS,
                        "the line of \"@signature-params\" were all of "
                        "Signature-Input, %.*s= and spaces; it begins with "
                        "'(' (RFC 9421 section 2.5)",
                        (int) label.len, (const char *) label.data);
        change(form, line, join(g, label, equals, sent));
        return true;
    default:
        return false;
    }
}

static bool
line_ends(guesser_t *g, size_t i, form_t *form, char *says)
{
    (void) g;
    form->changed = true;
    switch (i) {
    case 0:
        say(says, "the base ended in a line end; its last line has none (RFC "
                  "9421 section 2.5)");
        form->last_eol = true;
        return true;
    case 1:
        say(says, "the base's lines ended in CR LF; they end in LF (RFC 9421 "
                  "section 2.5)");
        form->eol = "\r\n";
        return true;
    case 2:
        say(says, "all of the base's lines ended in CR LF; they end in LF, "
                  "the last one in nothing (RFC 9421 section 2.5)");
        form->eol = "\r\n";
        form->last_eol = true;
        return true;
    case 3:
        say(says, "the base's lines were parted by the characters \\ and n; "
                  "they are by a line feed (RFC 9421 section 2.5)");
        form->eol = "\\n";
        return true;
    default:
        return false;
    }
}

static bool
names(guesser_t *g, size_t i, form_t *form, char *says)
{
    (void) g;
    form->changed = true;
    switch (i) {
    case 0:
        say(says, "the base had no space behind the names' colon; there is "
                  "one (RFC 9421 section 2.5)");
        form->colon = ":";
        return true;
    case 1:
        say(says, "the names in the base stood without quotes; they have "
                  "them (RFC 9421 section 2.5)");
        form->bare = true;
        return true;
    default:
        return false;
    }
}

/* The last line, whatever is in it, is what makes a signature be of now. */
static bool
no_params(guesser_t *g, size_t i, form_t *form, char *says)
{
    (void) g;
    if (i > 0 || form->count < 2) {
        return false;
    }
    say(says, "the base had no line of \"@signature-params\"; that is its last "
              "one (RFC 9421 section 2.5)");
    form->count--;
    form->changed = true;
    return true;
}

static bool
quoted(guesser_t *g, size_t i, form_t *form, char *says)
{
    size_t k;

    if (i > 0) {
        return false;
    }
    say(says, "the components' values stood in quotes; only their names do "
              "(RFC 9421 section 2.5)");
    for (k = 0; k + 1 < form->count; k++) {
        change(form, &form->lines[k],
               join(g, WBA_STR("\""), form->lines[k].value, WBA_STR("\"")));
    }
    return true;
}

static bool
method(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line = find(form, "\"@method\"");
    wba_buf_t buf;
    size_t k;

    if (i > 0 || line == NULL) {
        return false;
    }
    say(says, "@method were in lower case; it is as it is sent (RFC 9421 "
              "section 2.2.1)");
    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    for (k = 0; k < line->value.len; k++) {
        wba_buf_byte(&buf, wba_lower(line->value.data[k]));
    }
    change(form, line, wba_buf_view(&buf));
    return true;
}

static wba_str_t
decoded(guesser_t *g, wba_str_t s)
{
    wba_buf_t buf;
    size_t i;

    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '%' && i + 2 < s.len
            && wba_hex_digit(s.data[i + 1]) >= 0
            && wba_hex_digit(s.data[i + 2]) >= 0)
        {
            wba_buf_byte(&buf, (uint8_t) (wba_hex_digit(s.data[i + 1]) * 16
                                          + wba_hex_digit(s.data[i + 2])));
            i += 2;
            continue;
        }
        wba_buf_byte(&buf, s.data[i]);
    }
    return wba_buf_view(&buf);
}

/* The same with the digits of its %XX in upper or lower case. */
static wba_str_t
recased(guesser_t *g, wba_str_t s, bool upper)
{
    wba_buf_t buf;
    size_t i;
    uint8_t c;

    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    for (i = 0; i < s.len; i++) {
        c = s.data[i];
        if ((i >= 1 && s.data[i - 1] == '%') || (i >= 2 && s.data[i - 2] == '%'))
        {
            c = wba_lower(c);
            c = upper && c >= 'a' && c <= 'f' ? (uint8_t) (c - 'a' + 'A') : c;
        }
        wba_buf_byte(&buf, c);
    }
    return wba_buf_view(&buf);
}

static bool
path(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line = find(form, "\"@path\"");
    wba_target_t target;
    wba_str_t v;

    if (line == NULL) {
        return false;
    }
    v = line->value;
    switch (i) {
    case 0:
        say(says, "@path were empty; the empty path is \"/\" (RFC 9421 "
                  "section 2.2.6)");
        change(form, line, v.len == 1 ? WBA_STR("") : v);
        return true;
    case 1:
        say(says, "@path had the query behind it; that is @query (RFC 9421 "
                  "section 2.2.6)");
        wba_target_parse(g->trial->raw.method, g->trial->raw.target, &target);
        if (target.query.data != NULL) {
            change(form, line, join(g, v, WBA_STR("?"), target.query));
        }
        return true;
    case 2:
        say(says, "@path were decoded; it is as it is sent, with its %XX "
                  "(RFC 9421 section 2.2.6)");
        change(form, line, decoded(g, v));
        return true;
    case 3:
        say(says, "@path had no slash at its end, or was not the one that "
                  "was sent");
        if (v.len > 1 && v.data[v.len - 1] == '/') {
            change(form, line, wba_str(v.data, v.len - 1));
        }
        return true;
    case 4:
    case 5:
        (void) snprintf(says, SAYS,
                        "@path had the digits of its %%XX in %s case; it is as "
                        "it is sent (RFC 9421 section 2.2.6)",
                        i == 4 ? "upper" : "lower");
        change(form, line, recased(g, v, i == 4));
        return true;
    default:
        return false;
    }
}

static bool
query(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line = find(form, "\"@query\"");

    (void) g;
    if (i > 0 || line == NULL || line->value.len == 0) {
        return false;
    }
    say(says, line->value.len == 1
                  ? "@query were empty; without a query it is \"?\" (RFC 9421 "
                    "section 2.2.7)"
                  : "@query had no '?' in front; it has one (RFC 9421 section "
                    "2.2.7)");
    change(form, line, wba_str(line->value.data + 1, line->value.len - 1));
    return true;
}

/* Puts host in place of the authority, wherever the base has it. */
static void
change_authority(guesser_t *g, form_t *form, wba_str_t host)
{
    wba_str_t now = g->trial->verify.facts.authority, v;
    line_t *uri = find(form, "\"@target-uri\"");
    const uint8_t *at;
    size_t before;

    if (now.data == NULL || host.len == 0) {
        return;
    }
    change(form, find(form, "\"@authority\""), host);
    if (uri == NULL) {
        return;
    }
    v = uri->value;
    at = guess_search(v, now);
    if (at != NULL) {
        before = (size_t) (at - v.data);
        change(form, uri,
               join(g, wba_str(v.data, before), host,
                    wba_str(at + now.len, v.len - before - now.len)));
    }
}

/* The value of host= in Forwarded (RFC 7239), without quotes. */
static wba_str_t
forwarded_host(wba_str_t field)
{
    size_t i, start;

    for (i = 0; i + 5 <= field.len; i++) {
        if (wba_str_eq_nocase(wba_str(field.data + i, 5), WBA_STR("host="))) {
            i += 5;
            i += i < field.len && field.data[i] == '"';
            start = i;
            while (i < field.len && field.data[i] != '"'
                   && field.data[i] != ';' && field.data[i] != ',')
            {
                i++;
            }
            return wba_str(field.data + start, i - start);
        }
    }
    return WBA_STR_NONE;
}

static bool
authority(guesser_t *g, size_t i, form_t *form, char *says)
{
    static const char *const ports[] = { ":443", ":80" };
    wba_str_t now = g->trial->verify.facts.authority, host = WBA_STR_NONE;
    const char *why = "";
    const uint8_t *colon;

    if (now.data == NULL) {
        return false;
    }
    switch (i) {
    case 0:
    case 1:
        host = join(g, now, wba_str_z(ports[i]), WBA_STR(""));
        why = "a default port is left out (RFC 9421 section 2.2.3)";
        break;
    case 2:
        colon = memchr(now.data, ':', now.len);
        if (colon != NULL && now.data[0] != '[') {
            host = wba_str(now.data, (size_t) (colon - now.data));
        }
        why = "a port that is no default stays (RFC 9421 section 2.2.3)";
        break;
    case 3:
        host = trial_field(g->trial, &g->mem, "host");
        why = "it is in lower case, and without a default port (RFC 9421 "
              "section 2.2.3)";
        break;
    case 4:
        host = trial_field(g->trial, &g->mem, "x-forwarded-host");
        why = "a proxy has changed Host: set web_bot_auth_authority";
        break;
    case 5:
        host = forwarded_host(trial_field(g->trial, &g->mem, "forwarded"));
        why = "a proxy has changed Host: set web_bot_auth_authority";
        break;
    case 6:
        host = now.len > 4 && memcmp(now.data, "www.", 4) == 0
                   ? wba_str(now.data + 4, now.len - 4)
                   : join(g, WBA_STR("www."), now, WBA_STR(""));
        why = "that is another host";
        break;
    case 7:
        if (find(form, "\"@authority\"") != NULL) {
            host = join(g, g->trial->raw.scheme, WBA_STR("://"), now);
            (void) snprintf(says, SAYS, "@authority were %.*s; it has no "
                            "scheme (RFC 9421 section 2.2.3)",
                            (int) (host.len < 100 ? host.len : 0),
                            (const char *) host.data);
            change(form, find(form, "\"@authority\""), host);
        }
        return true;
    default:
        return false;
    }
    if (host.len > 0 && host.len < 100) {
        (void) snprintf(says, SAYS, "@authority were %.*s; %s",
                        (int) host.len, (const char *) host.data, why);
        change_authority(g, form, host);
    }
    return true;
}

static bool
scheme(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *uri = find(form, "\"@target-uri\"");
    bool https = wba_str_eq(g->trial->raw.scheme, WBA_STR("https"));
    wba_str_t from = https ? WBA_STR("https") : WBA_STR("http");
    wba_str_t to = https ? WBA_STR("http") : WBA_STR("https");

    if (i > 0) {
        return false;
    }
    (void) snprintf(says, SAYS,
                    "the scheme were %s; behind a proxy that ends TLS set "
                    "web_bot_auth_scheme (here: --scheme)",
                    (const char *) to.data);
    change(form, find(form, "\"@scheme\""), to);
    if (uri != NULL && uri->value.len > from.len) {
        change(form, uri, join(g, to, wba_str(uri->value.data + from.len,
                                              uri->value.len - from.len),
                               WBA_STR("")));
    }
    return true;
}

static bool
hashed(guesser_t *g, size_t i, form_t *form, char *says)
{
    static const struct {
        hash_t hash;
        const char *says;
    } hashes[] = {
        { HASH_SHA256, "it were over the base's SHA-256; it is over the base "
                       "itself (RFC 9421 section 3.3)" },
        { HASH_SHA512, "it were over the base's SHA-512; it is over the base "
                       "itself (RFC 9421 section 3.3)" },
        { HASH_HEX, "it were over the base's SHA-256 in hexadecimal; it is "
                    "over the base itself (RFC 9421 section 3.3)" },
        { HASH_BASE64, "it were over the base in base64; it is over the base "
                       "itself (RFC 9421 section 3.3)" },
    };

    (void) g;
    if (i >= sizeof(hashes) / sizeof(hashes[0])) {
        return false;
    }
    form->hash = hashes[i].hash;
    form->changed = true;
    say(says, hashes[i].says);
    return true;
}

/* ---- Signature-Agent */

/* A String without its quotes; data NULL: it is none. */
static wba_str_t
unquoted(wba_str_t v)
{
    return v.len >= 2 && v.data[0] == '"' && v.data[v.len - 1] == '"'
               ? wba_str(v.data + 1, v.len - 2)
               : WBA_STR_NONE;
}

/* The value of a Dictionary's only member. */
static wba_str_t
only_member(wba_str_t field)
{
    wba_sf_value_t value, other;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, field);
    return wba_sf_dict_next(&it, &key, &value) == WBA_OK
                   && wba_sf_dict_next(&it, &key, &other) == WBA_END
               ? value.raw
               : WBA_STR_NONE;
}

static bool
agent(guesser_t *g, size_t i, form_t *form, char *says)
{
    static const char name[] = "\"signature-agent\"";
    line_t *line = NULL;
    wba_str_t other, whole;
    size_t k;

    for (k = 0; k < form->count && line == NULL; k++) {
        if (form->lines[k].name.len >= sizeof(name) - 1
            && memcmp(form->lines[k].name.data, name, sizeof(name) - 1) == 0)
        {
            line = &form->lines[k];
        }
    }
    if (line == NULL || i > 2) {
        return false;
    }
    whole = trial_field(g->trial, &g->mem, "signature-agent");
    switch (i) {
    case 0:
        say(says, "the value of \"signature-agent\" had no quotes; it has "
                  "them, as in the field (RFC 9421 section 2.1)");
        other = unquoted(line->value);
        break;
    case 1:
        say(says, "the value of \"signature-agent\" were the whole field; "
                  "with ;key it is that member's alone (RFC 9421 section "
                  "2.1.2)");
        other = whole;
        break;
    default:
        say(says, "the value of \"signature-agent\" were the member's alone; "
                  "without ;key it is the whole field (RFC 9421 section 2.1)");
        other = only_member(whole);
    }
    if (other.data != NULL) {
        change(form, line, other);
    }
    return true;
}

/* A field whose parameters the client has added after it was signed. */
static bool
field_params(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line;
    const uint8_t *end;

    (void) g;
    if (i + 1 >= form->count) {
        return false;
    }
    line = &form->lines[i];
    end = memchr(line->value.data, ';', line->value.len);
    if (line->name.len > 1 && line->name.data[1] != '@' && end != NULL) {
        (void) snprintf(says, SAYS,
                        "the value of %.*s ended before its ';'; it is all "
                        "of the field, as it is sent",
                        (int) (line->name.len < 60 ? line->name.len : 60),
                        (const char *) line->name.data);
        change(form, line,
               wba_str_trim(wba_str(line->value.data,
                                    (size_t) (end - line->value.data))));
    }
    return true;
}

const guess_kind_t guess_kinds[] = {
    { params, false },    { line_ends, false },  { names, false },
    { method, false },    { path, false },       { query, false },
    { authority, false }, { scheme, false },     { agent, false },
    { hashed, false },    { quoted, false },     { field_params, false },
    { guess_line_order, true },                  { guess_param_order, true },
    { no_params, true },
};

const size_t guess_nkinds = sizeof(guess_kinds) / sizeof(guess_kinds[0]);
