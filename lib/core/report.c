/* SPDX-License-Identifier: MIT */
/* report.c - what workers say becomes facts. A worker is believed only about attempts that it holds: (submit, ordinal,
 * instance) must be handed out to it; everything else is late or wrong, and ignored. Ages become times of day here,
 * clamped so that submit <= start <= end. A report may be given again: what was applied is not held any more. */
#include <stdlib.h>

#include "base/error.h"
#include "core/inner.h"

/* ---- joining ---- */

int hqi_core_join(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid, struct bytes token,
                  hq_worker_id *ret, hq_error *err)
{
    struct fact f = {.kind = FACT_WORKER_JOIN, .utc_ms = now->utc_ms};
    int r = hqi_model_config_check(*config, err);
    if (r < 0)
        return r;
    if (c->stopping)
        return hqi_base_error_set(err, HQ_ESTATE, "core", "the server is stopping and takes no more workers");
    if (c->state->n_workers >= HQI_MAX_WORKERS)
        return hqi_base_error_set(err, HQ_ELIMIT, "core", "the server has given out all of its %u worker ids", HQI_MAX_WORKERS);
    f.u.worker_join.worker.n = c->state->n_workers + 1;
    f.u.worker_join.config = *config;
    f.u.worker_join.uid = uid;
    f.u.worker_join.token = token;
    r = hqi_core_commit(c, &f, 1, err);
    if (r < 0)
        return r;
    *config = NULL;
    *ret = f.u.worker_join.worker;
    return HQ_OK;
}

int hqi_core_on_worker_join(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid,
                            struct bytes token, hq_worker_id *ret, hq_error *err)
{
    const struct worker *known = hqi_state_worker_by_uid(c->state, uid);
    hqi_base_arena_clear(&c->tick);
    if (known)
        return hqi_base_error_set(err, HQ_EAUTH, "core", "the process of worker %u registers again, without what it was told",
                                  known->id.n);
    return hqi_core_join(c, now, config, uid, token, ret, err);
}

/* ---- rows ---- */

static struct attempt_walk walk_of(const struct core *c, hq_worker_id w)
{
    return hqi_state_walk(hqi_state_worker(c->state, w));
}

static struct piece *held(const struct core *c, struct attempt_walk *k, uint32_t submit, uint32_t instance, uint32_t ordinal)
{
    struct piece *p = hqi_state_walk_to(c->state, k, submit, ordinal);
    return p && p->instance == instance ? p : NULL;
}

static uint64_t start_of(const struct piece *p, const struct now *now, uint64_t age_ms)
{
    uint64_t at = now->utc_ms > age_ms ? now->utc_ms - age_ms : 0;
    return at > p->submit->at_ms ? at : p->submit->at_ms;
}

static bool filter_started(struct core *c, const struct now *now, hq_worker_id w, const struct report_start *r,
                           struct start_group *g)
{
    uint32_t *ordinals = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *ordinals);
    uint64_t *start = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *start);
    uint8_t *variant = hqi_base_arena_zero(&c->tick, r->n + 1u, 1);
    struct attempt_walk walk = walk_of(c, w);
    uint32_t n = 0;
    if (!ordinals || !start || !variant)
        return false;
    for (uint32_t i = 0; i < r->n; i++) {
        struct piece *p = held(c, &walk, r->submit, r->instance, r->ordinals[i]);
        if (!p || p->started)
            continue;
        ordinals[n] = r->ordinals[i];
        start[n] = start_of(p, now, r->age_ms[i]);
        variant[n++] = 0;
    }
    *g = (struct start_group){r->submit, r->instance, n, ordinals, start, r->variant ? variant : NULL};
    return true;
}

