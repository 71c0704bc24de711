/* SPDX-License-Identifier: MIT */
/* arena_test.c - alignment, clear, failure and the self-owning form of lib/base/arena.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/arena.h"

static void memory_is_aligned_and_apart(void **state)
{
    static const size_t sizes[] = {1, 0, 16, 17, 900, 5000, 3, 2000000, 8};
    struct failing f;
    struct arena a;
    unsigned char *p[sizeof sizes / sizeof *sizes];
    size_t n = sizeof sizes / sizeof *sizes, sum = 0;
    failing_init(&f, 0);
    hqi_base_arena_init(&a, &f.alloc);
    for (size_t i = 0; i < n; i++) {
        p[i] = hqi_base_arena_get(&a, sizes[i]);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i + 1, sizes[i]);
        sum += sizes[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < sizes[i]; k++)
            if (p[i][k] != i + 1)
                fail_msg("block %zu was overwritten at %zu", i, k);
    assert_true(a.used >= sum);
    hqi_base_arena_fini(&a);
    assert_int_equal(f.live, 0);
}

static void steady_load_stops_allocating(void **state)
{
    struct failing f;
    struct arena a;
    failing_init(&f, 0);
    hqi_base_arena_init(&a, &f.alloc);
    for (int round = 0; round < 20; round++) {
        size_t before = f.calls;
        for (int i = 0; i < 100; i++)
            assert_non_null(hqi_base_arena_get(&a, 100));
        if (round > 5)
            assert_int_equal(f.calls, before);
        hqi_base_arena_clear(&a);
        assert_int_equal(a.used, 0);
        assert_int_equal(f.live, 1);
    }
    hqi_base_arena_fini(&a);
    assert_int_equal(f.live, 0);
}

static void failure_changes_nothing(void **state)
{
    struct failing f;
    struct arena a;
    bool ok = true;
    failing_init(&f, 2);
    f.forever = true;
    hqi_base_arena_init(&a, &f.alloc);
    char *p = hqi_base_arena_printf(&a, "%s-%d", "x", 7);
    size_t used = a.used;
    assert_null(hqi_base_arena_get(&a, 100000));
    assert_null(hqi_base_arena_get(&a, SIZE_MAX - 3));
    assert_null(hqi_base_arena_zero(&a, SIZE_MAX, 2));
    char big[5000] = {0};
    struct bytes b = hqi_base_arena_bytes(&a, (struct bytes){big, sizeof big}, &ok);
    assert_null(b.p);
    assert_false(ok);
    assert_int_equal(a.used, used);
    assert_string_equal(p, "x-7");
    assert_non_null(hqi_base_arena_get(&a, 8)); /* there is room left in the first block */
    hqi_base_arena_fini(&a);
    assert_int_equal(f.live, 0);
}

static void bytes_are_copied(void **state)
{
    static const struct bytes cases[] = {{NULL, 0}, {"", 0}, {"a", 1}, {"a\0b", 3}, {"0123456789abcdef", 16}};
    struct arena a;
    hqi_base_arena_init(&a, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool ok = true;
        struct bytes b = hqi_base_arena_bytes(&a, cases[i], &ok);
        assert_true(ok);
        assert_true(bytes_equal(b, cases[i]));
        assert_int_equal(b.p[b.n], '\0');
    }
    hqi_base_arena_fini(&a);
}

static void new_houses_itself(void **state)
{
    struct failing f;
    failing_init(&f, 1);
    assert_null(hqi_base_arena_new(&f.alloc));
    failing_init(&f, 0);
    struct arena *a = hqi_base_arena_new(&f.alloc);
    assert_int_equal(f.live, 1);
    assert_int_equal(a->used, 0);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 100000; size *= 3)
            memset(hqi_base_arena_get(a, size), 0xff, size);
        hqi_base_arena_clear(a);
        assert_ptr_equal(a->alloc, &f.alloc); /* still where it was, and whole */
        assert_int_equal(f.live, 2);          /* its own block and the largest */
    }
    hqi_base_arena_free(a);
    hqi_base_arena_free(NULL);
    assert_int_equal(f.live, 0);
}

static void small_new_survives_clear(void **state)
{
    struct failing f;
    failing_init(&f, 0);
    struct arena *a = hqi_base_arena_new(&f.alloc);
    for (int round = 0; round < 3; round++) {
        memset(hqi_base_arena_get(a, 64), 0xff, 64);
        hqi_base_arena_clear(a);
        assert_ptr_equal(a->alloc, &f.alloc);
    }
    assert_int_equal(f.calls, 1);
    hqi_base_arena_free(a);
    assert_int_equal(f.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_and_apart), cmocka_unit_test(steady_load_stops_allocating),
        cmocka_unit_test(failure_changes_nothing),     cmocka_unit_test(bytes_are_copied),
        cmocka_unit_test(new_houses_itself),           cmocka_unit_test(small_new_survives_clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
