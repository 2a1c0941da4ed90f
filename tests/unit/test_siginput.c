/* SPDX-License-Identifier: BSD-2-Clause */
/* core/siginput: members of Signature-Input and Signature as records. */
#include "request.h"

#include "siginput.h"

#define UNREADABLE WBA_REASON_SIGNATURE_INPUT_UNREADABLE
#define LARGE WBA_REASON_FIELD_TOO_LARGE
#define OK WBA_REASON_OK

/* One member of a Dictionary in memory of its exact size. */
static wba_str_t
open_member(uint8_t **block, const char *field, wba_sf_value_t *value)
{
    wba_sf_iter_t it;
    wba_str_t label;

    wba_sf_dict_init(&it, exact_copy(block, field, strlen(field)));
    if (wba_sf_dict_next(&it, &label, value) != WBA_OK) {
        fail_msg("no member: %s", field);
    }
    return label;
}

static const struct {
    const char *field;
    wba_reason_t why;
    long long created, expires; /* -1: absent */
    const char *keyid, *alg, *nonce, *tag;
} members[] = {
    { "a=()", OK, -1, -1, NULL, NULL, NULL, NULL },
    { "a=(\"@authority\");created=1;keyid=\"k\";expires=2;alg=\"ed25519\";"
      "nonce=\"n\";tag=\"t\"",
      OK, 1, 2, "k", "ed25519", "n", "t" },
    { "a=();keyid=\"\";alg=\"\";nonce=\"\";tag=\"\"", OK, -1, -1, "", "", "",
      "" },
    { "a=();keyid=\"a\\\"b\\\\\";nonce=\"\\\\\"", OK, -1, -1, "a\"b\\", NULL,
      "\\", NULL },
    { "a=();created=000;expires=999999999999999", OK, 0, 999999999999999, NULL,
      NULL, NULL, NULL },
    { "a=();unknown;x=1.5;y=:AA==:;z=token", OK, -1, -1, NULL, NULL, NULL,
      NULL },
    { "a=(unread \"NoName\")", OK, -1, -1, NULL, NULL, NULL, NULL },

    { "a=();created=1;created=2;tag=\"x\";tag=\"y\"", OK, 2, -1, NULL, NULL,
      NULL, "y" },
    { "a=();created=\"x\";created=2;tag=1;tag=\"y\"", OK, 2, -1, NULL, NULL,
      NULL, "y" },
    { "a=();created=2;created=\"x\"", UNREADABLE, 0, 0, NULL, NULL, NULL,
      NULL },

    { "a", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a;created=1", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=\"b\"", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=:AA==:", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();created=1.0", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();created=@1", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();created=\"1\"", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();created", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();expires=1.5", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();expires=soon", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();expires=?0", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();keyid=k", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();keyid", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();alg=ed25519", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();nonce=:AA==:", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();nonce=1", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();tag=web-bot-auth", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
    { "a=();tag=%\"web\"", UNREADABLE, 0, 0, NULL, NULL, NULL, NULL },
};

static void
test_parse(void **state)
{
    wba_siginput_t input;
    wba_sf_value_t value;
    wba_reason_t why;
    request_t request;
    uint8_t *block;
    wba_str_t label;
    const char *row;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(members); i++) {
        row = members[i].field;
        label = open_member(&block, row, &value);
        expect_number(row,
                      wba_siginput_parse(label, &value, &request.mem, &input,
                                         &why),
                      members[i].why == OK ? WBA_OK : WBA_INVALID);
        expect_reason("", row, why, members[i].why);
        if (why == OK) {
            expect_number(row, input.has_created, members[i].created >= 0);
            expect_number(row, input.has_expires, members[i].expires >= 0);
            if (input.has_created) {
                expect_number(row, input.created, members[i].created);
            }
            if (input.has_expires) {
                expect_number(row, input.expires, members[i].expires);
            }
            expect_text(row, input.label, "a");
            expect_text(row, input.keyid, members[i].keyid);
            expect_text(row, input.alg, members[i].alg);
            expect_text(row, input.nonce, members[i].nonce);
            expect_text(row, input.tag, members[i].tag);
            assert_int_equal(input.list.type, WBA_SF_INNER_LIST);
        }
        free(block);
    }
    request_close(&request);
}

