/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block: a header, one record of fixed size for each key, then the bytes
 * of each key in the records' order (public part, exponent, kid) without
 * gaps, then zero to seven bytes up to a multiple of eight.  Integers are in
 * the machine's own order: the magic of another one does not match.  Headers
 * and records are copied out before they are read, so nothing depends on how
 * the block is aligned.
 */
#include "keyset.h"

#include <stdlib.h>

#include "wba_limits.h"

#define MAGIC 0x4b414257 /* "WBAK" */
#define VERSION 1

typedef struct {
    uint32_t magic;
    uint32_t version;
    uint64_t size; /* of the whole block */
    uint64_t count;
} header_t;

typedef struct {
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];
    int64_t nbf;
    int64_t exp;
    uint64_t offset; /* of the key's bytes in the block */
    uint32_t algs;
    uint16_t type;
    uint16_t pub_len;
    uint16_t exponent_len;
    uint16_t kid_len;
    uint32_t unused; /* 0 */
} record_t;

_Static_assert(sizeof(header_t) == 24, "the block has no holes");
_Static_assert(sizeof(record_t) == 72, "the block has no holes");

struct wba_keyset_builder_s {
    record_t *records;
    size_t count;
    size_t records_cap;
    uint8_t *bytes;
    size_t len;
    size_t bytes_cap;
    bool spent;
};

static size_t
record_bytes(const record_t *r)
{
    return (size_t) r->pub_len + r->exponent_len + r->kid_len;
}

static size_t
padded(size_t size)
{
    return (size + 7) & ~(size_t) 7;
}

/* Whether sizes, type and algorithms go together; the offset is not looked
 * at, nor are the key's own bytes. */
static bool
record_sound(const record_t *r)
{
    unsigned algs;
    bool sizes;

    switch (r->type) {
    case WBA_KEY_ED25519:
        algs = WBA_ALG_ED25519;
        sizes = r->pub_len == 32 && r->exponent_len == 0;
        break;
    case WBA_KEY_P256:
        algs = WBA_ALG_ECDSA_P256_SHA256;
        sizes = r->pub_len == 64 && r->exponent_len == 0;
        break;
    case WBA_KEY_RSA:
        algs = WBA_ALG_RSA_PSS_SHA512 | WBA_ALG_RSA_PSS_SHA256;
        sizes = r->pub_len >= 256 && r->pub_len <= 1024 && r->exponent_len >= 1
                && r->exponent_len <= 8;
        break;
    default:
        return false;
    }
    return sizes && r->kid_len <= WBA_MAX_KID && r->algs != 0
           && (r->algs & ~algs) == 0 && r->nbf >= 0 && r->exp >= 0
           && r->unused == 0;
}

wba_keyset_builder_t *
wba_keyset_builder_new(void)
{
    return calloc(1, sizeof(wba_keyset_builder_t));
}

void
wba_keyset_builder_free(wba_keyset_builder_t *b)
{
    if (b != NULL) {
        free(b->records);
        free(b->bytes);
        free(b);
    }
}

/* Room for n more items of size bytes, by doubling. */
static bool
reserve(void **items, size_t *cap, size_t used, size_t n, size_t size)
{
    size_t want = *cap;
    void *grown;

    if (n <= *cap - used) {
        return true;
    }
    if (n > SIZE_MAX / 4 / size || used > SIZE_MAX / 4 / size) {
        return false;
    }
    while (want - used < n) {
        want = want ? want * 2 : 64;
    }
    grown = realloc(*items, want * size);
    if (grown == NULL) {
        return false;
    }
    *items = grown;
    *cap = want;
    return true;
}

static void
append(wba_keyset_builder_t *b, wba_str_t s)
{
    if (s.len) {
        memcpy(b->bytes + b->len, s.data, s.len);
        b->len += s.len;
    }
}

