/* SPDX-License-Identifier: MIT */
/* draft.c - see draft.h. Promise: whatever ends up in a draft is possible in the state it was made from: counts never
 * exceed what waits, vectors never fall below zero by a booked hand-out. */
#include "sched/draft.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"

static uint64_t life_left(const struct worker *w, uint64_t utc_ms)
{
    uint64_t limit = w->config->time_limit_ms;
    if (limit == 0)
        return UINT64_MAX;
    uint64_t ends = w->joined_ms + limit;
    return ends > utc_ms ? ends - utc_ms : 0;
}

static bool nothing_spare(const struct draft_worker *w)
{
    for (uint32_t r = 0; r < w->w->n_resources; r++)
        if (w->spare[r] > 0)
            return false;
    return true;
}

static bool init_worker(struct draft *d, struct draft_worker *dw, struct worker *w, const struct shape *shape)
{
    size_t size = (size_t)w->n_resources * sizeof *dw->free;
    dw->w = w;
    dw->shape = shape;
    dw->free = hqi_base_arena_get(d->mem, size + 1);
    dw->spare = hqi_base_arena_get(d->mem, size + 1);
    if (!dw->free || !dw->spare)
        return false;
    memcpy(dw->free, w->free, size);
    memcpy(dw->spare, w->free, size);
    dw->left_ms = life_left(w, d->in->utc_ms);
    dw->wanted_above = INT32_MIN;
    dw->lowest_claim = INT32_MAX;
    dw->picky = w->blocks;
    hqi_sched_utilization_init(d, dw);
    if (w->id.n < d->in->n_peers) {
        dw->away = d->in->peers[w->id.n].away;
        dw->stalled = d->in->peers[w->id.n].stalled || dw->away;
        dw->rtt_ns = d->in->peers[w->id.n].rtt_ns;
    }
    dw->full = dw->stalled || nothing_spare(dw);
    if (!dw->full)
        d->open[d->n_open++] = dw;
    if (!dw->stalled)
        d->free[d->n_free++] = dw;
    d->n_unwanted = d->n_free;
    return true;
}

static bool may_get(const struct worker *w)
{
    return w && w->end == HQ_WORKER_RUNNING && !w->stopping;
}

static bool init_workers(struct draft *d, struct shapes *shapes)
{
    const struct state *s = d->state;
    d->workers = hqi_base_arena_zero(d->mem, s->n_workers + 1u, sizeof *d->workers);
    d->open = hqi_base_arena_get(d->mem, (s->n_workers + 1u) * sizeof(struct draft_worker *));
    d->free = hqi_base_arena_get(d->mem, (s->n_workers + 1u) * sizeof(struct draft_worker *));
    if (!d->workers || !d->open || !d->free)
        return false;
    for (uint32_t id = 1; id <= s->n_workers; id++) {
        struct worker *w = hqi_state_worker(s, (hq_worker_id){id});
        const struct shape *shape = may_get(w) ? hqi_sched_shape_get(shapes, s, w) : NULL;
        if (!may_get(w))
            continue;
        if (!shape || !init_worker(d, &d->workers[d->n_workers++], w, shape))
            return false;
    }
    return true;
}

void hqi_sched_draft_compact(struct draft *d)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->n_open; i++)
        if (!d->open[i]->full)
            d->open[n++] = d->open[i];
    d->n_open = n;
    if (d->n_unwanted == d->n_free)
        return;
    n = 0;
    for (uint32_t i = 0; i < d->n_free; i++)
        if (!d->free[i]->wanted)
            d->free[n++] = d->free[i];
    d->n_free = n;
}

static bool init_levels(struct draft *d)
{
    uint32_t n = 0;
    for (struct tree_node *t = hqi_base_tree_first(&d->state->levels); t; t = hqi_base_tree_next(t))
        n++;
    d->levels = hqi_base_arena_zero(d->mem, n + 1u, sizeof *d->levels);
    if (!d->levels)
        return false;
    for (struct tree_node *t = hqi_base_tree_first(&d->state->levels); t; t = hqi_base_tree_next(t)) {
        struct draft_level *l = &d->levels[d->n_levels++];
        struct tree_node *p;
        l->level = hqi_container(t, struct level, by_rank);
        l->left = l->level->waiting;
        p = hqi_base_tree_first(&l->level->pieces);
        l->piece = p ? hqi_container(p, struct piece, in_level) : NULL;
    }
    return true;
}