static void
test_negative_time(void **state)
{
    wba_siginput_t input;
    wba_sf_value_t value;
    wba_reason_t why;
    uint8_t *block;
    wba_str_t label;

    (void) state;
    label = open_member(&block, "a=();created=-5", &value);
    assert_int_equal(wba_siginput_parse(label, &value, NULL, &input, &why),
                     WBA_OK);
    assert_true(input.has_created);
    assert_int_equal(input.created, -5);
    free(block);
}

/* A member whose part named by format has len bytes; why it is refused. */
static wba_reason_t
parse_long(const char *format, int len)
{
    char *filler = malloc((size_t) len + 1);
    char *field = malloc((size_t) len + 100);
    wba_siginput_t input;
    wba_sf_value_t value;
    wba_status_t status;
    wba_reason_t why;
    uint8_t *block;
    wba_str_t label;

    assert_non_null(filler);
    assert_non_null(field);
    memset(filler, 'x', (size_t) len);
    filler[len] = '\0';
    snprintf(field, (size_t) len + 100, format, filler);
    label = open_member(&block, field, &value);
    status = wba_siginput_parse(label, &value, NULL, &input, &why);
    assert_int_equal(status, why == OK ? WBA_OK : WBA_INVALID);
    free(block);
    free(field);
    free(filler);
    return why;
}

static void
test_limits(void **state)
{
    (void) state;
    assert_int_equal(parse_long("%s=()", WBA_MAX_LABEL), OK);
    assert_int_equal(parse_long("%s=()", WBA_MAX_LABEL + 1), LARGE);
    assert_int_equal(parse_long("a=();nonce=\"%s\"", WBA_MAX_NONCE), OK);
    assert_int_equal(parse_long("a=();nonce=\"%s\"", WBA_MAX_NONCE + 1),
                     LARGE);
    assert_int_equal(parse_long("a=();keyid=\"%s\"", WBA_MAX_KEYID), OK);
    assert_int_equal(parse_long("a=();keyid=\"%s\"", WBA_MAX_KEYID + 1),
                     LARGE);
    assert_int_equal(parse_long("a=();tag=\"%s\"", WBA_MAX_TAG), OK);
    assert_int_equal(parse_long("a=();tag=\"%s\"", WBA_MAX_TAG + 1), LARGE);
    assert_int_equal(parse_long("a=();alg=\"%s\"", 64), OK);
    assert_int_equal(parse_long("a=();alg=\"%s\"", 65), LARGE);
    assert_int_equal(parse_long("a=();unknown=\"%s\"", 1000), OK);
}

static void
test_too_many_params(void **state)
{
    char field[WBA_MAX_SIGNATURE_PARAMS * 8 + 32];
    wba_siginput_t input;
    wba_sf_value_t value;
    wba_reason_t why;
    uint8_t *block;
    wba_str_t label;
    char *p;
    int i;

    (void) state;
    p = field + sprintf(field, "a=()");
    for (i = 0; i < WBA_MAX_SIGNATURE_PARAMS; i++) {
        p += sprintf(p, ";p%d", i);
    }
    label = open_member(&block, field, &value);
    assert_int_equal(wba_siginput_parse(label, &value, NULL, &input, &why),
                     WBA_OK);
    free(block);
    strcpy(p, ";tag=\"t\"");
    label = open_member(&block, field, &value);
    assert_int_equal(wba_siginput_parse(label, &value, NULL, &input, &why),
                     WBA_INVALID);
    assert_int_equal(why, LARGE);
    free(block);
}

