/* SPDX-License-Identifier: MIT */
/* heap.c - pairing heap. A node's `child` is its first child, `next` its next sibling, `prev` its
 * previous sibling or, for a first child, its parent. No recursion: a heap may be one long list. */
#include "base/heap.h"

#include <stddef.h>

static bool before(const struct heap_node *a, const struct heap_node *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

/* Joins two roots; either may be NULL. */
static struct heap_node *meld(struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

/* Melds siblings pairwise, then the pairs from the last to the first. */
static struct heap_node *meld_siblings(struct heap_node *first)
{
    struct heap_node *pairs = NULL, *root = NULL;
    while (first) {
        struct heap_node *a = first, *b = a->next;
        first = b ? b->next : NULL;
        a->next = a->prev = NULL;
        if (b)
            b->next = b->prev = NULL;
        a = meld(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs) {
        struct heap_node *a = pairs;
        pairs = a->next;
        a->next = NULL;
        root = meld(root, a);
    }
    return root;
}

void hqi_base_heap_init(struct heap *h)
{
    *h = (struct heap){0};
}

void hqi_base_heap_insert(struct heap *h, struct heap_node *n, uint64_t at)
{
    *n = (struct heap_node){.at = at, .order = h->next_order++, .linked = true};
    h->root = meld(h->root, n);
}

void hqi_base_heap_remove(struct heap *h, struct heap_node *n)
{
    if (!n->linked)
        return;
    if (n == h->root) {
        h->root = meld_siblings(n->child);
    } else {
        if (n->prev->child == n)
            n->prev->child = n->next;
        else
            n->prev->next = n->next;
        if (n->next)
            n->next->prev = n->prev;
        h->root = meld(h->root, meld_siblings(n->child));
    }
    *n = (struct heap_node){0};
}

struct heap_node *hqi_base_heap_first(const struct heap *h)
{
    return h->root;
}
