/* SPDX-License-Identifier: BSD-2-Clause */
#include "explain_steps.h"

#include <stdio.h>

#include "text.h"
#include "when.h"

#define INDENT "                "

static void
put(wba_str_t s)
{
    text_put(stdout, s);
}

static void
put_quoted(wba_str_t s)
{
    (void) fputc('"', stdout);
    put(s);
    (void) fputc('"', stdout);
}

static void
put_thumbprint(const uint8_t *thumbprint)
{
    uint8_t text[WBA_THUMBPRINT_TEXT_SIZE];

    wba_thumbprint_text(thumbprint, text);
    put(wba_str(text, sizeof(text)));
}

static void
line(const char *text)
{
    (void) printf(INDENT "%s\n", text);
}

color_t
explain_color(wba_outcome_t outcome)
{
    switch (outcome) {
    case WBA_OUTCOME_VERIFIED:
        return COLOR_GOOD;
    case WBA_OUTCOME_INVALID:
        return COLOR_BAD;
    default:
        return COLOR_DOUBT;
    }
}

static color_t
color_of(const walk_t *w)
{
    return explain_color(wba_reason_info(w->reason)->outcome);
}

/* "  ✓ times       ": where it is not UTF-8, words. */
static void
begin(const walk_t *w, step_t step, const char *name)
{
    static const char *const marks[2][3] = { { "ok", "NO", "--" },
                                             { "✓ ", "✗ ", "· " } };
    const color_t colors[3] = { COLOR_GOOD, color_of(w), COLOR_FAINT };
    int mark = step < w->failed ? 0 : step == w->failed ? 1 : 2;

    (void) fputs("  ", stdout);
    color_put(stdout, colors[mark], marks[w->utf8][mark]);
    (void) printf(" %-11s", name);
}

/* Says the reason under the step that failed. */
static void
end(const walk_t *w, step_t step)
{
    wba_str_t name = wba_reason_info(w->reason)->name;

    if (step == w->failed) {
        (void) fputs(INDENT, stdout);
        color_begin(stdout, color_of(w));
        (void) printf("-> %.*s", (int) name.len, (const char *) name.data);
        color_end(stdout);
        (void) fputc('\n', stdout);
    }
}

static void
put_components(const wba_fact_t *fact)
{
    wba_sf_value_t item;
    wba_sf_iter_t it;
    bool first = true;

    wba_sf_inner_init(&it, &fact->input.list);
    while (wba_sf_inner_next(&it, &item) == WBA_OK) {
        (void) fputs(first ? "" : " ", stdout);
        put(item.raw);
        first = false;
    }
    (void) fputs(first ? "none\n" : "\n", stdout);
}

static void
put_time(const char *name, int64_t t, int64_t now)
{
    char text[WHEN_TEXT], age[WHEN_TEXT];

    when_format(t, text);
    when_format_age(t, now, age);
    (void) printf("%s %s (%s)\n", name, text, age);
}

/* Steps. */

/* Every line of a field as it was received. */
static void
put_received(const trial_t *t, const char *name, wba_str_t lower)
{
    const wba_message_t *msg = &t->raw.message;
    uintptr_t cursor = 0;
    wba_str_t value;

    if (msg->ops->next_line(msg, lower, &cursor, &value) != WBA_OK) {
        (void) printf(INDENT "%s is missing\n", name);
        return;
    }
    do {
        (void) printf(INDENT "%s: ", name);
        put(wba_str_trim(value));
        (void) fputc('\n', stdout);
    } while (msg->ops->next_line(msg, lower, &cursor, &value) == WBA_OK);
}

static void
put_all_received(const trial_t *t)
{
    put_received(t, "Signature-Input", WBA_STR("signature-input"));
    put_received(t, "Signature", WBA_STR("signature"));
}

static void
step_fields(const walk_t *w)
{
    begin(w, STEP_FIELDS, "fields");
    if (w->failed != STEP_FIELDS) {
        (void) puts("Signature-Input and Signature are there and readable");
        return;
    }
    (void) puts("this signature cannot be read");
    put_all_received(w->trial);
    end(w, STEP_FIELDS);
}

static void
step_tag(const walk_t *w)
{
    begin(w, STEP_TAG, "tag");
    if (w->fact->input.tag.data != NULL) {
        put(w->fact->input.tag);
        (void) fputc('\n', stdout);
    } else {
        (void) puts("not known");
    }
    end(w, STEP_TAG);
}

static void
step_authority(const walk_t *w)
{
    wba_str_t authority = w->trial->verify.facts.authority;

    begin(w, STEP_AUTHORITY, "authority");
    if (authority.data != NULL) {
        put(authority);
        (void) fputc('\n', stdout);
    } else {
        (void) puts("the request names no host that can be read");
    }
    end(w, STEP_AUTHORITY);
}