static void
test_no_memory(void **state)
{
    wba_arena_t arena;
    wba_mem_t mem;
    wba_siginput_t input;
    wba_sf_value_t value;
    wba_reason_t why;
    uint8_t *block;
    wba_str_t label, bytes;

    (void) state;
    wba_arena_init(&arena, NULL, 0);
    mem = wba_arena_mem(&arena);
    label = open_member(&block, "a=();nonce=\"\\\\\";tag=\"\\\\\"", &value);
    assert_int_equal(wba_siginput_parse(label, &value, &mem, &input, &why),
                     WBA_NO_MEMORY);
    assert_int_equal(why, WBA_REASON_OUT_OF_MEMORY);
    expect_text("tag", wba_siginput_tag(&value, &mem), NULL);
    assert_int_equal(wba_signature_find(WBA_STR("a=:AA==:"), WBA_STR("a"),
                                        &mem, &bytes),
                     WBA_NO_MEMORY);
    free(block);
}

static const struct {
    const char *field, *tag;
} tags[] = {
    { "a=();tag=\"t\"", "t" },
    { "a=();created=\"wrong\";tag=\"t\";keyid=1", "t" },
    { "a=();tag=\"a\\\"b\"", "a\"b" },
    { "a=();tag=\"\"", "" },
    { "a=();tag=\"x\";tag=\"y\"", "y" },
    { "a=();tag=\"x\";tag=y", NULL },
    { "a=();tag=x;tag=\"y\"", "y" },
    { "a=();tag=t", NULL },
    { "a=();tag", NULL },
    { "a=()", NULL },
    { "a", NULL },
    { "a;tag=\"t\"", "t" },
    { "a=1;tag=\"t\"", "t" },
};

static void
test_tag(void **state)
{
    wba_sf_value_t value;
    request_t request;
    uint8_t *block;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(tags); i++) {
        open_member(&block, tags[i].field, &value);
        expect_text(tags[i].field, wba_siginput_tag(&value, &request.mem),
                    tags[i].tag);
        free(block);
    }
    request_close(&request);
}

static const struct {
    const char *field;
    bool found;
} upper_keys[] = {
    /* Visa's sample agent */
    { "sig2=(\"@authority\" \"@path\"); created=1; expires=2; keyId=\"k\"; "
      "alg=\"Ed25519\"; nonce=\"n\"; tag=\"agent-browser-auth\"",
      true },
    { "a=();keyId=\"k\"", true },
    { "a=();   KEYID=\"k\"", true },
    { "a=();kEyid=1", true },
    { "a=();created=1;A=", true },
    { "a=(\"b\";Sf=1)", true },
    { "a=();x=\"\\\";A=1\";B=2", true },
    { "a=();x=\"\\\\\";B=2", true },

    { "", false },
    { "a=();keyid=\"k\"", false },
    { "a=();keyid=\"K\";alg=ED25519", false },
    { "A=();keyid=\"k\"", false },
    { "a=();x=\";keyId=\"", false },
    { "a=();x=\"\\\";keyId=1\"", false },
    { "a=();x=\";keyId=1", false },
    { "a=();keyId", false },
    { "a=();keyId =1", false },
    { "a=();\tkeyId=1", false },
    { "a=(); ;keyid=1;", false },
    { "a=();\"A\"=1", false },
    { "a=();=A=", false },
    { "\"\\", false },
    { ";", false },
    { "; ", false },
    { ";A", false },
};

static void
test_upper_key(void **state)
{
    uint8_t *block;
    wba_str_t field;
    size_t i;

    (void) state;
    for (i = 0; i < COUNT(upper_keys); i++) {
        field = exact_copy(&block, upper_keys[i].field,
                           strlen(upper_keys[i].field));
        expect_number(upper_keys[i].field, wba_siginput_has_upper_key(field),
                      upper_keys[i].found);
        free(block);
    }
}

