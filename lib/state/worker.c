/* SPDX-License-Identifier: MIT */
/* worker.c - workers and their books.
 *
 * Promise, to the scheduler: `free` is `total` less the requests of exactly the attempts that are marked booked, and the
 * counts of a wclass are those of the attempts on its worker's list. Ended workers stay, with their config, as
 * long as the server: tasks name them. */
#include "state/worker.h"

#include <string.h>

#include "state/array.h"
#include "state/rclass.h"
#include "state/submit.h"

#define SECOND_MS 1000u
#define RATE_ONE 16u /* of rate_x16 */
#define RATE_MAX (UINT32_MAX / 2u)

struct worker *hqi_state_worker(const struct state *s, hq_worker_id id)
{
    return id.n > 0 && id.n <= s->n_workers ? s->workers[id.n] : NULL;
}

struct worker *hqi_state_worker_by_uid(const struct state *s, uint64_t uid)
{
    for (uint32_t i = s->n_workers; uid && i > 0; i--)
        if (s->workers[i] && s->workers[i]->uid == uid)
            return s->workers[i];
    return NULL;
}

/* ---- joining and leaving ---- */

static bool reserve_names(struct state *st, const struct resources *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (!hqi_state_rclass_resource_reserve(st, r->items[i].name))
            return false;
    return true;
}

static bool reserve_place(struct state *st, hq_worker_id id)
{
    struct worker **workers =
        hqi_state_array_grown(st->alloc, st->workers, &st->room_workers, (uint64_t)id.n + 1, sizeof *workers);
    if (!workers)
        return false;
    st->workers = workers;
    return true;
}

struct worker *hqi_state_worker_new(struct state *st, hq_worker_id id, const struct worker_config *config)
{
    if (!reserve_place(st, id) || !reserve_names(st, &config->resources))
        return NULL;
    struct worker *w = hqi_base_alloc_zero(st->alloc, 1, sizeof *w);
    if (!w)
        return NULL;
    w->id = id;
    w->n_resources = st->n_resources + st->pending.n_names;
    w->total = hqi_base_alloc_zero(st->alloc, w->n_resources, sizeof *w->total);
    w->free = hqi_base_alloc_zero(st->alloc, w->n_resources, sizeof *w->free);
    list_init(&w->active);
    list_init(&w->class_list);
    hqi_base_map_init(&w->classes, st->alloc);
    if (!w->total || !w->free) {
        hqi_state_worker_free(st, w);
        return NULL;
    }
    return w;
}

static void free_classes(const struct state *st, struct worker *w)
{
    for (struct list *n; (n = list_pop_front(&w->class_list));)
        hqi_base_alloc_free(st->alloc, hqi_container(n, struct wclass, in_worker));
    hqi_base_map_fini(&w->classes);
}

void hqi_state_worker_free(const struct state *st, struct worker *w)
{
    if (!w)
        return;
    free_classes(st, w);
    hqi_model_config_free(w->config);
    hqi_base_alloc_free(st->alloc, w->total);
    hqi_base_alloc_free(st->alloc, w->free);
    hqi_base_alloc_free(st->alloc, w);
}

static void fill_totals(struct state *st, struct worker *w)
{
    const struct resources *r = &w->config->resources;
    for (uint32_t i = 0; i < r->n; i++) {
        uint32_t id = hqi_state_rclass_resource_link(st, r->items[i].name);
        if (id >= w->n_resources)
            continue;
        w->total[id] = hqi_model_resource_total(&r->items[i]);
        w->free[id] = (int64_t)w->total[id];
    }
}

void hqi_state_worker_apply_join(struct state *st, struct fact *f)
{
    struct worker *w = st->pending.worker;
    if (!w)
        return;
    st->pending.worker = NULL;
    w->config = f->u.worker_join.config;
    f->u.worker_join.config = NULL;
    w->joined_ms = w->idle_since_ms = f->utc_ms;
    w->uid = f->u.worker_join.uid;
    w->has_token = f->u.worker_join.token.n == sizeof w->token;
    if (w->has_token)
        memcpy(w->token, f->u.worker_join.token.p, sizeof w->token);
    fill_totals(st, w);
    st->workers[w->id.n] = w;
    st->n_workers = w->id.n;
}

/* The specs that it was told may not have reached it: what it has it says itself. Idle time starts anew: while one of the two
 * was away it could get no work. */
