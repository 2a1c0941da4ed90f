/* SPDX-License-Identifier: BSD-2-Clause */
/* Possession proofs: each signature of the tag is judged on its own, from what
 * costs little to what costs much. */
#include "proof.h"

#include <sodium.h>

#include "digest.h"
#include "siginput.h"

#define TOO_LONG "a field of the response is too long"

typedef struct {
    const wba_proof_answer_t *answer;
    wba_keyset_t set;
    int64_t now;
    int64_t skew;
    const wba_mem_t *mem;

    wba_str_t inputs;     /* Signature-Input */
    wba_str_t signatures; /* Signature; data NULL: none */
    const char *unsigned_text; /* why signatures has none */

    /* Content-Digest is compared once, for the first that covers it. */
    bool digested;
    const char *digest_text; /* NULL: it is the body's */

    wba_components_t components; /* of the signature being judged */

    size_t judged; /* signatures of the tag */
    size_t good[WBA_MAX_SIGNATURES]; /* the keys that have proven */
    size_t ngood;
    const char *text; /* what is wrong with the first that is; NULL: nothing */
    bool no_memory;
} proof_t;

/* Says what is wrong; where memory is, nothing else will count. */
static const char *
phrase(proof_t *p, wba_status_t status, const char *text)
{
    if (status == WBA_NO_MEMORY) {
        p->no_memory = true;
    }
    return text;
}

/* Why a signature's fields cannot be read, or no base be built. */
static const char *
phrase_of(proof_t *p, wba_reason_t why)
{
    switch (why) {
    case WBA_REASON_OUT_OF_MEMORY:
        return phrase(p, WBA_NO_MEMORY, "memory ran out");
    case WBA_REASON_SIGNATURE_INPUT_UNREADABLE:
        return "Signature-Input is not an Inner List, or a parameter of it "
               "has the wrong type";
    case WBA_REASON_BAD_COMPONENT:
        return "it covers what no response has, such as \"@authority\" "
               "without ;req";
    case WBA_REASON_DUPLICATE_COMPONENT:
        return "it covers one component twice";
    case WBA_REASON_TOO_MANY_COMPONENTS:
        return "it covers too many components";
    case WBA_REASON_MISSING_COMPONENT:
    case WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING:
        return "it covers a component that the response does not carry, or "
               "one of the request that is not known";
    case WBA_REASON_FIELD_TOO_LARGE:
    case WBA_REASON_SIGNATURE_BASE_TOO_LARGE:
        return TOO_LONG;
    default:
        return "it covers a value that cannot stand in a signature base";
    }
}

static const char *
check_parameters(const proof_t *p, const wba_siginput_t *input)
{
    if (!input->has_created || !input->has_expires
        || input->keyid.data == NULL)
    {
        return "it lacks created, expires or keyid";
    }
    if (input->expires <= input->created) {
        return "its expires is not after its created";
    }
    if (input->created > p->now + p->skew) {
        return "it was created in the future";
    }
    return input->expires > p->now - p->skew ? NULL : "it has expired";
}

static const char *
check_coverage(proof_t *p, const wba_siginput_t *input)
{
    static const wba_component_t authority = {
        .name = { 10, (const uint8_t *) "@authority" },
        .req = true,
    };
    static const wba_component_t digest = {
        .name = { 14, (const uint8_t *) "content-digest" },
    };
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;

    if (wba_components_parse_response(&input->list, p->mem, &p->components,
                                      &why) != WBA_OK)
    {
        return phrase_of(p, why);
    }
    if (!wba_components_cover(&p->components, &authority)) {
        return "it does not cover \"@authority\";req";
    }
    return wba_components_cover(&p->components, &digest)
               ? NULL
               : "it does not cover content-digest";
}

/* The keyid is decoded, not each key's thumbprint encoded: a set may hold very
 * many keys. */
static bool
find_key(const proof_t *p, wba_str_t keyid, size_t *at, wba_key_t *key)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    size_t i, len, count = wba_keyset_count(p->set);

    if (sodium_base642bin(thumbprint, sizeof(thumbprint),
                          (const char *) keyid.data, keyid.len, NULL, &len,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING)
            != 0
        || len != sizeof(thumbprint))
    {
        return false;
    }
    for (i = 0; i < count; i++) {
        wba_keyset_key(p->set, i, key);
        if (memcmp(key->thumbprint, thumbprint, sizeof(thumbprint)) == 0) {
            *at = i;
            return true;
        }
    }
    return false;
}

