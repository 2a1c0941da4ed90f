/* SPDX-License-Identifier: BSD-2-Clause */
#include "advice.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "text.h"
#include "when.h"

/* At this many seconds the year is 5138: such a time is in milliseconds. */
#define MILLISECONDS_FROM 100000000000

/* Seconds, a year: what is less is a lifetime rather than a time. */
#define LONGEST (366 * 86400)

static void
put(wba_str_t s)
{
    text_put(stdout, s);
}

/* The arena is the trial's: it has room for a few fields more. */
static wba_str_t
field(const trial_t *t, const char *name)
{
    return trial_field(t, &t->mem, name);
}

static size_t
count_lines(const trial_t *t, const char *name)
{
    const wba_message_t *msg = &t->raw.message;
    uintptr_t cursor = 0;
    wba_str_t value;
    size_t n = 0;

    while (msg->ops->next_line(msg, wba_str_z(name), &cursor, &value)
           == WBA_OK)
    {
        n++;
    }
    return n;
}

/* ---- times */

static bool
in_milliseconds(const wba_fact_t *fact)
{
    return fact->input.created >= MILLISECONDS_FROM
           || fact->input.expires >= MILLISECONDS_FROM;
}

static void
milliseconds(const wba_fact_t *fact)
{
    int64_t t = fact->input.created >= MILLISECONDS_FROM
                    ? fact->input.created
                    : fact->input.expires;

    (void) printf("%s seems to be in milliseconds; times are in seconds: "
                  "%lld.\n",
                  t == fact->input.created ? "created" : "expires",
                  (long long) t / 1000);
}

static void
times(const trial_t *t, const wba_fact_t *fact)
{
    (void) t;
    if (in_milliseconds(fact)) {
        milliseconds(fact);
    } else {
        (void) printf("To judge it as of when it was made: --now %lld\n",
                      (long long) fact->input.created);
    }
}

/* A time may have been taken for a number of seconds from created on. */
static void
backward(const trial_t *t, const wba_fact_t *fact)
{
    (void) t;
    if (fact->input.expires >= 0 && fact->input.expires <= LONGEST
        && fact->input.created > LONGEST)
    {
        (void) printf("expires is a time, as created is, and no lifetime: "
                      "%lld.\n",
                      (long long) (fact->input.created + fact->input.expires));
    }
}

static void
put_longest(const wba_directory_t *d)
{
    char text[WHEN_TEXT];

    when_format_duration(d->profile.max_lifetime, text);
    (void) fputs("A signature may live ", stdout);
    (void) printf("%s at most (", text);
    put(d->name);
    (void) printf(", profile %s).\n", d->profile.name);
}

/* Where no directory is known yet: every one that serves the tag. */
static void
lifetime(const trial_t *t, const wba_fact_t *fact)
{
    const wba_directory_t *d = trial_directory(t, fact);
    size_t i;

    if (in_milliseconds(fact)) {
        milliseconds(fact);
        return;
    }
    for (i = 0; d == NULL && i < t->ngiven; i++) {
        if (t->directories[i].profile.max_lifetime != 0
            && wba_profile_tag(&t->directories[i].profile, fact->input.tag)
                   != NULL)
        {
            put_longest(&t->directories[i]);
        }
    }
    if (d != NULL && d->profile.max_lifetime != 0) {
        put_longest(d);
    }
    (void) puts("To judge it without that limit: --max-lifetime 0");
}

/* ---- Signature-Agent */

/* As it should be sent and covered today. */
static void
put_right_agent(const wba_fact_t *fact, wba_str_t url)
{
    wba_str_t label = fact->input.label;

    (void) fputs("Write: Signature-Agent: ", stdout);
    put(label);
    (void) fputs("=\"", stdout);
    put(url);
    (void) fputs("\", and cover \"signature-agent\";key=\"", stdout);
    put(label);
    (void) fputs("\"\n", stdout);
}

static void
unquoted_agent(const trial_t *t, const wba_fact_t *fact)
{
    put_right_agent(fact, wba_str_trim(field(t, "signature-agent")));
    (void) puts("To judge it as it is: --lenient unquoted-agent");
}

