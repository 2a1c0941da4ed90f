/* SPDX-License-Identifier: BSD-2-Clause */
#include "accept.h"
#include "rules.h"

#define S(literal) { sizeof(literal) - 1, (const uint8_t *) (literal) }

static const wba_component_t authority = { .name = S("@authority") };
static const wba_component_t digest = { .name = S("content-digest") };

/* What one member asks for. */
typedef struct {
    const wba_tag_t *tag;
    const wba_component_t *list[WBA_MAX_COMPONENTS];
    size_t count;
    bool agent; /* the Signature-Agent under its own label, after list */
} member_t;

typedef struct {
    const wba_env_t *env;
    const wba_policy_t *policy;
    member_t members[WBA_MAX_ACCEPT_MEMBERS];
    size_t count;
} plan_t;

/* Components. */

static bool
covers(const wba_component_t *one, const wba_component_t *required)
{
    wba_components_t list;

    list.items[0] = *one;
    list.count = 1;
    return wba_components_cover(&list, required);
}

/* Whether another of the first n covers number i, too: of two that cover each
 * other, the first stays. */
static bool
superfluous(const wba_component_t *const *list, size_t n, size_t i)
{
    size_t j;

    for (j = 0; j < n; j++) {
        if (j != i && covers(list[j], list[i])
            && (j < i || !covers(list[i], list[j])))
        {
            return true;
        }
    }
    return false;
}

static bool
has_name(const member_t *m, wba_str_t name)
{
    size_t i;

    for (i = 0; i < m->count; i++) {
        if (wba_str_eq(m->list[i]->name, name)) {
            return true;
        }
    }
    return false;
}

/* Everything that somebody asks for.  False: more, or other, than a signature
 * can cover. */
static bool
gather(const plan_t *plan, const wba_directory_t *d, member_t *m)
{
    const wba_profile_t *p = &d->profile;
    const wba_policy_t *policy = plan->policy;
    size_t i;

    if (p->ncomponents + policy->ncomponents + 3 > WBA_MAX_COMPONENTS
        || !wba_rules_coverable(plan->env, policy, d))
    {
        return false;
    }
    m->count = 0;
    for (i = 0; i < p->ncomponents; i++) {
        m->list[m->count++] = &p->components[i];
    }
    for (i = 0; i < policy->ncomponents; i++) {
        m->list[m->count++] = &policy->components[i];
    }
    if (policy->digest == WBA_DIGEST_REQUIRED) {
        m->list[m->count++] = &digest;
    }
    if (!has_name(m, WBA_STR("@authority"))
        && !has_name(m, WBA_STR("@target-uri")))
    {
        /* The list is one of pointers.
         * NOLINTNEXTLINE(bugprone-sizeof-expression) */
        memmove(&m->list[1], &m->list[0], m->count * sizeof(m->list[0]));
        m->list[0] = &authority;
        m->count++;
    }
    /* Discovery needs an agent; a directory verifies either what names its
     * agent or, where it stands for none, what names nobody. */
    m->agent = (d->agent.data != NULL || wba_env_discovers(plan->env, d))
               && !has_name(m, WBA_STR("signature-agent"));
    return true;
}

