/* SPDX-License-Identifier: BSD-2-Clause */
/* core/sigbase: what each component's value is, row by row of PROTOCOL's
 * section 3, and the base that is made of them. */
#include "request.h"

#define OK WBA_REASON_OK
#define MISSING WBA_REASON_MISSING_COMPONENT
#define VALUE WBA_REASON_BAD_COMPONENT_VALUE

/* One component over a request: its line, or why it has none. */
static void
expect_line(request_t *request, const char *row, const char *component,
             wba_reason_t want_why, const char *want)
{
    char covered[512], base[2048];
    wba_reason_t why;
    wba_buf_t out;
    size_t at;

    snprintf(covered, sizeof(covered), "(%s)", component);
    why = build(request, covered, &out, &at);
    expect_reason(row, component, why, want_why);
    if (why != WBA_REASON_OK) {
        assert_int_equal(at, 0);
        return;
    }
    snprintf(base, sizeof(base), "%s: %s\n\"@signature-params\": %s",
             component, want, covered);
    expect_text(row, wba_buf_view(&out), base);
}

static const struct {
    const char *request_line, *component;
    wba_reason_t why;
    const char *value;
} derived[] = {
    { "POST /a HTTP/1.1", "\"@method\"", OK, "POST" },
    { "pOsT /a HTTP/1.1", "\"@method\"", OK, "pOsT" },

    { "GET /a/b?c=d HTTP/1.1", "\"@target-uri\"", OK,
      "https://www.example.com/a/b?c=d" },
    { "GET /? HTTP/2", "\"@target-uri\"", OK, "https://www.example.com/?" },
    { "GET https://WWW.example.com:443/a?b HTTP/1.1", "\"@target-uri\"", OK,
      "https://WWW.example.com:443/a?b" },
    { "GET https://www.example.com HTTP/1.1", "\"@target-uri\"", OK,
      "https://www.example.com" },
    { "OPTIONS * HTTP/1.1", "\"@target-uri\"", OK, "https://www.example.com" },
    { "CONNECT www.example.com:80 HTTP/1.1", "\"@target-uri\"", OK,
      "https://www.example.com" },
    { "GET a/b HTTP/1.1", "\"@target-uri\"", VALUE, NULL },
    { "GET /a#b HTTP/1.1", "\"@target-uri\"", VALUE, NULL },
    { "GET /\xc3\xa4 HTTP/1.1", "\"@target-uri\"", VALUE, NULL },
    { "GET https:///a HTTP/1.1", "\"@target-uri\"", VALUE, NULL },

    { "GET / HTTP/1.1", "\"@authority\"", OK, "www.example.com" },
    { "GET http://A.example:80/ HTTP/1.1", "\"@authority\"", OK, "a.example" },
    { "GET http://u@a:443/ HTTP/1.1", "\"@authority\"", OK, "a:443" },

    { "GET / HTTP/1.1", "\"@scheme\"", OK, "https" },
    { "GET HTTPS://www.example.com/ HTTP/1.1", "\"@scheme\"", OK, "https" },
    { "GET http://www.example.com/ HTTP/1.1", "\"@scheme\"",
      WBA_REASON_SCHEME_MISMATCH, NULL },
    { "GET http://www.example.com/ HTTP/1.1", "\"@target-uri\"",
      WBA_REASON_SCHEME_MISMATCH, NULL },

    { "GET /a?b HTTP/1.1", "\"@request-target\"", OK, "/a?b" },
    { "GET https://www.example.com/path?param=value HTTP/1.1",
      "\"@request-target\"", OK, "https://www.example.com/path?param=value" },
    { "CONNECT www.example.com:80 HTTP/1.1", "\"@request-target\"", OK,
      "www.example.com:80" },
    { "OPTIONS * HTTP/1.1", "\"@request-target\"", OK, "*" },
    { "GET /a\x7f HTTP/1.1", "\"@request-target\"", VALUE, NULL },
    { "GET a HTTP/1.1", "\"@request-target\"", VALUE, NULL },

    { "GET /path?param=value HTTP/1.1", "\"@path\"", OK, "/path" },
    { "GET /%7Ea//b/../c%2f HTTP/1.1", "\"@path\"", OK, "/%7Ea//b/../c%2f" },
    { "GET https://a?b HTTP/1.1", "\"@path\"", OK, "/" },
    { "GET https://a HTTP/1.1", "\"@path\"", OK, "/" },
    { "GET https://a/b?c HTTP/1.1", "\"@path\"", OK, "/b" },
    { "OPTIONS * HTTP/1.1", "\"@path\"", OK, "/" },
    { "CONNECT a:80 HTTP/1.1", "\"@path\"", OK, "/" },
    { "GET /a\xff HTTP/1.1", "\"@path\"", VALUE, NULL },
    { "GET /a\tb HTTP/1.1", "\"@path\"", VALUE, NULL },
    { "GET a HTTP/1.1", "\"@path\"", VALUE, NULL },

    { "GET /path?param=value&foo=bar&baz=bat%2Dman HTTP/1.1", "\"@query\"",
      OK, "?param=value&foo=bar&baz=bat%2Dman" },
    { "GET /path?queryString HTTP/1.1", "\"@query\"", OK, "?queryString" },
    { "GET /path HTTP/1.1", "\"@query\"", OK, "?" },
    { "GET /path? HTTP/1.1", "\"@query\"", OK, "?" },
    { "GET /path?? HTTP/1.1", "\"@query\"", OK, "??" },
    { "OPTIONS * HTTP/1.1", "\"@query\"", OK, "?" },
    { "GET /a?\xff HTTP/1.1", "\"@query\"", VALUE, NULL },
    { "GET a HTTP/1.1", "\"@query\"", VALUE, NULL },

    { "GET /a?b=c+%e9&d HTTP/1.1", "\"@query-param\";name=\"b\"", OK,
      "c%20%EF%BF%BD" },
    { "GET /a?b=c+d&d HTTP/1.1", "\"@query-param\";name=\"d\"", OK, "" },
    { "GET /a?b&b HTTP/1.1", "\"@query-param\";name=\"b\"", VALUE, NULL },
    { "GET /a?b&c HTTP/1.1", "\"@query-param\";name=\"d\"", MISSING, NULL },
    { "GET /a HTTP/1.1", "\"@query-param\";name=\"b\"", MISSING, NULL },
    { "GET a?b=c HTTP/1.1", "\"@query-param\";name=\"b\"", VALUE, NULL },
};

