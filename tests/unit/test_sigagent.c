/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sigagent: to which Signature-Agent member a signature is attributed. */
#include "request.h"

#include "siginput.h"

#define OK WBA_REASON_OK
#define UNPARSABLE WBA_REASON_SIGNATURE_AGENT_UNPARSABLE
#define AMBIGUOUS WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER
#define MISSING WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING
#define NOT_HTTPS WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS
#define TYPED WBA_REASON_SIGNATURE_AGENT_TYPED

#define WHOLE "\"signature-agent\""
#define KEY(k) "\"signature-agent\";key=\"" k "\""

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
    { "Signature-Agent: https://a\n", WHOLE, UNPARSABLE, NULL, NULL },

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
                                             &components, &request.mem, &agent,
                                             &why),
                      rows[i].why == OK ? WBA_OK : WBA_INVALID);
        expect_reason(text, rows[i].covered, why, rows[i].why);
        expect_text(text, agent.url, rows[i].url);
        if (why == OK) {
            expect_text(text, agent.key, rows[i].key);
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
                               &request.mem, &agent, &why);
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
                                        &components, &mem, &agent, &why);
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
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
