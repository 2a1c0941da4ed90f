/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs the HTTP working group's structured-field-tests through core/sf: every
 * case in $VECTORS/structured-fields and its serialisation-tests (FORMAT.md
 * there describes them).  A case that parses is checked three times: the parsed
 * structure against "expected", the field written canonically, and "expected"
 * built anew with the writers, both against "canonical".
 *
 * Prints the cases that fail and, last, "N passed, N failed".  Exits with 1
 * when a case fails or when there are fewer of them than are known to exist.
 */
#include <glob.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "wba_limits.h"
#include "sf.h"

#define KNOWN_CASES 2135
#define ROOM (1024 * 1024)

typedef enum { ITEM, LIST, DICTIONARY } header_t;

typedef struct {
    wba_str_t key;
    wba_sf_value_t value;
} named_t;

static uint8_t blocks[4][ROOM]; /* raw, canonical, written, memory */

static wba_str_t
json_str(const json_t *j)
{
    return wba_str(json_string_value(j), json_string_length(j));
}

/* The type of a __type object, "" for anything else. */
static const char *
object_type(const json_t *j)
{
    const char *type = json_string_value(json_object_get(j, "__type"));

    return type == NULL ? "" : type;
}

/* Decodes base32 into out; the vectors are sound. */
static size_t
base32(const char *text, uint8_t *out)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    for (; *text != '\0' && *text != '='; text++) {
        bits = bits << 5 | (uint32_t) (*text >= 'A' ? *text - 'A'
                                                     : *text - '2' + 26);
        have += 5;
        if (have >= 8) {
            have -= 8;
            out[n++] = (uint8_t) (bits >> have);
        }
    }
    return n;
}

/* Writing what "expected" describes */

static void
build_object(wba_buf_t *buf, const json_t *j)
{
    const json_t *value = json_object_get(j, "value");
    const char *type = object_type(j);
    static uint8_t bytes[ROOM];
    wba_sf_value_t date = { .type = WBA_SF_DATE };

    if (strcmp(type, "token") == 0) {
        wba_sf_write_token(buf, json_str(value));
    } else if (strcmp(type, "binary") == 0) {
        wba_sf_write_bytes(buf, bytes,
                           base32(json_string_value(value), bytes));
    } else if (strcmp(type, "date") == 0) {
        date.integer = json_integer_value(value);
        wba_sf_write_bare(buf, &date);
    } else {
        wba_sf_write_display(buf, json_str(value));
    }
}

static void
build_bare(wba_buf_t *buf, const json_t *j)
{
    wba_sf_value_t boolean = { .type = WBA_SF_BOOLEAN };

    switch (json_typeof(j)) {
    case JSON_INTEGER:
        wba_sf_write_integer(buf, json_integer_value(j));
        break;
    case JSON_REAL: /* the default rounding is to the even neighbour */
        wba_sf_write_decimal(buf, llrint(json_real_value(j) * 1000));
        break;
    case JSON_STRING:
        wba_sf_write_string(buf, json_str(j));
        break;
    case JSON_OBJECT:
        build_object(buf, j);
        break;
    default:
        boolean.boolean = json_is_true(j);
        wba_sf_write_bare(buf, &boolean);
    }
}

static void
build_params(wba_buf_t *buf, const json_t *params)
{
    size_t i;
    json_t *pair;

    json_array_foreach(params, i, pair) {
        wba_buf_byte(buf, ';');
        wba_sf_write_key(buf, json_str(json_array_get(pair, 0)));
        if (!json_is_true(json_array_get(pair, 1))) {
            wba_buf_byte(buf, '=');
            build_bare(buf, json_array_get(pair, 1));
        }
    }
}

static void
build_value(wba_buf_t *buf, const json_t *pair)
{
    const json_t *first = json_array_get(pair, 0);
    size_t i;
    json_t *item;

    if (json_is_array(first)) {
        wba_buf_byte(buf, '(');
        json_array_foreach(first, i, item) {
            if (i != 0) {
                wba_buf_byte(buf, ' ');
            }
            build_value(buf, item);
        }
        wba_buf_byte(buf, ')');
    } else {
        build_bare(buf, first);
    }
    build_params(buf, json_array_get(pair, 1));
}