static void
test_derived(void **state)
{
    char text[512];
    request_t request;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(derived); i++) {
        snprintf(text, sizeof(text), "%s\nHost: www.example.com\n\n",
                 derived[i].request_line);
        request_open(&request, text);
        expect_line(&request, text, derived[i].component, derived[i].why,
                    derived[i].value);
        request_close(&request);
    }
}

static const struct {
    const char *lines, *component;
    wba_reason_t why;
    const char *value;
} fields[] = {
    /* RFC 9421 section 2.1 */
    { "Host: www.example.com\n", "\"host\"", OK, "www.example.com" },
    { "Date: Tue, 20 Apr 2021 02:07:56 GMT\n", "\"date\"", OK,
      "Tue, 20 Apr 2021 02:07:56 GMT" },
    { "X-OWS-Header:   Leading and trailing whitespace.   \n",
      "\"x-ows-header\"", OK, "Leading and trailing whitespace." },
    { "X-Obs-Fold-Header: Obsolete\r\n    line folding.\r\n",
      "\"x-obs-fold-header\"", OK, "Obsolete line folding." },
    { "Cache-Control: max-age=60\nCache-Control:    must-revalidate\n",
      "\"cache-control\"", OK, "max-age=60, must-revalidate" },
    { "Example-Dict:  a=1,    b=2;x=1;y=2,   c=(a   b   c)\n",
      "\"example-dict\"", OK, "a=1,    b=2;x=1;y=2,   c=(a   b   c)" },
    { "X-Empty-Header:\n", "\"x-empty-header\"", OK, "" },
    { "A: b\n", "\"c\"", MISSING, NULL },
    { "A: b\tc\n", "\"a\"", OK, "b\tc" },
    { "A: b\rc\n", "\"a\"", VALUE, NULL },
    { "A: b\x01\n", "\"a\"", VALUE, NULL },
    { "A: b\x7f\n", "\"a\"", VALUE, NULL },
    { "A: b\x1f\n", "\"a\"", VALUE, NULL },
    { "A: b~\n", "\"a\"", OK, "b~" },
    { "A: \xc3\xa4\n", "\"a\"", VALUE, NULL },
    { "A: b\nA: \xff\n", "\"a\"", VALUE, NULL },
    { "Cookie: a=1\nCookie: b=2\n", "\"cookie\"", OK, "a=1, b=2" },

    /* ;sf, section 2.1.1 */
    { "Priority:  u=1 ,    i;x=1;y=2,   c=(a   b   c)\n", "\"priority\";sf",
      OK, "u=1, i;x=1;y=2, c=(a b c)" },
    { "Priority: u=1\nPriority: i\n", "\"priority\";sf", OK, "u=1, i" },
    { "Priority: u=1, i, u=02\n", "\"priority\";sf", OK, "u=2, i" },
    { "Priority: u=1\nPriority:\nPriority: i\n", "\"priority\";sf", VALUE,
      NULL },
    { "Priority: u=1,\n", "\"priority\";sf", VALUE, NULL },
    { "Priority:\n", "\"priority\";sf", OK, "" },
    { "Content-Digest: sha-256=:AA:\n", "\"content-digest\";sf", OK,
      "sha-256=:AA==:" },
    { "Client-Cert-Chain: :AA==:,   :AQ==:\n", "\"client-cert-chain\";sf", OK,
      ":AA==:, :AQ==:" },
    { "Client-Cert: :AA:\n", "\"client-cert\";sf", OK, ":AA==:" },
    { "Client-Cert: :AA:, :AA:\n", "\"client-cert\";sf", VALUE, NULL },
    { "Client-Cert:\n", "\"client-cert\";sf", VALUE, NULL },
    { "Sec-CH-UA: \"A\";v=\"1\",\t\"B\" ;v=\"2\"\n", "\"sec-ch-ua\";sf", VALUE,
      NULL },
    { "Sec-CH-UA: \"A\";  v=\"1\",\t\"B\";v=\"2\"\n", "\"sec-ch-ua\";sf", OK,
      "\"A\";v=\"1\", \"B\";v=\"2\"" },
    { "Example-Dict: a=1\n", "\"example-dict\";sf", VALUE, NULL },
    { "A: b\n", "\"priority\";sf", MISSING, NULL },

    /* ;key, section 2.1.2 */
    { "Priority:  a=1, b=2;x=1;y=2, c=(a   b    c), d, e;f\n",
      "\"priority\";key=\"a\"", OK, "1" },
    { "Priority:  a=1, b=2;x=1;y=2, c=(a   b    c), d, e;f\n",
      "\"priority\";key=\"d\"", OK, "?1" },
    { "Priority:  a=1, b=2;x=1;y=2, c=(a   b    c), d, e;f\n",
      "\"priority\";key=\"e\"", OK, "?1;f" },
    { "Priority:  a=1, b=2;  x=1;y=2, c=(a   b    c), d, e;f\n",
      "\"priority\";key=\"b\"", OK, "2;x=1;y=2" },
    { "Priority:  a=1, b=2;x=1;y=2, c=(a   b    c), d, e;f\n",
      "\"priority\";key=\"c\"", OK, "(a b c)" },
    { "Priority: a=1, b=2\n", "\"priority\";sf;key=\"a\"", OK, "1" },
    { "Priority: a=1, b=2, a=3\n", "\"priority\";key=\"a\"", OK, "3" },
    { "Priority: b=2\nPriority: a=1\n", "\"priority\";key=\"a\"", OK, "1" },
    { "Priority: a=1\nPriority:\n", "\"priority\";key=\"a\"", VALUE, NULL },
    { "Priority: a=1, b=\n", "\"priority\";key=\"a\"", VALUE, NULL },
    { "Priority: a=1\n", "\"priority\";key=\"b\"", MISSING, NULL },
    { "Priority: a=1\n", "\"priority\";key=\"\"", MISSING, NULL },
    { "Priority:\n", "\"priority\";key=\"a\"", MISSING, NULL },
    { "A: b\n", "\"priority\";key=\"a\"", MISSING, NULL },
    { "Example-Dict: a=1\n", "\"example-dict\";key=\"a\"", VALUE, NULL },
    { "Client-Cert: :AA==:\n", "\"client-cert\";key=\"a\"", VALUE, NULL },
    { "Signature-Agent: a=\"https://a\"\n", "\"signature-agent\";key=\"a\"",
      OK, "\"https://a\"" },
    { "Signature-Agent: a=\"https://a\";t=1\n",
      "\"signature-agent\";key=\"a\"", OK, "\"https://a\";t=1" },
    { "Signature-Agent: a=\"https://a\"\n", "\"signature-agent\";key=\"b\"",
      WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING, NULL },
    { "Signature-Agent: \"https://a\"\n", "\"signature-agent\";key=\"a\"",
      VALUE, NULL },
    { "A: b\n", "\"signature-agent\";key=\"a\"", MISSING, NULL },
    { "Accept-Signature: a=()\n", "\"accept-signature\";key=\"a\"", OK,
      "()" },
    { "Repr-Digest: a=1\n", "\"repr-digest\";key=\"a\"", OK, "1" },
    { "Want-Content-Digest: a=1\n", "\"want-content-digest\";key=\"a\"", OK,
      "1" },
    { "Want-Repr-Digest: a=1\n", "\"want-repr-digest\";key=\"a\"", OK, "1" },
    { "Content-Digest: a=1\n", "\"content-digest\";key=\"a\"", OK, "1" },
    { "Signature: a=:AA==:\n", "\"signature\";key=\"a\"", OK, ":AA==:" },
    { "Signature-Input: a=(\"b\" );c=1\n", "\"signature-input\";key=\"a\"", OK,
      "(\"b\");c=1" },

    /* ;bs, section 2.1.3 */
    { "Example-Header: value, with, lots\nExample-Header: of, commas\n",
      "\"example-header\";bs", OK,
      ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:" },
    { "Example-Header: value, with, lots, of, commas\n",
      "\"example-header\";bs", OK,
      ":dmFsdWUsIHdpdGgsIGxvdHMsIG9mLCBjb21tYXM=:" },
    { "A: b\r\n  c \r\n", "\"a\";bs", OK, ":YiBj:" },
    { "A:\nA: \xff\x01\n", "\"a\";bs", OK, "::, :/wE=:" },
    { "A: b\n", "\"c\";bs", MISSING, NULL },
    { "Cookie: a\nCookie: b\n", "\"cookie\";bs", OK, ":YQ==:, :Yg==:" },
};

static void
test_fields(void **state)
{
    char text[512];
    request_t request;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(fields); i++) {
        snprintf(text, sizeof(text), "GET / HTTP/1.1\n%s\n", fields[i].lines);
        request_open(&request, text);
        expect_line(&request, text, fields[i].component, fields[i].why,
                     fields[i].value);
        request_close(&request);
    }
}

