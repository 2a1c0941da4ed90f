/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gathers the facts about a request's signatures: a state machine without I/O
 * that asks its host for keys, for the body and for the record of nonces, now
 * or later.
 *
 *     wba_verify_init(&v, env, message, mem);
 *     wba_verify_begin(&v, policy);           each pass through a location
 *     while ((need = wba_verify_step(&v, now)) != WBA_DONE) { answer it }
 *     wba_judge(&v.facts, policy, now, &verdict);
 *
 * The order of checks is fixed: parse, times, tag, key, the limit of
 * forgeries, nonce looked up, signature base, crypto, rules, body digest,
 * record.  Everything a location
 * may refuse cheaply it refuses before the expensive step, so a later pass
 * under other settings may go further; facts that were established stay.  A
 * host that cannot answer a need may leave the machine where it is and step
 * again later, or never.
 */
#ifndef WBA_VERIFY_H
#define WBA_VERIFY_H

#include "agent_pattern.h"
#include "digest.h"
#include "judge.h"
#include "keyring.h"
#include "verdict_cache.h"

/* Keys by Signature-Agent, for agents that no directory stands for. */
typedef struct {
    wba_directory_t directory; /* what a signature must satisfy, and the name
                                  under which it is reported */
    bool any;                  /* every agent may be looked up */
    const wba_agent_pattern_t *allow; /* else those that match one */
    size_t nallow;
    bool any_port; /* else port 443 only */
} wba_discovery_t;

/* What does not change from request to request. */
typedef struct {
    const wba_directory_t *directories;
    size_t ndirectories;
    const wba_discovery_t *discovery; /* NULL: off */
    const wba_tag_t *tags; /* wba_served_tags of them and of discovery */
    size_t ntags;

    /* A cheap look whether a nonce is known as used: false when in doubt. */
    bool (*nonce_seen)(void *ctx, const wba_nonce_t *nonce);
    void *ctx;

    /* Whether one verification more may be spent on telling why a signature
     * failed (WBA_REASON_VISA_SAMPLE_FORM); NULL: never. */
    bool (*diagnose)(void *ctx);

    /* Asked where the policy has a limit of forgeries: whether a verification
     * with the key of that thumbprint may be tried for who sent message.
     * Then told of each that was: good, or bad once for each key by which a
     * signature was tried in vain.  forgive takes one bad back: what failed
     * over one pass's authority or scheme has verified over another's.  NULL,
     * all: nothing is limited. */
    bool (*may_try)(void *ctx, const wba_message_t *message,
                    const wba_forgery_limit_t *limit,
                    const uint8_t *thumbprint);
    void (*tried)(void *ctx, const wba_message_t *message,
                  const wba_forgery_limit_t *limit, const uint8_t *thumbprint,
                  bool good);
    void (*forgive)(void *ctx, const wba_message_t *message,
                    const wba_forgery_limit_t *limit,
                    const uint8_t *thumbprint);

    /* For signatures that are sent again and again; NULL: none. */
    wba_verdict_cache_t *verdicts;
} wba_env_t;

typedef enum {
    WBA_NEED_KEY,    /* see wba_need_key_t */
    WBA_NEED_BODY,   /* wba_verify_feed all of it, then wba_verify_body */
    WBA_NEED_RECORD, /* record nonces, all or none, then wba_verify_recorded */
    WBA_DONE
} wba_need_t;

/* Keys are wanted: offer each match of the keyring whose directory
 * wba_verify_accepts, or, where discover is set, of the key set fetched from
 * agent_url, then call wba_verify_keys. */
typedef struct {
    wba_str_t keyid;
    wba_str_t agent_url; /* resolved; data NULL: no Signature-Agent */
    bool discover; /* no configured directory stands for agent_url, and it may
                      be looked up: offer with directory WBA_DISCOVERED */
    bool refetch; /* nobody has it: directories that were never loaded may be
                     waited for, others refetched where that is due */
} wba_need_key_t;

