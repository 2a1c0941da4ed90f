/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For fuzz_mutate.c: requests as a model of a few values, chosen for their
 * traps; the signature base of one, and whether it must verify, told plainly
 * and without a look at how core does it.
 */
#ifndef WBA_FUZZ_MUTATE_MODEL_H
#define WBA_FUZZ_MUTATE_MODEL_H

#include <stdarg.h>

#include "fuzz_host.h"

typedef enum {
    METHOD, AUTHORITY, SCHEME, TARGET_URI, REQUEST_TARGET, PATH, QUERY,
    PARAM_Q, PARAM_R, XA, XA_BS, PRIORITY, PRIORITY_SF, PRIORITY_U, DIGEST,
    DIGEST_256, AGENT, AGENT_SIG1, COOKIE, EMPTY, COMPONENTS
} component_t;

static const char *const identifiers[COMPONENTS] = {
    "\"@method\"", "\"@authority\"", "\"@scheme\"", "\"@target-uri\"",
    "\"@request-target\"", "\"@path\"", "\"@query\"",
    "\"@query-param\";name=\"q\"", "\"@query-param\";name=\"r\"", "\"x-a\"",
    "\"x-a\";bs", "\"priority\"", "\"priority\";sf", "\"priority\";key=\"u\"",
    "\"content-digest\"", "\"content-digest\";key=\"sha-256\"",
    "\"signature-agent\"", "\"signature-agent\";key=\"sig1\"", "\"cookie\"",
    "\"x-empty\"",
};

/* --- values */

static const char *const methods[] = { "GET", "POST", "get", "PUT" };
static const char *const hosts[] = { "shop.example", "other.example",
                                     "shop.example.evil", "[::1]" };
static const char *const ports[] = { "", ":443", ":80", ":8443", ":" };
static const char *const schemes[] = { "https", "http", "HTTPS" };
static const char *const paths[] = { "/p", "/", "/p%20a", "/P", "/p/../q",
                                     "/p//" };
static const struct {
    const char *raw; /* NULL: no '?' */
    const char *q;   /* NULL: absent; "!": not to be told */
    const char *r;
} queries[] = {
    { NULL, NULL, NULL },     { "", NULL, NULL },
    { "q=1", "1", NULL },     { "q=1&r=2", "1", "2" },
    { "r=2&q=1", "1", "2" },  { "q=a+b&r=%c3%a9", "a%20b", "%C3%A9" },
    { "q=1&q=2", "!", NULL }, { "&x&q&", "", NULL },
    { "q=%31", "1", NULL },   { "%71=1&r=2&s", "1", "2" },
};
static const char *const lines[] = { "1", "a, b", "\"x\"", "", "a\tb", "1, a" };
static const struct {
    const char *raw;
    const char *sf; /* NULL: it is no Dictionary */
    const char *u;  /* NULL: there is none */
} priorities[] = {
    { "u=1, i", "u=1, i", "1" },
    { "u=1,i", "u=1, i", "1" },
    { "u=1 ,\ti;x=?1", "u=1, i;x", "1" },
    { "u=2, i", "u=2, i", "2" },
    { "i, u=1", "i, u=1", "1" },
    { "u=3, i, u=1", "u=1, i", "1" },
    { "u", "u", "?1" },
    { "U=1", NULL, NULL },
    { "i", "i", NULL },
};
static const char *const agents[] = {
    NULL,
    "sig1=\"https://a.example/keys\"",
    "sig1=\"https://b.example\"",
    "\"https://a.example/keys\"",
    "sig1=\"https://a.example/keys\", other=\"https://b.example\"",
};
static const char *const bodies[] = { "", "hello", "hello ", "{}" };
static const char *const tags[] = { "agent-browser-auth", "agent-payer-auth",
                                    "web-bot-auth", "unknown" };
static const char *const algs[] = { NULL, "ed25519", "EdDSA",
                                    "rsa-pss-sha512", "hmac-sha256" };
static const char *const labels[] = { "sig1", "other", "a" };
static const char *const nonces[] = { NULL, "n", "m", "abc==" };
static const char *const keyids[] = { "kid-a", "$0", "$1", "$2", "nobody" };
static const unsigned char orders[][6] = {
    { 0, 1, 2, 3, 4, 5 }, { 5, 4, 3, 2, 1, 0 }, { 2, 0, 5, 1, 3, 4 },
};

/* Indices into the tables above. */
typedef struct {
    uint8_t method, host, upper, port, scheme, form, path, query, version;
    uint8_t xa[3], nxa;
    uint8_t priority; /* beyond the table: absent */
    uint8_t digest;   /* 0: absent; 1: sha-256; 2: and another */
    uint8_t agent, cookies, empty, body;
    uint8_t tag, alg, label, nonce, keyid, order, extra;
    uint8_t list[COMPONENTS], ncovered;
    int64_t created, expires;
    char stated[128]; /* Content-Digest of the body that was signed */
} model_t;

#define IN(index, table) ((table)[(index) % COUNT(table)])