static void
test_cookie_crumbs(void **state)
{
    request_t request;

    (void) state;
    request_open(&request, "GET / HTTP/2\nCookie: a=1\nCookie: b=2\n\n");
    expect_line(&request, "h2", "\"cookie\"", OK, "a=1; b=2");
    expect_line(&request, "h2", "\"cookie\";bs", OK, ":YT0xOyBiPTI=:");
    request_close(&request);
    request_open(&request, "GET / HTTP/2\n\n");
    expect_line(&request, "h2", "\"cookie\";bs", MISSING, NULL);
    request_close(&request);
}

/* What was received, and the inner list as the base must have it. */
static const struct {
    const char *received, *canonical;
} params[] = {
    { "();created=1", "();created=1" },
    { "(  ) ", "()" },
    { "(  \"@method\"   \"@path\" );  tag=\"t\";created=007",
      "(\"@method\" \"@path\");tag=\"t\";created=7" },
    { "(\"@method\");b=1;a=2;unknown=x;flag;no=?0",
      "(\"@method\");b=1;a=2;unknown=x;flag;no=?0" },
    { "(\"@method\");a=1;b=2;a=3", "(\"@method\");a=3;b=2" },
    { "(\"@method\");x=1.50;y=:YQ:;z=@1;w=%\"%c3%a9\"",
      "(\"@method\");x=1.5;y=:YQ==:;z=@1;w=%\"%c3%a9\"" },
    { "(\"@method\");tag=\"a\\\"b\\\\c\"",
      "(\"@method\");tag=\"a\\\"b\\\\c\"" },
};

