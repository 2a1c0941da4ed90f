/* SPDX-License-Identifier: BSD-2-Clause */
/* core/component: identifiers, lists of them, what they cover. */
#include "request.h"

#define OK WBA_REASON_OK
#define BAD WBA_REASON_BAD_COMPONENT

/* clang-format off */
#define NAME(text) { sizeof(text) - 1, (const uint8_t *) (text) }
/* clang-format on */

/* PROTOCOL's errors of the covered list itself. */
static const struct {
    const char *list;
    wba_reason_t why;
    size_t count; /* components before the one at fault */
} lists[] = {
    { "()", OK, 0 },
    { "(\"a\" \"@method\" \"x-!#$%&'*+.^_`|~09\")", OK, 3 },
    { "(\"a\";sf \"b\";bs \"c\";key=\"k\" \"d\";key=\"k\";sf)", OK, 4 },
    { "(\"@authority\" \"@method\" \"@path\" \"@query\" \"@request-target\" "
      "\"@scheme\" \"@target-uri\" \"@query-param\";name=\"a\")",
      OK, 8 },
    { "(\"a\";sf=?1)", OK, 1 },
    { "(\"a\";sf=?0;sf)", OK, 1 },
    { "(\"a\";key=1;key=\"b\")", OK, 1 },
    { "(\"a\";key=\"\")", OK, 1 },
    { "(\"a\";key=\"b\\\"c\")", OK, 1 },
    { "(\"@query-param\";name=\"\")", OK, 1 },

    { "\"a\"", BAD, 0 },
    { "(a)", BAD, 0 },
    { "(1)", BAD, 0 },
    { "(:YQ==:)", BAD, 0 },
    { "(%\"a\")", BAD, 0 },
    { "(\"a\" \"B\")", BAD, 1 },
    { "(\"Content-Type\")", BAD, 0 },
    { "(\"\")", BAD, 0 },
    { "(\"a b\")", BAD, 0 },
    { "(\"a:b\")", BAD, 0 },
    { "(\"a\\\\b\")", BAD, 0 },
    { "(\"a\\\"b\")", BAD, 0 },
    { "(\"@\")", BAD, 0 },
    { "(\"@unknown\")", BAD, 0 },
    { "(\"@Method\")", BAD, 0 },
    { "(\"@methods\")", BAD, 0 },
    { "(\"@status\")", BAD, 0 },
    { "(\"@signature-params\")", BAD, 0 },
    { "(\"@query-param\")", BAD, 0 },
    { "(\"@query-param\";name)", BAD, 0 },
    { "(\"@query-param\";name=a)", BAD, 0 },
    { "(\"@query-param\";name=1)", BAD, 0 },
    { "(\"@query-param\";name=\"a\";sf)", BAD, 0 },
    { "(\"@query-param\";name=\"a\";bs)", BAD, 0 },
    { "(\"@query-param\";name=\"a\";key=\"b\")", BAD, 0 },
    { "(\"@query-param\";name=\"a\";req)", BAD, 0 },
    { "(\"@method\";req)", BAD, 0 },
    { "(\"@method\";tr)", BAD, 0 },
    { "(\"@method\";sf)", BAD, 0 },
    { "(\"@method\";bs)", BAD, 0 },
    { "(\"@method\";key=\"a\")", BAD, 0 },
    { "(\"@method\";name=\"a\")", BAD, 0 },
    { "(\"a\";name=\"a\")", BAD, 0 },
    { "(\"a\";tr)", BAD, 0 },
    { "(\"a\";req)", BAD, 0 },
    { "(\"a\";req=?0)", BAD, 0 },
    { "(\"a\";unknown)", BAD, 0 },
    { "(\"a\";sf=?0)", BAD, 0 },
    { "(\"a\";sf;sf=?0)", BAD, 0 },
    { "(\"a\";sf=1)", BAD, 0 },
    { "(\"a\";sf=\"\")", BAD, 0 },
    { "(\"a\";bs=?0)", BAD, 0 },
    { "(\"a\";bs=yes)", BAD, 0 },
    { "(\"a\";key)", BAD, 0 },
    { "(\"a\";key=b)", BAD, 0 },
    { "(\"a\";key=1)", BAD, 0 },
    { "(\"a\";bs;sf)", BAD, 0 },
    { "(\"a\";bs;key=\"b\")", BAD, 0 },
    { "(\"a\";sf;sf;sf;sf;sf;sf;sf;sf)", OK, 1 },
    { "(\"a\";sf;sf;sf;sf;sf;sf;sf;sf;sf)", BAD, 0 },
};