static int report_started(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    struct fact f = {.kind = FACT_STARTED, .utc_ms = now->utc_ms};
    struct start_group *v = hqi_base_arena_get(&c->tick, (r->n_started + 1u) * sizeof *v);
    uint32_t n = 0;
    for (uint32_t i = 0; v && i < r->n_started; i++) {
        if (!filter_started(c, now, w, &r->started[i], &v[n]))
            v = NULL;
        else
            n += v[n].n > 0;
    }
    if (!v)
        return hqi_base_error_nomem(err, "core");
    f.u.started.worker = w;
    f.u.started.groups = v;
    f.u.started.n_groups = n;
    return n ? hqi_core_commit(c, &f, 1, err) : HQ_OK;
}

struct end_rows {
    uint32_t *ordinals;
    uint64_t *start, *duration;
    uint16_t *code;
    struct end_text *texts;
};

static bool end_rows_get(struct core *c, const struct report_end *r, struct end_rows *v)
{
    v->ordinals = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *v->ordinals);
    v->start = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *v->start);
    v->duration = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *v->duration);
    v->code = hqi_base_arena_get(&c->tick, (r->n + 1u) * sizeof *v->code);
    v->texts = hqi_base_arena_get(&c->tick, (r->n_texts + 1u) * sizeof *v->texts);
    return v->ordinals && v->start && v->duration && v->code && v->texts;
}

/* An end that no task can have is a failure, but not one that can be named. */
static uint16_t code_of(uint16_t code)
{
    bool is_signal = code > HQ_CODE_SIGNAL && code <= HQ_CODE_SIGNAL + 64;
    return code < HQ_CODE_SIGNAL || is_signal || (code >= HQ_CODE_TIME_LIMIT && code <= HQ_CODE_LAUNCH) ? code
                                                                                                        : HQ_CODE_TEXT;
}

/* Failures of the report that count: those that the job still allows, and the one that is too many. A job that was given
 * up before, and then got more tasks, is given up again at the next. */
static uint64_t failures_left(const struct core *c, uint32_t submit, const struct end_group *before, uint32_t n)
{
    const struct submit *s = hqi_state_submit(c->state, submit);
    if (!s || s->job->max_fails == UINT32_MAX)
        return UINT64_MAX;
    uint64_t failed = s->job->counts[HQ_TASK_FAILED], most = s->job->max_fails;
    uint64_t left = failed <= most ? most - failed + 1 : 1;
    for (uint32_t i = 0; i < n; i++) {
        const struct submit *other = hqi_state_submit(c->state, before[i].submit);
        for (uint32_t k = 0; other->job == s->job && k < before[i].n; k++)
            left -= before[i].code[k] != 0;
    }
    return left;
}

/* What fails after its job was given up is given up as well: those rows are left out. `before`: of the same report. */
static bool filter_ended(struct core *c, const struct now *now, hq_worker_id w, const struct report_end *r,
                         const struct end_group *before, uint32_t n_before, struct end_group *g)
{
    uint64_t failures = failures_left(c, r->submit, before, n_before);
    struct attempt_walk walk = walk_of(c, w);
    struct end_rows v;
    uint32_t n = 0, n_texts = 0, t = 0;
    if (!end_rows_get(c, r, &v))
        return false;
    for (uint32_t i = 0; i < r->n; i++) {
        struct piece *p = held(c, &walk, r->submit, r->instance, r->ordinals[i]);
        while (t < r->n_texts && r->texts[t].row < i)
            t++;
        if (!p || (r->code[i] != 0 && failures == 0))
            continue;
        failures -= r->code[i] != 0;
        uint64_t start = p->started ? p->start_ms : start_of(p, now, r->age_ms[i]);
        uint64_t most = now->utc_ms > start ? now->utc_ms - start : 0;
        v.ordinals[n] = r->ordinals[i];
        v.start[n] = start;
        v.duration[n] = r->duration_ms[i] < most ? r->duration_ms[i] : most;
        v.code[n] = code_of(r->code[i]);
        if (t < r->n_texts && r->texts[t].row == i)
            v.texts[n_texts++] = (struct end_text){n, r->texts[t].text};
        n++;
    }
    *g = (struct end_group){r->submit, r->instance, n, v.ordinals, v.start, v.duration, v.code, NULL, v.texts, n_texts};
    return true;
}

/* ---- too many failures ---- */

