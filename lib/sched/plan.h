/* SPDX-License-Identifier: MIT */
/* plan.h - the scheduler: reads the state, proposes hand-outs and retracts. Pure; writes only its scratch.
 *
 * One pass walks priorities from high to low with two vectors per worker, free and spare (equal at first). Before it
 * descends from a priority, each class with n tasks still waiting takes up to n workers whose total fits it (least
 * missing first, then lowest id) and subtracts from `spare` as many requests as fit that total, at most n in all, not
 * below 0; lower priorities fit against `spare`. So no lower priority ever takes what a waiting higher one could use, but
 * for gaps that it could not use anyway. Within a priority a small bounded knapsack per worker (in id order; workers
 * of equal shape share its answer) maximises the share of resources used: workers are packed, lowest id first.
 *
 * Then prefill: workers get tasks past their capacity (depth = slots + rate x 2 round trips, capped by bytes and by a fair
 * share of what is left), in ascending order, so that no core waits for a round trip; and retracts: surplus of one
 * worker that another could start now, and prefilled tasks below a waiting higher priority that could use their worker.
 *
 * A worker with a minimal utilization gets tasks that take cpus only where it is then at that limit, over all priorities of
 * the call (utilization.c): a pass after which somebody is below is void, and made again without him, a few times at most.
 *
 * The budget is a count of steps. A pass that is cut resumes at its cursor; a new higher priority is planned first; every
 * class is visited within a stated number of calls. Scratch is rebuildable from state. */
#ifndef HQI_SCHED_PLAN_H
#define HQI_SCHED_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "state/state.h"

struct scratch;

struct scratch *hqi_sched_scratch_new(const struct alloc *a); /* NULL: no memory */
void hqi_sched_scratch_free(struct scratch *s);

/* What the planner may know of a worker beyond the state. Indexed by worker id; missing ones: zero. */
struct plan_peer {
    uint64_t rtt_ns;
    bool stalled; /* gets nothing new, surplus is taken back */
    bool away;    /* gets nothing new: it may still come back to a restarted server, and say what it has */
};

struct plan_input {
    uint64_t utc_ms;
    const struct plan_peer *peers;
    uint32_t n_peers;
    uint32_t steps;     /* budget; a step is one visit of a (class, worker) pair, at most about 50 ns */
    uint32_t max_tasks; /* handed out by this call, over all workers; the caller calls again */
};

/* The default budget of a tick: about 2 ms. */
#define PLAN_STEPS 40000u
#define PLAN_TASKS 65536u

struct plan_result {
    struct fact *facts; /* HANDOUT and RETRACT, at most one of each kind per worker; in `mem` */
    uint32_t n;
    bool more; /* cut: call again soon, nothing else need happen */
};

/* HQ_ENOMEM: nothing proposed, call again later. */
int hqi_sched_plan(struct plan_result *ret, const struct state *s, struct scratch *scratch,
                   const struct plan_input *in, struct arena *mem, hq_error *err);

#endif
