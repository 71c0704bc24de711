/* SPDX-License-Identifier: MIT */
/* heap_test.c - lib/base/heap.c against a linear search under random inserts and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/heap.h"

#define NODES 50

static struct heap_node *search(struct heap_node *nodes)
{
    struct heap_node *best = NULL;
    for (int i = 0; i < NODES; i++) {
        struct heap_node *n = &nodes[i];
        if (n->linked && (!best || n->at < best->at || (n->at == best->at && n->order < best->order)))
            best = n;
    }
    return best;
}

static void random_changes_keep_the_first(void **state)
{
    for (unsigned seed = 1; seed <= 50; seed++) {
        struct heap_node nodes[NODES];
        struct heap h;
        unsigned random = seed;
        memset(nodes, 0, sizeof nodes);
        hqi_base_heap_init(&h);
        for (int step = 0; step < 1000; step++) {
            struct heap_node *n = &nodes[rand_r(&random) % NODES];
            if (n->linked)
                hqi_base_heap_remove(&h, n);
            else
                hqi_base_heap_insert(&h, n, (uint64_t)rand_r(&random) % 20);
            assert_ptr_equal(hqi_base_heap_first(&h), search(nodes));
        }
        for (struct heap_node *n; (n = hqi_base_heap_first(&h));) {
            assert_ptr_equal(n, search(nodes));
            hqi_base_heap_remove(&h, n);
        }
        assert_null(search(nodes));
    }
}

static void equal_deadlines_first_in_first_out(void **state)
{
    struct heap_node nodes[10];
    struct heap h;
    hqi_base_heap_init(&h);
    for (int i = 0; i < 10; i++)
        hqi_base_heap_insert(&h, &nodes[i], 7);
    for (int i = 0; i < 10; i++) {
        assert_ptr_equal(hqi_base_heap_first(&h), &nodes[i]);
        hqi_base_heap_remove(&h, &nodes[i]);
        hqi_base_heap_remove(&h, &nodes[i]); /* not linked any more: nothing happens */
    }
    assert_null(hqi_base_heap_first(&h));
}

static void a_long_heap_needs_no_stack(void **state)
{
    enum { n = 1000000 };
    struct heap_node *nodes = calloc(n, sizeof *nodes);
    struct heap h;
    hqi_base_heap_init(&h);
    for (int i = 0; i < n; i++)
        hqi_base_heap_insert(&h, &nodes[i], (uint64_t)(n - i)); /* each becomes the root: one long chain */
    for (int i = n - 1; i >= 0; i--) {
        if (hqi_base_heap_first(&h) != &nodes[i])
            fail_msg("node %d is not the first", i);
        hqi_base_heap_remove(&h, &nodes[i]);
    }
    free(nodes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_keep_the_first),
        cmocka_unit_test(equal_deadlines_first_in_first_out),
        cmocka_unit_test(a_long_heap_needs_no_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