static void
test_list_errors(void **state)
{
    request_t request;
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(lists); i++) {
        list_open(&list, &request, lists[i].list);
        if (lists[i].why == OK) {
            expect_number(lists[i].list, list.status, WBA_OK);
        } else {
            expect_number(lists[i].list, list.status, WBA_INVALID);
            expect_reason("", lists[i].list, list.why, lists[i].why);
        }
        expect_number(lists[i].list, (long long) list.components.count,
                      (long long) lists[i].count);
        list_close(&list);
    }
    request_close(&request);
}

/* The same for a response, where ;req and @status are something. */
static const struct {
    const char *list;
    wba_reason_t why;
    size_t count;
} response_lists[] = {
    { "()", OK, 0 },
    { "(\"a\" \"a\";req \"b\";sf;req \"c\";req;bs \"d\";req;key=\"k\")", OK,
      5 },
    { "(\"@status\" \"@authority\";req \"@method\";req \"@path\";req "
      "\"@query\";req \"@request-target\";req \"@scheme\";req "
      "\"@target-uri\";req \"@query-param\";name=\"a\";req)",
      OK, 9 },
    { "(\"a\";req=?1)", OK, 1 },
    { "(\"a\";req=?0;req)", OK, 1 },
    { "(\"@authority\";req;req)", OK, 1 },
    { "(\"@query-param\";req;name=\"a\" \"@query-param\";name=\"b\";req)", OK,
      2 },

    { "(\"@authority\")", BAD, 0 },
    { "(\"@method\")", BAD, 0 },
    { "(\"@query-param\";name=\"a\")", BAD, 0 },
    { "(\"@query-param\";req)", BAD, 0 },
    { "(\"@status\";req)", BAD, 0 },
    { "(\"@status\";sf)", BAD, 0 },
    { "(\"@status\";name=\"a\")", BAD, 0 },
    { "(\"@authority\";req;sf)", BAD, 0 },
    { "(\"@authority\";req;bs)", BAD, 0 },
    { "(\"@authority\";req;key=\"a\")", BAD, 0 },
    { "(\"@authority\";req=?0)", BAD, 0 },
    { "(\"@authority\";req=1)", BAD, 0 },
    { "(\"@authority\";req;tr)", BAD, 0 },
    { "(\"@signature-params\";req)", BAD, 0 },
    { "(\"@unknown\";req)", BAD, 0 },
    { "(\"@Status\")", BAD, 0 },
    { "(\"a\";req=?0)", BAD, 0 },
    { "(\"a\";req=\"\")", BAD, 0 },
    { "(\"a\";tr)", BAD, 0 },
    { "(\"A\";req)", BAD, 0 },
    { "(\"a\";req;bs;sf)", BAD, 0 },
    { "(\"a\";req;unknown)", BAD, 0 },
    { "(\"a\";req \"a\";req)", WBA_REASON_DUPLICATE_COMPONENT, 1 },
    { "(\"a\" \"a\";req;sf \"a\";sf;req)", WBA_REASON_DUPLICATE_COMPONENT, 2 },
    { "(\"@status\" \"@status\")", WBA_REASON_DUPLICATE_COMPONENT, 1 },
};

