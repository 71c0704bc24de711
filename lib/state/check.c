/* SPDX-License-Identifier: MIT */
/* check.c - could decide have made this fact in this state? For facts that come from a file.
 *
 * Promise: reads only; bounded by the fact, never by the numbers in it; what it lets through costs no more memory than
 * an honest fact of its kind. It asks what keeps the state whole, not what would have been wise. */
#include "base/error.h"
#include "base/limits.h"
#include "state/queue.h"
#include "state/remains.h"
#include "state/submit.h"

#define WHERE "state"
#define MAX_HANDOUT (1u << 20)   /* tasks in one fact; honest ones have fewer than 100,000 */
#define MAX_SIGNAL 64u

#define refuse(err, ...) hqi_base_error_set(err, HQ_EJOURNAL, WHERE, __VA_ARGS__)

/* ---- who and what ---- */

static int check_worker(const struct state *st, hq_worker_id id, hq_error *err)
{
    const struct worker *w = hqi_state_worker(st, id);
    if (!w)
        return refuse(err, "worker %u is unknown", id.n);
    if (w->end != HQ_WORKER_RUNNING)
        return refuse(err, "worker %u has ended before", id.n);
    return HQ_OK;
}

static int check_job(const struct state *st, hq_job_id id, hq_error *err)
{
    return hqi_state_job(st, id) ? HQ_OK : refuse(err, "job %u is unknown", id.n);
}

static int check_new_job(const struct state *st, hq_job_id id, struct bytes name, hq_error *err)
{
    if (id.n <= st->n_jobs)
        return refuse(err, "job %u is not new: the last one was %u", id.n, st->n_jobs);
    if (id.n > HQI_MAX_JOBS)
        return refuse(err, "job %u is above %u", id.n, HQI_MAX_JOBS);
    if (name.n > HQI_MAX_NAME)
        return refuse(err, "the name of job %u has %zu bytes, at most %u are allowed", id.n, name.n,
                      HQI_MAX_NAME);
    return HQ_OK;
}

static int check_reason(uint8_t reason, hq_error *err)
{
    if (reason < HQ_WORKER_STOPPED || reason > HQ_WORKER_TIME_LIMIT)
        return refuse(err, "%u is not the end of a worker", reason);
    return HQ_OK;
}

/* ---- server, jobs, workers ---- */

static bool is_uid(struct bytes uid)
{
    for (size_t i = 0; i < uid.n; i++) {
        char c = uid.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')))
            return false;
    }
    return uid.n > 0 && uid.n < sizeof((struct state *)NULL)->uid;
}

static int check_server_start(const struct state *st, const struct fact *f, hq_error *err)
{
    if (f->u.server_start.epoch <= st->epoch)
        return refuse(err, "epoch %llu does not follow %llu", (unsigned long long)f->u.server_start.epoch,
                      (unsigned long long)st->epoch);
    if (!is_uid(f->u.server_start.uid))
        return refuse(err, "the server's uid is not a few letters and digits");
    return HQ_OK;
}

static int check_server_stop(const struct state *st, const struct fact *f, hq_error *err)
{
    return HQ_OK;
}

static int check_key(const struct state *st, struct key key, hq_error *err)
{
    const struct job *j = hqi_state_job_by_key(st, key);
    return j ? refuse(err, "job %u was made by the same command", j->id.n) : HQ_OK;
}

static int check_open(const struct state *st, const struct fact *f, hq_error *err)
{
    int rc = check_new_job(st, f->u.job_open.job, f->u.job_open.name, err);
    return rc < 0 ? rc : check_key(st, f->u.job_open.key, err);
}

static int check_place(const struct state *st, const struct fact *f, hq_error *err)
{
    hq_job_id id = f->u.submit.job;
    if (f->u.submit.submit <= st->n_submits || f->u.submit.submit > MAX_SUBMITS)
        return refuse(err, "submit %u is not between %u and %u", f->u.submit.submit, st->n_submits + 1,
                      MAX_SUBMITS);
    if (f->u.submit.new_job)
        return check_new_job(st, id, f->u.submit.name, err);
    int rc = check_job(st, id, err);
    if (rc == HQ_OK && !hqi_state_job(st, id)->open)
        return refuse(err, "submit %u goes into job %u, which is closed", f->u.submit.submit, id.n);
    return rc;
}