static void
member_missing(const trial_t *t, const wba_fact_t *fact)
{
    wba_str_t key, value = field(t, "signature-agent");
    const char *between = " ";
    wba_sf_value_t member;
    wba_sf_iter_t it;

    (void) fact;
    if (value.len > 0 && value.data[0] == '"') {
        (void) puts("The field is a String and has no members: cover "
                    "\"signature-agent\", without ;key");
        return;
    }
    wba_sf_dict_init(&it, value);
    (void) fputs("The field's members:", stdout);
    while (wba_sf_dict_next(&it, &key, &member) == WBA_OK) {
        (void) fputs(between, stdout);
        put(key);
        between = ", ";
    }
    (void) puts(between[0] == ' '
                    ? " none"
                    : ". Cover one of them, as \"signature-agent\";key="
                      "\"NAME\", or send it under\nthe name that is covered.");
}

static void
typed_agent(const trial_t *t, const wba_fact_t *fact)
{
    (void) t;
    (void) fact;
    (void) puts("Send the URL alone, without what stands behind it.\n"
                "To judge ;type=directory and ;type=jwks_uri as if they were "
                "not there: --lenient agent-type");
}

static void
agent_not_allowed(const trial_t *t, const wba_fact_t *fact)
{
    (void) t;
    (void) fputs("To give that agent's keys: --directory ", stdout);
    put(fact->agent.url);
    (void) puts("=FILE");
}

/* ---- keys */

/* Whether the directory holds a key of that keyid. */
static bool
holds(const trial_t *t, size_t directory, wba_str_t keyid)
{
    wba_keyring_match_t match;
    size_t cursor = 0;

    while (wba_keyring_next(t->ring, keyid, &cursor, &match) == WBA_OK) {
        if (match.directory == directory) {
            return true;
        }
    }
    return false;
}

/* Directories that have the key, and may not answer: why. */
static bool
elsewhere(const trial_t *t, const wba_fact_t *fact)
{
    const trial_note_t *note = trial_note(t, fact);
    const wba_directory_t *d;
    bool found = false;
    size_t i;

    for (i = 0; i < t->ngiven; i++) {
        d = &t->directories[i];
        if ((note->accepted >> i & 1) || !holds(t, i, fact->input.keyid)) {
            continue;
        }
        found = true;
        put(d->name);
        (void) fputs(" holds that key, but ", stdout);
        if (wba_profile_tag(&d->profile, fact->input.tag) == NULL) {
            (void) printf("its profile %s does not serve the tag \"",
                          d->profile.name);
            put(fact->input.tag);
            (void) puts("\".");
        } else if (d->agent.data != NULL) {
            (void) printf("stands for %s.\n",
                          fact->agent.url.data != NULL
                              ? "another Signature-Agent"
                              : "a Signature-Agent, which the signature does "
                                "not cover");
        } else {
            (void) puts("stands for no Signature-Agent, and the signature "
                        "covers one.");
        }
    }
    return found;
}

static void
unknown_key(const trial_t *t, const wba_fact_t *fact)
{
    (void) elsewhere(t, fact);
}

static void
absent_agent(const trial_t *t, const wba_fact_t *fact)
{
    if (field(t, "signature-agent").data != NULL) {
        (void) puts("The request has a Signature-Agent, which the signature "
                    "does not cover: cover it.");
    }
    if (!elsewhere(t, fact)) {
        (void) puts("To give keys that need none: --profile web-bot-auth "
                    "--directory NAME=FILE");
    }
}

static void
algorithm(const trial_t *t, const wba_fact_t *fact)
{
    const trial_note_t *note = trial_note(t, fact);
    wba_alg_t alg = wba_alg_by_name(fact->input.alg);

    if (alg == WBA_ALG_NONE && note->ntried) {
        alg = (wba_alg_t) note->tried[0].key.algs;
    }
    (void) printf("To judge it by a directory that takes it: --algorithm %s\n",
                  wba_alg_name(alg));
}

/* ---- what else is read */

static void
visa_sample(const trial_t *t, const wba_fact_t *fact)
{
    (void) t;
    (void) fact;
    (void) puts("To judge it as Visa's sample agent signs: --lenient "
                "visa-sample");
}

static void
twice(const trial_t *t, const wba_fact_t *fact)
{
    size_t n = count_lines(t, "signature-input");

    (void) fact;
    if (n > 1) {
        (void) printf("Signature-Input is there %zu times: who adds it a "
                      "second time? Two signatures\nneed two labels.\n",
                      n);
    }
}

static void
unsigned_request(const trial_t *t, const wba_fact_t *fact)
{
    (void) fact;
    if (field(t, "signature").data != NULL
        && field(t, "signature-input").data == NULL)
    {
        (void) puts("Its Signature is of another kind (an older draft's, as "
                    "ActivityPub has it), or has lost\nits Signature-Input: "
                    "RFC 9421 has both.");
    }
}

