/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How agents name a directory, what deserves a warning, and the lines that
 * make it one of nginx's.
 */
#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700 /* realpath */
#endif

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "directory_report.h"
#include "uri.h"

/* Bytes of a directory's name in nginx.conf, without its NUL. */
#define NAME 63

/* --- Signature-Agent */

/* The bare origin where that resolves to this URL, else the URL itself. */
static void
find_agent(directory_report_t *r)
{
    wba_str_t url = wba_str_z(r->url);
    size_t tail = sizeof(WBA_WELL_KNOWN_PATH) - 1;

    if (strcmp(r->ask->profile->name, "tap") == 0) {
        return; /* its agents send none */
    }
    r->agent = url;
    if (url.len > tail
        && wba_str_eq(wba_str(url.data + url.len - tail, tail),
                      WBA_STR(WBA_WELL_KNOWN_PATH))
        && memchr(url.data, '?', url.len) == NULL && r->well_known)
    {
        r->agent.len -= tail;
    }
}

/* A URL holds nothing that a String would have to escape. */
static bool
add_form(directory_report_t *r, const char *form, const char *before,
         wba_str_t url, const char *component)
{
    directory_form_t *f = &r->forms[r->nforms++];
    wba_buf_t buf;

    wba_buf_init(&buf, &r->mem, WBA_MAX_URL * 2);
    wba_buf_add(&buf, before, strlen(before));
    wba_buf_byte(&buf, '"');
    wba_buf_str(&buf, url);
    wba_buf_byte(&buf, '"');
    f->form = form;
    f->field = wba_buf_view(&buf);
    f->component = component;
    return buf.status == WBA_OK;
}

static bool
add_forms(directory_report_t *r)
{
    static const char member[] = "\"signature-agent\";key=\"sig1\"";
    wba_str_t url = wba_str_z(r->url);
    bool ok;

    if (r->agent.data == NULL) {
        return true;
    }
    ok = add_form(r, "dictionary", "sig1=", r->agent, member);
    if (r->agent.len != url.len) {
        ok = add_form(r, "dictionary-url", "sig1=", url, member) && ok;
    }
    return add_form(r, "string", "", r->agent, "\"signature-agent\"") && ok;
}

/* --- warnings */

static void
warn(directory_report_t *r, bool when, const char *text)
{
    if (when && r->nwarnings < DIRECTORY_WARNINGS) {
        r->warnings[r->nwarnings++] = text;
    }
}

static bool
has_other_port(const directory_report_t *r)
{
    wba_uri_t uri;

    return r->url != NULL && wba_uri_parse(wba_str_z(r->url), &uri) == WBA_OK
           && uri.port.len != 0;
}

/* Whether the server's certificate is by nobody who is known: in the words of
 * OpenSSL's X509_verify_cert_error_string, which libcurl passes on. */
static bool
is_of_strangers(const directory_report_t *r)
{
    return r->error == WBA_FETCH_TLS
           && (strstr(r->why_not, "issuer certificate") != NULL
               || strstr(r->why_not, "self-signed") != NULL);
}

static void
warn_of_keys(directory_report_t *r)
{
    warn(r, r->taken && r->nentries == 0,
         "the set is empty: it revokes every key, and nothing verifies");
    warn(r, r->usable > 0 && r->valid == 0,
         "no key is valid at this time: nothing verifies");
    warn(r, r->alerts > 0,
         "an entry must never have been published: see ALERT");
    warn(r, r->taken && r->used < r->usable,
         "keys that have not proven possession would not be used");
}

static void
warn_of_answer(directory_report_t *r)
{
    bool has = r->fields[DIRECTORY_ETAG].data != NULL
               || r->fields[DIRECTORY_LAST_MODIFIED].data != NULL;
    bool kept = r->etag[0] != '\0' || r->last_modified[0] != '\0';

    warn(r, r->proof.state == WBA_PROOF_BAD && r->taken,
         "the possession proof is bad; \"proof required\" would refuse it");
    warn(r, r->decoded,
         "it came with a content coding, though none was asked for; a "
         "possession proof cannot be checked then");
    warn(r, r->taken && has && !kept,
         "its ETag and Last-Modified cannot be sent back: each fetch is one "
         "of the whole set");
    warn(r, r->taken && !r->ask->is_file && !has,
         "it has neither ETag nor Last-Modified: each fetch is one of the "
         "whole set");
    warn(r, r->again == DIRECTORY_IN_FULL,
         "the server answers conditional requests in full");
    warn(r, r->again == DIRECTORY_AGAIN_FAILED,
         "the server does not answer conditional requests");
    warn(r, r->ask->ca == NULL && is_of_strangers(r),
         "an authority that this machine does not know is trusted by --ca "
         "FILE here, and by web_bot_auth_trusted_certificate FILE in "
         "nginx.conf, in place of all others");
    warn(r, r->agent.data != NULL && has_other_port(r),
         "discovery looks up agents on port 443 only: this one needs a "
         "web_bot_auth_directory");
}

/* --- configuration */

static bool
is_plain(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
           || (c >= '0' && c <= '9')
           || (c != '\0' && strchr("-._~:/?%&=+@,*", c) != NULL);
}

/* A word of nginx.conf, in quotes where it needs them. */
static void
add_word(wba_buf_t *buf, wba_str_t before, wba_str_t text)
{
    bool plain = true;
    size_t i;

    for (i = 0; i < text.len; i++) {
        plain = plain && is_plain(text.data[i]);
    }
    if (!plain) {
        wba_buf_byte(buf, '"');
    }
    wba_buf_str(buf, before);
    for (i = 0; i < text.len; i++) {
        if (text.data[i] == '"' || text.data[i] == '\\') {
            wba_buf_byte(buf, '\\');
        }
        wba_buf_byte(buf, text.data[i]);
    }
    if (!plain) {
        wba_buf_byte(buf, '"');
    }
}