static void
test_signature_params(void **state)
{
    request_t request;
    char want[512];
    wba_buf_t out;
    size_t i, at;
    const char *line;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(params); i++) {
        expect_reason("", params[i].received,
                      build(&request, params[i].received, &out, &at), OK);
        snprintf(want, sizeof(want), "\"@signature-params\": %s",
                 params[i].canonical);
        line = memchr(out.data, '\n', out.len);
        while (line && memcmp(line + 1, "\"@sig", 5) != 0) {
            line = memchr(line + 1, '\n',
                          out.len - (size_t) (line + 1 - (char *) out.data));
        }
        line = line ? line + 1 : (const char *) out.data;
        expect_text(params[i].received,
                    wba_str(line, out.len
                                      - (size_t) (line - (char *) out.data)),
                    want);
    }
    request_close(&request);
}

/* Identifiers are written canonically too (section 2.5). */
static void
test_identifiers(void **state)
{
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    request_open(&request, "GET /?a=b HTTP/1.1\nPriority: u=1\n\n");
    expect_reason("", "",
                  build(&request,
                        "(\"priority\";  sf=?1 \"priority\";key=1;sf;"
                        "key=\"u\"  \"@query-param\"; name=\"a\")",
                        &out, &at),
                  OK);
    expect_text("identifiers", wba_buf_view(&out),
                "\"priority\";sf: u=1\n"
                "\"priority\";key=\"u\";sf: 1\n"
                "\"@query-param\";name=\"a\": b\n"
                "\"@signature-params\": (\"priority\";sf "
                "\"priority\";key=\"u\";sf \"@query-param\";name=\"a\")");
    request_close(&request);
}

static void
test_authority_override(void **state)
{
    static const struct {
        const char *target, *component;
        wba_reason_t why;
        const char *value;
    } rows[] = {
        { "/a", "\"@authority\"", OK, "shop.example" },
        { "/a", "\"@target-uri\"", OK, "https://shop.example/a" },
        { "/a", "\"@request-target\"", OK, "/a" },
        { "https://SHOP.example:443/a", "\"@target-uri\"", OK,
          "https://SHOP.example:443/a" },
        { "https://SHOP.example:443/a", "\"@request-target\"", OK,
          "https://SHOP.example:443/a" },
        { "https://other.example/a", "\"@target-uri\"",
          WBA_REASON_AUTHORITY_NOT_SERVED, NULL },
        { "https://other.example/a", "\"@request-target\"",
          WBA_REASON_AUTHORITY_NOT_SERVED, NULL },
        { "https://other.example/a", "\"@authority\"", OK, "shop.example" },
        { "https://other.example/a", "\"@path\"", OK, "/a" },
        { "https:///a", "\"@request-target\"", VALUE, NULL },
    };
    request_t request;
    char text[256];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(rows); i++) {
        snprintf(text, sizeof(text), "GET %s HTTP/1.1\nHost: inner\n\n",
                 rows[i].target);
        request_open(&request, text);
        request.raw.authority_override = WBA_STR("Shop.example");
        expect_line(&request, text, rows[i].component, rows[i].why,
                     rows[i].value);
        request_close(&request);
    }
}

