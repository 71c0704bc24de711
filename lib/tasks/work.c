/* SPDX-License-Identifier: MIT */
/* work.c - submits and their classes.
 *
 * A submit that the server drops stays for as long as a process of it is being killed, under a number of our own: the
 * server's may come again in its next session. A class lives as long as its submits. */
#include "tasks/work.h"

#include "base/error.h"
#include "hqcore/types.h"
#include "model/spec.h"
#include "tasks/news.h"
#include "tasks/queue.h"
#include "tasks/slot.h"

/* A chain covers this much time, at least one task, at most MAX: twice the 20 ms that reports may take to gather, so that
 * no slot runs dry meanwhile. A longer chain would gain nothing, and could hide tasks behind a slow one. */
#define STAGE_MS 40u
#define STAGE_MAX 32u
/* Functions cost no process: many small ones are handed over at once, so that a batch is worth its way through the host's loop. */
#define FUNCTION_STAGE_MAX 8192u
#define MEAN_UNIT 16u  /* durations are averaged in 1/16 ms */
#define MEAN_WEIGHT 8  /* of the past */

static const char where[] = "tasks";

static struct work *work_of(struct map_node *n)
{
    return n ? hqi_container(n, struct work, by_submit) : NULL;
}

static struct lane *lane_of_node(const struct tree_node *n)
{
    return hqi_container(n, struct lane, node);
}

/* Equal priorities: in the order of their creation, which is the tree's for equals. */
static int compare_lanes(const struct tree_node *a, const struct tree_node *b)
{
    int32_t x = lane_of_node(a)->priority, y = lane_of_node(b)->priority;
    return (x < y) - (x > y);
}

void hqi_tasks_work_init(struct tasks *t)
{
    list_init(&t->classes);
    list_init(&t->known);
    list_init(&t->gone);
    hqi_base_tree_init(&t->lanes, compare_lanes);
    hqi_base_map_init(&t->works, t->alloc);
}

/* ---- classes and lanes ---- */

static void describe_variant(const struct tasks *t, struct variant *v, const struct request_variant *request)
{
    struct bytes function;
    v->request = request;
    v->possible = hqi_tasks_pool_fits_total(t->pools, request);
    for (uint32_t i = 0; i < request->n_entries; i++) {
        const struct request_entry *e = &request->entries[i];
        uint32_t pool = hqi_tasks_pool_find(t->pools, e->name);
        v->forced = v->forced || e->policy == POLICY_COMPACT_FORCED || e->policy == POLICY_TIGHT_FORCED;
        v->has_cpus = v->has_cpus || bytes_is(e->name, "cpus");
        v->for_host = v->for_host || hqi_model_resource_function(e->name, &function);
        if (pool == POOL_NONE)
            continue;
        v->pools |= 1ull << pool;
        v->amount[pool] = e->policy == POLICY_ALL ? hqi_tasks_pool_total(t->pools, pool) : e->amount;
    }
}

static struct class *class_new(struct tasks *t, const struct resource_request *r, uint64_t hash)
{
    struct arena *mem = hqi_base_arena_new(t->alloc);
    struct class *c = mem ? hqi_base_arena_zero(mem, 1, sizeof *c) : NULL;
    if (!c || hqi_model_request_copy(&c->request, mem, r) < 0 ||
        !(c->variants = hqi_base_arena_zero(mem, r->n_variants, sizeof *c->variants))) {
        hqi_base_arena_free(mem);
        return NULL;
    }
    c->mem = mem;
    c->hash = hash;
    for (uint32_t i = 0; i < r->n_variants; i++)
        describe_variant(t, &c->variants[i], &c->request.variants[i]);
    list_init(&c->slots);
    list_init(&c->lanes);
    list_push_back(&t->classes, &c->link);
    return c;
}

static struct class *find_class(struct tasks *t, const struct resource_request *r, uint64_t hash)
{
    list_for(link, &t->classes) {
        struct class *c = hqi_container(link, struct class, link);
        if (c->hash == hash && hqi_model_request_equal(&c->request, r))
            return c;
    }
    return NULL;
}

static struct lane *find_lane(struct class *c, int32_t priority)
{
    list_for(link, &c->lanes) {
        struct lane *l = hqi_container(link, struct lane, link);
        if (l->priority == priority)
            return l;
    }
    return NULL;
}

static void free_unused_lane(struct tasks *t, struct lane *l)
{
    if (l->n_works > 0)
        return;
    hqi_base_tree_remove(&t->lanes, &l->node);
    list_unlink(&l->link);
    hqi_base_alloc_free(t->alloc, l);
}

static void free_unused_class(struct class *c)
{
    if (!list_empty(&c->lanes))
        return;
    list_unlink(&c->link);
    hqi_base_arena_free(c->mem);
}

static struct lane *lane_new(struct tasks *t, struct class *c, int32_t priority)
{
    struct lane *l = hqi_base_alloc_zero(t->alloc, 1, sizeof *l);
    if (!l)
        return NULL;
    l->class = c;
    l->priority = priority;
    hqi_tasks_queue_init_lane(l);
    hqi_base_tree_insert(&t->lanes, &l->node);
    list_push_back(&c->lanes, &l->link);
    return l;
}

static struct lane *join_lane(struct tasks *t, const struct spec *spec)
{
    uint64_t hash = hqi_model_request_hash(&spec->request);
    struct class *c = find_class(t, &spec->request, hash);
    if (!c)
        c = class_new(t, &spec->request, hash);
    if (!c)
        return NULL;
    struct lane *l = find_lane(c, spec->priority);
    if (!l)
        l = lane_new(t, c, spec->priority);
    if (l)
        l->n_works++;
    else
        free_unused_class(c);
    return l;
}

