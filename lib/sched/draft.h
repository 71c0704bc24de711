/* SPDX-License-Identifier: MIT */
/* draft.h - the working copy of one planning call: vectors per worker, what was taken from each level, and the facts
 * that come out. Private to lib/sched/; everything lives in the call's arena. */
#ifndef HQI_SCHED_DRAFT_H
#define HQI_SCHED_DRAFT_H

#include "sched/plan.h"
#include "sched/shape.h"

struct draft_range {
    const struct rclass *class;
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
    const struct shape *shape; /* borrowed from the scratch */
    int64_t *free;        /* by resource id: what is left after this plan's hand-outs */
    int64_t *spare;       /* the same for lower priorities: less what waiting higher ones may need */
    uint64_t left_ms;     /* of its life; UINT64_MAX: no limit */
    uint64_t rtt_ns;
    bool stalled;         /* or away */
    bool away;
    int64_t least_cpus;   /* in use, or else it gets no task that takes cpus; 0: no limit */
    bool barred;          /* from tasks that take cpus: its limit would not be reached */
    bool picky;           /* barred, or some class is blocked: its slots are not all that counts */
    bool full;            /* nothing spare in any resource: skipped */
    bool wanted;          /* a class of the priority in hand or above still waits and could run here when it is empty */
    int32_t wanted_above; /* the highest such priority */
    uint32_t own;         /* scratch of reserve: prefilled tasks of the class in hand */
    int32_t lowest_claim; /* the lowest priority of what is prefilled; INT32_MAX: nothing is */
    struct draft_list give; /* hand-outs */
    struct draft_list take; /* retracts */
};

struct draft_level {
    struct level *level;  /* borrowed */
    uint64_t left;        /* waiting tasks not handed out by this plan */
    struct piece *piece;  /* next one to take from; NULL: the end */
    uint32_t offset;      /* into it */
    uint64_t before, share; /* scratch of prefill: what was left, and what one worker may get of it */
};

/* Tasks of one class and priority that workers have got but cannot start yet: lower priorities leave them room. */
struct draft_claim {
    struct draft_claim *next;
    struct draft_worker *w;
    const struct wclass *wc;
    uint32_t count;
};
struct draft_claims {
    struct draft_claims *next; /* of the class */
    const struct rclass *class;
    int32_t priority;
    uint64_t count;                     /* of all workers */
    struct draft_claim *first, *last; /* by worker */
};

/* What the workers hold of a class, beyond what they can start. */
struct draft_class {
    struct draft_claims *claims;
    uint64_t prefilled, retracting;
    uint64_t left;    /* scratch of retract */
    int32_t highest;  /* priority of what is prefilled, if anything is */
    uint32_t level;   /* index of its level at the priority in hand; NO_LEVEL: none */
};
#define NO_LEVEL UINT32_MAX

/* What passes of one call learned from those before. */
struct draft_bars {
    bool *of;        /* by worker id: was trusted to reach its limit, and did not; NULL: nobody */
    uint32_t passes; /* that were made in vain */
};

struct draft {
    const struct state *state;
    const struct plan_input *in;
    struct arena *mem;
    struct draft_worker *workers; /* running ones, by id */
    uint32_t n_workers;
    struct draft_worker **open;   /* those that are not full, by id */
    uint32_t n_open;
    struct draft_worker **free;   /* those that were not wanted when the priority in hand began, nor stalled, by id */
    uint32_t n_free, n_unwanted;  /* n_unwanted: that are not wanted now */
    struct draft_bars *bars;      /* borrowed */
    uint32_t n_limited;           /* workers with a limit to their utilization */
    bool gathers;                 /* one of them waits for tasks that are on their way back */
    struct draft_level *levels; /* by priority descending, class id */
    uint32_t n_levels;
    struct draft_class *classes; /* by class id */
    struct draft_claims **claims; /* those above the lowest priority that waits, by priority descending */
    uint32_t n_claims, next_claim;
    uint64_t steps, budget;
    uint32_t handed;
    bool cut; /* budget or max_tasks reached: more remains */
    bool nomem;
};

/* Fills workers, levels and classes. */
bool hqi_sched_draft_init(struct draft *d, const struct state *s, struct shapes *shapes, const struct plan_input *in,
                          uint64_t budget, struct draft_bars *bars, struct arena *mem);

/* utilization.c: what the worker lacks to its limit; 0 or less: nothing. */
static inline int64_t hqi_sched_utilization_lacks(const struct draft_worker *w)
{
    if (w->least_cpus == 0)
        return 0;
    return w->least_cpus - ((int64_t)w->w->total[RESOURCE_CPUS] - w->free[RESOURCE_CPUS]);
}
void hqi_sched_utilization_init(struct draft *d, struct draft_worker *w);
bool hqi_sched_utilization_bars(const struct draft_worker *w, const struct rclass *c);
/* The class takes cpus, and the worker is below its limit. */
bool hqi_sched_utilization_binds(const struct draft_worker *w, const struct rclass *c);
/* With n tasks of the class it would not be. */
bool hqi_sched_utilization_enough(const struct draft_worker *w, const struct rclass *c, uint32_t n);
/* The worker, which is below its limit, is about to be offered the levels from `first` on. */
void hqi_sched_utilization_look(struct draft *d, struct draft_worker *w, uint32_t first);
/* After a pass. True: somebody got tasks and is below its limit, so that the pass is void; the next one begins without. */
bool hqi_sched_utilization_again(struct draft *d);
/* How many of `n` tasks of the class the worker, which is below its limit, would start if they waited: enough, or none. */
uint64_t hqi_sched_utilization_room(struct draft *d, struct draft_worker *w, const struct rclass *c, uint64_t n);

/* Of a picky worker. */
bool hqi_sched_draft_refuses(const struct draft_worker *w, const struct rclass *c);
/* How many of the class could this worker run at once when it is empty, in the time that it has left? */
static inline uint32_t hqi_sched_draft_slots(const struct draft_worker *w, const struct rclass *c)
{
    if (w->left_ms < c->request->variants[0].min_time_ms)
        return 0;
    if (w->picky && hqi_sched_draft_refuses(w, c))
        return 0;
    return w->shape->slots[c->id];
}
static inline bool hqi_sched_draft_could(const struct draft_worker *w, const struct rclass *c)
{
    return hqi_sched_draft_slots(w, c) > 0;
}
/* A class of this priority waits that the worker could run. */
static inline void hqi_sched_draft_want(struct draft *d, struct draft_worker *w, int32_t priority)
{
    if (w->wanted)
        return;
    w->wanted = true;
    w->wanted_above = priority;
    d->n_unwanted -= !w->stalled;
}
/* Full and wanted workers leave the lists: nothing makes them otherwise within a call. */
void hqi_sched_draft_compact(struct draft *d);
/* How many of the class fit into `vector` (free or spare) of the worker, at most `max`. */
uint32_t hqi_sched_draft_fits(const struct draft_worker *w, const struct rclass *c, const int64_t *vector, uint32_t max);
/* Tasks of the class that hold resources of the worker now, or will after this plan. `wc`: what it has of the class; NULL:
 * nothing. */
uint32_t hqi_sched_draft_held(const struct draft_worker *w, const struct wclass *wc, const struct rclass *c);
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
/* claims.c: fills d->classes and d->claims. False: no memory. */
bool hqi_sched_claims_init(struct draft *d);
/* prefill.c: work past capacity for [first, last). */
void hqi_sched_prefill(struct draft *d, uint32_t first, uint32_t last);
/* retract.c */
void hqi_sched_retract(struct draft *d);

#endif
