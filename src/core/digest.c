/* SPDX-License-Identifier: BSD-2-Clause */
/* Content-Digest (RFC 9530): the field's digests, compared with a body. */
#include "digest.h"

#include "sf.h"

/* Decodes a stated digest, which must be of exactly size bytes. */
static bool
digest_decode(const wba_sf_value_t *value, uint8_t *out, size_t size)
{
    size_t len;

    return value->type == WBA_SF_BYTES
           && wba_sf_bytes(value, out, size, &len) == WBA_OK && len == size;
}

wba_status_t
wba_digest_init(wba_digest_t *d, wba_str_t field)
{
    wba_sf_iter_t it;
    wba_sf_value_t value, sha256, sha512;
    wba_str_t key;
    wba_status_t rc;
    bool has_sha256 = false, has_sha512 = false;

    memset(d, 0, sizeof(*d));
    wba_sf_dict_init(&it, field);
    /* A key's last member counts, so that nothing is judged before the end. */
    while ((rc = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        if (wba_str_eq(key, WBA_STR("sha-256"))) {
            sha256 = value;
            has_sha256 = true;
        } else if (wba_str_eq(key, WBA_STR("sha-512"))) {
            sha512 = value;
            has_sha512 = true;
        }
    }
    if (rc != WBA_END
        || (has_sha256
            && !digest_decode(&sha256, d->want_sha256,
                              sizeof(d->want_sha256)))
        || (has_sha512
            && !digest_decode(&sha512, d->want_sha512,
                              sizeof(d->want_sha512)))) {
        return WBA_INVALID;
    }
    if (!has_sha256 && !has_sha512) {
        return WBA_UNSUPPORTED;
    }
    d->has_sha256 = has_sha256;
    d->has_sha512 = has_sha512;
    if (has_sha256) {
        crypto_hash_sha256_init(&d->sha256);
    }
    if (has_sha512) {
        crypto_hash_sha512_init(&d->sha512);
    }
    return WBA_OK;
}

void
wba_digest_update(wba_digest_t *d, const void *data, size_t len)
{
    if (len == 0) {
        return;
    }
    if (d->has_sha256) {
        crypto_hash_sha256_update(&d->sha256, data, len);
    }
    if (d->has_sha512) {
        crypto_hash_sha512_update(&d->sha512, data, len);
    }
}

bool
wba_digest_final(wba_digest_t *d)
{
    uint8_t got[crypto_hash_sha512_BYTES];
    bool match = d->has_sha256 || d->has_sha512;

    if (d->has_sha256) {
        crypto_hash_sha256_final(&d->sha256, got);
        match = memcmp(got, d->want_sha256, sizeof(d->want_sha256)) == 0;
    }
    if (d->has_sha512) {
        crypto_hash_sha512_final(&d->sha512, got);
        match = match
                && memcmp(got, d->want_sha512, sizeof(d->want_sha512)) == 0;
    }
    return match;
}