static void leave_lane(struct tasks *t, struct lane *l)
{
    struct class *c = l->class;
    l->n_works--;
    free_unused_lane(t, l);
    free_unused_class(c);
}

/* ---- submits ---- */

struct work *hqi_tasks_work_get(const struct tasks *t, uint32_t submit)
{
    return work_of(hqi_base_map_get(&t->works, submit));
}

static void work_free(struct tasks *t, struct work *w)
{
    if (w->lane)
        leave_lane(t, w->lane);
    hqi_model_spec_free(w->spec);
    hqi_base_alloc_free(t->alloc, w->server_uid);
    hqi_base_alloc_free(t->alloc, w);
}

static struct work *work_new(struct tasks *t, const struct spec *spec, struct bytes server_uid)
{
    struct work *w = hqi_base_alloc_zero(t->alloc, 1, sizeof *w);
    if (!w)
        return NULL;
    hqi_tasks_queue_init_work(w);
    list_init(&w->live);
    list_init(&w->news_link);
    for (int i = 0; i < NEWS_KINDS; i++)
        list_init(&w->news[i]);
    w->server_uid = hqi_base_alloc_strdup(t->alloc, server_uid.p, server_uid.n);
    if (!w->server_uid || !hqi_base_map_reserve(&t->works, 1) || !(w->lane = join_lane(t, spec))) {
        work_free(t, w);
        return NULL;
    }
    return w;
}

int hqi_tasks_work_add(struct tasks *t, uint32_t submit, hq_job_id job, struct bytes server_uid,
                       const struct spec **spec, hq_error *err)
{
    struct work *w = work_new(t, *spec, server_uid);
    if (!w)
        return hqi_base_error_nomem(err, where);
    w->submit = submit;
    w->number = ++t->next_number;
    w->job = job;
    w->spec = (struct spec *)*spec; /* taken: this is its owner now */
    *spec = NULL;
    hqi_base_map_put(&t->works, &w->by_submit, submit);
    list_push_back(&t->known, &w->link);
    return HQ_OK;
}

void hqi_tasks_work_silence(struct tasks *t, struct work *w)
{
    struct list dropped;
    list_init(&dropped);
    hqi_tasks_news_forget(t, w);
    hqi_tasks_queue_empty(t, w, &dropped);
    hqi_tasks_queue_drop_list(t, &dropped);
    while (!list_empty(&w->live))
        hqi_tasks_slot_silence(t, hqi_container(w->live.prev, struct attempt, live));
}

void hqi_tasks_work_drop(struct tasks *t, struct work *w)
{
    hqi_tasks_work_silence(t, w);
    hqi_base_map_take(&t->works, w->submit);
    list_unlink(&w->link);
    list_push_back(&t->gone, &w->link);
    w->dropped = true;
    hqi_tasks_work_settle(t, w);
}

void hqi_tasks_work_settle(struct tasks *t, struct work *w)
{
    if (!w->dropped || w->n_slotted > 0 || w->told != 0)
        return;
    list_unlink(&w->link);
    work_free(t, w);
}

void hqi_tasks_work_measure(struct work *w, uint64_t duration_ms)
{
    uint32_t ms = duration_ms > STAGE_MS ? STAGE_MS : (uint32_t)duration_ms; /* longer ones are all alike */
    uint32_t value = ms * MEAN_UNIT;
    uint32_t sum = w->mean * (MEAN_WEIGHT - 1) + value;
    w->mean = w->measured ? (sum + MEAN_WEIGHT - 1) / MEAN_WEIGHT : value; /* rounded up: it reaches STAGE_MS */
    w->measured = true;
}

uint32_t hqi_tasks_work_depth(const struct work *w)
{
    uint32_t most = w->lane->class->variants[0].for_host ? FUNCTION_STAGE_MAX : STAGE_MAX;
    uint32_t depth = w->mean ? (STAGE_MS * MEAN_UNIT + w->mean - 1) / w->mean : most;
    if (!w->measured || depth < 1)
        return 1;
    return depth < most ? depth : most;
}

/* ---- the end ---- */

static void free_chains(struct tasks *t, struct class *c)
{
    list_for(link, &c->slots) {
        struct slot *s = slot_of_link(link);
        for (struct list *chain; (chain = list_pop_front(&s->chain));)
            hqi_tasks_queue_drop(t, &attempt_of_chain(chain)->piece);
    }
    while (!list_empty(&c->slots))
        hqi_tasks_slot_close(t, slot_of_link(c->slots.next));
}

static void free_works(struct tasks *t, struct list *works)
{
    for (struct list *link; (link = list_pop_front(works));) {
        struct work *w = hqi_container(link, struct work, link);
        struct list waiting;
        list_init(&waiting);
        hqi_tasks_queue_empty(t, w, &waiting);
        hqi_tasks_queue_drop_list(t, &waiting);
        list_init(&w->news[NEWS_STARTED]); /* they were in slots */
        hqi_tasks_news_forget(t, w);
        work_free(t, w);
    }
}

void hqi_tasks_work_fini(struct tasks *t)
{
    list_for(link, &t->classes)
        free_chains(t, hqi_container(link, struct class, link));
    free_works(t, &t->known);
    free_works(t, &t->gone);
    hqi_base_map_fini(&t->works);
}
