/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One captured request before core's state machine: reads directories, answers
 * what the machine asks, and keeps what explains its answer.  Judges nothing
 * itself.
 */
#ifndef WBA_CLI_TRIAL_H
#define WBA_CLI_TRIAL_H

#include "rawmsg.h"
#include "verify.h"

/* Directories on one command line; wba_fact's masks below hold as many. */
#define TRIAL_MAX_DIRECTORIES 64

/* --max-lifetime was not given. */
#define TRIAL_PROFILE_LIFETIME (-1)

/* A directory as it was asked for. */
typedef struct {
    const char *spec; /* what stands before '=', not NUL-terminated */
    size_t spec_len;
    const char *path;
    const wba_profile_t *profile; /* NULL: by the kind of name */
    unsigned lenient;             /* mask of WBA_LENIENT_* */
    unsigned algorithms;          /* mask of wba_alg_t; 0: the profile's */
} trial_directory_t;

/* What is known beside core's facts of one signature. */
typedef struct {
    uint64_t accepted; /* directories that may answer for it, a bit for each */
    wba_keyring_match_t tried[WBA_MAX_CANDIDATES];
    size_t ntried;
    bool has_base;
    wba_str_t base; /* the signature base, or its beginning where a component
                       is at fault; data NULL: none could be begun */
    size_t at;      /* that component; components->count: none */
} trial_note_t;

typedef struct {
    /* Settings, before trial_run. */
    trial_directory_t given[TRIAL_MAX_DIRECTORIES];
    size_t ngiven;
    const char *components[WBA_MAX_REQUIRED];
    size_t ncomponents;
    const char *scheme;    /* NULL: https */
    const char *authority; /* NULL: the request's */
    int64_t max_lifetime;  /* 0: none; or TRIAL_PROFILE_LIFETIME */
    bool test_keys;
    int64_t now;
    wba_policy_t policy;

    /* Results. */
    wba_str_t body; /* what Content-Length leaves of it */
    wba_raw_message_t raw;
    wba_directory_t directories[TRIAL_MAX_DIRECTORIES];
    wba_keyset_t sets[TRIAL_MAX_DIRECTORIES];
    wba_verify_t verify;
    wba_verdict_t verdict;
    trial_note_t notes[WBA_MAX_SIGNATURES];

    /* Inside. */
    wba_mem_t mem;
    wba_arena_t arena;
    void *block;
    wba_tag_t tags[TRIAL_MAX_DIRECTORIES];
    wba_component_t required[WBA_MAX_REQUIRED];
    wba_keyring_t *ring;
    wba_env_t env;
} trial_t;

/* A new trial with the defaults, to be freed by trial_free; NULL: no memory. */
trial_t *trial_new(void);
void trial_free(trial_t *t);

/* Judges the request in text, which must outlive t.  CLI_OK: the verdict and
 * what led to it are in t; CLI_TROUBLE: it could not be tried, and it has said
 * why. */
int trial_run(trial_t *t, wba_str_t text, const char *name);

/* The signature that the verdict is about, or the first; NULL: none. */
const wba_fact_t *trial_subject(const trial_t *t);

/* What belongs to a signature of t->verify.facts. */
const trial_note_t *trial_note(const trial_t *t, const wba_fact_t *fact);

/* Why this signature does not count; OK where it does. */
wba_reason_t trial_reason(const trial_t *t, const wba_fact_t *fact);

/* The directory that verified the signature, else the first that had a key for
 * it, else NULL. */
const wba_directory_t *trial_directory(const trial_t *t,
                                       const wba_fact_t *fact);

/* A field of the request, its lines joined in mem where there are several;
 * absent: it is not there, or mem has no room. */
wba_str_t trial_field(const trial_t *t, const wba_mem_t *mem, const char *name);

/* Whether the signature covers Content-Digest. */
bool trial_covers_digest(const wba_fact_t *fact);

#endif
