/* SPDX-License-Identifier: MIT */
/* choices_test.c - walking and counting lists of ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "choices.h"

static const struct {
    const char *text;
    uint64_t count;
    uint32_t ids[8];
    size_t n; /* of ids that are compared */
} cases[] = {
    {"34", 1, {34}, 1},
    {"34-36", 3, {34, 35, 36}, 3},
    {"101-101", 1, {101}, 1},
    {"0-10:2", 6, {0, 2, 4, 6, 8, 10}, 6},
    {"2-10:3", 3, {2, 5, 8}, 3},
    {"1,3, 5-8", 6, {1, 3, 5, 6, 7, 8}, 6},
    {" 4 ", 1, {4}, 1},
    {"1-1_000", 1000, {1, 2}, 2},
    {"0-4294967295", UINT64_C(4294967296), {0, 1}, 2},
    {"4294967295", 1, {UINT32_MAX}, 1},
};

static void test_count(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(choices_count_ids(cases[i].text), cases[i].count);
}

static void test_walk(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct id_cursor c = {.text = cases[i].text};
        uint32_t id;
        for (size_t j = 0; j < cases[i].n; j++) {
            assert_true(choices_next_id(&c, &id));
            assert_int_equal(id, cases[i].ids[j]);
        }
        if (cases[i].n == cases[i].count)
            assert_false(choices_next_id(&c, &id));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_count), cmocka_unit_test(test_walk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
