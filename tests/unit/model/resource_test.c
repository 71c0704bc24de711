/* SPDX-License-Identifier: MIT */
/* resource_test.c - lib/model/resource.c: what a worker may declare. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/limits.h"
#include "hqcore/types.h"
#include "model/resource.h"

#define B(text) {text, sizeof(text) - 1}

static const struct bytes two[] = {B("0"), B("1")};
static const struct bytes same[] = {B("0"), B("0")};
static const struct bytes ugly[] = {B("0"), B("a\nb")};
static const uint32_t one_each[] = {1, 1}, with_empty[] = {2, 0}, too_many[] = {1, 2};

#define CPUS {.name = B("cpus"), .kind = RESOURCE_RANGE, .start = 0, .end = 3}

static const struct {
    struct resource_def d[3];
    uint32_t n;
    int rc;
    const char *text; /* of the error */
} sets[] = {
    {{CPUS}, 1, HQ_OK, NULL},
    {{CPUS, {.name = B("gpus/nvidia"), .kind = RESOURCE_LIST, .labels = two, .n_labels = 2}}, 2, HQ_OK, NULL},
    {{CPUS, {.name = B("g"), .kind = RESOURCE_GROUPS, .labels = two, .n_labels = 2, .group_sizes = one_each, .n_groups = 2}},
     2, HQ_OK, NULL},
    {{CPUS, {.name = B("mem"), .kind = RESOURCE_SUM, .sum = 1}}, 2, HQ_OK, NULL},
    {{{.sum = 0}}, 0, HQ_EINVAL, "Resource 'cpus' is missing"},
    {{{.name = B("mem"), .kind = RESOURCE_SUM, .sum = 1}}, 1, HQ_EINVAL, "Resource 'cpus' is missing"},
    {{{.name = B("cpus"), .kind = RESOURCE_SUM, .sum = 1}}, 1, HQ_EINVAL,
     "Resource kind `sum` cannot be used with CPUs. CPUs must have identity"},
    {{{.name = B("cpus"), .kind = RESOURCE_SUM}}, 1, HQ_EINVAL,
     "Resource kind `sum` cannot be used with CPUs. CPUs must have identity"},
    {{CPUS, CPUS}, 2, HQ_EINVAL, "Resource cpus defined twice"},
    {{CPUS, {.name = B("foo"), .kind = RESOURCE_SUM}}, 2, HQ_EINVAL, "Resource foo is empty"},
    {{CPUS, {.name = B("foo"), .kind = RESOURCE_LIST}}, 2, HQ_EINVAL, "Resource foo is empty"},
    {{CPUS, {.name = B("foo"), .kind = RESOURCE_RANGE, .start = 2, .end = 1}}, 2, HQ_EINVAL, "Resource foo is empty"},
    {{CPUS, {.name = B("foo"), .kind = RESOURCE_LIST, .labels = same, .n_labels = 2}}, 2, HQ_EINVAL,
     "Invalid resource definition for foo: Non unique indices"},
    {{CPUS, {.name = B("foo"), .kind = RESOURCE_LIST, .labels = ugly, .n_labels = 2}}, 2, HQ_EINVAL,
     "the resource label contains a newline, a tab or a NUL byte"},
    {{CPUS, {.name = B("g"), .kind = RESOURCE_GROUPS, .labels = two, .n_labels = 2, .group_sizes = with_empty, .n_groups = 2}},
     2, HQ_EINVAL, "Invalid resource definition for g: group 1 is empty"},
    {{CPUS, {.name = B("g"), .kind = RESOURCE_GROUPS, .labels = two, .n_labels = 2, .group_sizes = too_many, .n_groups = 2}},
     2, HQ_EINVAL, "Invalid resource definition for g: groups of 3 indices, but 2 labels"},
    {{{.name = B("x"), .kind = RESOURCE_SUM, .sum = 1}, CPUS}, 2, HQ_EINVAL,
     "Resources are not sorted by name: cpus comes too late"},
    {{CPUS, {.name = B("x"), .kind = 9}}, 2, HQ_EINVAL, "Resource x has the unknown kind 9"},
    {{CPUS, {.name = B("x"), .kind = RESOURCE_RANGE, .start = 0, .end = HQI_MAX_INDICES}}, 2, HQ_ELIMIT,
     "Resource x has 1048577 indices, at most 1048576 are allowed"},
    {{CPUS, {.name = B("x"), .kind = RESOURCE_SUM, .sum = UINT64_MAX}}, 2, HQ_ELIMIT,
     "Resource x: the sum is above 4294967295"},
    {{{.name = B("1x"), .kind = RESOURCE_SUM, .sum = 1}}, 1, HQ_EINVAL, NULL},
    {{{.name = B(""), .kind = RESOURCE_SUM, .sum = 1}}, 1, HQ_EINVAL, NULL},
};

