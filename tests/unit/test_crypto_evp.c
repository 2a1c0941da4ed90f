/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/crypto_evp: what RSA-PSS and ECDSA take and refuse, with keys made
 * here; that libcrypto's queue of errors stays as it was; and that each
 * allocation of libcrypto's may fail.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/core_names.h>

#include "crypto.h"
#include "crypto_memory.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define BASE WBA_STR("\"@authority\": shop.example\n\"@signature-params\": ()")
#define OTHER WBA_STR("\"@authority\": shop.example\n\"@signature-params\": (")
#define PSS_BOTH (WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256)

/* Pairs of keys. */

typedef struct {
    EVP_PKEY *pair;
    wba_key_t key;
    uint8_t pub[1024];
    uint8_t exponent[8];
} signer_t;

static void
make_rsa(signer_t *s, int size, int primes)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, NULL);
    BIGNUM *n = NULL, *e = NULL;

    memset(s, 0, sizeof(*s));
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, size), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_primes(ctx, primes), 1);
    assert_int_equal(EVP_PKEY_keygen(ctx, &s->pair), 1);
    EVP_PKEY_CTX_free(ctx);
    assert_int_equal(
        EVP_PKEY_get_bn_param(s->pair, OSSL_PKEY_PARAM_RSA_N, &n), 1);
    assert_int_equal(
        EVP_PKEY_get_bn_param(s->pair, OSSL_PKEY_PARAM_RSA_E, &e), 1);
    s->key.type = WBA_KEY_RSA;
    s->key.algs = PSS_BOTH;
    s->key.pub = wba_str(s->pub, (size_t) BN_bn2bin(n, s->pub));
    s->key.exponent = wba_str(s->exponent,
                              (size_t) BN_bn2bin(e, s->exponent));
    BN_free(n);
    BN_free(e);
}

static void
make_p256(signer_t *s)
{
    uint8_t point[65];
    size_t len;

    memset(s, 0, sizeof(*s));
    s->pair = EVP_EC_gen("P-256");
    assert_int_equal(
        EVP_PKEY_get_octet_string_param(s->pair, OSSL_PKEY_PARAM_PUB_KEY,
                                        point, sizeof(point), &len),
        1);
    assert_int_equal(len, 65);
    memcpy(s->pub, point + 1, 64);
    s->key.type = WBA_KEY_P256;
    s->key.algs = WBA_ALG_ECDSA_P256_SHA256;
    s->key.pub = wba_str(s->pub, 64);
}

static signer_t rsa2048, rsa2049, p256;

/* A signature; salt as EVP_PKEY_CTX_set_rsa_pss_saltlen has it.  In a block of
 * its own size, so that ASan sees a read beyond its end; freed by drop(). */
static wba_str_t
sign_pss(const signer_t *s, const EVP_MD *md, const EVP_MD *mgf1, int salt,
         wba_str_t base)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    size_t len = s->key.pub.len;
    uint8_t *out = malloc(len);

    assert_int_equal(EVP_DigestSignInit(ctx, &pctx, md, NULL, s->pair), 1);
    assert_int_equal(
        EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, salt), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, mgf1), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &len, base.data, base.len), 1);
    EVP_MD_CTX_free(ctx);
    return wba_str(out, len);
}

static void
drop(wba_str_t signature)
{
    free((void *) (uintptr_t) signature.data);
}

/* A DER signature, and the same as r and s of 32 octets each. */
static size_t
sign_p256(const signer_t *s, wba_str_t base, uint8_t der[80], uint8_t raw[64])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const uint8_t *p = der;
    size_t len = 80;
    ECDSA_SIG *sig;

    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, s->pair), 1);
    assert_int_equal(EVP_DigestSign(ctx, der, &len, base.data, base.len), 1);
    EVP_MD_CTX_free(ctx);
    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + 32, 32);
    ECDSA_SIG_free(sig);
    return len;
}

/* The blocks that are out, but for what belongs to the thread: its queue of
 * errors keeps some texts until it comes round again. */
static long
settled(void)
{
    OPENSSL_thread_stop();
    return crypto_blocks;
}

