/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is a store of certificates: a file where a line among those that are
 * looked at begins as a certificate does, and a folder where a file with a
 * name by OpenSSL's rule is such a one.
 *
 * Input: how, then a file's text; or names and what is in each.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "trust.h"

#define NAMES 8
#define LONGEST 40

static int folder; /* the one that is filled */
static char path[64];

static struct {
    char name[NAMES][LONGEST];
    size_t n;
} t;

static void
put(const char *name, wba_str_t text)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                    0600);

    CHECK(fd != -1);
    CHECK(text.len == 0
          || write(fd, text.data, text.len) == (ssize_t) text.len);
    close(fd);
}

static bool
starts(wba_str_t s, const char *with)
{
    size_t n = strlen(with);

    return s.len >= n && memcmp(s.data, with, n) == 0;
}

static bool
has_certificate(wba_str_t text)
{
    wba_str_t line;

    while (text.len != 0) {
        line = fuzz_until(&text, '\n');
        if (starts(line, "-----BEGIN CERTIFICATE-----")
            || starts(line, "-----BEGIN TRUSTED CERTIFICATE-----")
            || starts(line, "-----BEGIN X509 CERTIFICATE-----"))
        {
            return true;
        }
    }
    return false;
}

/* [0-9a-f]{8}\.[0-9]+ */
static bool
is_hashed(const char *name)
{
    size_t i, n = strlen(name);

    for (i = 0; i < n; i++) {
        bool digit = name[i] >= '0' && name[i] <= '9';

        if (i < 8 ? !digit && !(name[i] >= 'a' && name[i] <= 'f')
                  : i == 8 ? name[i] != '.' : !digit)
        {
            return false;
        }
    }
    return n > 9;
}

/* --- one file */

static void
one(fuzz_in_t *in)
{
    size_t before = fuzz_number(in, 3), pad;
    uint8_t filler = fuzz_byte(in);
    wba_str_t looked_at;
    uint8_t *text;

    /* Its text, behind so much of one octet; mostly none, or a little. */
    pad = filler & 1    ? 0
          : filler % 32 ? before % 600
                        : before % (WBA_MAX_TRUST + 600);
    text = malloc(pad + in->len + 1);
    CHECK(text != NULL);
    memset(text, filler & 4 ? '\n' : filler, pad);
    if (in->len) {
        memcpy(text + pad, in->data, in->len);
    }
    put("file", wba_str(text, pad + in->len));
    looked_at = wba_str(text, pad + in->len);
    if (looked_at.len > WBA_MAX_TRUST) {
        looked_at.len = WBA_MAX_TRUST;
    }
    CHECK(wba_trust_in(path, NULL) == has_certificate(looked_at));
    CHECK(!wba_trust_in("absent", path));
    free(text);
    CHECK(unlinkat(folder, "file", 0) == 0);
}

/* --- a folder */

static bool
take_name(fuzz_in_t *in, char *name)
{
    static const char *const known[] = { "0123abcd.0", "89abcdef.12" };
    unsigned how = fuzz_byte(in);
    wba_str_t s = fuzz_until(in, FUZZ_PART);
    size_t i;

    if (how < 64) {
        (void) snprintf(name, LONGEST, "%s", known[how % COUNT(known)]);
        return true;
    }
    if (s.len == 0 || s.len >= LONGEST || s.data[0] == '.') {
        return false;
    }
    for (i = 0; i < s.len; i++) {
        if (s.data[i] == '/' || s.data[i] == '\0') {
            return false;
        }
        name[i] = (char) s.data[i];
    }
    name[i] = '\0';
    return true;
}

static void
many(fuzz_in_t *in)
{
    bool expected = false;
    char dir[sizeof(path)];
    wba_str_t text;
    size_t i;

    t.n = 0;
    while (in->len != 0 && t.n < NAMES) {
        if (!take_name(in, t.name[t.n])) {
            continue;
        }
        text = fuzz_until(in, FUZZ_PART);
        for (i = 0; i < t.n && strcmp(t.name[i], t.name[t.n]) != 0; i++) {
            /* void */
        }
        if (i == t.n) {
            put(t.name[t.n++], text);
            expected |= is_hashed(t.name[i]) && has_certificate(text);
        }
    }
    (void) snprintf(dir, sizeof(dir), "%s", path);
    *strrchr(dir, '/') = '\0';
    CHECK(wba_trust_in(NULL, dir) == expected);
    for (i = 0; i < t.n; i++) {
        CHECK(unlinkat(folder, t.name[i], 0) == 0);
    }
}

static void
leave(void)
{
    *strrchr(path, '/') = '\0';
    (void) rmdir(path);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static char place[] = "/tmp/wba-fuzz-trust-XXXXXX";

    (void) argc;
    (void) argv;
    fuzz_begin();
    CHECK(mkdtemp(place) != NULL);
    (void) snprintf(path, sizeof(path), "%s/file", place);
    folder = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(folder != -1 && atexit(leave) == 0);
    return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_in_t in = wba_str(data, size);

    if (fuzz_byte(&in) & 1) {
        one(&in);
    } else {
        many(&in);
    }
    return 0;
}
