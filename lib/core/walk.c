/* SPDX-License-Identifier: MIT */
/* walk.c - a job's tasks in the order of their ids. Submits and their ranges may run through one another (1-9:2 and
 * 2-10:2); those that do are merged, all others follow one another, so that a step costs the ranges around it and not
 * all of the job's. */
#include "core/inner.h"

struct run { /* a range that the walk is in, keyed by the id of its next task */
    struct heap_node node;
    const struct span *span;
    uint32_t first; /* ordinal of its first id */
    uint32_t at;    /* position in the range */
    struct run *next_spare;
};

static uint32_t last_id(const hq_range *r)
{
    return r->first + (r->count - 1) * r->step;
}

static uint64_t id_of(const struct run *run)
{
    return run->span->ids.first + (uint64_t)run->at * run->span->ids.step;
}

/* Moves it to the next task that is wanted; false: it has none, and is spare. */
static bool settle(struct walk *w, struct run *run)
{
    const struct span *span = run->span;
    uint32_t end = run->first + span->ids.count;
    if (span->submit)
        run->at = hqi_state_task_seek_in(span->submit, run->first + run->at, end, w->states) - run->first;
    if (run->at < span->ids.count)
        return true;
    run->next_spare = w->spare;
    w->spare = run;
    return false;
}

static bool enter(struct walk *w, const struct span *span, uint32_t at)
{
    struct run *run = w->spare;
    if (run)
        w->spare = run->next_spare;
    else
        run = hqi_base_arena_get(w->mem, sizeof *run);
    if (!run) {
        w->failed = true;
        return false;
    }
    *run = (struct run){.span = span, .at = at};
    if (span->submit)
        run->first = hqi_model_intset_rank(&span->submit->spec->ids, span->ids.first);
    if (settle(w, run))
        hqi_base_heap_insert(&w->runs, &run->node, id_of(run));
    return true;
}

static void begin(struct walk *w, uint32_t from)
{
    hqi_base_heap_init(&w->runs);
    w->upcoming = hqi_state_spans_begun(w->spans, w->n, from);
    for (uint32_t i = w->upcoming; i-- > 0 && w->spans[i].reach >= from;) {
        const hq_range *r = &w->spans[i].ids;
        if (last_id(r) >= from && !enter(w, &w->spans[i], (uint32_t)(((uint64_t)from - r->first + r->step - 1) / r->step)))
            return;
    }
}

void hqi_core_walk_job(struct walk *w, struct arena *mem, const struct job *j, uint32_t from, uint32_t states)
{
    *w = (struct walk){.mem = mem, .job = j, .spans = j->spans, .n = j->n_spans, .states = states};
    begin(w, from);
}

/* Whoever asks for everything that can be asked for shall not have each id looked up: the job's tasks are fewer then. */
static void walk_job_for(struct walk *w, struct arena *mem, const struct job *j, const struct intset *ids, uint32_t from)
{
    hqi_core_walk_job(w, mem, j, from, (1u << HQ_TASK_STATES) - 1);
    w->only = ids;
}

void hqi_core_walk_ids(struct walk *w, struct arena *mem, const struct job *j, const struct intset *ids, uint32_t from)
{
    if (ids->count > hqi_state_job_total(j)) {
        walk_job_for(w, mem, j, ids, from);
        return;
    }
    struct span *spans = hqi_base_arena_get(mem, (ids->n_ranges + 1u) * sizeof *spans);
    *w = (struct walk){.mem = mem, .job = j, .spans = spans, .n = ids->n_ranges, .failed = !spans};
    if (!spans)
        return;
    for (uint32_t i = 0, reach = 0; i < w->n; i++) {
        reach = last_id(&ids->ranges[i]) > reach ? last_id(&ids->ranges[i]) : reach;
        spans[i] = (struct span){.ids = ids->ranges[i], .reach = reach};
    }
    begin(w, from);
}

static struct heap_node *nearest(struct walk *w)
{
    struct heap_node *first = hqi_base_heap_first(&w->runs);
    while (w->upcoming < w->n && (!first || w->spans[w->upcoming].ids.first <= first->at)) {
        if (!enter(w, &w->spans[w->upcoming++], 0))
            return NULL;
        first = hqi_base_heap_first(&w->runs);
    }
    return first;
}

/* The run with the nearest task is left alone until another one's comes first. NULL: none is left. */
static struct run *choose(struct walk *w)
{
    if (w->current)
        hqi_base_heap_insert(&w->runs, &w->current->node, id_of(w->current));
    struct heap_node *n = nearest(w);
    w->current = n && !w->failed ? hqi_container(n, struct run, node) : NULL;
    if (!w->current)
        return NULL;
    hqi_base_heap_remove(&w->runs, n);
    n = hqi_base_heap_first(&w->runs);
    w->until = n ? n->at : UINT64_MAX;
    if (w->upcoming < w->n && w->spans[w->upcoming].ids.first < w->until)
        w->until = w->spans[w->upcoming].ids.first;
    return w->current;
}

bool hqi_core_walk_next(struct walk *w, struct walk_task *ret)
{
    do {
        struct run *run = w->current;
        if ((!run || id_of(run) > w->until) && !(run = choose(w)))
            return false;
        *ret = (struct walk_task){(uint32_t)id_of(run), run->first + run->at, run->span->submit};
        run->at++;
        if (!settle(w, run))
            w->current = NULL;
        if (!ret->submit)
            ret->submit = hqi_state_job_find(w->job, ret->id, &ret->ordinal);
    } while (!ret->submit || (w->only && !hqi_model_intset_contains(w->only, ret->id)));
    return true;
}
