/* SPDX-License-Identifier: MIT */
/* claims.c - what is prefilled, by class, priority and worker: it waits at its worker and must find room there before
 * lower priorities do. Counts per worker and class are kept by the state; priorities are found without a walk
 * over the tasks where a class was only ever used at one. */
#include <stdlib.h>

#include "sched/draft.h"

struct usual { /* per class */
    int32_t priority;
    uint32_t n_levels;
};

struct collector {
    struct draft *d;
    struct usual *usual;
    int32_t lowest;     /* priority that waits: nothing has to leave room for what is prefilled at it, or below */
    uint32_t room;      /* in d->claims */
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

static bool keep(struct collector *k, struct draft_claims *c)
{
    struct draft *d = k->d;
    if (d->n_claims == k->room) {
        uint32_t more = k->room ? k->room * 2 : 64;
        struct draft_claims **v = hqi_base_arena_get(d->mem, more * sizeof(struct draft_claims *));
        if (!v)
            return false;
        for (uint32_t i = 0; i < d->n_claims; i++)
            v[i] = d->claims[i];
        d->claims = v;
        k->room = more;
    }
    d->claims[d->n_claims++] = c;
    return true;
}

static struct draft_claims *claims_of(struct collector *k, const struct rclass *class, int32_t priority)
{
    struct draft_class *dc = &k->d->classes[class->id];
    for (struct draft_claims *c = dc->claims; c; c = c->next)
        if (c->priority == priority)
            return c;
    struct draft_claims *c = hqi_base_arena_zero(k->d->mem, 1, sizeof *c);
    if (!c || !keep(k, c))
        return NULL;
    c->next = dc->claims;
    dc->claims = c;
    c->class = class;
    c->priority = priority;
    return c;
}

/* Workers come by id, and a worker's tasks of one class and priority need not come in one piece. */
static bool add(struct collector *k, struct draft_worker *w, const struct wclass *wc, int32_t priority, uint32_t n)
{
    struct draft_class *dc = &k->d->classes[wc->class->id];
    if (priority > dc->highest)
        dc->highest = priority;
    if (priority < w->lowest_claim)
        w->lowest_claim = priority;
    if (priority <= k->lowest)
        return true;
    struct draft_claims *all = claims_of(k, wc->class, priority);
    struct draft_claim *c = all ? all->last : NULL;
    if (!all)
        return false;
    all->count += n;
    if (c && c->w == w) {
        c->count += n;
        return true;
    }
    c = hqi_base_arena_get(k->d->mem, sizeof *c);
    if (!c)
        return false;
    *c = (struct draft_claim){.w = w, .wc = wc, .count = n};
    if (all->last)
        all->last->next = c;
    else
        all->first = c;
    all->last = c;
    return true;
}

static bool walk(struct collector *k, struct draft_worker *w, const struct wclass *wc)
{
    list_for(it, &w->w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        k->d->steps++;
        if (p->submit->class != wc->class || p->booked || p->started || p->retracting)
            continue;
        if (!add(k, w, wc, p->submit->spec->priority, 1))
            return false;
    }
    return true;
}

static bool collect(struct collector *k, struct draft_worker *w)
{
    list_for(it, &w->w->class_list) {
        const struct wclass *wc = hqi_container(it, struct wclass, in_worker);
        const struct usual *u = &k->usual[wc->class->id];
        if (!hqi_state_wclass_has_tasks(wc))
            return true;
        k->d->steps++;
        k->d->classes[wc->class->id].prefilled += wc->prefilled;
        k->d->classes[wc->class->id].retracting += wc->retracting;
        if (wc->prefilled > 0 && !(u->n_levels == 1 ? add(k, w, wc, u->priority, wc->prefilled) : walk(k, w, wc)))
            return false;
    }
    return true;
}

static int by_priority(const void *x, const void *y)
{
    const struct draft_claims *a = *(struct draft_claims *const *)x, *b = *(struct draft_claims *const *)y;
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return (a->class->id > b->class->id) - (a->class->id < b->class->id);
}

static bool init_classes(struct draft *d)
{
    d->classes = hqi_base_arena_zero(d->mem, d->state->n_classes + 1u, sizeof *d->classes);
    for (uint32_t i = 0; d->classes && i < d->state->n_classes; i++) {
        d->classes[i].highest = INT32_MIN;
        d->classes[i].level = NO_LEVEL;
    }
    return d->classes != NULL;
}

bool hqi_sched_claims_init(struct draft *d)
{
    struct collector k = {.d = d, .usual = usual_priorities(d)};
    k.lowest = d->n_levels ? d->levels[d->n_levels - 1].level->priority : INT32_MAX;
    if (!k.usual || !init_classes(d))
        return false;
    for (uint32_t i = 0; i < d->n_workers; i++)
        if (!collect(&k, &d->workers[i]))
            return false;
    if (d->n_claims)
        qsort(d->claims, d->n_claims, sizeof *d->claims, by_priority);
    return true;
}
