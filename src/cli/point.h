/* SPDX-License-Identifier: BSD-2-Clause */
/* The place in the request that the verdict is about, with a caret below. */
#ifndef WBA_CLI_POINT_H
#define WBA_CLI_POINT_H

#include "trial.h"

/* Prints the field's line, or a piece of it, and below it a caret at the first
 * thing that is wrong; nothing where no field has it. */
void point(const trial_t *t);

#endif
