/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * web_bot_auth_zone ... file=PATH: the nonce table in a file that is mapped, so
 * that restarts and binary upgrades keep it.  Opened by the master when the
 * configuration is in force; the workers inherit the map.
 *
 * The file is locked as long as any process of this nginx lives: the lock
 * belongs to the descriptor, which is neither closed nor opened a second time.
 * A new binary inherits it, and finds it by the file that it is of.
 */
#include "ngx_http_web_bot_auth_module.h"

#include <sodium.h>

#include <sys/file.h>
#include <sys/mman.h>

#include "replay_file.h"

/* Descriptors among which an inherited one is looked for. */
#define NGX_HTTP_WBA_MAX_FD  1024

struct ngx_http_wba_nonce_file_s {
    ngx_fd_t fd;
    dev_t dev;
    ino_t ino;
    u_char *map;
    size_t size; /* of the map */
    wba_replay_t *table;
    bool inherited; /* others may be using it */
};

/* The machine's present run; one that cannot be told is like no other. */
static void
ngx_http_wba_boot(uint8_t boot[WBA_REPLAY_BOOT_SIZE])
{
    u_char    text[64];
    ssize_t   n = -1;
    ngx_fd_t  fd;

    fd = ngx_open_file("/proc/sys/kernel/random/boot_id", NGX_FILE_RDONLY,
                       NGX_FILE_OPEN, 0);
    if (fd != NGX_INVALID_FILE) {
        n = ngx_read_fd(fd, text, sizeof(text));
        ngx_close_file(fd);
    }
    if (n < 32) {
        randombytes_buf(boot, WBA_REPLAY_BOOT_SIZE);
        return;
    }
    crypto_generichash(boot, WBA_REPLAY_BOOT_SIZE, text, n, NULL, 0);
}

static ngx_http_wba_nonce_file_t *
ngx_http_wba_nonce_file_new(void)
{
    ngx_http_wba_nonce_file_t  *file;

    /* It outlives the cycle that opens it. */
    file = calloc(1, sizeof(*file));
    if (file) {
        file->fd = NGX_INVALID_FILE;
        file->map = MAP_FAILED;
    }
    return file;
}

void
ngx_http_wba_nonce_file_close(ngx_http_wba_nonce_file_t *file)
{
    if (file == NULL) {
        return;
    }
    if (file->map != MAP_FAILED) {
        munmap(file->map, file->size);
    }
    if (file->fd != NGX_INVALID_FILE) {
        ngx_close_file(file->fd);
    }
    free(file);
}

static ngx_int_t
ngx_http_wba_nonce_file_map(ngx_http_wba_nonce_file_t *file, size_t size)
{
    file->size = size;
    file->map = mmap(NULL, size, PROT_READ|PROT_WRITE, MAP_SHARED, file->fd,
                     0);
    return file->map == MAP_FAILED ? NGX_ERROR : NGX_OK;
}

/* A descriptor of that very file that this process has already, from the
 * binary before. */
static ngx_fd_t
ngx_http_wba_nonce_file_inherited(const ngx_file_info_t *of)
{
    ngx_fd_t         fd;
    ngx_file_info_t  fi;

    for (fd = 3; fd < NGX_HTTP_WBA_MAX_FD; fd++) {
        if (ngx_fd_info(fd, &fi) != NGX_FILE_ERROR && fi.st_dev == of->st_dev
            && fi.st_ino == of->st_ino)
        {
            return fd;
        }
    }
    return NGX_INVALID_FILE;
}

/* The file as it stands there, locked.  NGX_OK; NGX_DECLINED: there is none;
 * NGX_BUSY: another nginx has it; NGX_ERROR with ngx_errno. */
static ngx_int_t
ngx_http_wba_nonce_file_take(ngx_http_wba_nonce_file_t *file, u_char *path,
    ngx_file_info_t *fi)
{
    ngx_file_info_t  now;

    if (lstat((char *) path, fi) == -1) {
        return ngx_errno == NGX_ENOENT ? NGX_DECLINED : NGX_ERROR;
    }
    if (!ngx_is_file(fi)) {
        ngx_set_errno(NGX_EEXIST);
        return NGX_ERROR;
    }
    file->fd = ngx_http_wba_nonce_file_inherited(fi);
    if (file->fd != NGX_INVALID_FILE) {
        file->inherited = true;
        return NGX_OK;
    }

    file->fd = ngx_open_file(path, NGX_FILE_RDWR|O_NOFOLLOW|O_NONBLOCK,
                             NGX_FILE_OPEN, 0);
    if (file->fd == NGX_INVALID_FILE || ngx_fd_info(file->fd, fi) == -1) {
        return NGX_ERROR;
    }
    if (flock(file->fd, LOCK_EX|LOCK_NB) == -1) {
        return ngx_errno == EWOULDBLOCK ? NGX_BUSY : NGX_ERROR;
    }
    /* Another nginx may have put a new file there before we had the lock. */
    if (lstat((char *) path, &now) == -1 || now.st_ino != fi->st_ino
        || now.st_dev != fi->st_dev)
    {
        return NGX_BUSY;
    }
    return NGX_OK;
}

/* A new file, cold, put in the place of what stands there: whoever still maps
 * the old one keeps it. */
