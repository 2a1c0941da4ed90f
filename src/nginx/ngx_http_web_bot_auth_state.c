/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * web_bot_auth_state_path: the last good key set of each configured https
 * directory as a file, NAME.state, so that a restart during a directory's
 * outage still verifies.  Written by the worker that fetched, read by the
 * master; the bytes are core's (state.h).
 */
#include "ngx_http_web_bot_auth_module.h"

#include "state.h"

#define NGX_HTTP_WBA_STATE_SUFFIX  ".state"

/* Bytes of a file that is read: the largest key set, and what goes with it. */
#define NGX_HTTP_WBA_STATE_MAX  (256 * 1024 * 1024)

char *
ngx_http_web_bot_auth_state_path(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_str_t                          *value = cf->args->elts;
    ngx_path_t                         *path;
    ngx_http_web_bot_auth_main_conf_t  *mcf = conf;

    if (mcf->state_path) {
        return "is duplicate";
    }
    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }
    path->name = value[1];
    if (path->name.len > 1 && path->name.data[path->name.len - 1] == '/') {
        path->name.len--;
    }
    if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    /* nginx makes the folder, and gives it to the user of its workers. */
    mcf->state_path = path;
    return ngx_add_path(cf, &mcf->state_path) == NGX_OK ? NGX_CONF_OK
                                                        : NGX_CONF_ERROR;
}

/* PATH/NAME.state, with more behind it; ends in NUL, to be freed. */
static u_char *
ngx_http_wba_state_name(ngx_http_wba_source_t *source, const char *more)
{
    size_t      size;
    u_char     *name;
    ngx_str_t  *path = &source->mcf->state_path->name;

    size = path->len + 1 + source->name.len
           + sizeof(NGX_HTTP_WBA_STATE_SUFFIX) + ngx_strlen(more)
           + NGX_INT64_LEN;
    name = ngx_alloc(size, source->mcf->log);
    if (name) {
        ngx_sprintf(name, "%V/%V" NGX_HTTP_WBA_STATE_SUFFIX "%s%Z", path,
                    &source->name, more);
    }
    return name;
}

/* ---- keeping */

/* The whole of it into a file of that name.  NGX_OK, or NGX_ERROR with
 * ngx_errno. */
static ngx_int_t
ngx_http_wba_state_put(u_char *name, const uint8_t *data, size_t size)
{
    ssize_t    n;
    ngx_fd_t   fd;
    ngx_err_t  err;

    /* What stands there is of a worker that was killed meanwhile. */
    (void) ngx_delete_file(name);

    fd = ngx_open_file(name, NGX_FILE_WRONLY,
                       NGX_FILE_CREATE_OR_OPEN|O_EXCL|O_NOFOLLOW, 0600);
    if (fd == NGX_INVALID_FILE) {
        return NGX_ERROR;
    }
    while (size) {
        n = ngx_write_fd(fd, (void *) data, size);
        if (n == -1 && ngx_errno == NGX_EINTR) {
            continue;
        }
        if (n <= 0) {
            err = n == 0 ? NGX_ENOSPC : ngx_errno;
            ngx_close_file(fd);
            ngx_delete_file(name);
            ngx_set_errno(err);
            return NGX_ERROR;
        }
        data += n;
        size -= n;
    }
    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        err = ngx_errno;
        ngx_delete_file(name);
        ngx_set_errno(err);
        return NGX_ERROR;
    }
    return NGX_OK;
}

/* Atomically: whoever reads finds the old file or the new one.  No fsync: the
 * loop would wait for the disk, and what a power failure tears does not pass
 * its checksum. */
static ngx_int_t
ngx_http_wba_state_replace(ngx_http_wba_source_t *source, const uint8_t *data,
    size_t size)
{
    u_char     *name, *temp;
    ngx_int_t   rc = NGX_ERROR;

    name = ngx_http_wba_state_name(source, "");
    temp = ngx_http_wba_state_name(source, ".new");

    if (name && temp && ngx_http_wba_state_put(temp, data, size) == NGX_OK) {
        rc = NGX_OK;
        if (ngx_rename_file(temp, name) == NGX_FILE_ERROR) {
            rc = NGX_ERROR;
        }
    }
    if (name) {
        ngx_free(name);
    }
    if (temp) {
        ngx_free(temp);
    }
    return rc;
}

/* Other keys than those in the file are in force by now, and revoked ones must
 * not come back with a restart. */
static void
ngx_http_wba_state_remove(ngx_http_wba_source_t *source)
{
    u_char  *name;

    name = ngx_http_wba_state_name(source, "");
    if (name) {
        (void) ngx_delete_file(name);
        ngx_free(name);
    }
}