/* What a host may fail to know is missing, not empty. */
static void
test_missing_answers(void **state)
{
    request_t request;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    expect_line(&request, "no host", "\"@authority\"", MISSING, NULL);
    expect_line(&request, "no host", "\"@target-uri\"", MISSING, NULL);
    request.raw.scheme = WBA_STR_NONE;
    expect_line(&request, "no scheme", "\"@scheme\"", MISSING, NULL);
    expect_line(&request, "no scheme", "\"@target-uri\"", MISSING, NULL);
    request.raw.scheme = WBA_STR("HTTP");
    expect_line(&request, "upper case", "\"@scheme\"", OK, "http");
    request_close(&request);
    request_open(&request, "OPTIONS * HTTP/1.1\n\n");
    expect_line(&request, "no host", "\"@target-uri\"", MISSING, NULL);
    request.raw.method = WBA_STR_NONE;
    expect_line(&request, "no method", "\"@method\"", MISSING, NULL);
    request.raw.target = WBA_STR_NONE;
    expect_line(&request, "no target", "\"@path\"", VALUE, NULL);
    expect_line(&request, "no target", "\"@request-target\"", VALUE, NULL);
    request_close(&request);
}

static void
test_at(void **state)
{
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nA: b\n\n");
    expect_reason("", "",
                  build(&request, "(\"@method\" \"a\" \"c\" \"@path\")", &out,
                        &at),
                  MISSING);
    assert_int_equal(at, 2);
    request_close(&request);
}

/* A field of len bytes as "f" and as "priority": is the base of it built? */
static void
expect_large(size_t len, const char *covered, wba_reason_t want)
{
    char *text = malloc(2 * len + 100);
    request_t request;
    wba_buf_t out;
    size_t at;
    char *p;

    assert_non_null(text);
    p = text + sprintf(text, "GET / HTTP/1.1\nF: ");
    memset(p, 'x', len);
    p += len;
    p += sprintf(p, "\nPriority: ");
    memset(p, 'x', len);
    p += len;
    strcpy(p, "\n\n");
    request_open(&request, text);
    free(text);
    expect_reason("", covered, build(&request, covered, &out, &at), want);
    request_close(&request);
}

static void
test_too_large(void **state)
{
    const wba_reason_t field = WBA_REASON_FIELD_TOO_LARGE;
    const wba_reason_t base = WBA_REASON_SIGNATURE_BASE_TOO_LARGE;
    size_t rest = strlen("\"f\": \n\"@signature-params\": (\"f\")");

    (void) state;
    expect_large(WBA_MAX_BASE - rest, "(\"f\")", OK);
    expect_large(WBA_MAX_BASE - rest + 1, "(\"f\")", base);
    expect_large(WBA_MAX_FIELD, "(\"f\")", base);
    expect_large(WBA_MAX_FIELD, "(\"f\";bs)", base);
    expect_large(WBA_MAX_FIELD, "(\"priority\";sf)", base);
    expect_large(WBA_MAX_FIELD + 1, "(\"f\")", field);
    expect_large(WBA_MAX_FIELD + 1, "(\"f\";bs)", field);
    expect_large(WBA_MAX_FIELD + 1, "(\"priority\";sf)", field);
    expect_large(WBA_MAX_FIELD + 1, "(\"priority\";key=\"k\")", field);
}

/* Members beyond WBA_MAX_SF_MEMBERS are too many for ;sf and ;key. */
static void
test_too_many_members(void **state)
{
    char *text = malloc(8 * WBA_MAX_SF_MEMBERS + 200);
    request_t request;
    wba_buf_t out;
    size_t at;
    char *p;
    int i;

    (void) state;
    assert_non_null(text);
    p = text + sprintf(text, "GET / HTTP/1.1\nPriority: u=1");
    for (i = 0; i < WBA_MAX_SF_MEMBERS; i++) {
        p += sprintf(p, ",k%d", i);
    }
    strcpy(p, "\n\n");
    request_open(&request, text);
    free(text);
    expect_reason("", "", build(&request, "(\"priority\";sf)", &out, &at),
                  WBA_REASON_SIGNATURE_BASE_TOO_LARGE);
    expect_reason("", "",
                  build(&request, "(\"priority\";key=\"u\")", &out, &at),
                  WBA_REASON_FIELD_TOO_LARGE);
    request_close(&request);
}

