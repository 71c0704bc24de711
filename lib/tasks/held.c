/* SPDX-License-Identifier: MIT */
/* held.c - all that the worker has, for a server that it comes back to: what waits and runs, from the books; what has ended
 * and is not known to be safe, from the frames that were not acknowledged. What those say of starts and of tasks given back
 * is not repeated: the books know better. */
#include <string.h>

#include "base/error.h"
#include "tasks/book.h"
#include "wire/worker.h"

static const char where[] = "tasks";

static struct piece *piece_of(struct tree_node *n)
{
    return n ? hqi_container(n, struct piece, by_ord) : NULL;
}

static struct attempt *attempt_of_live(struct list *link)
{
    return hqi_container(link, struct attempt, live);
}

/* What has ended, and was not yet taken as a report, would be missing. */
static bool is_told(const struct tasks *t)
{
    list_for(link, &t->news) {
        const struct work *w = hqi_container(link, struct work, news_link);
        for (int kind = NEWS_ENDED; kind < NEWS_KINDS; kind++)
            if (!list_empty(&w->news[kind]))
                return false;
    }
    return true;
}

/* The next one of this work that failed, which may not have been more than the allocation's end, at or behind `link`. NULL: none.
 * Such are said to run still. */
static struct attempt *next_doubted(const struct tasks *t, const struct work *w, struct list *link)
{
    for (; link != &t->doubted; link = link->next) {
        struct attempt *a = attempt_of_news(link);
        if (a->piece.work == w)
            return a;
    }
    return NULL;
}

/* How many pieces wait, or are staged; how many run. */
static void count(const struct tasks *t, const struct work *w, uint32_t *waiting, uint32_t *started)
{
    for (struct attempt *a = next_doubted(t, w, t->doubted.next); a; a = next_doubted(t, w, a->news.next))
        ++*started;
    for (struct tree_node *n = hqi_base_tree_first(&w->waiting); n; n = hqi_base_tree_next(n))
        ++*waiting;
    list_for(link, &w->live)
        ++*(attempt_of_live(link)->started ? started : waiting);
}

struct listing {
    const struct tasks *tasks;
    struct task_group *waiting;
    struct ord_range *ranges;
    struct report_start *started;
    uint32_t *ordinals;
    uint64_t *ages;
    uint8_t *variants;
    uint32_t n_waiting, n_ranges, n_started, n_rows;
};

static void add_waiting(struct listing *h, const struct work *w, const struct piece *p)
{
    struct task_group *g = h->n_waiting ? &h->waiting[h->n_waiting - 1] : NULL;
    if (!g || g->submit != w->submit || g->instance != p->instance) {
        g = &h->waiting[h->n_waiting++];
        *g = (struct task_group){.submit = w->submit, .instance = p->instance, .ranges = &h->ranges[h->n_ranges]};
    }
    struct ord_range *last = g->n_ranges ? &h->ranges[h->n_ranges - 1] : NULL;
    if (last && last->first + last->count == p->ord) {
        last->count += p->count;
        return;
    }
    h->ranges[h->n_ranges++] = (struct ord_range){p->ord, p->count};
    g->n_ranges++;
}

static uint64_t age_ms(const struct listing *h, const struct attempt *a)
{
    uint64_t now = h->tasks->now.mono_ns;
    return now > a->start_ns ? (now - a->start_ns) / HQI_MS : 0;
}

static void add_started(struct listing *h, const struct work *w, const struct attempt *a)
{
    struct report_start *g = h->n_started ? &h->started[h->n_started - 1] : NULL;
    if (!g || g->submit != w->submit || g->instance != a->piece.instance) {
        g = &h->started[h->n_started++];
        *g = (struct report_start){w->submit, a->piece.instance, 0, &h->ordinals[h->n_rows], &h->ages[h->n_rows],
                                   &h->variants[h->n_rows]};
    }
    h->ordinals[h->n_rows] = a->piece.ord;
    h->ages[h->n_rows] = age_ms(h, a);
    h->variants[h->n_rows++] = a->variant;
    g->n++;
}

