/* SPDX-License-Identifier: BSD-2-Clause */
#include "signing.h"

#include <stdio.h>
#include <strings.h>

#include "cli.h"
#include "sf.h"

/* Bytes of the request's head: what WBA_MAX_FIELD allows one field, twice. */
#define MAX_HEAD (2 * WBA_MAX_FIELD)

static int
too_large(void)
{
    return cli_fail("the request is larger than wba can sign: a signature "
                    "base has at most %d bytes",
                    WBA_MAX_BASE);
}

static void
put(wba_buf_t *buf, const char *text)
{
    wba_buf_str(buf, wba_str_z(text));
}

/* The checks of what was asked. */

static bool
is_token(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len && wba_is_tchar((uint8_t) text[i]); i++) {
    }
    return len != 0 && i == len;
}

static int
check_header(const char *header)
{
    const char *colon = strchr(header, ':');

    if (colon == NULL || !is_token(header, (size_t) (colon - header))) {
        return cli_fail("--header '%s' is no field; write 'Name: value'",
                        header);
    }
    if (strpbrk(header, "\r\n") != NULL) {
        return cli_fail("--header '%.*s: ...' holds a line break; give one "
                        "--header for each line",
                        (int) (colon - header), header);
    }
    return CLI_OK;
}

static int
check_url(const char *url, wba_uri_t *uri)
{
    if (wba_uri_parse(wba_str_z(url), uri) != WBA_OK) {
        return cli_fail("--url %s is no absolute URL; write for instance "
                        "https://shop.example/catalogue?page=2, with "
                        "percent-encoding where it needs it",
                        url);
    }
    if (!wba_str_eq_nocase(uri->scheme, WBA_STR("https"))
        && !wba_str_eq_nocase(uri->scheme, WBA_STR("http")))
    {
        return cli_fail("--url %s is neither https nor http", url);
    }
    if (uri->userinfo.data != NULL) {
        return cli_fail("--url %s holds user information, which no request "
                        "carries there; leave it out",
                        url);
    }
    if (uri->fragment.data != NULL) {
        return cli_fail("--url %s has a fragment, which is never sent; leave "
                        "out what follows '#'",
                        url);
    }
    return CLI_OK;
}

static int
check_agent(const signing_t *s, const wba_mem_t *mem)
{
    wba_str_t url;

    if (s->agent == NULL) {
        return CLI_OK;
    }
    switch (wba_agent_resolve(mem, wba_str_z(s->agent), &url)) {
    case WBA_OK:
        return CLI_OK;
    case WBA_UNSUPPORTED:
        return cli_fail("--agent %s is not https, and verifiers refuse "
                        "anything else",
                        s->agent);
    default:
        return cli_fail("--agent %s is no URL of an agent; write for instance "
                        "https://agent.example, without user information or "
                        "fragment",
                        s->agent);
    }
}

/* Whether the text can stand in a structured field: as key, or as String. */
static int
check_text(const char *option, const char *text, bool key)
{
    wba_buf_t buf;
    uint8_t block[4096];

    if (text == NULL) {
        return CLI_OK;
    }
    wba_buf_fixed(&buf, block, sizeof(block));
    if (key) {
        wba_sf_write_key(&buf, wba_str_z(text));
    } else {
        wba_sf_write_string(&buf, wba_str_z(text));
    }
    if (buf.status == WBA_OK) {
        return CLI_OK;
    }
    if (buf.status == WBA_TOO_LARGE) {
        return cli_fail("--%s is too long", option);
    }
    return cli_fail(key ? "--%s '%s' is no label; begin with a lower-case "
                          "letter or '*', go on with those, digits, '_', "
                          "'-', '.'"
                        : "--%s '%s' holds something else than printable "
                          "ASCII",
                    option, text);
}

