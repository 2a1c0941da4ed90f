/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether this machine has the certificates by which libcurl knows servers
 * where it is given none. */
#ifndef WBA_TRUST_H
#define WBA_TRUST_H

#include <stdbool.h>

/* Bytes of a bundle that are looked at; Debian's has 220 KB, and begins with a
 * certificate. */
#define WBA_MAX_TRUST (1024 * 1024)

/*
 * file is a bundle of PEM certificates, folder one of files that OpenSSL finds
 * by the hashes in their names; each may be NULL.  Where there is a file,
 * libcurl fails without it, whatever the folder holds.
 */
bool wba_trust_in(const char *file, const char *folder);

/* The same of the places that libcurl was built with.  *where, unless NULL,
 * becomes the one that counts, or NULL where it has none. */
bool wba_trust_system(const char **where);

#endif
