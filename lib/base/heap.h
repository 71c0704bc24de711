/* SPDX-License-Identifier: MIT */
/* heap.h - intrusive pairing heap of deadlines: the earliest first, ties by `order`.
 * No operation needs memory or fails. */
#ifndef HQI_BASE_HEAP_H
#define HQI_BASE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

struct heap_node {
    struct heap_node *child, *next, *prev;
    uint64_t at;    /* key */
    uint64_t order; /* tie-break, given by insert: first in, first out */
    bool linked;
};

struct heap {
    struct heap_node *root;
    uint64_t next_order;
};

void hqi_base_heap_init(struct heap *h);
void hqi_base_heap_insert(struct heap *h, struct heap_node *n, uint64_t at);
void hqi_base_heap_remove(struct heap *h, struct heap_node *n); /* not linked: nothing happens */
struct heap_node *hqi_base_heap_first(const struct heap *h);    /* NULL when empty */

#endif
