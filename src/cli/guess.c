/* SPDX-License-Identifier: BSD-2-Clause */
#include "guess.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guess_private.h"

/* Memory of one attempt: a few bases. */
#define BLOCK (8 * WBA_MAX_BASE)

/* Keys of directories that are tried besides. */
#define OTHER_KEYS 256

const uint8_t *
guess_search(wba_str_t s, wba_str_t what)
{
    size_t i;

    for (i = 0; i + what.len <= s.len; i++) {
        if (memcmp(s.data + i, what.data, what.len) == 0) {
            return s.data + i;
        }
    }
    return NULL;
}

/* ---- attempts */

static void
form_of(wba_str_t base, form_t *form)
{
    const uint8_t *p = base.data, *end = base.data + base.len, *lf, *colon;

    memset(form, 0, sizeof(*form));
    form->colon = ": ";
    form->eol = "\n";
    while (p < end && form->count <= WBA_MAX_COMPONENTS) {
        lf = memchr(p, '\n', (size_t) (end - p));
        lf = lf != NULL ? lf : end;
        colon = guess_search(wba_str(p, (size_t) (lf - p)), WBA_STR(": "));
        if (colon == NULL) {
            form->count = 0;
            return;
        }
        form->lines[form->count].name = wba_str(p, (size_t) (colon - p));
        form->lines[form->count].value =
            wba_str(colon + 2, (size_t) (lf - colon - 2));
        form->count++;
        p = lf + 1;
    }
}

static void
put_name(const form_t *form, wba_str_t name, wba_buf_t *buf)
{
    size_t i;

    for (i = 0; i < name.len; i++) {
        if (!form->bare || name.data[i] != '"') {
            wba_buf_byte(buf, name.data[i]);
        }
    }
}

static wba_str_t
in_base64(guesser_t *g, wba_str_t base)
{
    size_t size =
        sodium_base64_encoded_len(base.len, sodium_base64_VARIANT_ORIGINAL);
    char *text = base.data != NULL ? wba_alloc(&g->mem, size) : NULL;

    if (text == NULL) {
        return WBA_STR_NONE;
    }
    (void) sodium_bin2base64(text, size, base.data, base.len,
                             sodium_base64_VARIANT_ORIGINAL);
    return wba_str_z(text);
}

static wba_str_t
render(guesser_t *g, const form_t *form)
{
    wba_buf_t buf;
    uint8_t digest[64];
    char hex[65];
    size_t i;

    wba_buf_init(&buf, &g->mem, 2 * WBA_MAX_BASE);
    for (i = 0; i < form->count; i++) {
        put_name(form, form->lines[i].name, &buf);
        wba_buf_str(&buf, wba_str_z(form->colon));
        wba_buf_str(&buf, form->lines[i].value);
        if (i + 1 < form->count || form->last_eol) {
            wba_buf_str(&buf, wba_str_z(form->eol));
        }
    }
    if (form->hash == HASH_NONE) {
        return wba_buf_view(&buf);
    }
    if (form->hash == HASH_BASE64) {
        return in_base64(g, wba_buf_view(&buf));
    }
    if (form->hash == HASH_SHA512) {
        (void) crypto_hash_sha512(digest, buf.data, buf.len);
        return wba_str_copy(&g->mem, wba_str(digest, 64));
    }
    (void) crypto_hash_sha256(digest, buf.data, buf.len);
    if (form->hash == HASH_HEX) {
        (void) sodium_bin2hex(hex, sizeof(hex), digest, 32);
        return wba_str_copy(&g->mem, wba_str(hex, 64));
    }
    return wba_str_copy(&g->mem, wba_str(digest, 32));
}

static bool
verifies(const guesser_t *g, const wba_key_t *key, wba_str_t base)
{
    unsigned alg;

    for (alg = 1; alg <= WBA_ALG_ALL; alg <<= 1) {
        if ((key->algs & alg)
            && wba_crypto_verify(key, (wba_alg_t) alg, g->signature,
                                 base)
                   == WBA_OK)
        {
            return true;
        }
    }
    return false;
}

static bool
verifies_by_tried(guesser_t *g, const form_t *form)
{
    const trial_note_t *note = trial_note(g->trial, g->fact);
    wba_str_t base = render(g, form);
    size_t i;

    for (i = 0; i < note->ntried && base.data != NULL; i++) {
        if (verifies(g, &note->tried[i].key, base)) {
            return true;
        }
    }
    return false;
}