static int check_submit(const struct state *st, const struct fact *f, hq_error *err)
{
    const struct spec *spec = f->u.submit.spec;
    uint32_t id = f->u.submit.submit, first;
    hq_error inner;
    int rc = check_place(st, f, err);
    if (rc == HQ_OK)
        rc = check_key(st, f->u.submit.key, err);
    if (rc < 0)
        return rc;
    if (!spec)
        return refuse(err, "submit %u says nothing of its tasks", id);
    if (hqi_model_spec_check(spec, &inner) < 0)
        return refuse(err, "submit %u: %s", id, inner.text);
    if (!f->u.submit.new_job && hqi_state_job_meets(hqi_state_job(st, f->u.submit.job), &spec->ids, &first))
        return refuse(err, "submit %u: task %u already exists in job %u", id, first, f->u.submit.job.n);
    return HQ_OK;
}

static int check_close(const struct state *st, const struct fact *f, hq_error *err)
{
    int rc = check_job(st, f->u.job_close.job, err);
    if (rc == HQ_OK && !hqi_state_job(st, f->u.job_close.job)->open)
        return refuse(err, "job %u is closed already", f->u.job_close.job.n);
    return rc;
}

/* A journal that was pruned has no more of an ended job; the server that wrote it had, and may have forgotten it since. */
static int check_forget(const struct state *st, const struct fact *f, hq_error *err)
{
    if (f->u.job_forget.job.n > 0 && f->u.job_forget.job.n <= st->n_jobs && !hqi_state_job(st, f->u.job_forget.job))
        return HQ_OK;
    int rc = check_job(st, f->u.job_forget.job, err);
    if (rc == HQ_OK && !hqi_state_job_ended(hqi_state_job(st, f->u.job_forget.job)))
        return refuse(err, "job %u is forgotten before its end", f->u.job_forget.job.n);
    return rc;
}

static int check_join(const struct state *st, const struct fact *f, hq_error *err)
{
    hq_worker_id id = f->u.worker_join.worker;
    hq_error inner;
    if (id.n <= st->n_workers || id.n > HQI_MAX_WORKERS)
        return refuse(err, "worker %u is not between %u and %u", id.n, st->n_workers + 1, HQI_MAX_WORKERS);
    if (!f->u.worker_join.config)
        return refuse(err, "worker %u says nothing of itself", id.n);
    if (f->u.worker_join.token.n != 0 && f->u.worker_join.token.n != HQI_TOKEN_BYTES)
        return refuse(err, "worker %u has a token of %zu bytes, not %u", id.n, f->u.worker_join.token.n, HQI_TOKEN_BYTES);
    if (hqi_model_config_check(f->u.worker_join.config, &inner) < 0)
        return refuse(err, "worker %u: %s", id.n, inner.text);
    return HQ_OK;
}

static int check_stop(const struct state *st, const struct fact *f, hq_error *err)
{
    int rc = check_worker(st, f->u.worker_stop.worker, err);
    return rc < 0 ? rc : check_reason(f->u.worker_stop.reason, err);
}

/* Submits that are not there any more may be named. */
static int check_back(const struct state *st, const struct fact *f, hq_error *err)
{
    return check_worker(st, f->u.worker_back.worker, err);
}

/* ---- hand-outs ---- */

/* Do all tasks of the range wait, with this instance? */
static int check_waiting(const struct submit *s, uint32_t instance, struct ord_range r, hq_error *err)
{
    uint64_t at = r.first, end = at + r.count;
    for (const struct piece *p = hqi_state_queue_find(s, r.first); at < end; p = hqi_state_queue_next(p)) {
        if (!p || p->first > at)
            return refuse(err, "task %llu of submit %u is handed out, but does not wait",
                          (unsigned long long)at, s->id);
        if (p->instance != instance)
            return refuse(err, "task %llu of submit %u waits for instance %u, not %u", (unsigned long long)at,
                          s->id, p->instance, instance);
        at = (uint64_t)p->first + p->count;
    }
    return HQ_OK;
}

/* Is each task of the range waiting, or handed out to whomever? */
static int check_unfinished(const struct state *st, const struct submit *s, struct ord_range r, hq_error *err)
{
    uint64_t end = (uint64_t)r.first + r.count;
    for (uint64_t at = r.first; at < end; at++)
        if (!hqi_state_waiting(s, (uint32_t)at) && !hqi_state_attempt(st, s->id, (uint32_t)at))
            return refuse(err, "task %llu of submit %u is adopted, but has ended", (unsigned long long)at, s->id);
    return HQ_OK;
}

