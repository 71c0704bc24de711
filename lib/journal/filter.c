/* SPDX-License-Identifier: MIT */
/* filter.c - see filter.h. */
#include "journal/filter.h"

/* ---- who survives ---- */

static bool has(const uint8_t *bits, uint32_t n, uint32_t id)
{
    return id > n || bits[id / 8] & 1u << id % 8; /* an id from nowhere: not ours to judge */
}

static void set(uint8_t *bits, uint32_t id)
{
    bits[id / 8] |= (uint8_t)(1u << id % 8);
}

static uint8_t *bits_new(const struct alloc *a, uint32_t n)
{
    return hqi_base_alloc_zero(a, (size_t)n / 8 + 1, 1);
}

bool hqi_journal_filter_init(struct survivors *v, const struct state *s, bool all_workers, const struct alloc *a)
{
    *v = (struct survivors){a, bits_new(a, s->n_jobs), bits_new(a, s->n_submits), bits_new(a, s->n_workers),
                            bits_new(a, s->n_workers), s->n_jobs, s->n_submits, s->n_workers};
    if (!v->jobs || !v->submits || !v->workers || !v->observed)
        return false;
    for (uint32_t i = 1; i <= s->n_jobs; i++)
        if (s->jobs[i])
            set(v->jobs, i);
    for (uint32_t i = 1; i <= s->n_submits; i++)
        if (s->submits[i])
            set(v->submits, i);
    for (uint32_t i = 1; i <= s->n_workers; i++)
        if (s->workers[i] && (all_workers || s->workers[i]->end == HQ_WORKER_RUNNING))
            set(v->workers, i);
    memcpy(v->observed, v->workers, s->n_workers / 8 + 1);
    return true;
}

void hqi_journal_filter_fini(struct survivors *v)
{
    if (!v->alloc)
        return;
    hqi_base_alloc_free(v->alloc, v->jobs);
    hqi_base_alloc_free(v->alloc, v->submits);
    hqi_base_alloc_free(v->alloc, v->workers);
    hqi_base_alloc_free(v->alloc, v->observed);
    *v = (struct survivors){.alloc = NULL};
}

/* ---- groups of tasks ---- */

/* The three kinds of groups differ in type only. How many of `groups` survive; copies of them are in *ret, unless all do. */
#define FILTER_GROUPS(type)                                                                                           \
    static enum fate filter_##type(const struct survivors *v, const struct type **groups, uint32_t *n, struct arena *mem) \
    {                                                                                                                 \
        uint32_t kept = 0;                                                                                            \
        for (uint32_t i = 0; i < *n; i++)                                                                             \
            kept += has(v->submits, v->n_submits, (*groups)[i].submit);                                               \
        if (kept == *n || kept == 0)                                                                                  \
            return kept ? FATE_KEPT : FATE_DROPPED;                                                                   \
        struct type *copy = hqi_base_arena_get(mem, kept * sizeof *copy);                                             \
        if (!copy)                                                                                                    \
            return FATE_NO_MEMORY;                                                                                    \
        for (uint32_t i = kept = 0; i < *n; i++)                                                                      \
            if (has(v->submits, v->n_submits, (*groups)[i].submit))                                                   \
                copy[kept++] = (*groups)[i];                                                                          \
        *groups = copy;                                                                                               \
        *n = kept;                                                                                                    \
        return FATE_CHANGED;                                                                                          \
    }
FILTER_GROUPS(task_group)
FILTER_GROUPS(start_group)
FILTER_GROUPS(end_group)

static enum fate judge_tasks(const struct survivors *v, struct fact *f, struct arena *mem)
{
    switch (f->kind) {
    case FACT_STARTED:
        return filter_start_group(v, &f->u.started.groups, &f->u.started.n_groups, mem);
    case FACT_ENDED:
        return filter_end_group(v, &f->u.ended.groups, &f->u.ended.n_groups, mem);
    default:
        return filter_task_group(v, &f->u.tasks.groups, &f->u.tasks.n_groups, mem);
    }
}

/* ---- facts ---- */

static enum fate judge_submit(const struct survivors *v, struct fact *f)
{
    const struct spec *spec = f->u.submit.spec;
    if (has(v->jobs, v->n_jobs, f->u.submit.job.n))
        return FATE_KEPT;
    f->kind = FACT_CLASS;
    f->u.class.request = &spec->request;
    return FATE_CHANGED;
}

static enum fate if_survives(bool survives)
{
    return survives ? FATE_KEPT : FATE_DROPPED;
}

