/* SPDX-License-Identifier: BSD-2-Clause */
/* Which structured type (RFC 9651) a field is registered as: what ;sf and ;key
 * of a covered component need to know (RFC 9421 sections 2.1.1 and 2.1.2). */
#ifndef WBA_FIELDTYPE_H
#define WBA_FIELDTYPE_H

#include "str.h"

typedef enum {
    WBA_FIELDTYPE_UNKNOWN,
    WBA_FIELDTYPE_DICTIONARY,
    WBA_FIELDTYPE_LIST,
    WBA_FIELDTYPE_ITEM
} wba_fieldtype_t;

/* name is in lower case.  Request fields only. */
wba_fieldtype_t wba_fieldtype_find(wba_str_t name);

#endif
