/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * URLs: the parts make up the text; normal forms are their own normal form;
 * patterns match what they stand for.  Query parameters: the one form that
 * equal ones share is its own.
 *
 * Input: text, LF, another text.
 */
#include "fuzz.h"
#include "agent_pattern.h"
#include "form.h"
#include "message.h"
#include "uri.h"
#include "wba_limits.h"

static fuzz_mem_t m;

static void
add(wba_buf_t *buf, const char *before, wba_str_t part)
{
    if (part.data != NULL) {
        wba_buf_add(buf, before, strlen(before));
        wba_buf_str(buf, part);
    }
}

static void
parse(wba_str_t text)
{
    wba_str_t parts[8];
    wba_buf_t buf;
    wba_uri_t uri;
    size_t i;

    if (wba_uri_parse(text, &uri) != WBA_OK) {
        return;
    }
    memcpy(parts, (wba_str_t[]) { uri.scheme, uri.userinfo, uri.host, uri.port,
                                  uri.path, uri.query, uri.fragment,
                                  uri.authority },
           sizeof(parts));
    for (i = 0; i < COUNT(parts); i++) {
        CHECK(fuzz_within(parts[i], text));
    }
    CHECK(uri.scheme.len && uri.host.len && uri.authority.len);
    wba_buf_init(&buf, &m.mem, 2 * text.len + 16);
    if (uri.userinfo.data != NULL) {
        wba_buf_str(&buf, uri.userinfo);
        wba_buf_byte(&buf, '@');
    }
    wba_buf_str(&buf, uri.host);
    add(&buf, ":", uri.port);
    CHECK_SAME(wba_buf_view(&buf), uri.authority);
    wba_buf_init(&buf, &m.mem, 2 * text.len + 16);
    wba_buf_str(&buf, uri.scheme);
    add(&buf, "://", uri.authority);
    wba_buf_str(&buf, uri.path);
    add(&buf, "?", uri.query);
    add(&buf, "#", uri.fragment);
    CHECK_SAME(wba_buf_view(&buf), text);
}

static void
authority(wba_str_t text, wba_str_t scheme)
{
    wba_str_t once, twice;
    size_t i;

    if (wba_authority_normalise(&m.mem, text, scheme, &once) != WBA_OK) {
        return;
    }
    CHECK(once.len != 0 && once.len <= text.len);
    for (i = 0; i < once.len; i++) {
        CHECK(once.data[i] == wba_lower(once.data[i]));
        CHECK(once.data[i] > 0x20 && once.data[i] < 0x7f);
        CHECK(once.data[i] != '@' && once.data[i] != '/');
    }
    CHECK(wba_authority_normalise(&m.mem, once, scheme, &twice) == WBA_OK);
    CHECK_SAME(once, twice);
}

/* An https URL without what a key set's URL may not have. */
static void
is_fetchable(wba_str_t url)
{
    wba_str_t authority_form;
    wba_uri_t uri;

    CHECK(wba_uri_parse(url, &uri) == WBA_OK);
    CHECK_SAME(uri.scheme, WBA_STR("https"));
    CHECK(uri.userinfo.data == NULL && uri.fragment.data == NULL);
    CHECK(wba_authority_normalise(&m.mem, uri.authority, uri.scheme,
                                  &authority_form)
          == WBA_OK);
    CHECK_SAME(authority_form, uri.authority);
}

static void
identity(wba_str_t id)
{
    wba_str_t again;
    wba_uri_t uri;
    size_t i;

    is_fetchable(id);
    CHECK(wba_uri_parse(id, &uri) == WBA_OK);
    CHECK(uri.query.data == NULL);
    CHECK(wba_agent_identity(&m.mem, id, &again) == WBA_OK);
    CHECK_SAME(again, id);
    for (i = 0; i + 2 < uri.path.len; i++) {
        CHECK(memcmp(uri.path.data + i, "/./", 3) != 0);
        CHECK(i + 3 >= uri.path.len
              || memcmp(uri.path.data + i, "/../", 4) != 0);
    }
}