static const wba_message_ops_t *counted_ops;
static unsigned lines_asked;

static wba_status_t
counting_next_line(const wba_message_t *msg, wba_str_t name, uintptr_t *cursor,
                   wba_str_t *value)
{
    lines_asked++;
    return counted_ops->next_line(msg, name, cursor, value);
}

/* However many members of a field are covered, it is read once. */
static void
test_members_in_one_pass(void **state)
{
    char covered[WBA_MAX_COMPONENTS * 24 + 32];
    char text[WBA_MAX_COMPONENTS * 24 + 64];
    wba_message_ops_t ops;
    request_t request;
    wba_buf_t out;
    size_t at;
    char *p = covered, *q;
    int i;

    (void) state;
    q = text + sprintf(text, "GET / HTTP/1.1\nPriority: x");
    p += sprintf(p, "(");
    for (i = 0; i < WBA_MAX_COMPONENTS; i++) {
        p += sprintf(p, " \"priority\";key=\"k%d\"", i);
        q += sprintf(q, ", k%d=%d", i, i);
    }
    strcpy(p, ")");
    strcpy(q, "\n\n");
    request_open(&request, text);
    counted_ops = request.raw.message.ops;
    ops = *counted_ops;
    ops.next_line = counting_next_line;
    request.raw.message.ops = &ops;
    lines_asked = 0;
    expect_reason("", covered, build(&request, covered, &out, &at), OK);
    assert_int_equal(lines_asked, 2); /* the line, and that it is the last */
    wba_buf_byte(&out, '\0');
    assert_non_null(strstr((char *) out.data, ";key=\"k63\": 63\n"));
    request_close(&request);
}

/* Several @query-param of one request, found in one pass: each gets its own
 * value, and one that is repeated spoils none but itself. */
static void
test_query_params_together(void **state)
{
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    request_open(&request, "GET /?a=1&b=2&c=3&b=4&d HTTP/1.1\n\n");
    expect_reason("", "",
                  build(&request,
                        "(\"@query-param\";name=\"d\" "
                        "\"@query-param\";name=\"c\" "
                        "\"@query-param\";name=\"a\")",
                        &out, &at),
                  OK);
    expect_text("together", wba_buf_view(&out),
                "\"@query-param\";name=\"d\": \n"
                "\"@query-param\";name=\"c\": 3\n"
                "\"@query-param\";name=\"a\": 1\n"
                "\"@signature-params\": (\"@query-param\";name=\"d\" "
                "\"@query-param\";name=\"c\" "
                "\"@query-param\";name=\"a\")");
    expect_reason("", "",
                  build(&request,
                        "(\"@query-param\";name=\"a\" "
                        "\"@query-param\";name=\"b\")",
                        &out, &at),
                  VALUE);
    assert_int_equal(at, 1);
    request_close(&request);
}

/* With every amount of memory up to enough, it fails cleanly or succeeds. */
static void
test_no_memory(void **state)
{
    const char *covered =
        "(\"@target-uri\" \"f\" \"f\";bs \"priority\";sf "
        "\"priority\";key=\"\\\"\\\\\" \"@authority\" \"priority\";key=\"u\")";
    wba_reason_t why = WBA_REASON_OUT_OF_MEMORY;
    request_t request;
    uint8_t block[8192];
    wba_arena_t arena;
    wba_mem_t mem;
    wba_buf_t out;
    list_t list;
    size_t size, at, failures = 0;

    (void) state;
    request_open(&request, "GET https://A:443/ HTTP/1.1\nF: a\n b\nF: c\n d\n"
                           "Priority: u=1\nPriority: i\n\n");
    for (size = 0; size <= sizeof(block); size += 16) {
        wba_arena_init(&arena, block, size);
        mem = wba_arena_mem(&arena);
        list_open(&list, &request, covered);
        list.status = wba_components_parse(&list.value, &mem, &list.components,
                                           &why);
        if (list.status == WBA_OK) {
            wba_buf_init(&out, &mem, WBA_MAX_BASE);
            list.status = wba_sigbase_build(request.message, WBA_STR("a"),
                                            &list.value, &list.components,
                                            &mem, &out, &why, &at);
            /* One key is no legal key, hence never there. */
            if (list.status == WBA_INVALID) {
                expect_reason("", covered, why, MISSING);
                list_close(&list);
                break;
            }
        }
        assert_int_equal(list.status, WBA_NO_MEMORY);
        expect_reason("", covered, why, WBA_REASON_OUT_OF_MEMORY);
        failures++;
        list_close(&list);
    }
    assert_true(failures > 10);
    assert_int_equal(why, MISSING);
    request_close(&request);
}

