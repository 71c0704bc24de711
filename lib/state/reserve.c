/* SPDX-License-Identifier: MIT */
/* reserve.c - all memory that apply will need, before it needs it.
 *
 * Promise: after HQ_ENOMEM the state means what it meant before; nothing that a reader, a digest or a later fact can see
 * has changed. What is made here is either pending, in one place and dropped by the next call, or room: longer
 * arrays, empty chunks, spare pieces. The way of a handed-out task to its end, or back into the queue, is paid for
 * here as well: its piece. */
#include "state/reserve.h"

#include "base/error.h"
#include "state/job.h"
#include "state/queue.h"
#include "state/rclass.h"
#include "state/remains.h"
#include "state/submit.h"
#include "state/worker.h"

#define WHERE "state"
#define SPARE_AFTER_FAILURE 256u /* what a failed reservation may keep of the pieces that it got */

void hqi_state_reserve_drop(struct state *st)
{
    struct pending *p = &st->pending;
    hqi_state_submit_free(st, p->submit);
    hqi_state_job_free(st, p->job);
    hqi_base_alloc_free(st->alloc, p->level);
    hqi_state_rclass_free(st, p->class);
    hqi_state_worker_free(st, p->worker);
    for (struct list *n; (n = list_pop_front(&p->wclasses));)
        hqi_base_alloc_free(st->alloc, hqi_container(n, struct wclass, in_worker));
    hqi_base_alloc_free(st->alloc, p->reason);
    for (uint32_t i = 0; i < p->n_names; i++)
        hqi_base_alloc_free(st->alloc, p->names[i]);
    *p = (struct pending){.job = NULL};
    list_init(&p->wclasses);
}

static bool reserve_job(struct state *st, hq_job_id id, struct bytes name)
{
    st->pending.job = hqi_state_job_new(st, id, name);
    return st->pending.job && hqi_base_map_reserve(&st->keys, 1);
}

static bool reserve_open(struct state *st, const struct fact *f)
{
    return reserve_job(st, f->u.job_open.job, f->u.job_open.name);
}

/* Class and level of the submit, known ones or pending ones. */
static bool reserve_queue(struct state *st, struct submit *s, const struct spec *spec)
{
    struct pending *p = &st->pending;
    s->class = hqi_state_rclass_find(st, &spec->request);
    if (s->class)
        s->level = hqi_state_queue_level(st, s->class, spec->priority);
    else
        s->class = p->class = hqi_state_rclass_new(st, &spec->request);
    if (s->class && !s->level)
        s->level = p->level = hqi_state_queue_level_new(st, s->class, spec->priority);
    return s->level && hqi_base_map_reserve(&st->class_map, 1) && hqi_base_map_reserve(&st->level_map, 1);
}

static bool reserve_submit(struct state *st, const struct fact *f)
{
    const struct spec *spec = f->u.submit.spec;
    struct pending *p = &st->pending;
    if (f->u.submit.new_job && !reserve_job(st, f->u.submit.job, f->u.submit.name))
        return false;
    struct job *j = f->u.submit.new_job ? p->job : hqi_state_job(st, f->u.submit.job);
    if (!j)
        return true;
    p->submit = hqi_state_submit_new(st, f->u.submit.submit);
    return p->submit && reserve_queue(st, p->submit, spec) && hqi_base_map_reserve(&st->keys, 1) &&
           hqi_state_job_reserve_spans(st, j, spec->ids.n_ranges) && hqi_state_queue_reserve(st, 1);
}

static bool reserve_cancel(struct state *st, const struct fact *f)
{
    struct bytes reason = f->u.job_cancel.reason;
    if (reason.n == 0)
        return true;
    st->pending.reason = hqi_base_alloc_strdup(st->alloc, reason.p, reason.n);
    st->pending.reason_len = (uint32_t)reason.n;
    return st->pending.reason != NULL;
}

static bool reserve_join(struct state *st, const struct fact *f)
{
    st->pending.worker = hqi_state_worker_new(st, f->u.worker_join.worker, f->u.worker_join.config);
    return st->pending.worker != NULL;
}

/* ---- hand-outs ---- */

static bool reserve_wclass(struct state *st, const struct worker *w, struct rclass *c)
{
    if (hqi_state_wclass(w, c))
        return true;
    list_for(n, &st->pending.wclasses)
        if (hqi_container(n, struct wclass, in_worker)->class == c)
            return true;
    struct wclass *wc = hqi_state_worker_class_new(st, c);
    if (!wc)
        return false;
    list_push_back(&st->pending.wclasses, &wc->in_worker);
    return true;
}

static bool reserve_back(struct state *st, const struct fact *f)
{
    const struct worker *w = hqi_state_worker(st, f->u.worker_back.worker);
    for (uint32_t i = 0; w && i < f->u.worker_back.n_submits; i++) {
        struct submit *s = hqi_state_submit(st, f->u.worker_back.submits[i]);
        if (s && !hqi_state_submit_reserve_known(st, s, w->id))
            return false;
    }
    return true;
}

/* Chunks for the group; counts its tasks, and the pieces that taking them out of the queue may need: one per task, one
 * for the rest of a piece that is cut in the middle, and one for what an attempt after the first keeps. */
static bool reserve_group(const struct state *st, struct submit *s, const struct task_group *g,
                          uint64_t *tasks, uint64_t *pieces)
{
    const uint32_t count = s->spec->ids.count;
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        struct ord_range r = g->ranges[i];
        if (r.first >= count)
            continue;
        if (r.count > count - r.first)
            r.count = count - r.first;
        if (!hqi_state_submit_reserve_chunks(st, s, r))
            return false;
        *tasks += r.count;
        *pieces += (uint64_t)r.count * (g->instance > 0 ? 2 : 1) + 1;
    }
    return true;
}

static bool reserve_handout(struct state *st, const struct fact *f)
{
    const struct worker *w = hqi_state_worker(st, f->u.tasks.worker);
    uint64_t tasks = 0, pieces = 0;
    for (uint32_t i = 0; w && i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        struct submit *s = hqi_state_submit(st, g->submit);
        if (!s)
            continue;
        if (!reserve_wclass(st, w, s->class) || !reserve_group(st, s, g, &tasks, &pieces))
            return false;
        if (g->with_spec && !hqi_state_submit_reserve_known(st, s, w->id))
            return false;
    }
    if (tasks > UINT32_MAX - st->attempts.count)
        return false;
    return hqi_base_map_reserve(&st->attempts, (uint32_t)tasks) && hqi_state_queue_reserve(st, pieces);
}

int hqi_state_reserve(struct state *s, const struct fact *f, hq_error *err)
{
    static bool (*const table[])(struct state *, const struct fact *) = {
        [FACT_JOB_OPEN] = reserve_open,     [FACT_SUBMIT] = reserve_submit,
        [FACT_JOB_CANCEL] = reserve_cancel, [FACT_WORKER_JOIN] = reserve_join,
        [FACT_HANDOUT] = reserve_handout,   [FACT_CLASS] = hqi_state_remains_reserve_class,
        [FACT_ADOPT] = reserve_handout,     [FACT_REMAINS] = hqi_state_remains_reserve,
        [FACT_WORKER_BACK] = reserve_back,
    }; /* the others need no memory */
    hqi_state_reserve_drop(s);
    if (f->kind >= sizeof table / sizeof *table || !table[f->kind] || table[f->kind](s, f))
        return HQ_OK;
    hqi_state_reserve_drop(s);
    hqi_state_queue_trim(s, SPARE_AFTER_FAILURE);
    return hqi_base_error_nomem(err, WHERE);
}
