/* SPDX-License-Identifier: MIT */
/* cancel.c - giving up all of a job that has not ended: because somebody said so, or too much of it failed.
 *
 * Promise: work for what is handed out and for the pieces that wait, none for the tasks in them: a billion tasks that
 * nobody touched are given up by one word in their submit. */
#include "state/cancel.h"

#include "state/attempt.h"
#include "state/job.h"
#include "state/queue.h"

static void give_up(struct state *st, struct piece *p, uint8_t state, uint64_t utc_ms)
{
    const struct outcome o = {
        .state = state,
        .variant = p->variant,
        .started = p->started,
        .start_ms = p->start_ms,
        .duration_ms = utc_ms > p->start_ms ? utc_ms - p->start_ms : 0,
    };
    hqi_state_attempt_settle(st, p, hqi_state_wclass(p->worker, p->submit->class), &o, utc_ms);
}

static void give_up_range(struct state *st, const struct submit *s, struct ord_range r, uint8_t state,
                          uint64_t utc_ms)
{
    for (uint32_t i = 0; i < r.count; i++) {
        struct piece *p = hqi_state_attempt(st, s->id, r.first + i);
        if (p)
            give_up(st, p, state, utc_ms);
    }
}

static void give_up_named(struct state *st, const struct job *j, const struct worker_tasks *t, uint8_t state,
                          uint64_t utc_ms)
{
    for (uint32_t i = 0; i < t->n_groups; i++) {
        const struct submit *s = hqi_state_submit(st, t->groups[i].submit);
        for (uint32_t k = 0; s && s->job == j && k < t->groups[i].n_ranges; k++)
            give_up_range(st, s, t->groups[i].ranges[k], state, utc_ms);
    }
}

/* The fact names what is handed out, so that it is found without a search. Should it have left something out,
 * the search is made: nothing of the job may stay with a worker. */
static void give_up_unnamed(struct state *st, const struct submit *s, uint8_t state, uint64_t utc_ms)
{
    for (uint32_t i = 1; i <= st->n_workers && s->active > 0; i++) {
        struct worker *w = st->workers[i];
        if (!w)
            continue;
        list_for_safe(n, next, &w->active) {
            struct piece *p = hqi_container(n, struct piece, in_worker);
            if (p->submit == s)
                give_up(st, p, state, utc_ms);
        }
    }
}

static void give_up_waiting(struct state *st, struct submit *s, uint8_t state, uint64_t utc_ms)
{
    uint64_t n = s->counts[HQ_TASK_WAITING];
    if (n == 0)
        return;
    hqi_state_queue_drop(st, s);
    s->rest_state = state;
    s->rest_ms = utc_ms;
    s->counts[HQ_TASK_WAITING] = 0;
    s->counts[state] += n;
    s->job->counts[HQ_TASK_WAITING] -= n;
    s->job->counts[state] += n;
}

static void give_up_job(struct state *st, struct job *j, const struct fact *f, uint8_t state)
{
    for (uint32_t i = 0; i < f->u.job_cancel.n_active; i++)
        give_up_named(st, j, &f->u.job_cancel.active[i], state, f->utc_ms);
    list_for(n, &j->submits) {
        struct submit *s = hqi_container(n, struct submit, in_job);
        give_up_unnamed(st, s, state, f->utc_ms);
        give_up_waiting(st, s, state, f->utc_ms);
    }
    hqi_state_job_touch(st, j, f->utc_ms);
}

/* The latest reason counts, none at all included. */
static void take_reason(struct state *st, struct job *j)
{
    hqi_base_alloc_free(st->alloc, j->cancel_reason);
    j->cancel_reason = st->pending.reason;
    j->reason_len = st->pending.reason_len;
    st->pending.reason = NULL;
    st->pending.reason_len = 0;
}

void hqi_state_cancel_apply_cancel(struct state *st, struct fact *f)
{
    struct job *j = hqi_state_job(st, f->u.job_cancel.job);
    if (!j)
        return;
    take_reason(st, j);
    j->cancel_key = f->u.job_cancel.key;
    j->canceled = j->counts[HQ_TASK_WAITING] + j->counts[HQ_TASK_RUNNING];
    give_up_job(st, j, f, HQ_TASK_CANCELED);
}

void hqi_state_cancel_apply_abort(struct state *st, struct fact *f)
{
    struct job *j = hqi_state_job(st, f->u.job_abort.job);
    if (j)
        give_up_job(st, j, f, HQ_TASK_ABORTED);
}
