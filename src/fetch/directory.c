/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From an answer to a key set, its freshness, its validators and its proof.
 * Whatever is wrong is said in words that an operator can act on; a stranger's
 * bytes in them are escaped.
 */
#include "directory.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "uri.h"

/* Seconds by which a publisher's clock may differ.  More than requests are
 * given: an intermediary may serve a response a little beyond its signature,
 * and nothing but the keys' origin is at stake. */
#define PROOF_SKEW 60

/* Bytes that the check of a proof may use: eight signature bases that grow to
 * 64 KB by doubling are 1 MB, and fields of several lines are copied.  Pages
 * that are not used are not touched. */
#define PROOF_MEMORY (2 * 1024 * 1024)

/* Bytes of a media type and of a Location that are shown, once escaped. */
#define SHOWN_TYPE 72
#define SHOWN_URL 160

#define TYPE_DIRECTORY "application/http-message-signatures-directory+json"
#define TYPE_JWK_SET "application/jwk-set+json"
#define TYPE_JSON "application/json"

/* --- saying what is wrong */

static void say(wba_directory_answer_t *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends to error, as far as it fits. */
static void
say(wba_directory_answer_t *answer, const char *format, ...)
{
    size_t used = strlen(answer->error);
    va_list args;

    va_start(args, format);
    vsnprintf(answer->error + used, sizeof(answer->error) - used, format,
              args);
    va_end(args);
}

/* Appends a stranger's text in quotes, of which at most max bytes. */
static void
say_quoted(wba_directory_answer_t *answer, wba_str_t text, size_t max)
{
    char shown[256];
    size_t i, n = 0;

    for (i = 0; i < text.len && n + 4 <= max; i++) {
        uint8_t c = text.data[i];

        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            n += (size_t) snprintf(shown + n, sizeof(shown) - n, "\\x%02x", c);
        } else {
            shown[n++] = (char) c;
        }
    }
    shown[n] = '\0';
    say(answer, "\"%s%s\"", shown, i < text.len ? "..." : "");
}

/* Other rooms' sentences may hold a stranger's bytes as well. */
static void
make_printable(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char) *text < 0x20 || (unsigned char) *text > 0x7e) {
            *text = '?';
        }
    }
}

/* A body that is no JSON is most often a page for people. */
static const char *
body_hint(wba_str_t body)
{
    size_t i = 0;

    if (body.len >= 3 && memcmp(body.data, "\xef\xbb\xbf", 3) == 0) {
        i = 3;
    }
    while (i < body.len && memchr(" \t\r\n", body.data[i], 4) != NULL) {
        i++;
    }
    if (i == body.len) {
        return "; the body is empty";
    }
    if (body.data[i] != '<') {
        return "";
    }
    return i + 1 < body.len && body.data[i + 1] == '?'
               ? "; the body looks like XML"
               : "; the body looks like HTML";
}

/* --- status */

static bool
is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307
           || status == 308;
}

/* Without query and fragment, which may hold secrets. */
static void
say_location(wba_directory_answer_t *answer, wba_str_t location)
{
    size_t n = 0;

    if (location.len == 0) {
        say(answer, "; it names no Location");
        return;
    }
    while (n < location.len && location.data[n] != '?'
           && location.data[n] != '#')
    {
        n++;
    }
    say(answer, "; it leads to ");
    say_quoted(answer, wba_str(location.data, n), SHOWN_URL);
    if (n < location.len) {
        say(answer, " and a query");
    }
}

static const char *
status_hint(int status)
{
    switch (status) {
    case 304:
        return ": a 304 that nobody asked for";
    case 401:
    case 403:
    case 407:
        return ": access is refused; a directory must be open to everybody";
    case 404:
    case 410:
        return ": there is nothing at this URL";
    case 406:
        return ": the server has it in no type that was asked for";
    case 429:
        return ": the server wants to be asked less often";
    default:
        if (status >= 500) {
            return ": the server has a failure";
        }
        return status >= 400 ? ": the server refuses the request"
                             : ": only a 200 answers";
    }
}

static wba_status_t
refuse_status(const wba_fetch_result_t *result, wba_directory_answer_t *answer)
{
    say(answer, "status %d", result->status);
    if (is_redirect(result->status)) {
        say(answer,
            ": redirects are not followed, configure the final URL");
        say_location(answer, wba_fetch_header(result, "location"));
    } else {
        say(answer, "%s", status_hint(result->status));
    }
    return WBA_INVALID;
}

/* --- media type */

/* The media type without its parameters. */
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
type_fits(wba_str_t type, bool well_known)
{
    return wba_str_eq_nocase(type, WBA_STR(TYPE_DIRECTORY))
           || (!well_known
               && (wba_str_eq_nocase(type, WBA_STR(TYPE_JSON))
                   || wba_str_eq_nocase(type, WBA_STR(TYPE_JWK_SET))));
}

