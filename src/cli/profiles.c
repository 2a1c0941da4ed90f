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

int
profiles_algorithm(const char *name, unsigned *mask)
{
    wba_alg_t found = wba_alg_by_name(wba_str_z(name));
    char names[256];
    size_t len = 0;
    unsigned alg;

    if (found != WBA_ALG_NONE) {
        *mask |= (unsigned) found;
        return CLI_OK;
    }
    for (alg = 1; alg <= WBA_ALG_ALL && len < sizeof(names); alg <<= 1) {
        len += (size_t) snprintf(names + len, sizeof(names) - len, "%s%s",
                                 alg > 1 ? ", " : "",
                                 wba_alg_name((wba_alg_t) alg));
    }
    return cli_fail("there is no algorithm '%s'; there are %s", name, names);
}