static int check_there(const struct submit *s, struct ord_range r, hq_error *err)
{
    uint64_t end = (uint64_t)r.first + r.count;
    if (r.count == 0 || end > s->spec->ids.count)
        return refuse(err, "submit %u has no tasks %u to %llu", s->id, r.first, (unsigned long long)end);
    return HQ_OK;
}

static int check_range(const struct state *st, const struct fact *f, const struct submit *s, const struct task_group *g,
                       struct ord_range r, hq_error *err)
{
    int rc = check_there(s, r, err);
    if (rc < 0 || f->kind == FACT_REFUSED)
        return rc;
    return f->kind == FACT_ADOPT ? check_unfinished(st, s, r, err) : check_waiting(s, g->instance, r, err);
}

static int check_handout(const struct state *st, const struct fact *f, hq_error *err)
{
    uint64_t tasks = 0;
    int rc = check_worker(st, f->u.tasks.worker, err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        const struct submit *s = hqi_state_submit(st, g->submit);
        if (!s)
            return refuse(err, "submit %u is unknown", g->submit);
        for (uint32_t k = 0; rc == HQ_OK && k < g->n_ranges; k++) {
            tasks += g->ranges[k].count;
            rc = check_range(st, f, s, g, g->ranges[k], err);
        }
        if (rc == HQ_OK && tasks > MAX_HANDOUT)
            return refuse(err, "%llu tasks in one hand-out, at most %u are allowed",
                          (unsigned long long)tasks, MAX_HANDOUT);
    }
    return rc;
}

/* ---- attempts ---- */

/* A worker, and the attempts that it has. */
static int check_holder(const struct state *st, hq_worker_id id, struct attempt_walk *ret, hq_error *err)
{
    int rc = check_worker(st, id, err);
    if (rc == HQ_OK)
        *ret = hqi_state_walk(hqi_state_worker(st, id));
    return rc;
}

static int refuse_attempt(const struct state *st, const struct worker *w, uint32_t submit, uint32_t instance,
                          uint32_t ordinal, hq_error *err)
{
    const struct piece *p = hqi_state_attempt(st, submit, ordinal);
    if (!p)
        return refuse(err, "task %u of submit %u is not handed out", ordinal, submit);
    if (p->worker != w)
        return refuse(err, "task %u of submit %u is with worker %u, not %u", ordinal, submit, p->worker->id.n,
                      w->id.n);
    return refuse(err, "task %u of submit %u is handed out as instance %u, not %u", ordinal, submit, p->instance,
                  instance);
}

static int check_attempt(const struct state *st, struct attempt_walk *k, uint32_t submit, uint32_t instance, uint32_t ordinal,
                         hq_error *err)
{
    const struct piece *p = hqi_state_walk_to(st, k, submit, ordinal);
    return p && p->instance == instance ? HQ_OK : refuse_attempt(st, k->worker, submit, instance, ordinal, err);
}

static int check_group(const struct state *st, const struct worker *w, const struct task_group *g, hq_error *err)
{
    struct attempt_walk walk = hqi_state_walk(w);
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        const struct ord_range r = g->ranges[i];
        if (r.count == 0 || (uint64_t)r.first + r.count > UINT32_MAX)
            return refuse(err, "submit %u has no %u tasks from %u", g->submit, r.count, r.first);
        for (uint32_t k = 0; k < r.count; k++) {
            int rc = check_attempt(st, &walk, g->submit, g->instance, r.first + k, err);
            if (rc < 0)
                return rc;
        }
    }
    return HQ_OK;
}

static int check_tasks(const struct state *st, const struct fact *f, hq_error *err)
{
    int rc = check_worker(st, f->u.tasks.worker, err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.tasks.n_groups; i++)
        rc = check_group(st, hqi_state_worker(st, f->u.tasks.worker), &f->u.tasks.groups[i], err);
    return rc;
}