static void
agent(wba_str_t url)
{
    wba_agent_type_t type;
    wba_str_t resolved, again, id, found;
    wba_status_t status;

    status = wba_agent_identity(&m.mem, url, &id);
    CHECK(wba_agent_resolve(&m.mem, url, &resolved) == status);
    if (status != WBA_OK) {
        return;
    }
    CHECK(url.len <= WBA_MAX_URL);
    is_fetchable(resolved);
    identity(id);
    CHECK(resolved.len <= WBA_MAX_URL + sizeof(WBA_WELL_KNOWN_PATH));
    if (resolved.len <= WBA_MAX_URL) {
        CHECK(wba_agent_resolve(&m.mem, resolved, &again) == WBA_OK);
        CHECK_SAME(again, resolved);
    }
    for (type = WBA_AGENT_TYPE_NONE; type <= WBA_AGENT_TYPE_JWKS_URI; type++) {
        CHECK(wba_agent_locate(&m.mem, url, type, &found, &again) == WBA_OK);
        is_fetchable(found);
        identity(again);
        if (type == WBA_AGENT_TYPE_NONE) {
            CHECK_SAME(found, resolved);
            CHECK_SAME(again, id);
        }
    }
}

static void
pattern(wba_str_t text, wba_str_t url)
{
    wba_agent_pattern_t p;
    wba_str_t resolved;

    if (wba_agent_pattern_parse(&m.mem, text, &p) != WBA_OK) {
        return;
    }
    if (p.kind != WBA_AGENT_SUFFIX
        && wba_agent_resolve(&m.mem, text, &resolved) == WBA_OK)
    {
        CHECK(wba_agent_pattern_matches(&p, resolved));
        CHECK(wba_agent_pattern_names(&p, resolved));
    }
    if (wba_agent_resolve(&m.mem, url, &resolved) == WBA_OK) {
        bool matches = wba_agent_pattern_matches(&p, resolved);

        CHECK(matches || !wba_agent_pattern_names(&p, resolved));
        if (p.kind == WBA_AGENT_URL) {
            CHECK(matches == wba_str_eq(p.text, resolved));
        }
    }
}

static void
target(wba_str_t method, wba_str_t text)
{
    wba_target_t t;
    wba_buf_t buf;

    wba_target_parse(method, text, &t);
    CHECK(fuzz_within(t.scheme, text) && fuzz_within(t.authority, text)
          && fuzz_within(t.path, text) && fuzz_within(t.query, text));
    if (t.form != WBA_TARGET_ORIGIN && t.form != WBA_TARGET_ABSOLUTE) {
        return;
    }
    wba_buf_init(&buf, &m.mem, text.len + 16);
    if (t.form == WBA_TARGET_ABSOLUTE) {
        wba_buf_str(&buf, t.scheme);
        add(&buf, "://", t.authority);
    }
    wba_buf_str(&buf, t.path);
    add(&buf, "?", t.query);
    CHECK_SAME(wba_buf_view(&buf), text);
}

/* Decoded and encoded again, it is itself. */
static void
form(wba_str_t query)
{
    wba_str_t name, value, rest = query;
    wba_buf_t once, twice;
    unsigned n = 0;

    while (wba_form_next(&rest, &name, &value) && ++n < 64) {
        CHECK(fuzz_within(name, query) && fuzz_within(value, query));
        wba_buf_init(&once, &m.mem, 16 * query.len + 16);
        wba_form_write(&once, name);
        CHECK(once.status == WBA_OK);
        CHECK(wba_form_name_is(name, wba_buf_view(&once)));
        wba_buf_init(&twice, &m.mem, 16 * query.len + 16);
        wba_form_write(&twice, wba_buf_view(&once));
        CHECK_SAME(wba_buf_view(&once), wba_buf_view(&twice));
    }
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
    wba_str_t first, second;

    fuzz_mem_init(&m);
    first = fuzz_copy(&m, fuzz_until(&in, '\n'));
    second = fuzz_copy(&m, in);
    parse(first);
    authority(first, WBA_STR("https"));
    authority(first, second);
    agent(first);
    pattern(first, second);
    target(WBA_STR("GET"), first);
    target(WBA_STR("CONNECT"), first);
    form(first);
    fuzz_mem_free(&m);
    return 0;
}