static wba_status_t
refuse_type(const wba_fetch_result_t *result, bool well_known,
            wba_directory_answer_t *answer)
{
    wba_str_t type = media_type(result->content_type);

    if (type.len == 0) {
        say(answer, "no media type (Content-Type)");
    } else {
        say(answer, "media type ");
        say_quoted(answer, type, SHOWN_TYPE);
    }
    say(answer, "%s",
        well_known ? " where the well-known path needs " TYPE_DIRECTORY
                   : ", neither " TYPE_DIRECTORY " nor " TYPE_JWK_SET
                     " nor " TYPE_JSON);
    say(answer, "%s", body_hint(result->body));
    return WBA_INVALID;
}

/* --- header lines */

static void
read_freshness(const wba_fetch_result_t *result, wba_freshness_t *freshness)
{
    wba_str_t name, value;
    size_t at = 0;

    while (wba_fetch_header_next(result, &at, &name, &value)) {
        wba_freshness_header(freshness, name, value);
    }
}

/* One that cannot be sent back as it came is none. */
static void
copy_validator(wba_str_t value, char to[WBA_MAX_VALIDATOR])
{
    size_t i;

    to[0] = '\0';
    if (value.len >= WBA_MAX_VALIDATOR) {
        return;
    }
    for (i = 0; i < value.len; i++) {
        if (value.data[i] < 0x20 || value.data[i] == 0x7f) {
            return;
        }
    }
    if (value.len != 0) {
        memcpy(to, value.data, value.len);
    }
    to[value.len] = '\0';
}

static void
read_validators(const wba_fetch_result_t *result,
                wba_directory_answer_t *answer)
{
    copy_validator(wba_fetch_header(result, "etag"), answer->etag);
    copy_validator(wba_fetch_header(result, "last-modified"),
                   answer->last_modified);
}

/* --- possession proof */

static wba_str_t
no_text(const wba_message_t *msg)
{
    (void) msg;
    return WBA_STR_NONE;
}

static bool
no(const wba_message_t *msg)
{
    (void) msg;
    return false;
}

static wba_status_t
next_line(const wba_message_t *msg, wba_str_t name, uintptr_t *cursor,
          wba_str_t *value)
{
    size_t at = (size_t) *cursor;
    wba_str_t got;

    while (wba_fetch_header_next(msg->ctx, &at, &got, value)) {
        *cursor = (uintptr_t) at;
        if (wba_str_eq_nocase(got, name)) {
            return WBA_OK;
        }
    }
    return WBA_END;
}

/* An answer's header lines as core reads them; it has nothing else. */
static const wba_message_ops_t answer_ops = {
    .method = no_text,
    .target = no_text,
    .host = no_text,
    .authority_override = no_text,
    .scheme = no_text,
    .authority_served = no,
    .next_line = next_line,
    .multiplexed = no,
};

/* Over a block that is this check's alone. */
static wba_status_t
check_within(const wba_fetch_result_t *result,
             const wba_directory_options_t *options,
             wba_directory_answer_t *answer, wba_arena_t *arena,
             uint8_t *proven)
{
    const wba_message_t message = { &answer_ops,
                                    (void *) (uintptr_t) result };
    const wba_mem_t mem = wba_arena_mem(arena);
    wba_proof_answer_t about = {
        .message = &message,
        .status = (unsigned) result->status,
        .body = result->body,
        .decoded = result->decoded,
    };
    wba_status_t status;
    wba_uri_t uri;

    status = wba_uri_parse(wba_str_z(options->url), &uri);
    if (status == WBA_OK) {
        status = wba_authority_normalise(&mem, uri.authority, uri.scheme,
                                         &about.authority);
    }
    if (status != WBA_OK) {
        return status;
    }
    return wba_proof_check(&about, answer->set, options->now, PROOF_SKEW, &mem,
                           proven, &answer->proof);
}

static wba_status_t
check_proof(const wba_fetch_result_t *result,
            const wba_directory_options_t *options,
            wba_directory_answer_t *answer, uint8_t *proven)
{
    uint8_t *block = malloc(PROOF_MEMORY);
    wba_status_t status;
    wba_arena_t arena;

    if (block == NULL) {
        return WBA_NO_MEMORY;
    }
    wba_arena_init(&arena, block, PROOF_MEMORY);
    status = check_within(result, options, answer, &arena, proven);
    if (status != WBA_OK) {
        /* Memory there was, within reason: what wants more is bad. */
        answer->proof.state = WBA_PROOF_BAD;
        answer->proof.proven = 0;
        answer->proof.text = status == WBA_NO_MEMORY
                                 ? "it is too long to be checked"
                                 : "the URL that was asked has no authority";
    }
    free(block);
    return WBA_OK;
}

