/* SPDX-License-Identifier: BSD-2-Clause */
#include "guess.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "uri.h"

/* Memory of one attempt: a few bases. */
#define BLOCK (8 * WBA_MAX_BASE)

/* Keys of directories that are tried besides. */
#define OTHER_KEYS 256

/* Bytes of what is said of one mistake. */
#define SAYS ((GUESS_TEXT - 8) / 2)

typedef struct {
    wba_str_t name; /* with quotes and parameters */
    wba_str_t value;
} line_t;

typedef enum { HASH_NONE, HASH_SHA256, HASH_SHA512, HASH_HEX } hash_t;

/* A base that somebody may have made. */
typedef struct {
    line_t lines[WBA_MAX_COMPONENTS + 1];
    size_t count;
    const char *colon;
    const char *eol;
    bool last_eol;
    bool bare; /* names without quotes */
    hash_t hash;
    bool changed; /* differs from the one before */
} form_t;

typedef struct {
    const trial_t *trial;
    const wba_fact_t *fact;
    wba_arena_t arena;
    wba_mem_t mem;
    char *out;
    bool found;
} guesser_t;

/* Applies the i-th mistake of its kind to form, and says what it is; false:
 * there are no more.  form->changed is false where it makes no difference. */
typedef bool (*kind_t)(guesser_t *g, size_t i, form_t *form, char *says);

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

