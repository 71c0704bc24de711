/* SPDX-License-Identifier: MIT */
/* reserve.c - keeps room for what waits: a class with n tasks left claims up to n workers that could run it, those first
 * that miss least, so that lower priorities cannot starve it; it also marks those workers as wanted, where no
 * lower priority is prefilled. */
#include "sched/draft.h"

#include <stdlib.h>

struct claim {
    struct draft_worker *w;
    uint64_t missing; /* sum over entries of what is not free, as a share of the total in 1/2^20 */
};

static uint64_t missing_on(const struct draft_worker *w, const struct rclass *c)
{
    uint64_t missing = 0;
    for (uint32_t i = 0; i < c->n_entries; i++) {
        uint64_t amount = hqi_state_class_amount(c, i, w->w);
        uint64_t total = w->w->total[c->resource[i]];
        int64_t lacks = (int64_t)amount - w->free[c->resource[i]];
        if (lacks > 0 && total)
            missing += ((uint64_t)lacks << 20) / total;
    }
    return missing;
}

static int by_missing(const void *x, const void *y)
{
    const struct claim *a = x, *b = y;
    if (a->missing != b->missing)
        return a->missing < b->missing ? -1 : 1;
    return a->w->w->id.n < b->w->w->id.n ? -1 : 1;
}

/* Requests of the class that the empty worker could run at once. */
static uint64_t fit_total(const struct draft_worker *w, const struct rclass *c, uint64_t max)
{
    uint64_t n = max;
    for (uint32_t i = 0; i < c->n_entries; i++) {
        uint64_t amount = hqi_state_class_amount(c, i, w->w);
        uint64_t k = amount ? w->w->total[c->resource[i]] / amount : 0;
        n = k < n ? k : n;
    }
    return n;
}

static uint64_t subtract_spare(struct draft *d, struct draft_worker *w, const struct rclass *c, uint64_t left)
{
    uint64_t slots = fit_total(w, c, UINT32_MAX), held = hqi_sched_draft_held(d, w, c);
    uint64_t n = slots > held ? slots - held : 0;
    n = n < left ? n : left;
    for (uint32_t i = 0; i < c->n_entries && n > 0; i++) {
        int64_t *spare = &w->spare[c->resource[i]];
        *spare -= (int64_t)(n * hqi_state_class_amount(c, i, w->w));
        if (*spare < 0)
            *spare = 0;
    }
    w->full = w->full || n > 0;
    for (uint32_t r = 0; r < w->w->n_resources && w->full && !w->stalled; r++)
        if (w->spare[r] > 0)
            w->full = false;
    return n;
}

static void reserve_class(struct draft *d, struct draft_level *l)
{
    const struct rclass *c = l->level->class;
    struct claim *v = hqi_base_arena_get(d->mem, (d->n_workers + 1u) * sizeof *v);
    uint32_t n = 0;
    if (!v) {
        d->nomem = true;
        return;
    }
    for (uint32_t i = 0; i < d->n_workers; i++) {
        struct draft_worker *w = &d->workers[i];
        d->steps++;
        if (w->stalled || !hqi_sched_draft_could(w, c))
            continue;
        if (!w->wanted)
            w->wanted_above = l->level->priority;
        w->wanted = true;
        v[n++] = (struct claim){w, missing_on(w, c)};
    }
    uint64_t left = l->left;
    if (left < n) /* else every worker is claimed, in whatever order */
        qsort(v, n, sizeof *v, by_missing);
    for (uint32_t i = 0; i < n && i < l->left && left > 0; i++)
        left -= subtract_spare(d, v[i].w, c, left);
}

/* Room that other workers have now is kept as well: the tasks will be taken back and start there. */
static void reserve_elsewhere(struct draft *d, const struct draft_claim *c)
{
    uint32_t left = c->count;
    for (uint32_t i = 0; i < d->n_workers && left > 0; i++) {
        struct draft_worker *w = &d->workers[i];
        d->steps++;
        if (w == c->w || w->full || !hqi_sched_draft_could(w, c->class))
            continue;
        uint32_t n = hqi_sched_draft_fits(w, c->class, w->spare, left);
        for (uint32_t e = 0; e < c->class->n_entries; e++)
            w->spare[c->class->resource[e]] -= (int64_t)(n * hqi_state_class_amount(c->class, e, w->w));
        left -= n;
    }
}

void hqi_sched_reserve_prefilled(struct draft *d, int32_t priority)
{
    for (; d->next_claim < d->n_claims && d->claims[d->next_claim].priority > priority; d->next_claim++) {
        const struct draft_claim *c = &d->claims[d->next_claim];
        if (!c->w->wanted)
            c->w->wanted_above = c->priority;
        c->w->wanted = true;
        subtract_spare(d, c->w, c->class, c->count);
        reserve_elsewhere(d, c);
    }
}

void hqi_sched_reserve(struct draft *d, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last && !d->nomem; i++)
        if (d->levels[i].left)
            reserve_class(d, &d->levels[i]);
    if (d->steps > d->budget)
        d->cut = true;
}