/* How it is written: what no signature can cover. */
typedef struct {
    uint8_t lower, blanks, fold, lf, before, spaces, loose, chatter;
} layout_t;

typedef struct {
    char text[16384];
    size_t len;
    bool bad; /* there is no such text */
} text_t;

static void add(text_t *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void
add(text_t *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
    va_end(args);
    CHECK(n >= 0 && (size_t) n < sizeof(t->text) - t->len);
    t->len += (size_t) n;
}

static wba_str_t
view(const text_t *t)
{
    return wba_str(t->text, t->len);
}

/* --- the base, told a second time */

static bool
absolute(const model_t *r)
{
    return r->form % 4 == 3;
}

static const char *
host_as_sent(const model_t *r)
{
    static char sent[64];
    size_t i;

    (void) snprintf(sent, sizeof(sent), "%s", IN(r->host, hosts));
    for (i = 0; r->upper & 1 && sent[i] != '\0'; i++) {
        sent[i] = sent[i] >= 'a' && sent[i] <= 'z' ? (char) (sent[i] - 32)
                                                   : sent[i];
    }
    return sent;
}

static const char *
lower_scheme(const model_t *r)
{
    return strcmp(IN(r->scheme, schemes), "http") == 0 ? "http" : "https";
}

static void
add_authority(text_t *t, const model_t *r)
{
    const char *port = IN(r->port, ports);
    bool https = strcmp(lower_scheme(r), "https") == 0;

    if (strcmp(port, https ? ":443" : ":80") == 0 || strcmp(port, ":") == 0) {
        port = "";
    }
    add(t, "%s%s", IN(r->host, hosts), port);
}

static void
add_target(text_t *t, const model_t *r)
{
    const char *query = IN(r->query, queries).raw;

    if (absolute(r)) {
        add(t, "%s://%s%s", IN(r->scheme, schemes), host_as_sent(r),
            IN(r->port, ports));
    }
    add(t, "%s%s%s", IN(r->path, paths), query ? "?" : "", query ? query : "");
}

static const char *
agent_sig1(const model_t *r)
{
    switch (r->agent % COUNT(agents)) {
    case 1:
    case 4:
        return "\"https://a.example/keys\"";
    case 2:
        return "\"https://b.example\"";
    default:
        return NULL;
    }
}

static void
add_known(text_t *t, const char *value)
{
    if (value == NULL || strcmp(value, "!") == 0) {
        t->bad = true;
    } else {
        add(t, "%s", value);
    }
}

static void
add_xa(text_t *t, const model_t *r, bool bytes)
{
    char text[64];
    unsigned i, n = r->nxa % 4;

    for (i = 0; i < n; i++) {
        const char *line = IN(r->xa[i], lines);

        sodium_bin2base64(text, sizeof(text), (const uint8_t *) line,
                          strlen(line), sodium_base64_VARIANT_ORIGINAL);
        add(t, bytes ? "%s:%s:" : "%s%s", i ? ", " : "", bytes ? text : line);
    }
    t->bad |= n == 0;
}

static bool
has_priority(const model_t *r)
{
    return r->priority % 16 < COUNT(priorities);
}

static void
add_value(text_t *t, const model_t *r, component_t c)
{
    const char *query = IN(r->query, queries).raw;

    switch (c) {
    case METHOD:
        add(t, "%s", IN(r->method, methods));
        return;
    case AUTHORITY:
        add_authority(t, r);
        return;
    case SCHEME:
        add(t, "%s", lower_scheme(r));
        return;
    case TARGET_URI:
        if (!absolute(r)) {
            add(t, "%s://", lower_scheme(r));
            add_authority(t, r);
        }
        add_target(t, r);
        return;
    case REQUEST_TARGET:
        add_target(t, r);
        return;
    case PATH:
        add(t, "%s", IN(r->path, paths));
        return;
    case QUERY:
        add(t, "?%s", query ? query : "");
        return;
    case PARAM_Q:
        add_known(t, IN(r->query, queries).q);
        return;
    case PARAM_R:
        add_known(t, IN(r->query, queries).r);
        return;
    case XA:
    case XA_BS:
        add_xa(t, r, c == XA_BS);
        return;
    case PRIORITY:
    case PRIORITY_SF:
    case PRIORITY_U:
        add_known(t, !has_priority(r)   ? NULL
                     : c == PRIORITY    ? priorities[r->priority % 16].raw
                     : c == PRIORITY_SF ? priorities[r->priority % 16].sf
                                        : priorities[r->priority % 16].u);
        return;
    case DIGEST:
        t->bad |= r->digest % 3 == 0;
        add(t, "sha-256=%s%s", r->stated, r->digest % 3 == 2 ? ", a=1" : "");
        return;
    case DIGEST_256:
        t->bad |= r->digest % 3 == 0;
        add(t, "%s", r->stated);
        return;
    case AGENT:
        add_known(t, IN(r->agent, agents));
        return;
    case AGENT_SIG1:
        add_known(t, agent_sig1(r));
        return;
    case COOKIE:
        t->bad |= r->cookies % 3 == 0;
        add(t, "%s", r->cookies % 3 == 1 ? "a=b"
                     : r->version & 1    ? "a=b; c=d"
                                         : "a=b, c=d");
        return;
    default:
        t->bad |= !(r->empty & 1);
        return;
    }
}

static const char *
keyid_text(const model_t *r)
{
    const char *keyid = IN(r->keyid, keyids);

    return keyid[0] == '$' ? host_keys[keyid[1] - '0'].text : keyid;
}

static void
add_text_param(text_t *t, const char *gap, const char *name, const char *value)
{
    if (value != NULL) {
        add(t, ";%s%s=\"%s\"", gap, name, value);
    }
}

/* gap: the blanks that may stand behind ';' and around items. */
static void
add_params(text_t *t, const model_t *r, const char *gap)
{
    const unsigned char *order = IN(r->order, orders);
    unsigned i;

    for (i = 0; i < 6; i++) {
        switch (order[i]) {
        case 0:
            add(t, ";%screated=%lld", gap, (long long) r->created);
            break;
        case 1:
            add(t, ";%sexpires=%lld", gap, (long long) r->expires);
            break;
        case 2:
            add_text_param(t, gap, "keyid", keyid_text(r));
            break;
        case 3:
            add_text_param(t, gap, "alg", IN(r->alg, algs));
            break;
        case 4:
            add_text_param(t, gap, "nonce", IN(r->nonce, nonces));
            break;
        default:
            add_text_param(t, gap, "tag", IN(r->tag, tags));
        }
    }
    if (r->extra & 3) {
        add(t, ";%sx%s", gap, r->extra & 1 ? "" : "=0.5");
    }
}

static void
add_list(text_t *t, const model_t *r, const char *gap)
{
    unsigned i;

    add(t, "(%s", gap);
    for (i = 0; i < r->ncovered; i++) {
        add(t, "%s%s%s", i ? " " : "", i ? gap : "", identifiers[r->list[i]]);
    }
    add(t, "%s)", gap);
    add_params(t, r, gap);
}

static void
base_of(const model_t *r, text_t *t)
{
    unsigned i;

    t->len = 0;
    t->bad = false;
    for (i = 0; i < r->ncovered; i++) {
        add(t, "%s: ", identifiers[r->list[i]]);
        add_value(t, r, (component_t) r->list[i]);
        add(t, "\n");
    }
    add(t, "\"@signature-params\": ");
    add_list(t, r, "");
}

static bool
covers(const model_t *r, component_t c)
{
    unsigned i;

    for (i = 0; i < r->ncovered; i++) {
        if (r->list[i] == c) {
            return true;
        }
    }
    return false;
}

/* --- whether it must verify */

/* The directory that the signature leads to, an index into shop 0's, or -1. */
static int
directory_of(const model_t *r)
{
    bool whole = covers(r, AGENT), keyed = covers(r, AGENT_SIG1);
    unsigned agent = r->agent % COUNT(agents), tag = r->tag % COUNT(tags);
    const char *label = IN(r->label, labels);

    if (tag == 3) {
        return -1;
    }
    if (!whole && !keyed) {
        return tag < 2 ? 0 : -1;
    }
    if (tag < 2) {
        return agent == 0 ? 0 : -1; /* which is missing from the base */
    }
    switch (agent) {
    case 1:
        return 1;
    case 2:
        return 2;
    case 3:
        return keyed ? -1 : 1;
    case 4:
        return strcmp(label, "sig1") == 0 || !whole ? 1
               : strcmp(label, "other") == 0        ? 2
                                                    : -1;
    default:
        return -1;
    }
}

/* Whose key that directory has under the keyid, or -1. */
static int
key_of(const model_t *r, int directory)
{
    static const int owner[] = { ALICE, BOB, CAROL };
    unsigned keyid = r->keyid % COUNT(keyids);

    if (directory < 0 || keyid == 4) {
        return -1;
    }
    if (keyid == 0) { /* kid-a */
        return directory == 0 ? ALICE : -1;
    }
    return (int) keyid - 1 == owner[directory] ? owner[directory] : -1;
}

static bool
asked_for(const model_t *r, int directory, int64_t now)
{
    unsigned alg = r->alg % COUNT(algs);
    int64_t life = r->expires - r->created;

    if (r->created > now + 5 || r->expires <= now - 5 || life <= 0
        || alg > 2 || (!covers(r, AUTHORITY) && !covers(r, TARGET_URI)))
    {
        return false;
    }
    if (directory != 0) {
        return life <= 24 * 3600;
    }
    return life <= 8 * 60 && alg != 0 && r->nonce % COUNT(nonces) != 0
           && covers(r, AUTHORITY) && covers(r, PATH);
}

static bool
body_fits(const model_t *r, const model_t *signed_as)
{
    if (!covers(r, DIGEST) && !covers(r, DIGEST_256)) {
        return true;
    }
    return strcmp(IN(r->body, bodies), IN(signed_as->body, bodies)) == 0;
}

#endif