static void
test_response_lists(void **state)
{
    wba_status_t status;
    request_t request;
    wba_reason_t why;
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(response_lists); i++) {
        list_open(&list, &request, response_lists[i].list);
        status = wba_components_parse_response(&list.value, &request.mem,
                                               &list.components, &why);
        if (response_lists[i].why == OK) {
            expect_number(response_lists[i].list, status, WBA_OK);
        } else {
            expect_number(response_lists[i].list, status, WBA_INVALID);
            expect_reason("", response_lists[i].list, why,
                          response_lists[i].why);
        }
        expect_number(response_lists[i].list,
                      (long long) list.components.count,
                      (long long) response_lists[i].count);
        list_close(&list);
    }
    request_close(&request);
}

/* What only a response has a request has not, flag by flag. */
static void
test_requests_stay_strict(void **state)
{
    static const char *const only_responses[] = {
        "(\"a\";req)",         "(\"a\";sf;req)",
        "(\"a\";req=?0)",      "(\"a\";req=1)",
        "(\"@authority\";req)", "(\"@status\")",
        "(\"@status\";req)",   "(\"@query-param\";name=\"a\";req)",
    };
    request_t request;
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(only_responses); i++) {
        list_open(&list, &request, only_responses[i]);
        expect_number(only_responses[i], list.status, WBA_INVALID);
        expect_reason("", only_responses[i], list.why, BAD);
        list_close(&list);
    }
    request_close(&request);
}

/* Two identifiers: are they one? */
static const struct {
    const char *a, *b;
    bool same;
} pairs[] = {
    { "\"a\"", "\"a\"", true },
    { "\"@method\"", "\"@method\"", true },
    { "\"a\";sf", "\"a\";sf=?1", true },
    { "\"a\";bs", "\"a\";bs", true },
    { "\"a\";key=\"k\"", "\"a\";key=\"k\"", true },
    { "\"a\";key=\"k\";sf", "\"a\";sf;key=\"k\"", true },
    { "\"a\";key=\"k\";sf", "\"a\";key=\"k\"", true },
    { "\"a\";key=\"x\";key=\"k\"", "\"a\";key=\"k\"", true },
    { "\"a\";key=\"\\\\\"", "\"a\";key=\"\\\\\"", true },
    { "\"@query-param\";name=\"a\"", "\"@query-param\";name=\"a\"", true },
    { "\"a\"", "\"b\"", false },
    { "\"a\"", "\"a\";sf", false },
    { "\"a\"", "\"a\";bs", false },
    { "\"a\";sf", "\"a\";bs", false },
    { "\"a\"", "\"a\";key=\"k\"", false },
    { "\"a\"", "\"a\";key=\"\"", false },
    { "\"a\";sf", "\"a\";key=\"\"", false },
    { "\"a\";key=\"k\"", "\"a\";key=\"l\"", false },
    { "\"a\";key=\"k\"", "\"b\";key=\"k\"", false },
    { "\"@query-param\";name=\"a\"", "\"@query-param\";name=\"b\"", false },
};

static void
test_duplicates(void **state)
{
    wba_component_t a, b;
    request_t request;
    char text[256];
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(pairs); i++) {
        snprintf(text, sizeof(text), "(\"x\" %s \"y\" %s \"z\")", pairs[i].a,
                 pairs[i].b);
        list_open(&list, &request, text);
        expect_number(text, list.status, pairs[i].same ? WBA_INVALID : WBA_OK);
        if (pairs[i].same) {
            expect_reason("", text, list.why,
                          WBA_REASON_DUPLICATE_COMPONENT);
        }
        list_close(&list);
        assert_int_equal(wba_component_from_text(wba_str_z(pairs[i].a),
                                                 &request.mem, &a),
                         WBA_OK);
        assert_int_equal(wba_component_from_text(wba_str_z(pairs[i].b),
                                                 &request.mem, &b),
                         WBA_OK);
        expect_number(text, wba_component_eq(&a, &b), pairs[i].same);
        expect_number(text, wba_component_eq(&b, &a), pairs[i].same);
    }
    request_close(&request);
}