static wba_status_t
add_proven(wba_keyset_t set, const uint8_t *proven, wba_keyset_builder_t *b)
{
    size_t i, count = wba_keyset_count(set);
    wba_status_t status = WBA_OK;
    wba_key_t key;

    for (i = 0; i < count && status == WBA_OK; i++) {
        if (proven[i]) {
            wba_keyset_key(set, i, &key);
            status = wba_keyset_builder_add(b, &key);
        }
    }
    return status;
}

/* The set becomes one of the proven keys only. */
static wba_status_t
keep_proven(wba_directory_answer_t *answer, const uint8_t *proven)
{
    wba_keyset_builder_t *b;
    wba_keyset_t kept = { NULL, 0 };
    wba_status_t status;

    b = wba_keyset_builder_new();
    if (b == NULL) {
        return WBA_NO_MEMORY;
    }
    status = add_proven(answer->set, proven, b);
    if (status == WBA_OK) {
        status = wba_keyset_builder_take(b, &kept);
    }
    wba_keyset_builder_free(b);
    if (status == WBA_OK) {
        free((void *) (uintptr_t) answer->set.data);
        answer->set = kept;
    }
    return status;
}

/* Nothing is asked of a set without keys: it gives nobody anything. */
static wba_status_t
require_proof(wba_directory_answer_t *answer, const uint8_t *proven)
{
    size_t count = wba_keyset_count(answer->set);
    const wba_proof_t *proof = &answer->proof;

    if (count == 0 || proof->proven == count) {
        return WBA_OK;
    }
    if (proof->state != WBA_PROOF_GOOD) {
        say(answer, "no key has proven possession: %s",
            proof->state == WBA_PROOF_BAD
                ? proof->text
                : "the answer has no signature of tag " WBA_PROOF_TAG);
        return WBA_INVALID;
    }
    return keep_proven(answer, proven);
}

static wba_status_t
judge_proof(const wba_fetch_result_t *result,
            const wba_directory_options_t *options,
            wba_directory_answer_t *answer)
{
    uint8_t *proven = calloc(wba_keyset_count(answer->set) + 1, 1);
    wba_status_t status = WBA_NO_MEMORY;

    if (proven != NULL) {
        status = check_proof(result, options, answer, proven);
    }
    if (status == WBA_OK && options->proof_required) {
        status = require_proof(answer, proven);
    }
    free(proven);
    return status;
}

/* --- the whole */

static wba_status_t
read_set(const wba_fetch_result_t *result,
         const wba_directory_options_t *options, wba_jwks_report_pt report,
         void *ctx, wba_directory_answer_t *answer)
{
    wba_jwks_summary_t summary;
    wba_status_t status;

    if (!type_fits(media_type(result->content_type),
                   options->jwks.well_known))
    {
        return refuse_type(result, options->jwks.well_known, answer);
    }
    status = wba_jwks_parse(result->body, &options->jwks, report, ctx,
                            &answer->set, &summary);
    if (status != WBA_OK) {
        say(answer, "%s%s", summary.error,
            status == WBA_INVALID ? body_hint(result->body) : "");
        return status;
    }
    status = judge_proof(result, options, answer);
    if (status == WBA_OK) {
        read_validators(result, answer);
        answer->skipped = summary.entries - wba_keyset_count(answer->set);
    }
    return status;
}

static wba_status_t
read_answer(const wba_fetch_result_t *result,
            const wba_directory_options_t *options, wba_jwks_report_pt report,
            void *ctx, wba_directory_answer_t *answer)
{
    if (result->error != WBA_FETCH_OK) {
        say(answer, "%s", result->reason);
        return result->error == WBA_FETCH_MEMORY      ? WBA_NO_MEMORY
               : result->error == WBA_FETCH_TOO_LARGE ? WBA_TOO_LARGE
                                                      : WBA_INVALID;
    }
    if (result->status == 304 && options->conditional) {
        read_validators(result, answer);
        answer->unchanged = true;
        return WBA_OK;
    }
    if (result->status != 200) {
        return refuse_status(result, answer);
    }
    return read_set(result, options, report, ctx, answer);
}

wba_status_t
wba_directory_read(const wba_fetch_result_t *result,
                   const wba_directory_options_t *options,
                   wba_jwks_report_pt report, void *ctx,
                   wba_directory_answer_t *answer)
{
    wba_status_t status;

    memset(answer, 0, sizeof(*answer));
    answer->proof.state = WBA_PROOF_ABSENT;
    answer->proof.text = "";
    wba_freshness_init(&answer->freshness, options->now);
    read_freshness(result, &answer->freshness);

    status = read_answer(result, options, report, ctx, answer);
    if (status == WBA_OK) {
        return status;
    }
    free((void *) (uintptr_t) answer->set.data);
    answer->set.data = NULL;
    answer->set.size = 0;
    if (answer->error[0] == '\0') {
        say(answer, "%s",
            status == WBA_NO_MEMORY ? "out of memory" : "it cannot be read");
    }
    make_printable(answer->error);
    return status;
}
