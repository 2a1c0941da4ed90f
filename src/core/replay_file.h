/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A nonce table kept in a file that is mapped: a header of one page that says
 * what the file is, then the table's region.  Files and maps are the host's.
 */
#ifndef WBA_REPLAY_FILE_H
#define WBA_REPLAY_FILE_H

#include "replay.h"

/* Bytes before the region: a page, which aligns it. */
#define WBA_REPLAY_FILE_HEADER 4096

#define WBA_REPLAY_BOOT_SIZE 16

/*
 * Writes the header of a file of WBA_REPLAY_FILE_HEADER and size bytes, whose
 * region holds a table that wba_replay_init has made.  boot names the
 * machine's present run: locks and monotonic times mean nothing in another.
 */
void wba_replay_file_seal(void *file, size_t size,
                          const uint8_t boot[WBA_REPLAY_BOOT_SIZE]);

/*
 * The table of a mapped file of file_size bytes, for whom a region of size
 * bytes is expected; NULL with *why, a short phrase: of another size, version
 * or boot, damaged, no nonce file at all.  Changes nothing.  The checksum is
 * over the header and what the table never writes, its secret among it; entries
 * are not looked at (one that is damaged is forgotten or never dies).
 */
wba_replay_t *wba_replay_file_check(void *file, size_t file_size, size_t size,
                                    const uint8_t boot[WBA_REPLAY_BOOT_SIZE],
                                    const char **why);

#endif
