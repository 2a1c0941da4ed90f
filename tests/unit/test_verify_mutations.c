/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/verify against a man in the middle: a good request with bytes changed.
 * Whatever still verifies has the very base and bytes that were signed; and
 * where one change matters, nothing verifies.
 */
#include "kit.h"

#define PATH "/p%20a/b?q=1&r"
#define DIGEST "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"
#define AGENT "sig1=\"" AGENT_A "\""
#define HOST "shop.example"

static kit_t *kit;
static uint8_t original[KIT_TEXT];
static size_t length;
static uint8_t base[WBA_MAX_BASE];
static size_t base_length;
static uint8_t signature[64];

static void
run(const uint8_t *text, size_t len)
{
    size_t line;

    free(kit->exact);
    kit->exact = malloc(len ? len : 1);
    assert_non_null(kit->exact);
    memcpy(kit->exact, text, len);
    kit->nnonces = 0;
    memset(&kit->verdict, 0, sizeof(kit->verdict));
    kit->verdict.reason = WBA_REASON_NO_SIGNATURE;
    if (wba_raw_message_parse(wba_str(kit->exact, len), &kit->raw, &line)
        == WBA_OK)
    {
        kit_answers(kit);
        kit_start(kit);
    }
}

/* Whether it verified; if so, as what was signed. */
static bool
verified(const uint8_t *text, size_t len)
{
    const wba_fact_t *f;

    run(text, len);
    f = kit->verdict.signature;
    if (f == NULL) {
        assert_int_not_equal(kit->verdict.decision, WBA_DECISION_ALLOW);
        return false;
    }
    if (!wba_str_eq(f->base, wba_str(base, base_length))
        || !wba_str_eq(f->signature, wba_str(signature, sizeof(signature)))
        || f->directory != &kit->directories[D_A])
    {
        fail_msg("verified, though changed:\n%.*s", (int) len, text);
    }
    return true;
}

static int
set_up(void **state)
{
    (void) state;
    kit = kit_shop();
    kit->body = "hello";
    kit_request(kit, "POST " PATH " HTTP/1.1\r\nHost: " HOST "\r\n"
                     "X-Other: 1\r\nContent-Digest: " DIGEST "\r\n"
                     "Signature-Agent: " AGENT "\r\nX-Cov: a, b\r\n");
    kit_sign(kit, BOB, "sig1",
             "(\"@method\" \"@authority\" \"@path\" \"@query\" \"x-cov\" "
             "\"content-digest\" \"signature-agent\";key=\"sig1\")" TIMES KEYID
             ED NONCE("abc==") BOT);
    kit_write(kit);
    kit_index(kit);
    length = strlen(kit->text);
    memcpy(original, kit->text, length + 1);
    run(original, length);
    assert_non_null(kit->verdict.signature);
    base_length = kit->verdict.signature->base.len;
    memcpy(base, kit->verdict.signature->base.data, base_length);
    memcpy(signature, kit->verdict.signature->signature.data, 64);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    kit_free(kit);
    return 0;
}

static const char substitutes[] = " \t,;:=\"()?*/-09aAzZ\r\n\\%\x80";

/* Where any other byte must fail; the signature but for its last digit, whose
 * low bits are padding. */
static bool
matters(size_t at, uint8_t to)
{
    static const char *const parts[] = {
        "POST", PATH, DIGEST, AGENT, "a, b", "\r\n\r\nhello",
    };
    const char *text = (const char *) original;
    const char *p;
    size_t i;

    for (i = 0; i < COUNT(parts); i++) {
        p = strstr(text, parts[i]);
        if (text + at >= p && text + at < p + strlen(parts[i])
            && original[at] > ' ')
        {
            return true;
        }
    }
    p = strstr(text, HOST);
    if (text + at >= p && text + at < p + strlen(HOST)) {
        return wba_lower(to) != wba_lower(original[at]);
    }
    p = strstr(text, "Signature-Input: ") + 17;
    if (text + at >= p && text + at < strstr(p, "\r\n")) {
        return true;
    }
    p = strstr(text, "\r\nSignature: ") + 13;
    return text + at >= p && text + at < strstr(p, "==:") - 1;
}

