/* SPDX-License-Identifier: MIT */
/* utilization.c - workers that would rather stay idle: one with a minimal utilization gets tasks that take cpus only if that
 * share of its cpus is in use then. What is booked counts; what is prefilled, or kept for somebody, does not.
 *
 * Such a worker is barred before it gets its first task where all that waits and fits would be too little. Otherwise it is
 * trusted to reach its limit over all priorities. Whoever has not when the pass is over gives all of it back: it is barred, and
 * the pass begins anew without it and those like it, so that the others are offered that in the same call. */
#include "sched/draft.h"

#include <string.h>

#define OFF 10u    /* in 1/10000: limits up to there mean nothing */
#define PASSES 8u  /* of one call; in the last one nobody is trusted: a call costs no more than so many, whatever the workers are like */

void hqi_sched_utilization_init(struct draft *d, struct draft_worker *w)
{
    uint64_t limit = w->w->config->min_utilization;
    if (limit <= OFF)
        return;
    w->least_cpus = (int64_t)(w->w->total[RESOURCE_CPUS] * limit / HQ_UNITS); /* exact: they are whole ones */
    d->n_limited++;
    bool trusted = d->bars->passes + 1 < PASSES && !(d->bars->of && d->bars->of[w->w->id.n]);
    if (!trusted && hqi_sched_utilization_lacks(w) > 0)
        w->barred = w->picky = true;
}

static int64_t cpus_of(const struct draft_worker *w, const struct rclass *c)
{
    for (uint32_t i = 0; i < c->n_entries; i++)
        if (c->resource[i] == RESOURCE_CPUS)
            return (int64_t)hqi_state_class_amount(c, i, w->w);
    return 0;
}

bool hqi_sched_utilization_bars(const struct draft_worker *w, const struct rclass *c)
{
    return w->barred && cpus_of(w, c) > 0;
}

bool hqi_sched_utilization_binds(const struct draft_worker *w, const struct rclass *c)
{
    return hqi_sched_utilization_lacks(w) > 0 && cpus_of(w, c) > 0;
}

bool hqi_sched_utilization_enough(const struct draft_worker *w, const struct rclass *c, uint32_t n)
{
    return !hqi_sched_utilization_binds(w, c) || (int64_t)n * cpus_of(w, c) >= hqi_sched_utilization_lacks(w);
}

static uint32_t clamp(uint64_t n)
{
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

void hqi_sched_utilization_look(struct draft *d, struct draft_worker *w, uint32_t first)
{
    int64_t lacks = hqi_sched_utilization_lacks(w), now = 0, soon = 0;
    for (uint32_t i = first; i < d->n_levels && now < lacks && !w->barred; i++) {
        const struct draft_level *l = &d->levels[i];
        const struct rclass *c = l->level->class;
        d->steps++;
        if (l->left == 0 || !hqi_sched_draft_could(w, c))
            continue;
        uint32_t fits = hqi_sched_draft_fits(w, c, w->spare, clamp(l->left + d->classes[c->id].retracting));
        soon += fits * cpus_of(w, c);
        now += (fits < l->left ? fits : (int64_t)l->left) * cpus_of(w, c);
    }
    if (now >= lacks)
        return;
    w->barred = w->picky = true;
    d->gathers = d->gathers || soon >= lacks;
}

/* ---- the end of a pass ---- */

static bool has_news(const struct draft_worker *w)
{
    for (uint32_t i = 0; i < w->give.n; i++)
        if (cpus_of(w, w->give.v[i].class) > 0)
            return true;
    return false;
}

static bool alike(const struct draft_worker *a, const struct draft_worker *b)
{
    return a->shape == b->shape && a->least_cpus == b->least_cpus && a->left_ms == b->left_ms && !a->w->blocks &&
           !b->w->blocks && memcmp(a->w->free, b->w->free, a->w->n_resources * sizeof *a->w->free) == 0;
}

/* The next one of its kind would be offered the same, in vain. */
static void bar(struct draft *d, const struct draft_worker *w)
{
    for (const struct draft_worker *o = w; o < d->workers + d->n_workers; o++)
        if (o == w || alike(o, w))
            d->bars->of[o->w->id.n] = true;
}

bool hqi_sched_utilization_again(struct draft *d)
{
    struct draft_bars *b = d->bars;
    bool again = false;
    if (d->n_limited == 0 || d->nomem)
        return false;
    if (!b->of)
        b->of = hqi_base_arena_zero(d->mem, d->state->n_workers + 1u, sizeof *b->of);
    d->nomem = !b->of;
    for (uint32_t i = 0; i < d->n_workers && !d->nomem; i++) {
        const struct draft_worker *w = &d->workers[i];
        if (hqi_sched_utilization_lacks(w) <= 0 || !has_news(w))
            continue;
        again = true;
        if (!b->of[w->w->id.n])
            bar(d, w);
    }
    b->passes += again;
    return again;
}

/* ---- what may be taken back for them ---- */

/* Does anything else wait for the worker that would come before tasks of that priority, or beside them? */
static bool is_contested(struct draft *d, const struct draft_worker *w, const struct rclass *c, int32_t priority)
{
    for (uint32_t i = 0; i < d->n_levels && d->levels[i].level->priority >= priority; i++) {
        const struct draft_level *l = &d->levels[i];
        d->steps++;
        if (l->left > 0 && l->level->class != c && hqi_sched_draft_could(w, l->level->class))
            return true;
    }
    return false;
}

uint64_t hqi_sched_utilization_room(struct draft *d, struct draft_worker *w, const struct rclass *c, uint64_t n)
{
    bool barred = w->barred;
    w->barred = false;
    uint32_t fits = hqi_sched_draft_could(w, c) ? hqi_sched_draft_fits(w, c, w->free, clamp(n)) : 0;
    if (!hqi_sched_utilization_enough(w, c, fits) || is_contested(d, w, c, d->classes[c->id].highest))
        fits = 0;
    w->barred = barred;
    return fits;
}
