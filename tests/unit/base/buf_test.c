/* SPDX-License-Identifier: MIT */
/* buf_test.c - content, growth and the sticky failure of lib/base/buf.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/buf.h"

static void appends_in_order(void **state)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    assert_true(bytes_equal(hqi_base_buf_bytes(&b), (struct bytes){0}));
    hqi_base_buf_adds(&b, "one ");
    hqi_base_buf_addf(&b, "%d %s", 2, "three");
    hqi_base_buf_addc(&b, '!');
    hqi_base_buf_add(&b, "\0z", 2);
    hqi_base_buf_add(&b, NULL, 0);
    assert_int_equal(b.n, 14);
    assert_memory_equal(b.p, "one 2 three!\0z\0", 15);
    assert_false(b.failed);
    hqi_base_buf_clear(&b);
    assert_int_equal(b.n, 0);
    assert_string_equal(b.p, "");
    hqi_base_buf_fini(&b);
}

static void grows_across_every_size(void **state)
{
    struct failing f;
    struct buf b;
    failing_init(&f, 0);
    hqi_base_buf_init(&b, &f.alloc);
    for (int i = 0; i < 1000; i++) {
        hqi_base_buf_addf(&b, "%c", 'a' + i % 26);
        assert_int_equal(b.p[b.n], '\0');
    }
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(b.p[i], 'a' + i % 26);
    assert_true(f.calls < 10); /* geometric */
    hqi_base_buf_fini(&b);
    assert_int_equal(f.live, 0);
}

static void failure_is_sticky_until_clear(void **state)
{
    struct failing f;
    struct buf b;
    size_t n = 9;
    failing_init(&f, 2);
    hqi_base_buf_init(&b, &f.alloc);
    hqi_base_buf_adds(&b, "kept");
    assert_false(hqi_base_buf_reserve(&b, 1000));
    assert_true(b.failed);
    hqi_base_buf_addc(&b, 'x');
    hqi_base_buf_addf(&b, "%s", "y");
    assert_string_equal(b.p, "kept");
    assert_null(hqi_base_buf_take(&b, &n));
    assert_int_equal(n, 0);
    hqi_base_buf_clear(&b);
    hqi_base_buf_adds(&b, "again");
    assert_string_equal(b.p, "again");
    hqi_base_buf_fini(&b);
    assert_int_equal(f.live, 0);
}

static void absurd_size_fails(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 1, PTRDIFF_MAX, (size_t)PTRDIFF_MAX + 1};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct failing f;
        struct buf b;
        failing_init(&f, 0);
        hqi_base_buf_init(&b, &f.alloc);
        hqi_base_buf_adds(&b, "four");
        assert_false(hqi_base_buf_reserve(&b, sizes[i]));
        assert_string_equal(b.p, "four");
        hqi_base_buf_fini(&b);
    }
}

static void take_transfers(void **state)
{
    struct failing f;
    struct buf b;
    size_t n;
    failing_init(&f, 0);
    hqi_base_buf_init(&b, &f.alloc);
    assert_null(hqi_base_buf_take(&b, &n));
    hqi_base_buf_adds(&b, "mine");
    char *p = hqi_base_buf_take(&b, &n);
    assert_string_equal(p, "mine");
    assert_int_equal(n, 4);
    assert_null(b.p);
    hqi_base_buf_adds(&b, "next");
    hqi_base_buf_fini(&b);
    hqi_base_buf_fini(&b);
    hqi_base_alloc_free(&f.alloc, p);
    assert_int_equal(f.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),  cmocka_unit_test(grows_across_every_size),
        cmocka_unit_test(absurd_size_fails), cmocka_unit_test(failure_is_sticky_until_clear),
        cmocka_unit_test(take_transfers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