/* The usual case takes nothing from memory but the base itself. */
static void
test_no_allocation(void **state)
{
    const char *covered = "(\"@authority\" \"@method\" \"@path\" "
                          "\"signature-agent\";key=\"a\" \"date\");created=1";
    uint8_t block[1024];
    request_t request;
    wba_reason_t why;
    wba_buf_t out;
    list_t list;
    size_t at;

    (void) state;
    request_open(&request, "GET /a HTTP/1.1\nHost: a.example\n"
                           "Signature-Agent: a=\"https://agent.example\"\n"
                           "Date: now\n\n");
    list_open(&list, &request, covered);
    assert_int_equal(list.status, WBA_OK);
    wba_buf_fixed(&out, block, sizeof(block));
    assert_int_equal(wba_sigbase_build(request.message, WBA_STR("a.example"),
                                       &list.value, &list.components,
                                       &request.mem, &out, &why, &at),
                     WBA_OK);
    assert_int_equal(request.arena.used, 0);
    list_close(&list);
    request_close(&request);
}

/* ---- responses */

/* Builds over a response of which next_line alone can be asked. */
static wba_reason_t
build_response(request_t *request, wba_response_t *response,
               const char *covered, wba_buf_t *out, size_t *at)
{
    const wba_message_ops_t ops = {
        .next_line = request->message->ops->next_line,
    };
    const wba_message_t message = { &ops, request->message->ctx };
    wba_status_t status;
    wba_reason_t why;
    list_t list;

    list_open(&list, request, covered);
    assert_int_equal(wba_components_parse_response(&list.value, &request->mem,
                                                   &list.components, &why),
                     WBA_OK);
    response->message = &message;
    wba_buf_init(out, &request->mem, WBA_MAX_BASE);
    status = wba_sigbase_build_response(response, &list.value,
                                        &list.components, &request->mem, out,
                                        &why, at);
    assert_int_equal(status == WBA_OK, why == WBA_REASON_OK);
    list_close(&list);
    return why;
}

static const struct {
    const char *component;
    wba_reason_t why;
    const char *value;
} of_responses[] = {
    { "\"@status\"", OK, "203" },
    { "\"@authority\";req", OK, "a.example" },
    { "\"@method\";req", OK, "GET" },
    { "\"@scheme\";req", OK, "https" },
    { "\"@path\";req", MISSING, NULL },
    { "\"@query\";req", MISSING, NULL },
    { "\"@query-param\";name=\"a\";req", MISSING, NULL },
    { "\"@request-target\";req", MISSING, NULL },
    { "\"@target-uri\";req", MISSING, NULL },
    { "\"x\"", OK, "a, b" },
    { "\"x\";req", MISSING, NULL },
    { "\"x\";bs", OK, ":YQ==:, :Yg==:" },
    { "\"x\";bs;req", MISSING, NULL },
    { "\"priority\";sf", OK, "u=1, i" },
    { "\"priority\";sf;req", MISSING, NULL },
    { "\"priority\";key=\"u\"", OK, "1" },
    { "\"priority\";key=\"u\";req", MISSING, NULL },
    { "\"cookie\"", OK, "c=1, d=2" },
    { "\"cookie\";bs", OK, ":Yz0x:, :ZD0y:" },
    { "\"absent\"", MISSING, NULL },
    { "\"high\"", VALUE, NULL },
};

/* The request line that carries the lines stands for nothing here: not for
 * HTTP/2's crumbs, either. */
#define RESPONSE_LINES                                                  \
    "PUT http://b.example/c HTTP/2\nHost: c.example\nX: a\nX: b\n"       \
    "Priority: u=1 ,   i\nCookie: c=1\nCookie: d=2\nHigh: \xff\n\n"

static void
test_responses(void **state)
{
    wba_response_t response = {
        .status = 203,
        .method = WBA_STR("GET"),
        .scheme = WBA_STR("https"),
        .authority = WBA_STR("a.example"),
    };
    char covered[512], base[2048];
    request_t request;
    wba_reason_t why;
    wba_buf_t out;
    size_t i, at;

    (void) state;
    for (i = 0; i < COUNT(of_responses); i++) {
        request_open(&request, RESPONSE_LINES);
        snprintf(covered, sizeof(covered), "(%s)", of_responses[i].component);
        why = build_response(&request, &response, covered, &out, &at);
        expect_reason("response", covered, why, of_responses[i].why);
        if (why == OK) {
            snprintf(base, sizeof(base), "%s: %s\n\"@signature-params\": %s",
                     of_responses[i].component, of_responses[i].value,
                     covered);
            expect_text(covered, wba_buf_view(&out), base);
        } else {
            assert_int_equal(at, 0);
        }
        request_close(&request);
    }
}