/* A fact that ends tasks, and what follows from it for their jobs, in one batch: a journal holds all or nothing of it. */
struct batch {
    struct fact *facts;   /* the first is the one that ends tasks; then one for each job that is given up */
    uint32_t n;
    uint32_t *failures;   /* by job, below */
    hq_job_id *jobs;      /* with failures */
    uint32_t n_jobs;
    struct dealt dealt;   /* what the first fact ends */
};

/* Room for `rows` attempts that change their job at most `jobs` times; those of one group never do. */
static bool batch_get(struct core *c, struct batch *b, uint32_t rows, uint32_t jobs)
{
    *b = (struct batch){.n = 1};
    b->facts = hqi_base_arena_get(&c->tick, (jobs + 1u) * sizeof *b->facts);
    b->failures = hqi_base_arena_get(&c->tick, (jobs + 1u) * sizeof *b->failures);
    b->jobs = hqi_base_arena_get(&c->tick, (jobs + 1u) * sizeof *b->jobs);
    b->dealt.attempts = hqi_base_arena_get(&c->tick, (rows + 1u) * sizeof *b->dealt.attempts);
    return b->facts && b->failures && b->jobs && b->dealt.attempts;
}

static void batch_count(struct batch *b, const struct submit *s, uint32_t ordinal, bool fails)
{
    b->dealt.attempts[b->dealt.n++] = (uint64_t)s->id << 32 | ordinal;
    if (!fails)
        return;
    hq_job_id job = s->job->id;
    if (b->n_jobs == 0 || b->jobs[b->n_jobs - 1].n != job.n) { /* a job may come twice: see batch_failures */
        b->jobs[b->n_jobs] = job;
        b->failures[b->n_jobs++] = 0;
    }
    b->failures[b->n_jobs - 1]++;
}

/* All failures of the batch in the job of entry `i`; 0 if an earlier entry stands for it. */
static uint64_t batch_failures(const struct batch *b, uint32_t i)
{
    uint64_t n = 0;
    for (uint32_t k = 0; k < b->n_jobs; k++) {
        if (b->jobs[k].n != b->jobs[i].n)
            continue;
        if (k < i)
            return 0;
        n += b->failures[k];
    }
    return n;
}

static int by_number(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

/* More failures than a job allows: everything else of it is given up. False: no memory. */
static bool batch_abort(struct core *c, struct batch *b, uint64_t utc_ms)
{
    if (b->n_jobs)
        qsort(b->dealt.attempts, b->dealt.n, sizeof *b->dealt.attempts, by_number);
    for (uint32_t i = 0; i < b->n_jobs; i++) {
        struct job *j = hqi_state_job(c->state, b->jobs[i]);
        uint64_t failures = batch_failures(b, i);
        if (failures == 0 || j->max_fails == UINT32_MAX || j->counts[HQ_TASK_FAILED] + failures <= j->max_fails)
            continue;
        if (!hqi_core_end_job_fact(c, FACT_JOB_ABORT, j, utc_ms, (struct bytes){0}, &b->dealt, &b->facts[b->n++]))
            return false;
    }
    return true;
}

static int batch_commit(struct core *c, struct batch *b, uint64_t utc_ms, hq_error *err)
{
    return batch_abort(c, b, utc_ms) ? hqi_core_commit(c, b->facts, b->n, err) : hqi_base_error_nomem(err, "core");
}

/* ---- ended ---- */

static void count_ended(struct core *c, struct batch *b, const struct end_group *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct submit *s = hqi_state_submit(c->state, v[i].submit);
        for (uint32_t k = 0; k < v[i].n; k++)
            batch_count(b, s, v[i].ordinals[k], v[i].code[k] != 0);
    }
}

