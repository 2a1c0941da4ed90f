/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/sf as a filter, for comparing it with a parser that we did not write:
 * each line in is TYPE (item, list, dictionary), a space and a field in
 * base64; each line out is "-" for a field that is refused, else its canonical
 * form in base64.
 */
#include <sodium.h>
#include <stdio.h>

#include "sf.h"

#define ROOM 65536

typedef wba_status_t (*canonical_pt)(wba_buf_t *buf, wba_str_t field);

static const struct {
    const char *name;
    canonical_pt run;
} types[] = {
    { "item", wba_sf_canonical_item },
    { "list", wba_sf_canonical_list },
    { "dictionary", wba_sf_canonical_dict },
};

static canonical_pt
find_type(const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (strlen(types[i].name) == len
            && memcmp(types[i].name, name, len) == 0)
        {
            return types[i].run;
        }
    }
    return NULL;
}

static bool
answer(const char *line)
{
    static uint8_t field[ROOM], out[ROOM];
    static char text[sodium_base64_ENCODED_LEN(
        ROOM, sodium_base64_VARIANT_ORIGINAL)];
    const char *space = strchr(line, ' ');
    canonical_pt run;
    wba_buf_t buf;
    wba_str_t view;
    size_t len;

    run = space == NULL ? NULL : find_type(line, (size_t) (space - line));
    if (run == NULL
        || sodium_base642bin(field, sizeof(field), space + 1,
                             strlen(space + 1), "\n", &len, NULL,
                             sodium_base64_VARIANT_ORIGINAL) != 0)
    {
        return false;
    }
    wba_buf_fixed(&buf, out, sizeof(out));
    if (run(&buf, wba_str(field, len)) != WBA_OK || buf.status != WBA_OK) {
        return puts("-") >= 0;
    }
    view = wba_buf_view(&buf);
    sodium_bin2base64(text, sizeof(text), view.data, view.len,
                      sodium_base64_VARIANT_ORIGINAL);
    return puts(text) >= 0;
}

int
main(void)
{
    static char line[2 * ROOM];

    if (sodium_init() < 0) {
        return 2;
    }
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (!answer(line)) {
            (void) fprintf(stderr, "cannot read: %s", line);
            return 2;
        }
    }
    return fflush(stdout) == 0 ? 0 : 2;
}
