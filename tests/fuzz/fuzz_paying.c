/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of places where one pays: such are those, and only those, that have
 * one of the header's words with no other letter, digit, '-' or '_' beside
 * it; whatever stands around it, and in any case of letters.
 *
 * Input: a location's name.
 */
#include "fuzz.h"
#include "paying.h"

static const char *const words[] = {
    "buy", "check-out", "checkout", "checkout-session", "checkout-sessions",
    "order", "pay", "payment", "payments", "place-order", "purchase",
};

static bool
beside(wba_str_t name, size_t at)
{
    static const char in_words[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";

    return at < name.len && name.data[at] != '\0'
           && strchr(in_words, wba_lower(name.data[at])) != NULL;
}

static bool
stands_at(wba_str_t name, size_t at, const char *word)
{
    size_t i, n = strlen(word);

    if (at + n > name.len || beside(name, at + n)
        || (at > 0 && beside(name, at - 1)))
    {
        return false;
    }
    for (i = 0; i < n; i++) {
        uint8_t c = name.data[at + i];

        if (word[i] == '-' ? c != '-' && c != '_'
                           : wba_lower(c) != (uint8_t) word[i])
        {
            return false;
        }
    }
    return true;
}

static bool
expected(wba_str_t name)
{
    size_t i, w;

    for (i = 0; i < name.len; i++) {
        for (w = 0; w < COUNT(words); w++) {
            if (stands_at(name, i, words[w])) {
                return true;
            }
        }
    }
    return false;
}

/* With something before and behind it. */
static bool
within(wba_str_t name, uint8_t c)
{
    uint8_t *text = malloc(name.len + 2);
    bool pays;

    CHECK(text != NULL);
    text[0] = text[name.len + 1] = c;
    if (name.len) {
        memcpy(text + 1, name.data, name.len);
    }
    pays = wba_name_pays(wba_str(text, name.len + 2));
    CHECK(pays == expected(wba_str(text, name.len + 2)));
    free(text);
    return pays;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    fuzz_begin();
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wba_str_t name = wba_str(data, size);
    bool pays = wba_name_pays(name);

    CHECK(pays == expected(name));
    CHECK(within(name, '/') == pays);
    CHECK(within(name, '\0') == pays);
    CHECK(pays || !within(name, 'x'));
    return 0;
}
