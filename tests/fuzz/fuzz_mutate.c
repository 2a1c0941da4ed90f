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
#include "mutate_model.h"

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
