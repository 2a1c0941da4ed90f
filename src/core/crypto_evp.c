/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ECDSA and RSA-PSS through libcrypto, which nginx links already.  From
 * OpenSSL 3 keys are made of their numbers (EVP_PKEY_fromdata); before that
 * by what is deprecated now.
 */
#include "crypto_evp.h"

#include <errno.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/bn.h>
#include <openssl/ec.h>

#ifndef WBA_OPENSSL_3
#define WBA_OPENSSL_3 (OPENSSL_VERSION_NUMBER >= 0x30000000L)
#endif

#if WBA_OPENSSL_3
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#endif

#define P256_OCTETS 32 /* of a coordinate, of r and of s */

/* SEQUENCE { INTEGER, INTEGER }, each with an octet to keep it positive. */
#define P256_DER_MAX (2 + 2 * (2 + 1 + P256_OCTETS))

/* The public key as X9.62 writes it: 4, x, y. */
#define P256_POINT (1 + 2 * P256_OCTETS)

/* Keys.  NULL: not a key, or no memory. */

#if WBA_OPENSSL_3

static EVP_PKEY *
make_key(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1
        || EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
    {
        key = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *
p256_key(const uint8_t *point)
{
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY,
                                          (void *) (uintptr_t) point,
                                          P256_POINT),
        OSSL_PARAM_construct_end(),
    };

    return make_key("EC", params);
}

