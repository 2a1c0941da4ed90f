/* SPDX-License-Identifier: BSD-2-Clause */
#include "paying.h"

static const char *const words[] = {
    "buy",      "check-out",   "checkout", "checkout-session",
    "checkout-sessions", "order", "pay",   "payment",
    "payments", "place-order", "purchase",
};

static bool
in_word(uint8_t c)
{
    c = wba_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
           || c == '_';
}

static bool
is(wba_str_t word, const char *known)
{
    size_t i;

    for (i = 0; i < word.len && known[i] != '\0'; i++) {
        uint8_t c = wba_lower(word.data[i]);

        if ((c == '_' ? '-' : c) != (uint8_t) known[i]) {
            return false;
        }
    }
    return i == word.len && known[i] == '\0';
}

static bool
word_pays(wba_str_t word)
{
    size_t i;

    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (is(word, words[i])) {
            return true;
        }
    }
    return false;
}

bool
wba_name_pays(wba_str_t name)
{
    size_t i, from = 0;

    for (i = 0; i <= name.len; i++) {
        if (i < name.len && in_word(name.data[i])) {
            continue;
        }
        if (word_pays(wba_str(name.data + from, i - from))) {
            return true;
        }
        from = i + 1;
    }
    return false;
}
