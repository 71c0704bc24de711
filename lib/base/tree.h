/* SPDX-License-Identifier: MIT */
/* tree.h - intrusive ordered tree (balanced): the owner's compare function gives the order.
 * No operation needs memory or fails. */
#ifndef HQI_BASE_TREE_H
#define HQI_BASE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_node {
    struct tree_node *left, *right, *parent;
    uint32_t rank; /* balance; private */
};

struct tree {
    struct tree_node *root;
    int (*compare)(const struct tree_node *a, const struct tree_node *b);
};

void hqi_base_tree_init(struct tree *t, int (*compare)(const struct tree_node *, const struct tree_node *));
void hqi_base_tree_insert(struct tree *t, struct tree_node *n); /* equal nodes: behind those present */
void hqi_base_tree_remove(struct tree *t, struct tree_node *n);
struct tree_node *hqi_base_tree_first(const struct tree *t); /* NULL when empty */
struct tree_node *hqi_base_tree_last(const struct tree *t);
struct tree_node *hqi_base_tree_next(const struct tree_node *n);
struct tree_node *hqi_base_tree_prev(const struct tree_node *n);
/* The first node not below `key` (compare(node, key) >= 0), or NULL. `key` need not be in the tree. */
struct tree_node *hqi_base_tree_lower(const struct tree *t, const struct tree_node *key);

#endif
