/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps of a trial in plain words, in the order in which core takes them:
 * those before the one that failed are ticked, those behind it were not taken.
 */
#include "explain.h"

#include <stdio.h>

#include "advice.h"
#include "explain_steps.h"
#include "guess.h"
#include "point.h"
#include "text.h"
#include "when.h"

/* Where a reason arises.  What a profile asks once a key is found is asked
 * again, more strictly, of what the claims had passed. */
static step_t
step_of(wba_reason_t reason, const wba_facts_t *facts, wba_stage_t stage)
{
    bool keyed = stage >= WBA_STAGE_KEYED;

    switch (reason) {
    case WBA_REASON_OK:
    case WBA_REASON_DENIED_BY_RULE:
        return STEP_NONE;
    case WBA_REASON_CLOCK_AHEAD:
    case WBA_REASON_EXPIRED:
    case WBA_REASON_EXPIRES_NOT_AFTER_CREATED:
        return STEP_TIMES;
    case WBA_REASON_MISSING_FIELDS:
    case WBA_REASON_LIFETIME_TOO_LONG:
        return keyed ? STEP_RULES : STEP_TIMES;
    case WBA_REASON_TARGET_NOT_COVERED:
        return STEP_COMPONENTS;
    case WBA_REASON_COMPONENT_NOT_COVERED:
        return keyed ? STEP_RULES : STEP_COMPONENTS;
    case WBA_REASON_SIGNATURE_AGENT_UNPARSABLE:
    case WBA_REASON_SIGNATURE_AGENT_UNQUOTED:
    case WBA_REASON_SIGNATURE_AGENT_AMBIGUOUS_MEMBER:
    case WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING:
    case WBA_REASON_SIGNATURE_AGENT_NOT_HTTPS:
    case WBA_REASON_SIGNATURE_AGENT_TYPED:
    case WBA_REASON_SIGNATURE_AGENT_ABSENT:
    case WBA_REASON_AGENT_NOT_ALLOWED:
        return STEP_AGENT;
    case WBA_REASON_KEY_UNKNOWN:
    case WBA_REASON_DIRECTORY_UNAVAILABLE:
    case WBA_REASON_DISCOVERY_LIMIT:
    case WBA_REASON_TOO_MANY_WAITING:
        return STEP_KEY;
    case WBA_REASON_SIGNATURE_INPUT_KEYID_CASE:
        return stage >= WBA_STAGE_READ ? STEP_RULES : STEP_FIELDS;
    case WBA_REASON_KEY_EXPIRED:
    case WBA_REASON_KEY_NOT_YET_VALID:
    case WBA_REASON_ALG_MISMATCH:
    case WBA_REASON_ALG_NOT_ALLOWED:
    case WBA_REASON_NONCE_MISSING:
    case WBA_REASON_NONCE_NOT_CHALLENGED:
    case WBA_REASON_CHALLENGE_EXPIRED:
        return STEP_RULES;
    case WBA_REASON_MISSING_COMPONENT:
    case WBA_REASON_BAD_COMPONENT_VALUE:
    case WBA_REASON_SIGNATURE_BASE_TOO_LARGE:
    case WBA_REASON_SCHEME_MISMATCH:
        return STEP_BASE;
    case WBA_REASON_AUTHORITY_NOT_SERVED:
        return facts->authority_served ? STEP_BASE : STEP_AUTHORITY;
    case WBA_REASON_BAD_SIGNATURE:
    case WBA_REASON_VISA_SAMPLE_FORM:
        return STEP_CRYPTO;
    case WBA_REASON_CONTENT_DIGEST_MISMATCH:
    case WBA_REASON_CONTENT_DIGEST_UNREADABLE:
    case WBA_REASON_BODY_UNAVAILABLE:
        return STEP_DIGEST;
    case WBA_REASON_BODY_LINK_UNREADABLE:
    case WBA_REASON_BODY_LINK_TOO_LARGE:
    case WBA_REASON_BODY_LINK_MISSING:
    case WBA_REASON_BODY_LINK_MISMATCH:
        return STEP_LINK;
    case WBA_REASON_NONCE_REPLAYED:
    case WBA_REASON_NONCE_STORE_FULL:
    case WBA_REASON_NONCE_STORE_COLD:
    case WBA_REASON_NONCE_STORE_UNAVAILABLE:
        return STEP_NONCE;
    default:
        return keyed ? STEP_BASE : STEP_FIELDS;
    }
}