wba_status_t
wba_keyset_builder_add(wba_keyset_builder_t *b, const wba_key_t *key)
{
    void *records = b->records;
    void *bytes = b->bytes;
    record_t r = { 0 };
    bool fits;

    if (b->spent || key->thumbprint == NULL || key->pub.len > UINT16_MAX
        || key->exponent.len > UINT16_MAX || key->kid.len > UINT16_MAX) {
        return WBA_INVALID;
    }
    memcpy(r.thumbprint, key->thumbprint, sizeof(r.thumbprint));
    r.nbf = key->nbf;
    r.exp = key->exp;
    r.offset = b->len; /* rebased once the number of records is known */
    r.algs = key->algs;
    r.type = (uint16_t) key->type;
    r.pub_len = (uint16_t) key->pub.len;
    r.exponent_len = (uint16_t) key->exponent.len;
    r.kid_len = (uint16_t) key->kid.len;
    if (!record_sound(&r)) {
        return WBA_INVALID;
    }

    fits = reserve(&records, &b->records_cap, b->count, 1, sizeof(r))
           && reserve(&bytes, &b->bytes_cap, b->len, record_bytes(&r), 1);
    b->records = records;
    b->bytes = bytes;
    if (!fits) {
        return WBA_NO_MEMORY;
    }
    b->records[b->count++] = r;
    append(b, key->pub);
    append(b, key->exponent);
    append(b, key->kid);
    return WBA_OK;
}

wba_status_t
wba_keyset_builder_take(wba_keyset_builder_t *b, wba_keyset_t *set)
{
    size_t first = sizeof(header_t) + b->count * sizeof(record_t);
    size_t size = padded(first + b->len);
    header_t header = { MAGIC, VERSION, size, b->count };
    uint8_t *data;
    size_t i;

    set->data = NULL;
    set->size = 0;
    if (b->spent) {
        return WBA_INVALID;
    }
    data = malloc(size);
    if (data == NULL) {
        return WBA_NO_MEMORY;
    }
    for (i = 0; i < b->count; i++) {
        b->records[i].offset += first;
    }
    memcpy(data, &header, sizeof(header));
    if (b->count) {
        memcpy(data + sizeof(header), b->records, b->count * sizeof(record_t));
        memcpy(data + first, b->bytes, b->len);
    }
    memset(data + first + b->len, 0, size - first - b->len);
    b->spent = true;
    set->data = data;
    set->size = size;
    return WBA_OK;
}

static void
record_at(wba_keyset_t set, size_t i, record_t *r)
{
    memcpy(r, set.data + sizeof(header_t) + i * sizeof(*r), sizeof(*r));
}

wba_status_t
wba_keyset_check(wba_keyset_t set)
{
    header_t header;
    record_t r;
    size_t end;
    size_t i;

    if (set.data == NULL || set.size < sizeof(header)) {
        return WBA_INVALID;
    }
    memcpy(&header, set.data, sizeof(header));
    if (header.magic != MAGIC) {
        return WBA_INVALID;
    }
    if (header.version != VERSION) {
        return WBA_UNSUPPORTED;
    }
    if (header.size != set.size
        || header.count > (set.size - sizeof(header)) / sizeof(r)) {
        return WBA_INVALID;
    }
    end = sizeof(header) + (size_t) header.count * sizeof(r);
    for (i = 0; i < header.count; i++) {
        record_at(set, i, &r);
        if (!record_sound(&r) || r.offset != end
            || record_bytes(&r) > set.size - end) {
            return WBA_INVALID;
        }
        end += record_bytes(&r);
    }
    return set.size % 8 == 0 && set.size - end < 8 ? WBA_OK : WBA_INVALID;
}

size_t
wba_keyset_count(wba_keyset_t set)
{
    header_t header;

    memcpy(&header, set.data, sizeof(header));
    return (size_t) header.count;
}

void
wba_keyset_key(wba_keyset_t set, size_t i, wba_key_t *key)
{
    const uint8_t *p;
    record_t r;

    record_at(set, i, &r);
    p = set.data + r.offset;
    key->type = (wba_key_type_t) r.type;
    key->algs = r.algs;
    key->nbf = r.nbf;
    key->exp = r.exp;
    key->thumbprint = set.data + sizeof(header_t) + i * sizeof(r);
    key->pub = wba_str(p, r.pub_len);
    key->exponent = wba_str(p + r.pub_len, r.exponent_len);
    key->kid = wba_str(p + r.pub_len + r.exponent_len, r.kid_len);
}

bool
wba_keyset_has(wba_keyset_t set, wba_str_t keyid)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];
    wba_key_t key;
    size_t i, n = wba_keyset_count(set);

    for (i = 0; i < n; i++) {
        wba_keyset_key(set, i, &key);
        if (key.kid.len != 0 && wba_str_eq(key.kid, keyid)) {
            return true;
        }
        wba_thumbprint_text(key.thumbprint, text);
        if (wba_str_eq(wba_str(text, sizeof(text)), keyid)) {
            return true;
        }
    }
    return false;
}
