/* SPDX-License-Identifier: MIT */
/* decide.c - commands that change jobs and workers, but for submitting: each is checked whole, becomes facts, and is
 * answered. A selector's ids are independent of each other: what cannot be done is reported per id. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "core/inner.h"
#include "model/name.h"

/* ---- job open ---- */

static int open_job(struct core *c, const struct now *now, struct command *cmd, hq_job_id *ret, hq_error *err)
{
    struct fact f = {.kind = FACT_JOB_OPEN, .utc_ms = now->utc_ms};
    const struct job *old = hqi_state_job_by_key(c->state, cmd->key);
    if (old) {
        *ret = old->id;
        return HQ_OK;
    }
    int r = hqi_model_name_check(cmd->u.job_open.name, "job name", err);
    if (r < 0)
        return r;
    if (c->state->n_jobs >= HQI_MAX_JOBS)
        return hqi_base_error_set(err, HQ_ELIMIT, "core", "The server has given out all of its job ids");
    f.u.job_open.job.n = c->state->n_jobs + 1;
    f.u.job_open.name = cmd->u.job_open.name;
    f.u.job_open.max_fails = cmd->u.job_open.max_fails;
    f.u.job_open.key = cmd->key;
    *ret = f.u.job_open.job;
    return hqi_core_commit(c, &f, 1, err);
}

void hqi_core_job_open(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    hq_error err;
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    if (!r)
        hqi_core_no_memory(c, client, cmd);
    else if (open_job(c, now, cmd, &r->u.job.job, &err) < 0)
        hqi_core_reply_fail(c, r, err.code, err.text);
}

/* ---- outcomes per id ---- */

/* Room for the outcome of each id, and the reply, before anything changes. NULL: no memory, and that was said. */
static struct id_outcome *outcomes_new(struct core *c, uint64_t client, const struct command *cmd,
                                       const struct selected *s, struct reply **r)
{
    struct id_outcome *v = hqi_base_arena_zero(&c->mem, s->n + s->n_missing + 1u, sizeof *v);
    *r = v ? hqi_core_reply(c, client, cmd->id, cmd->kind) : NULL;
    if (*r)
        return v;
    hqi_core_no_memory(c, client, cmd);
    return NULL;
}

static int by_id(const void *x, const void *y)
{
    const struct id_outcome *a = x, *b = y;
    return (a->id > b->id) - (a->id < b->id);
}

static void fill_outcomes(struct reply *r, struct id_outcome *v, const struct selected *s)
{
    uint32_t n = s->n;
    for (uint32_t i = 0; i < s->n_missing; i++)
        v[n++] = (struct id_outcome){.id = s->missing[i], .outcome = OUTCOME_NOT_FOUND};
    qsort(v, n, sizeof *v, by_id);
    r->u.outcomes.ids = v;
    r->u.outcomes.n = n;
}

/* ---- job close ---- */

/* What the same command has closed before it answers for. */
static bool is_open(const struct job *j, struct key key)
{
    return j->open || key_is(j->close_key, key);
}

void hqi_core_job_close(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    struct reply *r;
    if (!hqi_core_select_jobs(c, &cmd->u.jobs.jobs, is_open, cmd->key, &s)) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    struct id_outcome *v = outcomes_new(c, client, cmd, &s, &r);
    for (uint32_t i = 0; v && i < s.n; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){s.ids[i]});
        struct fact f = {.kind = FACT_JOB_CLOSE, .utc_ms = now->utc_ms};
        v[i] = (struct id_outcome){.id = s.ids[i], .outcome = OUTCOME_ALREADY};
        if (!j->open) {
            v[i].outcome = key_is(j->close_key, cmd->key) ? OUTCOME_DONE : OUTCOME_ALREADY;
            continue;
        }
        f.u.job_close.job = j->id;
        f.u.job_close.key = cmd->key;
        v[i].outcome = hqi_core_commit(c, &f, 1, NULL) < 0 ? OUTCOME_FAILED : OUTCOME_DONE;
    }
    if (v)
        fill_outcomes(r, v, &s);
}