/* A copy of the set that the slot holds, to be freed. */
static wba_keyset_t
ngx_http_wba_state_current(ngx_http_wba_source_t *source)
{
    u_char        *copy;
    wba_keyset_t   set = { NULL, 0 };

    if (ngx_http_wba_zone_lock(source->mcf->zone) != NGX_OK) {
        return set;
    }
    set = ngx_http_wba_zone_set(source->mcf->zone, source->slot);
    copy = set.size ? malloc(set.size) : NULL;
    if (copy) {
        ngx_memcpy(copy, set.data, set.size);
    }
    ngx_http_wba_zone_unlock(source->mcf->zone);

    set.data = copy;
    return set;
}

static ngx_int_t
ngx_http_wba_state_write(ngx_http_wba_source_t *source, wba_keyset_t set,
    const ngx_http_wba_record_t *record)
{
    size_t                size;
    uint8_t              *data;
    ngx_int_t             rc;
    wba_state_t           state;
    ngx_http_wba_slot_t  *slot = source->slot;

    ngx_memzero(&state, sizeof(state));
    state.settings = source->hash;
    state.fetched = ngx_time();
    state.lifetime = (int64_t) (record->lifetime / 1000);
    state.url = ngx_http_wba_view(source->url);
    state.etag = wba_str_z(record->etag ? record->etag
                                        : (char *) slot->etag);
    state.last_modified = wba_str_z(record->last_modified
                                    ? record->last_modified
                                    : (char *) slot->last_modified);
    state.set = set;

    ngx_set_errno(NGX_ENOMEM);
    if (set.data == NULL || wba_state_write(&state, &data, &size) != WBA_OK) {
        return NGX_ERROR;
    }
    rc = ngx_http_wba_state_replace(source, data, size);
    free(data);
    return rc;
}

void
ngx_http_wba_state_save(ngx_http_wba_source_t *source,
    const wba_keyset_t *set, const ngx_http_wba_record_t *record)
{
    ngx_err_t     err;
    ngx_uint_t    level;
    wba_keyset_t  current;

    if (source->mcf->state_path == NULL || source->found) {
        return;
    }
    ngx_memzero(&current, sizeof(current));
    if (set == NULL) {
        current = ngx_http_wba_state_current(source);
    }

    if (ngx_http_wba_state_write(source, set ? *set : current, record)
        == NGX_OK)
    {
        source->slot->unsaved = 0;

    } else {
        err = ngx_errno;
        level = source->slot->unsaved ? NGX_LOG_INFO : NGX_LOG_WARN;
        source->slot->unsaved = 1;
        ngx_log_error(level, source->mcf->log, err,
                      "web_bot_auth: the state of directory %V cannot be kept "
                      "in \"%V\": a restart will have to fetch its keys",
                      &source->name, &source->mcf->state_path->name);
        if (set) {
            ngx_http_wba_state_remove(source);
        }
    }
    free((void *) current.data);
}

/* ---- reading */

/* Whether a worker of ours has made it, or root; in a folder that others could
 * write to before it was given to the workers, somebody else may have. */
static ngx_uint_t
ngx_http_wba_state_ours(ngx_http_wba_source_t *source, ngx_file_info_t *fi)
{
    ngx_file_info_t  folder;

    if (fi->st_mode & (S_IWGRP|S_IWOTH)) {
        return 0;
    }
    if (fi->st_uid == geteuid()) {
        return 1;
    }
    return geteuid() == 0
           && ngx_file_info(source->mcf->state_path->name.data, &folder)
              != NGX_FILE_ERROR
           && fi->st_uid == folder.st_uid;
}

/* The file's bytes, to be freed; NULL: none, and it was said why. */
static u_char *
ngx_http_wba_state_get(ngx_http_wba_source_t *source, u_char *name,
    size_t *size, ngx_log_t *log)
{
    u_char           *data = NULL;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_file_info_t   fi;

    /* The folder is the workers': neither a link nor a pipe may trap the
     * master. */
    fd = ngx_open_file(name, NGX_FILE_RDONLY|O_NONBLOCK|O_NOFOLLOW,
                       NGX_FILE_OPEN, 0);
    if (fd == NGX_INVALID_FILE) {
        if (ngx_errno != NGX_ENOENT) {
            ngx_log_error(NGX_LOG_WARN, log, ngx_errno,
                          "web_bot_auth: the state of directory %V cannot be "
                          "read from \"%s\"", &source->name, name);
        }
        return NULL;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR || !ngx_is_file(&fi)
        || ngx_file_size(&fi) > NGX_HTTP_WBA_STATE_MAX)
    {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "web_bot_auth: \"%s\" is no state file and ignored",
                      name);
    } else if (!ngx_http_wba_state_ours(source, &fi)) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "web_bot_auth: the state of directory %V in \"%s\" is "
                      "ignored: it is somebody else's, or others may write it",
                      &source->name, name);
    } else {
        *size = ngx_file_size(&fi);
        data = ngx_alloc(*size + 1, log);
        n = data ? ngx_read_fd(fd, data, *size) : 0;
        *size = n < 0 ? 0 : n;
    }
    ngx_close_file(fd);
    return data;
}