static void
build_field(wba_buf_t *buf, header_t type, const json_t *expected)
{
    size_t i;
    json_t *member, *value;

    if (type == ITEM) {
        build_value(buf, expected);
        return;
    }
    json_array_foreach(expected, i, member) {
        if (i != 0) {
            wba_buf_lit(buf, ", ");
        }
        value = member;
        if (type == DICTIONARY) {
            wba_sf_write_key(buf, json_str(json_array_get(member, 0)));
            value = json_array_get(member, 1);
            if (json_is_true(json_array_get(value, 0))) {
                build_params(buf, json_array_get(value, 1));
                continue;
            }
            wba_buf_byte(buf, '=');
        }
        build_value(buf, value);
    }
}

/* Comparing what was parsed */

static bool
same_object(const wba_sf_value_t *v, const json_t *j)
{
    const json_t *value = json_object_get(j, "value");
    const char *type = object_type(j);
    static uint8_t want[ROOM], got[ROOM];
    wba_buf_t buf;
    size_t len, n;

    switch (v->type) {
    case WBA_SF_TOKEN:
        return strcmp(type, "token") == 0
               && wba_str_eq(v->text, json_str(value));
    case WBA_SF_BYTES:
        n = base32(json_string_value(value), want);
        return strcmp(type, "binary") == 0
               && wba_sf_bytes(v, got, n, &len) == WBA_OK
               && wba_str_eq(wba_str(got, len), wba_str(want, n));
    case WBA_SF_DATE:
        return strcmp(type, "date") == 0
               && v->integer == json_integer_value(value);
    case WBA_SF_DISPLAY: /* there is no decoder: compare what is canonical */
        wba_buf_fixed(&buf, want, sizeof(want));
        wba_sf_write_display(&buf, json_str(value));
        n = buf.len;
        wba_buf_fixed(&buf, got, sizeof(got));
        wba_sf_write_bare(&buf, v);
        return strcmp(type, "displaystring") == 0
               && wba_str_eq(wba_str(want, n), wba_buf_view(&buf));
    default:
        return false;
    }
}

static bool
same_bare(const wba_sf_value_t *v, const json_t *j)
{
    wba_arena_t arena;
    wba_mem_t mem = wba_arena_mem(&arena);
    wba_str_t text;

    switch (v->type) {
    case WBA_SF_INTEGER:
        return json_is_integer(j) && v->integer == json_integer_value(j);
    case WBA_SF_DECIMAL:
        return json_is_real(j)
               && v->integer == llrint(json_real_value(j) * 1000);
    case WBA_SF_STRING:
        wba_arena_init(&arena, blocks[3], ROOM);
        return json_is_string(j) && wba_sf_string(v, &mem, &text) == WBA_OK
               && wba_str_eq(text, json_str(j));
    case WBA_SF_BOOLEAN:
        return json_is_boolean(j) && v->boolean == json_is_true(j);
    default:
        return json_is_object(j) && same_object(v, j);
    }
}

/* The last value takes the place of the first.  Returns the new count. */
static size_t
named_put(named_t *named, size_t count, wba_str_t key, wba_sf_value_t value)
{
    size_t i;

    for (i = 0; i < count && !wba_str_eq(named[i].key, key); i++) {
    }
    named[i].key = key;
    named[i].value = value;
    return i == count ? count + 1 : count;
}

static bool
same_params(wba_str_t params, const json_t *j)
{
    named_t named[WBA_MAX_SF_PARAMS];
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_str_t key;
    size_t i, count = 0;
    json_t *pair;

    wba_sf_params_init(&it, params);
    while (wba_sf_params_next(&it, &key, &value) == WBA_OK) {
        count = named_put(named, count, key, value);
    }
    if (count != json_array_size(j)) {
        return false;
    }
    json_array_foreach(j, i, pair) {
        if (!wba_str_eq(named[i].key, json_str(json_array_get(pair, 0)))
            || !same_bare(&named[i].value, json_array_get(pair, 1))) {
            return false;
        }
    }
    return true;
}