static int report_ended(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    struct end_group *v = hqi_base_arena_get(&c->tick, (r->n_ended + 1u) * sizeof *v);
    struct batch b;
    uint32_t n = 0, rows = 0;
    for (uint32_t i = 0; v && i < r->n_ended; i++) {
        if (!filter_ended(c, now, w, &r->ended[i], v, n, &v[n]))
            return hqi_base_error_nomem(err, "core");
        rows += v[n].n;
        n += v[n].n > 0;
    }
    if (!v || !batch_get(c, &b, rows, n))
        return hqi_base_error_nomem(err, "core");
    if (n == 0)
        return HQ_OK;
    count_ended(c, &b, v, n);
    b.facts[0] = (struct fact){.kind = FACT_ENDED, .utc_ms = now->utc_ms};
    b.facts[0].u.ended.worker = w;
    b.facts[0].u.ended.groups = v;
    b.facts[0].u.ended.n_groups = n;
    return batch_commit(c, &b, now->utc_ms, err);
}

/* ---- returned, rejected ---- */

/* Tasks that one group may name: many times what a worker can hold. Beyond it the report is no honest one. */
#define MAX_GROUP_TASKS (1u << 22)

static int count_group(const struct task_group *r, uint32_t *ret, hq_error *err)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < r->n_ranges; i++)
        n += r->ranges[i].count;
    *ret = (uint32_t)n;
    if (n <= MAX_GROUP_TASKS)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EPROTO, "core", "a report names %llu tasks of submit %u, at most %u are possible",
                              (unsigned long long)n, r->submit, MAX_GROUP_TASKS);
}

/* What the worker holds of the group. */
static int filter_group(struct core *c, hq_worker_id w, const struct task_group *r, bool started_too,
                        struct task_group *g, hq_error *err)
{
    uint32_t room, n = 0;
    int ret = count_group(r, &room, err);
    if (ret < 0)
        return ret;
    struct ord_range *v = hqi_base_arena_get(&c->tick, (room + 1u) * sizeof *v);
    struct attempt_walk walk = walk_of(c, w);
    if (!v)
        return hqi_base_error_nomem(err, "core");
    for (uint32_t i = 0; i < r->n_ranges; i++)
        for (uint32_t k = 0; k < r->ranges[i].count; k++) {
            uint32_t o = r->ranges[i].first + k;
            const struct piece *p = held(c, &walk, r->submit, r->instance, o);
            if (!p || (p->started && !started_too) || o < k)
                continue;
            if (n && v[n - 1].first + v[n - 1].count == o)
                v[n - 1].count++;
            else
                v[n++] = (struct ord_range){o, 1};
        }
    *g = (struct task_group){.submit = r->submit, .instance = r->instance, .ranges = v, .n_ranges = n};
    return HQ_OK;
}

static int filter_groups(struct core *c, hq_worker_id w, const struct task_group *groups, uint32_t n, struct fact *f,
                         hq_error *err)
{
    struct task_group *v = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *v);
    if (!v)
        return hqi_base_error_nomem(err, "core");
    f->u.tasks.worker = w;
    f->u.tasks.groups = v;
    for (uint32_t i = 0; i < n; i++) {
        int r = filter_group(c, w, &groups[i], f->kind == FACT_CRASHED, &v[f->u.tasks.n_groups], err);
        if (r < 0)
            return r;
        f->u.tasks.n_groups += v[f->u.tasks.n_groups].n_ranges > 0;
    }
    return HQ_OK;
}

static int report_returned(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    struct fact f = {.kind = FACT_RETURN, .utc_ms = now->utc_ms};
    int ret = filter_groups(c, w, r->returned, r->n_returned, &f, err);
    return ret < 0 || f.u.tasks.n_groups == 0 ? ret : hqi_core_commit(c, &f, 1, err);
}

static int report_rejected(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    struct fact f = {.kind = FACT_RETURN, .utc_ms = now->utc_ms};
    int ret = filter_groups(c, w, r->rejected, r->n_rejected, &f, err);
    f.u.tasks.block = true;
    return ret < 0 || f.u.tasks.n_groups == 0 ? ret : hqi_core_commit(c, &f, 1, err);
}

static uint32_t count_tasks(const struct fact *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++)
        for (uint32_t k = 0; k < f->u.tasks.groups[i].n_ranges; k++)
            n += f->u.tasks.groups[i].ranges[k].count;
    return n;
}

