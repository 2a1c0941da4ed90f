/* SPDX-License-Identifier: BSD-2-Clause */
#include "signer.h"

#include "cli.h"
#include "keyfile.h"

/* How JOSE names what a key is for (RFC 7518, RFC 8037). */
static const char *
jose_name(wba_alg_t alg)
{
    switch (alg) {
    case WBA_ALG_ECDSA_P256_SHA256:
        return "ES256";
    case WBA_ALG_RSA_PSS_SHA512:
        return "PS512";
    case WBA_ALG_RSA_PSS_SHA256:
        return "PS256";
    default:
        return "EdDSA";
    }
}

static void
name(signer_t *s, const wba_jwk_t *jwk)
{
    s->type = jwk->key.type;
    s->algs = jwk->key.algs;
    wba_thumbprint_text(jwk->key.thumbprint, (uint8_t *) s->thumbprint);
    s->thumbprint[WBA_THUMBPRINT_TEXT_SIZE] = '\0';
}

/* ---- making */

static bool
new_ed25519(signer_t *s, json_t *jwk)
{
    uint8_t pub[crypto_sign_PUBLICKEYBYTES], seed[crypto_sign_SEEDBYTES];
    char d[KEYFILE_TEXT32], x[KEYFILE_TEXT32];
    bool ok;

    (void) crypto_sign_keypair(pub, s->secret);
    (void) crypto_sign_ed25519_sk_to_seed(seed, s->secret);
    keyfile_text32(seed, d);
    keyfile_text32(pub, x);
    ok = json_object_set_new(jwk, "x", json_string(x)) == 0
         && json_object_set_new(jwk, "d", json_string(d)) == 0;
    sodium_memzero(seed, sizeof(seed));
    sodium_memzero(d, sizeof(d));
    return ok;
}

/* The members in their usual order; kid is put in when it is known. */
static json_t *
new_jwk(signer_t *s, wba_alg_t alg)
{
    json_t *jwk;
    bool ok;

    switch (alg) {
    case WBA_ALG_ED25519:
        jwk = json_pack("{ss ss ss ss ss}", "kty", "OKP", "crv", "Ed25519",
                        "kid", "", "use", "sig", "alg", jose_name(alg));
        ok = jwk != NULL && new_ed25519(s, jwk);
        break;
    case WBA_ALG_ECDSA_P256_SHA256:
        jwk = json_pack("{ss ss ss ss ss}", "kty", "EC", "crv", "P-256", "kid",
                        "", "use", "sig", "alg", jose_name(alg));
        s->evp = evp_key_new(WBA_KEY_P256);
        ok = jwk != NULL && s->evp != NULL
             && evp_key_members(WBA_KEY_P256, s->evp, jwk);
        break;
    default:
        jwk = json_pack("{ss ss ss ss}", "kty", "RSA", "kid", "", "use", "sig",
                        "alg", jose_name(alg));
        s->evp = evp_key_new(WBA_KEY_RSA);
        ok = jwk != NULL && s->evp != NULL
             && evp_key_members(WBA_KEY_RSA, s->evp, jwk);
    }
    if (!ok) {
        json_decref(jwk);
        return NULL;
    }
    return jwk;
}

int
signer_new(signer_t *s, wba_alg_t alg, const char *kid, char **text)
{
    json_t *jwk, *public;
    const char *why = "";
    wba_jwk_t parsed;
    int rc = CLI_OK;

    memset(s, 0, sizeof(*s));
    *text = NULL;
    jwk = new_jwk(s, alg);
    public = jwk != NULL ? keyfile_public(jwk, &parsed, &why) : NULL;
    if (public == NULL) {
        json_decref(jwk);
        return cli_fail("no key could be made: %s",
                        *why ? why : "out of memory");
    }
    name(s, &parsed);
    if (json_object_set_new(jwk, "kid", json_string(kid ? kid : s->thumbprint))
        != 0)
    {
        rc = cli_fail("--kid is not UTF-8");
    } else if ((*text = json_dumps(jwk, JSON_INDENT(2))) == NULL) {
        rc = cli_fail("out of memory");
    }
    json_decref(public);
    json_decref(jwk);
    return rc;
}

/* ---- reading */

