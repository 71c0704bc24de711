/* SPDX-License-Identifier: MIT */
/* alloc_test.c - zero sizes, overflow, failure and balance of lib/base/alloc.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"

static void zero_size_is_a_block(void **state)
{
    struct failing f;
    failing_init(&f, 0);
    void *a = hqi_base_alloc_get(&f.alloc, 0), *b = hqi_base_alloc_zero(&f.alloc, 0, 8);
    assert_non_null(a);
    assert_non_null(b);
    a = hqi_base_alloc_resize(&f.alloc, a, 0, 0);
    assert_non_null(a);
    assert_int_equal(f.live, 2);
    hqi_base_alloc_free(&f.alloc, a);
    hqi_base_alloc_free(&f.alloc, b);
    hqi_base_alloc_free(&f.alloc, NULL);
    assert_int_equal(f.live, 0);
}

static void overflow_is_out_of_memory(void **state)
{
    static const struct {
        size_t count, size;
    } cases[] = {
        {SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 2}, {1, SIZE_MAX}, {PTRDIFF_MAX, 2}, {(size_t)PTRDIFF_MAX + 1, 1},
    };
    struct failing f;
    failing_init(&f, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_null(hqi_base_alloc_zero(&f.alloc, cases[i].count, cases[i].size));
        assert_null(hqi_base_alloc_resize(&f.alloc, NULL, cases[i].count, cases[i].size));
    }
    assert_null(hqi_base_alloc_strdup(&f.alloc, "", SIZE_MAX));
    assert_int_equal(f.calls, 0); /* the host never sees such a size */
}

static void failed_resize_keeps_the_block(void **state)
{
    struct failing f;
    failing_init(&f, 2);
    char *p = hqi_base_alloc_get(&f.alloc, 4);
    memcpy(p, "abc", 4);
    assert_null(hqi_base_alloc_resize(&f.alloc, p, 100, 1));
    assert_string_equal(p, "abc");
    p = hqi_base_alloc_resize(&f.alloc, p, 100, 1);
    assert_string_equal(p, "abc");
    hqi_base_alloc_free(&f.alloc, p);
    assert_int_equal(f.live, 0);
}

static void zero_zeroes(void **state)
{
    static const char none[64];
    char *p = hqi_base_alloc_zero(&hqi_base_alloc_libc, 8, 8);
    assert_memory_equal(p, none, sizeof none);
    hqi_base_alloc_free(&hqi_base_alloc_libc, p);
}

static void strdup_takes_bytes(void **state)
{
    struct failing f;
    failing_init(&f, 3);
    char *p = hqi_base_alloc_strdup(&f.alloc, "a\0bc", 3), *empty = hqi_base_alloc_strdup(&f.alloc, NULL, 0);
    assert_memory_equal(p, "a\0b\0", 4);
    assert_string_equal(empty, "");
    assert_null(hqi_base_alloc_strdup(&f.alloc, "x", 1));
    hqi_base_alloc_free(&f.alloc, p);
    hqi_base_alloc_free(&f.alloc, empty);
    assert_int_equal(f.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zero_size_is_a_block),
        cmocka_unit_test(overflow_is_out_of_memory),
        cmocka_unit_test(failed_resize_keeps_the_block),
        cmocka_unit_test(zero_zeroes),
        cmocka_unit_test(strdup_takes_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