/* Verifies, and wants the queue of errors empty and all memory given back. */
static wba_status_t
verify(const wba_key_t *key, wba_alg_t alg, wba_str_t signature,
       wba_str_t base)
{
    wba_status_t rc = wba_crypto_verify(key, alg, signature, base);
    long before = settled(); /* with what libcrypto makes only once */

    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(wba_crypto_verify(key, alg, signature, base), rc);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(settled(), before);
    return rc;
}

static void
all_supported(void **state)
{
    (void) state;
    assert_int_equal(wba_alg_supported(), WBA_ALG_ALL);
}

/* Salts, hashes, and MGF1's hash. */
static void
pss(void **state)
{
    static const struct {
        int hash, mgf1, salt;
        wba_status_t sha256, sha512;
    } t[] = {
        { 256, 256, 0, WBA_OK, WBA_INVALID },
        { 256, 256, 1, WBA_OK, WBA_INVALID },
        { 256, 256, 20, WBA_OK, WBA_INVALID },
        { 256, 256, 32, WBA_OK, WBA_INVALID },
        { 256, 256, 64, WBA_OK, WBA_INVALID },
        { 256, 256, RSA_PSS_SALTLEN_MAX, WBA_OK, WBA_INVALID },
        { 256, 512, 32, WBA_INVALID, WBA_INVALID },
        { 256, 1, 32, WBA_INVALID, WBA_INVALID },
        { 512, 512, 64, WBA_INVALID, WBA_OK },
        { 512, 512, 0, WBA_INVALID, WBA_INVALID },
        { 512, 512, 32, WBA_INVALID, WBA_INVALID },
        { 512, 512, 63, WBA_INVALID, WBA_INVALID },
        { 512, 512, 65, WBA_INVALID, WBA_INVALID },
        { 512, 512, RSA_PSS_SALTLEN_MAX, WBA_INVALID, WBA_INVALID },
        { 512, 256, 64, WBA_INVALID, WBA_INVALID },
        { 1, 1, 20, WBA_INVALID, WBA_INVALID },
    };
    const signer_t *signers[] = { &rsa2048, &rsa2049 };
    size_t i, j;

    (void) state;
#define MD(n) ((n) == 256 ? EVP_sha256() : (n) == 512 ? EVP_sha512() \
                                                      : EVP_sha1())
    for (j = 0; j < COUNT(signers); j++) {
        const wba_key_t *key = &signers[j]->key;

        for (i = 0; i < COUNT(t); i++) {
            wba_str_t s = sign_pss(signers[j], MD(t[i].hash), MD(t[i].mgf1),
                                   t[i].salt, BASE);

            assert_int_equal(verify(key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                             t[i].sha256);
            assert_int_equal(verify(key, WBA_ALG_RSA_PSS_SHA512, s, BASE),
                             t[i].sha512);
            assert_int_equal(verify(key, WBA_ALG_RSA_PSS_SHA256, s, OTHER),
                             WBA_INVALID);
            assert_int_equal(verify(key, WBA_ALG_RSA_PSS_SHA512, s, OTHER),
                             WBA_INVALID);
            drop(s);
        }
    }
}

/* The largest key; of five primes, as that is made soonest. */
static void
rsa8192(void **state)
{
    signer_t s;
    wba_str_t signature;

    (void) state;
    make_rsa(&s, 8192, 5);
    assert_int_equal(s.key.pub.len, 1024);
    signature = sign_pss(&s, EVP_sha512(), EVP_sha512(), 64, BASE);
    assert_int_equal(verify(&s.key, WBA_ALG_RSA_PSS_SHA512, signature, BASE),
                     WBA_OK);
    assert_int_equal(verify(&s.key, WBA_ALG_RSA_PSS_SHA512, signature, OTHER),
                     WBA_INVALID);
    drop(signature);
    signature = sign_pss(&s, EVP_sha256(), EVP_sha256(), RSA_PSS_SALTLEN_MAX,
                         BASE);
    assert_int_equal(verify(&s.key, WBA_ALG_RSA_PSS_SHA256, signature, BASE),
                     WBA_OK);
    drop(signature);
    EVP_PKEY_free(s.pair);
}