static void count_crashed(struct core *c, struct batch *b, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++) {
                const struct piece *p = hqi_state_attempt(c->state, g->submit, g->ranges[k].first + o);
                batch_count(b, p->submit, p->first, hqi_state_crash_fails(p, HQ_WORKER_CONNECTION_LOST));
            }
    }
}

/* What crashed before its start was told had started all the same, or a task that kills its helper at once would be tried
 * for ever. */
static int start_crashed(struct core *c, const struct fact *crashed, hq_error *err)
{
    uint32_t n = crashed->u.tasks.n_groups, rows = count_tasks(crashed);
    struct start_group *v = hqi_base_arena_get(&c->tick, (n + 1u) * sizeof *v);
    uint32_t *ordinals = hqi_base_arena_get(&c->tick, (rows + 1u) * sizeof *ordinals);
    uint64_t *start = hqi_base_arena_get(&c->tick, (rows + 1u) * sizeof *start);
    struct fact f = {.kind = FACT_STARTED, .utc_ms = crashed->utc_ms};
    if (!v || !ordinals || !start)
        return hqi_base_error_nomem(err, "core");
    f.u.started.worker = crashed->u.tasks.worker;
    f.u.started.groups = v;
    for (uint32_t i = 0; i < n; i++) {
        const struct task_group *g = &crashed->u.tasks.groups[i];
        struct start_group *to = &v[f.u.started.n_groups];
        *to = (struct start_group){g->submit, g->instance, 0, ordinals, start, NULL};
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++) {
                if (hqi_state_attempt(c->state, g->submit, g->ranges[k].first + o)->started)
                    continue;
                ordinals[to->n] = g->ranges[k].first + o;
                start[to->n++] = crashed->utc_ms;
            }
        ordinals += to->n;
        start += to->n;
        f.u.started.n_groups += to->n > 0;
    }
    return f.u.started.n_groups ? hqi_core_commit(c, &f, 1, err) : HQ_OK;
}

/* Lost with a helper process: counted like the loss of a worker by failure. */
static int report_crashed(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    struct fact f = {.kind = FACT_CRASHED, .utc_ms = now->utc_ms};
    struct batch b;
    int ret = filter_groups(c, w, r->crashed, r->n_crashed, &f, err);
    if (ret < 0 || f.u.tasks.n_groups == 0)
        return ret;
    ret = start_crashed(c, &f, err);
    if (ret < 0)
        return ret;
    if (!batch_get(c, &b, count_tasks(&f), f.u.tasks.n_groups))
        return hqi_base_error_nomem(err, "core");
    count_crashed(c, &b, &f);
    b.facts[0] = f;
    return batch_commit(c, &b, now->utc_ms, err);
}

int hqi_core_take_report(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    int ret = report_started(c, now, w, r, err);
    if (ret >= 0)
        ret = report_ended(c, now, w, r, err);
    if (ret >= 0)
        ret = report_returned(c, now, w, r, err);
    if (ret >= 0)
        ret = report_rejected(c, now, w, r, err);
    if (ret >= 0)
        ret = report_crashed(c, now, w, r, err);
    return ret;
}

int hqi_core_on_report(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err)
{
    const struct worker *from = hqi_state_worker(c->state, w);
    if (!from || from->end != HQ_WORKER_RUNNING)
        return HQ_OK;
    hqi_base_arena_clear(&c->tick);
    return hqi_core_take_report(c, now, w, r, err);
}

/* ---- leaving ---- */

static uint8_t end_of(uint8_t reason)
{
    return reason >= HQ_WORKER_STOPPED && reason <= HQ_WORKER_TIME_LIMIT ? reason : HQ_WORKER_CONNECTION_LOST;
}