static const struct {
    const char *field, *label;
    wba_status_t status;
    const char *bytes;
} signatures[] = {
    { "a=:aGVsbG8=:", "a", WBA_OK, "hello" },
    { "a=:aGVsbG8:", "a", WBA_OK, "hello" },
    { "a=::", "a", WBA_OK, "" },
    { "b=:AA==:, a=:aGVsbG8=:;x=1, c=1", "a", WBA_OK, "hello" },
    { "b=:AA==:, b=:AA==:, a=:aGVsbG8=:", "a", WBA_OK, "hello" },
    { "b=:AA==:", "a", WBA_NOT_FOUND, NULL },
    { "", "a", WBA_NOT_FOUND, NULL },
    { "a=:aGVsbG8=:, a=:aGVsbG8=:", "a", WBA_INVALID, NULL },
    { "a, b=1, a=:aGVsbG8=:", "a", WBA_INVALID, NULL },
    { "a=\"aGVsbG8=\"", "a", WBA_INVALID, NULL },
    { "a=aGVsbG8", "a", WBA_INVALID, NULL },
    { "a=(:aGVsbG8=:)", "a", WBA_INVALID, NULL },
    { "a", "a", WBA_INVALID, NULL },
    { "a=:aGVsbG8=", "a", WBA_INVALID, NULL },
    { "a=:aGVsb_8=:", "a", WBA_INVALID, NULL },
    { "a=:aGVsbG8=:, b=:", "a", WBA_INVALID, NULL },
    { "a=:aGVsbG8=:,", "a", WBA_INVALID, NULL },
    { "keyId=\"x\",algorithm=\"rsa-sha256\"", "a", WBA_INVALID, NULL },
};

static void
test_signature_find(void **state)
{
    wba_str_t field, bytes;
    request_t request;
    uint8_t *block;
    size_t i;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (i = 0; i < COUNT(signatures); i++) {
        field = exact_copy(&block, signatures[i].field,
                           strlen(signatures[i].field));
        expect_number(signatures[i].field,
                      wba_signature_find(field, wba_str_z(signatures[i].label),
                                         &request.mem, &bytes),
                      signatures[i].status);
        if (signatures[i].status == WBA_OK) {
            expect_text(signatures[i].field, bytes, signatures[i].bytes);
        }
        free(block);
    }
    request_close(&request);
}

/* Byte Sequences of len zero bytes under "a". */
static wba_status_t
find_long(request_t *request, size_t len)
{
    size_t size = (len + 2) / 3 * 4, pad = (3 - len % 3) % 3;
    char *field = malloc(size + 5);
    wba_status_t status;
    wba_str_t bytes;

    assert_non_null(field);
    memcpy(field, "a=:", 3);
    memset(field + 3, 'A', size);
    memset(field + 3 + size - pad, '=', pad);
    memcpy(field + 3 + size, ":", 2);
    status = wba_signature_find(wba_str_z(field), WBA_STR("a"), &request->mem,
                                &bytes);
    free(field);
    if (status == WBA_OK) {
        assert_int_equal(bytes.len, len);
    }
    return status;
}

static void
test_signature_length(void **state)
{
    request_t request;
    size_t len;

    (void) state;
    request_open(&request, "GET / HTTP/1.1\n\n");
    for (len = 0; len < 300; len++) {
        assert_int_equal(find_long(&request, len), WBA_OK);
    }
    assert_int_equal(find_long(&request, WBA_MAX_SIGNATURE_BYTES), WBA_OK);
    assert_int_equal(find_long(&request, WBA_MAX_SIGNATURE_BYTES + 1),
                     WBA_INVALID);
    assert_int_equal(find_long(&request, 16000), WBA_INVALID);
    request_close(&request);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_negative_time),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_too_many_params),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_tag),
        cmocka_unit_test(test_upper_key),
        cmocka_unit_test(test_signature_find),
        cmocka_unit_test(test_signature_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
