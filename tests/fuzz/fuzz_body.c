/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bodies: Content-Digest matches exactly when the hashes do, and the objects
 * that a JSON body holds are those that jansson sees, however the body was cut.
 *
 * Input: how to cut, Content-Type LF, Content-Encoding LF, Content-Digest LF,
 * the body.
 */
#include <jansson.h>

#include "body_link.h"
#include "digest.h"
#include "fuzz.h"
#include "sf.h"
#include "wba_limits.h"

static fuzz_mem_t m;

/* Whether a member of the field is that hash; absent: no matter. */
static bool
agrees(wba_str_t field, wba_str_t name, const uint8_t *hash, size_t len,
       bool *any)
{
    wba_sf_value_t value;
    uint8_t out[64];
    size_t n;

    if (wba_sf_dict_find(field, name, &value) != WBA_OK) {
        return true;
    }
    *any = true;
    return value.type == WBA_SF_BYTES
           && wba_sf_bytes(&value, out, sizeof(out), &n) == WBA_OK && n == len
           && memcmp(out, hash, len) == 0;
}

/* Feeds the body in pieces of the sizes that cut gives, again and again. */
static void
feed(void (*update)(void *ctx, const void *data, size_t len), void *ctx,
     wba_str_t body, unsigned cut)
{
    size_t n, at = 0;

    while (at < body.len) {
        n = 1 + (cut + at) % 61;
        n = n < body.len - at && cut != 0 ? n : body.len - at;
        update(ctx, body.data + at, n);
        at += n;
    }
}

static void
update_digest(void *ctx, const void *data, size_t len)
{
    wba_digest_update(ctx, data, len);
}

static void
update_link(void *ctx, const void *data, size_t len)
{
    wba_body_link_update(ctx, data, len);
}

static void
digest(wba_str_t field, wba_str_t body, unsigned cut)
{
    uint8_t sha256[32], sha512[64];
    bool any = false, want;
    wba_digest_t d;
    wba_status_t status = wba_digest_init(&d, field);

    crypto_hash_sha256(sha256, body.data, body.len);
    crypto_hash_sha512(sha512, body.data, body.len);
    want = agrees(field, WBA_STR("sha-256"), sha256, 32, &any);
    want = agrees(field, WBA_STR("sha-512"), sha512, 64, &any) && want;
    if (status != WBA_OK) {
        CHECK(status == WBA_INVALID || (status == WBA_UNSUPPORTED && !any));
        return;
    }
    CHECK(any);
    feed(update_digest, &d, body, cut);
    CHECK(wba_digest_final(&d) == want);
}

/* The digest of this very body, as a field. */
static void
own_digest(wba_str_t body, unsigned cut)
{
    uint8_t sha256[32];
    wba_buf_t buf;

    crypto_hash_sha256(sha256, body.data, body.len);
    wba_buf_init(&buf, &m.mem, 256);
    wba_buf_lit(&buf, "sha-256=");
    wba_sf_write_bytes(&buf, sha256, sizeof(sha256));
    digest(wba_buf_view(&buf), body, cut);
}

static void
read_link(wba_str_t type, wba_str_t coding, wba_str_t body, unsigned cut,
          wba_body_link_t *link)
{
    wba_body_link_reader_t reader;

    wba_body_link_init(&reader, &m.mem, type, coding);
    feed(update_link, &reader, body, cut);
    CHECK(wba_body_link_final(&reader, link) == WBA_OK);
}

/* The body from where its JSON begins: marks of wider characters are blanks. */
static wba_str_t
json_of(wba_str_t body)
{
    static const char blanks[] = " \t\n\r\0\xef\xbb\xbf\xfe\xff";

    while (body.len != 0
           && memchr(blanks, body.data[0], sizeof(blanks) - 1) != NULL)
    {
        body = wba_str(body.data + 1, body.len - 1);
    }
    return body;
}

/* The objects, one after the other, as jansson has them. */
static void
same_objects(const wba_body_link_t *link, wba_str_t body)
{
    static const char *const names[] = { "agenticConsumer",
                                         "agenticPaymentContainer" };
    json_error_t error;
    const json_t *object;
    size_t i, at = 0;
    wba_str_t text;
    json_t *root;

    root = json_loadb((const char *) body.data, body.len,
                      JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL
                          | JSON_REJECT_DUPLICATES,
                      &error);
    CHECK(root != NULL);
    for (i = 0; i < 2; i++) {
        object = json_object_get(root, names[i]);
        if (object == NULL) {
            continue;
        }
        text = wba_str_z(json_string_value(json_object_get(object, "nonce")));
        CHECK(at < link->count);
        if (text.len <= WBA_MAX_NONCE) {
            CHECK_SAME(link->objects[at].nonce, text);
        }
        text = wba_str_z(json_string_value(json_object_get(object, "kid")));
        if (text.len <= WBA_MAX_KEYID) {
            CHECK_SAME(link->objects[at].kid, text);
        }
        at++;
    }
    CHECK(at == link->count);
    json_decref(root);
}

static void
body_link(wba_str_t type, wba_str_t coding, wba_str_t body, unsigned cut)
{
    wba_body_link_t whole, pieces;
    size_t i;

    read_link(type, coding, body, 0, &whole);
    read_link(type, coding, body, cut | 1, &pieces);
    CHECK(whole.state == pieces.state);
    if (whole.state != WBA_LINK_READ) {
        return;
    }
    CHECK(whole.count == pieces.count && whole.count <= 2);
    for (i = 0; i < whole.count; i++) {
        CHECK_SAME(whole.objects[i].nonce, pieces.objects[i].nonce);
        CHECK_SAME(whole.objects[i].kid, pieces.objects[i].kid);
    }
    if (whole.count != 0) {
        same_objects(&whole, json_of(body));
        CHECK(!wba_body_link_matches(&whole, WBA_STR_NONE, WBA_STR("k")));
        CHECK(whole.count == 2 || whole.objects[0].nonce.len == 0
              || wba_body_link_matches(&whole, whole.objects[0].nonce,
                                       whole.objects[0].kid));
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    json_object_seed(1);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned cut = fuzz_byte(&in);
    wba_str_t type, coding, field, body;

    fuzz_mem_init(&m);
    type = fuzz_copy(&m, fuzz_until(&in, '\n'));
    coding = fuzz_copy(&m, fuzz_until(&in, '\n'));
    field = fuzz_copy(&m, fuzz_until(&in, '\n'));
    body = fuzz_copy(&m, in);
    digest(field, body, cut);
    own_digest(body, cut);
    body_link(type, coding, body, cut);
    body_link(WBA_STR("application/json"), WBA_STR_NONE, body, cut);
    fuzz_mem_free(&m);
    return 0;
}
