/* SPDX-License-Identifier: BSD-2-Clause */
#include "profiles.h"

#include <stdio.h>

#include "cli.h"

const wba_profile_t *
profiles_find(const char *name)
{
    const wba_profile_t *found = wba_profile_find(wba_str_z(name)), *p;
    char names[256];
    size_t i, len = 0;

    if (found != NULL) {
        return found;
    }
    names[0] = '\0';
    for (i = 0; (p = wba_profile_at(i)) != NULL && len < sizeof(names); i++) {
        len += (size_t) snprintf(names + len, sizeof(names) - len, "%s%s",
                                 i ? ", " : "", p->name);
    }
    (void) cli_fail("there is no profile '%s'; there are %s", name, names);
    return NULL;
}