/* ---- cancel and abort ---- */

/* Sorted by worker, so that each worker's tasks are one entry; then by task. */
static int by_worker(const void *x, const void *y)
{
    const struct piece *a = *(struct piece *const *)x, *b = *(struct piece *const *)y;
    if (a->worker != b->worker)
        return a->worker->id.n < b->worker->id.n ? -1 : 1;
    if (a->submit->id != b->submit->id)
        return a->submit->id < b->submit->id ? -1 : 1;
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    return (a->first > b->first) - (a->first < b->first);
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static bool is_dealt(const struct dealt *d, const struct piece *p)
{
    uint64_t key = (uint64_t)p->submit->id << 32 | p->first;
    return d && d->n && bsearch(&key, d->attempts, d->n, sizeof key, by_number);
}

static uint32_t gather_active(struct core *c, const struct job *j, const struct dealt *dealt, struct piece **v)
{
    uint32_t n = 0;
    for (uint32_t id = 1; id <= c->state->n_workers; id++) {
        struct worker *w = hqi_state_worker(c->state, (hq_worker_id){id});
        if (!w)
            continue;
        list_for(it, &w->active) {
            struct piece *p = hqi_container(it, struct piece, in_worker);
            if (p->submit->job == j && !is_dealt(dealt, p))
                v[n++] = p;
        }
    }
    return n;
}

struct grouping {
    struct worker_tasks *workers;
    struct task_group *groups;
    struct ord_range *ranges;
    uint32_t n_workers, n_groups, n_ranges;
};

static void group_piece(struct grouping *g, const struct piece *p)
{
    struct worker_tasks *w = g->n_workers ? &g->workers[g->n_workers - 1] : NULL;
    if (!w || w->worker.n != p->worker->id.n) {
        w = &g->workers[g->n_workers++];
        *w = (struct worker_tasks){p->worker->id, &g->groups[g->n_groups], 0};
    }
    struct task_group *t = w->n_groups ? &g->groups[g->n_groups - 1] : NULL;
    if (!t || t->submit != p->submit->id || t->instance != p->instance) {
        t = &g->groups[g->n_groups++];
        *t = (struct task_group){.submit = p->submit->id, .instance = p->instance, .ranges = &g->ranges[g->n_ranges]};
        w->n_groups++;
    }
    struct ord_range *r = t->n_ranges ? &g->ranges[g->n_ranges - 1] : NULL;
    if (r && r->first + r->count == p->first) {
        r->count++;
        return;
    }
    g->ranges[g->n_ranges++] = (struct ord_range){p->first, 1};
    t->n_ranges++;
}

bool hqi_core_end_job_fact(struct core *c, uint8_t kind, struct job *j, uint64_t utc_ms, struct bytes reason,
                           const struct dealt *dealt, struct fact *ret)
{
    uint32_t n = 0;
    list_for(it, &j->submits)
        n += hqi_container(it, struct submit, in_job)->active;
    struct piece **v = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *v);
    struct grouping g = {.workers = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *g.workers),
                         .groups = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *g.groups),
                         .ranges = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *g.ranges)};
    if (!v || !g.workers || !g.groups || !g.ranges)
        return false;
    n = gather_active(c, j, dealt, v);
    qsort(v, n, sizeof *v, by_worker);
    for (uint32_t i = 0; i < n; i++)
        group_piece(&g, v[i]);
    *ret = (struct fact){.kind = kind, .utc_ms = utc_ms};
    ret->u.job_cancel.job = j->id;
    ret->u.job_cancel.reason = reason;
    ret->u.job_cancel.active = g.workers;
    ret->u.job_cancel.n_active = g.n_workers;
    return true;
}

static bool is_active(const struct job *j, struct key key)
{
    return !hqi_state_job_idle(j) || key_is(j->cancel_key, key);
}

