/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sigagent: to which Signature-Agent member a signature is attributed. */
#include "request.h"

#include "profile.h"
#include "siginput.h"
#include "uri.h"

#define OK WBA_REASON_OK
#define UNPARSABLE WBA_REASON_SIGNATURE_AGENT_UNPARSABLE
#define AMBIGUOUS WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER
#define MISSING WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING
#define NOT_HTTPS WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS
#define TYPED WBA_REASON_SIGNATURE_AGENT_TYPED
#define UNQUOTED WBA_REASON_SIGNATURE_AGENT_UNQUOTED

#define WHOLE "\"signature-agent\""
#define WELL_KNOWN(origin) origin WBA_WELL_KNOWN_PATH
#define KEY(k) "\"signature-agent\";key=\"" k "\""

#define MEMBERS                                                               \
    "Signature-Agent: a=1, b=\"https://b\", c=3, d=4, e=5, f=6, g=7, h=8, "   \
    "i=\"https://i\""

/* The label is "sig1". */
static const struct {
    const char *lines, *covered;
    wba_reason_t why;
    const char *url, *key; /* NULL: none */
} rows[] = {
    /* Nothing to attribute to */
    { "", "", OK, NULL, NULL },
    { "", WHOLE, OK, NULL, NULL },
    { "", KEY("sig1"), OK, NULL, NULL },
    { "Signature-Agent: \"https://a\"\n", "\"@authority\"", OK, NULL, NULL },
    { "Signature-Agent: sig1=\"https://a\"\n", "", OK, NULL, NULL },
    { "Signature-Agent: !\n", "\"@authority\"", OK, NULL, NULL },
    { "Signature-Agent:\n", WHOLE, OK, NULL, NULL },

    /* The String form */
    { "Signature-Agent: \"https://a\"\n", WHOLE, OK, "https://a", "" },
    { "Signature-Agent:  \"https://a/\" \t\n", WHOLE, OK, "https://a/", "" },
    { "Signature-Agent: \"https://a/k?q\"\n", WHOLE ";sf", OK, "https://a/k?q",
      "" },
    { "Signature-Agent: \"https://a\"\n", WHOLE ";bs", OK, "https://a", "" },
    { "Signature-Agent: \"https://a\"\n", KEY("sig1"), MISSING, NULL, NULL },
    { "Signature-Agent: \"https://a\"\n", WHOLE " " KEY("sig1"), MISSING, NULL,
      NULL },
    { "Signature-Agent: \"https://a\";type=directory\n", WHOLE, TYPED, NULL,
      NULL },
    { "Signature-Agent: \"https://a\nSignature-Agent: b\"\n", WHOLE,
      UNPARSABLE, NULL, NULL },
    { "Signature-Agent: \"https://a\"\nSignature-Agent: \"https://a\"\n",
      WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: \"https://a\"\nSignature-Agent:\n", WHOLE, UNPARSABLE,
      NULL, NULL },
    { "Signature-Agent: \"https://a\" x\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: \"https://a\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: \"\"\n", WHOLE, UNPARSABLE, NULL, NULL },

    /* Generation 0: no structured field at all */
    { "Signature-Agent: https://a\n", WHOLE, UNQUOTED, NULL, NULL },
    { "Signature-Agent: HTTPS://A/k \t\n", WHOLE, UNQUOTED, NULL, NULL },
    { "Signature-Agent: https://a\n", KEY("sig1"), UNQUOTED, NULL, NULL },
    { "Signature-Agent: https://a\n", "\"@authority\"", OK, NULL, NULL },
    { "Signature-Agent: https://\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: http://a\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: a.example\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: https://a b\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: https://a\tb\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: https://a,b\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: https://a\nSignature-Agent: https://a\n", WHOLE,
      UNPARSABLE, NULL, NULL },
    { "Signature-Agent: https://a\nSignature-Agent: x=\"https://x\"\n", WHOLE,
      UNPARSABLE, NULL, NULL },

    /* The Dictionary form, by key */
    { "Signature-Agent: sig1=\"https://a\"\n", KEY("sig1"), OK, "https://a",
      "sig1" },
    { "Signature-Agent: agent2=\"https://a\"\n", KEY("agent2"), OK,
      "https://a", "agent2" },
    { "Signature-Agent: x=\"https://x\", sig1=\"https://a\"\n", KEY("sig1"),
      OK, "https://a", "sig1" },
    { "Signature-Agent: x=\"https://x\", sig1=\"https://a\"\n", KEY("x"), OK,
      "https://x", "x" },
    { "Signature-Agent: x=\"https://x\"\nSignature-Agent: y=\"https://y\"\n",
      KEY("y") ";sf", OK, "https://y", "y" },
    { "Signature-Agent: x=\"https://x\", y=\"https://y\", z=1\n",
      KEY("x") " " KEY("y"), AMBIGUOUS, NULL, NULL },
    { "Signature-Agent: x=\"https://x\", sig1=\"https://a\", y=2\n",
      KEY("x") " " KEY("sig1") " " KEY("y"), OK, "https://a", "sig1" },
    { "Signature-Agent: x=\"https://x\"\n", KEY("sig1"), MISSING, NULL, NULL },
    { "Signature-Agent: sig1=\"https://a\"\n", KEY("sig1") " " KEY("x"),
      MISSING, NULL, NULL },
    { "Signature-Agent: sig1=\"https://a\"\n", WHOLE " " KEY("x"), MISSING,
      NULL, NULL },
    { "Signature-Agent:\n", KEY("sig1"), MISSING, NULL, NULL },

    /* The Dictionary form, covered whole */
    { "Signature-Agent: x=\"https://x\"\n", WHOLE, OK, "https://x", "x" },
    { "Signature-Agent: x=\"https://x\"\n", WHOLE ";bs", OK, "https://x",
      "x" },
    { "Signature-Agent: x=\"https://x\"\n", WHOLE ";sf", OK, "https://x",
      "x" },
    { "Signature-Agent: x=\"https://x\", y=\"https://y\"\n", WHOLE, AMBIGUOUS,
      NULL, NULL },
    { "Signature-Agent: x=\"https://x\", sig1=\"https://a\", y=3\n", WHOLE, OK,
      "https://a", "sig1" },
    { "Signature-Agent: sig1=\"https://a\", x=\"https://x\"\n", WHOLE, OK,
      "https://a", "sig1" },
    { "Signature-Agent: x=\"https://x\", y=\"https://y\"\n",
      WHOLE " " KEY("x"), AMBIGUOUS, NULL, NULL },
    { "Signature-Agent: x=\"https://x\", sig1=\"https://a\"\n",
      WHOLE " " KEY("x"), OK, "https://a", "sig1" },

    /* Of equal keys the last one counts */
    { "Signature-Agent: x=\"https://1\", x=\"https://2\"\n", WHOLE, OK,
      "https://2", "x" },
    { "Signature-Agent: x=\"https://1\", x=\"https://2\"\n", KEY("x"), OK,
      "https://2", "x" },
    { "Signature-Agent: sig1=1, x=2, sig1=\"https://2\"\n", WHOLE, OK,
      "https://2", "sig1" },
    { "Signature-Agent: x=\"https://1\", x=2\n", WHOLE, UNPARSABLE, NULL,
      NULL },

    /* Broken fields, and values that are no Strings */
    { "Signature-Agent: x=\"https://x\",\n", KEY("x"), UNPARSABLE, NULL,
      NULL },
    { "Signature-Agent: x=\"https://x\"\nSignature-Agent:\n"
      "Signature-Agent: y=\"https://y\"\n",
      KEY("x"), UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://x\", Y=1\n", KEY("x"), UNPARSABLE, NULL,
      NULL },
    { "Signature-Agent: x=token\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=(\"https://x\")\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=%\"https://x\"\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=1;type=directory\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://x\", y=1\n", KEY("x"), OK, "https://x",
      "x" },

    /* Parameters */
    { "Signature-Agent: sig1=\"https://a\";type=directory\n", KEY("sig1"),
      TYPED, NULL, NULL },
    { "Signature-Agent: x=\"https://x\";type=jwks_uri\n", WHOLE, TYPED, NULL,
      NULL },
    { "Signature-Agent: x=\"https://x\";y\n", WHOLE, TYPED, NULL, NULL },
    { "Signature-Agent: x=\"https://x\";y, z=\"https://z\"\n", KEY("z"), OK,
      "https://z", "z" },
    { "Signature-Agent: x=\"https://x\";y, z=\"https://z\"\n", WHOLE, OK,
      "https://z", "z" },
    { "Signature-Agent: x=\"https://x\";y, z=\"https://z\"\n",
      KEY("x") " " KEY("z"), OK, "https://z", "z" },
    { "Signature-Agent: x=\"https://x\";y, z=\"https://z\"\n", KEY("x"),
      TYPED, NULL, NULL },
    { "Signature-Agent: x=\"https://x\";y, z=\"https://z\"\n",
      KEY("x") " " KEY("v"), MISSING, NULL, NULL },
    { "Signature-Agent: sig1=\"https://a\";y, z=\"https://z\"\n", WHOLE, OK,
      "https://z", "z" },
    { "Signature-Agent: z=\"https://z\", "
      "sig1=\"https://a\";type=directory\n", WHOLE, OK, "https://z", "z" },
    { "Signature-Agent: sig1=\"https://a\";y, z=\"https://z\", "
      "x=\"https://x\"\n", WHOLE, AMBIGUOUS, NULL, NULL },
    { "Signature-Agent: sig1=\"https://a\";y, z=\"https://z\";y\n", WHOLE,
      TYPED, NULL, NULL },
    { "Signature-Agent: x=1;y, z=\"https://z\"\n", WHOLE, OK, "https://z",
      "z" },
    { "Signature-Agent: x=1;y, z=\"https://z\";y\n", WHOLE, TYPED, NULL,
      NULL },
    { "Signature-Agent: x=\"https://x\";y, z=1;y\n", WHOLE, TYPED, NULL,
      NULL },
    { "Signature-Agent: x=\"https://1\", x=\"https://2\";y\n", WHOLE, TYPED,
      NULL, NULL },
    { "Signature-Agent: x=\"https://1\";y, x=\"https://2\"\n", WHOLE, OK,
      "https://2", "x" },
    { "Signature-Agent: x=\"https://1\", y=\"https://y\", x=1;y\n", WHOLE, OK,
      "https://y", "y" },
    { "Signature-Agent: sig1=\"https://1\", y=\"https://y\", sig1=1;y\n",
      WHOLE, OK, "https://y", "y" },
    { "Signature-Agent: x=\"https://x\";type=directory\n", "\"@authority\"",
      OK, NULL, NULL },

    /* More members than are kept */
    { MEMBERS "\n", WHOLE, AMBIGUOUS, NULL, NULL },
    { MEMBERS ", sig1=\"https://a\"\n", WHOLE, OK, "https://a", "sig1" },
    { MEMBERS ", sig1=\"https://a\", j=1\n", WHOLE, OK, "https://a", "sig1" },
    { MEMBERS ", sig1=\"https://a\", sig1=1;y\n", WHOLE, AMBIGUOUS, NULL,
      NULL },
    { MEMBERS "\n", KEY("i"), OK, "https://i", "i" },

    /* URLs */
    { "Signature-Agent: x=\"http://x\"\n", WHOLE, NOT_HTTPS, NULL, NULL },
    { "Signature-Agent: \"http://x\"\n", WHOLE, NOT_HTTPS, NULL, NULL },
    { "Signature-Agent: x=\"HTTPS://X\"\n", WHOLE, OK, "HTTPS://X", "x" },
    { "Signature-Agent: x=\"x.example\"\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://x/#f\"\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://u@x/\"\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://x/a b\"\n", WHOLE, UNPARSABLE, NULL,
      NULL },
    { "Signature-Agent: x=\"https:///\"\n", WHOLE, UNPARSABLE, NULL, NULL },
    { "Signature-Agent: x=\"https://x/\\\"\"\n", WHOLE, UNPARSABLE, NULL,
      NULL },
};

