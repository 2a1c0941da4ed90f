/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests as text with placeholders: $a $b $c stand for the hosts' keys'
 * thumbprints, $n for a nonce that was given out, $d for the Content-Digest of
 * what follows the fields, $l for 16,384 letters.  And a Signature field that
 * fits the request.
 */
#ifndef WBA_FUZZ_TEXT_H
#define WBA_FUZZ_TEXT_H

#include "fuzz_host.h"

/* How a request is signed: by whom (the first signature, the next key the
 * second, and so on), over what, and for which connection. */
typedef struct {
    bool sign;
    bool as_sent;
    unsigned who;
    bool http;
    bool override;
} text_signer_t;

static inline wba_str_t
text_body(wba_str_t text)
{
    size_t i;

    for (i = 0; i + 3 < text.len; i++) {
        if (memcmp(text.data + i, "\r\n\r\n", 4) == 0) {
            return wba_str(text.data + i + 4, text.len - i - 4);
        }
    }
    return WBA_STR_NONE;
}

static inline void
text_add_digest(wba_buf_t *out, wba_str_t text)
{
    wba_str_t body = text_body(text);
    uint8_t hash[32];

    crypto_hash_sha256(hash, body.data, body.len);
    wba_buf_lit(out, "sha-256=");
    wba_sf_write_bytes(out, hash, sizeof(hash));
}

static inline void
text_add_nonce(wba_buf_t *out, int64_t now)
{
    uint8_t nonce[WBA_CHALLENGE_SIZE];
    static const uint8_t random[WBA_CHALLENGE_RANDOM_SIZE] = "twenty octets";

    wba_challenge_make(&host_challenge, WBA_STR(SHOP), now - 10, random, nonce);
    wba_buf_add(out, nonce, sizeof(nonce));
}

/* A field's bound is four of them. */
static inline void
text_add_long(wba_buf_t *out)
{
    static char text[16384];

    memset(text, 'a', sizeof(text));
    wba_buf_add(out, text, sizeof(text));
}

static inline wba_str_t
text_expand(fuzz_mem_t *m, wba_str_t text, int64_t now)
{
    wba_buf_t out;
    uint8_t c;
    size_t i;

    wba_buf_init(&out, &m->mem, 400000);
    for (i = 0; i < text.len; i++) {
        c = text.data[i];
        if (c != '$' || i + 1 == text.len) {
            wba_buf_byte(&out, c);
            continue;
        }
        c = text.data[++i];
        if (c >= 'a' && c <= 'c') {
            wba_buf_str(&out, wba_str_z(host_keys[c - 'a'].text));
        } else if (c == 'd') {
            text_add_digest(&out, text);
        } else if (c == 'n') {
            text_add_nonce(&out, now);
        } else if (c == 'l') {
            text_add_long(&out);
        } else {
            wba_buf_byte(&out, '$');
            i--;
        }
    }
    return wba_buf_view(&out);
}

static inline void
text_dress(const text_signer_t *s, wba_raw_message_t *raw)
{
    raw->scheme = s->http ? WBA_STR("http") : WBA_STR("https");
    raw->authority_override = s->override ? WBA_STR("SHOP.example:443")
                                          : WBA_STR_NONE;
}

/* The text with a Signature field as its last line of fields. */
static inline wba_str_t
text_add_signature(const text_signer_t *s, fuzz_mem_t *m, wba_str_t text)
{
    static wba_raw_message_t raw;
    wba_str_t value;
    size_t line, head;
    wba_buf_t out;

    if (!s->sign || wba_raw_message_parse(text, &raw, &line) != WBA_OK) {
        return text;
    }
    text_dress(s, &raw);
    value = host_sign_all(&raw, s->who, s->as_sent, &m->mem);
    if (value.len == 0) {
        return text;
    }
    /* Before the line end that ends the fields, if there is one. */
    head = raw.body.data != NULL ? (size_t) (raw.body.data - text.data)
                                 : text.len;
    if (head >= 2 && text.data[head - 1] == '\n' && text.data[head - 2] == '\r')
    {
        head -= 2;
    } else if (head >= 1 && text.data[head - 1] == '\n') {
        head--;
    }
    wba_buf_init(&out, &m->mem, 500000);
    wba_buf_add(&out, text.data, head);
    if (head == 0 || text.data[head - 1] != '\n') {
        wba_buf_lit(&out, "\r\n");
    }
    wba_buf_lit(&out, "Signature: ");
    wba_buf_str(&out, value);
    wba_buf_lit(&out, "\r\n");
    wba_buf_add(&out, text.data + head, text.len - head);
    return wba_buf_view(&out);
}

#endif
