/* SPDX-License-Identifier: BSD-2-Clause */
/* What fetch asks for, and what it makes of answers, certificates, addresses
 * and connections. */
#include "fetch_fixture.h"

/* --- answers, good and bad */

typedef struct {
    const char *path;
    int listener;
    wba_fetch_error_t error;
    int status;
    const char *body;
    const char *reason; /* a part of it */
    size_t max_body;
    long timeout_ms;
} case_t;

static const case_t cases[] = {
    { "/ok", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/301", GOOD, WBA_FETCH_OK, 301, "moved", NULL, 0, 0 },
    { "/304", GOOD, WBA_FETCH_OK, 304, "", NULL, 0, 0 },
    { "/404", GOOD, WBA_FETCH_OK, 404, "no such thing", NULL, 0, 0 },
    { "/empty", GOOD, WBA_FETCH_OK, 200, "", NULL, 0, 0 },
    { "/gzip", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/chunked", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/no-length", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/exact", GOOD, WBA_FETCH_OK, 200, NULL, NULL, 1000, 0 },
    { "/over", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "1000 bytes", 1000, 0 },
    { "/big", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "body", 0, 0 },
    { "/bomb", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "body", 0, 0 },
    { "/nothing-gzipped", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "as sent", 0, 0 },
    { "/many-headers", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "header", 0, 0 },
    { "/x-gzip", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/deflate", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/fold-first", GOOD, WBA_FETCH_PROTOCOL, 200, "", "", 0, 0 },
    { "/no-colon", GOOD, WBA_FETCH_PROTOCOL, 200, "", "colon", 0, 0 },
    { "/no-status", GOOD, WBA_FETCH_PROTOCOL, 0, "", "", 0, 0 },
    { "/no-reason", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/control", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/gzip-empty", GOOD, WBA_FETCH_OK, 200, "", NULL, 0, 0 },
    { "/not-coded", GOOD, WBA_FETCH_OK, 200, BODY, NULL, 0, 0 },
    { "/headers-fit", GOOD, WBA_FETCH_OK, 200, "", NULL, 0, 0 },
    { "/headers-but-one", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "header", 0, 0 },
    { "/headers-fold", GOOD, WBA_FETCH_TOO_LARGE, 200, "", "header", 0, 0 },
    { "/gzip-and-gzip", GOOD, WBA_FETCH_PROTOCOL, 200, "", "coding", 0, 0 },
    { "/transfer-gzip", GOOD, WBA_FETCH_PROTOCOL, 200, "", "coding", 0, 0 },
    { "/http-field", GOOD, WBA_FETCH_PROTOCOL, 200, "", "coding", 0, 0 },
    { "/zstd", GOOD, WBA_FETCH_PROTOCOL, 200, "", "coding", 0, 0 },
    { "/twice", GOOD, WBA_FETCH_PROTOCOL, 200, "", "coding", 0, 0 },
    { "/bad-gzip", GOOD, WBA_FETCH_PROTOCOL, 200, "", "", 0, 0 },
    { "/garbage", GOOD, WBA_FETCH_PROTOCOL, 0, "", "", 0, 0 },
    { "/close", GOOD, WBA_FETCH_CLOSED, 200, "", "", 0, 0 },
    { "/close-at-once", GOOD, WBA_FETCH_CLOSED, 0, "", "", 0, 0 },
    { "/never", GOOD, WBA_FETCH_TIMEOUT, 0, "", "timed out", 0, 200 },
    { "/drip", GOOD, WBA_FETCH_TIMEOUT, 200, "", "timed out", 0, 300 },
    { "/drip-headers", GOOD, WBA_FETCH_TIMEOUT, 200, "", "timed out", 0, 300 },
    { "/headers-only", GOOD, WBA_FETCH_TIMEOUT, 200, "", "timed out", 0, 200 },
    { "/ok", UNKNOWN, WBA_FETCH_TLS, 0, "", "certificate", 0, 0 },
    { "/ok", EXPIRED, WBA_FETCH_TLS, 0, "", "expired", 0, 0 },
    { "/ok", WRONG, WBA_FETCH_TLS, 0, "", "name", 0, 0 },
    { "/ok", OLD, WBA_FETCH_TLS, 0, "", "", 0, 0 },
    { "/ok", PLAIN, WBA_FETCH_URL, 0, "", "", 0, 0 },
};

static void
test_answers(void **state)
{
    wba_fetch_request_t request;
    record_t r;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(cases); i++) {
        const case_t *c = &cases[i];

        request = request_of(url_of(c->listener, "localhost", c->path));
        request.max_body = c->max_body;
        request.timeout_ms = c->timeout_ms ? c->timeout_ms : 5000;
        run(&request, &r);
        if (r.result.error != c->error || r.result.status != c->status
            || (c->body != NULL && strcmp(r.body, c->body) != 0)
            || (c->reason != NULL && !strstr(r.result.reason, c->reason))
            || (r.result.reason[0] == '\0') != (c->error == WBA_FETCH_OK))
        {
            fail_msg("%s on %d: %s (%s), status %d, body \"%s\"", c->path,
                     c->listener, wba_fetch_error_name(r.result.error),
                     r.result.reason, r.result.status, r.body);
        }
        if (c->timeout_ms) {
            assert_in_range(r.result.elapsed_ms, c->timeout_ms,
                            c->timeout_ms + 150);
        }
    }
}

static void
test_answer_in_full(void **state)
{
    wba_str_t name, value;
    char address[64];
    size_t at = 0;
    record_t r;
    int n = 0;

    (void) state;
    get("/ok", &r);
    snprintf(address, sizeof(address), "127.0.0.1:%d", server.port[GOOD]);
    assert_string_equal(r.result.address, address);
    assert_header(&r, "etag", "\"v1\"");
    assert_header(&r, "Cache-Control", "max-age=60");
    assert_header(&r, "SIGNATURE", "one");
    assert_null(wba_fetch_header(&r.result, "absent").data);
    while (wba_fetch_header_next(&r.result, &at, &name, &value)) {
        if (wba_str_eq_nocase(name, WBA_STR("signature")) && ++n == 2) {
            assert_true(wba_str_eq(name, WBA_STR("signature")));
            assert_true(wba_str_eq(value, WBA_STR("two")));
        }
    }
    assert_int_equal(n, 2);
    assert_int_equal(at, r.result.headers.len);
    assert_header(&r, "content-type",
                  "application/http-message-signatures-directory+json; "
                  "charset=utf-8");
    assert_true(r.result.content_type.len != 0);
}

/* Only the final answer's header counts; folded lines are one. */
static void
test_header_lines(void **state)
{
    record_t r;

    (void) state;
    get("/hints", &r);
    assert_header(&r, "ETag", "final");
    assert_null(wba_fetch_header(&r.result, "Link").data);
    get("/chunked", &r);
    assert_null(wba_fetch_header(&r.result, "X-Trailer").data);
    assert_null(wba_fetch_header(&r.result, "ETag").data);
    get("/fold", &r);
    assert_header(&r, "X-Fold", "a b c");
    assert_header(&r, "ETag", "e");
}

/* --- requests */

static void
test_request_headers(void **state)
{
    wba_fetch_request_t request = request_of(
        url_of(GOOD, "localhost", "/echo"));
    record_t r;

    (void) state;
    request.accept = "application/json";
    request.user_agent = "wba/0";
    request.if_none_match = "\"v1\"";
    request.if_modified_since = "Thu, 01 Jan 1970 00:00:00 GMT";
    run(&request, &r);
    assert_non_null(strstr(r.body, "GET /echo HTTP/1.1\r\n"));
    assert_non_null(strstr(r.body, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(r.body, "\r\nUser-Agent: wba/0\r\n"));
    assert_non_null(strstr(r.body, "\r\nIf-None-Match: \"v1\"\r\n"));
    assert_non_null(strstr(r.body, "\r\nIf-Modified-Since: Thu, 01 Jan"));
    assert_non_null(strstr(r.body, "\r\nAccept-Encoding: gzip\r\n"));
}

static void
test_values_that_are_not_sent(void **state)
{
    wba_fetch_request_t request = request_of(
        url_of(GOOD, "localhost", "/echo"));
    char value[WBA_MAX_FETCH_VALUE + 2];
    record_t r;

    (void) state;
    memset(value, 'v', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    request.if_none_match = value;
    request.if_modified_since = "a\r\nX-Injected: 1";
    run(&request, &r);
    assert_null(strstr(r.body, "If-None-Match"));
    assert_null(strstr(r.body, "Injected"));
    request.accept = "";
    request.if_none_match = "a\x7f";
    request.timeout_ms = 0; /* the usual one */
    run(&request, &r);
    assert_null(strstr(r.body, "If-None-Match"));
    assert_non_null(strstr(r.body, "Accept: */*")); /* libcurl's */
    value[WBA_MAX_FETCH_VALUE] = '\0';
    request.if_none_match = value;
    run(&request, &r);
    assert_non_null(strstr(r.body, "If-None-Match: vvv"));
}

static const struct {
    const char *path;
    wba_fetch_error_t error;
    const char *body;
    bool decoded;
} coded[] = {
    { "/ok", WBA_FETCH_OK, BODY, false },
    { "/chunked", WBA_FETCH_OK, BODY, false },
    { "/not-coded", WBA_FETCH_OK, BODY, false },
    { "/gzip", WBA_FETCH_OK, BODY, true },
    { "/x-gzip", WBA_FETCH_OK, BODY, true },
    { "/gzip-empty", WBA_FETCH_OK, "", true },
    { "/bad-gzip", WBA_FETCH_PROTOCOL, "", true },
    { "/twice", WBA_FETCH_PROTOCOL, "", true },
    { "/zstd", WBA_FETCH_PROTOCOL, "", true },
    { "/bomb", WBA_FETCH_TOO_LARGE, "", true },
    { "/nothing-gzipped", WBA_FETCH_TOO_LARGE, "", true },
};

/* As Content-Digest needs it: no coding is asked for, and one that comes all
 * the same is taken off and told of. */
static void
test_identity(void **state)
{
    wba_fetch_request_t request = request_of(
        url_of(GOOD, "localhost", "/echo"));
    record_t r;
    size_t i;

    (void) state;
    request.identity = true;
    run(&request, &r);
    assert_non_null(strstr(r.body, "\r\nAccept-Encoding: identity"));
    assert_null(strstr(r.body, "gzip"));
    for (i = 0; i < 2 * COUNT(coded); i++) {
        size_t at = i / 2;

        request = request_of(url_of(GOOD, "localhost", coded[at].path));
        request.identity = i % 2 == 0;
        run(&request, &r);
        if (r.result.error != coded[at].error
            || r.result.decoded != coded[at].decoded
            || strcmp(r.body, coded[at].body) != 0)
        {
            fail_msg("%s%s: %s (%s), decoded %d", coded[at].path,
                     request.identity ? " as identity" : "",
                     wba_fetch_error_name(r.result.error), r.result.reason,
                     r.result.decoded);
        }
    }
}

/* Dot segments, percent-encodings and all: what was signed for is asked. */
static void
test_path_as_it_stands(void **state)
{
    static const char *const paths[] = {
        "/a/../b/./echo", "/../echo", "/a/%2e%2e/echo", "//a//echo",
        "/%7Ea/%7ea/echo", "/echo?a/../b=%41", "/echo?",
    };
    char line[80];
    size_t i;
    record_t r;

    (void) state;
    for (i = 0; i < COUNT(paths); i++) {
        get(paths[i], &r);
        snprintf(line, sizeof(line), "GET %s HTTP/1.1\r\n", paths[i]);
        if (strncmp(r.body, line, strlen(line)) != 0) {
            fail_msg("%s: %s", paths[i], r.body);
        }
    }
}

/* Nothing but the request decides: no proxy of the environment's, no password
 * of a .netrc, nothing that an earlier answer wanted to be remembered
 * (cookies, Alt-Svc, HSTS). */
static void
test_environment_and_memory_are_ignored(void **state)
{
    static const char *const names[] = {
        "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "http_proxy",
        "HTTP_PROXY",
    };
    wba_fetch_request_t request;
    char netrc[160];
    record_t r;
    FILE *file;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(names); i++) {
        setenv(names[i], i % 2 ? "socks5://127.0.0.1:1" : "http://127.0.0.1:1",
               1);
    }
    setenv("HOME", server.folder, 1);
    snprintf(netrc, sizeof(netrc), "%s/.netrc", server.folder);
    setenv("NETRC", netrc, 1);
    file = fopen(netrc, "w");
    assert_non_null(file);
    fputs("machine localhost login a password b\n", file);
    fclose(file);

    get("/ok", &r); /* wants much to be remembered */
    assert_int_equal(r.result.error, WBA_FETCH_OK);
    request = request_of(url_of(GOOD, "localhost", "/echo"));
    for (i = 0; i < 2; i++) {
        request.fresh_connection = i == 0;
        run(&request, &r);
        assert_int_equal(r.result.error, WBA_FETCH_OK);
        assert_null(strstr(r.body, "Cookie"));
        assert_null(strstr(r.body, "Authorization"));
        assert_null(strstr(r.body, "Alt-Used"));
    }
    request = request_of(url_of(PLAIN, "localhost", "/echo"));
    request.allow_http = true;
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);

    for (i = 0; i < COUNT(names); i++) {
        unsetenv(names[i]);
    }
    unsetenv("NETRC");
}

static void
test_urls(void **state)
{
    static const char *const urls[] = {
        "http://localhost/",      "file:///etc/passwd", "ftp://localhost/",
        "https://u:p@localhost/", "https://u@localhost/", "gopher://localhost/",
        "localhost",              "https://",           "",
        "https://local host/",    "https://localhost:99999/",
        "https://[::1",           "https://a\n.test/",
    };
    wba_fetch_request_t request;
    record_t r;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(urls); i++) {
        request = request_of(urls[i]);
        run(&request, &r);
        if (r.result.error != WBA_FETCH_URL || r.result.reason[0] == '\0') {
            fail_msg("\"%s\": %s (%s)", urls[i],
                     wba_fetch_error_name(r.result.error), r.result.reason);
        }
    }
    request = request_of(url_of(PLAIN, "localhost", "/ok"));
    request.allow_http = true;
    run(&request, &r);
    assert_string_equal(r.body, BODY);
}

