/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For the unit tests under MemorySanitizer.  libsodium, libcrypto, jansson and
 * libcurl are the distribution's, so MSan sees neither what they read nor what
 * they write.  The linker sends our calls through here (--wrap, one for each
 * function below): what is handed in is checked, what comes out is declared
 * written.
 */
#include <curl/curl.h>
#include <hiredis/hiredis.h>
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sanitizer/allocator_interface.h>
#include <sanitizer/msan_interface.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define IN(p, n) __msan_check_mem_is_initialized(p, n)
#define OUT(p, n) __msan_unpoison(p, n)
#define NOTHING (void) 0

/* What our functions have left on the stack, marked, theirs will write on. */
__attribute__((noinline, no_sanitize("memory"))) static void
clear_stack(void)
{
    char below[128 * 1024];

    OUT(below, sizeof(below));
}

/* Around what goes deep: nor is what they ask the C library to be checked. */
#define ENTER clear_stack(), __msan_scoped_disable_interceptor_checks()
#define LEAVE __msan_scoped_enable_interceptor_checks()

#define WRAP(result, name, arguments, names, before, after)                   \
    result __real_##name arguments;                                           \
    result __wrap_##name arguments;                                           \
    result __wrap_##name arguments                                            \
    {                                                                         \
        result rc;                                                            \
                                                                              \
        before;                                                               \
        rc = __real_##name names;                                             \
        after;                                                                \
        return rc;                                                            \
    }

#define WRAP_VOID(name, arguments, names, before, after)                      \
    void __real_##name arguments;                                             \
    void __wrap_##name arguments;                                             \
    void __wrap_##name arguments                                              \
    {                                                                         \
        before;                                                               \
        __real_##name names;                                                  \
        after;                                                                \
    }

typedef unsigned char byte_t;
typedef unsigned long long count_t;
typedef crypto_hash_sha256_state sha256_t;
typedef crypto_hash_sha512_state sha512_t;
typedef crypto_auth_hmacsha256_state hmac_t;
typedef crypto_generichash_state generic_t;

/* --- libsodium: hashes */

WRAP(int, crypto_hash_sha256_init, (sha256_t *state), (state), NOTHING,
     OUT(state, sizeof(*state)))
