/* SPDX-License-Identifier: BSD-2-Clause */
#include "directory.h"

#include <stdio.h>

/* The media type without its parameters, or absent. */
static wba_str_t
media_type(wba_str_t header)
{
    size_t i;

    for (i = 0; i < header.len && header.data[i] != ';'; i++) {
        /* up to the parameters */
    }
    return wba_str_trim(wba_str(header.data, i));
}

static bool
type_fits(wba_str_t header, bool well_known)
{
    wba_str_t type = media_type(header);

    if (wba_str_eq_nocase(
            type, WBA_STR("application/http-message-signatures-directory+json")))
    {
        return true;
    }
    return !well_known
           && (wba_str_eq_nocase(type, WBA_STR("application/json"))
               || wba_str_eq_nocase(type, WBA_STR("application/jwk-set+json")));
}

wba_status_t
wba_directory_read(const wba_fetch_result_t *result,
                   const wba_jwks_options_t *options,
                   wba_jwks_report_pt report, void *ctx, wba_keyset_t *set,
                   char *error, size_t size)
{
    wba_jwks_summary_t summary;
    wba_status_t status;

    set->data = NULL;
    set->size = 0;
    error[0] = '\0';

    if (result->error != WBA_FETCH_OK) {
        snprintf(error, size, "%s", result->reason);
        return WBA_INVALID;
    }
    if (result->status >= 300 && result->status < 400
        && result->status != 304)
    {
        snprintf(error, size,
                 "status %d: redirects are not followed, configure the final "
                 "URL",
                 result->status);
        return WBA_INVALID;
    }
    if (result->status != 200) {
        snprintf(error, size, "status %d", result->status);
        return WBA_INVALID;
    }
    if (!type_fits(result->content_type, options->well_known)) {
        snprintf(error, size, "not the media type of a key directory%s",
                 options->well_known ? " at the well-known path" : "");
        return WBA_INVALID;
    }

    status = wba_jwks_parse(result->body, options, report, ctx, set, &summary);
    if (status != WBA_OK) {
        snprintf(error, size, "%s", summary.error);
    }
    return status;
}