bool hqi_sched_draft_init(struct draft *d, const struct state *s, struct shapes *shapes, const struct plan_input *in,
                          uint64_t budget, struct draft_bars *bars, struct arena *mem)
{
    *d = (struct draft){.state = s, .in = in, .mem = mem, .budget = budget, .bars = bars};
    return init_workers(d, shapes) && init_levels(d) && hqi_sched_claims_init(d);
}

bool hqi_sched_draft_refuses(const struct draft_worker *w, const struct rclass *c)
{
    const struct wclass *wc = w->w->blocks ? hqi_state_wclass(w->w, c) : NULL;
    return (wc && wc->blocked) || hqi_sched_utilization_bars(w, c);
}

uint32_t hqi_sched_draft_fits(const struct draft_worker *w, const struct rclass *c, const int64_t *vector, uint32_t max)
{
    uint64_t n = max;
    for (uint32_t i = 0; i < c->n_entries && n > 0; i++) {
        uint64_t amount = hqi_state_class_amount(c, i, w->w);
        int64_t have = c->resource[i] < w->w->n_resources ? vector[c->resource[i]] : 0;
        uint64_t k = have <= 0 || amount == 0 ? 0 : (uint64_t)have / amount;
        n = k < n ? k : n;
    }
    return (uint32_t)n;
}

uint32_t hqi_sched_draft_held(const struct draft_worker *w, const struct wclass *wc, const struct rclass *c)
{
    uint32_t n = wc ? wc->booked : 0;
    for (uint32_t i = 0; i < w->give.n; i++)
        if (w->give.v[i].booked && w->give.v[i].class == c)
            n += w->give.v[i].range.count;
    return n;
}

/* A report may wait that long on its way: the helper coalesces reports of staged tasks. */
#define REPORT_DELAY_NS (20 * HQI_MS)
#define DEFAULT_RTT_NS (2 * HQI_MS) /* until one is measured */

uint64_t hqi_sched_draft_round_trip(const struct draft_worker *w, const struct wclass *wc)
{
    uint64_t rtt = w->rtt_ns ? w->rtt_ns : DEFAULT_RTT_NS;
    return wc->rate_x16 * (rtt + REPORT_DELAY_NS) / 16 / HQI_SEC;
}

static void add_range(struct draft *d, struct draft_list *list, const struct piece *p, struct ord_range r, bool booked)
{
    struct draft_range *last = list->n ? &list->v[list->n - 1] : NULL;
    if (last && last->submit == p->submit->id && last->instance == p->instance && last->booked == booked &&
        last->range.first + last->range.count == r.first) {
        last->range.count += r.count;
        return;
    }
    if (list->n == list->room) {
        uint32_t room = list->room ? list->room * 2 : 8;
        struct draft_range *v = hqi_base_arena_get(d->mem, room * sizeof *v);
        if (!v) {
            d->nomem = true;
            return;
        }
        if (list->n)
            memcpy(v, list->v, list->n * sizeof *v);
        list->v = v;
        list->room = room;
    }
    list->v[list->n++] = (struct draft_range){p->submit->class, p->submit->id, p->instance, r, booked};
}

static void subtract(struct draft_worker *w, const struct rclass *c, uint32_t count)
{
    for (uint32_t i = 0; i < c->n_entries; i++) {
        int64_t amount = (int64_t)(hqi_state_class_amount(c, i, w->w) * count);
        w->free[c->resource[i]] -= amount;
        w->spare[c->resource[i]] -= amount;
    }
    w->full = nothing_spare(w);
}

