/* SPDX-License-Identifier: MIT */
/* wait.c - commands whose reply waits: for jobs to end, for a job to change, for workers to come. A waiter is a cursor (ids
 * and a change counter), never a queue: it costs the same however much happens. */
#include <string.h>

#include "core/inner.h"

static struct waiter *waiter_new(struct core *c, uint64_t client, const struct command *cmd, const uint32_t *ids, uint32_t n)
{
    struct waiter *w = hqi_base_alloc_zero(c->alloc, 1, sizeof *w + (size_t)n * sizeof *ids);
    if (!w) {
        hqi_core_no_memory(c, client, cmd);
        return NULL;
    }
    w->client = client;
    w->id = cmd->id;
    w->kind = cmd->kind;
    w->count = n;
    if (n)
        memcpy(w->jobs, ids, n * sizeof *ids);
    list_push_back(&c->waiters, &w->link);
    c->changed = true; /* it may have what it waits for already: the next look tells */
    return w;
}

static bool unfinished(const struct job *j, struct key key)
{
    return !hqi_state_job_ended(j);
}

void hqi_core_job_wait(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    (void)now;
    if (!hqi_core_select_jobs(c, &cmd->u.jobs.jobs, unfinished, cmd->key, &s)) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    if (s.n == 0 && s.n_missing > 0) { /* there is nothing to wait for, and whoever waits should know */
        struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
        if (!r) {
            hqi_core_no_memory(c, client, cmd);
            return;
        }
        r->u.jobs.missing = s.missing;
        r->u.jobs.n_missing = s.n_missing;
        return;
    }
    struct waiter *w = waiter_new(c, client, cmd, s.ids, s.n);
    if (w)
        w->without_close = cmd->u.jobs.without_close;
}

void hqi_core_job_progress(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    if (!hqi_core_select_jobs(c, &cmd->u.jobs.jobs, NULL, cmd->key, &s)) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    struct waiter *w = waiter_new(c, client, cmd, s.ids, s.n);
    if (!w)
        return;
    w->since = cmd->u.jobs.since;
    w->not_before_ns = w->since ? now->mono_ns + PROGRESS_INTERVAL_NS : 0;
}

void hqi_core_worker_wait(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    (void)now;
    struct waiter *w = waiter_new(c, client, cmd, NULL, 0);
    if (w)
        w->count = cmd->u.worker_wait.count;
}

/* ---- looking ---- */

static bool jobs_ended(const struct core *c, struct waiter *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){w->jobs[i]});
        bool done = !j || (w->without_close ? hqi_state_job_idle(j) : hqi_state_job_ended(j));
        if (!done)
            w->jobs[n++] = w->jobs[i];
    }
    w->count = n; /* once ended, always ended; once idle is enough for without_close */
    return n == 0;
}

static uint64_t latest_change(const struct core *c, const struct waiter *w)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){w->jobs[i]});
        if (j && j->change > at)
            at = j->change;
    }
    return at;
}

static bool all_ended(const struct core *c, const struct waiter *w)
{
    for (uint32_t i = 0; i < w->count; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){w->jobs[i]});
        if (j && !hqi_state_job_ended(j))
            return false;
    }
    return true;
}

/* Of jobs that have all ended, or are forgotten, no more news will come: that is told at once. */
static bool progress_ready(const struct core *c, const struct waiter *w, const struct now *now)
{
    if (w->since == 0 || all_ended(c, w))
        return true;
    return latest_change(c, w) > w->since && now->mono_ns >= w->not_before_ns;
}

static uint32_t running_workers(const struct core *c)
{
    uint32_t n = 0;
    for (uint32_t id = 1; id <= c->state->n_workers; id++) {
        const struct worker *w = hqi_state_worker(c->state, (hq_worker_id){id});
        n += w && w->end == HQ_WORKER_RUNNING && !hqi_core_is_away(c, w->id);
    }
    return n;
}

static bool ready(struct core *c, struct waiter *w, const struct now *now)
{
    if (w->kind == COMMAND_JOB_WAIT)
        return jobs_ended(c, w);
    if (w->kind == COMMAND_WORKER_WAIT)
        return running_workers(c) >= w->count;
    return progress_ready(c, w, now);
}

/* False: no memory; it waits on. */
static bool answer(struct core *c, struct waiter *w)
{
    struct list *mark = hqi_core_mark(c);
    struct reply *r = hqi_core_reply(c, w->client, w->id, w->kind);
    if (!r)
        return false;
    if (w->kind != COMMAND_JOB_PROGRESS)
        return true;
    r->u.jobs.change = latest_change(c, w);
    if (hqi_core_fill_jobs(c, r, w->jobs, w->count, false))
        return true;
    hqi_core_take_back(c, mark);
    return false;
}

void hqi_core_waiters_look(struct core *c, const struct now *now)
{
    c->changed = false;
    list_for_safe(it, tmp, &c->waiters) {
        struct waiter *w = hqi_container(it, struct waiter, link);
        if (!ready(c, w, now))
            continue;
        if (!answer(c, w)) {
            c->changed = true;
            hqi_core_retry_later(c, now);
            continue;
        }
        list_unlink(&w->link);
        hqi_base_alloc_free(c->alloc, w);
    }
}

uint64_t hqi_core_waiters_deadline(const struct core *c)
{
    uint64_t at = UINT64_MAX;
    list_for(it, &c->waiters) {
        const struct waiter *w = hqi_container(it, struct waiter, link);
        if (w->kind == COMMAND_JOB_PROGRESS && latest_change(c, w) > w->since && w->not_before_ns < at)
            at = w->not_before_ns;
    }
    return at;
}
