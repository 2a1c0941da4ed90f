/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What nginx -t is told: where things stand in the configuration, words that
 * are not known, and the checks that are made when all is read.
 */
#ifndef NGX_HTTP_WEB_BOT_AUTH_CHECK_H
#define NGX_HTTP_WEB_BOT_AUTH_CHECK_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "judge.h"
#include "nearest.h"

struct ngx_http_web_bot_auth_main_conf_s;

/* A name for a table of words. */
#define NGX_HTTP_WBA_NAME(literal) \
    { sizeof(literal) - 1, (const uint8_t *) (literal) }

/* Where something stands. */
typedef struct {
    u_char *file; /* NULL: nowhere */
    ngx_uint_t line;
} ngx_http_wba_place_t;

/* A rule as it was written. */
typedef struct {
    ngx_str_t text;
    ngx_http_wba_place_t place;
} ngx_http_wba_rule_place_t;

/* The rules of one level. */
typedef struct {
    ngx_array_t rules;  /* of wba_rule_t */
    ngx_array_t places; /* of ngx_http_wba_rule_place_t, each rule's */
    ngx_uint_t used;    /* unsigned  used:1; something that is on has them */
} ngx_http_wba_rules_t;

/* What the checks at the end need to know of all locations. */
typedef struct {
    ngx_array_t said;                     /* about what a warning was given */
    ngx_http_core_srv_conf_t *server;     /* the last one looked at */
    int64_t nonce_seconds;                /* the longest that one lives */
    const wba_directory_t *nonce_of;      /* and whose that is */
    ngx_uint_t challenges;                /* places that give nonces out */
    ngx_http_wba_place_t dry_challenge;   /* one that does not, in dry run */
} ngx_http_wba_checks_t;

/* ---- help.c */

/* The line that is being read. */
ngx_http_wba_place_t ngx_http_wba_here(ngx_conf_t *cf);

/* A warning about what stands at place: ", in FILE:LINE" is put behind it. */
void ngx_http_wba_warn(ngx_log_t *log, const ngx_http_wba_place_t *place,
    const char *fmt, ...);

/* ' (did you mean "x"?)', or empty where nothing is near, or the word is known
 * and something else is wrong. */
ngx_str_t ngx_http_wba_did_you_mean(ngx_conf_t *cf,
    const wba_nearest_t *nearest);

/* "a, b or c" */
ngx_str_t ngx_http_wba_either(ngx_conf_t *cf, const wba_str_t *names,
    size_t n);

/* Which of names value is; NGX_ERROR: none, and it was said what to write
 * instead. */
ngx_int_t ngx_http_wba_choose(ngx_conf_t *cf, const char *what,
    ngx_str_t *value, const wba_str_t *names, size_t n);

/* Of "NAME=REST" the name with its '=', and the rest; else all of it, and an
 * empty rest. */
ngx_str_t ngx_http_wba_parameter(ngx_str_t *value, ngx_str_t *rest);

/* As limit_req_zone has it, 10r/s or 30r/m: the number, and the seconds that it
 * is for; 0: it is none, or more than max a second. */
ngx_int_t ngx_http_wba_rate(ngx_str_t *word, ngx_int_t max,
    ngx_int_t *seconds);

/* As ngx_conf_set_enum_slot. */
char *ngx_http_wba_enum_slot(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

/* From here to ngx_http_wba_help_end, and no longer than cf lives, messages
 * about directives that nginx does not know say which one may be meant. */
ngx_int_t ngx_http_wba_help_begin(ngx_conf_t *cf,
    const ngx_command_t *commands);
void ngx_http_wba_help_end(ngx_conf_t *cf);

#endif
