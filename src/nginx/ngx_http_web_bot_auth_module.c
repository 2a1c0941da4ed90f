/* SPDX-License-Identifier: BSD-2-Clause */
/* The command table, the module's context, and the life of its processes. */
#include "ngx_http_web_bot_auth_module.h"

static ngx_int_t ngx_http_web_bot_auth_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_web_bot_auth_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_web_bot_auth_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_web_bot_auth_init_process(ngx_cycle_t *cycle);
static void ngx_http_web_bot_auth_exit_process(ngx_cycle_t *cycle);

static ngx_conf_enum_t  ngx_http_web_bot_auth_modes[] = {
    { ngx_string("off"), WBA_MODE_OFF },
    { ngx_string("on"), WBA_MODE_ON },
    { ngx_string("optional"), WBA_MODE_OPTIONAL },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_web_bot_auth_nonce_modes[] = {
    { ngx_string("optional"), 0 },
    { ngx_string("required"), 1 },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_web_bot_auth_content_digests[] = {
    { ngx_string("off"), WBA_DIGEST_OFF },
    { ngx_string("on"), WBA_DIGEST_ON },
    { ngx_string("required"), WBA_DIGEST_REQUIRED },
    { ngx_null_string, 0 }
};

static ngx_conf_enum_t  ngx_http_web_bot_auth_log_levels[] = {
    { ngx_string("debug"), NGX_LOG_DEBUG },
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};

static ngx_conf_post_t  ngx_http_web_bot_auth_on_private = {
    ngx_http_web_bot_auth_private_addresses
};

static ngx_conf_post_t  ngx_http_web_bot_auth_on_test_keys = {
    ngx_http_web_bot_auth_test_keys
};

#define NGX_HTTP_WBA_ANY                                                      \
    (NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF)

static ngx_command_t  ngx_http_web_bot_auth_commands[] = {

    { ngx_string("web_bot_auth"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_mode,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, mode),
      &ngx_http_web_bot_auth_modes },

    { ngx_string("web_bot_auth_dry_run"),
      NGX_HTTP_WBA_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, dry_run),
      NULL },

    { ngx_string("web_bot_auth_allow"),
      NGX_HTTP_WBA_ANY|NGX_CONF_1MORE,
      ngx_http_web_bot_auth_rule,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_deny"),
      NGX_HTTP_WBA_ANY|NGX_CONF_1MORE,
      ngx_http_web_bot_auth_rule,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_directory"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_directory,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_discovery"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_BLOCK|NGX_CONF_NOARGS,
      ngx_http_web_bot_auth_discovery,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_private_addresses"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_main_conf_t, private_addresses),
      &ngx_http_web_bot_auth_on_private },

    { ngx_string("web_bot_auth_state_path"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_state_path,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_web_bot_auth_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_nonce_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_web_bot_auth_nonce_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_wait"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE12,
      ngx_http_web_bot_auth_wait,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_trusted_certificate,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_test_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_main_conf_t, test_keys),
      &ngx_http_web_bot_auth_on_test_keys },

    { ngx_string("web_bot_auth_clock_skew"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_clock_skew,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_max_lifetime"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_max_lifetime,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_components"),
      NGX_HTTP_WBA_ANY|NGX_CONF_1MORE,
      ngx_http_web_bot_auth_components,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_nonce"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_wba_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, nonce),
      &ngx_http_web_bot_auth_nonce_modes },

    { ngx_string("web_bot_auth_authority"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_authority,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_scheme"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_set_complex_value_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, scheme),
      NULL },

    { ngx_string("web_bot_auth_answer"),
      NGX_HTTP_WBA_ANY|NGX_CONF_1MORE,
      ngx_http_web_bot_auth_answer,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_challenge"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE12,
      ngx_http_web_bot_auth_challenge,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_expose_reason"),
      NGX_HTTP_WBA_ANY|NGX_CONF_FLAG,
      ngx_http_web_bot_auth_expose_reason,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, expose_reason),
      NULL },

    { ngx_string("web_bot_auth_log_level"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_wba_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, log_level),
      &ngx_http_web_bot_auth_log_levels },

    { ngx_string("web_bot_auth_content_digest"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE1,
      ngx_http_wba_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, content_digest),
      &ngx_http_web_bot_auth_content_digests },

    { ngx_string("web_bot_auth_body_link"),
      NGX_HTTP_WBA_ANY|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_web_bot_auth_loc_conf_t, body_link),
      NULL },

    { ngx_string("web_bot_auth_forgery_limit"),
      NGX_HTTP_WBA_ANY|NGX_CONF_TAKE12,
      ngx_http_web_bot_auth_forgery_limit,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("web_bot_auth_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_web_bot_auth_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};

static ngx_http_module_t  ngx_http_web_bot_auth_module_ctx = {
    ngx_http_web_bot_auth_preconfiguration,  /* preconfiguration */
    ngx_http_web_bot_auth_postconfiguration, /* postconfiguration */

    ngx_http_web_bot_auth_create_main_conf,  /* create main configuration */
    ngx_http_web_bot_auth_init_main_conf,    /* init main configuration */

    ngx_http_web_bot_auth_create_srv_conf,   /* create server configuration */
    ngx_http_web_bot_auth_merge_srv_conf,    /* merge server configuration */

    ngx_http_web_bot_auth_create_loc_conf,   /* create location configuration */
    ngx_http_web_bot_auth_merge_loc_conf     /* merge location configuration */
};

ngx_module_t  ngx_http_web_bot_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_web_bot_auth_module_ctx,     /* module context */
    ngx_http_web_bot_auth_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_web_bot_auth_init_module,     /* init module */
    ngx_http_web_bot_auth_init_process,    /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_web_bot_auth_exit_process,    /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};

static ngx_int_t
ngx_http_web_bot_auth_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_wba_status_loaded();
    if (ngx_http_wba_help_begin(cf, ngx_http_web_bot_auth_commands) != NGX_OK)
    {
        return NGX_ERROR;
    }
    return ngx_http_web_bot_auth_add_variables(cf);
}

static ngx_int_t
ngx_http_web_bot_auth_postconfiguration(ngx_conf_t *cf)
{
    ngx_http_handler_pt                *h;
    ngx_http_core_main_conf_t          *cmcf;
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    ngx_http_wba_help_end(cf);
    if (ngx_http_web_bot_auth_check(cf) != NGX_OK) {
        return NGX_ERROR;
    }

    /* Where nothing is switched on, nothing is there to run. */
    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_web_bot_auth_module);
    if (!mcf->enabled) {
        return NGX_OK;
    }

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    h = ngx_array_push(&cmcf->phases[NGX_HTTP_ACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    *h = ngx_http_web_bot_auth_handler;
    return ngx_http_wba_body_filter_init(cf);
}

static ngx_http_web_bot_auth_main_conf_t *
ngx_http_wba_cycle_conf(ngx_cycle_t *cycle)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    if (ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NULL;
    }
    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_web_bot_auth_module);
    return mcf && mcf->zone ? mcf : NULL;
}