void hqi_sched_draft_give(struct draft *d, struct draft_worker *w, struct draft_level *l, uint32_t count, bool booked)
{
    uint32_t room = d->in->max_tasks - d->handed;
    if (count > room) {
        count = room;
        d->cut = true;
    }
    if (count > l->left)
        count = (uint32_t)l->left;
    if (count == 0)
        return;
    if (booked)
        subtract(w, l->level->class, count);
    d->handed += count;
    l->left -= count;
    while (count > 0 && l->piece && !d->nomem) {
        uint32_t have = l->piece->count - l->offset;
        uint32_t n = have < count ? have : count;
        add_range(d, &w->give, l->piece, (struct ord_range){l->piece->first + l->offset, n}, booked);
        count -= n;
        l->offset += n;
        if (l->offset == l->piece->count) {
            struct tree_node *next = hqi_base_tree_next(&l->piece->in_level);
            l->piece = next ? hqi_container(next, struct piece, in_level) : NULL;
            l->offset = 0;
        }
    }
}

void hqi_sched_draft_take(struct draft *d, struct draft_worker *w, const struct piece *p)
{
    add_range(d, &w->take, p, (struct ord_range){p->first, 1}, false);
}

/* ---- facts ---- */

static bool same_group(const struct draft_range *a, const struct draft_range *b)
{
    return a->submit == b->submit && a->instance == b->instance && a->booked == b->booked;
}

/* Neighbours of one submit, instance and kind become one group. */
static struct task_group *make_groups(struct draft *d, const struct draft_list *list, uint32_t *n_groups)
{
    struct task_group *groups = hqi_base_arena_zero(d->mem, list->n, sizeof *groups);
    struct ord_range *ranges = hqi_base_arena_get(d->mem, list->n * sizeof *ranges);
    uint32_t n = 0;
    if (!groups || !ranges)
        return NULL;
    for (uint32_t i = 0; i < list->n; i++) {
        const struct draft_range *r = &list->v[i];
        ranges[i] = r->range;
        if (i > 0 && same_group(r, &list->v[i - 1])) {
            groups[n - 1].n_ranges++;
            continue;
        }
        groups[n++] = (struct task_group){r->submit, r->instance, &ranges[i], 1, r->booked, false};
    }
    *n_groups = n;
    return groups;
}

/* The first group of each submit that the worker has not been told yet says so. */
static void mark_specs(struct draft *d, struct draft_worker *w, struct task_group *groups, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct submit *s = hqi_state_submit(d->state, groups[i].submit);
        bool known = hqi_state_knows(s, w->w->id);
        for (uint32_t j = 0; j < i && !known; j++)
            known = groups[j].submit == groups[i].submit;
        groups[i].with_spec = !known;
    }
}

static bool make_fact(struct draft *d, struct draft_worker *w, uint8_t kind, struct fact *f)
{
    uint32_t n;
    const struct draft_list *list = kind == FACT_HANDOUT ? &w->give : &w->take;
    struct task_group *groups = make_groups(d, list, &n);
    if (!groups)
        return false;
    if (kind == FACT_HANDOUT)
        mark_specs(d, w, groups, n);
    *f = (struct fact){.kind = kind, .utc_ms = d->in->utc_ms};
    f->u.tasks.worker = w->w->id;
    f->u.tasks.groups = groups;
    f->u.tasks.n_groups = n;
    return true;
}

int hqi_sched_draft_facts(struct draft *d, struct plan_result *ret, hq_error *err)
{
    struct fact *facts = hqi_base_arena_get(d->mem, (2u * d->n_workers + 1u) * sizeof *facts);
    uint32_t n = 0;
    if (!facts || d->nomem)
        return hqi_base_error_nomem(err, "sched");
    for (uint32_t i = 0; i < d->n_workers; i++) {
        struct draft_worker *w = &d->workers[i];
        if (w->take.n && !make_fact(d, w, FACT_RETRACT, &facts[n++]))
            return hqi_base_error_nomem(err, "sched");
        if (w->give.n && !make_fact(d, w, FACT_HANDOUT, &facts[n++]))
            return hqi_base_error_nomem(err, "sched");
    }
    *ret = (struct plan_result){facts, n, d->cut};
    return HQ_OK;
}