/* What is wrong with using it; NULL: nothing. */
static const char *
ngx_http_wba_state_check(ngx_http_wba_source_t *source, u_char *data,
    size_t size, wba_state_t *state)
{
    int64_t       age;
    const char   *why = "it is of another version or machine";
    wba_status_t  status;

    status = wba_state_read(wba_str(data, size), state, &why);
    if (status == WBA_UNSUPPORTED) {
        return "it is of another version or machine";
    }
    if (status != WBA_OK) {
        return why;
    }
    if (!wba_str_eq(state->url, ngx_http_wba_view(source->url))) {
        return "it is of another url";
    }
    if (state->settings != source->hash) {
        return "it was kept under other settings";
    }
    if (state->etag.len >= WBA_MAX_VALIDATOR
        || state->last_modified.len >= WBA_MAX_VALIDATOR)
    {
        return "its validators are too long";
    }
    age = ngx_time() - state->fetched;
    if (age > state->lifetime + source->bounds->stale) {
        return "its keys are too old, \"stale\" is over";
    }
    return NULL;
}

static ngx_int_t
ngx_http_wba_state_use(ngx_http_wba_source_t *source, const wba_state_t *state)
{
    char                   etag[WBA_MAX_VALIDATOR] = "";
    char                   modified[WBA_MAX_VALIDATOR] = "";
    int64_t                age;
    ngx_int_t              rc;
    ngx_http_wba_record_t  record;

    ngx_memcpy(etag, state->etag.data, state->etag.len);
    ngx_memcpy(modified, state->last_modified.data, state->last_modified.len);

    /* A clock that was set back makes no set younger than now. */
    age = ngx_max(ngx_time() - state->fetched, 0);
    record.etag = etag;
    record.last_modified = modified;
    record.fetched = ngx_current_msec - (ngx_msec_t) age * 1000;
    record.lifetime = (ngx_msec_t) state->lifetime * 1000;
    record.due = ngx_current_msec; /* never preferred to a live fetch */

    rc = ngx_http_wba_slot_lease(source, ngx_current_msec + 1000);
    if (rc == NGX_OK) {
        rc = ngx_http_wba_slot_publish(source, state->set, &record);
        ngx_http_wba_slot_release(source);
    }
    return rc;
}

static void
ngx_http_wba_state_load_one(ngx_http_wba_source_t *source, ngx_log_t *log)
{
    size_t       size = 0;
    u_char      *name, *data;
    const char  *why;
    wba_state_t  state;

    name = ngx_http_wba_state_name(source, "");
    if (name == NULL) {
        return;
    }
    data = ngx_http_wba_state_get(source, name, &size, log);
    if (data) {
        why = ngx_http_wba_state_check(source, data, size, &state);
        if (why == NULL) {
            switch (ngx_http_wba_state_use(source, &state)) {
            case NGX_OK:
                break;
            case NGX_AGAIN:
                why = "a fetch is under way";
                break;
            default:
                why = "its keys do not fit, enlarge web_bot_auth_zone";
            }
        }
        if (why) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "web_bot_auth: the state of directory %V in \"%s\" "
                          "is ignored: %s", &source->name, name, why);
        } else {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "web_bot_auth: directory %V: %uz keys from the "
                          "state in \"%s\", %Ts old", &source->name,
                          wba_keyset_count(state.set), name,
                          (time_t) (ngx_time() - state.fetched));
        }
        ngx_free(data);
    }
    ngx_free(name);
}

void
ngx_http_wba_state_load(ngx_http_web_bot_auth_main_conf_t *mcf, ngx_log_t *log)
{
    ngx_uint_t                  i;
    ngx_http_wba_directory_t  **dirs = mcf->directories.elts;

    if (mcf->state_path == NULL) {
        return;
    }
    mcf->log = log;
    for (i = 0; i < mcf->directories.nelts; i++) {
        if (dirs[i]->source.slot && !dirs[i]->source.slot->loaded) {
            ngx_http_wba_state_load_one(&dirs[i]->source, log);
        }
    }
}
