/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A captured HTTP/1.x request text as a message: request line, field lines, an
 * empty line, the body.  For the tool, the tests and the fuzzers; nginx
 * answers message.h's questions itself.
 */
#ifndef WBA_RAWMSG_H
#define WBA_RAWMSG_H

#include "message.h"

/* Field lines of one captured request: more than twice what browsers send. */
#define WBA_MAX_RAW_LINES 256

typedef struct {
    wba_str_t name;
    wba_str_t value;
} wba_raw_line_t;

typedef struct {
    wba_message_t message; /* use this; its ctx is this record, which must
                              therefore stay where it was parsed */
    wba_str_t method;
    wba_str_t target;
    wba_str_t version;
    wba_str_t scheme;             /* set by the caller; "https" at first */
    wba_str_t authority_override; /* set by the caller; none at first */
    wba_raw_line_t lines[WBA_MAX_RAW_LINES];
    size_t nlines;
    wba_str_t body;
} wba_raw_message_t;

/*
 * Views into text, which must outlive raw.  Line ends may be CRLF or LF;
 * obs-fold is kept in the lines (wba_message_field turns it into SP).  A text
 * that ends within the field lines has an empty body; else the body is all that
 * follows the empty line, whatever Content-Length says.  A version of HTTP/2 or
 * HTTP/3, as tools print it, makes the message multiplexed.
 *
 * WBA_OK; WBA_INVALID (*line is the number, from 1, of the line at fault: a
 * malformed request line, no legal field name before ':', a fold without a line
 * before it, a second Host); WBA_TOO_LARGE (more lines than WBA_MAX_RAW_LINES).
 * authority_served answers true.  Values are not checked.
 */
wba_status_t wba_raw_message_parse(wba_str_t text, wba_raw_message_t *raw,
                                   size_t *line);

#endif
