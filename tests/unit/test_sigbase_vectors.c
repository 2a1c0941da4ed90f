/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sigbase over the published vectors: RFC 9421 appendix B.2 and the Web
 * Bot Auth drafts. */
#include "request.h"

#include <sodium.h>

#include "crypto.h"

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

/* RFC 9421 appendix B.1.2 and B.1.3: the public keys. */
#define RFC_RSA                                                               \
    "r4tmm3r20Wd_PbqvP1s2-QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct-Lh1GH45x" \
    "28Rw3Ry53mm-oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7Oyr" \
    "FAHqgDsznjPFmTOtCEcN2Z1FpWgchwuYLPL-Wokqltd11nqqzi-bJ9cvSKADYdUAAN5WUtzd" \
    "piy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4aOT9v6d-nb4b" \
    "nNkQVklLQ3fVAvJm-xdDOp9LCNCN48V2pnDOkFV6-U9nV5oyc6XI2w"
#define RFC_P256_X "qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA"
#define RFC_P256_Y "Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"

/* Of appendix[0] to [2]. */
static const char *const rsa_signatures[] = {
    "d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq"
    "786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuw"
    "e8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0m"
    "KZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gC"
    "w1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==",
    "LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJj"
    "tq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbU"
    "jsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7C"
    "l+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs"
    "0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==",
    "bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIR"
    "ASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6"
    "ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCo"
    "C1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBro"
    "hr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==",
};

/* The IETF draft's, by the same key. */
#define RSA_LIST(component, expires, nonce)                                   \
    "(\"@authority\" " component ");created=1735689600;"                      \
    "keyid=\"oD0HwocPBSfpNy5W3bpJeyFGY_IQ_YpqxSjQ3Yd-CLA\";"                  \
    "alg=\"rsa-pss-sha512\";expires=" expires ";nonce=\"" nonce "\";"         \
    "tag=\"web-bot-auth\""

static const struct {
    const char *name, *text, *list, *signature;
} rsa_agents[] = {
    { "RSA, Signature-Agent as a Dictionary",
      "GET / HTTP/1.1\r\nHost: example.com\r\n"
      "Signature-Agent: agent2=\"https://signature-agent.test\"\r\n\r\n",
      RSA_LIST("\"signature-agent\";key=\"agent2\"", "4889289600",
               "wcfPQPh7SzkvrIVvhD00vNk9PkxJNY2NVbYl2PVBB4zmUoluSwE7W6bPtF60QA"
               "3k8g06FU7PPCD+J58YofY1zg=="),
      "gHzpLNeHaHIO19NaJH9YMW5dcVSi2s0wOMBr6p18vcofS106sfC4KBIS0/szPlBBd1vIcyQ8"
      "8B6CTEWIhRAiVrb9zfX0mx1aG12CSGWcYkSirHeyTxhbuJvXd27ed6skWoy4PjXItq38936i"
      "vUQjfdIwXh1aX6HxkAC3vRnEdSNfntkLWeEuIQ5BLIOBGE39fSwg27Qjq6OVWYas/9/aFUr3"
      "HA34MXWYdp+//cvlEKDp3kRoLOw9ro0AOr6srHrTeEtxon2afcws1aZVSlPdd2fZSEIGmw9H"
      "AHLDCEkFTERu1gH2k/zIEqgy7CAYXI9E5slog0cLg/Vc6+f8gih33g==" },
    { "RSA, Signature-Agent as a String",
      "GET / HTTP/1.1\r\nHost: example.com\r\n"
      "Signature-Agent: \"https://signature-agent.test\"\r\n\r\n",
      RSA_LIST("\"signature-agent\"", "1735693200",
               "XSHtZVCThSIAksXsH9WBs6AtxtXC0eQGiIcUGSoJstFs8lAWakjhrfwzLhyjtm"
               "e5iXMZvmFWqDEs6cT3Jf+BbQ=="),
      "I1QWNzGXdP1a4dSvOHLCVOOanEYHDk+ZsVxM9MLX/p4ko69ghKwR5EOtAD96g7g4GWP7lmpM"
      "/jFAf9q8EFRDTPLjUXySwMv4YPgabv2LQihTJG2y8a2m6IGltyruwQNiqSJVUuRaG9+b17CG"
      "mAMFZh30X6GXLdQJrCARpeTqPwp2DC+a8haDE/VE5EruqzjA5/2mKwvrkzkSqeW5tOVtFwWR"
      "RHIOidquf/8Je6kM9mhgkg4arudLA5SL4wyyYE1jURIgcOl8agrfdJ5Def23DIRtiOLRa8jT"
      "9cpTLFAuFHN+mrZA/LH9h0gSIg1cPb+0cMASee5uku1KjWcFer7jWA==" },
};

