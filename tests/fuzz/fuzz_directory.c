/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a directory answers, from its header lines as libcurl hands them over
 * to a key set: what is taken is sound and within bounds, what is not is said
 * in printable words; where proof is required, each key of the set has signed
 * this very answer; the one redirect that may be followed leads to the same
 * URL, but for "www.".
 *
 * Input: settings, then the answer's text, in which $a $b $c stand for
 * thumbprints, $A $B $C for their JWKs, and $d for a Content-Digest.
 */
#include "directory.h"
#include "fetch_private.h"
#include "fuzz_host.h"

typedef struct {
    bool sign;
    bool conditional;
    bool proof;
    bool well_known;
    bool decoded;
    unsigned who;
    unsigned code; /* libcurl's */
    const char *url;
} settings_t;

static const char *const urls[] = {
    ("https://a.example" WBA_WELL_KNOWN_PATH),
    "https://a.example/keys?x=1",
    "https://www.a.example:8443/keys",
    "https://192.0.2.1/keys",
};

static fuzz_mem_t m;
static CURL *easy; /* that never did anything */

static void
read_settings(fuzz_in_t *in, settings_t *s)
{
    unsigned flags = fuzz_byte(in), more = fuzz_byte(in);

    s->sign = (flags & 1) != 0;
    s->conditional = (flags & 2) != 0;
    s->proof = (flags & 4) != 0;
    s->well_known = (flags & 8) != 0;
    s->decoded = (flags & 16) != 0;
    s->url = urls[flags >> 6];
    s->who = more;
    s->code = flags & 32 ? more % CURL_LAST : CURLE_OK;
}

/* --- the answer */

