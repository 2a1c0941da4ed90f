/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay_file.h"

#include <sodium.h>

#define MAGIC UINT64_C(0x314e414257) /* "WBAN1" */
#define SUM 32

typedef struct {
    uint64_t magic;
    uint64_t size; /* of the region */
    uint8_t boot[WBA_REPLAY_BOOT_SIZE];
    uint8_t sum[SUM]; /* of what stands before, and of the table's identity */
} header_t;

_Static_assert(sizeof(header_t) == 64, "the header has no holes");

static void *
region_of(void *file)
{
    return (uint8_t *) file + WBA_REPLAY_FILE_HEADER;
}

static void
checksum(const header_t *h, void *file, uint8_t sum[SUM])
{
    uint8_t identity[WBA_REPLAY_IDENTITY];
    crypto_generichash_state state;

    wba_replay_identity(region_of(file), identity);
    crypto_generichash_init(&state, NULL, 0, SUM);
    crypto_generichash_update(&state, (const uint8_t *) h,
                              offsetof(header_t, sum));
    crypto_generichash_update(&state, identity, sizeof(identity));
    crypto_generichash_final(&state, sum, SUM);
    sodium_memzero(identity, sizeof(identity));
}

void
wba_replay_file_seal(void *file, size_t size,
                     const uint8_t boot[WBA_REPLAY_BOOT_SIZE])
{
    header_t h = { .magic = MAGIC, .size = size };

    memcpy(h.boot, boot, sizeof(h.boot));
    checksum(&h, file, h.sum);
    memset(file, 0, WBA_REPLAY_FILE_HEADER);
    memcpy(file, &h, sizeof(h));
}

wba_replay_t *
wba_replay_file_check(void *file, size_t file_size, size_t size,
                      const uint8_t boot[WBA_REPLAY_BOOT_SIZE],
                      const char **why)
{
    uint8_t sum[SUM];
    wba_replay_t *table;
    header_t h;

    *why = "it is no nonce file";
    if (file_size < WBA_REPLAY_FILE_HEADER + WBA_REPLAY_IDENTITY) {
        return NULL;
    }
    memcpy(&h, file, sizeof(h));
    if (h.magic != MAGIC) {
        return NULL;
    }
    *why = "it is of another size";
    if (h.size != size || file_size - WBA_REPLAY_FILE_HEADER != size) {
        return NULL;
    }
    *why = "the machine was started anew since";
    if (memcmp(h.boot, boot, sizeof(h.boot)) != 0) {
        return NULL;
    }
    *why = "it is damaged";
    checksum(&h, file, sum);
    if (sodium_memcmp(sum, h.sum, SUM) != 0) {
        return NULL;
    }
    *why = "it is of another version";
    table = wba_replay_attach(region_of(file), size);
    if (table == NULL) {
        return NULL;
    }
    *why = "another table has taken its place meanwhile";
    if (wba_replay_superseded(table)) {
        return NULL;
    }
    *why = "";
    return table;
}
