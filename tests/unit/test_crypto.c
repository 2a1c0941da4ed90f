/* SPDX-License-Identifier: BSD-2-Clause */
/* core/crypto: algorithm names, and what Ed25519 takes and refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sodium.h>

#include "crypto.h"
#include "keys.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static wba_key_t
ed25519_key(const uint8_t *pub)
{
    wba_key_t key = { 0 };

    key.type = WBA_KEY_ED25519;
    key.algs = WBA_ALG_ED25519;
    key.pub = wba_str(pub, 32);
    return key;
}

static wba_status_t
verify(const uint8_t *pub, const uint8_t *signature, const void *message,
       size_t len)
{
    wba_key_t key = ed25519_key(pub);

    return wba_crypto_verify(&key, WBA_ALG_ED25519, wba_str(signature, 64),
                             wba_str(message, len));
}

static size_t
unhex(const char *hex, uint8_t *out, size_t max)
{
    size_t len;

    assert_int_equal(
        sodium_hex2bin(out, max, hex, strlen(hex), NULL, &len, NULL), 0);
    return len;
}

static void
names(void **state)
{
    static const struct {
        const char *name;
        wba_alg_t alg;
    } t[] = {
        { "ed25519", WBA_ALG_ED25519 },
        { "Ed25519", WBA_ALG_ED25519 },
        { "EdDSA", WBA_ALG_ED25519 },
        { "ecdsa-p256-sha256", WBA_ALG_ECDSA_P256_SHA256 },
        { "ES256", WBA_ALG_ECDSA_P256_SHA256 },
        { "rsa-pss-sha512", WBA_ALG_RSA_PSS_SHA512 },
        { "PS512", WBA_ALG_RSA_PSS_SHA512 },
        { "rsa-pss-sha256", WBA_ALG_RSA_PSS_SHA256 },
        { "PS256", WBA_ALG_RSA_PSS_SHA256 },
        { "hmac-sha256", WBA_ALG_NONE },
        { "HS256", WBA_ALG_NONE },
        { "RS256", WBA_ALG_NONE },
        { "rsa-v1_5-sha256", WBA_ALG_NONE },
        { "ecdsa-p384-sha384", WBA_ALG_NONE },
        { "ES384", WBA_ALG_NONE },
        { "Ed448", WBA_ALG_NONE },
        { "none", WBA_ALG_NONE },
        { "ED25519", WBA_ALG_NONE },
        { "eddsa", WBA_ALG_NONE },
        { "ed25519 ", WBA_ALG_NONE },
        { "ed2551", WBA_ALG_NONE },
        { "", WBA_ALG_NONE },
    };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        assert_int_equal(wba_alg_by_name(wba_str_z(t[i].name)), t[i].alg);
    }
    assert_int_equal(wba_alg_by_name(WBA_STR_NONE), WBA_ALG_NONE);
}

static void
names_round_trip(void **state)
{
    unsigned alg;

    (void) state;
    for (alg = 1; alg & WBA_ALG_ALL; alg <<= 1) {
        const char *name = wba_alg_name((wba_alg_t) alg);

        assert_int_equal(wba_alg_by_name(wba_str_z(name)), alg);
    }
    assert_string_equal(wba_alg_name(WBA_ALG_NONE), "none");
    assert_string_equal(wba_alg_name((wba_alg_t) 3), "none");
}

static void
supported(void **state)
{
    (void) state;
    assert_true(wba_alg_supported() & WBA_ALG_ED25519);
    assert_int_equal(wba_alg_supported() & ~(unsigned) WBA_ALG_ALL, 0);
}

/* RFC 8032 section 7.1: TEST 1, 2, 3 and SHA(abc). */
static const struct {
    const char *pub;
    const char *message;
    const char *signature;
} rfc8032[] = {
    { "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb88215"
      "90a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e4"
      "3e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
      "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b53"
      "8d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a" },
    { "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a"
      "274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
      "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9"
      "ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704" },
};

static void
rfc8032_vectors(void **state)
{
    uint8_t pub[32];
    uint8_t message[64];
    uint8_t signature[64];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rfc8032); i++) {
        size_t len = unhex(rfc8032[i].message, message, sizeof(message));

        unhex(rfc8032[i].pub, pub, sizeof(pub));
        unhex(rfc8032[i].signature, signature, sizeof(signature));
        assert_int_equal(verify(pub, signature, message, len), WBA_OK);
        signature[i] ^= 1;
        assert_int_equal(verify(pub, signature, message, len), WBA_INVALID);
        signature[i] ^= 1;
        signature[40 + i] ^= 1;
        assert_int_equal(verify(pub, signature, message, len), WBA_INVALID);
    }
}

