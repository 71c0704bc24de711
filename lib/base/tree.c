/* SPDX-License-Identifier: MIT */
/* tree.c - AVL tree with parent links; `rank` is the height of a node's subtree.
 *
 * Promise: depth at most 1.44 log2(n), so that no order of inserts, however hostile, makes it a list. */
#include "base/tree.h"

static uint32_t height(const struct tree_node *n)
{
    return n ? n->rank : 0;
}

static void update_height(struct tree_node *n)
{
    uint32_t l = height(n->left), r = height(n->right);
    n->rank = 1 + (l > r ? l : r);
}

/* Puts `new` where `old` hangs below `parent`. */
static void replace_child(struct tree *t, struct tree_node *parent, struct tree_node *old,
                          struct tree_node *new)
{
    if (!parent)
        t->root = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
    if (new)
        new->parent = parent;
}

static struct tree_node *rotate_left(struct tree *t, struct tree_node *n)
{
    struct tree_node *up = n->right;
    n->right = up->left;
    if (n->right)
        n->right->parent = n;
    replace_child(t, n->parent, n, up);
    up->left = n;
    n->parent = up;
    update_height(n);
    update_height(up);
    return up;
}

static struct tree_node *rotate_right(struct tree *t, struct tree_node *n)
{
    struct tree_node *up = n->left;
    n->left = up->right;
    if (n->left)
        n->left->parent = n;
    replace_child(t, n->parent, n, up);
    up->right = n;
    n->parent = up;
    update_height(n);
    update_height(up);
    return up;
}

/* Balances one node whose children differ by at most 2; returns the root of its subtree. */
static struct tree_node *balance(struct tree *t, struct tree_node *n)
{
    uint32_t l = height(n->left), r = height(n->right);
    if (l > r + 1) {
        if (height(n->left->left) < height(n->left->right))
            rotate_left(t, n->left);
        return rotate_right(t, n);
    }
    if (r > l + 1) {
        if (height(n->right->right) < height(n->right->left))
            rotate_right(t, n->right);
        return rotate_left(t, n);
    }
    update_height(n);
    return n;
}

static void balance_up(struct tree *t, struct tree_node *n)
{
    while (n) {
        uint32_t before = n->rank;
        n = balance(t, n);
        if (n->rank == before) /* nothing above can have changed */
            return;
        n = n->parent;
    }
}

void hqi_base_tree_init(struct tree *t, int (*compare)(const struct tree_node *, const struct tree_node *))
{
    *t = (struct tree){NULL, compare};
}

void hqi_base_tree_insert(struct tree *t, struct tree_node *n)
{
    struct tree_node **link = &t->root, *parent = NULL;
    while (*link) {
        parent = *link;
        link = t->compare(n, parent) < 0 ? &parent->left : &parent->right;
    }
    *n = (struct tree_node){.parent = parent, .rank = 1};
    *link = n;
    balance_up(t, parent);
}

void hqi_base_tree_remove(struct tree *t, struct tree_node *n)
{
    struct tree_node *from; /* the lowest node whose subtree shrank */
    if (n->left && n->right) {
        struct tree_node *heir = hqi_base_tree_next(n); /* has no left child */
        from = heir->parent == n ? heir : heir->parent;
        replace_child(t, heir->parent, heir, heir->right);
        heir->left = n->left;
        heir->right = n->right;
        heir->rank = n->rank;
        heir->left->parent = heir;
        if (heir->right)
            heir->right->parent = heir;
        replace_child(t, n->parent, n, heir);
    } else {
        from = n->parent;
        replace_child(t, n->parent, n, n->left ? n->left : n->right);
    }
    *n = (struct tree_node){0};
    balance_up(t, from);
}

struct tree_node *hqi_base_tree_first(const struct tree *t)
{
    struct tree_node *n = t->root;
    while (n && n->left)
        n = n->left;
    return n;
}

struct tree_node *hqi_base_tree_last(const struct tree *t)
{
    struct tree_node *n = t->root;
    while (n && n->right)
        n = n->right;
    return n;
}

struct tree_node *hqi_base_tree_next(const struct tree_node *n)
{
    if (n->right) {
        struct tree_node *down = n->right;
        while (down->left)
            down = down->left;
        return down;
    }
    while (n->parent && n->parent->right == n)
        n = n->parent;
    return n->parent;
}

struct tree_node *hqi_base_tree_prev(const struct tree_node *n)
{
    if (n->left) {
        struct tree_node *down = n->left;
        while (down->right)
            down = down->right;
        return down;
    }
    while (n->parent && n->parent->left == n)
        n = n->parent;
    return n->parent;
}

struct tree_node *hqi_base_tree_lower(const struct tree *t, const struct tree_node *key)
{
    struct tree_node *n = t->root, *best = NULL;
    while (n) {
        if (t->compare(n, key) >= 0) {
            best = n;
            n = n->left;
        } else {
            n = n->right;
        }
    }
    return best;
}
