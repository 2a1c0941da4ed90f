/* SPDX-License-Identifier: BSD-2-Clause */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static int
read_all(FILE *in, const char *name, wba_str_t *out)
{
    size_t cap = 65536, len = 0, n;
    char *data = malloc(cap + 1), *grown;

    while (data != NULL) {
        n = fread(data + len, 1, cap - len, in);
        len += n;
        if (n == 0 || feof(in)) {
            break; /* a terminal would be read again behind its end */
        }
        if (len < cap) {
            continue;
        }
        if (cap >= CLI_MAX_FILE) {
            free(data);
            return cli_fail("%s is longer than %d MB", name,
                            CLI_MAX_FILE / (1024 * 1024));
        }
        grown = realloc(data, cap * 2 + 1);
        if (grown == NULL) {
            free(data);
        }
        data = grown;
        cap *= 2;
    }
    if (data == NULL) {
        return cli_fail("out of memory while reading %s", name);
    }
    if (ferror(in)) {
        free(data);
        return cli_fail("cannot read %s: %s", name, strerror(errno));
    }
    data[len] = '\0';
    *out = wba_str(data, len);
    return CLI_OK;
}

int
file_read(const char *path, wba_str_t *out)
{
    FILE *in;
    int rc;

    *out = WBA_STR_NONE;
    if (strcmp(path, "-") == 0) {
        return read_all(stdin, "the standard input", out);
    }
    in = fopen(path, "rb");
    if (in == NULL) {
        return cli_fail("cannot open %s: %s", path, strerror(errno));
    }
    rc = read_all(in, path, out);
    (void) fclose(in);
    return rc;
}

void
file_free(wba_str_t text)
{
    free((void *) (uintptr_t) text.data);
}

static bool
write_all(int fd, wba_str_t text)
{
    ssize_t n;

    while (text.len) {
        n = write(fd, text.data, text.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return false;
        }
        text = wba_str(text.data + n, text.len - (size_t) n);
    }
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP;
}

/* Writes and closes; removes what it could not finish. */
static int
finish(int fd, const char *path, wba_str_t text)
{
    bool written = write_all(fd, text);

    if (close(fd) != 0 || !written) {
        (void) cli_fail("cannot write %s: %s", path, strerror(errno));
        (void) unlink(path);
        return CLI_TROUBLE;
    }
    return CLI_OK;
}

static int
write_new(const char *path, wba_str_t text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0 && errno == EEXIST) {
        return cli_fail("%s exists, and a key that is overwritten is lost; "
                        "give another --out, or --force",
                        path);
    }
    if (fd < 0) {
        return cli_fail("cannot create %s: %s", path, strerror(errno));
    }
    return finish(fd, path, text);
}

static int
write_over(const char *path, wba_str_t text)
{
    static const char suffix[] = ".XXXXXX";
    size_t len = strlen(path);
    char *beside = malloc(len + sizeof(suffix));
    int fd, rc;

    if (beside == NULL) {
        return cli_fail("out of memory");
    }
    memcpy(beside, path, len);
    memcpy(beside + len, suffix, sizeof(suffix));
    fd = mkstemp(beside);
    if (fd < 0) {
        rc = cli_fail("cannot create %s: %s", path, strerror(errno));
        goto done;
    }
    rc = finish(fd, beside, text);
    if (rc == CLI_OK && rename(beside, path) != 0) {
        rc = cli_fail("cannot replace %s: %s", path, strerror(errno));
        (void) unlink(beside);
    }

done:
    free(beside);
    return rc;
}

int
file_write_secret(const char *path, wba_str_t text, bool replace)
{
    return replace ? write_over(path, text) : write_new(path, text);
}