static void
step_times(const walk_t *w)
{
    const wba_siginput_t *in = &w->fact->input;
    char text[WHEN_TEXT];

    begin(w, STEP_TIMES, "times");
    if (in->has_created) {
        put_time("created", in->created, w->trial->now);
    } else {
        (void) puts("created is missing");
    }
    if (in->has_expires) {
        (void) fputs(INDENT, stdout);
        put_time("expires", in->expires, w->trial->now);
    } else {
        line("expires is missing");
    }
    if (in->has_created && in->has_expires && in->expires > in->created) {
        when_format_duration(in->expires - in->created, text);
        (void) printf(INDENT "lives %s\n", text);
    }
    if (in->keyid.len == 0) {
        line("keyid is missing");
    }
    end(w, STEP_TIMES);
}

static void
step_components(const walk_t *w)
{
    const trial_t *t = w->trial;
    size_t i;

    begin(w, STEP_COMPONENTS, "covered");
    put_components(w->fact);
    if (w->reason == WBA_REASON_COMPONENT_NOT_COVERED) {
        for (i = 0; i < t->ncomponents; i++) {
            if (!wba_components_cover(w->fact->components, &t->required[i])) {
                (void) printf(INDENT "not covered: %s\n", t->components[i]);
            }
        }
    }
    end(w, STEP_COMPONENTS);
}

static void
step_agent(const walk_t *w)
{
    const wba_fact_t *fact = w->fact;

    begin(w, STEP_AGENT, "agent");
    if (fact->agent_url.data != NULL) {
        put(fact->agent_identity);
        (void) fputs("\n" INDENT "its keys are at ", stdout);
        put(fact->agent_url);
        (void) fputc('\n', stdout);
    } else if (w->failed < STEP_AGENT) {
        (void) puts("not looked at");
    } else if (w->failed == STEP_AGENT
               && w->reason != WBA_REASON_SIGNATURE_AGENT_ABSENT)
    {
        (void) fputs("Signature-Agent: ", stdout);
        put(w->trial->verify.facts.claimed_agent);
        (void) fputc('\n', stdout);
    } else {
        (void) puts("none is covered: directories given by name answer");
    }
    end(w, STEP_AGENT);
}

/* What a directory holds, for who expected his key in it: its first few. */
static void
put_held(const trial_t *t, size_t directory)
{
    wba_keyset_t set = t->sets[directory];
    size_t i, n = wba_keyset_count(set), shown = n < 8 ? n : 8;
    wba_key_t key;

    (void) printf(INDENT "%s holds %zu key%s%s\n", t->given[directory].path, n,
                  n == 1 ? "" : "s", n ? ":" : "");
    for (i = 0; i < shown; i++) {
        wba_keyset_key(set, i, &key);
        (void) fputs(INDENT "  ", stdout);
        put_thumbprint(key.thumbprint);
        if (key.kid.len) {
            (void) fputs(" kid ", stdout);
            put_quoted(key.kid);
        }
        (void) fputc('\n', stdout);
    }
    if (shown < n) {
        (void) printf(INDENT "  and %zu more\n", n - shown);
    }
}

static void
put_tried(const walk_t *w, const wba_keyring_match_t *match)
{
    const trial_t *t = w->trial;

    put_thumbprint(match->key.thumbprint);
    (void) printf(" (named by its %s)\n" INDENT "in ",
                  match->by_thumbprint ? "thumbprint" : "kid");
    put(t->directories[match->directory].name);
    (void) printf(", from %s\n", t->given[match->directory].path);
}

static void
step_key(const walk_t *w)
{
    const trial_t *t = w->trial;
    size_t i;

    begin(w, STEP_KEY, "key");
    for (i = 0; i < w->note->ntried; i++) {
        (void) fputs(i ? INDENT : "", stdout);
        put_tried(w, &w->note->tried[i]);
    }
    if (w->note->ntried == 0) {
        (void) fputs("keyid ", stdout);
        put_quoted(w->fact->input.keyid);
        (void) puts(w->failed < STEP_KEY ? ", not looked up"
                                         : " is in no directory that may "
                                           "answer");
    }
    if (w->failed == STEP_KEY) {
        for (i = 0; i < t->ngiven; i++) {
            if (w->note->accepted >> i & 1) {
                put_held(t, i);
            }
        }
    }
    end(w, STEP_KEY);
}

