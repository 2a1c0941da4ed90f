/* SPDX-License-Identifier: BSD-2-Clause */
#include "fieldtype.h"

/* clang-format off */
#define FIELD(name, type) \
    { { sizeof(name) - 1, (const uint8_t *) (name) }, WBA_FIELDTYPE_##type }

/* Those that agents cover come first: the table is searched in order. */
static const struct {
    wba_str_t name;
    wba_fieldtype_t type;
} fields[] = {
    FIELD("signature-agent", DICTIONARY),
    FIELD("content-digest", DICTIONARY),      /* RFC 9530 */
    FIELD("repr-digest", DICTIONARY),
    FIELD("want-content-digest", DICTIONARY),
    FIELD("want-repr-digest", DICTIONARY),
    FIELD("signature-input", DICTIONARY),     /* RFC 9421 */
    FIELD("signature", DICTIONARY),
    FIELD("accept-signature", DICTIONARY),
    FIELD("priority", DICTIONARY),            /* RFC 9218 */
    FIELD("client-cert", ITEM),               /* RFC 9440 */
    FIELD("client-cert-chain", LIST),
    FIELD("capsule-protocol", ITEM),          /* RFC 9297 */
    FIELD("available-dictionary", ITEM),      /* RFC 9842 */
    FIELD("dictionary-id", ITEM),
    FIELD("idempotency-key", ITEM),           /* httpapi's draft */
    FIELD("incremental", ITEM),               /* httpbis's drafts */
    FIELD("upload-complete", ITEM),
    FIELD("upload-offset", ITEM),
    FIELD("upload-length", ITEM),
    FIELD("sec-fetch-dest", ITEM),            /* W3C Fetch Metadata */
    FIELD("sec-fetch-mode", ITEM),
    FIELD("sec-fetch-site", ITEM),
    FIELD("sec-fetch-user", ITEM),
    FIELD("sec-fetch-storage-access", ITEM),
    FIELD("sec-purpose", ITEM),
    FIELD("sec-ch-ua", LIST),                 /* WICG client hints */
    FIELD("sec-ch-ua-full-version-list", LIST),
    FIELD("sec-ch-ua-form-factors", LIST),
    FIELD("sec-ch-ua-arch", ITEM),
    FIELD("sec-ch-ua-bitness", ITEM),
    FIELD("sec-ch-ua-full-version", ITEM),
    FIELD("sec-ch-ua-mobile", ITEM),
    FIELD("sec-ch-ua-model", ITEM),
    FIELD("sec-ch-ua-platform", ITEM),
    FIELD("sec-ch-ua-platform-version", ITEM),
    FIELD("sec-ch-ua-wow64", ITEM),
    FIELD("sec-ch-prefers-color-scheme", ITEM),
    FIELD("sec-ch-prefers-reduced-motion", ITEM),
    FIELD("sec-ch-prefers-reduced-transparency", ITEM),
    FIELD("sec-ch-device-memory", ITEM),
    FIELD("sec-ch-dpr", ITEM),
    FIELD("sec-ch-width", ITEM),
    FIELD("sec-ch-viewport-width", ITEM),
    FIELD("sec-ch-viewport-height", ITEM),
};
/* clang-format on */

wba_fieldtype_t
wba_fieldtype_find(wba_str_t name)
{
    size_t i;

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (wba_str_eq(fields[i].name, name)) {
            return fields[i].type;
        }
    }
    return WBA_FIELDTYPE_UNKNOWN;
}
