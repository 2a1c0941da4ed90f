/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests and answers as bytes: HTTP/1.1, and as much of HTTP/2 (RFC 9113,
 * 9540) as a client with prior knowledge needs which has one request under way
 * on a connection: fields as literals that nobody remembers, no Huffman code.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Noreturn void
stop(const char *why)
{
    fprintf(stderr, "load: %s\n", why);
    exit(2);
}

/* --- HTTP/1.1 */

static size_t
write1(const load_request_t *r, size_t body_size, uint8_t *out)
{
    char *text = (char *) out;
    size_t i, n;

    n = (size_t) snprintf(text, LOAD_HEAD, "%s %s HTTP/1.1\r\nHost: %s\r\n",
                          r->method, r->path, LOAD_HOST);
    for (i = 0; i < r->nfields; i++) {
        n += (size_t) snprintf(text + n, LOAD_HEAD - n, "%s: %s\r\n",
                               r->fields[i].name, r->fields[i].value);
    }
    if (body_size) {
        n += (size_t) snprintf(text + n, LOAD_HEAD - n,
                               "Content-Length: %zu\r\n", body_size);
    }
    n += (size_t) snprintf(text + n, LOAD_HEAD - n, "\r\n");
    if (n >= LOAD_HEAD) {
        stop("a head is too long");
    }
    return n;
}

static size_t
begin1(uint8_t *out)
{
    (void) out;
    return 0;
}

static void
address1(load_connection_t *c, uint8_t *head)
{
    (void) c;
    (void) head;
}

static int
answer1(load_connection_t *c)
{
    char *end, *length, *text = (char *) c->answer;

    text[c->got] = '\0';
    end = strstr(text, "\r\n\r\n");
    if (end == NULL) {
        return 0;
    }
    length = strstr(text, "Content-Length: ");
    if (length == NULL || length > end) {
        stop("an answer without Content-Length");
    }
    if (c->got < (size_t) (end + 4 - text) + strtoul(length + 16, NULL, 10)) {
        return 0;
    }
    c->got = 0;
    return atoi(text + 9);
}

const load_protocol_t load_http1 = { write1, begin1, address1, answer1 };

/* --- HTTP/2 */

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING,
       GOAWAY, WINDOW_UPDATE };

#define END_STREAM 1
#define END_HEADERS 4
#define FRAME 9

static uint8_t *
put_frame(uint8_t *p, size_t length, uint8_t type, uint8_t flags,
          uint32_t stream)
{
    *p++ = (uint8_t) (length >> 16);
    *p++ = (uint8_t) (length >> 8);
    *p++ = (uint8_t) length;
    *p++ = type;
    *p++ = flags;
    *p++ = (uint8_t) (stream >> 24);
    *p++ = (uint8_t) (stream >> 16);
    *p++ = (uint8_t) (stream >> 8);
    *p++ = (uint8_t) stream;
    return p;
}

/* A string literal of HPACK (RFC 7541, 5.2), as it is. */
static uint8_t *
put_string(uint8_t *p, const char *text)
{
    size_t n = strlen(text), rest;

    if (n < 127) {
        *p++ = (uint8_t) n;
    } else {
        *p++ = 127;
        for (rest = n - 127; rest >= 128; rest >>= 7) {
            *p++ = (uint8_t) (rest | 128);
        }
        *p++ = (uint8_t) rest;
    }
    memcpy(p, text, n);
    return p + n;
}

static size_t
write2(const load_request_t *r, size_t body_size, uint8_t *out)
{
    uint8_t *p = out + FRAME;
    size_t i, room = LOAD_HEAD - 64;

    if (body_size) {
        stop("no bodies in HTTP/2");
    }
    *p++ = 0x82; /* :method GET */
    *p++ = 0x86; /* :scheme http */
    *p++ = 0x04; /* :path */
    p = put_string(p, r->path);
    *p++ = 0x01; /* :authority */
    p = put_string(p, LOAD_HOST);
    for (i = 0; i < r->nfields; i++) {
        const load_field_t *f = &r->fields[i];

        if ((size_t) (p - out) + strlen(f->name) + strlen(f->value) > room) {
            stop("a head is too long");
        }
        *p++ = 0x00;
        p = put_string(p, f->name);
        p = put_string(p, f->value);
    }
    put_frame(out, (size_t) (p - out) - FRAME, HEADERS,
              END_STREAM | END_HEADERS, 1);
    return (size_t) (p - out);
}

static size_t
begin2(uint8_t *out)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    uint8_t *p = out;

    memcpy(p, preface, sizeof(preface) - 1);
    p = put_frame(p + sizeof(preface) - 1, 0, SETTINGS, 0, 0);
    /* The connection's window, once for all: 2^31 - 1 less what it has. */
    p = put_frame(p, 4, WINDOW_UPDATE, 0, 0);
    memcpy(p, "\x7f\xff\x00\x00", 4);
    return (size_t) (p + 4 - out);
}

static void
address2(load_connection_t *c, uint8_t *head)
{
    c->stream = c->stream ? c->stream + 2 : 1;
    c->status = 0;
    put_frame(head, (size_t) head[0] << 16 | head[1] << 8 | head[2], HEADERS,
              END_STREAM | END_HEADERS, c->stream);
}

/* :status, with which an answer's block begins. */
static int
status_of(const uint8_t *p, size_t n)
{
    static const int known[] = { 200, 204, 206, 304, 400, 404, 500 };
    char text[4] = "";

    while (n && (*p & 0xe0) == 0x20) { /* the dynamic table's size */
        p++;
        n--;
    }
    if (n && *p >= 0x88 && *p <= 0x8e) {
        return known[*p - 0x88];
    }
    if (n >= 5 && (*p & 0x0f) == 8 && p[1] == 3) {
        memcpy(text, p + 2, 3);
        return atoi(text);
    }
    stop("an answer's :status cannot be read");
}

static int
answer2(load_connection_t *c)
{
    size_t at = 0, length;
    int whole = 0;

    while (c->got - at >= FRAME) {
        const uint8_t *p = c->answer + at;

        length = (size_t) p[0] << 16 | p[1] << 8 | p[2];
        if (c->got - at < FRAME + length) {
            break;
        }
        if (p[3] == HEADERS && c->status == 0) {
            c->status = status_of(p + FRAME, length);
        } else if (p[3] == GOAWAY || p[3] == RST_STREAM) {
            stop("the server has ended a stream");
        }
        if ((p[3] == HEADERS || p[3] == DATA) && (p[4] & END_STREAM)) {
            whole = c->status;
        }
        at += FRAME + length;
    }
    memmove(c->answer, c->answer + at, c->got - at);
    c->got -= at;
    return whole;
}

const load_protocol_t load_http2 = { write2, begin2, address2, answer2 };
