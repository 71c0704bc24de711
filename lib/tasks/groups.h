/* SPDX-License-Identifier: MIT */
/* groups.h - one indexed pool: which indices are free, whole or broken, group by group.
 *
 * Lists and ranges are one group. A whole amount comes from whole indices, a fraction from one index: the broken one
 * with the least left that still has enough, else a whole one is broken. */
#ifndef HQI_TASKS_GROUPS_H
#define HQI_TASKS_GROUPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "model/resource.h"
#include "tasks/pool.h"

struct group {
    uint32_t first, size;
    uint32_t *whole;  /* a stack of free indices; in the pool's block */
    uint32_t *broken; /* those with a part left; in the pool's block */
    uint32_t n_whole, n_broken;
};

struct pool {
    const struct resource_def *def; /* borrowed from the worker's config */
    uint64_t total, unused;
    /* of indexed pools: */
    uint32_t n_indices, n_groups;
    uint32_t *left;       /* owned; by index, in 1/10000: HQ_UNITS is free, 0 is taken */
    uint32_t *stacks;     /* owned; what the groups point into */
    struct group *groups; /* owned */
    uint32_t *chosen;     /* owned; scratch: a selection of groups, ascending */
    uint32_t n_chosen;
    uint64_t *keys;      /* owned; scratch for sorting */
    uint32_t *best;      /* owned; whole indices in the 1, 2, ... largest groups of the empty pool */
};

struct need {
    uint32_t whole, fraction; /* indices, and 1/10000 of one more */
};

int hqi_tasks_groups_init(struct pool *p, const struct alloc *a); /* def is set; HQ_ENOMEM: fini all the same */
void hqi_tasks_groups_fini(struct pool *p, const struct alloc *a);
/* Whole free indices, and the largest part of a broken one: as one number. */
uint64_t hqi_tasks_groups_available(const struct pool *p);
/* Chooses the fewest groups that can give it, among those the best fit. 0: they cannot. */
uint32_t hqi_tasks_groups_select(struct pool *p, struct need need);
uint32_t hqi_tasks_groups_fewest(const struct pool *p, struct need need); /* if nothing was taken; 0: never */
/* Takes it; it is available. `out` has room for every index. Returns how many there are. */
uint32_t hqi_tasks_groups_take(struct pool *p, uint8_t policy, struct need need, struct held *out);
uint32_t hqi_tasks_groups_take_all(struct pool *p, struct held *out);
void hqi_tasks_groups_give(struct pool *p, const struct held *held, uint32_t n);
bool hqi_tasks_groups_is_sound(const struct pool *p);

#endif