static int
check(const signing_t *s, const wba_mem_t *mem, wba_uri_t *uri)
{
    size_t i;

    if (!is_token(s->method, strlen(s->method))) {
        return cli_fail("--method '%s' is no method; write for instance GET",
                        s->method);
    }
    for (i = 0; i < s->nheaders; i++) {
        if (check_header(s->headers[i]) != CLI_OK) {
            return CLI_TROUBLE;
        }
    }
    if (check_url(s->url, uri) != CLI_OK || check_agent(s, mem) != CLI_OK
        || check_text("label", s->label, true) != CLI_OK
        || check_text("tag", s->tag, false) != CLI_OK
        || check_text("nonce", s->nonce, false) != CLI_OK
        || check_text("keyid", s->keyid, false) != CLI_OK
        || check_text("alg", s->alg, false) != CLI_OK)
    {
        return CLI_TROUBLE;
    }
    return CLI_OK;
}

bool
signing_has_header(const signing_t *s, const char *name)
{
    size_t i, len = strlen(name);

    for (i = 0; i < s->nheaders; i++) {
        if (strncasecmp(s->headers[i], name, len) == 0
            && s->headers[i][len] == ':')
        {
            return true;
        }
    }
    return false;
}

/* The signature's parameters and components. */

static void
put_agent_component(const signing_t *s, wba_buf_t *out)
{
    wba_buf_lit(out, "\"signature-agent\"");
    if (!s->agent_string) {
        wba_buf_lit(out, ";key=");
        wba_sf_write_string(out, wba_str_z(s->label));
    }
}

/* What the profile asks, and the agent where one is named. */
static void
put_default_components(const signing_t *s, wba_buf_t *out)
{
    const wba_profile_t *p = s->profile;
    bool target = false;
    size_t i;

    for (i = 0; i < p->ncomponents; i++) {
        wba_buf_byte(out, i ? ' ' : '(');
        wba_sf_write_string(out, p->components[i].name);
        target |= wba_str_eq(p->components[i].name, WBA_STR("@authority"));
    }
    if (!target) {
        wba_buf_byte(out, i ? ' ' : '(');
        wba_buf_lit(out, "\"@authority\"");
    }
    if (s->agent != NULL) {
        wba_buf_byte(out, ' ');
        put_agent_component(s, out);
    }
    wba_buf_byte(out, ')');
}

static int
put_components(const signing_t *s, const wba_mem_t *mem, wba_buf_t *out)
{
    wba_component_t component;
    wba_sf_value_t item;
    wba_str_t text;
    size_t i;

    if (s->ncomponents == 0) {
        put_default_components(s, out);
        return CLI_OK;
    }
    for (i = 0; i < s->ncomponents; i++) {
        text = wba_str_z(s->components[i]);
        if (wba_component_from_text(text, mem, &component) != WBA_OK) {
            return cli_fail("--component %s cannot be covered; write a "
                            "lower-case name (@authority, content-type), or "
                            "an identifier as in Signature-Input "
                            "('\"signature-agent\";key=\"sig1\"')",
                            s->components[i]);
        }
        wba_buf_byte(out, i ? ' ' : '(');
        if (s->components[i][0] == '"'
            && wba_sf_item_parse(text, &item) == WBA_OK)
        {
            wba_sf_write_value(out, &item);
        } else {
            wba_sf_write_string(out, text);
        }
    }
    wba_buf_byte(out, ')');
    return CLI_OK;
}

static void
put_param(wba_buf_t *out, const char *name, const char *value)
{
    if (value != NULL) {
        put(out, name);
        wba_sf_write_string(out, wba_str_z(value));
    }
}

