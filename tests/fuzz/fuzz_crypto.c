/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that a directory published, and signatures that a request carried,
 * before the crypto: whatever they are, there is an answer, the same each
 * time, and none of them is a signature over two texts.  What was signed by a
 * key of ours verifies, with the bits that were signed and no others.
 *
 * Input: settings, key, signature, text; each but the last with its length.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "fuzz.h"

/* RFC 9421 appendix B.1.3: a key that everybody has. */
static const char pem[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIFKbhfNZfpDsW43+0+JjUr9K+bTeuxopu653+hBaXGA7oAoGCCqGSM49\n"
    "AwEHoUQDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lfw0EkjqF7xB4FivAxzic30tMM\n"
    "4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n"
    "-----END EC PRIVATE KEY-----\n";
static const uint8_t p256_pub[64] = {
    0xa8, 0x85, 0x58, 0x65, 0x52, 0xc2, 0xac, 0xf6, 0x47, 0x18, 0x78, 0xcf,
    0xd7, 0xb0, 0x93, 0x5b, 0x4f, 0xfe, 0x0f, 0xd2, 0xdf, 0xc3, 0x41, 0x24,
    0x8e, 0xa1, 0x7b, 0xc4, 0x1e, 0x05, 0x8a, 0xf0, 0x31, 0xce, 0x27, 0x37,
    0xd2, 0xd3, 0x0c, 0xe0, 0x61, 0x7e, 0x85, 0x1e, 0x83, 0xc6, 0x1e, 0xf5,
    0x67, 0x9d, 0x15, 0x18, 0x67, 0x65, 0x76, 0x49, 0x03, 0x5d, 0x90, 0xa7,
    0x4c, 0xd9, 0xe8, 0x5d,
};

static EVP_PKEY *p256;
static uint8_t ed_pub[32], ed_secret[64];
static fuzz_mem_t m;

static const struct {
    wba_key_type_t type;
    wba_alg_t alg;
    unsigned algs;
} kinds[] = {
    { WBA_KEY_ED25519, WBA_ALG_ED25519, WBA_ALG_ED25519 },
    { WBA_KEY_P256, WBA_ALG_ECDSA_P256_SHA256, WBA_ALG_ECDSA_P256_SHA256 },
    { WBA_KEY_RSA, WBA_ALG_RSA_PSS_SHA512,
      WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256 },
    { WBA_KEY_RSA, WBA_ALG_RSA_PSS_SHA256,
      WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256 },
};

/* r then s, as the protocol has it, from what OpenSSL makes. */
static wba_str_t
sign_p256(wba_str_t text)
{
    uint8_t der[80], *out = wba_alloc(&m.mem, 64);
    const uint8_t *p = der;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = sizeof(der);
    ECDSA_SIG *sig;

    CHECK(ctx != NULL
          && EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, p256) == 1
          && EVP_DigestSign(ctx, der, &len, text.data, text.len) == 1);
    EVP_MD_CTX_free(ctx);
    sig = d2i_ECDSA_SIG(NULL, &p, (long) len);
    CHECK(sig != NULL);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32);
    CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32);
    ECDSA_SIG_free(sig);
    return wba_str(out, 64);
}

/* The text with one bit more, or another. */
static wba_str_t
other(wba_str_t text)
{
    wba_buf_t buf;

    wba_buf_init(&buf, &m.mem, text.len + 1);
    wba_buf_str(&buf, text);
    wba_buf_byte(&buf, ' ');
    return fuzz_copy(&m, wba_buf_view(&buf));
}

static void
verify(const wba_key_t *key, wba_alg_t alg, wba_str_t signature,
       wba_str_t text)
{
    wba_status_t status = wba_crypto_verify(key, alg, signature, text);

    CHECK(status == WBA_OK || status == WBA_INVALID
          || status == WBA_UNSUPPORTED);
    CHECK(wba_crypto_verify(key, alg, signature, text) == status);
    if (status == WBA_OK) {
        CHECK(wba_crypto_verify(key, alg, signature, other(text))
              == WBA_INVALID);
    }
}

/* Any bytes at all. */
static void
anything(fuzz_in_t *in, unsigned kind)
{
    uint8_t zero[WBA_THUMBPRINT_SIZE] = { 0 };
    wba_key_t key = { .type = kinds[kind].type, .algs = kinds[kind].algs,
                      .thumbprint = zero };
    wba_str_t signature;
    size_t size;

    size = key.type == WBA_KEY_ED25519 ? 32
           : key.type == WBA_KEY_P256  ? 64
                                       : 256 + 8 * (size_t) fuzz_byte(in) % 776;
    key.pub = fuzz_take(in, size);
    if (key.pub.len < size) {
        uint8_t *padded = wba_alloc(&m.mem, size);

        memset(padded, 0x5b, size);
        if (key.pub.len) {
            memcpy(padded, key.pub.data, key.pub.len);
        }
        key.pub = wba_str(padded, size);
    }
    if (key.type == WBA_KEY_RSA) {
        key.exponent = fuzz_copy(&m, fuzz_take(in, 1 + fuzz_byte(in) % 8));
    }
    size = fuzz_number(in, 2) % 1200;
    signature = fuzz_copy(&m, fuzz_take(in, size));
    verify(&key, kinds[kind].alg, signature, fuzz_copy(&m, *in));
    verify(&key, WBA_ALG_ED25519, signature, *in);
    verify(&key, (wba_alg_t) 3, signature, *in);
    verify(&key, WBA_ALG_NONE, signature, *in);
}

/* A good one, of which a bit may be turned. */
static void
ours(fuzz_in_t *in, unsigned kind)
{
    uint8_t zero[WBA_THUMBPRINT_SIZE] = { 0 };
    wba_key_t key = { .type = kinds[kind].type, .algs = kinds[kind].algs,
                      .thumbprint = zero };
    unsigned bit = (unsigned) fuzz_number(in, 2);
    uint8_t signature[64];
    wba_str_t text;

    text = fuzz_copy(&m, *in);
    if (key.type == WBA_KEY_ED25519) {
        key.pub = wba_str(ed_pub, 32);
        crypto_sign_detached(signature, NULL, text.data, text.len, ed_secret);
    } else {
        key.pub = wba_str(p256_pub, 64);
        memcpy(signature, sign_p256(text).data, 64);
    }
    CHECK(wba_crypto_verify(&key, kinds[kind].alg, wba_str(signature, 64),
                            text)
          == WBA_OK);
    CHECK(wba_crypto_verify(&key, kinds[kind].alg, wba_str(signature, 64),
                            other(text))
          == WBA_INVALID);
    CHECK(wba_crypto_verify(&key, kinds[kind].alg, wba_str(signature, 63),
                            text)
          == WBA_INVALID);
    signature[bit % 64] ^= (uint8_t) (1u << (bit >> 8) % 8);
    CHECK(wba_crypto_verify(&key, kinds[kind].alg, wba_str(signature, 64),
                            text)
          == WBA_INVALID);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t seed[32] = "a seed of thirty-two octets ...";
    BIO *bio;

    (void) argc;
    (void) argv;
    fuzz_begin();
    crypto_sign_seed_keypair(ed_pub, ed_secret, seed);
    bio = BIO_new_mem_buf(pem, -1);
    p256 = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    CHECK(p256 != NULL);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned how = fuzz_byte(&in);

    fuzz_mem_init(&m);
    if (how & 4) {
        ours(&in, how & 1);
    } else {
        anything(&in, how % 4);
    }
    fuzz_mem_free(&m);
    return 0;
}
