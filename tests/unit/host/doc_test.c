/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hqcore.h"
#include "host/tree.h"

static struct hq_doc inner[] = {
    {.kind = DOC_UINT, .name = "running", .v.u = UINT64_MAX},
    {.kind = DOC_INT, .name = "delta", .v.i = -5},
};
static struct hq_doc list[] = {{.kind = DOC_BOOL, .v.b = true}, {.kind = DOC_DOUBLE, .v.d = 2.5}};
static struct hq_doc members[] = {
    {.kind = DOC_MAP, .name = "stats", .n = 2, .v.child = inner},
    {.kind = DOC_LIST, .name = "list", .n = 2, .v.child = list},
    {.kind = DOC_BYTES, .name = "text", .n = 3, .v.p = "a\0b"},
    {.kind = DOC_NULL, .name = "none"},
};
static const struct hq_doc root = {.kind = DOC_MAP, .n = 4, .v.child = members};

static void test_paths(void **state)
{
    assert_ptr_equal(hq_doc_get(&root, "stats.running"), &inner[0]);
    assert_ptr_equal(hq_doc_get(&root, "list"), &members[1]);
    assert_null(hq_doc_get(&root, "stats.nothing"));
    assert_null(hq_doc_get(&root, "stat"));
    assert_null(hq_doc_get(&root, "stats.running.more"));
    assert_null(hq_doc_get(&root, ""));
    assert_null(hq_doc_get(NULL, "stats"));
    assert_string_equal(hq_doc_name(hq_doc_at(&root, 2)), "text");
    assert_null(hq_doc_at(&root, 4));
    assert_null(hq_doc_at(&inner[0], 0));
    assert_null(hq_doc_name(hq_doc_at(hq_doc_get(&root, "list"), 0)));
}

static void test_values(void **state)
{
    size_t n = 9;
    assert_int_equal(hq_doc_get_kind(hq_doc_get(&root, "none")), HQ_DOC_NULL);
    assert_int_equal(hq_doc_get_kind(NULL), HQ_DOC_NULL);
    assert_true(hq_doc_uint(&inner[0]) == UINT64_MAX);
    assert_true(hq_doc_int(&inner[0]) == INT64_MAX);
    assert_int_equal(hq_doc_uint(&inner[1]), 0);
    assert_int_equal(hq_doc_int(&inner[1]), -5);
    assert_true(hq_doc_double(&inner[1]) == -5.0);
    assert_int_equal(hq_doc_uint(&list[0]), 1);
    assert_int_equal(hq_doc_int(&list[1]), 2);
    assert_true(hq_doc_double(&list[1]) == 2.5);
    assert_int_equal(hq_doc_uint(NULL), 0);
    assert_memory_equal(hq_doc_bytes(&members[2], &n), "a\0b", 4);
    assert_int_equal(n, 3);
    assert_string_equal(hq_doc_bytes(&members[0], &n), "");
    assert_int_equal(n, 0);
    assert_int_equal(hq_doc_len(&root), 4);
    assert_int_equal(hq_doc_len(&members[2]), 3);
    assert_int_equal(hq_doc_len(&inner[0]), 0);
}

static void test_root_owns_its_memory(void **state)
{
    struct arena *mem = hqi_base_arena_new(&hqi_base_alloc_libc);
    assert_null(hqi_host_tree_root(mem, NULL));
    struct hq_doc *own = hqi_host_tree_root(mem, &members[0]);
    assert_null(hq_doc_name(own));
    assert_int_equal(hq_doc_len(own), 2);
    hq_doc_free(own);
    hq_doc_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_root_owns_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
