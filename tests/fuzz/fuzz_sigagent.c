/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signature-Agent: whom a signature is attributed to is always a member that
 * it covers, and an https URL that resolves and has an identity.
 *
 * Input: leniencies, label LF, covered list LF, the request's text.
 */
#include "fuzz.h"
#include "profile.h"
#include "rawmsg.h"
#include "siginput.h"
#include "uri.h"

#define ALL                                                     \
    (WBA_LENIENT_UNQUOTED_AGENT | WBA_LENIENT_AGENT_TYPE        \
     | WBA_LENIENT_BARE_JWK | WBA_LENIENT_VISA_SAMPLE)

static fuzz_mem_t m;
static wba_raw_message_t raw;
static wba_components_t covered;

static bool
covers(wba_str_t key)
{
    size_t i;

    for (i = 0; i < covered.count; i++) {
        const wba_component_t *c = &covered.items[i];

        if (wba_str_eq(c->name, WBA_STR("signature-agent"))
            && (c->key.data == NULL || wba_str_eq(c->key, key)))
        {
            return true;
        }
    }
    return false;
}

/* The field's own word about the member. */
static void
is_sent(const wba_sigagent_t *agent, wba_str_t field)
{
    wba_sf_value_t value;
    wba_str_t url;

    if (agent->lenient & WBA_LENIENT_UNQUOTED_AGENT) {
        CHECK_SAME(agent->url, field);
        return;
    }
    if (field.data[0] == '"') {
        CHECK(wba_sf_item_parse(field, &value) == WBA_OK);
        CHECK(agent->key.len == 0);
    } else {
        CHECK(wba_sf_dict_find(field, agent->key, &value) == WBA_OK);
    }
    CHECK(value.type == WBA_SF_STRING);
    CHECK(wba_sf_string(&value, &m.mem, &url) == WBA_OK);
    CHECK_SAME(url, agent->url);
    CHECK((value.params.len != 0)
          == ((agent->lenient & WBA_LENIENT_AGENT_TYPE) != 0));
}

static void
is_agent(const wba_sigagent_t *agent)
{
    wba_str_t again;
    wba_uri_t uri;

    CHECK(wba_uri_parse(agent->resolved, &uri) == WBA_OK);
    CHECK_SAME(uri.scheme, WBA_STR("https"));
    CHECK(uri.userinfo.data == NULL && uri.fragment.data == NULL);
    CHECK(uri.path.len != 0);
    CHECK(wba_agent_resolve(&m.mem, agent->resolved, &again)
          != WBA_UNSUPPORTED);
    CHECK(wba_agent_identity(&m.mem, agent->identity, &again) == WBA_OK);
    CHECK_SAME(again, agent->identity);
    CHECK(agent->identity.len == 0
          || memchr(agent->identity.data, '?', agent->identity.len) == NULL);
    if (agent->lenient == 0) {
        CHECK(wba_agent_resolve(&m.mem, agent->url, &again) == WBA_OK);
        CHECK_SAME(again, agent->resolved);
        CHECK(wba_agent_identity(&m.mem, agent->url, &again) == WBA_OK);
        CHECK_SAME(again, agent->identity);
    }
}

static void
attribute(wba_str_t label, unsigned lenient)
{
    wba_sigagent_t agent, again;
    wba_reason_t why, why_again;
    wba_status_t status;
    wba_str_t field;

    status = wba_sigagent_attribute(&raw.message, label, &covered, lenient,
                                    &m.mem, &agent, &why);
    CHECK((status == WBA_OK) == (why == WBA_REASON_OK));
    CHECK((agent.lenient & ~lenient) == 0);
    CHECK(wba_sigagent_attribute(&raw.message, label, &covered, lenient,
                                 &m.mem, &again, &why_again)
          == status);
    CHECK(why == why_again && wba_str_eq(agent.url, again.url));
    if (status != WBA_OK || agent.url.data == NULL) {
        return;
    }
    CHECK(wba_message_field(&raw.message, WBA_STR("signature-agent"), &m.mem,
                            &field)
          == WBA_OK);
    CHECK(covers(agent.key));
    is_sent(&agent, field);
    is_agent(&agent);
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
    unsigned lenient = fuzz_byte(&in) & ALL;
    wba_sf_value_t list;
    wba_str_t label;
    wba_reason_t why;
    wba_sf_iter_t it;
    size_t line;

    fuzz_mem_init(&m);
    label = fuzz_copy(&m, fuzz_until(&in, '\n'));
    wba_sf_list_init(&it, fuzz_copy(&m, fuzz_until(&in, '\n')));
    if (wba_sf_list_next(&it, &list) == WBA_OK
        && wba_components_parse(&list, &m.mem, &covered, &why) == WBA_OK
        && wba_raw_message_parse(fuzz_copy(&m, in), &raw, &line) == WBA_OK)
    {
        attribute(label, lenient);
        attribute(label, 0);
        attribute(label, ALL);
    }
    fuzz_mem_free(&m);
    return 0;
}