static void cancel_one(struct core *c, const struct now *now, const struct command *cmd, struct id_outcome *o)
{
    struct job *j = hqi_state_job(c->state, (hq_job_id){o->id});
    uint64_t active = j->counts[HQ_TASK_WAITING] + j->counts[HQ_TASK_RUNNING];
    struct fact f;
    if (key_is(j->cancel_key, cmd->key)) { /* asked again: what the first time did, and nothing more */
        *o = (struct id_outcome){o->id, OUTCOME_DONE, j->canceled, hqi_state_job_total(j) - active - j->canceled};
        return;
    }
    o->already = hqi_state_job_total(j) - active;
    o->outcome = OUTCOME_ALREADY;
    if (active == 0)
        return;
    o->outcome = OUTCOME_FAILED;
    if (!hqi_core_end_job_fact(c, FACT_JOB_CANCEL, j, now->utc_ms, cmd->u.jobs.reason, NULL, &f))
        return;
    f.u.job_cancel.key = cmd->key;
    if (hqi_core_commit(c, &f, 1, NULL) < 0)
        return;
    o->outcome = OUTCOME_DONE;
    o->done = active;
}

void hqi_core_job_cancel(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    struct reply *r;
    if (cmd->u.jobs.reason.n > HQI_MAX_REASON) {
        hqi_core_reply_error(c, client, cmd, HQ_ELIMIT, "The reason of a cancellation has at most 200 bytes");
        return;
    }
    if (!hqi_core_select_jobs(c, &cmd->u.jobs.jobs, is_active, cmd->key, &s)) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    struct id_outcome *v = outcomes_new(c, client, cmd, &s, &r);
    for (uint32_t i = 0; v && i < s.n; i++) {
        v[i].id = s.ids[i];
        cancel_one(c, now, cmd, &v[i]);
    }
    if (v)
        fill_outcomes(r, v, &s);
}

/* ---- forget ---- */

#define FORGETTABLE                                                                                           \
    (1u << HQ_TASK_FINISHED | 1u << HQ_TASK_FAILED | 1u << HQ_TASK_CANCELED | 1u << HQ_TASK_ABORTED)

void hqi_core_job_forget(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    uint32_t states = cmd->u.jobs.states ? cmd->u.jobs.states : FORGETTABLE;
    uint32_t done = 0;
    struct reply *r = hqi_core_select_jobs(c, &cmd->u.jobs.jobs, NULL, cmd->key, &s)
                          ? hqi_core_reply(c, client, cmd->id, cmd->kind)
                          : NULL;
    if (!r) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    for (uint32_t i = 0; i < s.n; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){s.ids[i]});
        struct fact f = {.kind = FACT_JOB_FORGET, .utc_ms = now->utc_ms};
        if (!hqi_state_job_ended(j) || !(states & 1u << hqi_state_job_derived(j)))
            continue;
        f.u.job_forget.job = j->id;
        done += hqi_core_commit(c, &f, 1, NULL) >= 0;
    }
    r->u.outcomes.forgotten = done;
    r->u.outcomes.ignored = s.n - done + s.n_missing;
}

/* ---- worker stop ---- */

void hqi_core_worker_stop(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    struct reply *r;
    if (!hqi_core_select_workers(c, &cmd->u.workers.workers, true, &s)) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    struct id_outcome *v = outcomes_new(c, client, cmd, &s, &r);
    for (uint32_t i = 0; v && i < s.n; i++) {
        const struct worker *w = hqi_state_worker(c->state, (hq_worker_id){s.ids[i]});
        struct fact f = {.kind = FACT_WORKER_STOP, .utc_ms = now->utc_ms};
        v[i] = (struct id_outcome){.id = s.ids[i], .outcome = OUTCOME_ALREADY};
        if (w->end != HQ_WORKER_RUNNING)
            continue;
        v[i].outcome = OUTCOME_DONE; /* asking again is fine */
        if (w->stopping)
            continue;
        f.u.worker_stop.worker = w->id;
        f.u.worker_stop.reason = HQ_WORKER_STOPPED;
        if (hqi_core_commit(c, &f, 1, NULL) < 0)
            v[i].outcome = OUTCOME_FAILED;
    }
    if (v)
        fill_outcomes(r, v, &s);
}
