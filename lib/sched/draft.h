/* SPDX-License-Identifier: MIT */
/* draft.h - the working copy of one planning call: vectors per worker, what was taken from each level, and the facts
 * that come out. Private to lib/sched/; everything lives in the call's arena. */
#ifndef HQI_SCHED_DRAFT_H
#define HQI_SCHED_DRAFT_H

#include "sched/plan.h"

struct draft_range {
    uint32_t submit, instance;
    struct ord_range range;
    bool booked;
};

/* Grows in the arena by doubling. */
struct draft_list {
    struct draft_range *v;
    uint32_t n, room;
};

struct draft_worker {
    struct worker *w;     /* borrowed from the state */
    int64_t *free;        /* by resource id: what is left after this plan's hand-outs */
    int64_t *spare;       /* the same for lower priorities: less what waiting higher ones may need */
    uint64_t left_ms;     /* of its life; UINT64_MAX: no limit */
    uint64_t rtt_ns;
    bool stalled;
    bool full;            /* nothing spare in any resource: skipped */
    bool wanted;          /* a class of the priority in hand or above still waits and could run here when it is empty */
    int32_t wanted_above; /* the highest such priority */
    int32_t lowest_claim; /* the lowest priority of what is prefilled; INT32_MAX: nothing is */
    struct draft_list give; /* hand-outs */
    struct draft_list take; /* retracts */
};

struct draft_level {
    struct level *level;  /* borrowed */
    uint64_t left;        /* waiting tasks not handed out by this plan */
    struct piece *piece;  /* next one to take from; NULL: the end */
    uint32_t offset;      /* into it */
};

/* Tasks of one class and priority that a worker has got but cannot start yet: lower priorities leave them room. */
struct draft_claim {
    struct draft_worker *w;
    const struct rclass *class;
    int32_t priority;
    uint32_t count;
};

struct draft {
    const struct state *state;
    const struct plan_input *in;
    struct arena *mem;
    struct draft_worker *workers; /* running ones, by id */
    uint32_t n_workers;
    struct draft_level *levels; /* by priority descending, class id */
    uint32_t n_levels;
    struct draft_claim *claims; /* prefilled tasks that need room, by priority descending */
    uint32_t n_claims, next_claim;
    uint64_t steps, budget;
    uint32_t handed;
    bool cut; /* budget or max_tasks reached: more remains */
    bool nomem;
};

/* Fills workers and levels. */
bool hqi_sched_draft_init(struct draft *d, const struct state *s, const struct plan_input *in, uint64_t budget,
                          struct arena *mem);
/* Could this worker run the class when it is empty, in the time that it has left? */
bool hqi_sched_draft_could(const struct draft_worker *w, const struct rclass *c);
/* How many of the class fit into `vector` (free or spare) of the worker, at most `max`. */
uint32_t hqi_sched_draft_fits(const struct draft_worker *w, const struct rclass *c, const int64_t *vector, uint32_t max);
/* Tasks of the class that hold resources of the worker now, or will after this plan. */
uint32_t hqi_sched_draft_held(const struct draft *d, const struct draft_worker *w, const struct rclass *c);
/* Tasks of the class that the worker finishes in one round trip, by its recent rate. */
uint64_t hqi_sched_draft_round_trip(const struct draft_worker *w, const struct wclass *wc);
/* Hands `count` tasks from the level's head to the worker; booked ones are taken from free and spare. */
void hqi_sched_draft_give(struct draft *d, struct draft_worker *w, struct draft_level *l, uint32_t count, bool booked);
void hqi_sched_draft_take(struct draft *d, struct draft_worker *w, const struct piece *p);
/* The facts, at most one HANDOUT and one RETRACT per worker. */
int hqi_sched_draft_facts(struct draft *d, struct plan_result *ret, hq_error *err);

/* place.c: one priority: classes [first, last) of d->levels. */
void hqi_sched_place(struct draft *d, uint32_t first, uint32_t last);
/* reserve.c: what still waits in [first, last) claims its share of `spare`, and marks workers wanted. */
void hqi_sched_reserve(struct draft *d, uint32_t first, uint32_t last);
/* The same for tasks that were prefilled before, of priorities above `priority`. */
void hqi_sched_reserve_prefilled(struct draft *d, int32_t priority);
/* claims.c: fills d->claims. False: no memory. */
bool hqi_sched_claims_init(struct draft *d);
/* prefill.c: work past capacity for [first, last). */
void hqi_sched_prefill(struct draft *d, uint32_t first, uint32_t last);
/* retract.c */
void hqi_sched_retract(struct draft *d);

#endif
