/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem: the arena, copies, and buffers with a stated maximum. */
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mem.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
arena(void **state)
{
    uint8_t *block = malloc(4096);
    wba_arena_t a;
    wba_mem_t mem;
    uint8_t *p, *last = NULL;
    size_t i, n = 0;

    (void) state;
    wba_arena_init(&a, block + 1, 4095); /* an unaligned block will do */
    mem = wba_arena_mem(&a);
    for (i = 1; (p = wba_alloc(&mem, i)) != NULL; i++) {
        assert_int_equal((uintptr_t) p % alignof(max_align_t), 0);
        assert_true(last == NULL || p >= last);
        assert_true(p + i <= block + 4096);
        memset(p, (int) i, i);
        last = p + i;
        n++;
    }
    assert_true(n > 50);
    assert_null(wba_alloc(&mem, 4096));
    assert_null(wba_alloc(&mem, SIZE_MAX));
    assert_null(wba_alloc(&mem, SIZE_MAX - 8));
    free(block);
}

static void
arena_edges(void **state)
{
    static alignas(max_align_t) uint8_t block[64];
    wba_arena_t a;
    wba_mem_t mem;

    (void) state;
    wba_arena_init(&a, block, 0);
    mem = wba_arena_mem(&a);
    assert_null(wba_alloc(&mem, 1));
    wba_arena_init(&a, block, sizeof(block));
    mem = wba_arena_mem(&a);
    assert_null(wba_alloc(&mem, 65));
    assert_ptr_equal(wba_alloc(&mem, 64), block); /* to the last byte */
    assert_null(wba_alloc(&mem, 1));

    wba_arena_init(&a, block, 60); /* what is left is not aligned */
    mem = wba_arena_mem(&a);
    assert_non_null(wba_alloc(&mem, 50));
    assert_null(wba_alloc(&mem, 0));
}

static void
copy(void **state)
{
    uint8_t block[64];
    wba_arena_t a;
    wba_mem_t mem;
    wba_str_t s;

    (void) state;
    wba_arena_init(&a, block, sizeof(block));
    mem = wba_arena_mem(&a);
    s = wba_str_copy(&mem, WBA_STR("abc"));
    assert_true(wba_str_eq(s, WBA_STR("abc")));
    assert_true(s.data >= block && s.data < block + sizeof(block));

    wba_arena_init(&a, block, 0);
    assert_null(wba_str_copy(&mem, WBA_STR("abc")).data);
    s = wba_str_copy(&mem, WBA_STR_NONE); /* needs none */
    assert_non_null(s.data);
    assert_int_equal(s.len, 0);
}

static void
fixed(void **state)
{
    uint8_t block[4];
    wba_buf_t buf;

    (void) state;
    wba_buf_fixed(&buf, block, sizeof(block));
    wba_buf_lit(&buf, "ab");
    wba_buf_add(&buf, NULL, 0);
    wba_buf_byte(&buf, 'c');
    assert_int_equal(buf.status, WBA_OK);
    wba_buf_lit(&buf, "de");
    assert_int_equal(buf.status, WBA_TOO_LARGE);
    wba_buf_byte(&buf, 'd'); /* there was room, but failures stick */
    assert_true(wba_str_eq(wba_buf_view(&buf), WBA_STR("abc")));
}

static void
growing(void **state)
{
    static uint8_t block[65536], want[3000];
    static const size_t maxima[] = { 0, 1, 255, 256, 257, 1000, 3000 };
    wba_arena_t a;
    wba_mem_t mem;
    wba_buf_t buf;
    size_t i, j;

    (void) state;
    for (i = 0; i < COUNT(maxima); i++) {
        wba_arena_init(&a, block, sizeof(block));
        mem = wba_arena_mem(&a);
        wba_buf_init(&buf, &mem, maxima[i]);
        assert_int_equal(wba_buf_view(&buf).len, 0);
        for (j = 0; j < maxima[i]; j++) {
            want[j] = (uint8_t) (j * 7);
            wba_buf_byte(&buf, want[j]);
        }
        assert_int_equal(buf.status, WBA_OK);
        assert_true(buf.cap <= maxima[i]);
        assert_true(
            wba_str_eq(wba_buf_view(&buf), wba_str(want, maxima[i])));
        wba_buf_byte(&buf, 0);
        assert_int_equal(buf.status, WBA_TOO_LARGE);
        assert_int_equal(buf.len, maxima[i]);
    }
}

