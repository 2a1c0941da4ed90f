/* SPDX-License-Identifier: BSD-2-Clause */
/* What to write instead, and how to judge the request all the same: beside
 * core's line of help, which knows nothing of the request. */
#ifndef WBA_CLI_ADVICE_H
#define WBA_CLI_ADVICE_H

#include "trial.h"

/* Prints none or some lines about the verdict. */
void advice(const trial_t *t);

#endif
