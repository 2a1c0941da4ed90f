/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record: a header of fixed size, then url, etag and last_modified, then
 * the key set, without gaps.  Integers are in the machine's own order: the
 * magic of another one does not match.  The checksum is over everything but
 * itself.  Nothing depends on how the bytes are aligned.
 */
#include "state.h"

#include <sodium.h>
#include <stdlib.h>

#define MAGIC 0x53414257 /* "WBAS" */
#define VERSION 1
#define SUM 32

/* The end of the year 9999: sums of such times, and milliseconds, fit. */
#define LATEST INT64_C(253402300799)

typedef struct {
    uint32_t magic;
    uint32_t version;
    uint8_t sum[SUM];
    uint64_t size; /* of the whole record */
    uint64_t settings;
    int64_t fetched;
    int64_t lifetime;
    uint64_t set_size;
    uint16_t url_len;
    uint16_t etag_len;
    uint16_t last_modified_len;
    uint16_t unused; /* 0 */
} header_t;

_Static_assert(sizeof(header_t) == 88, "the record has no holes");

#define SUMMED offsetof(header_t, size)

static bool
time_sound(int64_t t)
{
    return t >= 0 && t <= LATEST;
}

static bool
checksum(const uint8_t *data, size_t size, uint8_t sum[SUM])
{
    return crypto_generichash(sum, SUM, data + SUMMED, size - SUMMED, NULL, 0)
           == 0;
}

static uint8_t *
put(uint8_t *to, wba_str_t s)
{
    if (s.len) {
        memcpy(to, s.data, s.len);
    }
    return to + s.len;
}

wba_status_t
wba_state_write(const wba_state_t *state, uint8_t **data, size_t *size)
{
    header_t h = { .magic = MAGIC, .version = VERSION };
    uint8_t *to;

    *data = NULL;
    *size = 0;
    if (state->url.len > UINT16_MAX || state->etag.len > UINT16_MAX
        || state->last_modified.len > UINT16_MAX
        || !time_sound(state->fetched) || !time_sound(state->lifetime)
        || wba_keyset_check(state->set) != WBA_OK)
    {
        return WBA_INVALID;
    }
    h.settings = state->settings;
    h.fetched = state->fetched;
    h.lifetime = state->lifetime;
    h.set_size = state->set.size;
    h.url_len = (uint16_t) state->url.len;
    h.etag_len = (uint16_t) state->etag.len;
    h.last_modified_len = (uint16_t) state->last_modified.len;
    h.size = sizeof(h) + state->url.len + state->etag.len
             + state->last_modified.len + state->set.size;

    *data = malloc(h.size);
    if (*data == NULL) {
        return WBA_NO_MEMORY;
    }
    memcpy(*data, &h, sizeof(h));
    to = put(*data + sizeof(h), state->url);
    to = put(to, state->etag);
    to = put(to, state->last_modified);
    (void) put(to, wba_str(state->set.data, state->set.size));

    if (!checksum(*data, h.size, h.sum)) {
        free(*data);
        *data = NULL;
        return WBA_INVALID;
    }
    memcpy(*data, &h, sizeof(h));
    *size = h.size;
    return WBA_OK;
}

/* The next len bytes. */
static wba_str_t
take(wba_str_t *rest, size_t len)
{
    wba_str_t s = wba_str(rest->data, len);

    rest->data += len;
    rest->len -= len;
    return s;
}

/* Whether the parts' sizes make up the whole's. */
static bool
sizes_fit(const header_t *h, size_t size)
{
    size_t small = sizeof(*h) + (size_t) h->url_len + h->etag_len
                   + h->last_modified_len;

    return size >= small && h->set_size == size - small;
}

static const char *
header_fault(const header_t *h, wba_str_t bytes)
{
    uint8_t sum[SUM];

    if (h->size != bytes.len) {
        return h->size > bytes.len ? "it is cut short" : "it is too long";
    }
    if (!checksum(bytes.data, bytes.len, sum)
        || sodium_memcmp(sum, h->sum, SUM) != 0 || h->unused != 0
        || !time_sound(h->fetched) || !time_sound(h->lifetime)
        || !sizes_fit(h, bytes.len))
    {
        return "it is damaged";
    }
    return NULL;
}

wba_status_t
wba_state_read(wba_str_t bytes, wba_state_t *state, const char **why)
{
    header_t h;
    wba_str_t rest = bytes, set;

    memset(state, 0, sizeof(*state));
    *why = "it is cut short";
    if (bytes.len < sizeof(h)) {
        return WBA_INVALID;
    }
    memcpy(&h, bytes.data, sizeof(h));
    *why = "it is of another version or machine";
    if (h.magic != MAGIC || h.version != VERSION) {
        return WBA_UNSUPPORTED;
    }
    *why = header_fault(&h, bytes);
    if (*why != NULL) {
        return WBA_INVALID;
    }
    (void) take(&rest, sizeof(h));
    state->url = take(&rest, h.url_len);
    state->etag = take(&rest, h.etag_len);
    state->last_modified = take(&rest, h.last_modified_len);
    set = take(&rest, (size_t) h.set_size);
    state->set.data = set.data;
    state->set.size = set.len;
    state->settings = h.settings;
    state->fetched = h.fetched;
    state->lifetime = h.lifetime;
    *why = "its key set is damaged";
    if (wba_keyset_check(state->set) != WBA_OK) {
        memset(state, 0, sizeof(*state));
        return WBA_INVALID;
    }
    *why = "";
    return WBA_OK;
}