static void
found(guesser_t *g, const char *a, const char *b)
{
    (void) snprintf(g->out, GUESS_TEXT, "%s%s%s", a, *b ? "; and if " : "",
                    b);
    g->found = true;
}

/* All mistakes of kinds from first on, on top of form. */
static void
try_kinds(guesser_t *g, const form_t *form, size_t first, const char *with,
          bool pairs)
{
    char says[SAYS];
    form_t changed;
    size_t k, i, used;

    for (k = first; k < guess_nkinds; k++) {
        if (guess_kinds[k].alone && (pairs || *with)) {
            continue;
        }
        for (i = 0; !g->found; i++) {
            used = g->arena.used;
            changed = *form;
            changed.changed = false;
            if (!guess_kinds[k].apply(g, i, &changed, says)) {
                break;
            }
            if (changed.changed && pairs) {
                try_kinds(g, &changed, k + 1, says, false);
            } else if (changed.changed && verifies_by_tried(g, &changed)) {
                found(g, *with ? with : says, *with ? says : "");
            }
            g->arena.used = used;
        }
    }
}

/* Another key of a directory that may answer. */
static void
try_keys(guesser_t *g, wba_str_t base)
{
    const trial_note_t *note = trial_note(g->trial, g->fact);
    uint8_t thumbprint[WBA_THUMBPRINT_TEXT_SIZE];
    size_t d, i, tried = 0;
    wba_key_t key;
    char says[SAYS];

    for (d = 0; d < g->trial->ngiven; d++) {
        if (!(note->accepted >> d & 1)) {
            continue;
        }
        for (i = 0; i < wba_keyset_count(g->trial->sets[d])
                    && tried < OTHER_KEYS;
             i++, tried++)
        {
            wba_keyset_key(g->trial->sets[d], i, &key);
            if (verifies(g, &key, base)) {
                wba_thumbprint_text(key.thumbprint, thumbprint);
                (void) snprintf(says, sizeof(says),
                                "keyid named the key %.*s, by which it is "
                                "signed",
                                (int) sizeof(thumbprint),
                                (const char *) thumbprint);
                found(g, says, "");
                return;
            }
        }
    }
}

/* The signature read in other ways: with the right base, or with that and one
 * mistake. */
static void
try_recoded(guesser_t *g, const form_t *form, bool mistakes)
{
    uint8_t octets[WBA_MAX_SIGNATURE_BYTES];
    const char *says;
    size_t i, len;

    for (i = 0; !g->found && guess_recoded(g, i, octets, &len, &says); i++) {
        g->signature = wba_str(octets, len);
        if (len != 0 && mistakes) {
            try_kinds(g, form, 0, says, false);
        } else if (len != 0 && verifies_by_tried(g, form)) {
            found(g, says, "");
        }
    }
    g->signature = g->fact->signature;
}

static void
try_rsa(guesser_t *g, wba_str_t base)
{
    const trial_note_t *note = trial_note(g->trial, g->fact);
    char says[SAYS];
    size_t i;

    for (i = 0; i < note->ntried && !g->found; i++) {
        if (guess_rsa(g, &note->tried[i].key, base, says)) {
            found(g, says, "");
        }
    }
}

static void
try_all(guesser_t *g, wba_str_t base)
{
    form_t form;

    form_of(base, &form);
    try_rsa(g, base);
    if (form.count > 0) {
        try_recoded(g, &form, false);
        try_kinds(g, &form, 0, "", false);
    }
    if (!g->found) {
        try_keys(g, base);
    }
    if (form.count > 0) {
        try_recoded(g, &form, true);
        try_kinds(g, &form, 0, "", true);
    }
}

bool
guess(const trial_t *t, const wba_fact_t *fact, char text[GUESS_TEXT])
{
    guesser_t g = { .trial = t, .fact = fact, .out = text };
    const trial_note_t *note = trial_note(t, fact);
    wba_reason_t reason = trial_reason(t, fact);
    void *block;

    if ((reason != WBA_REASON_BAD_SIGNATURE
         && reason != WBA_REASON_VISA_SAMPLE_FORM
         && reason != WBA_REASON_KEY_UNKNOWN)
        || !note->has_base || (block = malloc(BLOCK)) == NULL)
    {
        return false;
    }
    wba_arena_init(&g.arena, block, BLOCK);
    g.mem = wba_arena_mem(&g.arena);
    g.signature = fact->signature;
    if (reason == WBA_REASON_KEY_UNKNOWN) {
        try_keys(&g, note->base);
    } else {
        try_all(&g, note->base);
    }
    free(block);
    return g.found;
}
