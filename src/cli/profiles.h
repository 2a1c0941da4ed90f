/* SPDX-License-Identifier: BSD-2-Clause */
/* The profile, and the algorithm, that an option names. */
#ifndef WBA_CLI_PROFILES_H
#define WBA_CLI_PROFILES_H

#include "profile.h"

/* NULL: there is none of that name, and it has said so. */
const wba_profile_t *profiles_find(const char *name);

/* Adds the algorithm to a mask of wba_alg_t.  CLI_OK, or CLI_TROUBLE and it
 * has said that there is none of that name. */
int profiles_algorithm(const char *name, unsigned *mask);

#endif