static bool
same_value(const wba_sf_value_t *v, const json_t *pair)
{
    const json_t *first = json_array_get(pair, 0);
    wba_sf_iter_t it;
    wba_sf_value_t item;
    size_t i;
    json_t *j;

    if (!same_params(v->params, json_array_get(pair, 1))) {
        return false;
    }
    if (v->type != WBA_SF_INNER_LIST) {
        return same_bare(v, first);
    }
    if (!json_is_array(first)) {
        return false;
    }
    wba_sf_inner_init(&it, v);
    json_array_foreach(first, i, j) {
        if (wba_sf_inner_next(&it, &item) != WBA_OK || !same_value(&item, j)) {
            return false;
        }
    }
    return wba_sf_inner_next(&it, &item) == WBA_END;
}

static bool
same_dictionary(wba_str_t field, const json_t *expected)
{
    static named_t named[WBA_MAX_SF_MEMBERS];
    wba_sf_iter_t it;
    wba_sf_value_t value, found;
    wba_str_t key;
    size_t i, count = 0;
    json_t *pair;

    wba_sf_dict_init(&it, field);
    while (wba_sf_dict_next(&it, &key, &value) == WBA_OK) {
        count = named_put(named, count, key, value);
    }
    if (count != json_array_size(expected)) {
        return false;
    }
    json_array_foreach(expected, i, pair) {
        if (!wba_str_eq(named[i].key, json_str(json_array_get(pair, 0)))
            || !same_value(&named[i].value, json_array_get(pair, 1))
            || wba_sf_dict_find(field, named[i].key, &found) != WBA_OK
            || !wba_str_eq(found.raw, named[i].value.raw)) {
            return false;
        }
    }
    return true;
}

static bool
same_field(header_t type, wba_str_t field, const json_t *expected)
{
    wba_sf_iter_t it;
    wba_sf_value_t value;
    size_t i;
    json_t *member;

    if (type == DICTIONARY) {
        return same_dictionary(field, expected);
    }
    if (type == ITEM) {
        return wba_sf_item_parse(field, &value) == WBA_OK
               && same_value(&value, expected);
    }
    wba_sf_list_init(&it, field);
    json_array_foreach(expected, i, member) {
        if (wba_sf_list_next(&it, &value) != WBA_OK
            || !same_value(&value, member)) {
            return false;
        }
    }
    return wba_sf_list_next(&it, &value) == WBA_END;
}

/* Cases */

static wba_status_t
canonical(wba_buf_t *buf, header_t type, wba_str_t field)
{
    switch (type) {
    case DICTIONARY:
        return wba_sf_canonical_dict(buf, field);
    case LIST:
        return wba_sf_canonical_list(buf, field);
    default:
        return wba_sf_canonical_item(buf, field);
    }
}

/* The parser's verdict alone: the serialiser could hide what it lets pass. */
static wba_status_t
parse(header_t type, wba_str_t field)
{
    wba_sf_iter_t it;
    wba_sf_value_t value;
    wba_str_t key;
    wba_status_t rc;

    if (type == ITEM) {
        return wba_sf_item_parse(field, &value);
    }
    if (type == LIST) {
        wba_sf_list_init(&it, field);
        while ((rc = wba_sf_list_next(&it, &value)) == WBA_OK) {
        }
    } else {
        wba_sf_dict_init(&it, field);
        while ((rc = wba_sf_dict_next(&it, &key, &value)) == WBA_OK) {
        }
    }
    return rc == WBA_END ? WBA_OK : rc;
}

/* All lines of a field in a block that is exactly as long, so that a read
 * beyond the end is seen.  The caller frees it. */
static wba_str_t
join(const json_t *lines)
{
    wba_buf_t buf;
    size_t i;
    json_t *line;
    uint8_t *copy;

    wba_buf_fixed(&buf, blocks[0], ROOM);
    json_array_foreach(lines, i, line) {
        if (i != 0) {
            wba_buf_lit(&buf, ", ");
        }
        wba_buf_str(&buf, json_str(line));
    }
    copy = malloc(buf.len);
    if (buf.status != WBA_OK || (copy == NULL && buf.len != 0)) {
        fprintf(stderr, "sf_vectors: out of memory\n");
        exit(2);
    }
    if (buf.len != 0) {
        memcpy(copy, buf.data, buf.len);
    }
    return wba_str(copy, buf.len);
}

