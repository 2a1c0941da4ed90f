/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request as core sees it: a small table of questions that the host
 * answers from whatever it holds (an nginx request, a captured text).
 */
#ifndef WBA_MESSAGE_H
#define WBA_MESSAGE_H

#include "mem.h"

typedef struct wba_message_s wba_message_t;

typedef struct {
    /* The method as received, case kept. */
    wba_str_t (*method)(const wba_message_t *msg);

    /* The request target as sent: origin-, absolute-, authority- or
     * asterisk-form; in HTTP/2 and 3 :path, for CONNECT :authority. */
    wba_str_t (*target)(const wba_message_t *msg);

    /* The Host field or :authority as received; data NULL: none. */
    wba_str_t (*host)(const wba_message_t *msg);

    /* What the operator vouches @authority to be, instead of anything the
     * request says; data NULL: nothing. */
    wba_str_t (*authority_override)(const wba_message_t *msg);

    /* The scheme of the connection, or what the operator says it is. */
    wba_str_t (*scheme)(const wba_message_t *msg);

    /* Whether the authority is one that this server answers for.  Asked
     * once per pass, and only when a signature's tag is served. */
    bool (*authority_served)(const wba_message_t *msg);

    /* The next line of the field name (lower case), in the order received.
     * *cursor is 0 at first and the host's own afterwards.  WBA_OK (*value is
     * the line's value as the host has it) or WBA_END. */
    wba_status_t (*next_line)(const wba_message_t *msg, wba_str_t name,
                              uintptr_t *cursor, wba_str_t *value);

    /* HTTP/2 or 3: Cookie crumbs are joined by "; " (RFC 9113 8.2.3). */
    bool (*multiplexed)(const wba_message_t *msg);
} wba_message_ops_t;

struct wba_message_s {
    const wba_message_ops_t *ops;
    void *ctx;
};

/*
 * All lines of a field joined by ", " with OWS trimmed and obs-fold as one SP
 * (RFC 9421 section 2.1), Cookie crumbs of a multiplexed message by "; ".  A
 * view where there is one line without folds, else from mem; its data is never
 * NULL.  WBA_OK, WBA_NOT_FOUND (no line), WBA_TOO_LARGE (more than
 * WBA_MAX_FIELD bytes), WBA_NO_MEMORY.
 */
wba_status_t wba_message_field(const wba_message_t *msg, wba_str_t name,
                               const wba_mem_t *mem, wba_str_t *out);

/*
 * One line's value with OWS trimmed and each obs-fold (RFC 9112 section 5.2)
 * replaced by one SP; a line break that is no fold stays, for the caller to
 * refuse.  A view where there is no fold, else from mem; its data is never
 * NULL.  WBA_OK, WBA_TOO_LARGE, WBA_NO_MEMORY.
 */
wba_status_t wba_message_unfold(wba_str_t line, const wba_mem_t *mem,
                                wba_str_t *out);

/*
 * @authority (RFC 9421 section 2.2.3): the override if there is one, else the
 * absolute-form target's, else the host; normalised.  WBA_OK, WBA_NOT_FOUND
 * (none), WBA_INVALID (no authority can be read from it, or the target has no
 * form that names a resource), WBA_NO_MEMORY.
 */
wba_status_t wba_message_authority(const wba_message_t *msg,
                                   const wba_mem_t *mem, wba_str_t *out);

/* A character of a token (RFC 9110 section 5.6.2). */
static inline bool
wba_is_tchar(uint8_t c)
{
    uint8_t l = wba_lower(c);

    return (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-'
           || (c != 0 && strchr("!#$%&'*+.^_`|~", c) != NULL);
}

/* The forms a request target can have (RFC 9112 section 3.2). */
typedef enum {
    WBA_TARGET_ORIGIN,
    WBA_TARGET_ABSOLUTE,
    WBA_TARGET_AUTHORITY,
    WBA_TARGET_ASTERISK,
    WBA_TARGET_BAD /* none of these: every other part is empty */
} wba_target_form_t;

typedef struct {
    wba_target_form_t form;
    wba_str_t scheme;    /* absolute-form only */
    wba_str_t authority; /* absolute- and authority-form */
    wba_str_t path;      /* as received; may be empty */
    wba_str_t query;     /* without '?'; data NULL: no '?' at all */
} wba_target_t;

/*
 * CONNECT has authority-form, or origin-form where it is extended (RFC 8441).
 * A target with a fragment is WBA_TARGET_BAD.  Nothing is validated or decoded
 * within the parts.
 */
void wba_target_parse(wba_str_t method, wba_str_t target, wba_target_t *out);

#endif