static void
add_jwk(wba_buf_t *out, unsigned who)
{
    char x[48], text[128];

    sodium_bin2base64(x, sizeof(x), host_keys[who].pub, 32,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    (void) snprintf(text, sizeof(text),
                    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", x);
    wba_buf_str(out, wba_str_z(text));
}

static size_t
head_of(wba_str_t text)
{
    size_t i;

    for (i = 0; i + 3 < text.len; i++) {
        if (memcmp(text.data + i, "\r\n\r\n", 4) == 0) {
            return i + 4;
        }
    }
    return text.len;
}

/* The body first: the digest is of what it becomes. */
static wba_str_t
expand(wba_str_t text, wba_str_t body)
{
    uint8_t hash[32], c;
    wba_buf_t out;
    size_t i;

    wba_buf_init(&out, &m.mem, 65536);
    for (i = 0; i < text.len; i++) {
        c = i + 1 < text.len && text.data[i] == '$' ? text.data[i + 1] : 0;
        if (c >= 'a' && c <= 'c') {
            wba_buf_str(&out, wba_str_z(host_keys[c - 'a'].text));
        } else if (c >= 'A' && c <= 'C') {
            add_jwk(&out, (unsigned) (c - 'A'));
        } else if (c == 'd') {
            crypto_hash_sha256(hash, body.data, body.len);
            wba_buf_lit(&out, "sha-256=");
            wba_sf_write_bytes(&out, hash, sizeof(hash));
        } else {
            wba_buf_byte(&out, text.data[i]);
            continue;
        }
        i++;
    }
    return wba_buf_view(&out);
}

/* The answer's fields as a message; false: they are none. */
static bool
as_message(wba_str_t head, wba_raw_message_t *raw)
{
    size_t at = 0, line;
    wba_buf_t text;

    while (at < head.len && head.data[at] != '\n') {
        at++;
    }
    wba_buf_init(&text, &m.mem, 131072);
    wba_buf_lit(&text, "GET / HTTP/1.1\r\n");
    if (at < head.len) {
        wba_buf_add(&text, head.data + at + 1, head.len - at - 1);
    }
    return wba_raw_message_parse(wba_buf_view(&text), raw, &line) == WBA_OK;
}

static bool
base_of(const settings_t *s, const wba_raw_message_t *raw,
        const wba_sf_value_t *member, unsigned status, wba_buf_t *base)
{
    static wba_components_t components;
    wba_response_t response = {
        .message = &raw->message,
        .status = status,
        .method = WBA_STR("GET"),
        .scheme = WBA_STR("https"),
    };
    wba_reason_t why;
    wba_uri_t uri;
    size_t at;

    CHECK(wba_uri_parse(wba_str_z(s->url), &uri) == WBA_OK);
    CHECK(wba_authority_normalise(&m.mem, uri.authority, uri.scheme,
                                  &response.authority)
          == WBA_OK);
    wba_buf_init(base, &m.mem, WBA_MAX_BASE);
    return wba_components_parse_response(member, &m.mem, &components, &why)
               == WBA_OK
           && wba_sigbase_build_response(&response, member, &components,
                                         &m.mem, base, &why, &at)
                  == WBA_OK;
}

static unsigned
status_of(wba_str_t head)
{
    const uint8_t *space = head.len ? memchr(head.data, ' ', head.len) : NULL;
    size_t left = space ? head.len - (size_t) (space - head.data) : 0;

    if (left < 4) {
        return 0;
    }
    return (unsigned) ((space[1] & 15) * 100 + (space[2] & 15) * 10
                       + (space[3] & 15));
}

/* The head with a Signature that fits its Signature-Input. */
static wba_str_t
add_signature(const settings_t *s, wba_str_t head)
{
    static wba_raw_message_t raw;
    wba_buf_t out, base, value;
    wba_sf_value_t member;
    wba_str_t field, label;
    wba_sf_iter_t it;

    if (!s->sign || head.len < 4 || !as_message(head, &raw)
        || wba_message_field(&raw.message, WBA_STR("signature-input"), &m.mem,
                             &field)
               != WBA_OK)
    {
        return head;
    }
    wba_buf_init(&value, &m.mem, 16384);
    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK && it.count < 12) {
        if (member.type == WBA_SF_INNER_LIST
            && base_of(s, &raw, &member, status_of(head), &base))
        {
            host_sign(&value, (s->who + it.count - 1) % HOST_KEYS, label,
                      wba_buf_view(&base));
        }
    }
    wba_buf_init(&out, &m.mem, 131072);
    wba_buf_add(&out, head.data, head.len - 2);
    wba_buf_lit(&out, "Signature: ");
    wba_buf_str(&out, wba_buf_view(&value));
    wba_buf_lit(&out, "\r\n\r\n");
    return wba_buf_view(&out);
}

/* --- as libcurl hands it over */

static bool
feed_head(wba_fetch_job_t *job, wba_str_t head)
{
    wba_str_t line, copy;
    const uint8_t *lf;
    size_t taken;

    while (head.len) {
        lf = memchr(head.data, '\n', head.len);
        line = wba_str(head.data, lf ? (size_t) (lf - head.data) + 1
                                     : head.len);
        head = wba_str(head.data + line.len, head.len - line.len);
        copy = fuzz_copy(&m, line);
        taken = wba_fetch_on_header((char *) (uintptr_t) copy.data, 1,
                                    copy.len, job);
        CHECK(taken == copy.len || job->result.error != WBA_FETCH_OK);
        if (taken != copy.len) {
            return false;
        }
    }
    return true;
}

/* What libcurl did not tell it is told here. */
static void
feed(wba_fetch_job_t *job, const settings_t *s, wba_str_t head,
     wba_str_t body)
{
    wba_fetch_result_t *r = &job->result;
    wba_str_t copy = fuzz_copy(&m, body);
    size_t half = body.len / 2;

    if (feed_head(job, head)) {
        char *text = (char *) (uintptr_t) copy.data;

        if (wba_fetch_on_body(text, 1, half, job) == half) {
            (void) wba_fetch_on_body(text + half, 1, body.len - half, job);
        }
        (void) wba_fetch_on_progress(job, 0, (curl_off_t) body.len * 3, 0, 0);
    }
    CHECK(job->body.len <= job->max_body);
    CHECK(job->headers.len <= WBA_MAX_FETCH_HEADERS);
    if (s->code != CURLE_OK && body.len != 0) {
        (void) snprintf(job->detail, sizeof(job->detail), "%.*s",
                        (int) (body.len % 100), (const char *) body.data);
    }
    wba_fetch_describe(job, (CURLcode) s->code);
    r->status = (int) status_of(head);
    r->body = fuzz_copy(&m, r->body);
    r->headers = fuzz_copy(&m, r->headers);
    r->content_type = wba_fetch_header(r, "content-type");
}

/* --- what must hold */

static void
is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        CHECK(*text >= 0x20 && *text < 0x7f);
    }
}