void hqi_core_on_worker_ending(struct core *c, const struct now *now, hq_worker_id w, uint8_t reason)
{
    const struct worker *from = hqi_state_worker(c->state, w);
    struct fact f = {.kind = FACT_WORKER_STOP, .utc_ms = now->utc_ms};
    hqi_base_arena_clear(&c->tick);
    if (!from || from->end != HQ_WORKER_RUNNING || from->stopping)
        return;
    f.u.worker_stop.worker = w;
    f.u.worker_stop.reason = end_of(reason);
    hqi_core_commit(c, &f, 1, NULL); /* no memory: the end of its session says nearly the same */
}

/* The loss, and the jobs that fail too often with it. False: no memory for more than the loss itself. */
static bool make_loss(struct core *c, const struct worker *w, const struct fact *loss, struct batch *b)
{
    uint8_t counts_as = loss->u.worker_lost.blameless ? HQ_WORKER_STOPPED : loss->u.worker_lost.reason;
    if (!batch_get(c, b, w->n_active, w->n_active))
        return false;
    b->facts[0] = *loss;
    list_for(it, &w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        batch_count(b, p->submit, p->first, hqi_state_crash_fails(p, counts_as));
    }
    return batch_abort(c, b, loss->utc_ms);
}

static bool is_aborted(const struct batch *b, hq_job_id job)
{
    for (uint32_t i = 1; i < b->n; i++)
        if (b->facts[i].u.job_abort.job.n == job.n)
            return true;
    return false;
}

/* Submits of which a task fails with the loss may have nothing left. */
static void drop_ended(struct core *c, const struct batch *b)
{
    for (uint32_t i = 0; i < b->n_jobs; i++) {
        const struct job *j = hqi_state_job(c->state, b->jobs[i]);
        uint32_t last = 0;
        if (is_aborted(b, j->id))
            continue;
        for (uint32_t k = 0; k < b->dealt.n; k++) {
            const struct submit *s = hqi_state_submit(c->state, (uint32_t)(b->dealt.attempts[k] >> 32));
            if (s->job == j && s->id != last)
                hqi_core_drop_if_ended(c, s);
            last = s->id;
        }
    }
}

int hqi_core_on_overview(struct core *c, const struct now *now, hq_worker_id id, const struct node_load *load, hq_error *err)
{
    const struct worker *w = hqi_state_worker(c->state, id);
    struct fact f = {.kind = FACT_OVERVIEW, .utc_ms = now->utc_ms, .u.overview = {id, load}};
    const bool dirty = c->dirty, changed = c->changed;
    if (!w || w->end != HQ_WORKER_RUNNING)
        return HQ_OK;
    int r = hqi_core_commit(c, &f, 1, err);
    c->dirty = dirty;
    c->changed = changed;
    return r;
}

void hqi_core_lose_worker(struct core *c, const struct now *now, hq_worker_id id, uint8_t reason, bool blameless)
{
    const struct worker *w = hqi_state_worker(c->state, id);
    struct fact f = {.kind = FACT_WORKER_LOST, .utc_ms = now->utc_ms};
    struct batch b;
    hqi_base_arena_clear(&c->tick);
    if (!w || w->end != HQ_WORKER_RUNNING)
        return;
    f.u.worker_lost.worker = id;
    f.u.worker_lost.reason = w->stopping ? w->stopping : end_of(reason);
    f.u.worker_lost.blameless = blameless;
    if (id.n < c->n_peers)
        c->peers[id.n].away = false;
    if (make_loss(c, w, &f, &b) && hqi_core_commit(c, b.facts, b.n, NULL) >= 0) {
        drop_ended(c, &b);
        return;
    }
    /* The loss itself needs no memory: hand-outs reserved the way back. Where it cannot be recorded it has not happened yet. */
    if (hqi_core_commit(c, &f, 1, NULL) < 0) {
        hqi_core_lose_later(c, now, id);
        return;
    }
    hqi_base_log_write(c->log, LOG_ERROR, "core",
                       "out of memory: jobs that failed too often with worker %u go on until their next failure", id.n);
}

void hqi_core_on_worker_lost(struct core *c, const struct now *now, hq_worker_id w, uint8_t reason)
{
    hqi_core_lose_worker(c, now, w, reason, false);
}
