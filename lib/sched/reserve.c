/* SPDX-License-Identifier: MIT */
/* reserve.c - keeps room for what waits: a class with n tasks left claims up to n workers that could run it, those first
 * that miss least, so that lower priorities cannot starve it; it also marks the workers that could run it as wanted, where no
 * lower priority is prefilled. A worker that has nothing to spare is passed over where many tasks wait: they may then
 * keep more of the others than they will use, never less. */
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

static bool has_spare(const struct draft_worker *w, const struct rclass *c)
{
    for (uint32_t i = 0; i < c->n_entries; i++)
        if (w->spare[c->resource[i]] > 0)
            return true;
    return false;
}

static void find_full(struct draft_worker *w)
{
    w->full = true;
    for (uint32_t r = 0; r < w->w->n_resources && w->full; r++)
        w->full = w->spare[r] <= 0;
}

/* How many of at most `left` requests the worker will be able to run beside those that it has; `slots` > 0. */
static uint64_t subtract_spare(struct draft_worker *w, const struct wclass *wc, const struct rclass *c, uint32_t slots,
                               uint64_t left)
{
    uint32_t held = hqi_sched_draft_held(w, wc, c);
    uint64_t n = slots > held ? slots - held : 0;
    n = n < left ? n : left;
    for (uint32_t i = 0; i < c->n_entries && n > 0; i++) {
        int64_t *spare = &w->spare[c->resource[i]];
        *spare -= (int64_t)(n * hqi_state_class_amount(c, i, w->w));
        if (*spare < 0)
            *spare = 0;
    }
    if (n > 0 && !w->stalled && !w->full)
        find_full(w);
    return n;
}

/* ---- what waits ---- */

static void mark_wanted(struct draft *d, const struct draft_level *l)
{
    for (uint32_t i = 0; i < d->n_free && d->n_unwanted > 0; i++) {
        struct draft_worker *w = d->free[i];
        d->steps++;
        if (!w->wanted && hqi_sched_draft_could(w, l->level->class))
            hqi_sched_draft_want(d, w, l->level->priority);
    }
}

/* More tasks wait than there are workers: each is claimed, as far as it has anything to spare. */
static void claim_all(struct draft *d, const struct draft_level *l)
{
    const struct rclass *c = l->level->class;
    uint64_t left = l->left;
    for (uint32_t i = 0; i < d->n_open && left > 0; i++) {
        struct draft_worker *w = d->open[i];
        uint32_t slots = hqi_sched_draft_slots(w, c);
        d->steps++;
        if (slots > 0 && !w->full && has_spare(w, c))
            left -= subtract_spare(w, hqi_state_wclass(w->w, c), c, slots, left);
    }
}

/* A heap of the best so far, the worst on top. */
static void sift_down(struct claim *v, uint32_t n, uint32_t at)
{
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && by_missing(&v[child], &v[child + 1]) < 0;
        if (by_missing(&v[at], &v[child]) >= 0)
            return;
        struct claim t = v[at];
        v[at] = v[child];
        v[child] = t;
    }
}

static void keep_best(struct claim *v, uint32_t *n, uint32_t most, struct claim c)
{
    if (*n < most) {
        v[(*n)++] = c;
        for (uint32_t i = *n == most ? most / 2 : 0; i > 0; i--)
            sift_down(v, most, i - 1);
    } else if (by_missing(&c, &v[0]) < 0) {
        v[0] = c;
        sift_down(v, most, 0);
    }
}

/* Fewer tasks wait than there are workers: those that miss least are claimed. */
static void claim_best(struct draft *d, const struct draft_level *l)
{
    const struct rclass *c = l->level->class;
    struct claim *v = hqi_base_arena_get(d->mem, l->left * sizeof *v);
    uint32_t n = 0;
    uint64_t left = l->left;
    if (!v) {
        d->nomem = true;
        return;
    }
    for (uint32_t i = 0; i < d->n_workers; i++) {
        struct draft_worker *w = &d->workers[i];
        d->steps++;
        if (!w->stalled && hqi_sched_draft_could(w, c))
            keep_best(v, &n, (uint32_t)l->left, (struct claim){w, missing_on(w, c)});
    }
    if (n > 1)
        qsort(v, n, sizeof *v, by_missing);
    for (uint32_t i = 0; i < n && left > 0; i++)
        left -= subtract_spare(v[i].w, hqi_state_wclass(v[i].w->w, c), c, hqi_sched_draft_slots(v[i].w, c), left);
}

void hqi_sched_reserve(struct draft *d, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last && !d->nomem; i++) {
        const struct draft_level *l = &d->levels[i];
        if (l->left == 0)
            continue;
        mark_wanted(d, l);
        if (last == d->n_levels || d->n_open == 0) /* nobody below, or nothing to take */
            continue;
        if (l->left < d->n_workers)
            claim_best(d, l);
        else
            claim_all(d, l);
    }
    if (d->steps > d->budget)
        d->cut = true;
}

/* ---- what is prefilled ---- */

/* Room that other workers have now is kept as well: the tasks will be taken back and start there. */
static void reserve_elsewhere(struct draft *d, const struct draft_claims *all)
{
    const struct rclass *c = all->class;
    uint64_t left = all->count;
    for (uint32_t i = 0; i < d->n_open && left > 0; i++) {
        struct draft_worker *w = d->open[i];
        uint64_t most = all->count - w->own < left ? all->count - w->own : left;
        d->steps++;
        if (w->full || !hqi_sched_draft_could(w, c))
            continue;
        uint32_t n = hqi_sched_draft_fits(w, c, w->spare, most < UINT32_MAX ? (uint32_t)most : UINT32_MAX);
        if (hqi_sched_utilization_lacks(w) > 0 && !hqi_sched_utilization_enough(w, c, n)) /* nothing is taken back for that */
            continue;
        for (uint32_t e = 0; e < c->n_entries; e++)
            w->spare[c->resource[e]] -= (int64_t)(n * hqi_state_class_amount(c, e, w->w));
        if (n > 0)
            find_full(w);
        left -= n;
    }
}

static void reserve_claims(struct draft *d, const struct draft_claims *all)
{
    for (const struct draft_claim *c = all->first; c; c = c->next) {
        uint32_t slots = hqi_sched_draft_slots(c->w, all->class);
        d->steps++;
        hqi_sched_draft_want(d, c->w, all->priority);
        c->w->own = c->count;
        if (slots > 0 && !c->w->full)
            subtract_spare(c->w, c->wc, all->class, slots, c->count);
    }
    reserve_elsewhere(d, all);
    for (const struct draft_claim *c = all->first; c; c = c->next)
        c->w->own = 0;
}

void hqi_sched_reserve_prefilled(struct draft *d, int32_t priority)
{
    uint32_t from = d->next_claim;
    for (; d->next_claim < d->n_claims && d->claims[d->next_claim]->priority > priority; d->next_claim++)
        reserve_claims(d, d->claims[d->next_claim]);
    if (d->next_claim > from)
        hqi_sched_draft_compact(d);
}