/* Whether the field is of that body, by each hash that it states and one at
 * least. */
static bool
digest_fits(const wba_raw_message_t *raw, wba_str_t body)
{
    uint8_t sha256[32], sha512[64], got[64];
    const uint8_t *hashes[] = { sha256, sha512 };
    static const char *const names[] = { "sha-256", "sha-512" };
    unsigned stated = 0, i;
    wba_sf_value_t value;
    wba_str_t field;
    size_t len;

    if (wba_message_field(&raw->message, WBA_STR("content-digest"), &m.mem,
                          &field)
        != WBA_OK)
    {
        return false;
    }
    crypto_hash_sha256(sha256, body.data, body.len);
    crypto_hash_sha512(sha512, body.data, body.len);
    for (i = 0; i < 2; i++) {
        if (wba_sf_dict_find(field, wba_str_z(names[i]), &value) != WBA_OK) {
            continue;
        }
        stated++;
        if (value.type != WBA_SF_BYTES
            || wba_sf_bytes(&value, got, sizeof(got), &len) != WBA_OK
            || len != 32u << i || memcmp(got, hashes[i], len) != 0)
        {
            return false;
        }
    }
    return stated != 0;
}

/* Whether the key has signed the answer and its digest. */
static bool
has_proven(const settings_t *s, const wba_fetch_result_t *result,
           wba_str_t head, unsigned who)
{
    static wba_raw_message_t raw;
    wba_str_t inputs, values, label, signature;
    wba_sf_value_t member;
    wba_sf_iter_t it;
    wba_buf_t base;

    if (!as_message(head, &raw)
        || wba_message_field(&raw.message, WBA_STR("signature-input"), &m.mem,
                             &inputs)
               != WBA_OK
        || wba_message_field(&raw.message, WBA_STR("signature"), &m.mem,
                             &values)
               != WBA_OK
        || result->decoded || !digest_fits(&raw, result->body))
    {
        return false;
    }
    wba_sf_dict_init(&it, inputs);
    while (wba_sf_dict_next(&it, &label, &member) == WBA_OK) {
        if (member.type == WBA_SF_INNER_LIST
            && base_of(s, &raw, &member, (unsigned) result->status, &base)
            && wba_signature_find(values, label, &m.mem, &signature) == WBA_OK
            && signature.len == 64
            && crypto_sign_verify_detached(signature.data, base.data, base.len,
                                           host_keys[who].pub)
                   == 0)
        {
            return true;
        }
    }
    return false;
}

static void
set(const settings_t *s, const wba_fetch_result_t *result, wba_str_t head,
    const wba_directory_answer_t *answer)
{
    size_t i, n = wba_keyset_count(answer->set);
    wba_key_t key;
    unsigned who;

    CHECK(wba_keyset_check(answer->set) == WBA_OK);
    CHECK(result->status == 200);
    for (i = 0; i < n; i++) {
        wba_keyset_key(answer->set, i, &key);
        CHECK(!wba_jwk_is_test_key(key.thumbprint));
        who = host_whose(key.thumbprint);
        if (s->proof) {
            CHECK(who < HOST_KEYS && has_proven(s, result, head, who));
        }
    }
    CHECK(!s->proof || n == 0 || answer->proof.proven >= n);
    CHECK(!s->well_known || result->content_type.len >= 50);
}