static void
walk(const trial_t *t, const wba_fact_t *fact, bool utf8)
{
    walk_t w = { t, fact, trial_note(t, fact), trial_reason(t, fact),
                 STEP_NONE, utf8 };

    w.failed = step_of(w.reason, &t->verify.facts, fact->stage);
    (void) fputc('\n', stdout);
    color_begin(stdout, COLOR_HEADING);
    (void) fputs("signature \"", stdout);
    text_put(stdout, fact->input.label);
    (void) fputc('"', stdout);
    color_end(stdout);
    (void) fputc('\n', stdout);
    explain_steps(&w);
}

/* Where the fields fail as a whole, no signature of theirs counts. */
static void
walk_fields(const trial_t *t, bool utf8)
{
    walk_t w = { .trial = t, .reason = t->verify.facts.reason,
                 .failed = STEP_FIELDS, .utf8 = utf8 };

    (void) fputc('\n', stdout);
    explain_fields(&w);
}

/* Octets that no signature of that key has. */
static void
put_size(const trial_t *t, const wba_fact_t *fact)
{
    const trial_note_t *note = trial_note(t, fact);
    const wba_key_t *key = &note->tried[0].key;
    size_t size = key->type == WBA_KEY_RSA ? key->pub.len : 64;

    if (note->ntried == 1 && fact->signature.len != size) {
        (void) printf("A signature of that key has %zu octets, and this one "
                      "%zu.\n",
                      size, fact->signature.len);
    }
}

static void
put_guess(const trial_t *t)
{
    const wba_fact_t *fact = trial_subject(t);
    char text[GUESS_TEXT];

    if (fact == NULL) {
        return;
    }
    if (guess(t, fact, text)) {
        color_put(stdout, COLOR_HEADING, "The signature would verify if");
        (void) fputc(' ', stdout);
        text_put(stdout, wba_str_z(text));
        (void) puts(".");
    } else if (t->verdict.reason == WBA_REASON_BAD_SIGNATURE) {
        put_size(t, fact);
        (void) puts("None of the common mistakes explains it: compare the "
                    "base above with the signer's,\nbyte by byte, and its key "
                    "with the directory's.");
    }
}

void
explain_text(const trial_t *t)
{
    const wba_facts_t *facts = &t->verify.facts;
    wba_str_t outcome = wba_outcome_name(t->verdict.outcome);
    const wba_reason_info_t *info = wba_reason_info(t->verdict.reason);
    char now[WHEN_TEXT];
    bool utf8 = text_utf8();
    size_t i;

    color_put(stdout, COLOR_HEADING, "request");
    (void) fputs("   ", stdout);
    text_put(stdout, t->raw.method);
    (void) fputc(' ', stdout);
    text_put(stdout, t->raw.target);
    (void) fputc(' ', stdout);
    text_put(stdout, t->raw.version);
    (void) printf(", %zu fields, %zu bytes of body\n", t->raw.nlines,
                  t->body.len);
    when_format(t->now, now);
    color_put(stdout, COLOR_HEADING, "judged");
    (void) printf("    %s, clocks may differ by %lld s\n", now,
                  (long long) t->policy.clock_skew);
    if (facts->reason != WBA_REASON_OK) {
        walk_fields(t, utf8);
    }
    for (i = 0; i < facts->count && facts->reason == WBA_REASON_OK; i++) {
        walk(t, facts->signatures[i], utf8);
    }

    (void) fputc('\n', stdout);
    color_begin(stdout, explain_color(t->verdict.outcome));
    (void) printf("%.*s: %.*s", (int) outcome.len,
                  (const char *) outcome.data, (int) info->name.len,
                  (const char *) info->name.data);
    color_end(stdout);
    (void) printf("\n%s\n", info->help);
    point(t);
    advice(t);
    put_guess(t);
}