static void add_work(struct listing *h, const struct work *w)
{
    for (struct tree_node *n = hqi_base_tree_first(&w->waiting); n; n = hqi_base_tree_next(n))
        add_waiting(h, w, piece_of(n));
    for (struct attempt *a = next_doubted(h->tasks, w, h->tasks->doubted.next); a; a = next_doubted(h->tasks, w, a->news.next))
        add_started(h, w, a);
    list_for(link, &w->live) {
        const struct attempt *a = attempt_of_live(link);
        if (a->started)
            add_started(h, w, a);
        else
            add_waiting(h, w, &a->piece);
    }
}

int hqi_tasks_held(struct tasks *t, const struct now *now, struct arena *mem, struct attach *ret, hq_error *err)
{
    uint32_t works = 0, waiting = 0, started = 0;
    t->now = *now;
    list_for(link, &t->known) {
        count(t, hqi_container(link, struct work, link), &waiting, &started);
        works++;
    }
    struct listing h = {
        .tasks = t,
        .waiting = hqi_base_arena_get(mem, (waiting + 1u) * sizeof *h.waiting),
        .ranges = hqi_base_arena_get(mem, (waiting + 1u) * sizeof *h.ranges),
        .started = hqi_base_arena_get(mem, (started + 1u) * sizeof *h.started),
        .ordinals = hqi_base_arena_get(mem, (started + 1u) * sizeof *h.ordinals),
        .ages = hqi_base_arena_get(mem, (started + 1u) * sizeof *h.ages),
        .variants = hqi_base_arena_get(mem, started + 1u),
    };
    uint32_t *submits = hqi_base_arena_get(mem, (works + 1u) * sizeof *submits);
    if (!is_told(t) || !h.waiting || !h.ranges || !h.started || !h.ordinals || !h.ages || !h.variants || !submits)
        return hqi_base_error_nomem(err, where);
    ret->submits = submits;
    list_for(link, &t->known) {
        const struct work *w = hqi_container(link, struct work, link);
        add_work(&h, w);
        submits[ret->n_submits++] = w->submit;
    }
    ret->waiting = h.waiting;
    ret->n_waiting = h.n_waiting;
    ret->news.started = h.started;
    ret->news.n_started = h.n_started;
    return HQ_OK;
}

/* ---- what was told, and may be lost ---- */

/* Appends n items of `size` to an array of *count in `mem`, which has room up to the next power of two. */
static bool append(struct arena *mem, const void **array, uint32_t *count, const void *more, uint32_t n, size_t size)
{
    uint32_t room = 1;
    while (room < *count)
        room *= 2;
    char *v = (char *)*array; /* made here */
    if (!v || *count + n > room) {
        while (room < *count + n)
            room *= 2;
        v = hqi_base_arena_get(mem, room * size);
        if (v && *count)
            memcpy(v, *array, *count * size);
    }
    if (!v)
        return false;
    if (n)
        memcpy(v + *count * size, more, n * size);
    *array = v;
    *count += n;
    return true;
}

static int add_news(struct arena *mem, struct report *to, const struct report *r, hq_error *err)
{
    bool ok = append(mem, (const void **)&to->ended, &to->n_ended, r->ended, r->n_ended, sizeof *r->ended) &&
              append(mem, (const void **)&to->crashed, &to->n_crashed, r->crashed, r->n_crashed, sizeof *r->crashed);
    return ok ? HQ_OK : hqi_base_error_nomem(err, where);
}

int hqi_tasks_held_frame(struct bytes payload, const struct alloc *a, struct arena *mem, struct attach *ret, hq_error *err)
{
    struct from_worker m;
    int rc = hqi_wire_worker_decode_from(&m, payload, a, mem, err);
    if (rc < 0)
        return rc;
    if (m.kind == FROM_WORKER_REPORT)
        return add_news(mem, &ret->news, &m.u.report, err);
    if (m.kind != FROM_WORKER_REGISTER)
        return HQ_OK;
    hqi_model_config_free(m.u.hello.config);
    return m.u.hello.attach ? add_news(mem, &ret->news, &m.u.hello.attach->news, err) : HQ_OK;
}