static int check_given_up(const struct state *st, const struct fact *f, hq_error *err)
{
    int rc = check_job(st, f->u.job_cancel.job, err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.job_cancel.n_active; i++) {
        const struct worker_tasks *t = &f->u.job_cancel.active[i];
        const struct worker *w = hqi_state_worker(st, t->worker);
        for (uint32_t k = 0; rc == HQ_OK && k < t->n_groups; k++)
            rc = w ? check_group(st, w, &t->groups[k], err) : refuse(err, "worker %u is unknown", t->worker.n);
    }
    return rc;
}

static int check_variants(const uint8_t *variant, uint32_t n, hq_error *err)
{
    for (uint32_t i = 0; variant && i < n; i++)
        if (variant[i] >= COLUMN_VARIANTS)
            return refuse(err, "variant %u of a request is not below %u", variant[i], COLUMN_VARIANTS);
    return HQ_OK;
}

static int check_started(const struct state *st, const struct fact *f, hq_error *err)
{
    struct attempt_walk walk;
    int rc = check_holder(st, f->u.started.worker, &walk, err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.started.n_groups; i++) {
        const struct start_group *g = &f->u.started.groups[i];
        rc = check_variants(g->variant, g->n, err);
        for (uint32_t k = 0; rc == HQ_OK && k < g->n; k++)
            rc = check_attempt(st, &walk, g->submit, g->instance, g->ordinals[k], err);
    }
    return rc;
}

static int check_overview(const struct state *st, const struct fact *f, hq_error *err)
{
    return check_worker(st, f->u.overview.worker, err);
}

static bool is_code(uint16_t code)
{
    return code < HQ_CODE_SIGNAL || (code > HQ_CODE_SIGNAL && code <= HQ_CODE_SIGNAL + MAX_SIGNAL) ||
           (code >= HQ_CODE_TIME_LIMIT && code <= HQ_CODE_CRASH_LIMIT);
}

static int check_end_columns(const struct end_group *g, hq_error *err)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (!is_code(g->code[i]))
            return refuse(err, "%u is not how a task ends", g->code[i]);
    for (uint32_t i = 0; i < g->n_texts; i++)
        if (g->texts[i].row >= g->n || (i > 0 && g->texts[i].row <= g->texts[i - 1].row))
            return refuse(err, "error text %u belongs to no task", i);
    return check_variants(g->variant, g->n, err);
}

static int check_ended(const struct state *st, const struct fact *f, hq_error *err)
{
    struct attempt_walk walk;
    int rc = check_holder(st, f->u.ended.worker, &walk, err);
    for (uint32_t i = 0; rc == HQ_OK && i < f->u.ended.n_groups; i++) {
        const struct end_group *g = &f->u.ended.groups[i];
        rc = check_end_columns(g, err);
        for (uint32_t k = 0; rc == HQ_OK && k < g->n; k++)
            rc = check_attempt(st, &walk, g->submit, g->instance, g->ordinals[k], err);
    }
    return rc;
}

int hqi_state_check(const struct state *s, const struct fact *f, hq_error *err)
{
    static int (*const table[])(const struct state *, const struct fact *, hq_error *) = {
        [FACT_SERVER_START] = check_server_start,
        [FACT_JOB_OPEN] = check_open,
        [FACT_SUBMIT] = check_submit,
        [FACT_JOB_CLOSE] = check_close,
        [FACT_JOB_CANCEL] = check_given_up,
        [FACT_JOB_ABORT] = check_given_up,
        [FACT_JOB_FORGET] = check_forget,
        [FACT_WORKER_JOIN] = check_join,
        [FACT_WORKER_STOP] = check_stop,
        [FACT_WORKER_LOST] = check_stop,
        [FACT_HANDOUT] = check_handout,
        [FACT_RETRACT] = check_tasks,
        [FACT_RETURN] = check_tasks,
        [FACT_STARTED] = check_started,
        [FACT_ENDED] = check_ended,
        [FACT_CRASHED] = check_tasks,
        [FACT_CLASS] = hqi_state_remains_check_class,
        [FACT_REMAINS] = hqi_state_remains_check,
        [FACT_WORKER_BACK] = check_back,
        [FACT_ADOPT] = check_handout,
        [FACT_OVERVIEW] = check_overview,
        [FACT_SERVER_STOP] = check_server_stop,
        [FACT_REFUSED] = check_handout,
    };
    if (f->kind >= sizeof table / sizeof *table || !table[f->kind])
        return refuse(err, "%u is not a kind of fact", f->kind);
    return table[f->kind](s, f, err);
}
