/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wba verify itself, on whole requests: what it prints is text without a
 * control character of the request's, or one JSON object; both say the same,
 * as does its exit status.
 *
 * Input: settings, then the request's text as fuzz_text.h has it.
 */
#define _GNU_SOURCE /* memfd_create */
#include <sys/mman.h>
#include <unistd.h>

#include "cli.h"
#include "fuzz_text.h"

#define FILES 3

static char paths[FILES + 1][64]; /* key sets, then the request */
static int request_fd;
static fuzz_mem_t m;

static int
memory_file(char path[64], wba_str_t text)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(pwrite(fd, text.data, text.len, 0) == (ssize_t) text.len);
    (void) snprintf(path, 64, "/proc/self/fd/%d", fd);
    return fd;
}

/* A set of some of our keys, and of others. */
static void
make_set(char path[64], unsigned who)
{
    char text[4096] = "{\"keys\":[", one[256], x[64];
    size_t i;

    for (i = 0; i < HOST_KEYS; i++) {
        sodium_bin2base64(x, sizeof(x), host_keys[i].pub, 32,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING);
        (void) snprintf(one, sizeof(one),
                        "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\","
                        "\"kid\":\"kid-%c\"},",
                        x, (int) ('a' + i));
        if (who >> i & 1) {
            strcat(text, one);
        }
    }
    strcat(text, strchr(host_others, '[') + 1);
    (void) memory_file(path, wba_str_z(text));
}

typedef struct {
    char *text;
    size_t len;
    int status;
} output_t;

/* Both streams together, as a terminal shows them. */
static output_t
run(const char *const *argv, int argc)
{
    FILE *out = stdout, *err = stderr;
    output_t got = { NULL, 0, 0 };
    FILE *both = open_memstream(&got.text, &got.len);

    CHECK(both != NULL);
    stdout = stderr = both;
    optind = 0;
    got.status = cmd_verify.run(argc, (char **) (uintptr_t) argv);
    stdout = out;
    stderr = err;
    CHECK(fclose(both) == 0);
    return got;
}

static void
is_plain(const output_t *got)
{
    size_t i;

    for (i = 0; i < got->len; i++) {
        uint8_t c = (uint8_t) got->text[i];

        CHECK((c >= 0x20 && c < 0x7f) || c == '\n' || c == '\t');
    }
}

static const char *
member(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    CHECK(text != NULL);
    return text;
}

/* The one object, behind the notes. */
static void
is_json(const output_t *got)
{
    json_error_t error;
    const char *from = got->text;
    wba_reason_t reason;
    json_t *root;

    while (strncmp(from, "wba: ", 5) == 0) {
        from = strchr(from, '\n') + 1;
    }
    root = json_loads(from, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        fuzz_show("output", wba_str(got->text, got->len));
    }
    CHECK(json_is_object(root));
    reason = wba_reason_by_name(wba_str_z(member(root, "reason")));
    CHECK(reason < WBA_REASON_COUNT);
    CHECK_SAME(wba_str_z(member(root, "outcome")),
               wba_outcome_name(wba_reason_info(reason)->outcome));
    CHECK((reason == WBA_REASON_OK) == (got->status == CLI_OK));
    CHECK(json_is_array(json_object_get(root, "signatures")));
    CHECK(json_object_get(root, "would_verify_if") != NULL);
    if (reason == WBA_REASON_OK) {
        CHECK(member(root, "signature_base")[0] != '\0');
        CHECK(json_is_null(json_object_get(root, "would_verify_if")));
    }
    json_decref(root);
}

static int
arguments(const char **argv, unsigned flags, unsigned more)
{
    static const char *const lenient[] = { "unquoted-agent", "agent-type",
                                           "visa-sample" };
    static char directories[FILES][128];
    static const char *const names[FILES] = { "visa", AGENT_A,
                                              "https://b.example" };
    int argc = 0, i;

    argv[argc++] = "verify";
    for (i = 0; i < 3; i++) {
        if (more >> i & 1) {
            argv[argc++] = "--lenient";
            argv[argc++] = lenient[i];
        }
    }
    for (i = 0; i < FILES; i++) {
        (void) snprintf(directories[i], sizeof(directories[i]), "%s=%s",
                        names[i], paths[i]);
        argv[argc++] = "--directory";
        argv[argc++] = directories[i];
    }
    argv[argc++] = "--now";
    argv[argc++] = more & 8 ? "1700000500" : "1700000000";
    argv[argc++] = "--scheme";
    argv[argc++] = flags & 4 ? "http" : "https";
    argv[argc++] = "--request";
    argv[argc++] = paths[FILES];
    if (flags & 8) {
        argv[argc++] = "--authority";
        argv[argc++] = "SHOP.example:443";
    }
    if (flags & 16) {
        argv[argc++] = "--test-keys";
    }
    if (flags & 32) {
        argv[argc++] = "--body-link";
    }
    if (flags & 64) {
        argv[argc++] = "--component";
        argv[argc++] = "@method";
    }
    if (flags & 128) {
        argv[argc++] = "--max-lifetime";
        argv[argc++] = "0";
    }
    return argc;
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void) argc;
    (void) argv;
    host_begin();
    CHECK(setenv("LC_ALL", "C", 1) == 0); /* else ticks are of Unicode */
    make_set(paths[0], 1);
    make_set(paths[1], 2);
    make_set(paths[2], 6);
    request_fd = memory_file(paths[FILES], WBA_STR("x"));
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);
    unsigned flags = fuzz_byte(&in), more = fuzz_byte(&in);
    text_signer_t signer = {
        .sign = (flags & 1) != 0,
        .as_sent = (flags & 2) != 0,
        .who = more >> 4,
        .http = (flags & 4) != 0,
        .override = (flags & 8) != 0,
    };
    const char *argv[48];
    output_t text, json;
    wba_str_t request;
    int argc;

    fuzz_mem_init(&m);
    request = text_expand(&m, in, NOW);
    request = text_add_signature(&signer, &m, request);
    CHECK(ftruncate(request_fd, 0) == 0);
    CHECK(pwrite(request_fd, request.data, request.len, 0)
          == (ssize_t) request.len);

    argc = arguments(argv, flags, more);
    argv[argc] = NULL;
    text = run(argv, argc);
    is_plain(&text);
    argv[argc++] = "--json";
    argv[argc] = NULL;
    json = run(argv, argc);
    is_plain(&json);
    CHECK(text.status == json.status);
    CHECK(text.status == CLI_OK || text.status == CLI_REFUSED
          || text.status == CLI_TROUBLE);
    if (json.status != CLI_TROUBLE) {
        is_json(&json);
    }
    free(text.text);
    free(json.text);
    fuzz_mem_free(&m);
    return 0;
}
