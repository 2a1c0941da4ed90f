/* SPDX-License-Identifier: BSD-2-Clause */
/* Times and durations as people write and read them. */
#ifndef WBA_CLI_WHEN_H
#define WBA_CLI_WHEN_H

#include "str.h"

/* Bytes that hold any text written here. */
#define WHEN_TEXT 96

/* A structured field's Integer has at most 15 digits. */
#define WHEN_MAX 999999999999999

/* Seconds since the epoch: 1735689600, 2025-01-01T00:00:00Z, "now", and
 * +SECONDS or -SECONDS from now.  False for anything else. */
bool when_parse(const char *text, int64_t now, int64_t *out);

/* Seconds: 300, or with a unit as nginx has them: 30s, 5m, 8h, 1d. */
bool when_parse_duration(const char *text, int64_t *out);

/* "2025-01-01 00:00:00 UTC"; the bare number for years beyond 9999. */
void when_format(int64_t t, char out[WHEN_TEXT]);

/* "3 minutes 20 seconds": the two largest units. */
void when_format_duration(int64_t seconds, char out[WHEN_TEXT]);

/* "3 minutes 20 seconds ago", "in 2 days", "now". */
void when_format_age(int64_t t, int64_t now, char out[WHEN_TEXT]);

#endif
