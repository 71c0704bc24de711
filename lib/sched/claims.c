/* SPDX-License-Identifier: MIT */
/* claims.c - what is prefilled, by worker, class and priority: it waits at its worker and must find room there before
 * lower priorities do. Counts per worker and class are kept by the state; priorities are found without a walk
 * over the tasks where a class was only ever used at one. */
#include <stdlib.h>

#include "sched/draft.h"

struct usual { /* per class */
    int32_t priority;
    uint32_t n_levels;
};

static struct usual *usual_priorities(struct draft *d)
{
    struct usual *v = hqi_base_arena_zero(d->mem, d->state->n_classes + 1u, sizeof *v);
    if (!v)
        return NULL;
    list_for(it, &d->state->all_levels) {
        const struct level *l = hqi_container(it, struct level, in_state);
        v[l->class->id].priority = l->priority;
        v[l->class->id].n_levels++;
    }
    return v;
}

static bool add(struct draft *d, uint32_t *room, struct draft_claim c)
{
    if (d->n_claims == *room) {
        uint32_t more = *room ? *room * 2 : 64;
        struct draft_claim *v = hqi_base_arena_get(d->mem, more * sizeof *v);
        if (!v)
            return false;
        for (uint32_t i = 0; i < d->n_claims; i++)
            v[i] = d->claims[i];
        d->claims = v;
        *room = more;
    }
    d->claims[d->n_claims++] = c;
    if (c.priority < c.w->lowest_claim)
        c.w->lowest_claim = c.priority;
    return true;
}

static bool walk(struct draft *d, uint32_t *room, struct draft_worker *w, const struct rclass *c)
{
    list_for(it, &w->w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        struct draft_claim *last = d->n_claims ? &d->claims[d->n_claims - 1] : NULL;
        d->steps++;
        if (p->submit->class != c || p->booked || p->started || p->retracting)
            continue;
        if (last && last->w == w && last->class == c && last->priority == p->submit->spec->priority)
            last->count++;
        else if (!add(d, room, (struct draft_claim){w, c, p->submit->spec->priority, 1}))
            return false;
    }
    return true;
}

static int by_priority(const void *x, const void *y)
{
    const struct draft_claim *a = x, *b = y;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (a->w != b->w)
        return a->w->w->id.n < b->w->w->id.n ? -1 : 1;
    return (a->class->id > b->class->id) - (a->class->id < b->class->id);
}

bool hqi_sched_claims_init(struct draft *d)
{
    struct usual *usual = d->n_levels ? usual_priorities(d) : NULL;
    uint32_t room = 0;
    if (d->n_levels == 0)
        return true;
    for (uint32_t i = 0; usual && i < d->n_workers; i++) {
        struct draft_worker *w = &d->workers[i];
        list_for(it, &w->w->class_list) {
            const struct wclass *wc = hqi_container(it, struct wclass, in_worker);
            const struct usual *u = &usual[wc->class->id];
            d->steps++;
            if (wc->prefilled == 0)
                continue;
            if (u->n_levels == 1 ? !add(d, &room, (struct draft_claim){w, wc->class, u->priority, wc->prefilled})
                                 : !walk(d, &room, w, wc->class))
                return false;
        }
    }
    if (d->n_claims)
        qsort(d->claims, d->n_claims, sizeof *d->claims, by_priority);
    return usual != NULL;
}