static void
pkcs1_is_refused(void **state)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t out[256];
    size_t len = sizeof(out);

    (void) state;
    assert_int_equal(
        EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, rsa2048.pair), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &len, BASE.data, BASE.len), 1);
    EVP_MD_CTX_free(ctx);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            wba_str(out, len), BASE), WBA_INVALID);
}

/* A changed octet, another length, a number not below the modulus. */
static void
pss_encodings(void **state)
{
    wba_str_t s = sign_pss(&rsa2048, EVP_sha256(), EVP_sha256(), 32, BASE);
    uint8_t other[300];
    size_t i;

    (void) state;
    for (i = 0; i < s.len; i += 5) {
        memcpy(other, s.data, s.len);
        other[i] ^= 0x10;
        assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                                wba_str(other, s.len), BASE), WBA_INVALID);
    }
    for (i = 0; i <= s.len + 2; i++) {
        uint8_t *exact = calloc(1, i ? i : 1);

        memcpy(exact, s.data, i < s.len ? i : s.len);
        assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                                wba_str(exact, i), BASE),
                         i == s.len ? WBA_OK : WBA_INVALID);
        free(exact);
    }
    memset(other, 0, sizeof(other)); /* the same number with a zero before */
    memcpy(other + 1, s.data, s.len);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            wba_str(other, s.len + 1), BASE), WBA_INVALID);
    memset(other, 0xff, sizeof(other));
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            wba_str(other, s.len), BASE), WBA_INVALID);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            rsa2048.key.pub, BASE), WBA_INVALID);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            WBA_STR_NONE, BASE), WBA_INVALID);
    drop(s);
}

/* A number whose first octet is zero keeps it: about one in 256. */
static void
pss_leading_zero(void **state)
{
    wba_str_t s;
    int i;

    (void) state;
    for (i = 0; i < 4000; i++) {
        s = sign_pss(&rsa2048, EVP_sha256(), EVP_sha256(), 32, BASE);
        if (s.data[0] == 0) {
            break;
        }
        drop(s);
    }
    assert_int_not_equal(i, 4000);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_OK);
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256,
                            wba_str(s.data + 1, s.len - 1), BASE),
                     WBA_INVALID);
    drop(s);
}

/* Keys that no directory yields are not verified with either. */
static void
broken_keys(void **state)
{
    static const uint8_t zeros[256] = { 0 };
    static const uint8_t even[256] = { 0x80 };
    static const uint8_t long_modulus[1025] = { 0x80, [1024] = 1 };
    wba_str_t s = sign_pss(&rsa2048, EVP_sha256(), EVP_sha256(), 32, BASE);
    wba_key_t key = rsa2048.key;
    uint8_t point[64];
    uint8_t der[80], raw[64];

    (void) state;
    key.exponent = WBA_STR_NONE;
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_INVALID);
    key.exponent = WBA_STR("\x01");
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_INVALID);
    key.exponent = WBA_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_INVALID);
    key.exponent = rsa2048.key.exponent;
    key.pub = wba_str(zeros, 256);
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_INVALID);
    key.pub = wba_str(even, 256);
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, s, BASE),
                     WBA_INVALID);
    key.pub = WBA_STR_NONE;
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, WBA_STR_NONE, BASE),
                     WBA_INVALID);
    key.pub = wba_str(long_modulus, sizeof(long_modulus));
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, key.pub, BASE),
                     WBA_INVALID);
    drop(s);

    sign_p256(&p256, BASE, der, raw);
    key = p256.key;
    key.pub = wba_str(zeros, 64);
    assert_int_equal(verify(&key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64),
                            BASE), WBA_INVALID);
    memcpy(point, p256.pub, 64);
    point[63] ^= 1; /* not on the curve */
    key.pub = wba_str(point, 64);
    assert_int_equal(verify(&key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64),
                            BASE), WBA_INVALID);
    memset(point, 0xff, 64); /* not in the field */
    assert_int_equal(verify(&key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64),
                            BASE), WBA_INVALID);
    key.pub.len = 63;
    assert_int_equal(verify(&key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64),
                            BASE), WBA_INVALID);
}

