/* SPDX-License-Identifier: MIT */
/* world.h - a state and its planner under test: workers, tasks and what happens to them by one line each. After each fact the
 * state is verified. */
#ifndef TESTS_UNIT_SCHED_WORLD_H
#define TESTS_UNIT_SCHED_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sched/plan.h"

#define T0 1000000ull /* utc_ms of everything that happens at the start */

struct world {
    struct state *state;
    struct scratch *scratch;
    struct arena mem;
    struct plan_result plan;
    struct plan_peer peers[16];
    uint64_t utc_ms;
    uint32_t steps, max_tasks;
};

void world_init(struct world *w);
void world_fini(struct world *w);
void happen(struct world *w, struct fact *f);

uint32_t add_worker(struct world *w, uint32_t cpus, uint32_t gpus, uint64_t limit_ms); /* its id */
/* One with a minimal utilization, in 1/10000. */
uint32_t add_limited(struct world *w, uint32_t cpus, uint32_t gpus, uint32_t utilization);
/* A job of `n` tasks that each want cpus (in units) and gpus. Returns the submit. */
uint32_t add_tasks(struct world *w, int32_t priority, uint32_t cpus, uint32_t gpus, uint32_t n, uint64_t min_time_ms);
/* The same for one entry of any kind. */
uint32_t add_request(struct world *w, int32_t priority, struct request_entry entry, uint32_t n);

void plan(struct world *w);
void apply_plan(struct world *w);
/* Tasks of the submit that facts of this kind name for the worker; `booked` -1: both. */
uint32_t count(const struct world *w, uint8_t kind, uint32_t worker, uint32_t submit, int booked);
uint32_t placed_on(const struct world *w, uint32_t submit); /* a worker that gets a booked task of it; 0: none */

void started(struct world *w, uint32_t worker, uint32_t submit, uint32_t ordinal);
void ended(struct world *w, uint32_t worker, uint32_t submit, uint32_t ordinal); /* one that has started */
void gives_back(struct world *w, uint32_t worker); /* what the plan asks back from it */
void returned(struct world *w, uint32_t worker, uint32_t submit, struct ord_range range, bool block);
/* Takes `cpus` of a worker with a task of its own, at a priority that nothing else has. */
void occupy(struct world *w, uint32_t worker, uint32_t cpus);

#endif