static void checks_sets(void **state)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        const struct resources r = {sets[i].d, sets[i].n};
        hq_error err = {0};
        int rc = hqi_model_resource_check(&r, &err);
        if (rc != sets[i].rc || (sets[i].text && strcmp(err.text, sets[i].text) != 0))
            fail_msg("row %zu: rc %d, %s", i, rc, err.text);
    }
}

static void limits_counts(void **state)
{
    struct resource_def *many = calloc(HQI_MAX_RESOURCES + 1u, sizeof *many);
    const struct resources r = {many, HQI_MAX_RESOURCES + 1u};
    struct resource_def list[] = {CPUS, {.name = B("x"), .kind = RESOURCE_LIST, .labels = two, .n_labels = 65537}};
    const struct resources labels = {list, 2};
    assert_int_equal(hqi_model_resource_check(&r, NULL), HQ_ELIMIT);
    assert_int_equal(hqi_model_resource_check(&labels, NULL), HQ_ELIMIT);
    free(many);
}

static void knows_totals(void **state)
{
    const struct resource_def range = {.kind = RESOURCE_RANGE, .start = 5, .end = 5};
    const struct resource_def whole = {.kind = RESOURCE_RANGE, .start = 0, .end = UINT32_MAX};
    const struct resource_def list = {.kind = RESOURCE_LIST, .n_labels = 2};
    const struct resource_def sum = {.kind = RESOURCE_SUM, .sum = 15000};
    assert_int_equal(hqi_model_resource_total(&range), HQ_UNITS);
    assert_int_equal(hqi_model_resource_total(&whole), 4294967296ull * HQ_UNITS);
    assert_int_equal(hqi_model_resource_total(&list), 2 * HQ_UNITS);
    assert_int_equal(hqi_model_resource_total(&sum), 15000);
}

static void knows_names(void **state)
{
    static const char *const good[] = {"a", "cpus", "gpus/nvidia", "A1/", "x1"};
    static const char *const bad[] = {"", "1a", "/a", "a_b", "a-b", "a b", " a", "\xc3\xa9"};
    char longest[HQI_MAX_RESOURCE_NAME + 1];
    memset(longest, 'a', sizeof longest);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(hqi_model_resource_name_ok(bytes_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(hqi_model_resource_name_ok(bytes_of(bad[i])));
    assert_true(hqi_model_resource_name_ok((struct bytes){longest, HQI_MAX_RESOURCE_NAME}));
    assert_false(hqi_model_resource_name_ok((struct bytes){longest, HQI_MAX_RESOURCE_NAME + 1}));
}

static void sorts_copies_and_finds(void **state)
{
    struct resource_def d[] = {
        {.name = B("mem"), .kind = RESOURCE_SUM, .sum = 7},
        {.name = B("g"), .kind = RESOURCE_GROUPS, .labels = two, .n_labels = 2, .group_sizes = one_each, .n_groups = 2},
        CPUS,
    };
    struct arena mem;
    struct resources from = {d, 3}, to;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_model_resource_sort(d, 3);
    assert_int_equal(hqi_model_resource_check(&from, NULL), HQ_OK);
    assert_int_equal(hqi_model_resource_copy(&to, &mem, &from), HQ_OK);
    assert_int_equal(hqi_model_resource_check(&to, NULL), HQ_OK);
    const struct resource_def *g = hqi_model_resource_find(&to, bytes_of("g"));
    assert_non_null(g);
    assert_ptr_not_equal(g->labels, two);
    assert_true(bytes_is(g->labels[1], "1"));
    assert_int_equal(g->group_sizes[1], 1);
    assert_int_equal(hqi_model_resource_find(&to, bytes_of("mem"))->sum, 7);
    assert_null(hqi_model_resource_find(&to, bytes_of("gpus")));
    hqi_base_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_sets), cmocka_unit_test(limits_counts), cmocka_unit_test(knows_totals),
        cmocka_unit_test(knows_names), cmocka_unit_test(sorts_copies_and_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