static enum fate judge(const struct survivors *v, struct fact *f, struct arena *mem)
{
    switch (f->kind) {
    case FACT_SUBMIT:
        return judge_submit(v, f);
    case FACT_JOB_OPEN:
        return if_survives(has(v->jobs, v->n_jobs, f->u.job_open.job.n));
    case FACT_JOB_CLOSE:
    case FACT_JOB_FORGET:
        return if_survives(has(v->jobs, v->n_jobs, f->u.job_close.job.n));
    case FACT_JOB_CANCEL:
    case FACT_JOB_ABORT:
        return if_survives(has(v->jobs, v->n_jobs, f->u.job_cancel.job.n));
    case FACT_WORKER_JOIN:
        return if_survives(has(v->workers, v->n_workers, f->u.worker_join.worker.n));
    case FACT_WORKER_STOP:
    case FACT_WORKER_LOST:
        return if_survives(has(v->workers, v->n_workers, f->u.worker_stop.worker.n));
    case FACT_WORKER_BACK: /* it may name submits that are gone */
        return if_survives(has(v->workers, v->n_workers, f->u.worker_back.worker.n));
    case FACT_OVERVIEW:
        return if_survives(has(v->observed, v->n_workers, f->u.overview.worker.n));
    case FACT_HANDOUT:
    case FACT_ADOPT:
    case FACT_RETRACT:
    case FACT_RETURN:
    case FACT_CRASHED:
    case FACT_REFUSED:
    case FACT_STARTED:
    case FACT_ENDED:
        return judge_tasks(v, f, mem);
    case FACT_REMAINS: /* of an earlier compaction: the new one says it all again */
        return FATE_DROPPED;
    default: /* starts and stops of the server, classes */
        return FATE_KEPT;
    }
}

enum fate hqi_journal_filter_fact(const struct survivors *v, struct fact *f, struct arena *mem, struct fact *ret)
{
    *ret = *f;
    enum fate fate = judge(v, ret, mem);
    if (fate == FATE_KEPT && f->kind == FACT_SUBMIT)
        f->u.submit.spec = NULL;
    if (fate == FATE_KEPT && f->kind == FACT_WORKER_JOIN)
        f->u.worker_join.config = NULL;
    return fate;
}

/* ---- workers that matter ---- */

static bool see(struct name_list *l, struct bytes name, bool *fresh)
{
    bool ok = true;
    for (uint32_t i = 0; i < l->n; i++)
        if (bytes_equal(l->names[i], name))
            return true;
    *fresh = true;
    if (l->n == l->room) {
        struct bytes *v = hqi_base_arena_get(l->mem, (2 * (size_t)l->room + 16) * sizeof *v);
        if (!v)
            return false;
        if (l->n)
            memcpy(v, l->names, l->n * sizeof *v);
        l->names = v;
        l->room = 2 * l->room + 16;
    }
    l->names[l->n++] = hqi_base_arena_bytes(l->mem, name, &ok);
    return ok;
}

static bool see_request(struct name_list *seen, const struct resource_request *r)
{
    bool fresh, ok = true;
    const struct request_variant *first = &r->variants[0]; /* the others' names get no ids */
    for (uint32_t i = 0; ok && i < first->n_entries; i++)
        ok = see(seen, first->entries[i].name, &fresh);
    return ok;
}

static bool see_worker(struct survivors *v, struct name_list *seen, const struct fact *f)
{
    const struct resources *r = &f->u.worker_join.config->resources;
    bool fresh = false, ok = true;
    for (uint32_t i = 0; ok && i < r->n; i++)
        ok = see(seen, r->items[i].name, &fresh);
    if (fresh && f->u.worker_join.worker.n <= v->n_workers)
        set(v->workers, f->u.worker_join.worker.n);
    return ok;
}

static bool mark_handout(struct survivors *v, const struct fact *f, struct arena *mem)
{
    struct fact copy = *f;
    enum fate fate = judge_tasks(v, &copy, mem);
    if (fate != FATE_DROPPED && f->u.tasks.worker.n <= v->n_workers)
        set(v->workers, f->u.tasks.worker.n);
    return fate != FATE_NO_MEMORY;
}

bool hqi_journal_filter_mark(struct survivors *v, struct name_list *seen, const struct fact *f, struct arena *mem)
{
    switch (f->kind) {
    case FACT_SUBMIT:
        return see_request(seen, &f->u.submit.spec->request);
    case FACT_CLASS:
        return see_request(seen, f->u.class.request);
    case FACT_WORKER_JOIN:
        return see_worker(v, seen, f);
    case FACT_HANDOUT: /* whatever else happens to a task begins with one of these; */
    case FACT_ADOPT:
    case FACT_REFUSED: /* or is nothing that its worker has */
        return mark_handout(v, f, mem);
    default:
        return true;
    }
}