static void
test_too_many_components(void **state)
{
    char text[WBA_MAX_COMPONENTS * 8 + 32];
    request_t request;
    list_t list;
    char *p = text;
    int i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    p += sprintf(p, "(");
    for (i = 0; i < WBA_MAX_COMPONENTS; i++) {
        p += sprintf(p, " \"a%d\"", i);
    }
    strcpy(p, ")");
    list_open(&list, &request, text);
    assert_int_equal(list.status, WBA_OK);
    assert_int_equal(list.components.count, WBA_MAX_COMPONENTS);
    list_close(&list);
    strcpy(p, " \"b\")");
    list_open(&list, &request, text);
    assert_int_equal(list.status, WBA_TOO_LARGE);
    assert_int_equal(list.why, WBA_REASON_TOO_MANY_COMPONENTS);
    list_close(&list);
    request_close(&request);
}

static const struct {
    const char *text;
    wba_status_t status;
    const char *name, *key, *param;
} configured[] = {
    { "@authority", WBA_OK, "@authority", NULL, NULL },
    { "content-digest", WBA_OK, "content-digest", NULL, NULL },
    { "\"content-digest\"", WBA_OK, "content-digest", NULL, NULL },
    { "\"signature-agent\";key=\"x\"", WBA_OK, "signature-agent", "x", NULL },
    { "\"a\";key=\"\\\\\"", WBA_OK, "a", "\\", NULL },
    { "\"@query-param\";name=\"n\"", WBA_OK, "@query-param", NULL, "n" },
    { "@query-param", WBA_INVALID, NULL, NULL, NULL },
    { "@status", WBA_INVALID, NULL, NULL, NULL },
    { "Content-Digest", WBA_INVALID, NULL, NULL, NULL },
    { "a;sf", WBA_INVALID, NULL, NULL, NULL },
    { "a b", WBA_INVALID, NULL, NULL, NULL },
    { "", WBA_INVALID, NULL, NULL, NULL },
    { "\"a", WBA_INVALID, NULL, NULL, NULL },
    { "\"a\" ", WBA_OK, "a", NULL, NULL },
    { "\"a\" \"b\"", WBA_INVALID, NULL, NULL, NULL },
    { "\"a\";req", WBA_INVALID, NULL, NULL, NULL },
};

static void
test_from_text(void **state)
{
    wba_component_t c;
    request_t request;
    uint8_t *block;
    wba_str_t text;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(configured); i++) {
        text = exact_copy(&block, configured[i].text,
                          strlen(configured[i].text));
        expect_number(configured[i].text,
                      wba_component_from_text(text, &request.mem, &c),
                      configured[i].status);
        if (configured[i].status == WBA_OK) {
            expect_text(configured[i].text, c.name, configured[i].name);
            expect_text(configured[i].text, c.key, configured[i].key);
            expect_text(configured[i].text, c.param, configured[i].param);
        }
        free(block);
    }
    request_close(&request);
}

static const struct {
    const char *list, *required;
    bool covered;
} coverage[] = {
    { "(\"@authority\" \"@path\")", "@path", true },
    { "(\"@authority\" \"@path\")", "@method", false },
    { "()", "@method", false },
    { "(\"a\")", "a", true },
    { "(\"a\";sf)", "a", true },
    { "(\"a\";bs)", "a", true },
    { "(\"a\";key=\"k\")", "a", false },
    { "(\"a\";key=\"k\" \"a\")", "a", true },
    { "(\"a\";key=\"k\")", "\"a\";key=\"k\"", true },
    { "(\"a\";key=\"k\";sf)", "\"a\";key=\"k\"", true },
    { "(\"a\";key=\"l\")", "\"a\";key=\"k\"", false },
    { "(\"a\")", "\"a\";key=\"k\"", false },
    { "(\"a\")", "\"a\";sf", false },
    { "(\"a\";sf)", "\"a\";sf", true },
    { "(\"a\";sf)", "\"a\";bs", false },
    { "(\"@query-param\";name=\"a\")", "\"@query-param\";name=\"a\"", true },
    { "(\"@query-param\";name=\"b\")", "\"@query-param\";name=\"a\"", false },
    { "(\"@query\")", "\"@query-param\";name=\"a\"", false },
};