static void
digest(const trial_t *t, const wba_fact_t *fact)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(hash),
                                        sodium_base64_VARIANT_ORIGINAL)];

    (void) fact;
    (void) crypto_hash_sha256(hash, t->body.data, t->body.len);
    (void) sodium_bin2base64(text, sizeof(text), hash, sizeof(hash),
                             sodium_base64_VARIANT_ORIGINAL);
    (void) printf("For this body of %zu bytes write: Content-Digest: "
                  "sha-256=:%s:\n",
                  t->body.len, text);
}

/* Where the component that the request lacks is Content-Digest. */
static void
missing_component(const trial_t *t, const wba_fact_t *fact)
{
    size_t at = trial_note(t, fact)->at;

    if (at < fact->components->count
        && wba_str_eq(fact->components->items[at].name,
                      WBA_STR("content-digest")))
    {
        if (field(t, "digest").data != NULL) {
            (void) puts("Digest is its predecessor, and another field.");
        }
        digest(t, fact);
    }
}

static void
unserved_authority(const trial_t *t, const wba_fact_t *fact)
{
    (void) fact;
    if (t->verify.facts.authority.data == NULL) {
        (void) puts("Here it names none; --authority HOST gives one");
    }
}

/* Which profiles serve it. */
static void
put_profiles(wba_str_t tag)
{
    const wba_profile_t *p;
    size_t i;

    for (i = 0; tag.data != NULL && (p = wba_profile_at(i)) != NULL; i++) {
        if (wba_profile_tag(p, tag) != NULL) {
            (void) printf("To judge it by a directory that serves it: "
                          "--profile %s before --directory\n",
                          p->name);
        }
    }
}

static void
unserved_tag(const trial_t *t, const wba_fact_t *fact)
{
    wba_str_t tag = t->verify.facts.claimed_tag;
    size_t i;

    (void) fact;
    (void) fputs("Its tag is ", stdout);
    if (tag.data != NULL) {
        (void) fputc('"', stdout);
        put(tag);
        (void) fputc('"', stdout);
    } else {
        (void) fputs("missing", stdout);
    }
    (void) fputs("; the directories given serve", stdout);
    for (i = 0; i < t->env.ntags; i++) {
        (void) fputs(i ? ", " : " ", stdout);
        put(t->tags[i].text);
    }
    (void) puts(" (see --profile)");
    put_profiles(tag);
}

static const struct {
    wba_reason_t reason;
    bool fact; /* it needs a signature */
    void (*advise)(const trial_t *t, const wba_fact_t *fact);
} advices[] = {
    { WBA_REASON_NO_SIGNATURE, false, unsigned_request },
    { WBA_REASON_NO_SERVED_TAG, false, unserved_tag },
    { WBA_REASON_DUPLICATE_LABEL, false, twice },
    { WBA_REASON_SIGNATURE_INPUT_KEYID_CASE, false, visa_sample },
    { WBA_REASON_VISA_SAMPLE_FORM, false, visa_sample },
    { WBA_REASON_EXPIRED, true, times },
    { WBA_REASON_CLOCK_AHEAD, true, times },
    { WBA_REASON_EXPIRES_NOT_AFTER_CREATED, true, backward },
    { WBA_REASON_LIFETIME_TOO_LONG, true, lifetime },
    { WBA_REASON_SIGNATURE_AGENT_UNQUOTED, true, unquoted_agent },
    { WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING, true, member_missing },
    { WBA_REASON_SIGNATURE_AGENT_TYPED, true, typed_agent },
    { WBA_REASON_SIGNATURE_AGENT_ABSENT, true, absent_agent },
    { WBA_REASON_AGENT_NOT_ALLOWED, true, agent_not_allowed },
    { WBA_REASON_KEY_UNKNOWN, true, unknown_key },
    { WBA_REASON_ALG_NOT_ALLOWED, true, algorithm },
    { WBA_REASON_MISSING_COMPONENT, true, missing_component },
    { WBA_REASON_CONTENT_DIGEST_UNREADABLE, false, digest },
    { WBA_REASON_CONTENT_DIGEST_MISMATCH, false, digest },
    { WBA_REASON_AUTHORITY_NOT_SERVED, false, unserved_authority },
};

void
advice(const trial_t *t)
{
    const wba_fact_t *fact = trial_subject(t);
    size_t i;

    for (i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (advices[i].reason == t->verdict.reason
            && (fact != NULL || !advices[i].fact))
        {
            advices[i].advise(t, fact);
        }
    }
}
