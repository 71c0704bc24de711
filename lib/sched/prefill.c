/* SPDX-License-Identifier: MIT */
/* prefill.c - work past capacity, so that no core waits for a round trip.
 *
 * A worker that holds tasks of a class gets more of it: as many as it has slots (before the first finish nothing better is
 * known), plus what it finishes in two round trips; less when another class of the same priority waits for
 * the same worker, which would else be starved by tasks that inherit their slots. Never where a higher priority waits. */
#include "sched/draft.h"

#define MAX_DEPTH 16384u /* per worker and class: some milliseconds of a million a second, and a record each */
#define NO_SHARE UINT64_MAX /* not found yet: more than anybody wants */

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

/* A fair share of what is left, as far as that matters to somebody who wants `more`: it is at least left / all workers. */
static uint64_t share_of(struct draft *d, struct draft_level *l, uint64_t more)
{
    uint32_t n = 0;
    if (l->share == NO_SHARE && more > l->before / d->n_workers) {
        for (uint32_t i = 0; i < d->n_workers; i++)
            n += !d->workers[i].stalled && hqi_sched_draft_could(&d->workers[i], l->level->class);
        l->share = n ? l->before / n : 0;
        d->steps += d->n_workers;
    }
    return l->share;
}

static void prefill_class(struct draft *d, struct draft_worker *w, const struct wclass *wc, uint32_t first, uint32_t last,
                          uint32_t at)
{
    struct draft_level *l = &d->levels[at];
    uint32_t slots = hqi_sched_draft_held(w, wc, l->level->class);
    d->steps++;
    if (slots == 0 || (wc && wc->retracting) || !hqi_sched_draft_could(w, l->level->class))
        return;
    if (d->gathers && d->classes[l->level->class->id].retracting)
        return;
    uint64_t want = depth(w, wc, slots, contested(d, w, first, last, at));
    uint64_t have = wc ? wc->prefilled : 0;
    if (want <= have)
        return;
    uint64_t share = share_of(d, l, want - have);
    hqi_sched_draft_give(d, w, l, (uint32_t)(want - have < share ? want - have : share), false);
}

static uint32_t level_of(const struct draft *d, const struct rclass *c)
{
    uint32_t at = d->classes[c->id].level;
    return at != NO_LEVEL && d->levels[at].left > 0 ? at : NO_LEVEL;
}

/* Is range `i` of what the worker gets the first of a class that it had no tasks of? */
static bool is_news(const struct draft_worker *w, uint32_t i)
{
    const struct rclass *c = w->give.v[i].class;
    const struct wclass *wc = hqi_state_wclass(w->w, c);
    if (wc && hqi_state_wclass_has_tasks(wc))
        return false;
    while (i > 0)
        if (w->give.v[--i].class == c)
            return false;
    return true;
}

/* The classes that it has tasks of, and then those that it has just got the first of. */
static void prefill_worker(struct draft *d, struct draft_worker *w, uint32_t first, uint32_t last)
{
    uint32_t n = w->give.n;
    list_for(it, &w->w->class_list) {
        const struct wclass *wc = hqi_container(it, struct wclass, in_worker);
        uint32_t at = level_of(d, wc->class);
        if (d->cut || !hqi_state_wclass_has_tasks(wc))
            break;
        if (at != NO_LEVEL)
            prefill_class(d, w, wc, first, last, at);
    }
    for (uint32_t i = 0; i < n && !d->cut; i++) {
        const struct rclass *c = w->give.v[i].class;
        uint32_t at = level_of(d, c);
        if (at != NO_LEVEL && is_news(w, i))
            prefill_class(d, w, hqi_state_wclass(w->w, c), first, last, at);
    }
}

static void set_levels(struct draft *d, uint32_t first, uint32_t last, bool on)
{
    for (uint32_t i = first; i < last; i++) {
        d->levels[i].before = d->levels[i].left;
        d->levels[i].share = NO_SHARE;
        d->classes[d->levels[i].level->class->id].level = on ? i : NO_LEVEL;
    }
}

void hqi_sched_prefill(struct draft *d, uint32_t first, uint32_t last)
{
    bool any = false;
    for (uint32_t i = first; i < last; i++)
        any = any || d->levels[i].left > 0;
    if (!any)
        return;
    set_levels(d, first, last, true);
    for (uint32_t i = 0; i < d->n_free && !d->cut && !d->nomem; i++) {
        d->steps++;
        prefill_worker(d, d->free[i], first, last);
    }
    set_levels(d, first, last, false);
}