static void
test_trust(void **state)
{
    wba_fetch_request_t request;
    record_t r;

    (void) state;
    request = request_of(url_of(UNKNOWN, "localhost", "/ok"));
    request.trusted_certificate = server.other;
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
    request.url = url_of(GOOD, "127.0.0.1", "/ok");
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_TLS);
    request.trusted_certificate = NULL;
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_TLS);
    request.trusted_certificate = "/nonexistent.pem";
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_TLS);
    assert_non_null(strstr(r.result.reason, "/nonexistent.pem"));
}

/* Authorities as text are the only ones, whatever file is named beside. */
static void
test_trust_in_text(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "localhost", "/ok"));
    char pem[8192];
    FILE *file = fopen(server.other, "r");
    record_t r;

    (void) state;
    assert_non_null(file);
    pem[fread(pem, 1, sizeof(pem) - 1, file)] = '\0';
    fclose(file);
    request.trusted_pem = wba_str_z(pem);
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_TLS);
    request.url = url_of(UNKNOWN, "localhost", "/ok");
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
}

/* --- addresses and connections */

static int refusals;

static bool
not_127_0_0_2(void *ctx, const struct sockaddr *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *) address;

    (void) ctx;
    if (in->sin_addr.s_addr == htonl(0x7f000002)) {
        refusals++;
        return false;
    }
    return true;
}