/* An absent base is an empty one. */
static void
empty_base(void **state)
{
    uint8_t pub[32];
    uint8_t signature[64];

    (void) state;
    unhex(rfc8032[0].pub, pub, sizeof(pub));
    unhex(rfc8032[0].signature, signature, sizeof(signature));
    assert_int_equal(verify(pub, signature, NULL, 0), WBA_OK);
}

#define B26_BASE                                                              \
    "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"                               \
    "\"@method\": POST\n"                                                     \
    "\"@path\": /foo\n"                                                       \
    "\"@authority\": example.com\n"                                           \
    "\"content-type\": application/json\n"                                    \
    "\"content-length\": 18\n"                                                \
    "\"@signature-params\": (\"date\" \"@method\" \"@path\" \"@authority\" "  \
    "\"content-type\" \"content-length\");created=1618884473"                 \
    ";keyid=\"test-key-ed25519\""
#define B26_SIGNATURE                                                         \
    "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vu" \
    "Qv5lIp5WPpBKRCw=="

/* RFC 9421 appendix B.2.6, at the level of the signature base. */
static void
rfc9421_b26(void **state)
{
    char base[] = B26_BASE;
    uint8_t pub[32];
    uint8_t signature[64];
    size_t len;
    size_t i;

    (void) state;
    assert_int_equal(
        sodium_base642bin(pub, 32, ED25519_X, strlen(ED25519_X), NULL, &len,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
        0);
    assert_int_equal(sodium_base642bin(signature, 64, B26_SIGNATURE,
                                       strlen(B26_SIGNATURE), NULL, &len, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    assert_int_equal(verify(pub, signature, base, sizeof(base) - 1), WBA_OK);
    for (i = 0; i < sizeof(base) - 1; i++) {
        base[i] ^= 1;
        assert_int_equal(verify(pub, signature, base, sizeof(base) - 1),
                         WBA_INVALID);
        base[i] ^= 1;
    }
    assert_int_equal(verify(pub, signature, base, sizeof(base) - 2),
                     WBA_INVALID);
    assert_int_equal(verify(pub, signature, base, sizeof(base)), WBA_INVALID);
}

/* In blocks of their own size, so that ASan sees a read beyond the end. */
static void
wrong_sizes(void **state)
{
    uint8_t pub[32];
    uint8_t signature[65] = { 0 };
    wba_key_t key = ed25519_key(pub);
    wba_str_t base = WBA_STR("x");
    size_t len;

    (void) state;
    unhex(rfc8032[0].pub, pub, sizeof(pub));
    unhex(rfc8032[0].signature, signature, 64);
    for (len = 0; len <= 65; len++) {
        uint8_t *exact = malloc(len ? len : 1);

        memcpy(exact, signature, len);
        assert_int_equal(
            wba_crypto_verify(&key, WBA_ALG_ED25519, wba_str(exact, len),
                              len == 64 ? WBA_STR("") : base),
            len == 64 ? WBA_OK : WBA_INVALID);
        free(exact);
    }
    key.pub.len = 31;
    assert_int_equal(wba_crypto_verify(&key, WBA_ALG_ED25519,
                                       wba_str(signature, 64), WBA_STR("")),
                     WBA_INVALID);
}

/* The key decides the algorithm; the message does not. */
static void
wrong_algorithm(void **state)
{
    static const uint8_t zeros[256] = { 0 };
    wba_key_t key = ed25519_key(zeros);
    wba_str_t signature = wba_str(zeros, 64);
    unsigned alg;

    (void) state;
    for (alg = 0; alg <= 16; alg++) {
        if (alg != WBA_ALG_ED25519) {
            assert_int_equal(wba_crypto_verify(&key, (wba_alg_t) alg,
                                               signature, WBA_STR("x")),
                             WBA_UNSUPPORTED);
        }
    }
    key.algs = 0;
    assert_int_equal(
        wba_crypto_verify(&key, WBA_ALG_ED25519, signature, WBA_STR("x")),
        WBA_UNSUPPORTED);
    key.algs = WBA_ALG_ALL;
    key.type = WBA_KEY_RSA;
    key.pub = wba_str(zeros, 256);
    assert_int_equal(
        wba_crypto_verify(&key, WBA_ALG_ED25519, signature, WBA_STR("x")),
        WBA_UNSUPPORTED);
}

/* h = SHA-512(R || A || M) modulo the group's order. */
static void
challenge(const uint8_t *r, const uint8_t *a, uint8_t message, uint8_t *h)
{
    crypto_hash_sha512_state sha;
    uint8_t wide[64];

    crypto_hash_sha512_init(&sha);
    crypto_hash_sha512_update(&sha, r, 32);
    crypto_hash_sha512_update(&sha, a, 32);
    crypto_hash_sha512_update(&sha, &message, 1);
    crypto_hash_sha512_final(&sha, wide);
    crypto_core_ed25519_scalar_reduce(h, wide);
}

/* The points of small order and their other encodings, without sign bit. */
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
};

/*
 * A key of small order: with R = rB and S = r the equation SB = R + hA holds
 * for each message whose h is a multiple of A's order, 1 in 8 or more.  No
 * secret is involved: whoever publishes such a key lets anybody sign.
 */
static void
small_order_key(void **state)
{
    uint8_t pub[32];
    uint8_t signature[64];
    size_t i;
    unsigned m;

    (void) state;
    crypto_core_ed25519_scalar_random(signature + 32);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(signature,
                                                            signature + 32),
                     0);
    for (i = 0; i < COUNT(small_order) * 2; i++) {
        unhex(small_order[i / 2], pub, sizeof(pub));
        pub[31] |= (uint8_t) (i % 2 << 7);
        for (m = 0; m < 256; m++) {
            uint8_t message = (uint8_t) m;

            assert_int_equal(verify(pub, signature, &message, 1), WBA_INVALID);
        }
    }
}

/* With an honest key A = aB: S = ha and R of small order, for each h. */
static void
small_order_r(void **state)
{
    uint8_t a[32];
    uint8_t pub[32];
    uint8_t h[32];
    uint8_t signature[64];
    size_t i;
    unsigned m;

    (void) state;
    crypto_core_ed25519_scalar_random(a);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(pub, a), 0);
    for (i = 0; i < COUNT(small_order) * 2; i++) {
        for (m = 0; m < 16; m++) {
            uint8_t message = (uint8_t) m;

            unhex(small_order[i / 2], signature, 32);
            signature[31] |= (uint8_t) (i % 2 << 7);
            challenge(signature, pub, message, h);
            crypto_core_ed25519_scalar_mul(signature + 32, h, a);
            assert_int_equal(verify(pub, signature, &message, 1), WBA_INVALID);
        }
    }
    /* The construction itself is sound: with R = rB and S = r + ha it signs. */
    crypto_core_ed25519_scalar_random(h);
    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(signature, h), 0);
    memcpy(signature + 32, h, 32);
    challenge(signature, pub, 7, h);
    crypto_core_ed25519_scalar_mul(h, h, a);
    crypto_core_ed25519_scalar_add(signature + 32, signature + 32, h);
    assert_int_equal(verify(pub, signature, "\x07", 1), WBA_OK);
}

