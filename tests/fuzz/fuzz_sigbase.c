/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signature base: bounded, the same each time, a line for each component
 * that begins with its identifier, and the parameters' line; no byte that a
 * base may not hold.
 *
 * Input: settings, covered list LF, the text of the request or response.
 */
#include "fuzz.h"
#include "rawmsg.h"
#include "sigbase.h"

static fuzz_mem_t m;
static wba_raw_message_t raw;
static wba_components_t covered;
static wba_sf_value_t list;

/* Cuts a line off base, without its LF; the last one has none. */
static wba_str_t
take_line(wba_str_t *base)
{
    const uint8_t *lf = memchr(base->data, '\n', base->len);
    wba_str_t line = *base;

    if (lf != NULL) {
        line.len = (size_t) (lf - base->data);
        *base = wba_str(lf + 1, base->len - line.len - 1);
    } else {
        base->len = 0;
    }
    return line;
}

static void
begins(wba_str_t line, wba_str_t start)
{
    CHECK(line.len >= start.len);
    CHECK_SAME(wba_str(line.data, start.len), start);
}

/* The lines of a base that was built whole. */
static void
lines(wba_str_t base, wba_str_t sent)
{
    wba_sf_value_t item;
    wba_sf_iter_t it;
    wba_str_t line;
    wba_buf_t buf;
    size_t i;

    for (i = 0; i < base.len; i++) {
        CHECK(base.data[i] == '\n'
              || (base.data[i] >= 0x20 && base.data[i] < 0x7f)
              || (base.data[i] == '\t'));
    }
    wba_sf_inner_init(&it, &list);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        line = take_line(&base);
        wba_buf_init(&buf, &m.mem, WBA_MAX_BASE);
        wba_sf_write_value(&buf, &item);
        wba_buf_lit(&buf, ": ");
        begins(line, wba_buf_view(&buf));
    }
    wba_buf_init(&buf, &m.mem, 2 * WBA_MAX_BASE);
    wba_buf_lit(&buf, "\"@signature-params\": ");
    if (sent.data != NULL) {
        wba_buf_str(&buf, sent);
    } else {
        wba_sf_write_inner_list(&buf, &list);
    }
    CHECK_SAME(base, wba_buf_view(&buf));
}

typedef wba_status_t (*build_pt)(wba_str_t authority, wba_buf_t *out,
                                 wba_reason_t *why, size_t *at);

static wba_status_t
build_request(wba_str_t authority, wba_buf_t *out, wba_reason_t *why,
              size_t *at)
{
    return wba_sigbase_build(&raw.message, authority, &list, &covered, &m.mem,
                             out, why, at);
}

static wba_status_t
build_as_sent(wba_str_t authority, wba_buf_t *out, wba_reason_t *why,
              size_t *at)
{
    return wba_sigbase_build_as_sent(&raw.message, authority, &list, list.raw,
                                     &covered, &m.mem, out, why, at);
}

static wba_status_t
build_response(wba_str_t authority, wba_buf_t *out, wba_reason_t *why,
               size_t *at)
{
    wba_response_t response = {
        .message = &raw.message,
        .status = (unsigned) raw.target.len * 37,
        .method = raw.method,
        .scheme = WBA_STR("https"),
        .authority = authority,
    };

    return wba_sigbase_build_response(&response, &list, &covered, &m.mem, out,
                                      why, at);
}

static void
build(build_pt how, wba_str_t authority)
{
    wba_reason_t why, why_again;
    wba_buf_t once, twice;
    wba_status_t status;
    size_t at, at_again;

    wba_buf_init(&once, &m.mem, WBA_MAX_BASE);
    status = how(authority, &once, &why, &at);
    CHECK((status == WBA_OK) == (why == WBA_REASON_OK));
    CHECK(at <= covered.count);
    CHECK(once.len <= WBA_MAX_BASE);
    wba_buf_init(&twice, &m.mem, WBA_MAX_BASE);
    CHECK(how(authority, &twice, &why_again, &at_again) == status);
    CHECK(why == why_again && at == at_again);
    CHECK_SAME(wba_buf_view(&once), wba_buf_view(&twice));
    if (status == WBA_OK) {
        lines(wba_buf_view(&once),
              how == build_as_sent ? list.raw : WBA_STR_NONE);
    }
}

static void
request(void)
{
    wba_str_t authority = WBA_STR_NONE;

    if (wba_message_authority(&raw.message, &m.mem, &authority) != WBA_OK) {
        authority = WBA_STR_NONE;
    }
    build(build_request, authority);
    build(build_as_sent, authority);
    build(build_request, WBA_STR("other.example"));
    build(build_request, WBA_STR_NONE);
}

static bool
parse_list(wba_str_t text, bool response)
{
    wba_reason_t why;
    wba_sf_iter_t it;

    wba_sf_list_init(&it, text);
    if (wba_sf_list_next(&it, &list) != WBA_OK
        || list.type != WBA_SF_INNER_LIST)
    {
        return false;
    }
    return (response ? wba_components_parse_response : wba_components_parse)(
               &list, &m.mem, &covered, &why)
           == WBA_OK;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned settings = fuzz_byte(&in);
    bool response = (settings & 1) != 0;
    size_t line;

    fuzz_mem_init(&m);
    if (parse_list(fuzz_copy(&m, fuzz_until(&in, '\n')), response)
        && wba_raw_message_parse(fuzz_copy(&m, in), &raw, &line) == WBA_OK)
    {
        raw.scheme = settings & 2 ? WBA_STR("HTTP") : WBA_STR("https");
        if (settings & 4) {
            raw.authority_override = WBA_STR("Override.example:443");
        }
        if (response) {
            build(build_response, WBA_STR("shop.example"));
        } else {
            request();
        }
    }
    fuzz_mem_free(&m);
    return 0;
}