/* The member of Signature-Input, as text and parsed. */
static int
make_input(const signing_t *s, const wba_mem_t *mem, wba_str_t *text,
           wba_sf_value_t *list, wba_components_t *components)
{
    wba_reason_t why;
    wba_sf_iter_t it;
    wba_str_t label;
    wba_buf_t buf;

    wba_buf_init(&buf, mem, WBA_MAX_FIELD);
    put(&buf, s->label);
    wba_buf_byte(&buf, '=');
    if (put_components(s, mem, &buf) != CLI_OK) {
        return CLI_TROUBLE;
    }
    wba_buf_lit(&buf, ";created=");
    wba_sf_write_integer(&buf, s->created);
    put_param(&buf, ";keyid=", s->keyid);
    put_param(&buf, ";alg=", s->alg);
    wba_buf_lit(&buf, ";expires=");
    wba_sf_write_integer(&buf, s->expires);
    put_param(&buf, ";nonce=", s->nonce);
    put_param(&buf, ";tag=", s->tag);

    *text = wba_buf_view(&buf);
    wba_sf_dict_init(&it, *text);
    if (buf.status != WBA_OK
        || wba_sf_dict_next(&it, &label, list) != WBA_OK)
    {
        return too_large();
    }
    if (wba_components_parse(list, mem, components, &why) == WBA_OK) {
        return CLI_OK;
    }
    return cli_fail(why == WBA_REASON_DUPLICATE_COMPONENT
                        ? "a --component is given twice"
                        : "a --component cannot be covered");
}

/* The request's text. */

static wba_str_t
agent_value(const signing_t *s, const wba_mem_t *mem)
{
    wba_buf_t buf;

    if (s->agent == NULL) {
        return WBA_STR_NONE;
    }
    wba_buf_init(&buf, mem, 2 * WBA_MAX_URL);
    if (!s->agent_string) {
        put(&buf, s->label);
        wba_buf_byte(&buf, '=');
    }
    wba_sf_write_string(&buf, wba_str_z(s->agent));
    return wba_buf_view(&buf);
}

static wba_str_t
digest_value(const signing_t *s, const wba_components_t *components,
             const wba_mem_t *mem)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    wba_buf_t buf;
    size_t i;

    for (i = 0; i < components->count; i++) {
        if (wba_str_eq(components->items[i].name, WBA_STR("content-digest"))) {
            break;
        }
    }
    if (i == components->count || signing_has_header(s, "content-digest")) {
        return WBA_STR_NONE;
    }
    (void) crypto_hash_sha256(digest, s->body.data, s->body.len);
    wba_buf_init(&buf, mem, 256);
    wba_buf_lit(&buf, "sha-256=");
    wba_sf_write_bytes(&buf, digest, sizeof(digest));
    return wba_buf_view(&buf);
}

static void
put_field(wba_buf_t *buf, const char *name, wba_str_t value)
{
    if (value.data != NULL) {
        put(buf, name);
        wba_buf_lit(buf, ": ");
        wba_buf_str(buf, value);
        wba_buf_lit(buf, "\r\n");
    }
}

static wba_str_t
make_head(const signing_t *s, const signing_result_t *r, const wba_mem_t *mem)
{
    char length[32];
    wba_buf_t buf;
    size_t i;

    wba_buf_init(&buf, mem, MAX_HEAD);
    put(&buf, s->method);
    wba_buf_byte(&buf, ' ');
    wba_buf_str(&buf, r->uri.path.len ? r->uri.path : WBA_STR("/"));
    if (r->uri.query.data != NULL) {
        wba_buf_byte(&buf, '?');
        wba_buf_str(&buf, r->uri.query);
    }
    wba_buf_lit(&buf, " HTTP/1.1\r\n");
    if (!signing_has_header(s, "host")) {
        put_field(&buf, "Host", r->uri.authority);
    }
    for (i = 0; i < s->nheaders; i++) {
        put(&buf, s->headers[i]);
        wba_buf_lit(&buf, "\r\n");
    }
    if (s->has_body && !signing_has_header(s, "content-length")
        && !signing_has_header(s, "transfer-encoding"))
    {
        (void) snprintf(length, sizeof(length), "%zu", s->body.len);
        put_field(&buf, "Content-Length", wba_str_z(length));
    }
    put_field(&buf, "Signature-Agent", r->agent);
    put_field(&buf, "Content-Digest", r->digest);
    return buf.status == WBA_OK ? wba_buf_view(&buf) : WBA_STR_NONE;
}