/* B.2.4: the response's base, as there is no response to build it from. */
#define RFC_RESPONSE_BASE                                                     \
    "\"@status\": 200\n"                                                     \
    "\"content-type\": application/json\n"                                   \
    "\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41" \
    "QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n"                      \
    "\"content-length\": 23\n"                                               \
    "\"@signature-params\": (\"@status\" \"content-type\" "                   \
    "\"content-digest\" \"content-length\");created=1618884473;"              \
    "keyid=\"test-key-ecc-p256\""

static void
test_rsa_and_ecdsa_verify(void **state)
{
    static const uint8_t exponent[] = { 1, 0, 1 };
    uint8_t modulus[256], point[64], signature[256];
    wba_key_t rsa = { .type = WBA_KEY_RSA, .algs = WBA_ALG_RSA_PSS_SHA512 };
    wba_key_t p256 = { .type = WBA_KEY_P256,
                       .algs = WBA_ALG_ECDSA_P256_SHA256 };
    wba_str_t base = WBA_STR(RFC_RESPONSE_BASE);
    request_t request;
    wba_buf_t out;
    size_t i, at;

    (void) state;
    from_base64(RFC_RSA, modulus, sizeof(modulus),
                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    rsa.pub = wba_str(modulus, sizeof(modulus));
    rsa.exponent = wba_str(exponent, sizeof(exponent));
    request_open(&request, RFC_REQUEST);
    for (i = 0; i < COUNT(rsa_signatures); i++) {
        from_base64(rsa_signatures[i], signature, 256,
                    sodium_base64_VARIANT_ORIGINAL);
        expect_reason(appendix[i].name, "",
                      build(&request, appendix[i].list, &out, &at), OK);
        assert_int_equal(wba_crypto_verify(&rsa, WBA_ALG_RSA_PSS_SHA512,
                                           wba_str(signature, 256),
                                           wba_buf_view(&out)),
                         WBA_OK);
        signature[9] ^= 1;
        assert_int_equal(wba_crypto_verify(&rsa, WBA_ALG_RSA_PSS_SHA512,
                                           wba_str(signature, 256),
                                           wba_buf_view(&out)),
                         WBA_INVALID);
    }
    request_close(&request);

    for (i = 0; i < COUNT(rsa_agents); i++) {
        request_open(&request, rsa_agents[i].text);
        from_base64(rsa_agents[i].signature, signature, 256,
                    sodium_base64_VARIANT_ORIGINAL);
        expect_reason(rsa_agents[i].name, "",
                      build(&request, rsa_agents[i].list, &out, &at), OK);
        assert_int_equal(wba_crypto_verify(&rsa, WBA_ALG_RSA_PSS_SHA512,
                                           wba_str(signature, 256),
                                           wba_buf_view(&out)),
                         WBA_OK);
        request_close(&request);
    }

    from_base64(RFC_P256_X, point, 32,
                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    from_base64(RFC_P256_Y, point + 32, 32,
                sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    p256.pub = wba_str(point, 64);
    from_base64("wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnz"
                "DnDAUy5eCdlYUEkLIj+32oiasw==", signature, 64,
                sodium_base64_VARIANT_ORIGINAL);
    assert_int_equal(wba_crypto_verify(&p256, WBA_ALG_ECDSA_P256_SHA256,
                                       wba_str(signature, 64), base), WBA_OK);
    base.len--;
    assert_int_equal(wba_crypto_verify(&p256, WBA_ALG_ECDSA_P256_SHA256,
                                       wba_str(signature, 64), base),
                     WBA_INVALID);
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
        cmocka_unit_test(test_rsa_and_ecdsa_verify),
        cmocka_unit_test(test_hmac_verifies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
