/* SPDX-License-Identifier: BSD-2-Clause */
#include "reason.h"

static const wba_reason_info_t reasons[] = {
#define X(name, text, outcome, class, help) \
    { { sizeof(text) - 1, (const uint8_t *) (text) },                \
      WBA_OUTCOME_##outcome, WBA_CLASS_##class, help },
    WBA_REASONS(X)
#undef X
};

const wba_reason_info_t *
wba_reason_info(wba_reason_t reason)
{
    return &reasons[reason];
}

wba_reason_t
wba_reason_by_name(wba_str_t name)
{
    unsigned i;

    for (i = 0; i < WBA_REASON_COUNT; i++) {
        if (wba_str_eq(reasons[i].name, name)) {
            break;
        }
    }
    return (wba_reason_t) i;
}

wba_str_t
wba_outcome_name(wba_outcome_t outcome)
{
    static const char *const names[] = {
        "verified", "invalid", "unverified", "unsigned",
    };

    return wba_str_z(names[outcome]);
}

wba_str_t
wba_class_name(wba_class_t class)
{
    static const char *const names[WBA_CLASS_COUNT] = {
        "none",    "malformed",   "unsigned", "invalid", "replayed",
        "unknown", "unavailable", "limited",  "denied",
    };

    return wba_str_z(names[class]);
}