static EVP_PKEY *
rsa_key_of(BIGNUM *n, BIGNUM *e)
{
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (build != NULL
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1
        && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1
        && (params = OSSL_PARAM_BLD_to_param(build)) != NULL)
    {
        key = make_key("RSA", params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(n);
    BN_free(e);
    return key;
}

#else

static EVP_PKEY *
p256_key(const uint8_t *point)
{
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();

    if (ec == NULL || key == NULL
        || EC_KEY_oct2key(ec, point, P256_POINT, NULL) != 1
        || EVP_PKEY_set1_EC_KEY(key, ec) != 1)
    {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EC_KEY_free(ec);
    return key;
}

static EVP_PKEY *
rsa_key_of(BIGNUM *n, BIGNUM *e)
{
    RSA *rsa = RSA_new();
    EVP_PKEY *key = EVP_PKEY_new();

    if (rsa == NULL || RSA_set0_key(rsa, n, e, NULL) != 1) {
        BN_free(n);
        BN_free(e);
        EVP_PKEY_free(key);
        key = NULL;
    } else if (key != NULL && EVP_PKEY_set1_RSA(key, rsa) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    RSA_free(rsa);
    return key;
}

#endif

static EVP_PKEY *
rsa_key(const wba_key_t *key)
{
    BIGNUM *n = BN_bin2bn(key->pub.data, (int) key->pub.len, NULL);
    BIGNUM *e = BN_bin2bn(key->exponent.data, (int) key->exponent.len, NULL);

    if (n == NULL || e == NULL) {
        BN_free(n);
        BN_free(e);
        return NULL;
    }
    return rsa_key_of(n, e);
}

/* Errors. */

/*
 * Often libcrypto does not say so, but malloc does, in errno.  Where libcrypto
 * does, it reports what failed first, then what failed because of it, so all
 * errors are looked at; where there were others before ours (left for whoever
 * made them) only the last can be.
 */
bool
wba_evp_forget_errors(bool clean)
{
    bool memory = errno == ENOMEM;
    unsigned long error;

    if (clean) {
        while ((error = ERR_get_error()) != 0) {
            memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
        }
    } else {
        error = ERR_peek_last_error();
        memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }
    (void) ERR_pop_to_mark();
    return memory;
}

/* Verification. */

typedef struct {
    const EVP_MD *md; /* also MGF1's */
    int salt;         /* octets, or RSA_PSS_SALTLEN_AUTO; ECDSA: 0 */
    bool pss;
} scheme_t;

static bool
matches(EVP_PKEY *key, const scheme_t *scheme, wba_str_t signature,
        wba_str_t base)
{
    const uint8_t *message = base.len ? base.data : (const uint8_t *) "";
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx = NULL; /* ctx's */
    bool ok;

    ok = ctx != NULL
         && EVP_DigestVerifyInit(ctx, &pctx, scheme->md, NULL, key) == 1;
    if (ok && scheme->pss) {
        ok = EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1
             && EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, scheme->salt) == 1
             && EVP_PKEY_CTX_set_rsa_mgf1_md(pctx, scheme->md) == 1;
    }
    ok = ok
         && EVP_DigestVerify(ctx, signature.data, signature.len, message,
                             base.len)
                == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

/* After wba_evp_mark_errors(), at the end of the caller; frees key. */
static wba_status_t
conclude(EVP_PKEY *key, const scheme_t *scheme, wba_str_t signature,
         wba_str_t base, bool clean)
{
    bool ok = key != NULL && matches(key, scheme, signature, base);

    EVP_PKEY_free(key);
    if (wba_evp_forget_errors(clean) && !ok) {
        return WBA_NO_MEMORY;
    }
    return ok ? WBA_OK : WBA_INVALID;
}

bool
wba_evp_mark_errors(void)
{
    bool clean = ERR_peek_error() == 0;

    (void) ERR_set_mark();
    errno = 0;
    return clean;
}

/* A DER INTEGER of P256_OCTETS octets without sign.  Returns its end. */
static uint8_t *
put_integer(uint8_t *out, const uint8_t *octets)
{
    size_t skip = 0, len;
    bool pad;

    while (skip < P256_OCTETS - 1 && octets[skip] == 0) {
        skip++;
    }
    len = P256_OCTETS - skip;
    pad = octets[skip] & 0x80;
    *out++ = 0x02;
    *out++ = (uint8_t) (len + pad);
    if (pad) {
        *out++ = 0;
    }
    memcpy(out, octets + skip, len);
    return out + len;
}

/* That r and s are in range is left to libcrypto. */
wba_status_t
wba_evp_verify_p256(const wba_key_t *key, wba_str_t signature, wba_str_t base)
{
    const scheme_t scheme = { EVP_sha256(), 0, false };
    uint8_t point[P256_POINT], der[P256_DER_MAX], *end;
    bool clean;

    if (signature.len != 2 * P256_OCTETS || key->pub.len != 2 * P256_OCTETS) {
        return WBA_INVALID;
    }
    point[0] = 4;
    memcpy(point + 1, key->pub.data, 2 * P256_OCTETS);
    end = put_integer(der + 2, signature.data);
    end = put_integer(end, signature.data + P256_OCTETS);
    der[0] = 0x30;
    der[1] = (uint8_t) (end - der - 2);

    clean = wba_evp_mark_errors();
    return conclude(p256_key(point), &scheme,
                    wba_str(der, (size_t) (end - der)), base, clean);
}

/* RFC 8017 section 8.1.2 wants as many octets as the modulus has; libcrypto
 * would take fewer. */
static wba_status_t
verify_pss(const wba_key_t *key, const scheme_t *scheme, wba_str_t signature,
           wba_str_t base)
{
    bool clean;

    if (signature.len != key->pub.len || key->pub.len == 0
        || key->pub.len > 1024 || key->exponent.len == 0
        || key->exponent.len > 8)
    {
        return WBA_INVALID;
    }
    clean = wba_evp_mark_errors();
    return conclude(rsa_key(key), scheme, signature, base, clean);
}

wba_status_t
wba_evp_verify_pss_sha512(const wba_key_t *key, wba_str_t signature,
                          wba_str_t base)
{
    const scheme_t scheme = { EVP_sha512(), 64, true };

    return verify_pss(key, &scheme, signature, base);
}

wba_status_t
wba_evp_verify_pss_sha256(const wba_key_t *key, wba_str_t signature,
                          wba_str_t base)
{
    const scheme_t scheme = { EVP_sha256(), RSA_PSS_SALTLEN_AUTO, true };

    return verify_pss(key, &scheme, signature, base);
}
