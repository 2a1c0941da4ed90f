/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests that the load generator sends: what each kind is, as data. */
#include "load.h"

#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIGNED "(\"@authority\" \"@path\")"
#define NAMED "(\"@authority\" \"@path\" \"signature-agent\";key=\"sig2\")"
#define BOT "(\"@authority\" \"signature-agent\")"
#define BODY "(\"@authority\" \"@path\" \"content-digest\")"

#define LIFETIME 480
#define LONG_AGO 4000

typedef struct {
    const char *name;
    const char *tag; /* NULL: not signed */
    const char *covers;
    const char *alg;   /* NULL: ed25519 */
    const char *agent; /* Signature-Agent: a String, or a Dictionary where it
                          is covered by ;key */
    int64_t since;     /* seconds that created lies back */
    bool forged;
    bool stranger;
    bool used; /* its nonce is one of load_nonce's */
    bool post;
} kind_t;

#define BROWSER "agent-browser-auth"

static const kind_t kinds[] = {
    { .name = "plain" },
    { .name = "post", .post = true },
    { .name = "tap", .tag = BROWSER, .covers = SIGNED },
    { .name = "wba", .tag = "web-bot-auth", .covers = BOT,
      .agent = "https://bot.example" },
    { .name = "pay", .tag = "agent-pay-auth", .covers = NAMED,
      .agent = "https://pay.example" },
    { .name = "forged", .tag = BROWSER, .covers = SIGNED, .forged = true },
    { .name = "expired", .tag = BROWSER, .covers = SIGNED,
      .since = LONG_AGO },
    { .name = "used", .tag = BROWSER, .covers = SIGNED, .used = true },
    { .name = "badtag", .tag = "agent-of-nobody", .covers = SIGNED },
    { .name = "unknown", .tag = BROWSER, .covers = SIGNED, .stranger = true },
    { .name = "rsa", .tag = BROWSER, .covers = SIGNED,
      .alg = "rsa-pss-sha256" },
    { .name = "ecdsa", .tag = BROWSER, .covers = SIGNED,
      .alg = "ecdsa-p256-sha256" },
    { .name = "digest", .tag = BROWSER, .covers = BODY, .post = true },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const kind_t *
kind_of(const char *name)
{
    size_t i;

    for (i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return NULL;
}

bool
load_kind_known(const char *kind)
{
    return kind_of(kind) != NULL;
}

const char *
load_kinds(void)
{
    static char text[256];
    size_t i;

    text[0] = '\0';
    for (i = 0; i < COUNT(kinds); i++) {
        strcat(strcat(text, " "), kinds[i].name);
    }
    return text;
}

/* --- keys and nonces */

static _Noreturn void
stop(const char *why)
{
    fprintf(stderr, "load: %s\n", why);
    exit(2);
}

static void
identity_of(load_identity_t *id, const uint8_t seed[crypto_sign_SEEDBYTES])
{
    uint8_t thumbprint[WBA_THUMBPRINT_SIZE];

    crypto_sign_seed_keypair(id->pk, id->sk, seed);
    wba_jwk_thumbprint_ed25519(id->pk, thumbprint);
    wba_thumbprint_text(thumbprint, (uint8_t *) id->keyid);
    id->keyid[WBA_THUMBPRINT_TEXT_SIZE] = '\0';
}

static void
seed_of(uint8_t seed[crypto_sign_SEEDBYTES], const char *hex)
{
    size_t n;

    if (sodium_hex2bin(seed, crypto_sign_SEEDBYTES, hex, strlen(hex), NULL,
                       &n, NULL)
            != 0
        || n != crypto_sign_SEEDBYTES)
    {
        stop("the seed must be 64 hex digits");
    }
}

void
load_identity(load_identity_t *id, const char *hex)
{
    uint8_t seed[crypto_sign_SEEDBYTES];

    seed_of(seed, hex);
    identity_of(id, seed);
}

void
load_stranger(load_identity_t *id, const char *hex)
{
    uint8_t seed[crypto_sign_SEEDBYTES];

    seed_of(seed, hex);
    seed[0] ^= 1;
    identity_of(id, seed);
}

static void
nonce_text(const uint8_t raw[16], char out[LOAD_NONCE_TEXT])
{
    sodium_bin2base64(out, LOAD_NONCE_TEXT, raw, 16,
                      sodium_base64_VARIANT_ORIGINAL);
}

void
load_nonce(uint64_t number, char out[LOAD_NONCE_TEXT])
{
    uint8_t raw[16] = "used one";

    memcpy(raw + 8, &number, sizeof(number));
    nonce_text(raw, out);
}

/* --- signing */

/* r and s, 32 bytes each, of DER. */
static void
raw_of_der(uint8_t out[64], const uint8_t *der)
{
    const uint8_t *p = der + 2;
    int i;

    for (i = 0; i < 2; i++) {
        size_t len = p[1], skip = len > 32 ? len - 32 : 0;

        memset(out + 32 * i, 0, 32);
        memcpy(out + 32 * i + 32 - (len - skip), p + 2 + skip, len - skip);
        p += 2 + len;
    }
}

static size_t
sign_pem(EVP_PKEY *key, const uint8_t *base, size_t size, uint8_t *sig,
         size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    uint8_t der[128];
    EVP_PKEY_CTX *pctx;
    size_t len = rsa ? room : sizeof(der);

    if (ctx == NULL
        || EVP_DigestSignInit(ctx, &pctx, EVP_sha256(), NULL, key) != 1
        || (rsa
            && (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) <= 0
                || EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx,
                                                    RSA_PSS_SALTLEN_DIGEST)
                       <= 0))
        || EVP_DigestSign(ctx, rsa ? sig : der, &len, base, size) != 1)
    {
        stop("signing failed");
    }
    EVP_MD_CTX_free(ctx);
    if (rsa) {
        return len;
    }
    raw_of_der(sig, der);
    return 64;
}