/* Many signatures, so that r and s with leading zeros and with the sign bit
 * come up. */
static void
ecdsa(void **state)
{
    uint8_t der[80], raw[64];
    bool short_r = false;
    int i;

    (void) state;
    for (i = 0; i < 4000 && (i < 100 || !short_r); i++) {
        sign_p256(&p256, BASE, der, raw);
        short_r |= raw[0] == 0 || raw[32] == 0;
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(raw, 64), BASE), WBA_OK);
    }
    assert_true(short_r);
    assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                            wba_str(raw, 64), OTHER), WBA_INVALID);
}

#define ORDER                                                                 \
    "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"        \
    "\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51"

static void
ecdsa_encodings(void **state)
{
    uint8_t der[80], raw[64], other[64];
    size_t len = sign_p256(&p256, BASE, der, raw);
    size_t i;

    (void) state;
    assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                            wba_str(der, len), BASE), WBA_INVALID);
    for (i = 0; i <= 66; i++) {
        uint8_t *exact = calloc(1, i ? i : 1);

        memcpy(exact, raw, i < 64 ? i : 64);
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(exact, i), BASE),
                         i == 64 ? WBA_OK : WBA_INVALID);
        free(exact);
    }
    for (i = 0; i < 64; i++) {
        memcpy(other, raw, 64);
        other[i] ^= 1;
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(other, 64), BASE), WBA_INVALID);
    }
    for (i = 0; i < 2; i++) { /* r, then s: 0, the order, all ones */
        memcpy(other, raw, 64);
        memset(other + 32 * i, 0, 32);
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(other, 64), BASE), WBA_INVALID);
        memcpy(other + 32 * i, ORDER, 32);
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(other, 64), BASE), WBA_INVALID);
        memset(other + 32 * i, 0xff, 32);
        assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                wba_str(other, 64), BASE), WBA_INVALID);
    }
    memset(other, 0, 64);
    assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                            wba_str(other, 64), BASE), WBA_INVALID);
    memcpy(other, raw + 32, 32); /* s, then r */
    memcpy(other + 32, raw, 32);
    assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                            wba_str(other, 64), BASE), WBA_INVALID);
}

static void
empty_base(void **state)
{
    uint8_t der[80], raw[64];
    wba_str_t s = sign_pss(&rsa2048, EVP_sha256(), EVP_sha256(), 32,
                           WBA_STR(""));

    (void) state;
    assert_int_equal(verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256, s,
                            WBA_STR_NONE), WBA_OK);
    drop(s);
    sign_p256(&p256, WBA_STR(""), der, raw);
    assert_int_equal(verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                            wba_str(raw, 64), WBA_STR_NONE), WBA_OK);
}

/* The key's type decides, then its own list. */
static void
wrong_algorithm(void **state)
{
    const wba_key_t *keys[] = { &rsa2048.key, &p256.key };
    static const uint8_t zeros[256] = { 0 };
    wba_key_t key;
    unsigned alg;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(keys); i++) {
        for (alg = 0; alg <= 16; alg++) {
            bool own = alg != 0 && (alg & (alg - 1)) == 0
                       && (alg & keys[i]->algs);

            assert_int_equal(verify(keys[i], (wba_alg_t) alg,
                                    wba_str(zeros, keys[i]->pub.len), BASE),
                             own ? WBA_INVALID : WBA_UNSUPPORTED);
        }
        key = *keys[i];
        key.algs = WBA_ALG_ALL;
        assert_int_equal(verify(&key, WBA_ALG_ED25519, wba_str(zeros, 64),
                                BASE), WBA_UNSUPPORTED);
    }
    key = rsa2048.key;
    key.algs = WBA_ALG_RSA_PSS_SHA512;
    assert_int_equal(verify(&key, WBA_ALG_RSA_PSS_SHA256, wba_str(zeros, 256),
                            BASE), WBA_UNSUPPORTED);
}

