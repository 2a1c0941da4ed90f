/* SPDX-License-Identifier: BSD-2-Clause */
/* The profile that an option names. */
#ifndef WBA_CLI_PROFILES_H
#define WBA_CLI_PROFILES_H

#include "profile.h"

/* NULL: there is none of that name, and it has said so. */
const wba_profile_t *profiles_find(const char *name);

#endif