/* wba_keyring_match_t's directory for a key that was fetched from the very URL
 * that v->key.agent_url names. */
#define WBA_DISCOVERED ((unsigned) -1)

/* What only a request with signatures needs: one without costs no more than
 * to find that out. */
typedef struct {
    wba_keyring_match_t candidates[WBA_MAX_CANDIDATES];
    wba_nonce_t nonces[WBA_MAX_SIGNATURES];
} wba_verify_room_t;

typedef struct {
    const wba_env_t *env;
    const wba_message_t *message;
    const wba_mem_t *mem;
    const wba_policy_t *policy;
    wba_facts_t facts;
    wba_str_t scheme;
    unsigned lenient; /* what anybody tolerates: mask of WBA_LENIENT_* */

    size_t current; /* the signature being worked on */
    bool asked;     /* WBA_NEED_KEY is out */
    wba_need_key_t key;
    wba_keyring_match_t *candidates; /* in a wba_verify_room_t from mem; NULL
                                        where there are no facts */
    size_t ncandidates;

    wba_digest_t *digest; /* from mem, at WBA_NEED_BODY; NULL: not wanted */
    wba_body_link_reader_t *link; /* the same */
    wba_nonce_t *nonces; /* the same */
    size_t nnonces;
} wba_verify_t;

/*
 * Reads the signature fields.  env, message and mem are borrowed and must
 * outlive v.  What went wrong is in v->facts.reason.
 */
void wba_verify_init(wba_verify_t *v, const wba_env_t *env,
                     const wba_message_t *message, const wba_mem_t *mem);

/* Begins a pass under a location's settings, borrowed until the next begin.
 * Facts that depended on an authority or scheme that is now another are
 * forgotten; what was recorded is not. */
void wba_verify_begin(wba_verify_t *v, const wba_policy_t *policy);

/* Goes on as far as it can.  now: seconds since the epoch. */
wba_need_t wba_verify_step(wba_verify_t *v, int64_t now);

/* At WBA_NEED_KEY: whether directory (an index into env->directories) may
 * answer for the signature in question. */
bool wba_verify_accepts(const wba_verify_t *v, unsigned directory);

/* At WBA_NEED_KEY: offers a key.  Its views must live until the next
 * wba_verify_step returns.  From a directory that is not accepted it is
 * ignored, and so is WBA_DISCOVERED unless v->key.discover.  Of more than
 * WBA_MAX_CANDIDATES the first count, those by thumbprint before others, and
 * one of each directory before a second of another. */
void wba_verify_offer(wba_verify_t *v, const wba_keyring_match_t *match);

/* At WBA_NEED_KEY: all keys have been offered.  why counts when there was
 * none: WBA_REASON_KEY_UNKNOWN, _DIRECTORY_UNAVAILABLE, _DISCOVERY_LIMIT,
 * _TOO_MANY_WAITING. */
void wba_verify_keys(wba_verify_t *v, wba_reason_t why);

/* From the first WBA_NEED_BODY on: the next len bytes of the body, after
 * transfer decoding and before content decoding. */
void wba_verify_feed(wba_verify_t *v, const void *data, size_t len);

/* At WBA_NEED_BODY: the whole body was fed; complete false: it could not be
 * read. */
void wba_verify_body(wba_verify_t *v, bool complete);

/* Sets out in v->nonces what will have to be recorded before the request
 * passes, if its body is as it should be; how many, 0: nothing, or the request
 * does not pass anyway.  For a host that asks before the end: not between
 * WBA_NEED_RECORD and its answer. */
size_t wba_verify_foresee(wba_verify_t *v, int64_t now);

/* At WBA_NEED_RECORD: what the store said about v->nonces, which are distinct.
 * Anything but WBA_STORE_FRESH fails every signature that has verified. */
void wba_verify_recorded(wba_verify_t *v, wba_store_answer_t answer);

#endif
