/* SPDX-License-Identifier: MIT */
/* effects.c - what a fact that was just applied makes the server say, and nothing hangs on: to workers which submits
 * they may forget; to clients that asked for it, which tasks changed. When memory is short these get lost: a
 * worker then keeps a submit until its session ends, a client asks again. */
#include "core/inner.h"

/* Nothing of the submit will run any more: its workers may forget it. */
void hqi_core_drop_if_ended(struct core *c, const struct submit *s)
{
    if (s && s->counts[HQ_TASK_WAITING] + s->counts[HQ_TASK_RUNNING] == 0 && !hqi_core_tell_drop(c, s))
        hqi_base_log_write(c->log, LOG_ERROR, "core", "out of memory: not all workers are told to forget submit %u", s->id);
}

/* ---- task events ---- */

static bool watched(const struct core *c, hq_job_id job)
{
    list_for(it, &c->subscribers)
        if (hqi_container(it, struct subscriber, link)->job.n == job.n)
            return true;
    return false;
}

static void tell_event(struct core *c, hq_job_id job, const hq_range *ids, uint32_t n, uint8_t state, hq_worker_id by)
{
    list_for(it, &c->subscribers) {
        const struct subscriber *s = hqi_container(it, struct subscriber, link);
        struct out *o = s->job.n == job.n ? hqi_core_put(c, OUT_TASKS_EVENT, OUT_SYNCED) : NULL;
        if (!o)
            continue;
        o->client = s->client;
        o->u.event.job = job;
        o->u.event.ids = ids;
        o->u.event.n = n;
        o->u.event.state = state;
        o->u.event.by = by;
    }
}

/* `codes` NULL: all rows are in `state`; else those whose code makes them so. */
static void event_rows(struct core *c, const struct submit *s, const uint32_t *ordinals, uint32_t n,
                       const uint16_t *codes, uint8_t state, hq_worker_id by)
{
    struct id_ranges ids = {.mem = &c->mem};
    for (uint32_t i = 0; i < n; i++) {
        uint8_t is = !codes ? state : codes[i] == 0 ? HQ_TASK_FINISHED : HQ_TASK_FAILED;
        if (is == state && !hqi_model_intset_gather(&ids, hqi_model_intset_select(&s->spec->ids, ordinals[i]))) {
            tell_event(c, s->job->id, NULL, 0, state, by);
            return;
        }
    }
    if (ids.n)
        tell_event(c, s->job->id, ids.v, ids.n, state, by);
}

static void on_started(struct core *c, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.started.n_groups; i++) {
        const struct start_group *g = &f->u.started.groups[i];
        const struct submit *s = hqi_state_submit(c->state, g->submit);
        if (s && watched(c, s->job->id))
            event_rows(c, s, g->ordinals, g->n, NULL, HQ_TASK_RUNNING, f->u.started.worker);
    }
}

static void on_ended(struct core *c, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.ended.n_groups; i++) {
        const struct end_group *g = &f->u.ended.groups[i];
        const struct submit *s = hqi_state_submit(c->state, g->submit);
        if (s && watched(c, s->job->id)) {
            event_rows(c, s, g->ordinals, g->n, g->code, HQ_TASK_FINISHED, f->u.ended.worker);
            event_rows(c, s, g->ordinals, g->n, g->code, HQ_TASK_FAILED, f->u.ended.worker);
        }
        hqi_core_drop_if_ended(c, s);
    }
}

static void on_crashed(struct core *c, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++)
        hqi_core_drop_if_ended(c, hqi_state_submit(c->state, f->u.tasks.groups[i].submit));
}

static void on_job_end(struct core *c, const struct fact *f)
{
    struct job *j = hqi_state_job(c->state, f->u.job_cancel.job);
    if (watched(c, j->id))
        tell_event(c, j->id, NULL, 0, f->kind == FACT_JOB_CANCEL ? HQ_TASK_CANCELED : HQ_TASK_ABORTED, (hq_worker_id){0});
}

static void on_forget(struct core *c, const struct fact *f)
{
    list_for_safe(it, tmp, &c->subscribers) {
        struct subscriber *s = hqi_container(it, struct subscriber, link);
        if (s->job.n != f->u.job_forget.job.n)
            continue;
        list_unlink(&s->link);
        hqi_base_alloc_free(c->alloc, s);
    }
}

typedef void effect(struct core *c, const struct fact *f);

static effect *const effects[] = {
    [FACT_STARTED] = on_started,    [FACT_ENDED] = on_ended,        [FACT_CRASHED] = on_crashed,
    [FACT_JOB_CANCEL] = on_job_end, [FACT_JOB_ABORT] = on_job_end, [FACT_JOB_FORGET] = on_forget,
};

void hqi_core_effects(struct core *c, const struct fact *f)
{
    if (f->kind < sizeof effects / sizeof *effects && effects[f->kind])
        effects[f->kind](c, f);
}
