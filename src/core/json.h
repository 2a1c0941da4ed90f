/* SPDX-License-Identifier: BSD-2-Clause */
/* What is looked at before a stranger's JSON is given to jansson. */
#ifndef WBA_JSON_H
#define WBA_JSON_H

#include "str.h"

/* Whether arrays and objects nest deeper than WBA_MAX_JSON_DEPTH: jansson
 * recurses and allocates, this looks at the text alone.  The text need not be
 * JSON. */
bool wba_json_too_deep(wba_str_t json);

#endif
