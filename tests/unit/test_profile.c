/* SPDX-License-Identifier: BSD-2-Clause */
/* core/profile: the built-in profiles say what PROTOCOL section 4 does, and
 * which tags a set of directories serves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "profile.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

#define TAP_ALGS \
    (WBA_ALG_ED25519 | WBA_ALG_RSA_PSS_SHA256 | WBA_ALG_ECDSA_P256_SHA256)
#define EITHER (WBA_KEYID_KID | WBA_KEYID_THUMBPRINT)

static void
table(void **state)
{
    static const struct {
        const char *name;
        size_t ntags, ncomponents;
        bool names_agent, nonce, alg;
        unsigned algorithms, keyid;
        int64_t max_lifetime;
    } t[] = {
        { "tap", 2, 2, false, true, true, TAP_ALGS, EITHER, 480 },
        { "agent-pay", 3, 2, false, true, true, TAP_ALGS, EITHER, 480 },
        { "web-bot-auth", 1, 0, true, false, false, WBA_ALG_ED25519,
          WBA_KEYID_THUMBPRINT, 86400 },
    };
    const wba_profile_t *p;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        p = wba_profile_find(wba_str_z(t[i].name));
        assert_non_null(p);
        assert_ptr_equal(p, wba_profile_at(i));
        assert_string_equal(p->name, t[i].name);
        assert_int_equal(p->ntags, t[i].ntags);
        assert_int_equal(p->ncomponents, t[i].ncomponents);
        assert_true(p->covers_target);
        assert_int_equal(p->names_agent, t[i].names_agent);
        assert_int_equal(p->nonce_required, t[i].nonce);
        assert_int_equal(p->alg_required, t[i].alg);
        assert_int_equal(p->algorithms, t[i].algorithms);
        assert_int_equal(p->keyid, t[i].keyid);
        assert_int_equal(p->max_lifetime, t[i].max_lifetime);
        if (p->ncomponents) {
            assert_true(
                wba_str_eq(p->components[0].name, WBA_STR("@authority")));
            assert_true(wba_str_eq(p->components[1].name, WBA_STR("@path")));
        }
    }
    assert_null(wba_profile_at(COUNT(t)));
    assert_null(wba_profile_find(WBA_STR("TAP")));
    assert_null(wba_profile_find(WBA_STR("ta")));
    assert_null(wba_profile_find(WBA_STR("")));
    assert_null(wba_profile_find(WBA_STR_NONE));
}

static void
tags(void **state)
{
    static const struct {
        const char *profile, *tag, *own; /* own NULL: not served */
    } t[] = {
        { "tap", "agent-browser-auth", "agent-browser-auth" },
        { "tap", "agent-payer-auth", "agent-payer-auth" },
        { "tap", "agent-pay-auth", NULL },
        { "tap", "Agent-browser-auth", NULL },
        { "tap", "web-bot-auth", NULL },
        { "tap", "", NULL },
        { "tap", "agent-browser-aut", NULL },
        { "agent-pay", "agent-browser-auth", "agent-browser-auth" },
        { "agent-pay", "agent-payer-auth", "agent-payer-auth" },
        { "agent-pay", "agent-pay-auth", "agent-pay-auth" },
        { "agent-pay", "Agent-pay-auth", "agent-pay-auth" },
        { "agent-pay", "AGENT-PAY-AUTH", "agent-pay-auth" },
        { "agent-pay", "Agent-payer-auth", NULL },
        { "web-bot-auth", "web-bot-auth", "web-bot-auth" },
        { "web-bot-auth", "Web-Bot-Auth", NULL },
        { "web-bot-auth", "agent-browser-auth", NULL },
    };
    const wba_tag_t *tag;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(t); i++) {
        tag = wba_profile_tag(wba_profile_find(wba_str_z(t[i].profile)),
                              wba_str_z(t[i].tag));
        assert_int_equal(tag != NULL, t[i].own != NULL);
        if (tag != NULL) {
            assert_true(wba_str_eq(tag->text, wba_str_z(t[i].own)));
        }
    }
}

static wba_directory_t
directory(const char *profile)
{
    wba_directory_t d = { .name = WBA_STR("d") };

    d.profile = *wba_profile_find(wba_str_z(profile));
    return d;
}

static void
served(void **state)
{
    wba_directory_t d[4] = { directory("tap"), directory("agent-pay"),
                             directory("tap"), directory("web-bot-auth") };
    wba_directory_t other[3] = { directory("web-bot-auth"), directory("tap"),
                                 directory("tap") };
    wba_tag_t got[8];
    size_t max;

    (void) state;
    assert_int_equal(wba_served_tags(d, 0, got, 8), 0);
    assert_int_equal(wba_served_tags(d, 1, got, 8), 2);
    assert_int_equal(wba_served_tags(d, 4, got, 8), 4);
    assert_true(wba_str_eq(got[0].text, WBA_STR("agent-browser-auth")));
    assert_true(wba_str_eq(got[1].text, WBA_STR("agent-payer-auth")));
    assert_true(wba_str_eq(got[2].text, WBA_STR("agent-pay-auth")));
    assert_true(got[2].nocase);
    assert_true(wba_str_eq(got[3].text, WBA_STR("web-bot-auth")));

    /* as many as fit, and the number there are */
    for (max = 0; max < 4; max++) {
        memset(got, 0, sizeof(got));
        assert_int_equal(wba_served_tags(d, 4, got, max), 4);
        assert_int_equal(got[max].text.len, 0);
    }

    /* those of the one before, not only of the first */
    assert_int_equal(wba_served_tags(other, 3, got, 8), 3);

    /* compared another way is another tag; twice in one directory is once */
    d[0].profile.tags[0] = (wba_tag_t) { WBA_STR("agent-pay-auth"), false };
    d[0].profile.tags[1] = d[0].profile.tags[0];
    assert_int_equal(wba_served_tags(d, 2, got, 8), 4);
}

static void
test_leniencies(void **state)
{
    static const struct {
        const char *name;
        unsigned flag;
    } t[] = {
        { "unquoted-agent", WBA_LENIENT_UNQUOTED_AGENT },
        { "agent-type", WBA_LENIENT_AGENT_TYPE },
        { "bare-jwk", WBA_LENIENT_BARE_JWK },
        { "visa-sample", WBA_LENIENT_VISA_SAMPLE },
        { "", 0 }, { "visa", 0 }, { "visa-sampler", 0 }, { "Visa-Sample", 0 },
    };
    unsigned all = 0;
    size_t i;

    (void) state;
    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
        assert_int_equal(wba_lenient_by_name(wba_str_z(t[i].name)), t[i].flag);
        assert_int_equal(all & t[i].flag, 0);
        all |= t[i].flag;
    }
    for (i = 0; i < 4; i++) {
        assert_true(wba_str_eq(wba_lenient_at(i), wba_str_z(t[i].name)));
    }
    assert_null(wba_lenient_at(i).data);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leniencies),
        cmocka_unit_test(table),
        cmocka_unit_test(tags),
        cmocka_unit_test(served),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
