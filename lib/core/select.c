/* SPDX-License-Identifier: MIT */
/* select.c - from a selector to ids, ascending. A user may name a million ids of which none exists: the cost is that of
 * looking each up once. Results live in the arena of the tick. */
#include "base/limits.h"
#include "core/inner.h"

static bool make_room(struct core *c, const struct selector *s, uint32_t all, struct selected *ret)
{
    uint32_t n = s->kind == SELECT_IDS ? s->ids.count : s->kind == SELECT_ALL ? all : 1;
    if (s->kind == SELECT_IDS && n > HQI_MAX_SELECT)
        n = HQI_MAX_SELECT;
    *ret = (struct selected){0};
    ret->ids = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *ret->ids);
    ret->missing = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *ret->missing);
    return ret->ids && ret->missing;
}

bool hqi_core_select_jobs(struct core *c, const struct selector *s, bool (*want)(const struct job *, struct key), struct key key,
                          struct selected *ret)
{
    const struct state *st = c->state;
    if (!make_room(c, s, st->n_jobs, ret))
        return false;
    if (s->kind == SELECT_LAST && st->n_jobs > 0) {
        if (hqi_state_job(st, (hq_job_id){st->n_jobs}))
            ret->ids[ret->n++] = st->n_jobs;
        else
            ret->missing[ret->n_missing++] = st->n_jobs;
    }
    for (uint32_t id = 1; s->kind == SELECT_ALL && id <= st->n_jobs; id++) {
        const struct job *j = hqi_state_job(st, (hq_job_id){id});
        if (j && (!want || want(j, key)))
            ret->ids[ret->n++] = id;
    }
    for (uint32_t i = 0; s->kind == SELECT_IDS && i < s->ids.count && i < HQI_MAX_SELECT; i++) {
        uint32_t id = hqi_model_intset_select(&s->ids, i);
        if (hqi_state_job(st, (hq_job_id){id}))
            ret->ids[ret->n++] = id;
        else
            ret->missing[ret->n_missing++] = id;
    }
    return true;
}

bool hqi_core_select_workers(struct core *c, const struct selector *s, bool running_only, struct selected *ret)
{
    const struct state *st = c->state;
    if (!make_room(c, s, st->n_workers, ret))
        return false;
    if (s->kind == SELECT_LAST && st->n_workers > 0)
        ret->ids[ret->n++] = st->n_workers;
    for (uint32_t id = 1; s->kind == SELECT_ALL && id <= st->n_workers; id++) {
        const struct worker *w = hqi_state_worker(st, (hq_worker_id){id});
        if (w && (!running_only || w->end == HQ_WORKER_RUNNING))
            ret->ids[ret->n++] = id;
    }
    for (uint32_t i = 0; s->kind == SELECT_IDS && i < s->ids.count && i < HQI_MAX_SELECT; i++) {
        uint32_t id = hqi_model_intset_select(&s->ids, i);
        if (hqi_state_worker(st, (hq_worker_id){id}))
            ret->ids[ret->n++] = id;
        else
            ret->missing[ret->n_missing++] = id;
    }
    return true;
}
