/* SPDX-License-Identifier: MIT */
/* map_test.c - lib/base/map.c with and without memory to grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/map.h"

#define NODES 5000u

/* Keys as they occur: dense, shifted by whole fields, and all bits set. */
static const uint64_t strides[] = {1, 1ull << 32, 1ull << 48 | 1, UINT64_MAX};

static void check_lookup(struct map *m, struct map_node *nodes, uint64_t stride)
{
    for (uint64_t i = 0; i < NODES; i++)
        assert_ptr_equal(hqi_base_map_get(m, i * stride), &nodes[i]);
    for (uint64_t i = 0; i < NODES; i += 2)
        assert_ptr_equal(hqi_base_map_take(m, i * stride), &nodes[i]);
    for (uint64_t i = 0; i < NODES; i++)
        assert_ptr_equal(hqi_base_map_get(m, i * stride), i % 2 ? &nodes[i] : NULL);
    assert_null(hqi_base_map_take(m, 0));
    assert_int_equal(m->count, NODES / 2);
}

static void finds_what_was_put(void **state)
{
    struct map_node *nodes = calloc(NODES, sizeof *nodes);
    for (size_t k = 0; k < sizeof strides / sizeof *strides; k++)
        for (int reserve = 0; reserve < 3; reserve++) {
            struct map m;
            hqi_base_map_init(&m, &hqi_base_alloc_libc);
            assert_null(hqi_base_map_get(&m, 0));
            if (reserve == 1)
                assert_true(hqi_base_map_reserve(&m, NODES));
            for (uint64_t i = 0; i < NODES; i++) {
                if (reserve == 2)
                    assert_true(hqi_base_map_reserve(&m, 1));
                hqi_base_map_put(&m, &nodes[i], i * strides[k]);
            }
            check_lookup(&m, nodes, strides[k]);
            hqi_base_map_fini(&m);
        }
    free(nodes);
}

static void works_without_memory(void **state)
{
    struct failing f;
    struct map m;
    struct map_node nodes[200];
    failing_init(&f, 1);
    f.forever = true;
    hqi_base_map_init(&m, &f.alloc);
    assert_false(hqi_base_map_reserve(&m, 100));
    for (uint64_t i = 0; i < 200; i++)
        hqi_base_map_put(&m, &nodes[i], i * 7);
    for (uint64_t i = 0; i < 200; i++)
        assert_ptr_equal(hqi_base_map_get(&m, i * 7), &nodes[i]);
    f.fail_at = 0; /* memory is back: what was chained is rehashed */
    assert_true(hqi_base_map_reserve(&m, 1));
    assert_true(m.mask >= 200);
    for (uint64_t i = 0; i < 200; i++)
        assert_ptr_equal(hqi_base_map_get(&m, i * 7), &nodes[i]);
    hqi_base_map_fini(&m);
    assert_int_equal(f.live, 0);
}

static void reserve_failure_changes_nothing(void **state)
{
    struct failing f;
    struct map m;
    struct map_node nodes[16];
    failing_init(&f, 2);
    hqi_base_map_init(&m, &f.alloc);
    assert_true(hqi_base_map_reserve(&m, 16));
    for (uint64_t i = 0; i < 16; i++)
        hqi_base_map_put(&m, &nodes[i], i);
    uint32_t mask = m.mask;
    assert_false(hqi_base_map_reserve(&m, 1));
    assert_false(hqi_base_map_reserve(&m, UINT32_MAX));
    assert_int_equal(m.mask, mask);
    assert_int_equal(m.count, 16);
    for (uint64_t i = 0; i < 16; i++)
        assert_ptr_equal(hqi_base_map_get(&m, i), &nodes[i]);
    hqi_base_map_fini(&m);
}

static void free_one(struct map_node *node, void *user)
{
    *(uint64_t *)user += node->key;
    free(node);
}

static void each_may_free(void **state)
{
    struct map m;
    uint64_t sum = 0;
    hqi_base_map_init(&m, &hqi_base_alloc_libc);
    for (uint64_t i = 1; i <= 100; i++)
        hqi_base_map_put(&m, malloc(sizeof(struct map_node)), i);
    hqi_base_map_each(&m, free_one, &sum);
    assert_int_equal(sum, 5050);
    hqi_base_map_fini(&m);
}

static void hash_tells_bytes_apart(void **state)
{
    assert_true(hqi_base_map_hash("abc", 3) == hqi_base_map_hash("abcd", 3));
    assert_true(hqi_base_map_hash("abc", 3) != hqi_base_map_hash("abd", 3));
    assert_true(hqi_base_map_hash("a", 1) != hqi_base_map_hash("a\0", 2));
    assert_true(hqi_base_map_hash(NULL, 0) == hqi_base_map_hash("", 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(works_without_memory),
        cmocka_unit_test(reserve_failure_changes_nothing),
        cmocka_unit_test(each_may_free),
        cmocka_unit_test(hash_tells_bytes_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
