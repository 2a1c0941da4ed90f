/* SPDX-License-Identifier: BSD-2-Clause */
#include "challenge.h"

#include <sodium.h>

/* version, end (seconds, big-endian), random, hash.  Together a multiple of
 * three octets: base64url has one spelling of it, and no second one could
 * pass for another nonce. */
#define VERSION 1
#define END_AT 1
#define RANDOM_AT (END_AT + 8)
#define HASH_AT (RANDOM_AT + WBA_CHALLENGE_RANDOM_SIZE)
#define HASH_SIZE crypto_shorthash_siphashx24_BYTES
#define OCTETS (HASH_AT + HASH_SIZE)

/* Seconds that a worker's cached clock may be behind another's. */
#define CLOCK_SLACK 5

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

_Static_assert(OCTETS % 3 == 0 && OCTETS / 3 * 4 == WBA_CHALLENGE_SIZE,
               "no spare bits");
_Static_assert(2 * crypto_shorthash_siphashx24_KEYBYTES
                   == WBA_CHALLENGE_KEY_SIZE,
               "two keys");

void
wba_challenge_derive(wba_challenge_key_t *key, const void *secret, size_t len)
{
    static const char label[] = "web_bot_auth challenge 1";

    (void) crypto_generichash(key->bytes, sizeof(key->bytes),
                              (const uint8_t *) label, sizeof(label) - 1,
                              secret, len);
}

/* Over what stands before the hash, and the authority. */
static void
hash(const wba_challenge_key_t *key, wba_str_t authority,
     const uint8_t token[OCTETS], uint8_t out[HASH_SIZE])
{
    uint8_t text[HASH_AT + HASH_SIZE];

    memcpy(text, token, HASH_AT);
    (void) crypto_shorthash_siphashx24(text + HASH_AT, authority.data,
                                       authority.len, key->bytes);
    (void) crypto_shorthash_siphashx24(
        out, text, sizeof(text),
        key->bytes + crypto_shorthash_siphashx24_KEYBYTES);
}

static void
encode(const uint8_t token[OCTETS], uint8_t out[WBA_CHALLENGE_SIZE])
{
    char text[WBA_CHALLENGE_SIZE + 1];

    (void) sodium_bin2base64(text, sizeof(text), token, OCTETS, VARIANT);
    memcpy(out, text, WBA_CHALLENGE_SIZE);
}

void
wba_challenge_make(const wba_challenge_key_t *key, wba_str_t authority,
                   int64_t now,
                   const uint8_t random[WBA_CHALLENGE_RANDOM_SIZE],
                   uint8_t out[WBA_CHALLENGE_SIZE])
{
    uint64_t end = (uint64_t) now + WBA_CHALLENGE_LIFETIME;
    uint8_t token[OCTETS];
    unsigned i;

    token[0] = VERSION;
    for (i = 0; i < 8; i++) {
        token[END_AT + i] = (uint8_t) (end >> (56 - 8 * i));
    }
    memcpy(token + RANDOM_AT, random, WBA_CHALLENGE_RANDOM_SIZE);
    hash(key, authority, token, token + HASH_AT);

    encode(token, out);
}

/* Written anew and compared: libsodium takes some octets beyond ASCII for
 * characters of the alphabet. */
static bool
decode(wba_str_t nonce, uint8_t token[OCTETS])
{
    uint8_t again[WBA_CHALLENGE_SIZE];
    size_t len;

    if (nonce.len != WBA_CHALLENGE_SIZE
        || sodium_base642bin(token, OCTETS, (const char *) nonce.data,
                             nonce.len, NULL, &len, NULL, VARIANT)
               != 0
        || len != OCTETS || token[0] != VERSION)
    {
        return false;
    }
    encode(token, again);
    return memcmp(again, nonce.data, sizeof(again)) == 0;
}

static int64_t
end_of(const uint8_t token[OCTETS])
{
    uint64_t bits = 0;
    unsigned i;

    for (i = 0; i < 8; i++) {
        bits = bits << 8 | token[END_AT + i];
    }
    return (int64_t) bits;
}

wba_reason_t
wba_challenge_check(const wba_challenge_key_t *key, wba_str_t authority,
                    wba_str_t nonce, int64_t now)
{
    uint8_t token[OCTETS], right[HASH_SIZE];
    int64_t end;

    if (nonce.len == 0) {
        return WBA_REASON_NONCE_MISSING;
    }
    if (!decode(nonce, token)) {
        return WBA_REASON_NONCE_NOT_CHALLENGED;
    }
    hash(key, authority, token, right);
    if (sodium_memcmp(right, token + HASH_AT, HASH_SIZE) != 0) {
        return WBA_REASON_NONCE_NOT_CHALLENGED;
    }
    end = end_of(token);
    if (end <= now || end > now + WBA_CHALLENGE_LIFETIME + CLOCK_SLACK) {
        return WBA_REASON_CHALLENGE_EXPIRED;
    }
    return WBA_REASON_OK;
}

int64_t
wba_challenge_end(wba_str_t nonce)
{
    uint8_t token[OCTETS];

    return decode(nonce, token) ? end_of(token) : 0;
}