static const char *
compare_digest(proof_t *p)
{
    wba_digest_t digest;
    wba_status_t status;
    wba_str_t field;

    if (p->answer->decoded) {
        return "a content coding was removed, so the digest cannot be "
               "compared";
    }
    status = wba_message_field(p->answer->message, WBA_STR("content-digest"),
                               p->mem, &field);
    if (status == WBA_NOT_FOUND) {
        return "the response has no Content-Digest";
    }
    if (status != WBA_OK) {
        return phrase(p, status, TOO_LONG);
    }
    switch (wba_digest_init(&digest, field)) {
    case WBA_OK:
        break;
    case WBA_UNSUPPORTED:
        return "Content-Digest holds neither sha-256 nor sha-512";
    default:
        return "Content-Digest cannot be read";
    }
    wba_digest_update(&digest, p->answer->body.data, p->answer->body.len);
    return wba_digest_final(&digest) ? NULL
                                     : "Content-Digest is not the body's";
}

static const char *
check_digest(proof_t *p)
{
    if (!p->digested) {
        p->digest_text = compare_digest(p);
        p->digested = true;
    }
    return p->digest_text;
}

/* A label that stands twice in Signature-Input says two things. */
static bool
is_repeated(const proof_t *p, wba_str_t label)
{
    wba_sf_value_t member;
    unsigned count = 0;
    wba_sf_iter_t it;
    wba_str_t key;

    wba_sf_dict_init(&it, p->inputs);
    while (wba_sf_dict_next(&it, &key, &member) == WBA_OK) {
        count += wba_str_eq(key, label);
    }
    return count > 1;
}

static const char *
check_crypto(proof_t *p, const wba_siginput_t *input, const wba_key_t *key,
             unsigned algs, wba_str_t signature)
{
    const wba_proof_answer_t *answer = p->answer;
    const wba_response_t response = {
        .message = answer->message,
        .status = answer->status,
        .method = WBA_STR("GET"),
        .scheme = WBA_STR("https"),
        .authority = answer->authority,
    };
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;
    wba_buf_t base;
    size_t at;

    wba_buf_init(&base, p->mem, WBA_MAX_BASE);
    if (wba_sigbase_build_response(&response, &input->list, &p->components,
                                   p->mem, &base, &why, &at) != WBA_OK)
    {
        return phrase_of(p, why);
    }
    /* A mask of several, where alg leaves it open, is no algorithm at all. */
    switch (wba_crypto_verify(key, (wba_alg_t) algs, signature,
                              wba_buf_view(&base)))
    {
    case WBA_OK:
        return NULL;
    case WBA_UNSUPPORTED:
        return "neither its alg nor that of its key says the algorithm";
    case WBA_NO_MEMORY:
        return phrase_of(p, WBA_REASON_OUT_OF_MEMORY);
    default:
        return "it does not verify with the key that keyid names";
    }
}

static const char *
check_signature(proof_t *p, const wba_siginput_t *input, const wba_key_t *key)
{
    unsigned algs = key->algs;
    wba_status_t status;
    wba_str_t signature;
    const char *text;

    if (input->alg.data != NULL) {
        algs &= (unsigned) wba_alg_by_name(input->alg);
    }
    if (algs == 0) {
        return "its alg is not the algorithm of the key that keyid names";
    }
    if (p->signatures.data == NULL) {
        return p->unsigned_text;
    }
    status = wba_signature_find(p->signatures, input->label, p->mem,
                                &signature);
    if (status != WBA_OK) {
        return phrase(p, status,
                      "Signature has no Byte Sequence under its label");
    }
    text = check_digest(p);
    return text != NULL ? text
                        : check_crypto(p, input, key, algs, signature);
}

/* NULL and *at, the key that has proven possession, or what is wrong. */
static const char *
judge(proof_t *p, wba_str_t label, const wba_sf_value_t *member, size_t *at)
{
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;
    wba_siginput_t input;
    const char *text;
    wba_key_t key;

    if (is_repeated(p, label)) {
        return "Signature-Input has its label twice";
    }
    if (wba_siginput_parse(label, member, p->mem, &input, &why) != WBA_OK) {
        return phrase_of(p, why);
    }
    if ((text = check_parameters(p, &input)) != NULL
        || (text = check_coverage(p, &input)) != NULL)
    {
        return text;
    }
    if (!find_key(p, input.keyid, at, &key)) {
        return "its keyid is the thumbprint of no key of the set";
    }
    return check_signature(p, &input, &key);
}

