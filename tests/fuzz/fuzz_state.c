/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State files: what is written is read back the same; of any other bytes,
 * nothing that is read leads outside.  With the checksum made right, too, which
 * a fuzzer would not find.
 *
 * Input: how to make the file, then its bytes, or its parts and changes.
 */
#include "fuzz.h"
#include "keyset.h"
#include "state.h"

#define SUM_AT 8   /* where the checksum stands, */
#define SUMMED 40  /* and from where on it is of */

static fuzz_mem_t m;

static void
mend(wba_str_t file)
{
    uint8_t *bytes = (uint8_t *) (uintptr_t) file.data;

    if (file.len >= SUMMED) {
        crypto_generichash(bytes + SUM_AT, SUMMED - SUM_AT, bytes + SUMMED,
                           file.len - SUMMED, NULL, 0);
    }
}

static void
same(const wba_state_t *a, const wba_state_t *b)
{
    CHECK(a->settings == b->settings && a->fetched == b->fetched
          && a->lifetime == b->lifetime);
    CHECK_SAME(a->url, b->url);
    CHECK_SAME(a->etag, b->etag);
    CHECK_SAME(a->last_modified, b->last_modified);
    CHECK_SAME(wba_str(a->set.data, a->set.size),
               wba_str(b->set.data, b->set.size));
}

static void
read_file(wba_str_t file)
{
    wba_state_t state, again;
    wba_status_t status;
    const char *why;
    uint8_t *written;
    size_t size, i;
    wba_key_t key;

    status = wba_state_read(file, &state, &why);
    CHECK((status == WBA_OK) == (why[0] == '\0'));
    if (status != WBA_OK) {
        CHECK(state.set.data == NULL && state.url.data == NULL);
        return;
    }
    CHECK(fuzz_within(state.url, file) && fuzz_within(state.etag, file)
          && fuzz_within(state.last_modified, file)
          && fuzz_within(wba_str(state.set.data, state.set.size), file));
    for (i = 0; i < wba_keyset_count(state.set); i++) {
        wba_keyset_key(state.set, i, &key);
        CHECK(fuzz_within(key.pub, file) && fuzz_within(key.kid, file));
    }
    CHECK(wba_state_write(&state, &written, &size) == WBA_OK);
    CHECK_SAME(wba_str(written, size), file);
    CHECK(wba_state_read(wba_str(written, size), &again, &why) == WBA_OK);
    same(&state, &again);
    free(written);
}

static wba_keyset_t
make_set(fuzz_in_t *in)
{
    wba_keyset_builder_t *b = wba_keyset_builder_new();
    uint8_t pub[64], print[WBA_THUMBPRINT_SIZE];
    unsigned n = fuzz_below(in, 4);
    wba_key_t key = { .thumbprint = print };
    wba_keyset_t set;

    CHECK(b != NULL);
    while (n-- != 0) {
        memset(pub, fuzz_byte(in), sizeof(pub));
        memset(print, fuzz_byte(in), sizeof(print));
        key.type = n % 2 ? WBA_KEY_ED25519 : WBA_KEY_P256;
        key.algs = n % 2 ? WBA_ALG_ED25519 : WBA_ALG_ECDSA_P256_SHA256;
        key.pub = wba_str(pub, n % 2 ? 32 : 64);
        key.kid = fuzz_take(in, fuzz_byte(in) & 15);
        CHECK(wba_keyset_builder_add(b, &key) == WBA_OK);
    }
    CHECK(wba_keyset_builder_take(b, &set) == WBA_OK);
    wba_keyset_builder_free(b);
    return set;
}

/* A file that was written, then some of its bytes changed. */
static wba_str_t
make(fuzz_in_t *in, bool right)
{
    wba_state_t state, back;
    const char *why;
    uint8_t *written;
    wba_str_t file;
    size_t size;

    memset(&state, 0, sizeof(state));
    state.settings = fuzz_number(in, 8);
    state.fetched = fuzz_int64(in);
    state.lifetime = fuzz_int64(in);
    state.set = make_set(in);
    state.url = fuzz_until(in, FUZZ_PART);
    state.etag = fuzz_until(in, FUZZ_PART);
    state.last_modified = fuzz_until(in, FUZZ_PART);
    if (wba_state_write(&state, &written, &size) != WBA_OK) {
        CHECK(written == NULL);
        free((void *) (uintptr_t) state.set.data);
        return WBA_STR_NONE;
    }
    CHECK(wba_state_read(wba_str(written, size), &back, &why) == WBA_OK);
    same(&state, &back);
    free((void *) (uintptr_t) state.set.data);
    file = fuzz_copy(&m, wba_str(written, size));
    free(written);
    while (in->len >= 3) {
        size_t at = fuzz_number(in, 2) % file.len;

        ((uint8_t *) (uintptr_t) file.data)[at] = fuzz_byte(in);
    }
    if (right) {
        mend(file);
    }
    return file;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned how = fuzz_byte(&in);
    wba_str_t file;

    fuzz_mem_init(&m);
    if (how & 1) {
        file = fuzz_copy(&m, in);
        if (how & 2) {
            mend(file);
        }
    } else {
        file = make(&in, (how & 2) != 0);
    }
    read_file(file);
    fuzz_mem_free(&m);
    return 0;
}
