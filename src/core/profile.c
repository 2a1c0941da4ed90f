/* SPDX-License-Identifier: BSD-2-Clause */
#include "profile.h"

#define S(literal) { sizeof(literal) - 1, (const uint8_t *) (literal) }

static const wba_profile_t profiles[] = {
    {
        .name = "tap",
        .tags = { { S("agent-browser-auth"), false },
                  { S("agent-payer-auth"), false } },
        .ntags = 2,
        .components = { { .name = S("@authority") }, { .name = S("@path") } },
        .ncomponents = 2,
        .covers_target = true,
        .nonce_required = true,
        .alg_required = true,
        .algorithms = WBA_ALG_ED25519 | WBA_ALG_RSA_PSS_SHA256
                      | WBA_ALG_ECDSA_P256_SHA256,
        .keyid = WBA_KEYID_KID | WBA_KEYID_THUMBPRINT,
        .max_lifetime = 8 * 60,
    },
    {
        .name = "agent-pay",
        .tags = { { S("agent-browser-auth"), false },
                  { S("agent-payer-auth"), false },
                  { S("agent-pay-auth"), true } },
        .ntags = 3,
        .components = { { .name = S("@authority") }, { .name = S("@path") } },
        .ncomponents = 2,
        .covers_target = true,
        .nonce_required = true,
        .alg_required = true,
        .algorithms = WBA_ALG_ED25519 | WBA_ALG_RSA_PSS_SHA256
                      | WBA_ALG_ECDSA_P256_SHA256,
        .keyid = WBA_KEYID_KID | WBA_KEYID_THUMBPRINT,
        .max_lifetime = 8 * 60,
    },
    {
        .name = "web-bot-auth",
        .tags = { { S("web-bot-auth"), false } },
        .ntags = 1,
        .covers_target = true,
        .names_agent = true,
        .algorithms = WBA_ALG_ED25519, /* "algorithms" allows more */
        .keyid = WBA_KEYID_THUMBPRINT,
        .max_lifetime = 24 * 60 * 60,
    },
};

static const struct {
    wba_str_t name;
    unsigned flag;
} leniencies[] = {
    { S("unquoted-agent"), WBA_LENIENT_UNQUOTED_AGENT },
    { S("agent-type"), WBA_LENIENT_AGENT_TYPE },
    { S("bare-jwk"), WBA_LENIENT_BARE_JWK },
    { S("visa-sample"), WBA_LENIENT_VISA_SAMPLE },
};

#define NPROFILES (sizeof(profiles) / sizeof(profiles[0]))
#define NLENIENCIES (sizeof(leniencies) / sizeof(leniencies[0]))

unsigned
wba_lenient_by_name(wba_str_t name)
{
    size_t i;

    for (i = 0; i < NLENIENCIES; i++) {
        if (wba_str_eq(leniencies[i].name, name)) {
            return leniencies[i].flag;
        }
    }
    return 0;
}

wba_str_t
wba_lenient_at(size_t i)
{
    return i < NLENIENCIES ? leniencies[i].name : WBA_STR_NONE;
}

const wba_profile_t *
wba_profile_at(size_t i)
{
    return i < NPROFILES ? &profiles[i] : NULL;
}

const wba_profile_t *
wba_profile_find(wba_str_t name)
{
    size_t i;

    for (i = 0; i < NPROFILES; i++) {
        if (wba_str_eq(wba_str_z(profiles[i].name), name)) {
            return &profiles[i];
        }
    }
    return NULL;
}

bool
wba_tag_matches(const wba_tag_t *tag, wba_str_t text)
{
    return tag->nocase ? wba_str_eq_nocase(tag->text, text)
                       : wba_str_eq(tag->text, text);
}

const wba_tag_t *
wba_profile_tag(const wba_profile_t *profile, wba_str_t tag)
{
    size_t i;

    for (i = 0; i < profile->ntags; i++) {
        if (wba_tag_matches(&profile->tags[i], tag)) {
            return &profile->tags[i];
        }
    }
    return NULL;
}

static bool
has_tag(const wba_tag_t *tags, size_t n, const wba_tag_t *tag)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (tags[i].nocase == tag->nocase
            && wba_str_eq(tags[i].text, tag->text))
        {
            return true;
        }
    }
    return false;
}

/* Whether tag j of directory i stands somewhere before. */
static bool
served_before(const wba_directory_t *directories, size_t i, size_t j)
{
    const wba_tag_t *tag = &directories[i].profile.tags[j];
    size_t k;

    for (k = 0; k < i; k++) {
        const wba_profile_t *p = &directories[k].profile;

        if (has_tag(p->tags, p->ntags, tag)) {
            return true;
        }
    }
    return has_tag(directories[i].profile.tags, j, tag);
}

size_t
wba_served_tags(const wba_directory_t *directories, size_t n, wba_tag_t *tags,
                size_t max)
{
    size_t i, j, count = 0;

    for (i = 0; i < n; i++) {
        for (j = 0; j < directories[i].profile.ntags; j++) {
            if (served_before(directories, i, j)) {
                continue;
            }
            if (count < max) {
                tags[count] = directories[i].profile.tags[j];
            }
            count++;
        }
    }
    return count;
}