/* S + L signs the same in the equation; RFC 8032 section 5.1.7 forbids it. */
static void
malleable_s(void **state)
{
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10,
    };
    uint8_t pub[32];
    uint8_t signature[64];
    unsigned times;

    (void) state;
    unhex(rfc8032[0].pub, pub, sizeof(pub));
    unhex(rfc8032[0].signature, signature, sizeof(signature));
    assert_int_equal(verify(pub, signature, "", 0), WBA_OK);
    for (times = 1; times < 15; times++) {
        sodium_add(signature + 32, order, sizeof(order));
        assert_int_equal(verify(pub, signature, "", 0), WBA_INVALID);
    }
}

/* y = 2^255 - 19 + n names the same point as y = n, for the n that fit. */
static void
non_canonical_key(void **state)
{
    uint8_t pub[32];
    uint8_t signature[64];
    unsigned n;

    (void) state;
    crypto_core_ed25519_scalar_random(signature + 32);
    crypto_scalarmult_ed25519_base_noclamp(signature, signature + 32);
    for (n = 0; n < 19 * 2; n++) {
        memset(pub, 0xff, sizeof(pub));
        pub[0] = (uint8_t) (0xed + n / 2);
        pub[31] = n % 2 ? 0xff : 0x7f;
        assert_int_equal(verify(pub, signature, "m", 1), WBA_INVALID);
    }
}

static void
thumbprint_text(void **state)
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE + 1];
    char want[64];
    unsigned i;

    (void) state;
    for (i = 0; i < 1000; i++) {
        randombytes_buf(thumbprint, sizeof(thumbprint));
        if (i < 2) {
            memset(thumbprint, i ? 0xff : 0, sizeof(thumbprint));
        }
        text[WBA_THUMBPRINT_TEXT_SIZE] = 0;
        wba_thumbprint_text(thumbprint, text);
        sodium_bin2base64(want, sizeof(want), thumbprint, sizeof(thumbprint),
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        assert_string_equal(want, (const char *) text);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(names_round_trip),
        cmocka_unit_test(supported),
        cmocka_unit_test(rfc8032_vectors),
        cmocka_unit_test(empty_base),
        cmocka_unit_test(rfc9421_b26),
        cmocka_unit_test(wrong_sizes),
        cmocka_unit_test(wrong_algorithm),
        cmocka_unit_test(small_order_key),
        cmocka_unit_test(small_order_r),
        cmocka_unit_test(malleable_s),
        cmocka_unit_test(non_canonical_key),
        cmocka_unit_test(thumbprint_text),
    };

    if (wba_crypto_init() != WBA_OK) {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
