/* SPDX-License-Identifier: MIT */
/* env_test.c - layers of environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helper/env.h"

static char **merged(struct arena *mem, const struct env *base, const struct env *over)
{
    char **out = hqi_base_arena_get(mem, (base->n + over->n + 1) * sizeof *out);
    assert_non_null(out);
    hqi_helper_env_merge(out, base, over);
    return out;
}

static void test_later_replaces_in_place(void **state)
{
    struct arena mem;
    struct env base, over;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_true(hqi_helper_env_init(&base, &mem, 5));
    assert_true(hqi_helper_env_init(&over, &mem, 4));
    char a[] = "A=1", b[] = "B=2", ab[] = "AB=3", a2[] = "A=4", bare[] = "NOTHING";
    hqi_helper_env_set(&base, a);
    hqi_helper_env_set(&base, b);
    hqi_helper_env_set(&base, ab);
    hqi_helper_env_set(&base, bare);
    hqi_helper_env_set(&base, a2);
    assert_int_equal(base.n, 3);
    const struct env_var vars[] = {{bytes_of("B"), bytes_of("x=y")},
                                   {bytes_of("NEW"), {NULL, 0}},
                                   {bytes_of("B"), bytes_of("z")},
                                   {bytes_of("A_LONGER_NAME"), bytes_of("5")}};
    assert_true(hqi_helper_env_add(&over, &mem, vars, 4));
    char **out = merged(&mem, &base, &over);
    static const char *const expected[] = {"A=4", "B=z", "AB=3", "NEW=", "A_LONGER_NAME=5"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(out[i], expected[i]);
    assert_null(out[5]);
    assert_string_equal(hqi_helper_env_get(&base, "A"), "4");
    assert_string_equal(hqi_helper_env_get(&over, "NEW"), "");
    assert_null(hqi_helper_env_get(&base, "NEW"));
    assert_null(hqi_helper_env_get(&base, "NOTHING"));
    hqi_base_arena_fini(&mem);
}

static void test_many_names(void **state)
{
    enum { N = 50000 };
    struct arena mem;
    struct env base, over;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_true(hqi_helper_env_init(&base, &mem, N));
    assert_true(hqi_helper_env_init(&over, &mem, N));
    for (int i = 0; i < N; i++) {
        hqi_helper_env_set(&base, hqi_base_arena_printf(&mem, "V%d=base", i));
        hqi_helper_env_set(&over, hqi_base_arena_printf(&mem, "V%d=over", i + N / 2));
    }
    char **out = merged(&mem, &base, &over);
    int n = 0, from_over = 0;
    for (; out[n]; n++)
        from_over += strstr(out[n], "=over") != NULL;
    assert_int_equal(n, N + N / 2);
    assert_int_equal(from_over, N);
    hqi_base_arena_fini(&mem);
}

static void test_nothing_on_nothing(void **state)
{
    struct arena mem;
    struct env base, over;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_true(hqi_helper_env_init(&base, &mem, 0));
    assert_true(hqi_helper_env_init(&over, &mem, 0));
    assert_null(merged(&mem, &base, &over)[0]);
    assert_null(hqi_helper_env_get(&base, "PATH"));
    hqi_base_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_replaces_in_place),
        cmocka_unit_test(test_many_names),
        cmocka_unit_test(test_nothing_on_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