/* The new configuration is in force from here on; under nginx -t it never
 * will be. */
static ngx_int_t
ngx_http_web_bot_auth_init_module(ngx_cycle_t *cycle)
{
    if (ngx_test_config || ngx_http_wba_cycle_conf(cycle) == NULL) {
        return NGX_OK;
    }
    return ngx_http_wba_zone_commit(cycle);
}

/* Runs in the cache's helpers too: they have nothing to fetch for. */
static ngx_int_t
ngx_http_web_bot_auth_init_process(ngx_cycle_t *cycle)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }
    mcf = ngx_http_wba_cycle_conf(cycle);
    if (mcf == NULL) {
        return NGX_OK;
    }
    mcf->log = cycle->log;
    ngx_http_wba_counters_init_worker(mcf);
    ngx_http_wba_log_init_worker(mcf);
    ngx_http_wba_wait_init(mcf);
    ngx_http_wba_verdicts_init_worker(mcf);
    if (mcf->redis) {
        ngx_http_wba_redis_init_worker(mcf->redis, cycle->log);
    }
    ngx_http_wba_keys_init_worker(cycle, mcf);
    return NGX_OK;
}

static void
ngx_http_web_bot_auth_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_web_bot_auth_main_conf_t  *mcf;

    mcf = ngx_http_wba_cycle_conf(cycle);
    if (mcf && mcf->log) {
        ngx_http_wba_keys_exit_worker(mcf);
        if (mcf->redis) {
            ngx_http_wba_redis_destroy(mcf->redis);
            mcf->redis = NULL;
        }
    }
}
