/* SPDX-License-Identifier: MIT */
/* remains.c - what is left of facts that compaction has dropped, because the jobs that they speak of are gone.
 *
 * Such facts leave traces elsewhere: ids that are used up; classes and names of resources, which have ids in order of appearance;
 * in the workers that ran the tasks, a rate of finishes, the order of their classes, the last task, the time since when they
 * are idle. Promise: after the facts that were kept, these facts make the state what it was with all of them, digest and
 * number included. Everything else that a fact of a gone job did is undone by the job's going. */
#include "state/remains.h"

#include "base/error.h"
#include "state/array.h"
#include "state/job.h"
#include "state/rclass.h"
#include "state/submit.h"
#include "state/worker.h"

#define refuse(err, ...) hqi_base_error_set(err, HQ_EJOURNAL, "state", __VA_ARGS__)

/* ---- a class ---- */

int hqi_state_remains_check_class(const struct state *st, const struct fact *f, hq_error *err)
{
    hq_error inner;
    if (!f->u.class.request)
        return refuse(err, "a class of requests says nothing of itself");
    if (hqi_model_request_check(f->u.class.request, &inner) < 0)
        return refuse(err, "a class of requests: %s", inner.text);
    return HQ_OK;
}

bool hqi_state_remains_reserve_class(struct state *st, const struct fact *f)
{
    if (hqi_state_rclass_find(st, f->u.class.request))
        return true;
    st->pending.class = hqi_state_rclass_new(st, f->u.class.request);
    return st->pending.class && hqi_base_map_reserve(&st->class_map, 1);
}

void hqi_state_remains_apply_class(struct state *st, struct fact *f)
{
    if (st->pending.class)
        hqi_state_rclass_link(st, st->pending.class);
    st->pending.class = NULL;
}

/* ---- checking the rest ---- */

static int check_given(uint32_t given, uint32_t known, uint32_t max, const char *what, hq_error *err)
{
    if (given < known || given > max)
        return refuse(err, "%u %s were given: not between %u and %u", given, what, known, max);
    return HQ_OK;
}

static int check_trace(const struct state *st, const struct worker_trace *t, hq_error *err)
{
    const struct worker *w = hqi_state_worker(st, t->worker);
    if (!w)
        return refuse(err, "worker %u leaves traces, but is unknown", t->worker.n);
    if (w->end != HQ_WORKER_RUNNING && t->n_classes > 0)
        return refuse(err, "worker %u has ended, but has classes", t->worker.n);
    if (t->n_classes > st->n_classes)
        return refuse(err, "worker %u has %u classes of %u", t->worker.n, t->n_classes, st->n_classes);
    for (uint32_t i = 0; i < t->n_classes; i++)
        if (t->classes[i].class >= st->n_classes)
            return refuse(err, "class %u is unknown", t->classes[i].class);
    return HQ_OK;
}

/* Workers from..to - 1 have no trace: they must have ended. */
static int check_gone(const struct state *st, uint32_t from, uint32_t to, hq_error *err)
{
    for (uint32_t id = from; id < to; id++) {
        const struct worker *w = hqi_state_worker(st, (hq_worker_id){id});
        if (w && w->end == HQ_WORKER_RUNNING)
            return refuse(err, "worker %u is gone, but has not ended", id);
    }
    return HQ_OK;
}

int hqi_state_remains_check(const struct state *st, const struct fact *f, hq_error *err)
{
    uint32_t next = 1;
    int rc = check_given(f->u.remains.jobs, st->n_jobs, HQI_MAX_JOBS, "jobs", err);
    if (rc == HQ_OK)
        rc = check_given(f->u.remains.submits, st->n_submits, MAX_SUBMITS, "submits", err);
    if (rc == HQ_OK)
        rc = check_given(f->u.remains.workers, st->n_workers, HQI_MAX_WORKERS, "workers", err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.remains.n_traces; i++) {
        const struct worker_trace *t = &f->u.remains.traces[i];
        if (t->worker.n < next)
            return refuse(err, "the trace of worker %u follows that of %u", t->worker.n, next - 1);
        rc = check_gone(st, next, t->worker.n, err);
        if (rc == HQ_OK)
            rc = check_trace(st, t, err);
        next = t->worker.n + 1;
    }
    return rc < 0 ? rc : check_gone(st, next, st->n_workers + 1, err);
}

/* ---- memory ---- */

static bool reserve_ids(struct state *st, uint32_t jobs, uint32_t submits, uint32_t workers)
{
    struct job **j = hqi_state_array_grown(st->alloc, st->jobs, &st->room_jobs, (uint64_t)jobs + 1, sizeof *j);
    st->jobs = j ? j : st->jobs;
    struct submit **s =
        hqi_state_array_grown(st->alloc, st->submits, &st->room_submits, (uint64_t)submits + 1, sizeof *s);
    st->submits = s ? s : st->submits;
    struct worker **w =
        hqi_state_array_grown(st->alloc, st->workers, &st->room_workers, (uint64_t)workers + 1, sizeof *w);
    st->workers = w ? w : st->workers;
    return j && s && w;
}