/* NULL when the case passes, else what is wrong. */
static const char *
run_built(header_t type, const json_t *expected, wba_str_t want, bool must_fail)
{
    wba_buf_t buf;

    wba_buf_fixed(&buf, blocks[2], ROOM);
    build_field(&buf, type, expected);
    if (must_fail) {
        wba_buf_byte(&buf, 'x'); /* the failure must stick */
        return buf.status == WBA_INVALID ? NULL : "was written";
    }
    if (buf.status != WBA_OK) {
        return "could not be written";
    }
    return wba_str_eq(wba_buf_view(&buf), want) ? NULL : "written otherwise";
}

static const char *
run_parsed(header_t type, wba_str_t field, const json_t *test, wba_str_t want)
{
    const json_t *expected = json_object_get(test, "expected");
    wba_buf_t buf;
    wba_status_t rc;

    wba_buf_fixed(&buf, blocks[1], ROOM);
    rc = canonical(&buf, type, field);
    if (json_is_true(json_object_get(test, "must_fail"))) {
        return parse(type, field) == WBA_INVALID && rc == WBA_INVALID
                       && buf.status == WBA_INVALID
                   ? NULL : "was parsed";
    }
    if (rc == WBA_INVALID && json_is_true(json_object_get(test, "can_fail"))) {
        return NULL;
    }
    if (rc != WBA_OK) {
        return "could not be parsed";
    }
    if (!same_field(type, field, expected)) {
        return "parsed otherwise";
    }
    return wba_str_eq(wba_buf_view(&buf), want) ? NULL : "not canonical";
}

static const char *
run_case(const json_t *test)
{
    const char *name = json_string_value(json_object_get(test, "header_type"));
    const json_t *raw = json_object_get(test, "raw");
    const json_t *expected = json_object_get(test, "expected");
    const json_t *lines = json_object_get(test, "canonical");
    bool must_fail = json_is_true(json_object_get(test, "must_fail"));
    const char *error = NULL;
    wba_str_t field, want;
    header_t type;

    type = strcmp(name, "item") == 0 ? ITEM
           : strcmp(name, "list") == 0 ? LIST : DICTIONARY;
    field = join(raw);
    want = join(lines == NULL ? raw : lines);
    if (raw != NULL) {
        error = run_parsed(type, field, test, want);
    }
    if (error == NULL && (raw == NULL || !must_fail)) {
        error = run_built(type, expected, want, must_fail);
    }
    free((void *) field.data);
    free((void *) want.data);
    return error;
}

static void
run_folder(const char *root, const char *folder, unsigned *passed,
           unsigned *failed)
{
    char pattern[4096];
    const char *error;
    json_error_t why;
    json_t *file, *test;
    glob_t found;
    size_t i, n;

    snprintf(pattern, sizeof(pattern), "%s/%s/*.json", root, folder);
    if (glob(pattern, 0, NULL, &found) != 0) {
        fprintf(stderr, "sf_vectors: nothing matches %s\n", pattern);
        exit(2);
    }
    for (i = 0; i < found.gl_pathc; i++) {
        file = json_load_file(found.gl_pathv[i], JSON_ALLOW_NUL, &why);
        if (file == NULL) {
            fprintf(stderr, "sf_vectors: %s: %s\n", found.gl_pathv[i],
                    why.text);
            exit(2);
        }
        json_array_foreach(file, n, test) {
            error = run_case(test);
            if (error == NULL) {
                ++*passed;
                continue;
            }
            ++*failed;
            printf("%s: %s: %s\n", found.gl_pathv[i],
                   json_string_value(json_object_get(test, "name")), error);
        }
        json_decref(file);
    }
    globfree(&found);
}

int
main(void)
{
    const char *root = getenv("VECTORS");
    unsigned passed = 0, failed = 0;

    if (root == NULL) {
        fprintf(stderr, "sf_vectors: VECTORS is not set\n");
        return 2;
    }
    run_folder(root, "structured-fields", &passed, &failed);
    run_folder(root, "structured-fields/serialisation-tests", &passed,
               &failed);
    if (passed + failed < KNOWN_CASES) {
        printf("only %u of %d cases found\n", passed + failed, KNOWN_CASES);
        failed += KNOWN_CASES - passed - failed;
    }
    printf("%u passed, %u failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
