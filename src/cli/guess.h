/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common mistakes in making a signature base, tried one after the other on
 * a signature that is no signature of its key over the right one.  For advice
 * alone: what is found here changes no verdict.
 */
#ifndef WBA_CLI_GUESS_H
#define WBA_CLI_GUESS_H

#include "trial.h"

/* Bytes of an explanation, its NUL included. */
#define GUESS_TEXT 448

/*
 * What the signature is over instead, into text: it goes on "The signature
 * would verify if ".  Tries single mistakes with the keys that the machine
 * tried, then the other keys that may answer, then pairs of mistakes.  False:
 * none of them, or the signature was not refused by the crypto.
 */
bool guess(const trial_t *t, const wba_fact_t *fact, char text[GUESS_TEXT]);

#endif
