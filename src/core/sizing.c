/* SPDX-License-Identifier: BSD-2-Clause */
#include "sizing.h"

int64_t
wba_sizing_seconds(const wba_directory_t *directory,
                   const wba_policy_t *policy)
{
    int64_t seconds = directory->profile.max_lifetime;
    bool needed = directory->profile.nonce_required || policy->nonce_required;

    if (policy->max_lifetime
        && (seconds == 0 || policy->max_lifetime < seconds))
    {
        seconds = policy->max_lifetime;
    }
    if (!needed && (seconds == 0 || seconds > WBA_STATIC_LIFETIME)) {
        seconds = WBA_STATIC_LIFETIME;
    }
    if (seconds == 0 || seconds > INT64_MAX - WBA_MAX_SKEW) {
        return INT64_MAX;
    }
    return seconds + WBA_MAX_SKEW;
}

uint64_t
wba_sizing_nonces(uint64_t per_minute, int64_t seconds)
{
    uint64_t s = (uint64_t) seconds;

    if (per_minute != 0 && s > (UINT64_MAX - 59) / per_minute) {
        return UINT64_MAX;
    }
    return (per_minute * s + 59) / 60;
}

uint64_t
wba_sizing_per_minute(uint64_t nonces, int64_t seconds)
{
    uint64_t s = (uint64_t) seconds;

    return nonces > UINT64_MAX / 60 ? nonces / s * 60 : nonces * 60 / s;
}