static ngx_int_t
ngx_http_wba_nonce_file_make(ngx_http_wba_nonce_file_t *file, u_char *path,
    size_t region, const uint8_t boot[WBA_REPLAY_BOOT_SIZE], ngx_log_t *log)
{
    int               err;
    u_char           *temp;
    size_t            len;
    uint8_t           secret[16];
    wba_clock_t       now;
    ngx_int_t         rc = NGX_ERROR;

    len = ngx_strlen(path);
    temp = ngx_alloc(len + sizeof(".new.") + NGX_INT64_LEN, log);
    if (temp == NULL) {
        return NGX_ERROR;
    }
    ngx_sprintf(temp, "%s.new.%P%Z", path, ngx_pid);
    (void) ngx_delete_file(temp);

    file->fd = ngx_open_file(temp, NGX_FILE_RDWR|O_NOFOLLOW,
                             NGX_FILE_CREATE_OR_OPEN|O_EXCL, 0600);
    if (file->fd == NGX_INVALID_FILE) {
        goto done;
    }
    /* With its space: a full disk shows here, not as a signal later. */
    err = posix_fallocate(file->fd, 0, WBA_REPLAY_FILE_HEADER + region);
    if (err) {
        ngx_set_errno(err);
        goto done;
    }
    if (flock(file->fd, LOCK_EX|LOCK_NB) == -1
        || ngx_http_wba_nonce_file_map(file, WBA_REPLAY_FILE_HEADER + region)
           != NGX_OK)
    {
        goto done;
    }

    randombytes_buf(secret, sizeof(secret));
    now = ngx_http_wba_clock();
    file->table = wba_replay_init(file->map + WBA_REPLAY_FILE_HEADER, region,
                                  secret, &now, false);
    sodium_memzero(secret, sizeof(secret));
    if (file->table == NULL) {
        goto done;
    }
    wba_replay_file_seal(file->map, region, boot);
    rc = ngx_rename_file(temp, path) == NGX_FILE_ERROR ? NGX_ERROR : NGX_OK;

done:

    if (rc != NGX_OK && file->fd != NGX_INVALID_FILE) {
        err = ngx_errno;
        ngx_delete_file(temp);
        ngx_set_errno(err);
    }
    ngx_free(temp);
    return rc;
}

/* What stands there, if it may be used; NULL: why not, and whether it may be
 * replaced. */
static ngx_http_wba_nonce_file_t *
ngx_http_wba_nonce_file_use(u_char *path, size_t region,
    const uint8_t boot[WBA_REPLAY_BOOT_SIZE], ngx_int_t *rc, const char **why)
{
    ngx_file_info_t             fi;
    ngx_http_wba_nonce_file_t  *file;

    file = ngx_http_wba_nonce_file_new();
    if (file == NULL) {
        *rc = NGX_ERROR;
        return NULL;
    }
    *why = NULL;
    *rc = ngx_http_wba_nonce_file_take(file, path, &fi);
    if (*rc != NGX_OK) {
        goto failed;
    }

    /* Who can write it can take nonces out of it. */
    *rc = NGX_DECLINED;
    *why = "it is somebody else's, or others may write it";
    if (fi.st_uid != geteuid() || (fi.st_mode & (S_IWGRP|S_IWOTH))) {
        goto failed;
    }
    *why = "it is of another size";
    if (ngx_file_size(&fi) < WBA_REPLAY_FILE_HEADER
        || ngx_http_wba_nonce_file_map(file, ngx_file_size(&fi)) != NGX_OK)
    {
        goto failed;
    }
    file->table = wba_replay_file_check(file->map, file->size, region, boot,
                                        why);
    if (file->table == NULL) {
        goto failed;
    }
    if (!file->inherited && !wba_replay_renew_locks(file->table)) {
        *why = "its locks cannot be made";
        goto failed;
    }
    file->dev = fi.st_dev;
    file->ino = fi.st_ino;
    *rc = NGX_OK;
    return file;

failed:

    ngx_http_wba_nonce_file_close(file);
    return NULL;
}

/* The table of PATH, for the life of this nginx.  old is that of the cycle
 * before, or NULL; it is given back where it is the same. */
ngx_http_wba_nonce_file_t *
ngx_http_wba_nonce_file_open(ngx_str_t *path, size_t region,
    ngx_http_wba_nonce_file_t *old, ngx_log_t *log)
{
    uint8_t                     boot[WBA_REPLAY_BOOT_SIZE];
    ngx_int_t                   rc;
    const char                 *why;
    ngx_file_info_t             fi;
    ngx_http_wba_nonce_file_t  *file;

    ngx_http_wba_boot(boot);

    if (old && lstat((char *) path->data, &fi) == 0 && fi.st_dev == old->dev
        && fi.st_ino == old->ino)
    {
        if (old->size == WBA_REPLAY_FILE_HEADER + region) {
            return old;
        }
        file = NULL;
        rc = NGX_DECLINED;
        why = "it is of another size";

    } else {
        file = ngx_http_wba_nonce_file_use(path->data, region, boot, &rc,
                                           &why);
    }
    if (file) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "web_bot_auth: the nonces in \"%V\" are kept", path);
        return file;
    }
    if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "web_bot_auth: another nginx uses \"%V\" for its "
                      "nonces, give each a file of its own", path);
        return NULL;
    }
    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "web_bot_auth: \"%V\" cannot be used for nonces", path);
        return NULL;
    }
    if (why) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "web_bot_auth: the nonces in \"%V\" cannot be used: %s; "
                      "the table begins anew, cold", path, why);
    }

    file = ngx_http_wba_nonce_file_new();
    if (file == NULL) {
        return NULL;
    }
    if (ngx_http_wba_nonce_file_make(file, path->data, region, boot, log)
        != NGX_OK
        || lstat((char *) path->data, &fi) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "web_bot_auth: \"%V\" cannot be made for nonces: its "
                      "folder must exist and have room", path);
        ngx_http_wba_nonce_file_close(file);
        return NULL;
    }
    file->dev = fi.st_dev;
    file->ino = fi.st_ino;
    return file;
}

wba_replay_t *
ngx_http_wba_nonce_file_table(ngx_http_wba_nonce_file_t *file)
{
    return file->table;
}