/* The signature. */

static int
base_failed(wba_reason_t why, size_t at, const signing_t *s,
            const wba_components_t *components)
{
    const char *help = wba_reason_info(why)->help;
    wba_str_t name;

    if (why == WBA_REASON_SIGNATURE_BASE_TOO_LARGE
        || why == WBA_REASON_FIELD_TOO_LARGE
        || why == WBA_REASON_OUT_OF_MEMORY || at >= components->count)
    {
        return too_large();
    }
    name = components->items[at].name;
    if (why == WBA_REASON_SIGNATURE_AGENT_MEMBER_MISSING) {
        return cli_fail("cannot cover that signature-agent: the request has "
                        "no such member; %s",
                        s->agent ? "its key is the label, --label"
                                 : "name the agent with --agent");
    }
    if (why == WBA_REASON_MISSING_COMPONENT) {
        return cli_fail("cannot cover %.*s: the request does not carry it; %s",
                        (int) name.len, (const char *) name.data,
                        name.data[0] == '@'
                            ? "see --url"
                            : "add it with --header (or --agent, --body)");
    }
    return cli_fail("cannot cover %.*s: %s", (int) name.len,
                    (const char *) name.data, help);
}

static int
sign(const signing_t *s, const wba_str_t base, const wba_mem_t *mem,
     wba_str_t *out)
{
    uint8_t signature[SIGNER_SIGNATURE];
    wba_buf_t buf;
    size_t len;

    if (signer_sign(s->key, s->sign_with, base, signature, &len) != CLI_OK) {
        return CLI_TROUBLE;
    }
    wba_buf_init(&buf, mem, 4096);
    put(&buf, s->label);
    wba_buf_byte(&buf, '=');
    wba_sf_write_bytes(&buf, signature, len);
    *out = wba_buf_view(&buf);
    return buf.status == WBA_OK ? CLI_OK : too_large();
}

static int
sign_message(const signing_t *s, const wba_mem_t *mem,
             const wba_sf_value_t *list, const wba_components_t *components,
             signing_result_t *out)
{
    wba_str_t authority = WBA_STR_NONE;
    wba_raw_message_t *raw = wba_alloc(mem, sizeof(*raw));
    wba_reason_t why;
    size_t at;
    wba_buf_t base;

    if (raw == NULL) {
        return too_large();
    }
    if (wba_raw_message_parse(out->head, raw, &at) != WBA_OK) {
        return cli_fail("line %zu of the request would be malformed, or it "
                        "has two Host fields, or too many",
                        at);
    }
    raw->scheme = out->uri.scheme;
    (void) wba_message_authority(&raw->message, mem, &authority);
    wba_buf_init(&base, mem, WBA_MAX_BASE);
    if (wba_sigbase_build(&raw->message, authority, list, components, mem,
                          &base, &why, &at)
        != WBA_OK)
    {
        return base_failed(why, at, s, components);
    }
    return sign(s, wba_buf_view(&base), mem, &out->signature);
}

int
signing_make(const signing_t *s, const wba_mem_t *mem, signing_result_t *out)
{
    wba_components_t *components = wba_alloc(mem, sizeof(*components));
    wba_sf_value_t list;

    memset(out, 0, sizeof(*out));
    if (components == NULL) {
        return too_large();
    }
    if (check(s, mem, &out->uri) != CLI_OK
        || make_input(s, mem, &out->input, &list, components) != CLI_OK)
    {
        return CLI_TROUBLE;
    }
    out->agent = agent_value(s, mem);
    out->digest = digest_value(s, components, mem);
    out->head = make_head(s, out, mem);
    if (out->head.data == NULL) {
        return too_large();
    }
    return sign_message(s, mem, &list, components, out);
}
