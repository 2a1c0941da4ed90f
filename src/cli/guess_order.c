/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines and parameters in another order than Signature-Input's: many signers
 * keep them in a table without one. */
#include <stdio.h>
#include <string.h>

#include "guess_private.h"

/* Things whose orders are all tried: 719 beside the right one. */
#define MAX_ORDERED 6

/* The i-th order of n things; false: there are not so many. */
static bool
order(size_t i, size_t n, uint8_t out[MAX_ORDERED])
{
    uint8_t left[MAX_ORDERED] = { 0, 1, 2, 3, 4, 5 };
    size_t orders = 1, k, pick;

    for (k = 2; k <= n; k++) {
        orders *= k;
    }
    if (i >= orders) {
        return false;
    }
    for (k = 0; k < n; k++) {
        orders /= n - k;
        pick = i / orders;
        i %= orders;
        out[k] = left[pick];
        memmove(left + pick, left + pick + 1, MAX_ORDERED - pick - 1);
    }
    return true;
}

/* Lists names, as many as there is room for, and then what is so of them. */
static void
say_order(char *says, const char *before, const wba_str_t *names, size_t n,
          const char *behind)
{
    size_t len = (size_t) snprintf(says, SAYS, "%s", before), i;
    size_t room = SAYS - 1 - strlen(behind) - sizeof(", ...");

    for (i = 0; i < n; i++) {
        if (len + names[i].len + 2 > room) {
            len += (size_t) snprintf(says + len, SAYS - len, ", ...");
            break;
        }
        len += (size_t) snprintf(says + len, SAYS - len, "%s%.*s",
                                 i ? ", " : " ", (int) names[i].len,
                                 (const char *) names[i].data);
    }
    (void) snprintf(says + len, SAYS - len, "%s", behind);
}

bool
guess_line_order(guesser_t *g, size_t i, form_t *form, char *says)
{
    size_t n = form->count - 1, k; /* but for @signature-params */
    wba_str_t names[MAX_ORDERED];
    line_t lines[MAX_ORDERED];
    uint8_t to[MAX_ORDERED];

    (void) g;
    if (n < 2 || n > MAX_ORDERED || !order(i + 1, n, to)) {
        return false;
    }
    for (k = 0; k < n; k++) {
        lines[k] = form->lines[to[k]];
        names[k] = lines[k].name;
    }
    memcpy(form->lines, lines, n * sizeof(lines[0]));
    form->changed = true;
    say_order(says, "the lines of the base stood in the order", names, n,
              "; theirs is that of Signature-Input (RFC 9421 section 2.5)");
    return true;
}

/* Cuts the parameters off the inner list in value, each with its ';'; returns
 * how many, or 0 where there are too many to be tried. */
static size_t
split_params(wba_str_t value, wba_str_t *list, wba_str_t pieces[MAX_ORDERED])
{
    bool quoted = false;
    size_t i, n = 0;

    for (i = 0; i < value.len; i++) {
        if (value.data[i] == '\\' && quoted) {
            i++;
        } else if (value.data[i] == '"') {
            quoted = !quoted;
        } else if (value.data[i] == ')' && !quoted) {
            break;
        }
    }
    *list = wba_str(value.data, i < value.len ? i + 1 : value.len);
    for (i = list->len, quoted = false; i < value.len; i++) {
        if (value.data[i] == ';' && !quoted) {
            if (n == MAX_ORDERED) {
                return 0;
            }
            pieces[n++] = wba_str(value.data + i, 0);
        }
        if (n == 0) {
            return 0; /* nothing but parameters follows a list */
        }
        quoted ^= value.data[i] == '"';
        if (value.data[i] == '\\' && i + 1 < value.len) {
            pieces[n - 1].len++;
            i++;
        }
        pieces[n - 1].len++;
    }
    return n;
}

static wba_str_t
param_name(wba_str_t piece)
{
    size_t len = 1;

    while (len < piece.len && piece.data[len] != '=') {
        len++;
    }
    return wba_str(piece.data + 1, len - 1);
}

bool
guess_param_order(guesser_t *g, size_t i, form_t *form, char *says)
{
    line_t *line = &form->lines[form->count - 1];
    wba_str_t pieces[MAX_ORDERED], names[MAX_ORDERED], list;
    size_t n = split_params(line->value, &list, pieces), k;
    uint8_t to[MAX_ORDERED];
    wba_buf_t buf;

    if (n < 2 || !order(i + 1, n, to)) {
        return false;
    }
    wba_buf_init(&buf, &g->mem, WBA_MAX_BASE);
    wba_buf_str(&buf, list);
    for (k = 0; k < n; k++) {
        wba_buf_str(&buf, pieces[to[k]]);
        names[k] = param_name(pieces[to[k]]);
    }
    line->value = wba_buf_view(&buf);
    form->changed = true;
    say_order(says, "the parameters in \"@signature-params\" stood in the "
                    "order", names, n,
              "; theirs is that of Signature-Input (RFC 9421 section 2.5)");
    return true;
}