static void
covered_components(const char *covered, const wba_mem_t *mem,
                   wba_components_t *components)
{
    char text[256];
    wba_sf_iter_t it;
    wba_sf_value_t list;
    wba_reason_t why;

    snprintf(text, sizeof(text), "(%s)", covered);
    wba_sf_list_init(&it, wba_str_copy(mem, wba_str_z(text)));
    assert_int_equal(wba_sf_list_next(&it, &list), WBA_OK);
    if (wba_components_parse(&list, mem, components, &why) != WBA_OK) {
        fail_msg("no components: %s", covered);
    }
}

static void
test_attribute(void **state)
{
    wba_components_t components;
    wba_sigagent_t agent;
    request_t request;
    wba_reason_t why;
    char text[512];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof(text), "GET / HTTP/1.1\n%s\n", rows[i].lines);
        request_open(&request, text);
        covered_components(rows[i].covered, &request.mem, &components);
        expect_number(text,
                      wba_sigagent_attribute(request.message, WBA_STR("sig1"),
                                             &components, 0, &request.mem,
                                             &agent, &why),
                      rows[i].why == OK ? WBA_OK : WBA_INVALID);
        expect_reason(text, rows[i].covered, why, rows[i].why);
        expect_text(text, agent.url, rows[i].url);
        if (why == OK) {
            expect_text(text, agent.key, rows[i].key);
        }
        assert_int_equal(why == OK && agent.lenient, 0);
        request_close(&request);
    }
}