static bool
nothing(void *ctx, const struct sockaddr *address)
{
    record_t *r = ctx;

    (void) address;
    eye.wrong += r->done;
    refusals++;
    return false;
}

/* Listens there, accepts and never says a word. */
static void
test_address_of_ipv6(void **state)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6,
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    wba_fetch_request_t request;
    socklen_t len = sizeof(in);
    char url[96], address[64];
    record_t r;

    (void) state;
    assert_int_equal(bind(fd, (struct sockaddr *) &in, sizeof(in)), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *) &in, &len), 0);
    snprintf(address, sizeof(address), "[::1]:%d", ntohs(in.sin6_port));
    snprintf(url, sizeof(url), "https://%s/", address);
    request = request_of(url);
    request.timeout_ms = 200;
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_TIMEOUT);
    assert_string_equal(r.result.address, address);
    close(fd);
}

static void
test_addresses(void **state)
{
    wba_fetch_request_t request;
    record_t r;

    (void) state;
    request = request_of(url_of(GOOD, "two.test", "/ok"));
    request.allow_address = not_127_0_0_2;
    refusals = 0;
    run(&request, &r);
    assert_int_equal(refusals, 1);
    assert_int_equal(r.result.error, WBA_FETCH_OK);
    assert_string_equal(r.result.reason, "");

    request.allow_address = nothing;
    run(&request, &r);
    assert_int_equal(refusals, 3);
    assert_int_equal(r.result.error, WBA_FETCH_REFUSED);
    assert_non_null(strstr(r.result.reason, "127.0.0."));
    request.url = "https://[::1]:1/";
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_REFUSED);
    assert_string_equal(r.result.reason,
                        "the host's address ::1 is not allowed");

    request = request_of("https://127.0.0.1:1/"); /* nobody listens */
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_CONNECT);
    request.allow_address = not_127_0_0_2;
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_CONNECT);
    request.url = "https://none.test/";
    run(&request, &r);
    assert_int_equal(r.result.error, WBA_FETCH_RESOLVE);
}

