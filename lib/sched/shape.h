/* SPDX-License-Identifier: MIT */
/* shape.h - workers with equal totals are of one shape; how often a class fits an empty worker is found once per shape.
 *
 * Totals and requests never change, so what was found stays true for as long as the state lives. */
#ifndef HQI_SCHED_SHAPE_H
#define HQI_SCHED_SHAPE_H

#include "base/map.h"
#include "state/state.h"

struct shape {
    struct map_node by_totals; /* hash of the totals */
    const struct worker *like; /* borrowed: the first worker that had it; workers are never freed */
    uint32_t *slots;           /* owned: by class id; 0: it can never run there */
    uint32_t n_slots, room;
};

struct shapes {
    const struct alloc *alloc; /* borrowed */
    struct map by_totals;
    struct shape **of_worker;  /* owned array, by worker id; shapes are owned by the map */
    uint32_t room;
};

void hqi_sched_shape_init(struct shapes *all, const struct alloc *a);
void hqi_sched_shape_fini(struct shapes *all);
/* The shape of a worker of `s`, with slots for all of the state's classes. NULL: no memory. */
struct shape *hqi_sched_shape_get(struct shapes *all, const struct state *s, const struct worker *w);

#endif
