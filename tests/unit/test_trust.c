/* SPDX-License-Identifier: BSD-2-Clause */
/* fetch/trust: what is a store of certificates and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <curl/curl.h>

#include "trust.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* Nobody parses it here. */
#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMA==\n"

static char folder[64];

static const char *
path(const char *name)
{
    static char full[2][256];
    static unsigned turn;
    char *to = full[turn++ % 2];

    snprintf(to, sizeof(full[0]), "%s/%s", folder, name);
    return to;
}

static const char *
put_bytes(const char *name, const char *text, size_t len)
{
    const char *to = path(name);
    FILE *file = fopen(to, "we");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    fclose(file);
    return to;
}

static const char *
put(const char *name, const char *text)
{
    return put_bytes(name, text, strlen(text));
}

static int
make_folder(void **state)
{
    (void) state;
    strcpy(folder, "/tmp/wba-trust-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int
remove_folder(void **state)
{
    static const char *const names[] = { "file", "0123abcd.0", "0123abcd.0x",
                                         "0123abcd.", "01234abcd.0",
                                         "0123ABCD.0", "0123abcd_0",
                                         "ca.pem" };
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(names); i++) {
        unlink(path(names[i]));
    }
    return rmdir(folder);
}

static const struct {
    const char *text;
    bool good;
} files[] = {
    { CERTIFICATE, true },
    { "# comment\n\n" CERTIFICATE, true },
    { "-----BEGIN TRUSTED CERTIFICATE-----\n", true },
    { "-----BEGIN X509 CERTIFICATE-----\n", true },
    { "", false },
    { "-----BEGIN CERTIFICATE", false },
    { "x-----BEGIN CERTIFICATE-----\n", false },
    { "-----BEGIN PRIVATE KEY-----\n", false },
};

/* A certificate behind so many bytes of comment. */
static const char *
put_behind(const char *name, size_t bytes)
{
    char *text = malloc(bytes + sizeof(CERTIFICATE));
    const char *to;

    assert_non_null(text);
    memset(text, '#', bytes);
    text[bytes - 1] = '\n';
    strcpy(text + bytes, CERTIFICATE);
    to = put(name, text);
    free(text);
    return to;
}

static void
a_file(void **state)
{
    static const char zero[] = "x\0y\n" CERTIFICATE;
    static char long_line[1100];
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(files); i++) {
        const char *name = put("file", files[i].text);

        if (wba_trust_in(name, NULL) != files[i].good) {
            fail_msg("%zu", i);
        }
    }
    /* Neither in the middle of a long line, nor behind what ends a string. */
    for (i = 1; i < 1000; i++) {
        memset(long_line, 'x', i);
        strcpy(long_line + i, CERTIFICATE);
        assert_false(wba_trust_in(put("file", long_line), NULL));
        long_line[i - 1] = '\n';
        assert_true(wba_trust_in(put("file", long_line), NULL));
    }
    assert_true(wba_trust_in(put_bytes("file", zero, sizeof(zero) - 1), NULL));
    assert_false(wba_trust_in(path("absent"), NULL));
    assert_false(wba_trust_in(folder, NULL));
    assert_false(wba_trust_in(put_behind("file", WBA_MAX_TRUST), NULL));
    assert_true(wba_trust_in(put_behind("file", WBA_MAX_TRUST - 10000), NULL));
    assert_false(wba_trust_in(NULL, NULL));
}

static void
a_folder(void **state)
{
    static const char *const others[] = { "0123abcd.0x", "0123abcd.",
                                          "01234abcd.0", "0123ABCD.0",
                                          "0123abcd_0", "ca.pem" };
    size_t i;

    (void) state;
    assert_false(wba_trust_in(NULL, path("absent")));
    assert_false(wba_trust_in(NULL, folder));
    for (i = 0; i < COUNT(others); i++) {
        put(others[i], CERTIFICATE);
    }
    assert_false(wba_trust_in(NULL, folder));
    put("0123abcd.0", "");
    assert_false(wba_trust_in(NULL, folder));
    put("0123abcd.0", CERTIFICATE);
    assert_true(wba_trust_in(NULL, folder));

    /* The file counts alone. */
    assert_false(wba_trust_in(path("absent"), folder));
}

static void
libcurl_looks_there(void **state)
{
    const char *where = NULL;
    char *file = NULL;
    CURL *easy = curl_easy_init();

    (void) state;
    assert_non_null(easy);
    wba_trust_system(&where);
    assert_non_null(where);
    assert_int_equal(curl_easy_getinfo(easy, CURLINFO_CAINFO, &file),
                     CURLE_OK);
    assert_string_equal(file, where);
    assert_int_equal(wba_trust_system(NULL), wba_trust_system(&where));
    curl_easy_cleanup(easy);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_file, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder, make_folder,
                                        remove_folder),
        cmocka_unit_test(libcurl_looks_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