/* The seed of a private Ed25519 JWK becomes a key pair. */
static int
read_ed25519(signer_t *s, const char *path, const json_t *jwk)
{
    const char *d = json_string_value(json_object_get(jwk, "d"));
    const char *x = json_string_value(json_object_get(jwk, "x"));
    uint8_t seed[crypto_sign_SEEDBYTES], pub[crypto_sign_PUBLICKEYBYTES];
    char text[KEYFILE_TEXT32];
    size_t len = 0;

    if (sodium_base642bin(seed, sizeof(seed), d, strlen(d), NULL, &len, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING)
            != 0
        || len != sizeof(seed))
    {
        return cli_fail("%s: \"d\" is not 32 octets in base64url", path);
    }
    (void) crypto_sign_seed_keypair(pub, s->secret, seed);
    sodium_memzero(seed, sizeof(seed));
    keyfile_text32(pub, text);
    if (x != NULL && strcmp(x, text) != 0) {
        return cli_fail("%s: \"x\" does not belong to \"d\"; the public half "
                        "is %s",
                        path, text);
    }
    s->type = WBA_KEY_ED25519;
    s->algs = WBA_ALG_ED25519;
    keyfile_thumbprint(pub, s->thumbprint);
    return CLI_OK;
}

/* Whether what the private members sign verifies by the public ones. */
static bool
belong(const signer_t *s, const wba_key_t *key)
{
    wba_str_t base = WBA_STR("a key that is whole");
    unsigned alg = s->algs & (~s->algs + 1); /* the lowest bit */
    uint8_t signature[SIGNER_SIGNATURE];
    size_t len;

    return evp_key_sign(s->evp, (wba_alg_t) alg, base, signature, &len)
           && wba_crypto_verify(key, (wba_alg_t) alg, wba_str(signature, len),
                                base)
                  == WBA_OK;
}

static int
read_evp(signer_t *s, const char *path, const json_t *jwk)
{
    const char *why;
    wba_jwk_t parsed;
    json_t *public = keyfile_public(jwk, &parsed, &why);
    int rc = CLI_OK;

    if (public == NULL) {
        return cli_fail("%s is no key to sign with: %s", path, why);
    }
    name(s, &parsed);
    s->evp = evp_key_read(s->type, jwk, &why);
    if (s->evp == NULL) {
        rc = cli_fail("%s: %s", path, why);
    } else if (!belong(s, &parsed.key)) {
        rc = cli_fail("%s: its public members do not belong to its private "
                      "ones",
                      path);
    }
    json_decref(public);
    return rc;
}

static bool
is_text(const json_t *jwk, const char *member, const char *text)
{
    const char *value = json_string_value(json_object_get(jwk, member));

    return value != NULL && strcmp(value, text) == 0;
}

static int
read_jwk(signer_t *s, const char *path, const json_t *jwk)
{
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    const char *crv = json_string_value(json_object_get(jwk, "crv"));
    bool ed25519 = is_text(jwk, "kty", "OKP") && is_text(jwk, "crv", "Ed25519");

    if (!ed25519 && !is_text(jwk, "kty", "RSA")
        && !(is_text(jwk, "kty", "EC") && is_text(jwk, "crv", "P-256")))
    {
        return cli_fail("%s is no Ed25519, P-256 or RSA key (kty \"%s\", crv "
                        "\"%s\"), and wba signs with no other",
                        path, kty ? kty : "?", crv ? crv : "?");
    }
    if (!json_is_string(json_object_get(jwk, "d"))) {
        return cli_fail("%s has no member \"d\": it is a public key, and "
                        "signing takes the private one",
                        path);
    }
    return ed25519 ? read_ed25519(s, path, jwk) : read_evp(s, path, jwk);
}

int
signer_read(signer_t *s, const char *path)
{
    json_t *keys;
    int rc;

    memset(s, 0, sizeof(*s));
    rc = keyfile_read(path, &keys);
    if (rc != CLI_OK) {
        return rc;
    }
    if (json_array_size(keys) != 1) {
        rc = cli_fail("%s holds %zu keys; give a file with the one to sign "
                      "with",
                      path, json_array_size(keys));
    } else {
        rc = read_jwk(s, path, json_array_get(keys, 0));
    }
    json_decref(keys);
    return rc;
}

void
signer_clear(signer_t *s)
{
    EVP_PKEY_free(s->evp);
    sodium_memzero(s, sizeof(*s));
}

/* ---- signing */

int
signer_sign(const signer_t *s, wba_alg_t alg, wba_str_t base, uint8_t *out,
            size_t *len)
{
    if (alg == WBA_ALG_ED25519) {
        (void) crypto_sign_detached(out, NULL, base.data, base.len, s->secret);
        *len = crypto_sign_BYTES;
        return CLI_OK;
    }
    return evp_key_sign(s->evp, alg, base, out, len)
               ? CLI_OK
               : cli_fail("libcrypto cannot sign with that key");
}