/* One for each class that a worker has only by its trace, in the order in which apply takes them. */
static bool reserve_classes(struct state *st, const struct worker_trace *t)
{
    const struct worker *w = hqi_state_worker(st, t->worker);
    for (uint32_t i = 0; w && i < t->n_classes; i++) {
        struct rclass *c = st->classes[t->classes[i].class];
        if (hqi_state_wclass(w, c))
            continue;
        struct wclass *wc = hqi_state_worker_class_new(st, c);
        if (!wc)
            return false;
        list_push_back(&st->pending.wclasses, &wc->in_worker);
    }
    return true;
}

bool hqi_state_remains_reserve(struct state *st, const struct fact *f)
{
    if (!reserve_ids(st, f->u.remains.jobs, f->u.remains.submits, f->u.remains.workers))
        return false;
    for (uint32_t i = 0; i < f->u.remains.n_traces; i++)
        if (!reserve_classes(st, &f->u.remains.traces[i]))
            return false;
    return true;
}

/* ---- applying ---- */

static void drop_workers(struct state *st, uint32_t from, uint32_t to)
{
    for (uint32_t id = from; id < to; id++) {
        struct worker *w = hqi_state_worker(st, (hq_worker_id){id});
        if (!w || w->end == HQ_WORKER_RUNNING)
            continue;
        hqi_state_worker_free(st, w);
        st->workers[id] = NULL;
    }
}

static struct wclass *class_of(struct state *st, struct worker *w, const struct rclass *c)
{
    struct wclass *wc = hqi_state_wclass(w, c);
    struct list *made;
    while (!wc && (made = list_pop_front(&st->pending.wclasses))) {
        wc = hqi_container(made, struct wclass, in_worker);
        if (wc->class == c)
            hqi_base_map_put(&w->classes, &wc->by_class, c->id);
        else /* the trace names a class twice, for which it was made twice */
            hqi_base_alloc_free(st->alloc, wc), wc = NULL;
    }
    return wc;
}

static void restore_worker(struct state *st, struct worker *w, const struct worker_trace *t)
{
    w->has_last = t->has_last;
    w->last_task = t->last_task;
    w->last_ms = t->last_ms;
    w->idle_since_ms = t->idle_since_ms;
    for (uint32_t i = 0; i < t->n_classes; i++) {
        struct wclass *wc = class_of(st, w, st->classes[t->classes[i].class]);
        if (!wc)
            return;
        list_unlink(&wc->in_worker);
        list_push_back(&w->class_list, &wc->in_worker);
        wc->blocked |= t->classes[i].blocked; /* for good, once it is */
        w->blocks |= wc->blocked;
        wc->rate_x16 = t->classes[i].rate_x16;
        wc->rate_ms = t->classes[i].rate_ms;
    }
}

void hqi_state_remains_apply(struct state *st, struct fact *f)
{
    uint32_t next = 1;
    for (uint32_t i = 0; i < f->u.remains.n_traces; i++) {
        const struct worker_trace *t = &f->u.remains.traces[i];
        drop_workers(st, next, t->worker.n);
        struct worker *w = hqi_state_worker(st, t->worker);
        if (w)
            restore_worker(st, w, t);
        next = t->worker.n + 1;
    }
    drop_workers(st, next, st->n_workers + 1);
    st->n_jobs = f->u.remains.jobs;
    st->n_submits = f->u.remains.submits;
    st->n_workers = f->u.remains.workers;
}

/* ---- making ---- */

void hqi_state_remains_forget_ended(struct state *s)
{
    for (uint32_t id = 1; id <= s->n_jobs; id++) {
        struct job *j = s->jobs[id];
        if (!j || !hqi_state_job_ended(j))
            continue;
        s->jobs[id] = NULL;
        s->live_jobs--;
        hqi_state_job_free(s, j);
    }
}

static bool trace_classes(const struct worker *w, struct arena *mem, struct worker_trace *t)
{
    struct class_trace *v = hqi_base_arena_zero(mem, w->classes.count, sizeof *v);
    t->classes = v;
    if (!v)
        return false;
    list_for(n, &w->class_list) {
        const struct wclass *wc = hqi_container(n, struct wclass, in_worker);
        v[t->n_classes++] = (struct class_trace){wc->class->id, wc->blocked, wc->rate_x16, wc->rate_ms};
    }
    return true;
}

bool hqi_state_remains_make(const struct state *s, const uint8_t *keep, struct arena *mem, struct fact *ret)
{
    struct worker_trace *v = hqi_base_arena_zero(mem, s->n_workers, sizeof *v);
    uint32_t n = 0;
    if (!v)
        return false;
    for (uint32_t id = 1; id <= s->n_workers; id++) {
        const struct worker *w = s->workers[id];
        if (!w || (keep && !(keep[id / 8] & 1u << id % 8)))
            continue;
        v[n] = (struct worker_trace){.worker = w->id, .has_last = w->has_last, .last_task = w->last_task,
                                     .last_ms = w->last_ms, .idle_since_ms = w->idle_since_ms};
        if (!trace_classes(w, mem, &v[n++]))
            return false;
    }
    *ret = (struct fact){.kind = FACT_REMAINS};
    ret->u.remains.jobs = s->n_jobs;
    ret->u.remains.submits = s->n_submits;
    ret->u.remains.workers = s->n_workers;
    ret->u.remains.traces = v;
    ret->u.remains.n_traces = n;
    return true;
}