/* Listens on 127.0.0.2, where two.test looks first, and answers nothing: its
 * queue is full.  The descriptors end up in fds. */
static void
black_hole(int fds[8])
{
    struct sockaddr_in in = { .sin_family = AF_INET };
    int i;

    in.sin_port = htons((uint16_t) server.port[GOOD]);
    in.sin_addr.s_addr = htonl(0x7f000002);
    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fds[0], (struct sockaddr *) &in, sizeof(in)), 0);
    assert_int_equal(listen(fds[0], 0), 0);
    for (i = 1; i < 8; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fds[i], (struct sockaddr *) &in, sizeof(in));
    }
}

/* The first address has half of the time, or until its packet is sent again
 * after a second and refused, and what is left must do for the next.  Newer
 * libcurl tries the next beside it after 200 ms. */
static void
test_next_address_after_a_dead_one(void **state)
{
    wba_fetch_request_t request;
    int fds[8], i;
    record_t r, late, half;
    bool beside = curl_version_info(CURLVERSION_NOW)->version_num >= 0x080f00;

    (void) state;
    black_hole(fds);
    request = request_of(url_of(GOOD, "127.0.0.2", "/ok"));
    request.timeout_ms = 200;
    assert_non_null(start(&request, &late));
    request = request_of(url_of(GOOD, "two.test", "/ok"));
    assert_non_null(start(&request, &r));
    request.timeout_ms = 800;
    assert_non_null(start(&request, &half));
    assert_true(wba_poll_run(eye.poll, eye.fetch, &half.done, 900));
    assert_int_equal(late.result.error, WBA_FETCH_TIMEOUT);
    assert_int_equal(half.result.error, WBA_FETCH_OK);
    assert_in_range(half.result.elapsed_ms, beside ? 200 : 400, 400 + SOON);
    for (i = 0; i < 8; i++) {
        close(fds[i]);
    }
    assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 5000));
    assert_int_equal(r.result.error, WBA_FETCH_OK);
    assert_in_range(r.result.elapsed_ms, beside ? 200 : 900, 4000);
}

