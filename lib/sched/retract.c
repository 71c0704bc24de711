/* SPDX-License-Identifier: MIT */
/* retract.c - asks back what was handed out, has not started, and would be better off elsewhere:
 * everything of a stalled worker; prefilled tasks below a waiting higher priority that could use their worker; and
 * surplus of one worker that another could start now while nothing else of its class waits. */
#include "sched/draft.h"

static void take_unstarted(struct draft *d, struct draft_worker *w, bool booked_too, int32_t below)
{
    list_for(it, &w->w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        d->steps++;
        if (!p->started && !p->retracting && (booked_too || !p->booked) && p->submit->spec->priority < below)
            hqi_sched_draft_take(d, w, p);
    }
}

/* ---- surplus ---- */

/* Waiting tasks that come before some prefilled one of their class, or beside it. */
static void count_left(struct draft *d)
{
    for (uint32_t i = 0; i < d->n_levels; i++) {
        struct draft_class *class = &d->classes[d->levels[i].level->class->id];
        if (d->levels[i].level->priority >= class->highest)
            class->left += d->levels[i].left;
    }
}

/* Tasks that the worker will have started before a retract can reach it stay. */
static uint64_t surplus(const struct draft_worker *w, const struct wclass *wc)
{
    uint64_t soon = hqi_sched_draft_round_trip(w, wc);
    uint64_t have = wc->prefilled > wc->retracting ? wc->prefilled - wc->retracting : 0;
    return have > soon ? have - soon : 0;
}

static uint64_t all_surplus(const struct draft *d, const struct rclass *c)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < d->n_workers; i++) {
        const struct wclass *wc = hqi_state_wclass(d->workers[i].w, c);
        total += wc && !d->workers[i].stalled ? surplus(&d->workers[i], wc) : 0;
    }
    return total;
}

/* Of tasks that wait although the worker has room it wants none, unless it is below its limit. */
static uint64_t room_on(struct draft *d, struct draft_worker *w, const struct rclass *c, uint64_t max, uint64_t loose)
{
    if (hqi_sched_utilization_lacks(w) > 0 && hqi_sched_utilization_binds(w, c))
        return hqi_sched_utilization_room(d, w, c, loose);
    if (d->classes[c->id].left > 0)
        return 0;
    uint64_t fits = hqi_sched_draft_fits(w, c, w->free, (uint32_t)(max < UINT32_MAX ? max : UINT32_MAX));
    return fits > 0 && hqi_sched_draft_could(w, c) ? fits : 0;
}

/* `loose`: tasks that wait, or that could be taken back; only looked at where a worker has a limit. */
static uint64_t room_for(struct draft *d, const struct rclass *c, uint64_t max, uint64_t loose)
{
    uint64_t room = 0;
    for (uint32_t i = 0; i < d->n_workers && room < max; i++) {
        struct draft_worker *w = &d->workers[i];
        d->steps++;
        uint64_t fits = room_on(d, w, c, max, loose);
        if (fits == 0 || w->stalled)
            continue;
        const struct wclass *own = hqi_state_wclass(w->w, c);
        uint64_t mine = own ? own->prefilled : 0; /* it will start those by itself */
        room += fits > mine ? fits - mine : 0;
    }
    return room < max ? room : max;
}

static void take_tail(struct draft *d, struct draft_worker *w, const struct rclass *c, uint64_t n)
{
    struct list *head = &w->w->active;
    for (struct list *it = head->prev; it != head && n > 0; it = it->prev) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        d->steps++;
        bool taken = w->wanted && p->submit->spec->priority < w->wanted_above; /* by take_unstarted */
        if (p->started || p->booked || p->retracting || taken || p->submit->class != c)
            continue;
        hqi_sched_draft_take(d, w, p);
        n--;
    }
}

static void balance_class(struct draft *d, const struct rclass *c, const struct draft_class *t)
{
    uint64_t loose = d->n_limited ? t->left + t->retracting + all_surplus(d, c) : 0;
    uint64_t room = room_for(d, c, t->left + t->prefilled, loose);
    if (room <= t->left + t->retracting)
        return;
    room -= t->left + t->retracting;
    uint64_t total = all_surplus(d, c);
    for (uint32_t i = 0; i < d->n_workers && total > 0; i++) {
        struct draft_worker *w = &d->workers[i];
        const struct wclass *wc = hqi_state_wclass(w->w, c);
        uint64_t mine = wc && !w->stalled ? surplus(w, wc) : 0;
        uint64_t n = (mine * (room < total ? room : total) + total - 1) / total; /* in proportion, rounded up */
        take_tail(d, w, c, n < mine ? n : mine);
    }
}

void hqi_sched_retract(struct draft *d)
{
    for (uint32_t i = 0; i < d->n_workers; i++) {
        struct draft_worker *w = &d->workers[i];
        if (w->away)
            continue;
        if (w->stalled)
            take_unstarted(d, w, true, INT32_MAX);
        else if (w->wanted && w->lowest_claim < w->wanted_above)
            take_unstarted(d, w, false, w->wanted_above);
    }
    count_left(d);
    for (uint32_t c = 0; c < d->state->n_classes; c++)
        if (d->classes[c].prefilled > d->classes[c].retracting && (d->classes[c].left == 0 || d->n_limited > 0))
            balance_class(d, d->state->classes[c], &d->classes[c]);
}