/* An error that somebody else left stays, alone. */
static void
errors_of_others(void **state)
{
    static const uint8_t zeros[256] = { 0 };
    uint8_t der[80], raw[64];
    unsigned long mine;

    (void) state;
    sign_p256(&p256, BASE, der, raw);
    ERR_put_error(ERR_LIB_SSL, 0, 42, __FILE__, __LINE__);
    mine = ERR_peek_error();
    assert_int_equal(wba_crypto_verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                       wba_str(raw, 64), BASE), WBA_OK);
    assert_int_equal(wba_crypto_verify(&p256.key, WBA_ALG_ECDSA_P256_SHA256,
                                       wba_str(zeros, 64), BASE), WBA_INVALID);
    assert_int_equal(wba_crypto_verify(&rsa2048.key, WBA_ALG_RSA_PSS_SHA512,
                                       wba_str(zeros, 256), BASE),
                     WBA_INVALID);
    assert_int_equal(ERR_get_error(), mine);
    assert_int_equal(ERR_get_error(), 0);
}

typedef struct {
    const wba_key_t *key;
    wba_alg_t alg;
    wba_str_t signature;
    wba_status_t full; /* with memory enough */
    unsigned starved;
    wba_status_t last;
} hungry_t;

static void
verify_hungry(void *ctx)
{
    hungry_t *h = ctx;
    long before = settled();

    h->last = wba_crypto_verify(h->key, h->alg, h->signature, BASE);
    if (h->last != h->full && h->last != WBA_NO_MEMORY) {
        fail_msg("alg %d, allocation %ld: %d", h->alg, crypto_fails_at,
                 h->last);
    }
    h->starved += h->last == WBA_NO_MEMORY;
    crypto_fails_at = 0;
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(settled(), before);
}

static void
starve(const wba_key_t *key, wba_alg_t alg, wba_str_t signature,
       wba_status_t full)
{
    hungry_t h = { key, alg, signature, full, 0, full };

    (void) verify(key, alg, signature, BASE); /* what is made once, is made */
    crypto_starve(verify_hungry, &h);
    assert_int_equal(h.last, full);
    assert_true(h.starved > 10);
}

static void
memory_runs_out(void **state)
{
    wba_str_t s256 = sign_pss(&rsa2048, EVP_sha256(), EVP_sha256(), 32, BASE);
    wba_str_t s512 = sign_pss(&rsa2048, EVP_sha512(), EVP_sha512(), 64, BASE);
    uint8_t der[80], raw[64];

    (void) state;
    sign_p256(&p256, BASE, der, raw);
    starve(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256, s256, WBA_OK);
    starve(&rsa2048.key, WBA_ALG_RSA_PSS_SHA256, s512, WBA_INVALID);
    starve(&rsa2048.key, WBA_ALG_RSA_PSS_SHA512, s512, WBA_OK);
    starve(&rsa2048.key, WBA_ALG_RSA_PSS_SHA512, s256, WBA_INVALID);
    starve(&p256.key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64), WBA_OK);
    raw[40] ^= 1;
    starve(&p256.key, WBA_ALG_ECDSA_P256_SHA256, wba_str(raw, 64),
           WBA_INVALID);
    drop(s256);
    drop(s512);
}

static int
make_keys(void **state)
{
    (void) state;
    make_rsa(&rsa2048, 2048, 2);
    make_rsa(&rsa2049, 2049, 2);
    make_p256(&p256);
    return 0;
}

static int
free_keys(void **state)
{
    (void) state;
    EVP_PKEY_free(rsa2048.pair);
    EVP_PKEY_free(rsa2049.pair);
    EVP_PKEY_free(p256.pair);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_supported),
        cmocka_unit_test(pss),
        cmocka_unit_test(rsa8192),
        cmocka_unit_test(pkcs1_is_refused),
        cmocka_unit_test(pss_encodings),
        cmocka_unit_test(pss_leading_zero),
        cmocka_unit_test(broken_keys),
        cmocka_unit_test(ecdsa),
        cmocka_unit_test(ecdsa_encodings),
        cmocka_unit_test(empty_base),
        cmocka_unit_test(wrong_algorithm),
        cmocka_unit_test(errors_of_others),
        cmocka_unit_test(memory_runs_out),
    };

    if (!crypto_memory_begin() || wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
