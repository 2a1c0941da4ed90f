/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sigbase over the published vectors: RFC 9421 appendix B.2 and the Web
 * Bot Auth drafts. */
#include "request.h"

#include <sodium.h>

#define OK WBA_REASON_OK

/* RFC 9421 appendix B.2: the request, its list, and the lines before it. */
#define RFC_REQUEST                                                          \
    "POST /foo?param=Value&Pet=dog HTTP/1.1\r\n"                             \
    "Host: example.com\r\n"                                                  \
    "Date: Tue, 20 Apr 2021 02:07:55 GMT\r\n"                                \
    "Content-Type: application/json\r\n"                                     \
    "Content-Digest: " RFC_DIGEST "\r\n"                                     \
    "Content-Length: 18\r\n"                                                 \
    "\r\n"                                                                   \
    "{\"hello\": \"world\"}"
#define RFC_DIGEST                                                           \
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu" \
    "7BNNyealdVLvRwEmTHWXvJwew==:"

static const struct {
    const char *name, *lines, *list;
} appendix[] = {
    { "B.2.1", "",
      "();created=1618884473;keyid=\"test-key-rsa-pss\";"
      "nonce=\"b3k2pp5k7z-50gnwp.yemd\"" },
    { "B.2.2",
      "\"@authority\": example.com\n"
      "\"content-digest\": " RFC_DIGEST "\n"
      "\"@query-param\";name=\"Pet\": dog\n",
      "(\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");"
      "created=1618884473;keyid=\"test-key-rsa-pss\";tag=\"header-example\"" },
    { "B.2.3",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@method\": POST\n"
      "\"@path\": /foo\n"
      "\"@query\": ?param=Value&Pet=dog\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n"
      "\"content-digest\": " RFC_DIGEST "\n"
      "\"content-length\": 18\n",
      "(\"date\" \"@method\" \"@path\" \"@query\" \"@authority\" "
      "\"content-type\" \"content-digest\" \"content-length\");"
      "created=1618884473;keyid=\"test-key-rsa-pss\"" },
    { "B.2.5",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n",
      "(\"date\" \"@authority\" \"content-type\");created=1618884473;"
      "keyid=\"test-shared-secret\"" },
    { "B.2.6",
      "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n"
      "\"@method\": POST\n"
      "\"@path\": /foo\n"
      "\"@authority\": example.com\n"
      "\"content-type\": application/json\n"
      "\"content-length\": 18\n",
      "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "
      "\"content-length\");created=1618884473;keyid=\"test-key-ed25519\"" },
};

static void
test_rfc9421_bases(void **state)
{
    request_t request;
    char want[2048];
    wba_buf_t out;
    size_t i, at;

    (void) state;
    request_open(&request, RFC_REQUEST);
    for (i = 0; i < COUNT(appendix); i++) {
        expect_reason(appendix[i].name, "",
                      build(&request, appendix[i].list, &out, &at), OK);
        snprintf(want, sizeof(want), "%s\"@signature-params\": %s",
                 appendix[i].lines, appendix[i].list);
        expect_text(appendix[i].name, wba_buf_view(&out), want);
    }
    /* B.2.4 signs a response. */
    expect_reason("B.2.4", "", build(&request, "(\"@status\")", &out, &at),
                  WBA_REASON_BAD_COMPONENT);
    request_close(&request);
}

static void
from_base64(const char *text, uint8_t *out, size_t size, int variant)
{
    size_t len;

    assert_int_equal(sodium_base642bin(out, size, text, strlen(text), NULL,
                                       &len, NULL, variant),
                     0);
    assert_int_equal(len, size);
}

/* The draft's test key is that of RFC 9421 appendix B.1.4. */
#define AGENT_LIST(component, expires, nonce)                                 \
    "(\"@authority\" " component ");created=1735689600;"                      \
    "keyid=\"poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U\";alg=\"ed25519\";"  \
    "expires=" expires ";nonce=\"" nonce "\";tag=\"web-bot-auth\""

