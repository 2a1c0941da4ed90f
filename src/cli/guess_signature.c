/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures over the right base, in a form that is not alg's: what libraries
 * make unless they are told otherwise. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "evp_key.h"
#include "guess_private.h"

/* A text of a signature is at most twice as long. */
#define MAX_BYTES WBA_MAX_SIGNATURE_BYTES

static bool
verifies_as(const wba_key_t *key, wba_str_t signature, wba_str_t base)
{
    unsigned alg;

    for (alg = 1; alg <= WBA_ALG_ALL; alg <<= 1) {
        if ((key->algs & alg)
            && wba_crypto_verify(key, (wba_alg_t) alg, signature, base)
                   == WBA_OK)
        {
            return true;
        }
    }
    return false;
}

/* ---- texts of the signature's octets */

static bool
hexadecimal(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    wba_str_t sent = g->fact->signature;
    uint8_t bytes[MAX_BYTES];
    size_t len;

    return sodium_hex2bin(bytes, sizeof(bytes), (const char *) sent.data,
                          sent.len, NULL, &len, NULL)
               == 0
           && verifies_as(key, wba_str(bytes, len), base);
}

/* In the place of base64: what it was decoded to is encoded again. */
static bool
hexadecimal_alone(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    char text[sodium_base64_ENCODED_LEN(
        MAX_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];
    wba_str_t sent = g->fact->signature;
    uint8_t bytes[MAX_BYTES];
    size_t len;

    (void) sodium_bin2base64(text, sizeof(text), sent.data, sent.len,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    return sodium_hex2bin(bytes, sizeof(bytes), text, strlen(text), NULL, &len,
                          NULL)
               == 0
           && verifies_as(key, wba_str(bytes, len), base);
}

static bool
base64_twice(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
                                    sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                    sodium_base64_VARIANT_URLSAFE,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    wba_str_t sent = g->fact->signature;
    uint8_t bytes[MAX_BYTES];
    size_t len, i;

    for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        if (sodium_base642bin(bytes, sizeof(bytes), (const char *) sent.data,
                              sent.len, NULL, &len, NULL, variants[i])
                == 0
            && verifies_as(key, wba_str(bytes, len), base))
        {
            return true;
        }
    }
    return false;
}

/* ---- other forms of ECDSA and RSA */

static bool
der(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    wba_str_t sent = g->fact->signature;
    uint8_t bytes[EVP_KEY_SIGNATURE];

    return key->type == WBA_KEY_P256
           && evp_key_from_der(sent.data, sent.len, bytes)
           && verifies_as(key, wba_str(bytes, 64), base);
}

static bool
rsa(const guesser_t *g, const wba_key_t *key, wba_str_t base, char *says)
{
    static const struct {
        const char *name; /* of the form */
        wba_alg_t alg;    /* with another salt */
        bool pss;
        bool sha512;
    } forms[] = {
        { "RSASSA-PKCS1-v1_5 with SHA-256", WBA_ALG_NONE, false, false },
        { "RSASSA-PKCS1-v1_5 with SHA-512", WBA_ALG_NONE, false, true },
        { "RSA-PSS with SHA-256", WBA_ALG_RSA_PSS_SHA256, true, false },
        { "RSA-PSS with SHA-512", WBA_ALG_RSA_PSS_SHA512, true, true },
    };
    wba_str_t alg = g->fact->input.alg;
    unsigned wanted = alg.data != NULL ? (unsigned) wba_alg_by_name(alg)
                                       : key->algs;
    size_t i;

    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        if (!evp_key_verify_form(key, forms[i].pss, forms[i].sha512,
                                 g->fact->signature, base))
        {
            continue;
        }
        if (wanted & (unsigned) forms[i].alg) {
            (void) snprintf(says, SAYS,
                            "its salt had 64 octets; it has another number, "
                            "as libraries choose unless they are told "
                            "otherwise (RFC 9421 section 3.3.1)");
        } else {
            (void) snprintf(says, SAYS,
                            "it were made as %s says; it is %s",
                            alg.data != NULL ? "alg" : "the key", forms[i].name);
        }
        return true;
    }
    return false;
}

bool
guess_signature(guesser_t *g, const wba_key_t *key, wba_str_t base,
                char says[SAYS])
{
    static const struct {
        bool (*is)(const guesser_t *g, const wba_key_t *key, wba_str_t base);
        const char *says;
    } texts[] = {
        { hexadecimal, "its octets stood between the colons in base64; there "
                       "is base64 of their hexadecimal text (RFC 9421 "
                       "section 4.2)" },
        { hexadecimal_alone, "its octets stood between the colons in base64; "
                             "there is their hexadecimal text (RFC 9421 "
                             "section 4.2)" },
        { base64_twice, "its octets stood between the colons in base64; there "
                        "is base64 of their base64 (RFC 9421 section 4.2)" },
        { der, "it were r then s, 32 octets each; it is DER, as libraries "
               "write it unless they are told otherwise (RFC 9421 section "
               "3.3.4)" },
    };
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].is(g, key, base)) {
            (void) snprintf(says, SAYS, "%s", texts[i].says);
            return true;
        }
    }
    return key->type == WBA_KEY_RSA && rsa(g, key, base, says);
}
