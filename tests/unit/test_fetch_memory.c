/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetching when one thing in turn is not to be had: memory of ours, a handle
 * or an option of libcurl's, a descriptor to watch.  The files under test are
 * included, so that what they call can fail. */
#define _GNU_SOURCE /* as fetch.c has it */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>

#include <curl/curl.h>

static unsigned calls, fail_at; /* from 1; 0: nothing fails */

static bool
refused(void)
{
    if (++calls != fail_at) {
        return false;
    }
    errno = ENOMEM;
    return true;
}

#undef curl_easy_setopt
#undef curl_multi_setopt

#define calloc(n, size) (refused() ? NULL : calloc(n, size))
#define realloc(p, size) (refused() ? NULL : realloc(p, size))
#define fcntl(fd, what, n) (refused() ? -1 : fcntl(fd, what, n))
#define curl_global_init(flags) \
    (refused() ? CURLE_FAILED_INIT : curl_global_init(flags))
#define curl_easy_init() (refused() ? NULL : curl_easy_init())
#define curl_multi_init() (refused() ? NULL : curl_multi_init())
#define curl_easy_setopt(easy, option, value) \
    (refused() ? CURLE_OUT_OF_MEMORY : curl_easy_setopt(easy, option, value))
#define curl_multi_setopt(multi, option, value) \
    (refused() ? CURLM_OUT_OF_MEMORY : curl_multi_setopt(multi, option, value))
#define curl_multi_add_handle(multi, easy) \
    (refused() ? CURLM_OUT_OF_MEMORY : curl_multi_add_handle(multi, easy))
#define curl_slist_append(list, text) \
    (refused() ? NULL : curl_slist_append(list, text))
#include "../../src/fetch/fetch.c"
#include "../../src/fetch/fetch_answer.c"
#include "../../src/fetch/fetch_setup.c"
#include "../../src/fetch/fetch_socket.c"
#define find poll_find
#define watch poll_watch
#define now_ms poll_now_ms
#include "../../src/fetch/wba_poll.c"
#undef find
#undef watch
#undef now_ms
#undef calloc
#undef realloc
#undef fcntl
#undef curl_easy_init

#include "fetch_fixture.h"

static bool
anybody(void *ctx, const struct sockaddr *address)
{
    (void) ctx;
    (void) address;
    return true;
}

/* Everything that a request may ask for. */
static wba_fetch_request_t
full_request(const char *pem)
{
    wba_fetch_request_t request = request_of(
        url_of(GOOD, "localhost", "/ok"));

    request.accept = "application/json";
    request.user_agent = "test";
    request.if_none_match = "\"none\"";
    request.if_modified_since = "Tue, 14 Nov 2023 22:13:20 GMT";
    request.identity = true;
    if (pem != NULL) {
        request.trusted_pem = wba_str_z(pem);
        request.allow_address = anybody;
    }
    return request;
}

/* One fetch from the first call to the last; whether it came to the failure.
 * It is answered, or says why not, or was never begun, of which nobody hears
 * any more. */
static bool
walk(unsigned at, const char *pem)
{
    wba_fetch_request_t request = full_request(pem);
    bool failed, begun = false;
    record_t r;

    memset(&eye, 0, sizeof(eye));
    memset(&r, 0, sizeof(r));
    calls = 0;
    fail_at = at;
    eye.poll = wba_poll_new();
    eye.fetch = eye.poll == NULL ? NULL
                                 : wba_fetch_new(&eye_hooks, eye.poll, 0);
    if (eye.fetch != NULL) {
        begun = start(&request, &r) != NULL;
        if (begun) {
            assert_true(wba_poll_run(eye.poll, eye.fetch, &r.done, 10000));
        }
    }
    failed = calls >= at;
    fail_at = 0;
    assert_int_equal(r.calls, begun);
    if (begun && r.result.error == WBA_FETCH_OK) {
        assert_string_equal(r.body, BODY);
    } else if (begun) {
        assert_true(r.result.error == WBA_FETCH_MEMORY
                    || r.result.error == WBA_FETCH_DESCRIPTORS);
        assert_string_not_equal(r.result.reason, "");
        assert_true(failed);
    } else {
        assert_true(failed);
    }
    if (eye.fetch != NULL) { /* and the next one is none the worse */
        run(&request, &r);
        assert_string_equal(r.body, BODY);
        eye_close();
    } else {
        wba_poll_free(eye.poll);
    }
    return failed;
}

static void
test_each(void **state)
{
    unsigned at = 1;

    (void) state;
    while (walk(at, NULL)) {
        at++;
    }
    assert_in_range(at, 45, 200);
}

/* The same with authorities as text, and addresses to be judged. */
static void
test_each_of_text(void **state)
{
    char pem[8192];
    FILE *file = fopen(server.ca, "r");
    unsigned at = 1;

    (void) state;
    assert_non_null(file);
    pem[fread(pem, 1, sizeof(pem) - 1, file)] = '\0';
    fclose(file);
    while (walk(at, pem)) {
        at++;
    }
    assert_in_range(at, 45, 200);
}

static void
test_libcurl_does_not_start(void **state)
{
    (void) state;
    calls = 0;
    fail_at = 1;
    assert_false(wba_fetch_global_init());
    fail_at = 0;
}

/* Many descriptors need room for more in the loop, which may not be had. */
static void
test_loop_without_room(void **state)
{
    wba_poll_t *loop = wba_poll_new();
    void *slot = NULL;
    int fd, ready;

    (void) state;
    for (fd = 0; fd < FIRST_FDS; fd++) {
        assert_true(wba_poll_hooks.watch(loop, fd, WBA_FETCH_READ, &slot));
    }
    calls = 0;
    for (fail_at = 1; fail_at <= 2; fail_at++) {
        calls = 0;
        assert_false(wba_poll_hooks.watch(loop, fd, WBA_FETCH_READ, &slot));
        assert_int_equal(wba_poll_watched(loop), FIRST_FDS);
    }
    fail_at = 0;
    assert_true(wba_poll_hooks.watch(loop, fd, WBA_FETCH_READ, &slot));
    assert_int_equal(wba_poll_watched(loop), FIRST_FDS + 1);
    for (ready = 0; ready <= fd; ready++) {
        assert_true(wba_poll_hooks.watch(loop, ready, 0, &slot));
        assert_true(wba_poll_hooks.watch(loop, ready, 0, &slot)); /* again */
    }
    assert_int_equal(wba_poll_watched(loop), 0);
    wba_poll_free(loop);
    wba_poll_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_each_of_text),
        cmocka_unit_test(test_libcurl_does_not_start),
        cmocka_unit_test(test_loop_without_room),
    };

    return cmocka_run_group_tests(tests, all_setup, all_teardown);
}
