/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The common mistakes in making a signature, tried one after the other on one
 * that is none of its key over the right base.  For advice
 * alone: what is found here changes no verdict.
 */
#ifndef WBA_CLI_GUESS_H
#define WBA_CLI_GUESS_H

#include "trial.h"

/* Bytes of an explanation, its NUL included. */
#define GUESS_TEXT 448

/*
 * What the signature is over instead, into text: it goes on "The signature
 * would verify if ".  Tries the signature's bytes in other forms and single
 * mistakes in the base with the keys that the machine tried, then the other
 * keys that may answer, then pairs of mistakes in the base; where the key is
 * unknown, only the keys that may answer.  False: none of them, or the
 * signature was refused for something else.
 */
bool guess(const trial_t *t, const wba_fact_t *fact, char text[GUESS_TEXT]);

#endif