WRAP(int, crypto_hash_sha256_update,
     (sha256_t *state, const byte_t *in, count_t len), (state, in, len),
     IN(in, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_hash_sha256_final, (sha256_t *state, byte_t *out),
     (state, out), NOTHING, OUT(out, crypto_hash_sha256_BYTES))
WRAP(int, crypto_hash_sha256, (byte_t *out, const byte_t *in, count_t len),
     (out, in, len), IN(in, len), OUT(out, crypto_hash_sha256_BYTES))

WRAP(int, crypto_hash_sha512_init, (sha512_t *state), (state), NOTHING,
     OUT(state, sizeof(*state)))
WRAP(int, crypto_hash_sha512_update,
     (sha512_t *state, const byte_t *in, count_t len), (state, in, len),
     IN(in, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_hash_sha512_final, (sha512_t *state, byte_t *out),
     (state, out), NOTHING, OUT(out, crypto_hash_sha512_BYTES))

WRAP(int, crypto_auth_hmacsha256_init,
     (hmac_t *state, const byte_t *key, size_t len), (state, key, len),
     IN(key, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_auth_hmacsha256_update,
     (hmac_t *state, const byte_t *in, count_t len), (state, in, len),
     IN(in, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_auth_hmacsha256_final, (hmac_t *state, byte_t *out),
     (state, out), NOTHING, OUT(out, crypto_auth_hmacsha256_BYTES))

WRAP(int, crypto_generichash,
     (byte_t *out, size_t size, const byte_t *in, count_t len,
      const byte_t *key, size_t key_len),
     (out, size, in, len, key, key_len), IN(in, len); IN(key, key_len),
     OUT(out, size))
WRAP(int, crypto_generichash_init,
     (generic_t *state, const byte_t *key, size_t len, size_t size),
     (state, key, len, size), IN(key, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_generichash_update,
     (generic_t *state, const byte_t *in, count_t len), (state, in, len),
     IN(in, len), OUT(state, sizeof(*state)))
WRAP(int, crypto_generichash_final,
     (generic_t *state, byte_t *out, size_t size), (state, out, size), NOTHING,
     OUT(out, size))

WRAP(int, crypto_shorthash,
     (byte_t *out, const byte_t *in, count_t len, const byte_t *key),
     (out, in, len, key), IN(in, len); IN(key, crypto_shorthash_KEYBYTES),
     OUT(out, crypto_shorthash_BYTES))
WRAP(int, crypto_shorthash_siphashx24,
     (byte_t *out, const byte_t *in, count_t len, const byte_t *key),
     (out, in, len, key),
     IN(in, len); IN(key, crypto_shorthash_siphashx24_KEYBYTES),
     OUT(out, crypto_shorthash_siphashx24_BYTES))

/* --- libsodium: signatures */

WRAP(int, crypto_sign_verify_detached,
     (const byte_t *sig, const byte_t *in, count_t len, const byte_t *key),
     (sig, in, len, key),
     IN(sig, crypto_sign_BYTES); IN(in, len);
     IN(key, crypto_sign_PUBLICKEYBYTES), NOTHING)
WRAP(int, crypto_sign_ed25519_verify_detached,
     (const byte_t *sig, const byte_t *in, count_t len, const byte_t *key),
     (sig, in, len, key),
     IN(sig, crypto_sign_BYTES); IN(in, len);
     IN(key, crypto_sign_PUBLICKEYBYTES), NOTHING)
WRAP(int, crypto_sign_detached,
     (byte_t *sig, count_t *n, const byte_t *in, count_t len,
      const byte_t *key),
     (sig, n, in, len, key), IN(in, len); IN(key, crypto_sign_SECRETKEYBYTES),
     OUT(sig, crypto_sign_BYTES))
WRAP(int, crypto_sign_seed_keypair,
     (byte_t *pub, byte_t *key, const byte_t *seed), (pub, key, seed),
     IN(seed, crypto_sign_SEEDBYTES),
     OUT(pub, crypto_sign_PUBLICKEYBYTES); OUT(key, crypto_sign_SECRETKEYBYTES))
WRAP(int, crypto_scalarmult_ed25519_base_noclamp,
     (byte_t *out, const byte_t *in), (out, in), IN(in, 32), OUT(out, 32))
WRAP_VOID(crypto_core_ed25519_scalar_random, (byte_t *out), (out), NOTHING,
          OUT(out, 32))
WRAP_VOID(crypto_core_ed25519_scalar_reduce,
          (byte_t *out, const byte_t *in), (out, in), IN(in, 64), OUT(out, 32))
WRAP_VOID(crypto_core_ed25519_scalar_add,
          (byte_t *out, const byte_t *a, const byte_t *b), (out, a, b),
          IN(a, 32); IN(b, 32), OUT(out, 32))
WRAP_VOID(crypto_core_ed25519_scalar_mul,
          (byte_t *out, const byte_t *a, const byte_t *b), (out, a, b),
          IN(a, 32); IN(b, 32), OUT(out, 32))

/* --- libsodium: random bytes, text, comparison */

WRAP_VOID(crypto_shorthash_keygen, (byte_t *out), (out), NOTHING,
          OUT(out, crypto_shorthash_KEYBYTES))
WRAP_VOID(randombytes_buf, (void *out, size_t size), (out, size), NOTHING,
          OUT(out, size))
WRAP_VOID(randombytes_buf_deterministic,
          (void *out, size_t size, const byte_t *seed), (out, size, seed),
          IN(seed, randombytes_SEEDBYTES), OUT(out, size))
WRAP(int, sodium_memcmp, (const void *a, const void *b, size_t len),
     (a, b, len), IN(a, len); IN(b, len), NOTHING)
WRAP(int, sodium_base642bin,
     (byte_t *out, size_t size, const char *in, size_t len, const char *skip,
      size_t *n, const char **end, int variant),
     (out, size, in, len, skip, n, end, variant), IN(in, len),
     if (n != NULL) { OUT(n, sizeof(*n)); OUT(out, *n); }
     if (end != NULL) { OUT(end, sizeof(*end)); })
WRAP(int, sodium_hex2bin,
     (byte_t *out, size_t size, const char *in, size_t len, const char *skip,
      size_t *n, const char **end),
     (out, size, in, len, skip, n, end), IN(in, len),
     if (n != NULL) { OUT(n, sizeof(*n)); OUT(out, *n); }
     else { OUT(out, size); }
     if (end != NULL) { OUT(end, sizeof(*end)); })
WRAP(char *, sodium_bin2base64,
     (char *out, size_t size, const byte_t *in, size_t len, int variant),
     (out, size, in, len, variant), IN(in, len), OUT(out, size))
WRAP(char *, sodium_bin2hex,
     (char *out, size_t size, const byte_t *in, size_t len),
     (out, size, in, len), IN(in, len), OUT(out, 2 * len + 1))

/* --- libcrypto */

WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_from_name,
     (OSSL_LIB_CTX *lib, const char *name, const char *what),
     (lib, name, what), ENTER, LEAVE)
WRAP(EVP_PKEY_CTX *, EVP_PKEY_CTX_new_id, (int id, ENGINE *engine),
     (id, engine), ENTER, LEAVE)
WRAP(int, EVP_PKEY_fromdata,
     (EVP_PKEY_CTX *ctx, EVP_PKEY **key, int what, OSSL_PARAM *params),
     (ctx, key, what, params), ENTER, LEAVE)
WRAP(int, EVP_PKEY_keygen, (EVP_PKEY_CTX *ctx, EVP_PKEY **key), (ctx, key),
     ENTER, LEAVE)
WRAP(int, EVP_DigestVerifyInit,
     (EVP_MD_CTX *ctx, EVP_PKEY_CTX **pctx, const EVP_MD *md, ENGINE *engine,
      EVP_PKEY *key),
     (ctx, pctx, md, engine, key), ENTER, LEAVE)
WRAP(int, EVP_DigestVerify,
     (EVP_MD_CTX *ctx, const byte_t *sig, size_t sig_len, const byte_t *in,
      size_t len),
     (ctx, sig, sig_len, in, len), IN(sig, sig_len); IN(in, len); ENTER,
     LEAVE)
WRAP(int, EVP_DigestSign,
     (EVP_MD_CTX *ctx, byte_t *sig, size_t *n, const byte_t *in, size_t len),
     (ctx, sig, n, in, len), IN(in, len); ENTER,
     LEAVE; if (sig != NULL) { OUT(sig, *n); })
WRAP(BIGNUM *, BN_bin2bn, (const byte_t *in, int len, BIGNUM *out),
     (in, len, out), IN(in, (size_t) len), NOTHING)
WRAP(int, BN_bn2bin, (const BIGNUM *a, byte_t *out), (a, out), NOTHING,
     OUT(out, (size_t) rc))
WRAP(int, BN_bn2binpad, (const BIGNUM *a, byte_t *out, int size),
     (a, out, size), NOTHING, OUT(out, (size_t) size))
WRAP(int, EVP_PKEY_get_octet_string_param,
     (const EVP_PKEY *key, const char *name, byte_t *out, size_t size,
      size_t *n),
     (key, name, out, size, n), NOTHING, OUT(out, size))

/* --- jansson, hiredis */

WRAP(json_t *, json_loadb,
     (const char *in, size_t len, size_t flags, json_error_t *error),
     (in, len, flags, error), IN(in, len); ENTER,
     if (error != NULL) {
         OUT(error, sizeof(*error) - sizeof(error->text));
         OUT(error->text, strlen(error->text) + 1);
     }
     LEAVE)
WRAP(int, redisReaderGetReply, (redisReader *reader, void **reply),
     (reader, reply), NOTHING, OUT(reply, sizeof(*reply)))
WRAP(int, redisGetReplyFromReader, (redisContext *c, void **reply), (c, reply),
     NOTHING, OUT(reply, sizeof(*reply)))
WRAP_VOID(redisFree, (redisContext *c), (c), ENTER, LEAVE)
WRAP(int, redisBufferRead, (redisContext *c), (c), ENTER, LEAVE)

/* --- libcurl: of information, a pointer or a number of that size */

CURLcode __real_curl_easy_getinfo(CURL *curl, CURLINFO info, ...);
CURLcode __wrap_curl_easy_getinfo(CURL *curl, CURLINFO info, void *out);
CURLcode
__wrap_curl_easy_getinfo(CURL *curl, CURLINFO info, void *out)
{
    CURLcode code = __real_curl_easy_getinfo(curl, info, out);

    OUT(out, sizeof(curl_off_t));
    return code;
}

WRAP_VOID(curl_easy_cleanup, (CURL *easy), (easy), ENTER, LEAVE)
WRAP(CURLMcode, curl_multi_add_handle, (CURLM *multi, CURL *easy),
     (multi, easy), ENTER, LEAVE)
WRAP(CURLMcode, curl_multi_remove_handle, (CURLM *multi, CURL *easy),
     (multi, easy), ENTER, LEAVE)
WRAP(CURLMcode, curl_multi_cleanup, (CURLM *multi), (multi), ENTER, LEAVE)
WRAP(CURLMcode, curl_multi_socket_action,
     (CURLM *multi, curl_socket_t fd, int events, int *running),
     (multi, fd, events, running), ENTER,
     OUT(running, sizeof(*running)); LEAVE)
WRAP(CURLMsg *, curl_multi_info_read, (CURLM *multi, int *left),
     (multi, left), NOTHING, OUT(left, sizeof(*left)))

/* --- memory
 *
 * What malloc returns counts as written: MSan would not see the libraries
 * write.  Ours alone is marked, when we ask for it. */

const char *__msan_default_options(void);
const char *
__msan_default_options(void)
{
    return "poison_in_malloc=0:poison_in_free=0";
}

/* The library's own mark of what was copied from its stack, in a block that
 * was freed since. */
void
__sanitizer_malloc_hook(const volatile void *p, size_t size)
{
    OUT(p, size);
}

WRAP(void *, malloc, (size_t size), (size), NOTHING,
     if (rc != NULL) { __msan_poison(rc, size); })

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *
__wrap_realloc(void *p, size_t size)
{
    size_t had = p == NULL ? 0 : __sanitizer_get_allocated_size(p);

    p = __real_realloc(p, size);
    if (p != NULL && size > had) {
        __msan_poison((char *) p + had, size - had);
    }
    return p;
}

/* Libraries that are given functions of the tests' to allocate with. */

static void *
written(void *p, size_t size)
{
    if (p != NULL) {
        OUT(p, size);
    }
    return p;
}

static json_malloc_t json_malloc = malloc;
static json_free_t json_free = free;

static void *
json_written(size_t size)
{
    return written(json_malloc(size), size);
}

void __real_json_set_alloc_funcs(json_malloc_t get, json_free_t put);
void __wrap_json_set_alloc_funcs(json_malloc_t get, json_free_t put);
void
__wrap_json_set_alloc_funcs(json_malloc_t get, json_free_t put)
{
    json_malloc = get;
    json_free = put;
    __real_json_set_alloc_funcs(json_written, put);
}

void __wrap_json_get_alloc_funcs(json_malloc_t *get, json_free_t *put);
void
__wrap_json_get_alloc_funcs(json_malloc_t *get, json_free_t *put)
{
    *get = json_malloc;
    *put = json_free;
}

static curl_malloc_callback curl_malloc;
static curl_realloc_callback curl_realloc;

static void *
curl_written(size_t size)
{
    return written(curl_malloc(size), size);
}

static void *
curl_rewritten(void *p, size_t size)
{
    return written(curl_realloc(p, size), size);
}

CURLcode __real_curl_global_init_mem(long flags, curl_malloc_callback m,
                                     curl_free_callback f,
                                     curl_realloc_callback r,
                                     curl_strdup_callback s,
                                     curl_calloc_callback c);
CURLcode __wrap_curl_global_init_mem(long flags, curl_malloc_callback m,
                                     curl_free_callback f,
                                     curl_realloc_callback r,
                                     curl_strdup_callback s,
                                     curl_calloc_callback c);
CURLcode
__wrap_curl_global_init_mem(long flags, curl_malloc_callback m,
                            curl_free_callback f, curl_realloc_callback r,
                            curl_strdup_callback s, curl_calloc_callback c)
{
    curl_malloc = m;
    curl_realloc = r;
    return __real_curl_global_init_mem(flags, curl_written, f, curl_rewritten,
                                       s, c);
}

static CRYPTO_malloc_fn crypto_malloc;
static CRYPTO_realloc_fn crypto_realloc;

static void *
crypto_written(size_t size, const char *file, int line)
{
    return written(crypto_malloc(size, file, line), size);
}

static void *
crypto_rewritten(void *p, size_t size, const char *file, int line)
{
    return written(crypto_realloc(p, size, file, line), size);
}

int __real_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r,
                                    CRYPTO_free_fn f);
int __wrap_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r,
                                    CRYPTO_free_fn f);
int
__wrap_CRYPTO_set_mem_functions(CRYPTO_malloc_fn m, CRYPTO_realloc_fn r,
                                CRYPTO_free_fn f)
{
    crypto_malloc = m;
    crypto_realloc = r;
    return __real_CRYPTO_set_mem_functions(crypto_written, crypto_rewritten,
                                           f);
}
