/* SPDX-License-Identifier: BSD-2-Clause */
/* libcrypto makes its algorithms once in a process: whenever memory runs out
 * for a moment, a process that was prepared verifies afterwards.  Each trial is
 * a process of its own, and this one never touches libcrypto.  TORTURE=all
 * tries each allocation; else it is one of STEP. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "crypto.h"
#include "crypto_memory.h"

#define STEP 29

#define BASE "\"@authority\": shop.example"

enum { WORKS = 0, FAILED = 1, NOT_REACHED = 2, NO_START = 3 };

/* What verify() needs, made by a child. */
static struct {
    uint8_t point[65];
    uint8_t raw[64];
} *made;

static void
make(void)
{
    EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const uint8_t *der;
    uint8_t text[128];
    size_t n = sizeof(text);
    ECDSA_SIG *sig;

    if (EVP_PKEY_get_octet_string_param(pair, OSSL_PKEY_PARAM_PUB_KEY,
                                        made->point, sizeof(made->point),
                                        NULL) != 1
        || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pair) != 1
        || EVP_DigestSign(ctx, text, &n, (const uint8_t *) BASE,
                          sizeof(BASE) - 1) != 1)
    {
        _exit(FAILED);
    }
    der = text;
    sig = d2i_ECDSA_SIG(NULL, &der, (long) n);
    BN_bn2binpad(ECDSA_SIG_get0_r(sig), made->raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(sig), made->raw + 32, 32);
    ECDSA_SIG_free(sig);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pair);
    _exit(WORKS);
}

static wba_status_t
verify(void)
{
    wba_key_t key = { .type = WBA_KEY_P256,
                      .algs = WBA_ALG_ECDSA_P256_SHA256,
                      .pub = wba_str(made->point + 1, 64) };

    return wba_crypto_verify(&key, WBA_ALG_ECDSA_P256_SHA256,
                             wba_str(made->raw, 64), WBA_STR(BASE));
}

/* TLS, as a fetch begins it. */
static bool
connect_tls(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    bool begun = false;

    if (ssl != NULL && in != NULL && out != NULL) {
        SSL_set_bio(ssl, in, out);
        in = out = NULL;
        SSL_set_connect_state(ssl);
        (void) SSL_do_handshake(ssl);
        begun = BIO_pending(SSL_get_wbio(ssl)) > 100; /* its first message */
    }
    BIO_free(in);
    BIO_free(out);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return begun;
}

/* In a process of its own; the nth allocation from here on fails. */
static void
deny(long n)
{
    crypto_fails_at = n;
    crypto_requests = 0;
}

static void
verifying(long n)
{
    if (wba_crypto_prefetch() != WBA_OK) {
        _exit(NO_START);
    }
    deny(n);
    if (verify() == WBA_INVALID) {
        _exit(FAILED);
    }
    if (crypto_requests < n) {
        _exit(NOT_REACHED);
    }
    _exit(verify() == WBA_OK ? WORKS : FAILED);
}

static void
connecting(long n)
{
    /* The first is libssl's: the module asks for it where it calls this. */
    if (SSL_get_ex_data_X509_STORE_CTX_idx() < 0
        || wba_crypto_prefetch() != WBA_OK)
    {
        _exit(NO_START);
    }
    deny(n);
    (void) connect_tls();
    if (crypto_requests < n) {
        _exit(NOT_REACHED);
    }
    crypto_fails_at = 0;
    _exit(connect_tls() ? WORKS : FAILED);
}

/* It is said, or nothing is missing. */
static void
preparing(long n)
{
    OPENSSL_init_ssl(0, NULL); /* as nginx does */
    deny(n);
    if (wba_crypto_prefetch() != WBA_OK) {
        _exit(crypto_requests < n ? FAILED : WORKS);
    }
    if (crypto_requests < n) {
        _exit(NOT_REACHED);
    }
    crypto_fails_at = 0;
    _exit(verify() == WBA_OK && connect_tls() ? WORKS : FAILED);
}

/* libcrypto as an operator may have configured it, with next to nothing. */
static void
configured(long n)
{
    char name[] = "/tmp/wba-openssl-XXXXXX";
    static const char conf[] = "openssl_conf = all\n"
                               "[all]\nproviders = providers\n"
                               "[providers]\nbase = base\n"
                               "[base]\nactivate = 1\n";
    int fd = mkstemp(name);
    bool poor;

    if (fd == -1
        || write(fd, conf, sizeof(conf) - 1) != (ssize_t) sizeof(conf) - 1
        || setenv("OPENSSL_CONF", name, 1) != 0)
    {
        _exit(NO_START);
    }
    close(fd);
    deny(n);
    if (wba_crypto_prefetch() != WBA_OK) {
        unlink(name);
        _exit(FAILED);
    }
    unlink(name);
    poor = EVP_MD_fetch(NULL, "SHA2-256", NULL) == NULL;
    _exit(poor ? WORKS : NOT_REACHED);
}

static int
trial(void (*run)(long n), long n)
{
    pid_t pid = fork();
    int status;

    assert_return_code(pid, errno);
    if (pid == 0) {
        if (run == NULL) {
            make();
        }
        run(n);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void
sweep(void (*run)(long n), long least)
{
    const char *torture = getenv("TORTURE");
    long n, wrong = 0, step = STEP;
    int end;

    if (torture != NULL && strcmp(torture, "all") == 0) {
        step = 1;
    }
    for (n = 1; (end = trial(run, n)) != NOT_REACHED; n += step) {
        if (end != WORKS) {
            print_error("allocation %ld: %s\n", n,
                        end == NO_START ? "no start" : "something is missing");
            wrong++;
        }
        assert_in_range(n, 1, 20000);
    }
    assert_int_equal(wrong, 0);
    assert_true(n > least);
}

static void
test_verifying(void **state)
{
    (void) state;
    sweep(verifying, 20);
}

static void
test_connecting(void **state)
{
    (void) state;
    sweep(connecting, 100);
}

static void
test_preparing(void **state)
{
    (void) state;
    sweep(preparing, 500);
}

static void
test_what_is_not_configured_is_not_missing(void **state)
{
    (void) state;
    assert_int_equal(trial(configured, 0), WORKS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verifying),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_preparing),
        cmocka_unit_test(test_what_is_not_configured_is_not_missing),
    };

    made = mmap(NULL, sizeof(*made), PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED
        || !crypto_memory_begin()
        || trial(NULL, 0) != WORKS)
    {
        return 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