/* A status has three digits. */
static void
test_statuses(void **state)
{
    static const unsigned ok[] = { 100, 101, 198, 297, 404, 599, 999 },
                          bad[] = { 0, 99, 1000 };
    wba_response_t response = { .authority = WBA_STR("a.example") };
    char base[128];
    request_t request;
    wba_buf_t out;
    size_t i, at;

    (void) state;
    for (i = 0; i < COUNT(ok); i++) {
        request_open(&request, RESPONSE_LINES);
        response.status = ok[i];
        assert_int_equal(build_response(&request, &response, "(\"@status\")",
                                        &out, &at), OK);
        snprintf(base, sizeof(base), "\"@status\": %u\n"
                 "\"@signature-params\": (\"@status\")", ok[i]);
        expect_text("status", wba_buf_view(&out), base);
        request_close(&request);
    }
    for (i = 0; i < COUNT(bad); i++) {
        request_open(&request, RESPONSE_LINES);
        response.status = bad[i];
        assert_int_equal(build_response(&request, &response, "(\"@status\")",
                                        &out, &at), MISSING);
        request_close(&request);
    }
}

/* The order is the list's; a member of the request beside one of the response
 * gets nothing from it. */
static void
test_response_as_a_whole(void **state)
{
    wba_response_t response = { .status = 200, .authority = WBA_STR("a") };
    const char *covered = "(\"x\" \"@authority\";req \"@status\");tag=\"t\"";
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    request_open(&request, RESPONSE_LINES);
    expect_reason("", covered,
                  build_response(&request, &response, covered, &out, &at), OK);
    expect_text("whole", wba_buf_view(&out),
                "\"x\": a, b\n\"@authority\";req: a\n\"@status\": 200\n"
                "\"@signature-params\": "
                "(\"x\" \"@authority\";req \"@status\");tag=\"t\"");
    expect_reason("", "",
                  build_response(&request, &response,
                                 "(\"priority\";key=\"u\" "
                                 "\"priority\";key=\"u\";req)",
                                 &out, &at),
                  MISSING);
    assert_int_equal(at, 1);
    request_close(&request);
}

static void
test_unknown_request(void **state)
{
    static const char *const parts[] = {
        "(\"@status\")", "(\"@authority\";req)", "(\"@method\";req)",
        "(\"@scheme\";req)",
    };
    static const unsigned statuses[] = { 0, 99, 1000 };
    wba_response_t response = { .status = 0 };
    request_t request;
    wba_buf_t out;
    size_t i, at;

    (void) state;
    request_open(&request, RESPONSE_LINES);
    for (i = 0; i < COUNT(parts); i++) {
        expect_reason("unknown", parts[i],
                      build_response(&request, &response, parts[i], &out, &at),
                      MISSING);
    }
    for (i = 0; i < COUNT(statuses); i++) {
        response.status = statuses[i];
        expect_reason("status", parts[0],
                      build_response(&request, &response, parts[0], &out, &at),
                      MISSING);
    }
    request_close(&request);
}

/* Lines that are each within the bound, and together are not. */
static void
test_lines_together_too_large(void **state)
{
    static char text[WBA_MAX_FIELD + 100];
    request_t request;
    wba_buf_t out;
    size_t at, i;
    char *p;

    (void) state;
    for (i = 0; i < 2; i++) {
        p = text + sprintf(text, "GET / HTTP/1.1\nF: ");
        memset(p, 'x', WBA_MAX_FIELD - 1);
        strcpy(p + WBA_MAX_FIELD - 1, i == 0 ? "\nF: x\n\n" : "\nF: xx\n\n");
        request_open(&request, text);
        expect_reason(i == 0 ? "just" : "one too many", "(\"f\";bs)",
                      build(&request, "(\"f\";bs)", &out, &at),
                      i == 0 ? WBA_REASON_SIGNATURE_BASE_TOO_LARGE
                             : WBA_REASON_FIELD_TOO_LARGE);
        request_close(&request);
    }
}

/* Members of two fields in one list, which are not taken for each other. */
static void
test_members_of_two_fields(void **state)
{
    request_t request;
    wba_buf_t out;
    size_t at;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\nPriority: u=1\n"
                           "Content-Digest: u=:AA==:, sha-256=:BB==:\n\n");
    expect_reason("", "",
                  build(&request,
                        "(\"priority\";key=\"u\" "
                        "\"content-digest\";key=\"u\")",
                        &out, &at),
                  OK);
    expect_text("", wba_buf_view(&out),
                "\"priority\";key=\"u\": 1\n"
                "\"content-digest\";key=\"u\": :AA==:\n"
                "\"@signature-params\": (\"priority\";key=\"u\" "
                "\"content-digest\";key=\"u\")");
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_derived),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_cookie_crumbs),
        cmocka_unit_test(test_signature_params),
        cmocka_unit_test(test_identifiers),
        cmocka_unit_test(test_authority_override),
        cmocka_unit_test(test_missing_answers),
        cmocka_unit_test(test_at),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_too_many_members),
        cmocka_unit_test(test_members_in_one_pass),
        cmocka_unit_test(test_query_params_together),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_responses),
        cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_response_as_a_whole),
        cmocka_unit_test(test_unknown_request),
        cmocka_unit_test(test_lines_together_too_large),
        cmocka_unit_test(test_members_of_two_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
