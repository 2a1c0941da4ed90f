/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests: a captured request in memory of its exact size, so that ASan sees
 * a read beyond its end, and an arena beside it. */
#ifndef WBA_TESTS_REQUEST_H
#define WBA_TESTS_REQUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rawmsg.h"
#include "sigbase.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define REQUEST_ARENA (1024 * 1024)

typedef struct {
    wba_raw_message_t raw;
    const wba_message_t *message;
    wba_arena_t arena;
    wba_mem_t mem;
    uint8_t *text;
    uint8_t *block;
} request_t;

static inline wba_str_t
exact_copy(uint8_t **block, const void *data, size_t len)
{
    *block = malloc(len ? len : 1);
    assert_non_null(*block);
    if (len != 0) {
        memcpy(*block, data, len);
    }
    return wba_str(*block, len);
}

/* Parses text, which must be good. */
static inline void
request_open(request_t *request, const char *text)
{
    wba_str_t copy = exact_copy(&request->text, text, strlen(text));
    size_t line;

    request->block = malloc(REQUEST_ARENA);
    assert_non_null(request->block);
    wba_arena_init(&request->arena, request->block, REQUEST_ARENA);
    request->mem = wba_arena_mem(&request->arena);
    request->message = &request->raw.message;
    assert_int_equal(wba_raw_message_parse(copy, &request->raw, &line),
                     WBA_OK);
}

static inline void
request_close(request_t *request)
{
    free(request->text);
    free(request->block);
}

/* Fails with both texts and the row that is at fault. */
static inline void
expect_text(const char *row, wba_str_t got, const char *want)
{
    if ((got.data == NULL) != (want == NULL)
        || !wba_str_eq(got, wba_str_z(want)))
    {
        fail_msg("%s\n  got:  %.*s\n  want: %s", row, (int) got.len,
                 got.data ? (const char *) got.data : "(none)",
                 want ? want : "(none)");
    }
}

static inline void
expect_number(const char *row, long long got, long long want)
{
    if (got != want) {
        fail_msg("%s: got %lld, want %lld", row, got, want);
    }
}

/* A covered list with its parameters, as text of its exact size. */
typedef struct {
    uint8_t *block;
    wba_sf_value_t value;
    wba_components_t components;
    wba_reason_t why;
    wba_status_t status;
} list_t;

static inline void
list_open(list_t *list, request_t *request, const char *text)
{
    wba_sf_iter_t it;

    wba_sf_list_init(&it, exact_copy(&list->block, text, strlen(text)));
    if (wba_sf_list_next(&it, &list->value) != WBA_OK) {
        fail_msg("no inner list: %s", text);
    }
    list->status = wba_components_parse(&list->value, &request->mem,
                                        &list->components, &list->why);
}

static inline void
list_close(list_t *list)
{
    free(list->block);
}

/* The base of a request, into *out; the reason where there is none. */
static inline wba_reason_t
build(request_t *request, const char *covered, wba_buf_t *out, size_t *at)
{
    wba_str_t authority = WBA_STR_NONE;
    wba_reason_t why;
    wba_status_t status;
    list_t list;

    list_open(&list, request, covered);
    if (list.status != WBA_OK) {
        *at = list.components.count;
        list_close(&list);
        return list.why;
    }
    wba_message_authority(request->message, &request->mem, &authority);
    wba_buf_init(out, &request->mem, WBA_MAX_BASE);
    status = wba_sigbase_build(request->message, authority, &list.value,
                               &list.components, &request->mem, out, &why, at);
    assert_int_equal(status == WBA_OK, why == WBA_REASON_OK);
    list_close(&list);
    return why;
}

static inline void
expect_reason(const char *row, const char *covered, wba_reason_t got,
              wba_reason_t want)
{
    if (got != want) {
        fail_msg("%s\n%s\n  got:  %s\n  want: %s", row, covered,
                 (const char *) wba_reason_info(got)->name.data,
                 (const char *) wba_reason_info(want)->name.data);
    }
}

#endif
