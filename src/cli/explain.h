/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trial found, for people and for programs. */
#ifndef WBA_CLI_EXPLAIN_H
#define WBA_CLI_EXPLAIN_H

#include "trial.h"

/* Prints every step of every signature, and the verdict. */
void explain_text(const trial_t *t);

/* Prints one JSON object.  CLI_OK or CLI_TROUBLE. */
int explain_json(const trial_t *t);

#endif