static void
validators(const wba_directory_answer_t *answer)
{
    const char *texts[] = { answer->etag, answer->last_modified };
    size_t i, j;

    for (i = 0; i < COUNT(texts); i++) {
        CHECK(memchr(texts[i], '\0', WBA_MAX_VALIDATOR) != NULL);
        for (j = 0; texts[i][j] != '\0'; j++) {
            CHECK((uint8_t) texts[i][j] >= 0x20 && texts[i][j] != 0x7f);
        }
    }
}

static void
answer(const settings_t *s, const wba_fetch_result_t *result, wba_str_t head)
{
    wba_directory_options_t options = {
        .jwks = { .well_known = s->well_known, .max_keys = 8 },
        .conditional = s->conditional,
        .proof_required = s->proof,
        .url = s->url,
        .now = NOW,
    };
    wba_directory_answer_t a;
    wba_status_t status;
    int64_t life;

    status = wba_directory_read(result, &options, NULL, NULL, &a);
    CHECK((status == WBA_OK) == (a.error[0] == '\0'));
    is_printable(a.error);
    is_printable(a.proof.text);
    CHECK(a.proof.state == WBA_PROOF_BAD || a.proof.text[0] == '\0');
    CHECK((a.proof.state == WBA_PROOF_GOOD) == (a.proof.proven > 0));
    life = wba_freshness_lifetime(&a.freshness, NOW, 300, 86400);
    CHECK(life >= 300 && life <= 86400);
    validators(&a);
    if (status != WBA_OK) {
        CHECK(a.set.data == NULL && !a.unchanged);
    } else if (a.unchanged) {
        CHECK(s->conditional && result->status == 304 && a.set.data == NULL);
    } else {
        set(s, result, head, &a);
    }
    free((void *) (uintptr_t) a.set.data);
}

static void
redirect(const settings_t *s, const wba_fetch_result_t *result)
{
    wba_uri_t from, to_uri;
    char to[WBA_MAX_URL];

    if (!wba_directory_redirects(result, s->url, to, sizeof(to))) {
        return;
    }
    CHECK(result->status >= 301 && result->status <= 308);
    CHECK(wba_uri_parse(wba_str_z(s->url), &from) == WBA_OK);
    CHECK(wba_uri_parse(wba_str_z(to), &to_uri) == WBA_OK);
    CHECK(wba_str_eq_nocase(to_uri.scheme, WBA_STR("https")));
    CHECK(to_uri.userinfo.data == NULL && to_uri.fragment.data == NULL);
    CHECK_SAME(from.path, to_uri.path);
    CHECK_SAME(from.query, to_uri.query);
    CHECK(from.host.len + 4 == to_uri.host.len
          || to_uri.host.len + 4 == from.host.len);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    host_begin();
    easy = curl_easy_init();
    CHECK(easy != NULL);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    struct wba_fetch_s fetch = { .count = 1 };
    struct wba_fetch_job_s job = { .fetch = &fetch, .max_body = 4000,
                                   .easy = easy };
    settings_t settings;
    wba_str_t head, body;
    size_t at;

    fuzz_mem_init(&m);
    read_settings(&in, &settings);
    at = head_of(in);
    body = expand(wba_str(in.data + at, in.len - at), WBA_STR_NONE);
    head = expand(wba_str(in.data, at), body);
    head = add_signature(&settings, head);
    feed(&job, &settings, head, body);
    is_printable(job.result.reason);
    CHECK((job.result.error == WBA_FETCH_OK) == (job.result.reason[0] == '\0'));
    CHECK(strcmp(wba_fetch_error_name(job.result.error), "unknown") != 0);
    job.result.decoded |= settings.decoded;
    answer(&settings, &job.result, head);
    redirect(&settings, &job.result);
    free(job.headers.data);
    free(job.body.data);
    fuzz_mem_free(&m);
    return 0;
}
