/* SPDX-License-Identifier: BSD-2-Clause */
#include "json.h"

#include "wba_limits.h"

/* Brackets inside strings do not count. */
bool
wba_json_too_deep(wba_str_t json)
{
    size_t depth = 0;
    bool quoted = false;
    size_t i;

    for (i = 0; i < json.len; i++) {
        uint8_t c = json.data[i];

        if (c == '"') {
            quoted = !quoted;
        } else if (quoted) {
            i += c == '\\'; /* what it escapes is not looked at */
        } else if (c == '{' || c == '[') {
            if (++depth > WBA_MAX_JSON_DEPTH) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}