void hqi_state_worker_apply_back(struct state *st, struct fact *f)
{
    struct worker *w = hqi_state_worker(st, f->u.worker_back.worker);
    if (!w || w->end != HQ_WORKER_RUNNING)
        return;
    for (uint32_t i = 1; i <= st->n_submits; i++)
        if (st->submits[i])
            hqi_state_submit_mark_unknown(st->submits[i], w->id);
    for (uint32_t i = 0; i < f->u.worker_back.n_submits; i++) {
        struct submit *s = hqi_state_submit(st, f->u.worker_back.submits[i]);
        if (s)
            hqi_state_submit_mark_known(s, w->id);
    }
    if (w->n_active == 0)
        w->idle_since_ms = f->utc_ms;
}

void hqi_state_worker_apply_stop(struct state *st, struct fact *f)
{
    struct worker *w = hqi_state_worker(st, f->u.worker_stop.worker);
    if (w && w->end == HQ_WORKER_RUNNING)
        w->stopping = f->u.worker_stop.reason;
}

void hqi_state_worker_end(struct state *st, struct worker *w, uint8_t reason, uint64_t utc_ms)
{
    w->end = reason;
    w->ended_ms = utc_ms;
    free_classes(st, w);
}

/* ---- books ---- */

/* A request for what the worker does not have books nothing there: it has no `free` to take it from. */
void hqi_state_worker_book(struct worker *w, const struct rclass *c)
{
    for (uint32_t i = 0; i < c->n_entries; i++)
        if (c->resource[i] < w->n_resources) {
            int64_t *free = &w->free[c->resource[i]];
            *free = (int64_t)((uint64_t)*free - hqi_state_class_amount(c, i, w));
        }
}

void hqi_state_worker_unbook(struct worker *w, const struct rclass *c)
{
    for (uint32_t i = 0; i < c->n_entries; i++)
        if (c->resource[i] < w->n_resources) {
            int64_t *free = &w->free[c->resource[i]];
            *free = (int64_t)((uint64_t)*free + hqi_state_class_amount(c, i, w));
        }
}

/* ---- what a worker has of a class ---- */

struct wclass *hqi_state_wclass(const struct worker *w, const struct rclass *c)
{
    struct map_node *n = hqi_base_map_get(&w->classes, c->id);
    return n ? hqi_container(n, struct wclass, by_class) : NULL;
}

struct wclass *hqi_state_worker_class_new(const struct state *st, struct rclass *c)
{
    struct wclass *wc = hqi_base_alloc_zero(st->alloc, 1, sizeof *wc);
    if (!wc)
        return NULL;
    wc->class = c;
    list_init(&wc->in_worker);
    return wc;
}

struct wclass *hqi_state_worker_class_link(struct state *st, struct worker *w, const struct rclass *c,
                                           uint64_t utc_ms)
{
    struct wclass *known = hqi_state_wclass(w, c);
    if (known)
        return known;
    list_for(n, &st->pending.wclasses) {
        struct wclass *wc = hqi_container(n, struct wclass, in_worker);
        if (wc->class != c)
            continue;
        list_unlink(n);
        list_push_back(&w->class_list, n);
        hqi_base_map_put(&w->classes, &wc->by_class, c->id);
        wc->rate_ms = utc_ms;
        return wc;
    }
    return NULL;
}

void hqi_state_worker_class_sort(struct worker *w, struct wclass *wc)
{
    list_unlink(&wc->in_worker);
    if (hqi_state_wclass_has_tasks(wc))
        list_push_front(&w->class_list, &wc->in_worker);
    else
        list_push_back(&w->class_list, &wc->in_worker);
}

/* A moving average over about a second, and exact for a steady rate, whatever the spacing of the batches: with
 * n = r * dt per batch, rate = (rate + n) * 1 s / (1 s + dt) rests at r. */
void hqi_state_worker_class_ended(struct wclass *wc, uint32_t n, uint64_t utc_ms)
{
    uint64_t passed = utc_ms > wc->rate_ms ? utc_ms - wc->rate_ms : 0;
    if (passed > HQI_MAX_DURATION_MS)
        passed = HQI_MAX_DURATION_MS;
    uint64_t rate = ((uint64_t)wc->rate_x16 + (uint64_t)n * RATE_ONE) * SECOND_MS / (SECOND_MS + passed);
    wc->rate_x16 = rate < RATE_MAX ? (uint32_t)rate : RATE_MAX;
    if (utc_ms > wc->rate_ms)
        wc->rate_ms = utc_ms;
}
