/* SPDX-License-Identifier: MIT */
/* state.c - the whole: empty at first, freed at once.
 *
 * Promise: freeing needs no order from the caller and leaves nothing, from any state that facts can reach, and
 * from one whose making failed half-way. */
#include "state/state.h"

#include "base/error.h"
#include "state/job.h"
#include "state/queue.h"
#include "state/rclass.h"
#include "state/reserve.h"
#include "state/worker.h"

#define WHERE "state"
#define CPUS "cpus" /* RESOURCE_CPUS, whether or not anybody has named it yet */

int hqi_state_state_new(struct state **ret, const struct alloc *a, hq_error *err)
{
    struct state *s = hqi_base_alloc_zero(a, 1, sizeof *s);
    if (!s)
        return hqi_base_error_nomem(err, WHERE);
    s->alloc = a;
    hqi_base_map_init(&s->attempts, a);
    hqi_base_map_init(&s->keys, a);
    hqi_base_map_init(&s->class_map, a);
    list_init(&s->pending.wclasses);
    hqi_state_queue_init(s);
    if (!hqi_state_rclass_resource_reserve(s, bytes_of(CPUS))) {
        hqi_state_state_free(s);
        return hqi_base_error_nomem(err, WHERE);
    }
    hqi_state_rclass_resource_link(s, bytes_of(CPUS));
    hqi_state_reserve_drop(s);
    *ret = s;
    return HQ_OK;
}

static void free_attempts(struct state *s, struct worker *w)
{
    for (struct list *n; (n = list_pop_front(&w->active));)
        hqi_base_alloc_free(s->alloc, hqi_container(n, struct piece, in_worker));
}

static void free_workers(struct state *s)
{
    for (uint32_t i = 1; i <= s->n_workers; i++) {
        if (!s->workers[i])
            continue;
        free_attempts(s, s->workers[i]);
        hqi_state_worker_free(s, s->workers[i]);
    }
    hqi_base_alloc_free(s->alloc, s->workers);
}

static void free_levels(struct state *s)
{
    for (struct list *n; (n = list_pop_front(&s->all_levels));) {
        struct level *l = hqi_container(n, struct level, in_state);
        for (struct tree_node *t; (t = l->pieces.root);) {
            hqi_base_tree_remove(&l->pieces, t);
            hqi_base_alloc_free(s->alloc, hqi_container(t, struct piece, in_level));
        }
        hqi_base_alloc_free(s->alloc, l);
    }
}

static void free_jobs(struct state *s)
{
    for (uint32_t i = 1; i <= s->n_jobs; i++)
        hqi_state_job_free(s, s->jobs[i]);
    hqi_base_alloc_free(s->alloc, s->jobs);
    hqi_base_alloc_free(s->alloc, s->submits);
}

void hqi_state_state_free(struct state *s)
{
    if (!s)
        return;
    hqi_state_reserve_drop(s);
    free_workers(s);
    free_levels(s);
    free_jobs(s);
    for (uint32_t i = 0; i < s->n_classes; i++)
        hqi_state_rclass_free(s, s->classes[i]);
    hqi_base_alloc_free(s->alloc, s->classes);
    for (uint32_t i = 0; i < s->n_resources; i++)
        hqi_base_alloc_free(s->alloc, s->resources[i]);
    hqi_base_alloc_free(s->alloc, s->resources);
    hqi_state_queue_trim(s, 0);
    hqi_base_map_fini(&s->attempts);
    hqi_base_map_fini(&s->keys);
    hqi_base_map_fini(&s->class_map);
    hqi_base_map_fini(&s->level_map);
    hqi_base_alloc_free(s->alloc, s);
}