/* A key that has proven possession twice counts once. */
static void
note_good(proof_t *p, size_t key)
{
    size_t i;

    for (i = 0; i < p->ngood; i++) {
        if (p->good[i] == key) {
            return;
        }
    }
    p->good[p->ngood++] = key;
}

static void
judge_member(proof_t *p, wba_str_t label, const wba_sf_value_t *member)
{
    const char *text;
    size_t at = 0;

    /* No tag may also be for want of memory; but that takes an escape, and a
     * tag with an escape is none of ours. */
    if (!wba_str_eq(wba_siginput_tag(member, p->mem), WBA_STR(WBA_PROOF_TAG))
        || p->judged == WBA_MAX_SIGNATURES)
    {
        return;
    }
    p->judged++;
    text = judge(p, label, member, &at);
    if (text == NULL) {
        note_good(p, at);
    } else if (p->text == NULL) {
        p->text = text;
    }
}

/* The field is read to its end before any member counts: a syntax error fails
 * all of it (RFC 9651 section 4.2). */
static bool
is_dictionary(wba_str_t field)
{
    wba_sf_value_t member;
    wba_status_t status;
    wba_sf_iter_t it;
    wba_str_t label;

    wba_sf_dict_init(&it, field);
    do {
        status = wba_sf_dict_next(&it, &label, &member);
    } while (status == WBA_OK);
    return status == WBA_END;
}

static void
judge_members(proof_t *p)
{
    wba_sf_value_t member;
    wba_sf_iter_t it;
    wba_str_t label;

    if (!is_dictionary(p->inputs)) {
        p->text = wba_siginput_has_upper_key(p->inputs)
                      ? "Signature-Input writes a parameter in upper case"
                      : "Signature-Input is not a Dictionary";
        return;
    }
    wba_sf_dict_init(&it, p->inputs);
    while (!p->no_memory && wba_sf_dict_next(&it, &label, &member) == WBA_OK) {
        judge_member(p, label, &member);
    }
}

static void
read_signatures(proof_t *p)
{
    wba_status_t status;

    status = wba_message_field(p->answer->message, WBA_STR("signature"),
                               p->mem, &p->signatures);
    if (status != WBA_OK) {
        p->signatures = WBA_STR_NONE;
        p->unsigned_text = status == WBA_NOT_FOUND
                               ? "the response has no Signature"
                               : phrase(p, status, TOO_LONG);
    }
}

static void
run(proof_t *p)
{
    wba_status_t status;

    status = wba_message_field(p->answer->message, WBA_STR("signature-input"),
                               p->mem, &p->inputs);
    if (status == WBA_NOT_FOUND) {
        return;
    }
    if (status != WBA_OK) {
        p->text = phrase(p, status, TOO_LONG);
        return;
    }
    read_signatures(p);
    judge_members(p);
}

static void
tell(const proof_t *p, uint8_t *proven, wba_proof_t *out)
{
    size_t i;

    out->proven = p->ngood;
    if (p->ngood) {
        out->state = WBA_PROOF_GOOD;
    } else if (p->text != NULL) {
        out->state = WBA_PROOF_BAD;
        out->text = p->text;
    }
    for (i = 0; proven != NULL && i < p->ngood; i++) {
        proven[p->good[i]] = 1;
    }
}

wba_status_t
wba_proof_check(const wba_proof_answer_t *answer, wba_keyset_t set,
                int64_t now, int64_t skew, const wba_mem_t *mem,
                uint8_t *proven, wba_proof_t *out)
{
    proof_t p;

    memset(&p, 0, sizeof(p));
    p.answer = answer;
    p.set = set;
    p.now = now;
    p.skew = skew;
    p.mem = mem;
    out->state = WBA_PROOF_ABSENT;
    out->proven = 0;
    out->text = "";
    if (proven != NULL && wba_keyset_count(set) != 0) {
        memset(proven, 0, wba_keyset_count(set));
    }
    run(&p);
    if (p.no_memory) {
        return WBA_NO_MEMORY;
    }
    tell(&p, proven, out);
    return WBA_OK;
}