/* Where what first stands in s, or NULL. */
static const uint8_t *
search(wba_str_t s, wba_str_t what)
{
    size_t i;

    for (i = 0; i + what.len <= s.len; i++) {
        if (memcmp(s.data + i, what.data, what.len) == 0) {
            return s.data + i;
        }
    }
    return NULL;
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

static int
digit(uint8_t c)
{
    c = wba_lower(c);
    return c >= '0' && c <= '9' ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static wba_str_t
decoded(guesser_t *g, wba_str_t s)
{
    wba_buf_t buf;
    size_t i;

    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '%' && i + 2 < s.len && digit(s.data[i + 1]) >= 0
            && digit(s.data[i + 2]) >= 0)
        {
            wba_buf_byte(&buf, (uint8_t) (digit(s.data[i + 1]) * 16
                                          + digit(s.data[i + 2])));
            i += 2;
            continue;
        }
        wba_buf_byte(&buf, s.data[i]);
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
    at = search(v, now);
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

static wba_str_t
field(guesser_t *g, const char *name)
{
    wba_str_t value;

    return wba_message_field(&g->trial->raw.message, wba_str_z(name), &g->mem,
                             &value)
                   == WBA_OK
               ? value
               : WBA_STR_NONE;
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
        host = field(g, "host");
        why = "it is in lower case, and without a default port (RFC 9421 "
              "section 2.2.3)";
        break;
    case 4:
        host = field(g, "x-forwarded-host");
        why = "a proxy has changed Host: set web_bot_auth_authority";
        break;
    case 5:
        host = forwarded_host(field(g, "forwarded"));
        why = "a proxy has changed Host: set web_bot_auth_authority";
        break;
    case 6:
        host = now.len > 4 && memcmp(now.data, "www.", 4) == 0
                   ? wba_str(now.data + 4, now.len - 4)
                   : join(g, WBA_STR("www."), now, WBA_STR(""));
        why = "that is another host";
        break;
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

static const kind_t kinds[] = {
    params, line_ends, names, method, path, query, authority, scheme, hashed,
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- attempts */

static void
form_of(wba_str_t base, form_t *form)
{
    const uint8_t *p = base.data, *end = base.data + base.len, *lf, *colon;

    memset(form, 0, sizeof(*form));
    form->colon = ": ";
    form->eol = "\n";
    while (p < end && form->count <= WBA_MAX_COMPONENTS) {
        lf = memchr(p, '\n', (size_t) (end - p));
        lf = lf != NULL ? lf : end;
        colon = search(wba_str(p, (size_t) (lf - p)), WBA_STR(": "));
        if (colon == NULL) {
            form->count = 0;
            return;
        }
        form->lines[form->count].name = wba_str(p, (size_t) (colon - p));
        form->lines[form->count].value =
            wba_str(colon + 2, (size_t) (lf - colon - 2));
        form->count++;
        p = lf + 1;
    }
}

static void
put_name(const form_t *form, wba_str_t name, wba_buf_t *buf)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if (!form->bare || name.data[i] != '"') {
            wba_buf_byte(buf, name.data[i]);
        }
    }
}

static wba_str_t
render(guesser_t *g, const form_t *form)
{
    wba_buf_t buf;
    uint8_t digest[64];
    char hex[65];
    size_t i;

    wba_buf_init(&buf, &g->mem, 2 * WBA_MAX_BASE);
    for (i = 0; i < form->count; i++) {
        put_name(form, form->lines[i].name, &buf);
        wba_buf_str(&buf, wba_str_z(form->colon));
        wba_buf_str(&buf, form->lines[i].value);
        if (i + 1 < form->count || form->last_eol) {
            wba_buf_str(&buf, wba_str_z(form->eol));
        }
    }
    if (form->hash == HASH_NONE) {
        return wba_buf_view(&buf);
    }
    if (form->hash == HASH_SHA512) {
        (void) crypto_hash_sha512(digest, buf.data, buf.len);
        return wba_str_copy(&g->mem, wba_str(digest, 64));
    }
    (void) crypto_hash_sha256(digest, buf.data, buf.len);
    if (form->hash == HASH_HEX) {
        (void) sodium_bin2hex(hex, sizeof(hex), digest, 32);
        return wba_str_copy(&g->mem, wba_str(hex, 64));
    }
    return wba_str_copy(&g->mem, wba_str(digest, 32));
}

static bool
verifies(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    unsigned alg;

    for (alg = 1; alg <= WBA_ALG_ALL; alg <<= 1) {
        if ((key->algs & alg)
            && wba_crypto_verify(key, (wba_alg_t) alg, g->fact->signature,
                                 base)
                   == WBA_OK)
        {
            return true;
        }
    }
    return false;
}

static bool
verifies_by_tried(guesser_t *g, const form_t *form)
{
    const trial_note_t *note = trial_note(g->trial, g->fact);
    wba_str_t base = render(g, form);
    size_t i;

    for (i = 0; i < note->ntried && base.data != NULL; i++) {
        if (verifies(g, &note->tried[i].key, base)) {
            return true;
        }
    }
    return false;
}

static void
found(guesser_t *g, const char *a, const char *b)
{
    (void) snprintf(g->out, GUESS_TEXT, "%s%s%s", a, *b ? "; and if " : "",
                    b);
    g->found = true;
}

/* All mistakes of kinds from first on, on top of form. */
static void
try_kinds(guesser_t *g, const form_t *form, size_t first, const char *with,
          bool pairs)
{
    char says[SAYS];
    form_t changed;
    size_t k, i, used;

    for (k = first; k < KINDS; k++) {
        for (i = 0; !g->found; i++) {
            used = g->arena.used;
            changed = *form;
            changed.changed = false;
            if (!kinds[k](g, i, &changed, says)) {
                break;
            }
            if (changed.changed && pairs) {
                try_kinds(g, &changed, k + 1, says, false);
            } else if (changed.changed && verifies_by_tried(g, &changed)) {
                found(g, *with ? with : says, *with ? says : "");
            }
            g->arena.used = used;
        }
    }
}

/* Another key of a directory that may answer. */
static void
try_keys(guesser_t *g, wba_str_t base)
{
    const trial_note_t *note = trial_note(g->trial, g->fact);
    uint8_t thumbprint[WBA_THUMBPRINT_TEXT_SIZE];
    size_t d, i, tried = 0;
    wba_key_t key;
    char says[SAYS];

    for (d = 0; d < g->trial->ngiven; d++) {
        if (!(note->accepted >> d & 1)) {
            continue;
        }
        for (i = 0; i < wba_keyset_count(g->trial->sets[d])
                    && tried < OTHER_KEYS;
             i++, tried++)
        {
            wba_keyset_key(g->trial->sets[d], i, &key);
            if (verifies(g, &key, base)) {
                wba_thumbprint_text(key.thumbprint, thumbprint);
                (void) snprintf(says, sizeof(says),
                                "keyid named the key %.*s, by which it is "
                                "signed",
                                (int) sizeof(thumbprint),
                                (const char *) thumbprint);
                found(g, says, "");
                return;
            }
        }
    }
}

bool
guess(const trial_t *t, const wba_fact_t *fact, char text[GUESS_TEXT])
{
    guesser_t g = { .trial = t, .fact = fact, .out = text };
    const trial_note_t *note = trial_note(t, fact);
    wba_reason_t reason = trial_reason(t, fact);
    void *block;
    form_t form;

    if ((reason != WBA_REASON_BAD_SIGNATURE
         && reason != WBA_REASON_VISA_SAMPLE_FORM)
        || !note->has_base || (block = malloc(BLOCK)) == NULL)
    {
        return false;
    }
    wba_arena_init(&g.arena, block, BLOCK);
    g.mem = wba_arena_mem(&g.arena);
    form_of(note->base, &form);
    if (form.count > 0) {
        try_kinds(&g, &form, 0, "", false);
    }
    if (!g.found) {
        try_keys(&g, note->base);
    }
    if (!g.found && form.count > 0) {
        try_kinds(&g, &form, 0, "", true);
    }
    free(block);
    return g.found;
}
