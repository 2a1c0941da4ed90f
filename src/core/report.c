/* SPDX-License-Identifier: BSD-2-Clause */
#include "report.h"

#include <string.h>

const char *
wba_source_state_name(wba_source_state_t state)
{
    static const char *const names[WBA_SOURCE_STATES] = {
        "file", "fresh", "stale", "loading", "failing",
    };

    return names[state];
}

const char *
wba_store_answer_name(wba_store_answer_t answer)
{
    static const char *const names[WBA_STORE_ANSWERS] = {
        "fresh", "seen", "full", "cold", "unavailable",
    };

    return names[answer];
}

void
wba_report_outcomes(const wba_report_t *report,
                    uint64_t outcomes[WBA_OUTCOMES])
{
    unsigned i;

    memset(outcomes, 0, WBA_OUTCOMES * sizeof(outcomes[0]));
    for (i = 0; i < WBA_REASON_COUNT; i++) {
        outcomes[wba_reason_info((wba_reason_t) i)->outcome] +=
            report->reasons[i];
    }
}
