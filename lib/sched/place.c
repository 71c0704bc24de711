/* SPDX-License-Identifier: MIT */
/* place.c - hands out the tasks of one priority to workers that can start them now.
 *
 * Workers are filled in id order, so that the lowest ids are packed and the highest stay free for idle timeouts. On each
 * worker the classes of the priority compete: a small bounded search maximises the share of resources used. Its
 * answer is kept for the next worker of equal shape, so that a thousand equal workers cost one search. */
#include "sched/draft.h"

#include <string.h>

#define SEARCH_CLASSES 12u /* largest candidates that compete on one worker; the rest fill up first-fit */
#define SEARCH_NODES 200u  /* per search: exact for a handful of classes, greedy beyond */

struct candidate {
    struct draft_level *level;
    uint64_t share; /* of the worker: sum over entries of amount / total, in 1/2^20 */
    uint32_t max;   /* that fit an otherwise untouched worker, and wait */
};

struct search {
    struct draft *d;
    struct draft_worker *w;
    struct candidate *c;
    uint32_t n;
    uint32_t nodes;
    int64_t *vector; /* what is left in the branch */
    uint32_t now[SEARCH_CLASSES], best[SEARCH_CLASSES];
    uint64_t share, best_share;
};

static uint64_t share_of(const struct rclass *c, const struct worker *w)
{
    uint64_t share = 0;
    for (uint32_t i = 0; i < c->n_entries; i++) {
        uint64_t total = w->total[c->resource[i]];
        if (total)
            share += (hqi_state_class_amount(c, i, w) << 20) / total;
    }
    return share;
}

static void move_vector(struct search *s, const struct rclass *c, int64_t count)
{
    for (uint32_t i = 0; i < c->n_entries; i++)
        s->vector[c->resource[i]] -= count * (int64_t)hqi_state_class_amount(c, i, s->w->w);
}

/* Depth first: class `at` takes as many as fit, then one less, ...; the first leaf is the greedy answer. */
static void descend(struct search *s, uint32_t at)
{
    if (at == s->n) {
        if (s->share > s->best_share) {
            s->best_share = s->share;
            memcpy(s->best, s->now, sizeof s->best);
        }
        return;
    }
    const struct candidate *c = &s->c[at];
    const struct rclass *class = c->level->level->class;
    uint32_t fits = hqi_sched_draft_fits(s->w, class, s->vector, c->max);
    for (uint32_t k = fits;; k--) {
        s->now[at] = k;
        move_vector(s, class, k);
        s->share += k * c->share;
        descend(s, at + 1);
        s->share -= k * c->share;
        move_vector(s, class, -(int64_t)k);
        if (k == 0 || ++s->nodes >= SEARCH_NODES)
            break;
    }
    s->now[at] = 0;
}

/* Largest share first, lower class id first among equals; keeps the first SEARCH_CLASSES. */
static void insert_candidate(struct candidate *v, uint32_t *n, struct candidate c)
{
    uint32_t at = *n;
    while (at > 0 && v[at - 1].share < c.share)
        at--;
    if (at >= SEARCH_CLASSES)
        return;
    uint32_t tail = *n < SEARCH_CLASSES ? *n : SEARCH_CLASSES - 1;
    memmove(&v[at + 1], &v[at], (tail - at) * sizeof *v);
    v[at] = c;
    *n = tail + 1;
}

static uint32_t gather(struct draft *d, struct draft_worker *w, uint32_t first, uint32_t last, struct candidate *v)
{
    uint32_t n = 0;
    for (uint32_t i = first; i < last; i++) {
        struct draft_level *l = &d->levels[i];
        const struct rclass *c = l->level->class;
        d->steps++;
        if (l->left == 0)
            continue;
        uint32_t waiting = l->left > UINT32_MAX ? UINT32_MAX : (uint32_t)l->left;
        uint32_t max = hqi_sched_draft_fits(w, c, w->spare, waiting);
        if (max == 0 || !hqi_sched_draft_could(w, c))
            continue;
        insert_candidate(v, &n, (struct candidate){l, share_of(c, w->w), max});
    }
    return n;
}

/* What the search found for the last worker, to be repeated on the next one of equal shape. */
struct answer {
    const struct draft_worker *like;
    int64_t *spare; /* of that worker before it was filled */
    struct draft_level *level[SEARCH_CLASSES];
    uint32_t count[SEARCH_CLASSES];
    uint32_t n;
};