static void
put_algorithms(unsigned mask)
{
    const char *between = " ";
    unsigned alg;

    for (alg = 1; alg <= WBA_ALG_ALL; alg <<= 1) {
        if (mask & alg) {
            (void) printf("%s%s", between, wba_alg_name((wba_alg_t) alg));
            between = " or ";
        }
    }
    (void) fputc('\n', stdout);
}

/* What the directory asks, and how the signature falls short. */
static void
put_shortfall(const walk_t *w, const wba_directory_t *d)
{
    const wba_key_t *key = &w->note->tried[0].key;
    const wba_siginput_t *in = &w->fact->input;
    char text[WHEN_TEXT];
    size_t i;

    switch (w->reason) {
    case WBA_REASON_LIFETIME_TOO_LONG:
        when_format_duration(d->profile.max_lifetime, text);
        (void) printf(INDENT "a signature may live %s at most\n", text);
        break;
    case WBA_REASON_SIGNATURE_INPUT_KEYID_CASE:
        line("keyId is no parameter; this directory does not put up with it");
        break;
    case WBA_REASON_MISSING_FIELDS:
        line("alg is missing");
        break;
    case WBA_REASON_NONCE_MISSING:
        line("nonce is missing");
        break;
    case WBA_REASON_COMPONENT_NOT_COVERED:
        for (i = 0; i < d->profile.ncomponents; i++) {
            if (!wba_components_cover(w->fact->components,
                                      &d->profile.components[i]))
            {
                (void) fputs(INDENT "not covered: ", stdout);
                put_quoted(d->profile.components[i].name);
                (void) fputc('\n', stdout);
            }
        }
        break;
    case WBA_REASON_KEY_EXPIRED:
        (void) fputs(INDENT, stdout);
        put_time("the key's exp is", key->exp, w->trial->now);
        break;
    case WBA_REASON_KEY_NOT_YET_VALID:
        (void) fputs(INDENT, stdout);
        put_time("the key's nbf is", key->nbf, w->trial->now);
        break;
    case WBA_REASON_ALG_MISMATCH:
    case WBA_REASON_ALG_NOT_ALLOWED:
        (void) fputs(INDENT "the signature's alg is ", stdout);
        if (in->alg.data != NULL) {
            put_quoted(in->alg);
        } else {
            (void) fputs("missing", stdout);
        }
        (void) fputs(", the key is for", stdout);
        put_algorithms(key->algs);
        if (w->reason == WBA_REASON_ALG_NOT_ALLOWED) {
            (void) fputs(INDENT "this directory takes", stdout);
            put_algorithms(d->profile.algorithms);
        }
        break;
    default:
        break;
    }
}

static void
step_rules(const walk_t *w)
{
    const wba_directory_t *d = trial_directory(w->trial, w->fact);

    begin(w, STEP_RULES, "rules");
    if (d == NULL) {
        (void) puts("of no directory yet");
        return;
    }
    (void) fputs("of ", stdout);
    put(d->name);
    (void) printf(", profile %s\n", d->profile.name);
    if (w->failed == STEP_RULES) {
        put_shortfall(w, d);
    }
    end(w, STEP_RULES);
}

static void
step_base(const walk_t *w)
{
    const trial_note_t *note = w->note;
    const wba_fact_t *fact = w->fact;
    const uint8_t *p = note->base.data, *last, *lf;

    begin(w, STEP_BASE, "base");
    if (p == NULL) {
        (void) puts("cannot be built");
        end(w, STEP_BASE);
        return;
    }
    (void) printf("%zu bytes%s:\n", note->base.len,
                  !note->has_base          ? ", then it ends"
                  : w->failed < STEP_BASE ? ", built all the same"
                  : fact->as_sent         ? ", as Visa's sample agent has it"
                                          : "");
    last = p + note->base.len;
    while (p < last) {
        lf = memchr(p, '\n', (size_t) (last - p));
        lf = lf != NULL ? lf : last;
        (void) fputs(INDENT "  ", stdout);
        put(wba_str(p, (size_t) (lf - p)));
        (void) fputc('\n', stdout);
        p = lf + 1;
    }
    if (!note->has_base && note->at < fact->components->count) {
        (void) fputs(INDENT "at fault: ", stdout);
        put_quoted(fact->components->items[note->at].name);
        (void) fputc('\n', stdout);
    }
    end(w, STEP_BASE);
}

static void
step_crypto(const walk_t *w)
{
    begin(w, STEP_CRYPTO, "crypto");
    if (w->reason == WBA_REASON_VISA_SAMPLE_FORM) {
        (void) puts("the signature is not over that base, but over the one "
                    "that Visa's\n" INDENT "sample agent makes");
        end(w, STEP_CRYPTO);
        return;
    }
    if (w->fact->stage == WBA_STAGE_VERIFIED) {
        (void) printf("the signature verifies, %s\n",
                      wba_alg_name(w->fact->alg));
    } else if (w->failed == STEP_CRYPTO) {
        (void) printf("the %zu bytes are no signature of that key over that "
                      "base\n",
                      w->fact->signature.len);
    } else {
        (void) puts("not reached");
    }
    end(w, STEP_CRYPTO);
}