#define BARE WBA_LENIENT_UNQUOTED_AGENT
#define TYPE WBA_LENIENT_AGENT_TYPE
#define BOTH (BARE | TYPE)

/* What leniencies let through, and what they do not. */
static const struct {
    const char *lines, *covered;
    unsigned lenient;
    wba_reason_t why;
    const char *url, *key, *resolved, *identity;
    unsigned needed;
} tolerated[] = {
    { "https://A/", WHOLE, BARE, OK, "https://A/", "", WELL_KNOWN("https://a"),
      "https://a", BARE },
    { " HttpS://a/k?v\t", WHOLE, BOTH, OK, "HttpS://a/k?v", "",
      "https://a/k?v", "https://a/k", BARE },
    { "https://a/k;x=1", WHOLE, BOTH, OK, "https://a/k;x=1", "",
      "https://a/k;x=1", "https://a/k;x=1", BARE },
    { "https://a", KEY("sig1"), BARE, MISSING, NULL, NULL, NULL, NULL, 0 },
    { "https://a", WHOLE " " KEY("sig1"), BARE, MISSING, NULL, NULL, NULL,
      NULL, 0 },
    { "https://a", "\"@authority\"", BARE, OK, NULL, NULL, NULL, NULL, 0 },
    { "https://a", WHOLE, TYPE, UNQUOTED, NULL, NULL, NULL, NULL, 0 },
    { "https://a", WHOLE, WBA_LENIENT_BARE_JWK, UNQUOTED, NULL, NULL, NULL,
      NULL, 0 },
    { "http://a", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://u@a", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a#f", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a\xc3\xa9", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL,
      0 },
    { "https://a\"", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a b", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a\x7f", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a,b", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL, 0 },
    { "https://a, https://b", WHOLE, BARE, UNPARSABLE, NULL, NULL, NULL, NULL,
      0 },
    { "\"https://a\"", WHOLE, BOTH, OK, "https://a", "",
      WELL_KNOWN("https://a"), "https://a", 0 },
    { "x=\"https://a/k\"", WHOLE, BOTH, OK, "https://a/k", "x",
      "https://a/k", "https://a/k", 0 },

    { "x=\"https://a/k?v\";type=directory", WHOLE, TYPE, OK, "https://a/k?v",
      "x", WELL_KNOWN("https://a"), "https://a", TYPE },
    { "x=\"https://a\";type=\"directory\"", KEY("x"), BOTH, OK, "https://a",
      "x", WELL_KNOWN("https://a"), "https://a", TYPE },
    { "x=\"https://a/k?v\";type=jwks_uri", KEY("x"), TYPE, OK,
      "https://a/k?v", "x", "https://a/k?v", "https://a/k", TYPE },
    { "x=\"https://a\"; type=\"jwks_uri\"", WHOLE, TYPE, OK, "https://a", "x",
      "https://a/", "https://a", TYPE },
    { "\"https://a/k\";type=directory", WHOLE, TYPE, OK, "https://a/k", "",
      WELL_KNOWN("https://a"), "https://a", TYPE },
    { "\"https://a/k\";type=directory", KEY("sig1"), TYPE, MISSING, NULL, NULL,
      NULL, NULL, 0 },
    { "x=\"https://a\";type=directory", WHOLE, BARE, TYPED, NULL, NULL, NULL,
      NULL, 0 },
    { "x=\"https://a\";type=cimd", WHOLE, BOTH, TYPED, NULL, NULL, NULL, NULL,
      0 },
    { "x=\"https://a\";type=Directory", WHOLE, BOTH, TYPED, NULL, NULL, NULL,
      NULL, 0 },
    { "x=\"https://a\";type", WHOLE, BOTH, TYPED, NULL, NULL, NULL, NULL, 0 },
    { "x=\"https://a\";type=1", WHOLE, BOTH, TYPED, NULL, NULL, NULL, NULL,
      0 },
    { "x=\"https://a\";type=:ZGlyZWN0b3J5:", WHOLE, BOTH, TYPED, NULL, NULL,
      NULL, NULL, 0 },
    { "x=\"https://a\";type=%\"directory\"", WHOLE, BOTH, TYPED, NULL, NULL,
      NULL, NULL, 0 },
    { "x=\"https://a\";types=directory", WHOLE, BOTH, TYPED, NULL, NULL, NULL,
      NULL, 0 },
    { "x=\"https://a\";type=directory;y", WHOLE, BOTH, TYPED, NULL, NULL, NULL,
      NULL, 0 },
    { "x=\"https://a\";y;type=directory", WHOLE, BOTH, TYPED, NULL, NULL, NULL,
      NULL, 0 },
    { "x=\"https://a\";type=directory;type=directory", WHOLE, BOTH, TYPED,
      NULL, NULL, NULL, NULL, 0 },
    { "x=1;type=directory", WHOLE, BOTH, UNPARSABLE, NULL, NULL, NULL, NULL,
      0 },
    { "x=\"http://a\";type=directory", WHOLE, BOTH, NOT_HTTPS, NULL, NULL,
      NULL, NULL, 0 },
    { "x=\"https://u@a\";type=directory", WHOLE, BOTH, UNPARSABLE, NULL, NULL,
      NULL, NULL, 0 },

    /* Honoured members are chosen among as any others */
    { "x=\"https://x\";type=directory, y=\"https://y\"", WHOLE, TYPE,
      AMBIGUOUS, NULL, NULL, NULL, NULL, 0 },
    { "x=\"https://x\";type=cimd, y=\"https://y\"", WHOLE, TYPE, OK,
      "https://y", "y", WELL_KNOWN("https://y"), "https://y", 0 },
    { "x=\"https://x\";type=cimd, y=\"https://y\";type=jwks_uri", WHOLE, TYPE,
      OK, "https://y", "y", "https://y/", "https://y", TYPE },
    { "sig1=\"https://x/k\";type=directory, y=\"https://y\"", WHOLE, TYPE, OK,
      "https://x/k", "sig1", WELL_KNOWN("https://x"), "https://x", TYPE },
    { "sig1=\"https://x/k\";type=directory, y=\"https://y\"", WHOLE, 0, OK,
      "https://y", "y", WELL_KNOWN("https://y"), "https://y", 0 },
    { "x=\"https://1/k\", x=\"https://2/k\";type=directory", WHOLE, TYPE, OK,
      "https://2/k", "x", WELL_KNOWN("https://2"), "https://2", TYPE },
    { "x=\"https://1\";type=directory, x=\"https://2/k\"", WHOLE, TYPE, OK,
      "https://2/k", "x", "https://2/k", "https://2/k", 0 },
};

static void
test_tolerated(void **state)
{
    wba_components_t components;
    wba_sigagent_t agent;
    request_t request;
    wba_reason_t why;
    char text[512];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(tolerated); i++) {
        snprintf(text, sizeof(text),
                 "GET / HTTP/1.1\nSignature-Agent: %s\n\n",
                 tolerated[i].lines);
        request_open(&request, text);
        covered_components(tolerated[i].covered, &request.mem, &components);
        (void) wba_sigagent_attribute(request.message, WBA_STR("sig1"),
                                      &components, tolerated[i].lenient,
                                      &request.mem, &agent, &why);
        expect_reason(text, tolerated[i].covered, why, tolerated[i].why);
        expect_text(text, agent.url, tolerated[i].url);
        expect_text(text, agent.resolved, tolerated[i].resolved);
        expect_text(text, agent.identity, tolerated[i].identity);
        if (why == OK) {
            expect_text(text, agent.key, tolerated[i].key);
            expect_number(text, agent.lenient, tolerated[i].needed);
        }
        request_close(&request);
    }
}

