/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request is made, signed, and changed; it verifies if and only if nothing
 * that its signature covers has changed, and all that is asked of a signature
 * holds.  What is covered is told a second time here, plainly, over a model of
 * requests (the model's values are few, and chosen for their traps).
 *
 * Input: a request's model; how to write it; changes of the model; changes of
 * the text's bytes, of which it is asked only that what still verifies is what
 * was signed.
 */
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

/* --- writing it */

static const char *
field_name(const layout_t *l, const char *name)
{
    static char lower[64];
    size_t i;

    if (!(l->lower & 1)) {
        return name;
    }
    (void) snprintf(lower, sizeof(lower), "%s", name);
    for (i = 0; lower[i] != '\0'; i++) {
        lower[i] = (char) wba_lower((uint8_t) lower[i]);
    }
    return lower;
}

static void
add_field(text_t *t, const layout_t *l, const char *name, const char *value)
{
    static const char *const before[] = { " ", "", "  ", "\t", " \t" };
    static const char *const after[] = { "", " ", "\t ", "\r\n " };

    add(t, "%s:%s%s%s%s", field_name(l, name), IN(l->blanks, before), value,
        after[l->fold % (l->lf & 1 ? 3 : 4)], l->lf & 1 ? "\n" : "\r\n");
}

/* With chatter, others' members stand before ours. */
static void
add_signature(text_t *t, const model_t *r, const layout_t *l,
              const char *signature, bool input)
{
    static const char *const gaps[] = { "", " ", "  " };
    text_t value = { .len = 0 };

    if (l->chatter & (input ? 2 : 1)) {
        add(&value, "%s", input ? "yy=();tag=\"none\" ,\t" : "zz=:AA==:, ");
    }
    add(&value, "%s=", IN(r->label, labels));
    if (input) {
        add_list(&value, r, IN(l->spaces, gaps));
    } else {
        add(&value, ":%s:", signature);
    }
    add_field(t, l, input ? "Signature-Input" : "Signature", value.text);
}

static void
add_fields(text_t *t, const model_t *r, const layout_t *l)
{
    char digest[160];
    unsigned i;

    for (i = 0; i < r->nxa % 4; i++) {
        add_field(t, l, "X-A", IN(r->xa[i], lines));
        if (l->chatter & 4) {
            add_field(t, l, "X-B", "between");
        }
    }
    if (has_priority(r)) {
        add_field(t, l, "Priority", priorities[r->priority % 16].raw);
    }
    if (r->digest % 3) {
        (void) snprintf(digest, sizeof(digest), "sha-256=%s%s", r->stated,
                        r->digest % 3 == 2 ? ", a=1" : "");
        add_field(t, l, "Content-Digest", digest);
    }
    if (IN(r->agent, agents) != NULL) {
        add_field(t, l, "Signature-Agent", IN(r->agent, agents));
    }
    if (r->cookies % 3) {
        add_field(t, l, "Cookie", "a=b");
    }
    if (r->cookies % 3 == 2) {
        add_field(t, l, "Cookie", "c=d");
    }
    if (r->empty & 1) {
        add_field(t, l, "X-Empty", "");
    }
}

static void
write_request(text_t *t, const model_t *r, const layout_t *l,
              const char *signature)
{
    char host[80];

    t->len = 0;
    add(t, "%s ", IN(r->method, methods));
    add_target(t, r);
    add(t, " HTTP/%s%s", r->version & 1 ? "2" : "1.1",
        l->lf & 1 ? "\n" : "\r\n");
    (void) snprintf(host, sizeof(host), "%s%s", host_as_sent(r),
                    IN(r->port, ports));
    add(t, "%s: %s%s", field_name(l, "Host"), /* which nobody folds */
        absolute(r) && l->loose & 1 ? "elsewhere" : host,
        l->lf & 1 ? "\n" : "\r\n");
    if (l->before & 1) {
        add_signature(t, r, l, signature, l->before & 2);
        add_signature(t, r, l, signature, !(l->before & 2));
    }
    add_fields(t, r, l);
    if (!(l->before & 1)) {
        add_signature(t, r, l, signature, l->before & 2);
        add_signature(t, r, l, signature, !(l->before & 2));
    }
    add(t, "%s%s", l->lf & 1 ? "\n" : "\r\n", IN(r->body, bodies));
}

/* --- reading the input */

static void
read_list(fuzz_in_t *in, model_t *r)
{
    uint32_t chosen = (uint32_t) fuzz_number(in, 3);
    unsigned i, from = fuzz_below(in, COMPONENTS);
    bool backwards = (fuzz_byte(in) & 1) != 0;
    unsigned c;

    r->ncovered = 0;
    for (i = 0; i < COMPONENTS; i++) {
        c = (from + (backwards ? COMPONENTS - i : i)) % COMPONENTS;
        if (chosen >> c & 1) {
            r->list[r->ncovered++] = (uint8_t) c;
        }
    }
}

/* A request that would verify, then what the input makes of it. */
static void
read_model(fuzz_in_t *in, model_t *r)
{
    memset(r, 0, sizeof(*r));
    r->method = fuzz_byte(in);
    r->host = fuzz_byte(in);
    r->port = fuzz_byte(in);
    r->scheme = fuzz_byte(in);
    r->form = fuzz_byte(in);
    r->path = fuzz_byte(in);
    r->query = fuzz_byte(in);
    r->version = fuzz_byte(in);
    r->nxa = fuzz_byte(in);
    r->xa[0] = fuzz_byte(in);
    r->xa[1] = r->xa[0] / 8;
    r->xa[2] = r->xa[0] / 32;
    r->priority = fuzz_byte(in);
    r->digest = fuzz_byte(in);
    r->agent = fuzz_byte(in);
    r->cookies = fuzz_byte(in);
    r->empty = fuzz_byte(in);
    r->body = fuzz_byte(in);
    r->tag = fuzz_byte(in);
    r->alg = fuzz_byte(in) + 1;
    r->label = fuzz_byte(in);
    r->nonce = fuzz_byte(in) + 1;
    r->keyid = fuzz_byte(in);
    r->order = fuzz_byte(in);
    r->created = NOW - 10;
    r->expires = NOW + 50;
    read_list(in, r);
}

static void
uncover(model_t *r, component_t c)
{
    uint8_t i, n = 0;

    for (i = 0; i < r->ncovered; i++) {
        if (r->list[i] != c) {
            r->list[n++] = r->list[i];
        }
    }
    r->ncovered = n;
}

static void
cover(model_t *r, component_t c)
{
    if (!covers(r, c)) {
        r->list[r->ncovered++] = (uint8_t) c;
    }
}

/* Makes of whatever it is a request that verifies.  Who signs it. */
static unsigned
cohere(model_t *r)
{
    int directory;

    r->tag %= 3;
    r->alg = 1 + r->alg % 2;
    r->nonce = 1 + r->nonce % 3;
    r->nxa = 1 + r->nxa % 3;
    r->priority %= 7; /* a Dictionary with u */
    r->digest = 1 + r->digest % 2;
    r->cookies = 1 + r->cookies % 2;
    r->empty = 1;
    r->query = r->query & 1 ? 3 : 9; /* both parameters, once */
    cover(r, AUTHORITY);
    cover(r, PATH);
    uncover(r, AGENT);
    if (r->tag == 2) {
        r->agent = r->agent & 1 ? 4 : 1 + r->agent % 4 / 2;
        cover(r, AGENT_SIG1);
    } else {
        uncover(r, AGENT_SIG1);
    }
    directory = directory_of(r);
    CHECK(directory >= 0);
    r->keyid = (uint8_t) (1 + directory);
    return (unsigned) directory; /* their keys are in the same order */
}

static void
state_digest(model_t *r)
{
    const char *body = IN(r->body, bodies);
    uint8_t hash[32];
    char text[64];

    crypto_hash_sha256(hash, (const uint8_t *) body, strlen(body));
    sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    (void) snprintf(r->stated, sizeof(r->stated), ":%s:", text);
}

static void
read_layout(fuzz_in_t *in, layout_t *l)
{
    l->lower = fuzz_byte(in);
    l->blanks = fuzz_byte(in);
    l->fold = fuzz_byte(in);
    l->lf = fuzz_byte(in);
    l->before = fuzz_byte(in);
    l->spaces = fuzz_byte(in);
    l->loose = fuzz_byte(in);
    l->chatter = fuzz_byte(in);
}

static void
change_list(model_t *r, uint8_t how, uint8_t at)
{
    unsigned i = r->ncovered ? at % r->ncovered : 0, j;
    uint8_t c;

    if (how % 3 == 0 && r->ncovered) { /* one less */
        memmove(r->list + i, r->list + i + 1, r->ncovered - i - 1u);
        r->ncovered--;
    } else if (how % 3 == 1 && r->ncovered > 1) { /* in another order */
        j = (i + 1) % r->ncovered;
        c = r->list[i];
        r->list[i] = r->list[j];
        r->list[j] = c;
    } else if (!covers(r, (component_t) (at % COMPONENTS))) { /* one more */
        r->list[r->ncovered++] = at % COMPONENTS;
    }
}

/* One change of the model. */
static void
change(model_t *r, uint8_t what, uint8_t to)
{
    uint8_t *const values[] = {
        &r->method,   &r->host,  &r->upper,   &r->port,    &r->scheme,
        &r->form,     &r->path,  &r->query,   &r->version, &r->nxa,
        &r->xa[0],    &r->xa[1], &r->xa[2],   &r->agent,   &r->cookies,
        &r->priority, &r->empty, &r->digest,  &r->body,    &r->tag,
        &r->alg,      &r->label, &r->nonce,   &r->keyid,   &r->order,
        &r->extra,
    };

    if (what < 8 * COUNT(values)) {
        *values[what / 8] = to;
    } else if (what < 220) {
        r->created += (int8_t) to;
    } else if (what < 232) {
        r->expires += (int8_t) to * (what & 1 ? 1 : 900);
    } else {
        change_list(r, what, to);
    }
}

/* --- runs */

static bool
verifies(wba_str_t text, const model_t *r, int64_t now, host_request_t *host)
{
    fuzz_mem_t *m = &host->m;
    size_t line;

    memset(host, 0, sizeof(*host));
    fuzz_mem_init(m);
    wba_policy_default(&host->policy);
    host->policy.mode = WBA_MODE_ON;
    host->served = true;
    host->body_complete = true;
    host->now = now;
    host->verdict.reason = WBA_REASON_NO_SIGNATURE;
    if (wba_raw_message_parse(fuzz_copy(m, text), &host->raw, &line)
        != WBA_OK)
    {
        return false;
    }
    host->raw.scheme = wba_str_z(IN(r->scheme, schemes));
    host_run(host, &host_shops[0]);
    return host->verdict.reason == WBA_REASON_OK;
}

static void
show(const char *what, const text_t *text)
{
    fuzz_show(what, view(text));
}

static void
expect(bool want, const text_t *text, const model_t *r, const text_t *base,
       int64_t now)
{
    static host_request_t host;
    bool got = verifies(view(text), r, now, &host);

    if (got != want) {
        show("request", text);
        show("signed", base);
        (void) fprintf(stderr, "  reason %s, want %d\n",
                       (const char *)
                           wba_reason_info(host.verdict.reason)->name.data,
                       want);
    }
    CHECK(got == want);
    if (got) {
        CHECK_SAME(host.verdict.signature->base, view(base));
        fuzz_mem_free(&host.m);
        /* Once. */
        got = verifies(view(text), r, now, &host);
        CHECK(got == (r->nonce % COUNT(nonces) == 0));
        CHECK(got || host.verdict.reason == WBA_REASON_NONCE_REPLAYED);
    }
    fuzz_mem_free(&host.m);
    host_nnonces = 0;
}

/* Bytes changed; what verifies all the same is what was signed. */
static void
scribble(fuzz_in_t *in, text_t *text, const model_t *r, const text_t *base,
         const uint8_t *signature)
{
    static host_request_t host;
    const wba_fact_t *f;
    unsigned n = 0;
    size_t at;

    while (in->len >= 3 && n++ < 16) {
        at = fuzz_number(in, 2) % text->len;
        text->text[at] = (char) fuzz_byte(in);
    }
    if (verifies(view(text), r, NOW, &host)) {
        f = host.verdict.signature;
        CHECK_SAME(f->base, view(base));
        CHECK_SAME(f->signature, wba_str(signature, 64));
    }
    fuzz_mem_free(&host.m);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    host_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static text_t base, changed, text;
    fuzz_in_t in = wba_str(data, size);
    uint8_t signature[64], flip, at;
    model_t was, is;
    layout_t layout;
    int64_t now = NOW;
    unsigned n, signer;
    int directory;
    char value[128];
    bool want;

    host_forget();
    read_model(&in, &was);
    read_layout(&in, &layout);
    signer = fuzz_byte(&in);
    signer = signer & 4 ? signer % HOST_KEYS : cohere(&was);
    state_digest(&was);
    base_of(&was, &base);
    crypto_sign_detached(signature, NULL, (const uint8_t *) base.text,
                         base.len, host_keys[signer].secret);

    is = was;
    n = fuzz_below(&in, 6);
    while (n-- != 0) {
        uint8_t what = fuzz_byte(&in);

        change(&is, what, fuzz_byte(&in));
    }
    flip = fuzz_byte(&in);
    at = fuzz_byte(&in) % 64;
    if (flip < 32) {
        signature[at] ^= (uint8_t) (1u << flip % 8);
    }
    if (flip > 200) {
        now += (int8_t) at - 32;
        now += flip > 240 ? -40 : 50;
    }
    sodium_bin2base64(value, sizeof(value), signature, sizeof(signature),
                      sodium_base64_VARIANT_ORIGINAL);
    if (flip & 64) { /* padding may be missing */
        value[strcspn(value, "=")] = '\0';
    }

    base_of(&is, &changed);
    directory = directory_of(&is);
    want = !changed.bad && flip >= 32
           && wba_str_eq(view(&base), view(&changed))
           && key_of(&is, directory) == (int) signer
           && asked_for(&is, directory, now) && body_fits(&is, &was);
    write_request(&text, &is, &layout, value);
    expect(want, &text, &is, &base, now);
    if (flip >= 32) {
        scribble(&in, &text, &is, &base, signature);
    }
    return 0;
}