static void
put_body_digest(wba_str_t body)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof(digest),
                                        sodium_base64_VARIANT_ORIGINAL)];

    (void) crypto_hash_sha256(digest, body.data, body.len);
    (void) sodium_bin2base64(text, sizeof(text), digest, sizeof(digest),
                             sodium_base64_VARIANT_ORIGINAL);
    (void) printf(INDENT "of these %zu bytes it would be sha-256=:%s:\n",
                  body.len, text);
}

static void
step_digest(const walk_t *w)
{
    static const char *const states[] = {
        [WBA_DIGEST_UNCHECKED] = "Content-Digest is covered; not reached",
        [WBA_DIGEST_MATCHES] = "Content-Digest is that of the body",
        [WBA_DIGEST_MISMATCH] = "Content-Digest is not that of the body",
        [WBA_DIGEST_UNREADABLE] = "Content-Digest cannot be used",
        [WBA_DIGEST_NO_BODY] = "Content-Digest is covered; not compared",
    };
    walk_t off = *w;

    if (!trial_covers_digest(w->fact)) {
        off.failed = STEP_FIELDS;
        begin(&off, STEP_DIGEST, "digest");
        (void) puts(w->trial->body.len ? "Content-Digest is not covered: "
                                         "anybody may have changed the body"
                                       : "Content-Digest is not covered");
        return;
    }
    begin(w, STEP_DIGEST, "digest");
    (void) puts(states[w->trial->verify.facts.digest]);
    if (w->trial->verify.facts.digest == WBA_DIGEST_MISMATCH) {
        put_body_digest(w->trial->body);
    }
    end(w, STEP_DIGEST);
}

static void
put_linked(const wba_body_link_t *link)
{
    size_t i;

    for (i = 0; i < link->count; i++) {
        (void) fputs(INDENT "nonce ", stdout);
        put_quoted(link->objects[i].nonce);
        (void) fputs(", kid ", stdout);
        put_quoted(link->objects[i].kid);
        (void) fputc('\n', stdout);
    }
}

/* Only where it was asked for. */
static void
step_link(const walk_t *w)
{
    static const char *const states[] = {
        [WBA_LINK_UNCHECKED] = "the body was not reached",
        [WBA_LINK_READ] = "the body names, of its two objects:",
        [WBA_LINK_UNREADABLE] = "the body cannot be examined",
        [WBA_LINK_TOO_LARGE] = "the body is too long to be examined",
        [WBA_LINK_MISSING] = "an object has no nonce or no kid",
        [WBA_LINK_NO_BODY] = "the body is not there",
    };
    const wba_body_link_t *link = &w->trial->verify.facts.link;

    if (!w->trial->policy.body_link) {
        return;
    }
    begin(w, STEP_LINK, "body link");
    if (link->state == WBA_LINK_READ && link->count == 0) {
        (void) puts("the body has none of the two objects");
    } else {
        (void) puts(states[link->state]);
        put_linked(link);
    }
    end(w, STEP_LINK);
}

static void
step_nonce(const walk_t *w)
{
    walk_t off = *w;

    if (w->fact->input.nonce.len == 0) {
        off.failed = STEP_FIELDS;
        begin(&off, STEP_NONCE, "nonce");
        (void) puts("none");
        return;
    }
    begin(w, STEP_NONCE, "nonce");
    put_quoted(w->fact->input.nonce);
    (void) puts(w->failed < STEP_NONCE
                    ? ", not looked up"
                    : "\n" INDENT "taken as fresh: only the server knows "
                      "which were used");
    end(w, STEP_NONCE);
}

void
explain_steps(const walk_t *w)
{
    step_fields(w);
    if (w->fact->stage < WBA_STAGE_READ) {
        return;
    }
    step_tag(w);
    step_authority(w);
    step_times(w);
    step_components(w);
    step_agent(w);
    step_key(w);
    step_rules(w);
    step_base(w);
    step_crypto(w);
    step_digest(w);
    step_link(w);
    step_nonce(w);
}

void
explain_fields(const walk_t *w)
{
    begin(w, STEP_FIELDS, "fields");
    (void) puts(w->trial->verdict.outcome == WBA_OUTCOME_UNSIGNED
                    ? "no signature that counts here"
                    : "cannot be read");
    put_all_received(w->trial);
    end(w, STEP_FIELDS);
}
