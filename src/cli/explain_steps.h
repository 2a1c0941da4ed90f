/* SPDX-License-Identifier: BSD-2-Clause */
/* One signature's way through the steps, and the printing of each: for
 * explain.c alone. */
#ifndef WBA_CLI_EXPLAIN_STEPS_H
#define WBA_CLI_EXPLAIN_STEPS_H

#include "color.h"
#include "explain.h"

/* In core's order. */
typedef enum {
    STEP_FIELDS,
    STEP_TAG,
    STEP_AUTHORITY,
    STEP_TIMES,
    STEP_COMPONENTS,
    STEP_AGENT,
    STEP_KEY,
    STEP_RULES,
    STEP_BASE,
    STEP_CRYPTO,
    STEP_DIGEST,
    STEP_LINK,
    STEP_NONCE,
    STEP_NONE
} step_t;

/* One signature on its way through the steps. */
typedef struct {
    const trial_t *trial;
    const wba_fact_t *fact;
    const trial_note_t *note;
    wba_reason_t reason;
    step_t failed; /* STEP_NONE: none */
    bool utf8;
} walk_t;

/* Of a verdict, and of what led to it. */
color_t explain_color(wba_outcome_t outcome);

/* Prints all steps of walk->fact. */
void explain_steps(const walk_t *walk);

/* Prints the one step of fields that fail, or count for nothing, as a whole;
 * fact and note are not looked at. */
void explain_fields(const walk_t *walk);

#endif