static bool same_shape(const struct answer *a, const struct draft_worker *w)
{
    size_t size = w->w->n_resources * sizeof *a->spare;
    return a->like && a->like->shape == w->shape && a->like->left_ms == w->left_ms &&
           memcmp(a->spare, w->spare, size) == 0;
}

/* Still as many waiting as the answer takes, and none of its classes is blocked on this worker. */
static bool still_good(const struct draft *d, const struct answer *a, const struct draft_worker *w)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->level[i]->left < a->count[i] || !hqi_sched_draft_could(w, a->level[i]->level->class))
            return false;
    return a->n > 0;
}

static bool search_worker(struct draft *d, struct draft_worker *w, uint32_t first, uint32_t last, struct answer *a)
{
    struct candidate v[SEARCH_CLASSES + 1];
    size_t size = w->w->n_resources * sizeof(int64_t);
    struct search s = {.d = d, .w = w, .c = v, .n = gather(d, w, first, last, v)};
    a->n = 0;
    if (s.n == 0)
        return true;
    a->like = w;
    memcpy(a->spare, w->spare, size);
    if (s.n == 1) {
        s.best[0] = v[0].max;
    } else {
        s.vector = hqi_base_arena_get(d->mem, size);
        if (!s.vector)
            return false;
        memcpy(s.vector, w->spare, size);
        descend(&s, 0);
        d->steps += s.nodes;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        if (s.best[i] == 0)
            continue;
        a->level[a->n] = v[i].level;
        a->count[a->n++] = s.best[i];
    }
    return true;
}

static bool anything_left(const struct draft *d, uint32_t first, uint32_t last)
{
    for (uint32_t i = first; i < last; i++)
        if (d->levels[i].left)
            return true;
    return false;
}

/* What even the least of the waiting requests takes of each resource, so that most workers need not be looked at closer. */
static bool find_least(const struct draft *d, uint32_t first, uint32_t last, int64_t *least)
{
    bool any = false;
    for (uint32_t i = first; i < last; i++) {
        const struct rclass *c = d->levels[i].level->class;
        const struct request_entry *e = c->request->variants[0].entries;
        int64_t *amount = least + d->state->n_resources;
        if (d->levels[i].left == 0)
            continue;
        memset(amount, 0, d->state->n_resources * sizeof *amount);
        for (uint32_t k = 0; k < c->n_entries; k++)
            amount[c->resource[k]] = e[k].amount > 0 ? (int64_t)e[k].amount : 1; /* 0: all that there is */
        for (uint32_t r = 0; r < d->state->n_resources; r++)
            least[r] = any && least[r] < amount[r] ? least[r] : amount[r];
        any = true;
    }
    return any;
}

static bool may_fit(const struct draft *d, const struct draft_worker *w, const int64_t *least)
{
    for (uint32_t r = 0; r < d->state->n_resources; r++)
        if (least[r] > (r < w->w->n_resources ? w->spare[r] : 0))
            return false;
    return true;
}

void hqi_sched_place(struct draft *d, uint32_t first, uint32_t last)
{
    uint32_t widest = d->state->n_resources + 1;
    struct answer a = {.spare = hqi_base_arena_get(d->mem, widest * sizeof(int64_t))};
    int64_t *least = hqi_base_arena_get(d->mem, 2 * widest * sizeof *least);
    if (!a.spare || !least) {
        d->nomem = true;
        return;
    }
    if (!find_least(d, first, last, least))
        return;
    for (uint32_t i = 0; i < d->n_open && !d->cut && !d->nomem; i++) {
        struct draft_worker *w = d->open[i];
        d->steps++;
        if (w->full || !may_fit(d, w, least) || !anything_left(d, first, last))
            continue;
        if (hqi_sched_utilization_lacks(w) > 0)
            hqi_sched_utilization_look(d, w, first);
        bool repeat = same_shape(&a, w) && still_good(d, &a, w);
        if (!repeat && !search_worker(d, w, first, last, &a))
            d->nomem = true;
        for (uint32_t k = 0; k < a.n; k++)
            hqi_sched_draft_give(d, w, a.level[k], a.count[k], true);
        if (d->steps > d->budget)
            d->cut = true;
    }
}