static const struct {
    const char *name, *text, *list, *signature;
} signed_requests[] = {
    { "RFC 9421 B.2.6", RFC_REQUEST,
      "(\"date\" \"@method\" \"@path\" \"@authority\" \"content-type\" "
      "\"content-length\");created=1618884473;keyid=\"test-key-ed25519\"",
      "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vu"
      "Qv5lIp5WPpBKRCw==" },
    { "Signature-Agent as a Dictionary",
      "GET / HTTP/1.1\r\nHost: example.com\r\n"
      "Signature-Agent: agent2=\"https://signature-agent.test\"\r\n\r\n",
      AGENT_LIST("\"signature-agent\";key=\"agent2\"", "4889289600",
                 "n9p433xm+NJ3ph3upfBIGmsuwHw387YV7Q/F+6BSpGCVjYCqQw6rznNA8PVV"
                 "LySrAWsv0hQtFioQb6E1YsauiA=="),
      "RdNFx5Bj6au3YgAMQL/RzmUlZE8QZLIaXGRpw985hWnwPfMxT228NMk6ehRS1PSl4e8PhbN"
      "ZACSanGdhEwYCCg==" },
    { "Signature-Agent as a String",
      "GET / HTTP/1.1\r\nHost: example.com\r\n"
      "Signature-Agent: \"https://signature-agent.test\"\r\n\r\n",
      AGENT_LIST("\"signature-agent\"", "1735693200",
                 "e8N7S2MFd/qrd6T2R3tdfAuuANngKI7LFtKYI/vowzk4lAZYadIX6wW25MwG"
                 "7DCT9RUKAJ0qVkU0mEeLElW1qg=="),
      "jdq0SqOwHdyHr9+r5jw3iYZH6aNGKijYp/EstF4RQTQdi5N5YYKrD+mCT1HA1nZDsi6nJKu"
      "HxUi/5Syp3rLWBA==" },
};

static void
test_signatures_verify(void **state)
{
    uint8_t key[crypto_sign_PUBLICKEYBYTES], signature[crypto_sign_BYTES];
    request_t request;
    wba_buf_t out;
    size_t i, at;

    (void) state;
    assert_true(sodium_init() >= 0);
    from_base64("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs", key,
                sizeof(key), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    for (i = 0; i < COUNT(signed_requests); i++) {
        request_open(&request, signed_requests[i].text);
        expect_reason(signed_requests[i].name, "",
                      build(&request, signed_requests[i].list, &out, &at), OK);
        from_base64(signed_requests[i].signature, signature, sizeof(signature),
                    sodium_base64_VARIANT_ORIGINAL);
        expect_number(signed_requests[i].name,
                      crypto_sign_verify_detached(signature, out.data, out.len,
                                                  key),
                      0);
        request_close(&request);
    }
}

/* RFC 9421 appendix B.2.5 is an HMAC, which no profile serves, but which says
 * that the base is right. */
static void
test_hmac_verifies(void **state)
{
    const char *list = "(\"date\" \"@authority\" \"content-type\");"
                       "created=1618884473;keyid=\"test-shared-secret\"";
    crypto_auth_hmacsha256_state hmac;
    uint8_t key[64], want[32], got[32];
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    from_base64("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPB"
                "tbmHhIDi6pcl8jsasjlTMtDQ==",
                key, sizeof(key), sodium_base64_VARIANT_ORIGINAL);
    from_base64("pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=", want,
                sizeof(want), sodium_base64_VARIANT_ORIGINAL);
    request_open(&request, RFC_REQUEST);
    assert_int_equal(build(&request, list, &out, &at), OK);
    crypto_auth_hmacsha256_init(&hmac, key, sizeof(key));
    crypto_auth_hmacsha256_update(&hmac, out.data, out.len);
    crypto_auth_hmacsha256_final(&hmac, got);
    assert_memory_equal(got, want, sizeof(want));
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc9421_bases),
        cmocka_unit_test(test_signatures_verify),
        cmocka_unit_test(test_hmac_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
