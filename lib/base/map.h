/* SPDX-License-Identifier: MIT */
/* map.h - intrusive hash table with 64-bit keys; chained, so that inserting needs no memory.
 *
 * reserve() grows the bucket array and may fail; put() never fails: in a table that could not
 * grow, chains get longer, nothing else. Iteration order is not defined: never let it reach
 * a fact, a message or a user (walk ids instead). */
#ifndef HQI_BASE_MAP_H
#define HQI_BASE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

struct map_node {
    struct map_node *next;
    uint64_t key;
};

struct map {
    const struct alloc *alloc; /* borrowed */
    struct map_node **buckets; /* owned; NULL until the first reserve */
    struct map_node *one;      /* the only bucket until then */
    uint32_t mask;
    uint32_t count;
};

void hqi_base_map_init(struct map *m, const struct alloc *a);
void hqi_base_map_fini(struct map *m); /* frees the buckets; nodes belong to their objects */
bool hqi_base_map_reserve(struct map *m, uint32_t more); /* false: no memory, table unchanged */
struct map_node *hqi_base_map_get(const struct map *m, uint64_t key);
void hqi_base_map_put(struct map *m, struct map_node *node, uint64_t key); /* key must be new */
struct map_node *hqi_base_map_take(struct map *m, uint64_t key);           /* unlinks; NULL when absent */
uint64_t hqi_base_map_hash(const void *p, size_t n);                       /* for keys made of bytes; not a MAC */
/* Visits all nodes; `fn` may free the node it is given. */
void hqi_base_map_each(struct map *m, void (*fn)(struct map_node *node, void *user), void *user);

#endif
