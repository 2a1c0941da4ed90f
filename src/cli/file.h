/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files in and out. */
#ifndef WBA_CLI_FILE_H
#define WBA_CLI_FILE_H

#include "str.h"

/* Bytes of a file that is read: a captured request with its body, or a key
 * set (WBA_MAX_JWKS is a quarter of it). */
#define CLI_MAX_FILE (64 * 1024 * 1024)

/* Reads path, "-" for stdin.  CLI_OK: *out is the caller's, for file_free, and
 * has a NUL behind it.  CLI_TROUBLE: it has said why. */
int file_read(const char *path, wba_str_t *out);
void file_free(wba_str_t text);

/*
 * Writes a secret to path with mode 0600.  An existing file is an error unless
 * replace, and then is replaced at once or not at all.  CLI_OK, or CLI_TROUBLE
 * and it has said why.
 */
int file_write_secret(const char *path, wba_str_t text, bool replace);

#endif
