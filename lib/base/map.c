/* SPDX-License-Identifier: MIT */
/* map.c - chains in a power-of-two bucket array; before the first reserve, one chain.
 *
 * put() too tries to grow the array when chains get long, and carries on when it cannot: its
 * callers have promised elsewhere that they cannot fail. */
#include "base/map.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_BUCKETS 16u
#define MAX_BUCKETS (1u << 31)
#define LONG_CHAIN 2u /* nodes per bucket at which put() tries to grow */

/* Keys are ids: dense, or shifted by whole fields. Neighbours keep neighbouring buckets, since they are mostly looked up one
 * after the other: 64 of them share eight cache lines. Where each group of them lies is spread by a multiplication, whose upper half,
 * which depends on all bits of the key, is folded onto the lower one, which the mask keeps. */
#define NEIGHBOURS 6u /* bits */

static uint64_t hash(uint64_t key)
{
    uint64_t x = (key >> NEIGHBOURS) * 0x9e3779b97f4a7c15ull; /* 2^64 / golden ratio */
    return (x ^ (x >> 32)) + (key & ((1u << NEIGHBOURS) - 1));
}

static struct map_node **chain_of(struct map *m, uint64_t key)
{
    return m->buckets ? &m->buckets[hash(key) & m->mask] : &m->one;
}

static uint64_t bucket_count(const struct map *m)
{
    return m->buckets ? (uint64_t)m->mask + 1 : 1;
}

static struct map_node **chain_at(struct map *m, uint64_t i)
{
    return m->buckets ? &m->buckets[i] : &m->one;
}

void hqi_base_map_init(struct map *m, const struct alloc *a)
{
    *m = (struct map){.alloc = a};
}

void hqi_base_map_fini(struct map *m)
{
    if (m->buckets)
        hqi_base_alloc_free(m->alloc, m->buckets);
    hqi_base_map_init(m, m->alloc);
}

static bool grow(struct map *m, uint64_t buckets)
{
    struct map grown = {.alloc = m->alloc, .mask = (uint32_t)(buckets - 1), .count = m->count};
    grown.buckets = hqi_base_alloc_zero(m->alloc, buckets, sizeof *grown.buckets);
    if (!grown.buckets)
        return false;
    for (uint64_t i = 0; i < bucket_count(m); i++) {
        struct map_node *next;
        for (struct map_node *n = *chain_at(m, i); n; n = next) {
            next = n->next;
            struct map_node **chain = chain_of(&grown, n->key);
            n->next = *chain;
            *chain = n;
        }
    }
    hqi_base_map_fini(m);
    *m = grown;
    return true;
}

bool hqi_base_map_reserve(struct map *m, uint32_t more)
{
    uint64_t want = (uint64_t)m->count + more;
    if (more == 0 || (m->buckets && want <= bucket_count(m)))
        return true;
    if (want > UINT32_MAX)
        return false;
    uint64_t buckets = FIRST_BUCKETS;
    while (buckets < want && buckets < MAX_BUCKETS)
        buckets *= 2;
    if (m->buckets && buckets <= bucket_count(m))
        return true;
    return grow(m, buckets);
}

struct map_node *hqi_base_map_get(const struct map *m, uint64_t key)
{
    struct map_node *n = m->buckets ? m->buckets[hash(key) & m->mask] : m->one;
    while (n && n->key != key)
        n = n->next;
    return n;
}

/* Not inlined: put() would save registers for it at each call. */
static __attribute__((noinline)) void shorten_chains(struct map *m)
{
    if (bucket_count(m) < MAX_BUCKETS)
        hqi_base_map_reserve(m, m->count); /* best effort: see above */
}

void hqi_base_map_put(struct map *m, struct map_node *node, uint64_t key)
{
    if (m->count / LONG_CHAIN >= bucket_count(m))
        shorten_chains(m);
    struct map_node **chain = chain_of(m, key);
    node->key = key;
    node->next = *chain;
    *chain = node;
    m->count++;
}

struct map_node *hqi_base_map_take(struct map *m, uint64_t key)
{
    struct map_node **link = chain_of(m, key);
    while (*link && (*link)->key != key)
        link = &(*link)->next;
    struct map_node *node = *link;
    if (!node)
        return NULL;
    *link = node->next;
    node->next = NULL;
    m->count--;
    return node;
}

uint64_t hqi_base_map_hash(const void *p, size_t n)
{
    return XXH3_64bits(p, n);
}

void hqi_base_map_each(struct map *m, void (*fn)(struct map_node *node, void *user), void *user)
{
    for (uint64_t i = 0; i < bucket_count(m); i++) {
        struct map_node *next;
        for (struct map_node *n = *chain_at(m, i); n; n = next) {
            next = n->next;
            fn(n, user);
        }
    }
}
