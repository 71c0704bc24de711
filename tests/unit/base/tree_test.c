/* SPDX-License-Identifier: MIT */
/* tree_test.c - lib/base/tree.c against a plain array: order, links and balance after every change. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/list.h"
#include "base/tree.h"

#define ITEMS 64

struct item {
    struct tree_node node;
    int key, serial;
    bool in;
};

static int item_compare(const struct tree_node *a, const struct tree_node *b)
{
    int x = hqi_container(a, const struct item, node)->key,
        y = hqi_container(b, const struct item, node)->key;
    return (x > y) - (x < y);
}

static struct item *item_of(struct tree_node *n)
{
    return n ? hqi_container(n, struct item, node) : NULL;
}

/* The height of a subtree; fails when a link or a rank is wrong, or it leans by more than one. */
static uint32_t check_subtree(const struct tree_node *n, const struct tree_node *parent)
{
    if (!n)
        return 0;
    assert_ptr_equal(n->parent, parent);
    uint32_t l = check_subtree(n->left, n), r = check_subtree(n->right, n);
    assert_true(l <= r + 1 && r <= l + 1);
    assert_int_equal(n->rank, 1 + (l > r ? l : r));
    return n->rank;
}

static void check_order(const struct tree *t, int expected)
{
    int count = 0;
    struct tree_node *last = NULL;
    check_subtree(t->root, NULL);
    for (struct tree_node *n = hqi_base_tree_first(t); n; last = n, n = hqi_base_tree_next(n), count++) {
        assert_ptr_equal(hqi_base_tree_prev(n), last);
        if (!last)
            continue;
        assert_true(item_of(last)->key <= item_of(n)->key);
        if (item_of(last)->key == item_of(n)->key)
            assert_true(item_of(last)->serial < item_of(n)->serial);
    }
    assert_int_equal(count, expected);
    assert_ptr_equal(hqi_base_tree_last(t), last);
}

static void toggle(struct tree *t, struct item *item, int *serial, int *count)
{
    if (item->in) {
        hqi_base_tree_remove(t, &item->node);
        --*count;
    } else {
        item->serial = ++*serial;
        hqi_base_tree_insert(t, &item->node);
        ++*count;
    }
    item->in = !item->in;
}

static void random_changes_keep_order(void **state)
{
    for (unsigned seed = 1; seed <= 20; seed++) {
        struct item items[ITEMS];
        struct tree t;
        int serial = 0, count = 0;
        unsigned random = seed;
        memset(items, 0, sizeof items);
        hqi_base_tree_init(&t, item_compare);
        for (int i = 0; i < ITEMS; i++)
            items[i].key = rand_r(&random) % 24; /* many are equal */
        for (int step = 0; step < 1000; step++) {
            toggle(&t, &items[rand_r(&random) % ITEMS], &serial, &count);
            check_order(&t, count);
        }
    }
}

static void ascending_inserts_stay_flat(void **state)
{
    enum { n = 4096 };
    struct item *items = calloc(n, sizeof *items);
    struct tree t;
    hqi_base_tree_init(&t, item_compare);
    for (int i = 0; i < n; i++) {
        items[i].key = items[i].serial = i;
        hqi_base_tree_insert(&t, &items[i].node);
    }
    assert_true(t.root->rank <= 18);
    check_order(&t, n);
    for (int i = 0; i < n; i++)
        hqi_base_tree_remove(&t, hqi_base_tree_first(&t));
    assert_null(t.root);
    free(items);
}

static void lower_finds_the_first_not_below(void **state)
{
    struct item items[10], key = {0};
    struct tree t;
    memset(items, 0, sizeof items);
    hqi_base_tree_init(&t, item_compare);
    assert_null(hqi_base_tree_lower(&t, &key.node));
    for (int i = 0; i < 10; i++) {
        items[i].key = i / 2 * 10; /* 0 0 10 10 ... 40 40 */
        hqi_base_tree_insert(&t, &items[i].node);
    }
    for (key.key = -1; key.key <= 41; key.key++) {
        struct item *found = item_of(hqi_base_tree_lower(&t, &key.node));
        int i = key.key <= 0 ? 0 : (key.key + 9) / 10 * 2;
        assert_ptr_equal(found, i < 10 ? &items[i] : NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_keep_order),
        cmocka_unit_test(ascending_inserts_stay_flat),
        cmocka_unit_test(lower_finds_the_first_not_below),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