static void
add(load_request_t *r, const char *name, const char *value)
{
    load_field_t *f = &r->fields[r->nfields++];

    f->name = name;
    (void) snprintf(f->value, sizeof(f->value), "%s", value);
}

/* Signature-Input's member, without its label. */
static void
write_params(char *out, size_t room, const kind_t *kind,
             const load_order_t *order, uint64_t number)
{
    const char *keyid = kind->stranger ? order->stranger.keyid
                        : kind->alg    ? order->pem_keyid
                                       : order->id.keyid;
    long created = order->now - (long) kind->since;
    char nonce[LOAD_NONCE_TEXT];
    uint8_t raw[16];

    if (kind->used) {
        load_nonce(number, nonce);
    } else {
        randombytes_buf(raw, sizeof(raw));
        nonce_text(raw, nonce);
    }
    (void) snprintf(out, room,
                    "%s;created=%ld;expires=%ld;keyid=\"%s\";alg=\"%s\""
                    ";nonce=\"%s\";tag=\"%s\"",
                    kind->covers, created, created + LIFETIME, keyid,
                    kind->alg ? kind->alg : "ed25519", nonce, kind->tag);
}

static bool
by_key(const kind_t *kind)
{
    return strstr(kind->covers, ";key=") != NULL;
}

static size_t
write_base(char *out, size_t room, const kind_t *kind,
           const load_request_t *r, const char *params, const char *digest)
{
    char path[320] = "", agent[320] = "", body[256] = "";

    if (strstr(kind->covers, "@path")) {
        (void) snprintf(path, sizeof(path), "\"@path\": %s\n", r->path);
    }
    if (kind->agent) {
        (void) snprintf(agent, sizeof(agent), "\"signature-agent\"%s: \"%s\"\n",
                        by_key(kind) ? ";key=\"sig2\"" : "", kind->agent);
    }
    if (strstr(kind->covers, "content-digest")) {
        (void) snprintf(body, sizeof(body), "\"content-digest\": %s\n",
                        digest);
    }
    return (size_t) snprintf(out, room,
                             "\"@authority\": " LOAD_HOST "\n%s%s%s"
                             "\"@signature-params\": %s",
                             path, agent, body, params);
}

static void
write_digest(char out[128], const load_order_t *order)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[64];

    crypto_hash_sha256(hash, order->body, order->body_size);
    sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
                      sodium_base64_VARIANT_ORIGINAL);
    (void) snprintf(out, 128, "sha-256=:%s:", text);
}

static void
sign(load_request_t *r, const kind_t *kind, const load_order_t *order,
     uint64_t number)
{
    char params[512], base[1024], digest[128] = "", text[512], value[700];
    uint8_t sig[256];
    size_t n = crypto_sign_BYTES;

    if (strstr(kind->covers, "content-digest")) {
        write_digest(digest, order);
        add(r, "content-digest", digest);
    }
    write_params(params, sizeof(params), kind, order, number);
    r->base_size = write_base(base, sizeof(base), kind, r, params, digest);
    if (kind->alg) {
        if (order->pem == NULL) {
            stop("this kind needs pem=FILE and keyid=TEXT");
        }
        n = sign_pem(order->pem, (uint8_t *) base, r->base_size, sig,
                     sizeof(sig));
    } else {
        crypto_sign_detached(sig, NULL, (uint8_t *) base, r->base_size,
                             kind->stranger ? order->stranger.sk
                                            : order->id.sk);
    }
    if (kind->forged) {
        sig[3] ^= 1;
    }
    if (kind->agent) {
        (void) snprintf(value, sizeof(value), "%s\"%s\"",
                        by_key(kind) ? "sig2=" : "", kind->agent);
        add(r, "signature-agent", value);
    }
    (void) snprintf(value, sizeof(value), "sig2=%s", params);
    add(r, "signature-input", value);
    sodium_bin2base64(text, sizeof(text), sig, n,
                      sodium_base64_VARIANT_ORIGINAL);
    (void) snprintf(value, sizeof(value), "sig2=:%s:", text);
    add(r, "signature", value);
}

void
load_request(load_request_t *out, const load_order_t *order, uint64_t number)
{
    const kind_t *kind = kind_of(order->kind);

    memset(out, 0, offsetof(load_request_t, fields));
    out->method = kind->post ? "POST" : "GET";
    out->path = order->path;
    out->nfields = 0;
    out->base_size = 0;
    /* What a browser sends besides. */
    add(out, "user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0");
    add(out, "accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    add(out, "accept-language", "en-GB,en;q=0.5");
    add(out, "accept-encoding", "gzip, deflate, br");
    if (kind->tag) {
        sign(out, kind, order, number);
    }
}