static void
at_once(void **state)
{
    static uint8_t block[65536], bytes[5000];
    volatile size_t huge = SIZE_MAX - 10;
    wba_arena_t a;
    wba_mem_t mem;
    wba_buf_t buf;

    (void) state;
    wba_arena_init(&a, block, sizeof(block));
    mem = wba_arena_mem(&a);
    wba_buf_init(&buf, &mem, 6000);
    wba_buf_add(&buf, bytes, sizeof(bytes));
    wba_buf_str(&buf, wba_str(bytes, 1000));
    assert_int_equal(buf.status, WBA_OK);
    assert_int_equal(buf.len, 6000);
    wba_buf_add(&buf, bytes, huge);
    assert_int_equal(buf.status, WBA_TOO_LARGE);
}

static void
no_memory(void **state)
{
    static uint8_t block[600], bytes[300];
    wba_arena_t a;
    wba_mem_t mem;
    wba_buf_t buf;

    (void) state;
    wba_arena_init(&a, block, sizeof(block));
    mem = wba_arena_mem(&a);
    wba_buf_init(&buf, &mem, 6000);
    wba_buf_add(&buf, bytes, 200);
    wba_buf_add(&buf, bytes, 200); /* to 512, beyond what is left */
    assert_int_equal(buf.status, WBA_NO_MEMORY);
    assert_int_equal(buf.len, 200);
    wba_buf_byte(&buf, 1);
    assert_int_equal(buf.len, 200);
    assert_int_equal(buf.status, WBA_NO_MEMORY);
}

/* ---- str.h */

static void
views(void **state)
{
    (void) state;
    assert_true(wba_str_eq(WBA_STR_NONE, WBA_STR("")));
    assert_true(wba_str_eq(wba_str_z(NULL), WBA_STR_NONE));
    assert_false(wba_str_eq(WBA_STR("a"), WBA_STR("A")));
    assert_false(wba_str_eq(WBA_STR("a"), WBA_STR("ab")));
    assert_true(wba_str_eq_nocase(WBA_STR("aZ-1"), WBA_STR("Az-1")));
    assert_false(wba_str_eq_nocase(WBA_STR("["), WBA_STR("{")));
    assert_false(wba_str_eq_nocase(WBA_STR("@"), WBA_STR("`")));
    assert_true(wba_str_eq(wba_str_trim(WBA_STR(" \ta b\t ")), WBA_STR("a b")));
    assert_int_equal(wba_str_trim(WBA_STR(" \t ")).len, 0);
    assert_int_equal(wba_str_trim(WBA_STR_NONE).len, 0);
    assert_true(wba_str_eq(wba_str_trim(WBA_STR("\na\r")), WBA_STR("\na\r")));
}

/* Room once reserved is there: nothing moves until it is used up. */
static void
reserved(void **state)
{
    static uint8_t block[65536];
    wba_arena_t a;
    wba_mem_t mem;
    wba_buf_t buf;
    uint8_t *data;
    size_t i;

    (void) state;
    wba_arena_init(&a, block, sizeof(block));
    mem = wba_arena_mem(&a);
    wba_buf_init(&buf, &mem, 6000);
    assert_true(wba_buf_reserve(&buf, 1000));
    data = buf.data;
    for (i = 0; i < 1000; i++) {
        assert_true(wba_buf_reserve(&buf, 1000 - i));
        wba_buf_byte(&buf, (uint8_t) i);
    }
    assert_ptr_equal(buf.data, data);
    assert_true(wba_buf_reserve(&buf, 5000)); /* to the last byte */
    assert_false(wba_buf_reserve(&buf, 5001));
    assert_int_equal(buf.status, WBA_TOO_LARGE);
    assert_false(wba_buf_reserve(&buf, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena),     cmocka_unit_test(arena_edges),
        cmocka_unit_test(copy),      cmocka_unit_test(fixed),
        cmocka_unit_test(growing),   cmocka_unit_test(at_once),
        cmocka_unit_test(no_memory), cmocka_unit_test(views),
        cmocka_unit_test(reserved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
