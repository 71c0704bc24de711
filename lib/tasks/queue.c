/* SPDX-License-Identifier: MIT */
/* queue.c - lanes of waiting tasks. A range stays one piece until its tasks are launched one by one.
 *
 * Promise, to dispatch: the first of a lane is its lowest (job, id), also where the ids of several submits run through one
 * another. Must never happen: a task lost or doubled by cutting a range. */
#include "tasks/queue.h"

#include "hqcore/types.h"

static struct piece *by_id(const struct tree_node *n)
{
    return n ? hqi_container(n, struct piece, by_id) : NULL;
}

static struct piece *by_ord(const struct tree_node *n)
{
    return n ? hqi_container(n, struct piece, by_ord) : NULL;
}

static int compare_ids(const struct tree_node *x, const struct tree_node *y)
{
    const struct piece *a = by_id(x), *b = by_id(y);
    if (a->work->job.n != b->work->job.n)
        return a->work->job.n < b->work->job.n ? -1 : 1;
    return (a->id > b->id) - (a->id < b->id);
}

static int compare_ords(const struct tree_node *x, const struct tree_node *y)
{
    uint32_t a = by_ord(x)->ord, b = by_ord(y)->ord;
    return (a > b) - (a < b);
}

void hqi_tasks_queue_init_lane(struct lane *l)
{
    hqi_base_tree_init(&l->waiting, compare_ids);
}

void hqi_tasks_queue_init_work(struct work *w)
{
    hqi_base_tree_init(&w->waiting, compare_ords);
}

struct piece *hqi_tasks_queue_first(const struct lane *l)
{
    return by_id(hqi_base_tree_first(&l->waiting));
}

static void insert(struct tasks *t, struct piece *p)
{
    struct lane *l = p->work->lane;
    hqi_base_tree_insert(&l->waiting, &p->by_id);
    hqi_base_tree_insert(&p->work->waiting, &p->by_ord);
    l->n_waiting += p->count;
    t->n_waiting += p->count;
}

void hqi_tasks_queue_put(struct tasks *t, struct piece *p)
{
    insert(t, p);
    t->changed = true;
}

void hqi_tasks_queue_unpop(struct tasks *t, struct attempt *a)
{
    insert(t, &a->piece);
}

static void take(struct tasks *t, struct piece *p)
{
    struct lane *l = p->work->lane;
    hqi_base_tree_remove(&l->waiting, &p->by_id);
    hqi_base_tree_remove(&p->work->waiting, &p->by_ord);
    l->n_waiting -= p->count;
    t->n_waiting -= p->count;
}

/* ---- taking the first ---- */

static struct attempt *attempt_new(struct tasks *t, const struct piece *from)
{
    struct attempt *a = hqi_base_alloc_zero(t->alloc, 1, sizeof *a);
    if (!a)
        return NULL;
    a->piece = (struct piece){.work = from->work, .attempt = a, .instance = from->instance, .ord = from->ord,
                              .count = 1, .id = from->id, .step = 1};
    return a;
}

/* The first task has left: the next one may belong behind another piece. */
static void advance(struct tasks *t, struct piece *p)
{
    take(t, p);
    p->count--;
    p->ord++;
    p->id += p->step;
    if (p->count > 0)
        insert(t, p);
    else
        hqi_tasks_queue_drop(t, p);
}

struct attempt *hqi_tasks_queue_pop(struct tasks *t, struct lane *l, bool *again)
{
    struct piece *p = hqi_tasks_queue_first(l);
    struct attempt *a = p->attempt;
    *again = hqi_base_map_get(&t->by_task, (uint64_t)p->work->number << 32 | p->ord) != NULL;
    if (*again) {
        advance(t, p);
        return NULL;
    }
    if (a) {
        take(t, p);
        return a;
    }
    a = attempt_new(t, p);
    if (a)
        advance(t, p);
    return a;
}

/* ---- cutting ---- */

bool hqi_tasks_queue_reserve(struct tasks *t, uint64_t n)
{
    while (t->n_spare < n) {
        struct piece *p = hqi_base_alloc_zero(t->alloc, 1, sizeof *p);
        if (!p)
            return false;
        hqi_tasks_queue_give_spare(t, p);
    }
    return true;
}

struct piece *hqi_tasks_queue_take_spare(struct tasks *t)
{
    struct piece *p = hqi_container(list_pop_front(&t->spare), struct piece, link);
    t->n_spare--;
    *p = (struct piece){0};
    return p;
}

void hqi_tasks_queue_give_spare(struct tasks *t, struct piece *p)
{
    list_push_front(&t->spare, &p->link);
    t->n_spare++;
}

/* Puts back the tasks from..from+count of `p`, which is in no lane, as a piece of their own. */
static void put_part(struct tasks *t, const struct piece *p, uint32_t from, uint32_t count)
{
    if (count == 0)
        return;
    struct piece *part = hqi_tasks_queue_take_spare(t);
    *part = (struct piece){.work = p->work, .instance = p->instance, .ord = p->ord + from, .count = count,
                           .id = p->id + from * p->step, .step = p->step};
    hqi_tasks_queue_put(t, part);
}

static void cut_piece(struct tasks *t, struct piece *p, struct ord_range r, struct list *out)
{
    uint64_t end = (uint64_t)r.first + r.count, piece_end = (uint64_t)p->ord + p->count;
    uint32_t skip = r.first > p->ord ? r.first - p->ord : 0;
    uint32_t rest = piece_end > end ? (uint32_t)(piece_end - end) : 0;
    take(t, p);
    put_part(t, p, 0, skip);
    put_part(t, p, p->count - rest, rest);
    p->ord += skip;
    p->id += skip * p->step;
    p->count -= skip + rest;
    list_push_back(out, &p->link);
}

static struct piece *first_in(const struct work *w, uint32_t ord)
{
    const struct piece key = {.ord = ord};
    struct piece *p = by_ord(hqi_base_tree_lower(&w->waiting, &key.by_ord));
    struct tree_node *before = p ? hqi_base_tree_prev(&p->by_ord) : hqi_base_tree_last(&w->waiting);
    if (before && (uint64_t)by_ord(before)->ord + by_ord(before)->count > ord)
        return by_ord(before);
    return p;
}

void hqi_tasks_queue_cut(struct tasks *t, struct work *w, struct ord_range r, const uint32_t *instance, struct list *out)
{
    uint64_t end = (uint64_t)r.first + r.count;
    struct piece *p = r.count ? first_in(w, r.first) : NULL;
    while (p && p->ord < end) {
        struct piece *next = by_ord(hqi_base_tree_next(&p->by_ord));
        if (!instance || p->instance == *instance)
            cut_piece(t, p, r, out);
        p = next;
    }
}

void hqi_tasks_queue_empty(struct tasks *t, struct work *w, struct list *out)
{
    struct tree_node *n;
    while ((n = hqi_base_tree_first(&w->waiting))) {
        struct piece *p = by_ord(n);
        take(t, p);
        list_push_back(out, &p->link);
    }
}

void hqi_tasks_queue_drop(struct tasks *t, struct piece *p)
{
    if (p->attempt)
        hqi_base_alloc_free(t->alloc, p->attempt->text);
    hqi_base_alloc_free(t->alloc, p->attempt ? (void *)p->attempt : p);
}

void hqi_tasks_queue_drop_list(struct tasks *t, struct list *l)
{
    for (struct list *link; (link = list_pop_front(l));)
        hqi_tasks_queue_drop(t, hqi_container(link, struct piece, link));
}
