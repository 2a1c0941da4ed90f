/* SPDX-License-Identifier: BSD-2-Clause */
/* Signatures in a form that is not alg's: what libraries make unless they are
 * told otherwise. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "evp_key.h"
#include "guess_private.h"

#define MAX_BYTES WBA_MAX_SIGNATURE_BYTES

/* ---- texts of the octets, and DER */

static bool
from_hex(const char *text, size_t text_len, uint8_t *out, size_t *len)
{
    return sodium_hex2bin(out, MAX_BYTES, text, text_len, NULL, len, NULL)
           == 0;
}

static bool
hexadecimal(wba_str_t sent, uint8_t *out, size_t *len)
{
    return from_hex((const char *) sent.data, sent.len, out, len);
}

/* In the place of base64: what it was decoded to is encoded again. */
static bool
hexadecimal_alone(wba_str_t sent, uint8_t *out, size_t *len)
{
    char text[sodium_base64_ENCODED_LEN(
        MAX_BYTES, sodium_base64_VARIANT_ORIGINAL_NO_PADDING)];

    (void) sodium_bin2base64(text, sizeof(text), sent.data, sent.len,
                             sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    return from_hex(text, strlen(text), out, len);
}

static bool
base64(wba_str_t sent, uint8_t *out, size_t *len)
{
    static const int variants[] = { sodium_base64_VARIANT_ORIGINAL,
                                    sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                                    sodium_base64_VARIANT_URLSAFE,
                                    sodium_base64_VARIANT_URLSAFE_NO_PADDING };
    size_t i;

    for (i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
        if (sodium_base642bin(out, MAX_BYTES, (const char *) sent.data,
                              sent.len, NULL, len, NULL, variants[i])
            == 0)
        {
            return true;
        }
    }
    return false;
}

static bool
der(wba_str_t sent, uint8_t *out, size_t *len)
{
    *len = 64;
    return evp_key_from_der(sent.data, sent.len, out);
}

bool
guess_recoded(const guesser_t *g, size_t i, uint8_t *out, size_t *len,
              const char **says)
{
    static const struct {
        bool (*read)(wba_str_t sent, uint8_t *out, size_t *len);
        const char *says;
    } ways[] = {
        { hexadecimal, "its octets stood between the colons in base64; there "
                       "is base64 of their hexadecimal text (RFC 9421 "
                       "section 4.2)" },
        { hexadecimal_alone, "its octets stood between the colons in base64; "
                             "there is their hexadecimal text (RFC 9421 "
                             "section 4.2)" },
        { base64, "its octets stood between the colons in base64; there is "
                  "base64 of their base64 (RFC 9421 section 4.2)" },
        { der, "it were r then s, 32 octets each; it is DER, as libraries "
               "write it unless they are told otherwise (RFC 9421 section "
               "3.3.4)" },
    };

    if (i == sizeof(ways) / sizeof(ways[0])) {
        return false;
    }
    *says = ways[i].says;
    if (!ways[i].read(g->fact->signature, out, len)) {
        *len = 0;
    }
    return true;
}

/* ---- other forms of RSA */

bool
guess_rsa(const guesser_t *g, const wba_key_t *key, wba_str_t base,
          char says[SAYS])
{
    static const struct {
        const char *name;
        wba_alg_t alg; /* which has another salt; none: it is not that */
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

    for (i = 0; key->type == WBA_KEY_RSA
                && i < sizeof(forms) / sizeof(forms[0]);
         i++)
    {
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
            (void) snprintf(says, SAYS, "it were made as %s says; it is %s",
                            alg.data != NULL ? "alg" : "the key",
                            forms[i].name);
        }
        return true;
    }
    return false;
}
