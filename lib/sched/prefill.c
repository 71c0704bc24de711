/* SPDX-License-Identifier: MIT */
/* prefill.c - work past capacity, so that no core waits for a round trip.
 *
 * A worker that holds tasks of a class gets more of it: as many as it has slots (before the first finish nothing better is
 * known), plus what it finishes in two round trips; less when another class of the same priority waits for
 * the same worker, which would else be starved by tasks that inherit their slots. Never where a higher priority waits. */
#include "sched/draft.h"

#define MAX_DEPTH 65536u          /* per worker and class: some 64 kB of ranges at worst */

/* Does another class of this priority wait that could run on the worker? */
static bool contested(const struct draft *d, const struct draft_worker *w, uint32_t first, uint32_t last, uint32_t mine)
{
    for (uint32_t i = first; i < last; i++)
        if (i != mine && d->levels[i].left && hqi_sched_draft_could(w, d->levels[i].level->class))
            return true;
    return false;
}

static uint32_t depth(const struct draft_worker *w, const struct wclass *wc, uint32_t slots, bool is_contested)
{
    uint64_t n = wc ? 2 * hqi_sched_draft_round_trip(w, wc) : 0;
    if (!is_contested)
        n += slots;
    return n < MAX_DEPTH ? (uint32_t)n : MAX_DEPTH;
}

static uint32_t count_workers(struct draft *d, const struct rclass *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_workers; i++)
        n += !d->workers[i].stalled && hqi_sched_draft_could(&d->workers[i], c);
    d->steps += d->n_workers;
    return n;
}

static void prefill_worker(struct draft *d, struct draft_worker *w, uint32_t first, uint32_t last, uint32_t at,
                           uint64_t share)
{
    struct draft_level *l = &d->levels[at];
    const struct wclass *wc = hqi_state_wclass(w->w, l->level->class);
    uint32_t slots = hqi_sched_draft_held(d, w, l->level->class);
    if (slots == 0 || (wc && wc->retracting))
        return;
    uint64_t want = depth(w, wc, slots, contested(d, w, first, last, at));
    uint64_t have = wc ? wc->prefilled : 0;
    if (want > have + share)
        want = have + share;
    if (want > have)
        hqi_sched_draft_give(d, w, l, (uint32_t)(want - have), false);
}

void hqi_sched_prefill(struct draft *d, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last && !d->nomem && !d->cut; i++) {
        struct draft_level *l = &d->levels[i];
        if (l->left == 0)
            continue;
        uint32_t n = count_workers(d, l->level->class);
        uint64_t share = n ? l->left / n : 0;
        for (uint32_t k = 0; k < d->n_workers && share > 0 && l->left && !d->cut; k++) {
            struct draft_worker *w = &d->workers[k];
            d->steps++;
            bool above = w->wanted && w->wanted_above > l->level->priority;
            if (!w->stalled && !above && hqi_sched_draft_could(w, l->level->class))
                prefill_worker(d, w, first, last, i, share);
        }
    }
}