/* A Signature-Agent whose URL is longer than one may be, and a field that is
 * longer than one may be. */
static void
test_too_large(void **state)
{
    static const struct {
        size_t path;
        wba_reason_t why;
    } sizes[] = {
        { 1000, OK },
        { WBA_MAX_URL, UNPARSABLE },
        { WBA_MAX_FIELD, WBA_REASON_FIELD_TOO_LARGE },
    };
    wba_components_t components;
    wba_sigagent_t agent;
    request_t request;
    wba_reason_t why;
    char *text, *p;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(sizes); i++) {
        text = malloc(sizes[i].path + 100);
        assert_non_null(text);
        p = text
            + sprintf(text, "GET / HTTP/1.1\nSignature-Agent: x=\"https://x/");
        memset(p, 'p', sizes[i].path);
        strcpy(p + sizes[i].path, "\"\n\n");
        request_open(&request, text);
        free(text);
        covered_components(WHOLE, &request.mem, &components);
        wba_sigagent_attribute(request.message, WBA_STR("sig1"), &components,
                               0, &request.mem, &agent, &why);
        expect_reason("path", "", why, sizes[i].why);
        request_close(&request);
    }
}

/* With every amount of memory up to enough, it fails cleanly or succeeds. */
static void
test_no_memory(void **state)
{
    wba_components_t components;
    wba_sigagent_t agent;
    request_t request;
    wba_reason_t why;
    wba_status_t status = WBA_NO_MEMORY;
    uint8_t block[4096];
    wba_arena_t arena;
    wba_mem_t mem;
    size_t size;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nSignature-Agent: "
                           "x=\"https://X:443\"\nSignature-Agent: y\n\n");
    covered_components(KEY("x"), &request.mem, &components);
    for (size = 0; size <= sizeof(block) && status != WBA_OK; size += 16) {
        wba_arena_init(&arena, block, size);
        mem = wba_arena_mem(&arena);
        status = wba_sigagent_attribute(request.message, WBA_STR("sig1"),
                                        &components, 0, &mem, &agent, &why);
        if (status != WBA_OK) {
            assert_int_equal(status, WBA_NO_MEMORY);
            assert_int_equal(why, WBA_REASON_OUT_OF_MEMORY);
            expect_text("url", agent.url, NULL);
        }
    }
    assert_int_equal(status, WBA_OK);
    assert_true(size > 16);
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attribute),
        cmocka_unit_test(test_tolerated),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