static void
test_cover(void **state)
{
    wba_component_t required;
    request_t request;
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(coverage); i++) {
        list_open(&list, &request, coverage[i].list);
        assert_int_equal(list.status, WBA_OK);
        assert_int_equal(
            wba_component_from_text(wba_str_z(coverage[i].required),
                                    &request.mem, &required),
            WBA_OK);
        expect_number(coverage[i].list,
                      wba_components_cover(&list.components, &required),
                      coverage[i].covered);
        list_close(&list);
    }
    list_open(&list, &request, "(\"@path\" \"@authority\")");
    assert_true(wba_components_cover_target(&list.components));
    list_close(&list);
    list_open(&list, &request, "(\"@target-uri\")");
    assert_true(wba_components_cover_target(&list.components));
    list_close(&list);
    list_open(&list, &request, "(\"@path\" \"host\" \"@request-target\")");
    assert_false(wba_components_cover_target(&list.components));
    list_close(&list);
    request_close(&request);
}

/* With and without ;req are two components. */
static const struct {
    const char *list;
    wba_component_t required;
    bool covered;
} response_coverage[] = {
    { "(\"@path\";req)", { .name = NAME("@path"), .req = true }, true },
    { "(\"a\";req)", { .name = NAME("a"), .req = true }, true },
    { "(\"a\";req;sf)", { .name = NAME("a"), .req = true }, true },
    { "(\"a\";req;key=\"k\")", { .name = NAME("a"), .req = true }, false },
    { "(\"a\")", { .name = NAME("a"), .req = true }, false },
    { "(\"a\";req)", { .name = NAME("a") }, false },
    { "(\"a\";req \"a\")", { .name = NAME("a") }, true },
    { "(\"a\";sf)", { .name = NAME("a"), .sf = true, .req = true }, false },
    { "(\"a\";sf;req)", { .name = NAME("a"), .sf = true }, false },
    { "(\"a\";sf;req)", { .name = NAME("a"), .sf = true, .req = true }, true },
};

static void
test_response_cover(void **state)
{
    request_t request;
    wba_reason_t why;
    list_t list;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(response_coverage); i++) {
        list_open(&list, &request, response_coverage[i].list);
        assert_int_equal(wba_components_parse_response(&list.value,
                                                       &request.mem,
                                                       &list.components, &why),
                         WBA_OK);
        expect_number(response_coverage[i].list,
                      wba_components_cover(&list.components,
                                           &response_coverage[i].required),
                      response_coverage[i].covered);
        list_close(&list);
    }
    request_close(&request);
}

/* All that begin with '@', each once, and no other. */
static void
test_derived_names(void **state)
{
    wba_component_t c;
    request_t request;
    wba_str_t name;
    size_t i, j;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; (name = wba_component_derived_at(i)).data != NULL; i++) {
        assert_int_equal(name.data[0], '@');
        assert_int_equal(wba_component_from_text(name, &request.mem, &c),
                         wba_str_eq(name, WBA_STR("@query-param"))
                             ? WBA_INVALID
                             : WBA_OK);
        for (j = 0; j < i; j++) {
            assert_false(wba_str_eq(name, wba_component_derived_at(j)));
        }
    }
    assert_int_equal(i, 8);
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list_errors),
        cmocka_unit_test(test_response_lists),
        cmocka_unit_test(test_requests_stay_strict),
        cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_too_many_components),
        cmocka_unit_test(test_from_text),
        cmocka_unit_test(test_derived_names),
        cmocka_unit_test(test_cover),
        cmocka_unit_test(test_response_cover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