static int
connection_of(const wba_fetch_request_t *request)
{
    wba_str_t value;
    record_t r;

    run(request, &r);
    value = wba_fetch_header(&r.result, "X-Connection");
    return atoi((const char *) value.data); /* up to the LF */
}

static void
test_connections_are_shared_unless_fresh(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "a.test", "/echo"));
    wba_fetch_request_t fresh = request;
    wba_fetch_request_t judged = request;
    int first, kept;

    (void) state;
    fresh.fresh_connection = true;
    judged.allow_address = not_127_0_0_2;
    first = connection_of(&fresh);
    kept = connection_of(&request);
    assert_int_not_equal(kept, first); /* nobody gets a fresh one */
    assert_int_equal(connection_of(&request), kept);
    assert_int_not_equal(connection_of(&fresh), kept);
    assert_int_not_equal(connection_of(&judged), kept);
    assert_int_equal(connection_of(&request), kept);
    assert_int_equal(eye.watched, 0); /* an idle connection is not watched */
}

/* Not even at the same time, in whatever order they begin. */
static void
test_connections_of_judged_jobs_are_theirs(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "a.test", "/echo"));
    wba_fetch_request_t judged = request;
    record_t r[6];
    int numbers[6];
    size_t i, j;

    (void) state;
    judged.allow_address = not_127_0_0_2;
    for (i = 0; i < COUNT(r); i++) {
        assert_non_null(start(i % 2 ? &request : &judged, &r[i]));
    }
    for (i = 0; i < COUNT(r); i++) {
        assert_true(wba_poll_run(eye.poll, eye.fetch, &r[i].done, 5000));
        assert_int_equal(r[i].result.error, WBA_FETCH_OK);
        numbers[i] = atoi(
            (const char *) wba_fetch_header(&r[i].result, "X-Connection")
                .data);
        for (j = 0; j < i; j++) {
            assert_true((i % 2 && j % 2) || numbers[i] != numbers[j]);
        }
    }
}