/* "before word;" on a line. */
static void
add_line(wba_buf_t *buf, const char *before, wba_str_t prefix, wba_str_t text)
{
    wba_buf_add(buf, before, strlen(before));
    add_word(buf, prefix, text);
    wba_buf_lit(buf, ";\n");
}

static void
add_format(wba_buf_t *buf, const char *format, uint64_t a, uint64_t b)
{
    char line[80];

    (void) snprintf(line, sizeof(line), format, a, b);
    wba_buf_add(buf, line, strlen(line));
}

/* After the host, of which what is no letter of a name becomes a dash. */
static void
add_name(wba_buf_t *buf, const directory_report_t *r)
{
    wba_uri_t uri;
    size_t i;

    if (r->url == NULL || wba_uri_parse(wba_str_z(r->url), &uri) != WBA_OK) {
        wba_buf_lit(buf, "NAME");
        return;
    }
    for (i = 0; i < uri.host.len && i < NAME; i++) {
        uint8_t c = uri.host.data[i];

        wba_buf_byte(buf, is_plain(c) && strchr("~:/?%&=+@,*", c) == NULL
                              ? c
                              : '-');
    }
}

/* A path of the file that does not depend on where nginx.conf is. */
static void
add_file(wba_buf_t *buf, const char *path)
{
    char *full = realpath(path, NULL);

    add_line(buf, "    url ", WBA_STR("file:"),
             wba_str_z(full != NULL ? full : path));
    free(full);
}

static void
add_certificate(wba_buf_t *buf, const char *path)
{
    char *full = realpath(path, NULL);

    add_line(buf, "web_bot_auth_trusted_certificate ", WBA_STR_NONE,
             wba_str_z(full != NULL ? full : path));
    free(full);
}

/* Words for options that are not the defaults: of fetching, */
static void
add_fetching(wba_buf_t *buf, const directory_ask_t *ask)
{
    if (ask->refresh_min != DIRECTORY_REFRESH_MIN
        || ask->refresh_max != DIRECTORY_REFRESH_MAX)
    {
        add_format(buf, "    refresh %" PRIu64 "s %" PRIu64 "s;\n",
                   (uint64_t) ask->refresh_min, (uint64_t) ask->refresh_max);
    }
    if (ask->timeout != DIRECTORY_TIMEOUT) {
        add_format(buf, "    timeout %" PRIu64 "s;\n", (uint64_t) ask->timeout,
                   0);
    }
}

/* and of any set. */
static void
add_bounds(wba_buf_t *buf, const directory_ask_t *ask)
{
    if (!ask->is_file) {
        add_fetching(buf, ask);
    }
    if (ask->max_size != DIRECTORY_MAX_SIZE) {
        add_format(buf, "    max_size %" PRIu64 ";\n", ask->max_size, 0);
    }
    if (ask->max_keys != DIRECTORY_MAX_KEYS) {
        add_format(buf, "    max_keys %" PRIu64 ";\n", ask->max_keys, 0);
    }
    if (ask->proof_required) {
        wba_buf_lit(buf, "    proof required;\n");
    }
}

static void
add_algorithms(wba_buf_t *buf, unsigned algorithms)
{
    unsigned alg;

    if (algorithms == 0) {
        return;
    }
    wba_buf_lit(buf, "    algorithms");
    for (alg = 1; alg <= WBA_ALG_ALL; alg <<= 1) {
        if (algorithms & alg) {
            wba_buf_byte(buf, ' ');
            wba_buf_str(buf, wba_str_z(wba_alg_name((wba_alg_t) alg)));
        }
    }
    wba_buf_lit(buf, ";\n");
}

static bool
configure(directory_report_t *r)
{
    const directory_ask_t *ask = r->ask;
    wba_buf_t buf;

    if (!r->taken || (ask->is_file && strcmp(ask->source, "-") == 0)) {
        return true;
    }
    wba_buf_init(&buf, &r->mem, WBA_MAX_FIELD);
    if (ask->test_keys) {
        wba_buf_lit(&buf, "web_bot_auth_test_keys on;\n");
    }
    if (ask->ca != NULL) {
        wba_buf_lit(&buf, "# for all directories, in place of the "
                          "machine's own\n");
        add_certificate(&buf, ask->ca);
    }
    wba_buf_lit(&buf, "web_bot_auth_directory ");
    add_name(&buf, r);
    wba_buf_lit(&buf, " {\n");
    if (ask->is_file) {
        add_file(&buf, ask->source);
    } else {
        add_line(&buf, "    url ", WBA_STR_NONE, wba_str_z(r->url));
    }
    add_line(&buf, "    profile ", WBA_STR_NONE,
             wba_str_z(ask->profile->name));
    if (r->agent.data != NULL) {
        add_line(&buf, "    agent ", WBA_STR_NONE, r->agent);
    }
    add_algorithms(&buf, ask->algorithms);
    add_bounds(&buf, ask);
    wba_buf_lit(&buf, "}\n");
    r->configuration = wba_buf_view(&buf);
    return buf.status == WBA_OK;
}

bool
directory_words(directory_report_t *r)
{
    bool ok = true;

    if (r->url != NULL) {
        find_agent(r);
        ok = add_forms(r);
    }
    warn_of_keys(r);
    warn_of_answer(r);
    return configure(r) && ok;
}