static void
one_byte(void **state)
{
    static uint8_t text[KIT_TEXT];
    size_t at, i, n = 0;
    uint8_t to;

    (void) state;
    memcpy(text, original, length);
    for (at = 0; at < length; at++) {
        for (i = 0; i < 8 + sizeof(substitutes) - 1; i++) {
            to = i < 8 ? (uint8_t) (original[at] ^ (1u << i))
                       : (uint8_t) substitutes[i - 8];
            if (to == original[at] || to == '\0') {
                continue;
            }
            text[at] = to;
            if (verified(text, length) && matters(at, to)) {
                fail_msg("byte %zu: %c for %c still verifies", at, to,
                         original[at]);
            }
            n++;
        }
        text[at] = original[at];
    }
    assert_true(n > 10000);
}

static void
deleted_and_doubled(void **state)
{
    static uint8_t text[KIT_TEXT];
    size_t at;

    (void) state;
    for (at = 0; at < length; at++) {
        memcpy(text, original, at);
        memcpy(text + at, original + at + 1, length - at - 1);
        (void) verified(text, length - 1);

        memcpy(text, original, at + 1);
        memcpy(text + at + 1, original + at, length - at);
        (void) verified(text, length + 1);
    }
}

/* Every line left out, doubled (of equal members the last counts), and put
 * first. */
static void
lines(void **state)
{
    static uint8_t text[KIT_TEXT];
    const char *p = (const char *) original;
    const char *first = strstr(p, "\r\n") + 2;
    const char *line, *end, *rest;
    size_t n;

    (void) state;
    for (line = first; strncmp(line, "\r\n", 2) != 0; line = end) {
        end = strstr(line, "\r\n") + 2;
        rest = p + length;

        n = (size_t) (line - p);
        memcpy(text, p, n);
        memcpy(text + n, end, (size_t) (rest - end));
        if (verified(text, length - (size_t) (end - line))
            != (strncmp(line, "X-Other", 7) == 0))
        {
            fail_msg("without %.40s", line);
        }

        memcpy(text, p, (size_t) (end - p));
        memcpy(text + (end - p), line, (size_t) (rest - line));
        if (verified(text, length + (size_t) (end - line))
            != (strncmp(line, "X-Other", 7) == 0
                || strncmp(line, "Signature-Agent", 15) == 0))
        {
            fail_msg("twice %.40s", line);
        }

        n = (size_t) (first - p);
        memcpy(text, p, n);
        memcpy(text + n, line, (size_t) (end - line));
        n += (size_t) (end - line);
        memcpy(text + n, first, (size_t) (line - first));
        n += (size_t) (line - first);
        memcpy(text + n, end, (size_t) (rest - end));
        assert_true(verified(text, length));
    }
}

/* Truncated anywhere. */
static void
truncated(void **state)
{
    static uint8_t text[KIT_TEXT];
    size_t n;

    (void) state;
    for (n = 0; n < length; n++) {
        memcpy(text, original, n);
        assert_false(verified(text, n));
    }
}

static uint32_t
next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Several at once, and pieces moved about. */
static void
several_bytes(void **state)
{
    static uint8_t text[KIT_TEXT];
    uint32_t seed = 1;
    unsigned i, j;
    size_t from, to, n;

    (void) state;
    for (i = 0; i < 20000; i++) {
        memcpy(text, original, length);
        for (j = 0; j <= i % 3; j++) {
            to = next_random(&seed) % length;
            text[to] = (uint8_t) substitutes[next_random(&seed)
                                             % (sizeof(substitutes) - 1)];
        }
        if (i % 2) {
            from = next_random(&seed) % (length - 40);
            to = next_random(&seed) % (length - 40);
            n = next_random(&seed) % 39;
            memmove(text + to, text + from, n);
        }
        (void) verified(text, length);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_byte),
        cmocka_unit_test(deleted_and_doubled),
        cmocka_unit_test(lines),
        cmocka_unit_test(truncated),
        cmocka_unit_test(several_bytes),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