/* A TLS session would tell a server which fetches come from one place. */
static void
test_sessions_are_not_shared_with_judged_jobs(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "a.test", "/last"));
    record_t r;
    int i;

    (void) state;
    run(&request, &r); /* libcurl may keep a session of this one */
    assert_header(&r, "X-Resumed", "False");
    request.allow_address = not_127_0_0_2;
    for (i = 0; i < 2; i++) {
        run(&request, &r);
        assert_header(&r, "X-Resumed", "False");
    }
}

static struct sockaddr_in judged_last;

static bool
remember(void *ctx, const struct sockaddr *address)
{
    (void) ctx;
    memcpy(&judged_last, address, sizeof(judged_last));
    return true;
}

/* Every time, whether the name was looked up or remembered. */
static void
test_the_address_judged_is_connected_to(void **state)
{
    wba_fetch_request_t request = request_of(url_of(GOOD, "two.test", "/ok"));
    char text[64];
    record_t r;
    int i;

    (void) state;
    request.allow_address = remember;
    for (i = 0; i < 3; i++) {
        memset(&judged_last, 0, sizeof(judged_last));
        run(&request, &r);
        assert_int_equal(r.result.error, WBA_FETCH_OK);
        snprintf(text, sizeof(text), "%s:%d",
                 inet_ntoa(judged_last.sin_addr),
                 ntohs(judged_last.sin_port));
        assert_string_equal(r.result.address, text);
    }
}

static void
test_error_names(void **state)
{
    int i, j;

    (void) state;
    for (i = WBA_FETCH_OK; i <= WBA_FETCH_MEMORY; i++) {
        for (j = WBA_FETCH_OK; j < i; j++) {
            assert_string_not_equal(
                wba_fetch_error_name((wba_fetch_error_t) i),
                wba_fetch_error_name((wba_fetch_error_t) j));
        }
    }
    assert_string_equal(wba_fetch_error_name((wba_fetch_error_t) 99),
                        "unknown");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_answer_in_full),
        TEST(test_header_lines),
        TEST(test_request_headers),
        TEST(test_values_that_are_not_sent),
        TEST(test_identity),
        TEST(test_path_as_it_stands),
        TEST(test_environment_and_memory_are_ignored),
        TEST(test_urls),
        TEST(test_trust),
        TEST(test_trust_in_text),
        TEST(test_addresses),
        TEST(test_address_of_ipv6),
        TEST(test_next_address_after_a_dead_one),
        TEST(test_connections_are_shared_unless_fresh),
        TEST(test_connections_of_judged_jobs_are_theirs),
        TEST(test_sessions_are_not_shared_with_judged_jobs),
        TEST(test_the_address_judged_is_connected_to),
        cmocka_unit_test(test_error_names),
    };

    return cmocka_run_group_tests(tests, all_setup, all_teardown);
}