static void
reduce(member_t *m)
{
    const wba_component_t *kept[WBA_MAX_COMPONENTS];
    size_t i, n = 0;

    /* The analyzer does not see that gather has counted.
     * NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
    for (i = 0; i < m->count; i++) {
        if (!superfluous(m->list, m->count, i)) {
            kept[n++] = m->list[i];
        }
    }
    m->count = n;
    while (n > 0) {
        n--;
        m->list[n] = kept[n];
    }
}

static bool
same(const member_t *a, const member_t *b)
{
    size_t i;

    if (a->agent != b->agent || a->count != b->count
        || a->tag->nocase != b->tag->nocase
        || !wba_str_eq(a->tag->text, b->tag->text))
    {
        return false;
    }
    for (i = 0; i < a->count; i++) {
        if (!wba_component_eq(a->list[i], b->list[i])) {
            return false;
        }
    }
    return true;
}

/* Members. */

static void
add_member(plan_t *plan, const wba_directory_t *d, const wba_tag_t *tag)
{
    member_t *m = &plan->members[plan->count];
    size_t i;

    if (plan->count == WBA_MAX_ACCEPT_MEMBERS
        || !wba_rules_admit(plan->env, plan->policy, d, tag)
        || !gather(plan, d, m))
    {
        return;
    }
    m->tag = tag;
    reduce(m);
    for (i = 0; i < plan->count; i++) {
        if (same(&plan->members[i], m)) {
            return;
        }
    }
    plan->count++;
}

static void
add_directory(plan_t *plan, const wba_directory_t *d)
{
    size_t i;

    for (i = 0; i < d->profile.ntags; i++) {
        add_member(plan, d, &d->profile.tags[i]);
    }
}

/* Text. */

static void
write_component(wba_buf_t *buf, const wba_component_t *c)
{
    wba_sf_write_string(buf, c->name);
    if (c->sf && c->key.data == NULL) {
        wba_buf_lit(buf, ";sf");
    }
    if (c->bs) {
        wba_buf_lit(buf, ";bs");
    }
    if (c->key.data != NULL) {
        wba_buf_lit(buf, ";key=");
        wba_sf_write_string(buf, c->key);
    }
    if (c->param.data != NULL) {
        wba_buf_lit(buf, ";name=");
        wba_sf_write_string(buf, c->param);
    }
}

static void
write_label(wba_buf_t *buf, size_t number)
{
    wba_buf_lit(buf, "sig");
    wba_sf_write_integer(buf, (int64_t) number);
}

/* Returns the offset of the nonce's place. */
static size_t
write_member(wba_buf_t *buf, const member_t *m, size_t number, bool nonce)
{
    size_t i, at = 0;

    if (number > 1) {
        wba_buf_lit(buf, ", ");
    }
    write_label(buf, number);
    wba_buf_lit(buf, "=(");
    for (i = 0; i < m->count; i++) {
        if (i > 0) {
            wba_buf_byte(buf, ' ');
        }
        write_component(buf, m->list[i]);
    }
    if (m->agent) {
        wba_buf_lit(buf, " \"signature-agent\";key=\"");
        write_label(buf, number);
        wba_buf_byte(buf, '"');
    }
    wba_buf_lit(buf, ");created;expires");
    if (nonce) {
        wba_buf_lit(buf, ";nonce=\"");
        at = buf->len;
        for (i = 0; i < WBA_CHALLENGE_SIZE; i++) {
            wba_buf_byte(buf, '-');
        }
        wba_buf_byte(buf, '"');
    }
    wba_buf_lit(buf, ";tag=");
    wba_sf_write_string(buf, m->tag->text);
    return at;
}

/* A member that cannot be written (a tag that is no String, no room) is as if
 * it were not there. */
static wba_status_t
write_plan(const plan_t *plan, wba_buf_t *buf, wba_accept_t *out)
{
    bool nonce = plan->policy->challenge != NULL;
    size_t i, at, before;

    for (i = 0; i < plan->count; i++) {
        before = buf->len;
        at = write_member(buf, &plan->members[i], out->members + 1, nonce);
        if (buf->status == WBA_NO_MEMORY) {
            return WBA_NO_MEMORY;
        }
        if (buf->status != WBA_OK) {
            buf->status = WBA_OK;
            buf->len = before;
            continue;
        }
        out->members++;
        if (nonce) {
            out->nonces[out->nnonces++] = at;
        }
    }
    out->text = wba_buf_view(buf);
    return WBA_OK;
}

wba_status_t
wba_accept_write(const wba_env_t *env, const wba_policy_t *policy,
                 const wba_mem_t *mem, wba_accept_t *out)
{
    const wba_directory_t *d;
    plan_t plan;
    wba_buf_t buf;
    size_t i;

    memset(out, 0, sizeof(*out));
    plan.env = env;
    plan.policy = policy;
    plan.count = 0;
    for (i = 0; (d = wba_env_directory(env, i)) != NULL; i++) {
        add_directory(&plan, d);
    }
    wba_buf_init(&buf, mem, WBA_MAX_ACCEPT);
    return write_plan(&plan, &buf, out);
}

void
wba_accept_fill(const wba_accept_t *accept,
                const uint8_t nonce[WBA_CHALLENGE_SIZE], uint8_t *out)
{
    size_t i;

    if (accept->text.len != 0) {
        memcpy(out, accept->text.data, accept->text.len);
    }
    for (i = 0; i < accept->nnonces; i++) {
        memcpy(out + accept->nonces[i], nonce, WBA_CHALLENGE_SIZE);
    }
}

bool
wba_accept_helps(const wba_policy_t *policy, wba_reason_t reason)
{
    switch (reason) {
    case WBA_REASON_NONCE_MISSING:
    case WBA_REASON_NONCE_NOT_CHALLENGED:
    case WBA_REASON_CHALLENGE_EXPIRED:
        return policy->challenge != NULL;
    default:
        return wba_reason_info(reason)->class == WBA_CLASS_UNSIGNED
               || wba_reason_info(reason)->class == WBA_CLASS_REPLAYED;
    }
}
