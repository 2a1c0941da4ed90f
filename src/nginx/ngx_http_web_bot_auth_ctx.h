/* SPDX-License-Identifier: BSD-2-Clause */
/* What the module knows of one request. */
#ifndef NGX_HTTP_WEB_BOT_AUTH_CTX_H
#define NGX_HTTP_WEB_BOT_AUTH_CTX_H

#include "ngx_http_web_bot_auth_conf.h"

/* The body, while the machine asks for it. */
typedef enum {
    NGX_HTTP_WBA_BODY_NONE = 0,
    NGX_HTTP_WBA_BODY_COMING, /* what arrives is fed to the machine */
    NGX_HTTP_WBA_BODY_FED,    /* all of it was */
    NGX_HTTP_WBA_BODY_LOST    /* some of it could not be */
} ngx_http_wba_body_e;

typedef struct {
    ngx_http_request_t *request;
    ngx_http_web_bot_auth_main_conf_t *main;
    ngx_http_web_bot_auth_loc_conf_t *begun; /* settings of this pass */
    wba_str_t authority; /* of them, those that may be variables, once they */
    wba_str_t scheme;    /* have been asked for; data NULL: not yet */
    wba_mem_t mem;
    wba_message_t message;
    wba_verdict_t verdict;
    unsigned initialised:1;
    unsigned busy:1;    /* asking for settings that may be variables */
    unsigned starved:1; /* one of them could not be had: no memory */
    unsigned left:1;    /* early, a key was not waited for */
    unsigned judged:1;  /* verdict is this pass's */
    unsigned refused:1; /* a refusal was counted and logged */
    unsigned final:1;   /* and no other module could let the request in */
    unsigned parked:1;
    unsigned woken:1;   /* a completion, or the deadline, wants it to go on */
    unsigned overdue:1; /* the deadline has passed */
    unsigned waited:1;  /* wait_until is set */
    unsigned answered:1; /* the store has: answer, for asked */
    u_char created[NGX_INT64_LEN]; /* of the signature described, as text */
    u_char expires[NGX_INT64_LEN];
    ngx_uint_t events; /* the zone's, before a fetch was last asked for */
    ngx_msec_t wait_until;
    ngx_http_wba_body_e body;
    ngx_msec_t body_since; /* when it was begun to be read */
    wba_store_answer_t answer;
    wba_nonce_t *asked;
    size_t nasked;
    wba_redis_ticket_t *ticket; /* of a record under way, or NULL */
    uint64_t asked_us;          /* when that began */
    ngx_http_web_bot_auth_loc_conf_t *challenged; /* whose Accept-Signature */
    ngx_str_t challenge;                          /* this is, or NULL */
    ngx_queue_t queue;
    ngx_event_t deadline;
    wba_verify_t verify; /* last: it means nothing before initialised, and is
                            not cleared twice */
} ngx_http_web_bot_auth_ctx_t;

#endif
