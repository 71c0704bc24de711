/* SPDX-License-Identifier: MIT */
/* judge.c - the invariants. The judge sees the server's state, the facts, every process and every answer; it changes
 * nothing and draws no chance. */
#include <stdlib.h>
#include <string.h>

#include "compaction.h"
#include "sim.h"

#define CHECK_EVERY 16u /* ticks: verifying walks everything */
#define UTILIZATION_OFF 10u /* in 1/10000 */

struct start_node {
    struct map_node by_attempt;
};

void judge_init(struct sim *s)
{
    hqi_base_map_init(&s->judge.starts, &hqi_base_alloc_libc);
    hqi_base_map_init(&s->judge.spent, &hqi_base_alloc_libc);
    hqi_base_map_init(&s->judge.voided, &hqi_base_alloc_libc);
}

static void free_start(struct map_node *n, void *user)
{
    (void)user;
    free(hqi_container(n, struct start_node, by_attempt));
}

static void free_attempts(struct map *m)
{
    hqi_base_map_each(m, free_start, NULL);
    hqi_base_map_fini(m);
}

void judge_fini(struct sim *s)
{
    struct judge *j = &s->judge;
    for (uint32_t i = 0; i < j->n_submits; i++)
        hqi_base_arena_free(j->submits[i].mem);
    free(j->submits);
    free(j->tasks);
    free(j->jobs);
    free_attempts(&j->starts);
    free_attempts(&j->spent);
    free_attempts(&j->voided);
}

/* ---- attempts ---- */

static uint64_t attempt_key(uint64_t who, uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    const uint64_t k[4] = {who, submit, ordinal, instance};
    return hqi_base_map_hash(k, sizeof k);
}

/* False: it is known already. */
static bool note_attempt(struct map *m, uint64_t key)
{
    if (hqi_base_map_get(m, key))
        return false;
    struct start_node *n = malloc(sizeof *n);
    hqi_base_map_reserve(m, 1);
    hqi_base_map_put(m, &n->by_attempt, key);
    return true;
}

static void forget_attempt(struct map *m, uint64_t key)
{
    struct map_node *n = hqi_base_map_take(m, key);
    if (n)
        free_start(n, NULL);
}

static uint64_t spent_key(uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    return attempt_key(0, submit, ordinal, instance);
}

static bool is_voided(const struct sim *s, uint32_t worker, uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    return hqi_base_map_get(&s->judge.voided, attempt_key(worker, submit, ordinal, instance));
}

/* Taken from one worker because another has it. */
static void note_adopted(struct sim *s, const struct fact *f)
{
    const struct state *st = hqi_core_core_state(s->server.core);
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++)
        for (uint32_t k = 0; k < f->u.tasks.groups[i].n_ranges; k++)
            for (uint32_t o = 0; o < f->u.tasks.groups[i].ranges[k].count; o++) {
                const uint32_t submit = f->u.tasks.groups[i].submit, ordinal = f->u.tasks.groups[i].ranges[k].first + o;
                const struct piece *p = hqi_state_attempt(st, submit, ordinal);
                if (p && p->worker->id.n != f->u.tasks.worker.n)
                    note_attempt(&s->judge.voided, attempt_key(p->worker->id.n, submit, ordinal, p->instance));
            }
}

/* One that is not its own any more it is told to kill; before it hears of that, the task may start or end. */
static void note_named(struct sim *s, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t ordinal, bool started)
{
    const struct piece *p = hqi_state_attempt(hqi_core_core_state(s->server.core), submit, ordinal);
    bool own = p && p->worker->id.n == worker && p->instance == instance;
    s->judge.kept += own;
    s->judge.refused += !own;
    if (!own || started)
        note_attempt(&s->judge.spent, spent_key(submit, ordinal, instance));
    if (!own)
        note_attempt(&s->judge.voided, attempt_key(worker, submit, ordinal, instance));
}

static void note_groups(struct sim *s, uint32_t worker, const struct task_group *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < v[i].n_ranges; k++)
            for (uint32_t o = 0; o < v[i].ranges[k].count; o++)
                note_named(s, worker, v[i].submit, v[i].instance, v[i].ranges[k].first + o, false);
}

void judge_came_back(struct sim *s, uint32_t worker, const struct attach *a)
{
    s->judge.back++;
    note_groups(s, worker, a->waiting, a->n_waiting);
    for (uint32_t i = 0; i < a->news.n_started; i++)
        for (uint32_t k = 0; k < a->news.started[i].n; k++)
            note_named(s, worker, a->news.started[i].submit, a->news.started[i].instance, a->news.started[i].ordinals[k], true);
    for (uint32_t i = 0; i < a->news.n_crashed; i++)
        for (uint32_t k = 0; k < a->news.crashed[i].n_ranges; k++)
            for (uint32_t o = 0; o < a->news.crashed[i].ranges[k].count; o++)
                note_attempt(&s->judge.spent, spent_key(a->news.crashed[i].submit, a->news.crashed[i].ranges[k].first + o,
                                                        a->news.crashed[i].instance));
}

/* ---- facts ---- */

static void note_request(struct known_submit *k, const struct request_variant *v)
{
    static const char *const names[RESOURCES] = {"cpus", "gpus", "mem"};
    for (uint32_t i = 0; i < v->n_entries; i++)
        for (uint32_t r = 0; r < RESOURCES; r++)
            if (bytes_is(v->entries[i].name, names[r])) {
                k->amount[r] = v->entries[i].amount;
                k->all[r] = v->entries[i].policy == POLICY_ALL;
            }
}

/* Of a fact that is not applied yet. A worker that gets tasks which take cpus is then at its limit, by what is booked. */
static void check_utilization(struct sim *s, const struct fact *f)
{
    const struct worker *w = hqi_state_worker(hqi_core_core_state(s->server.core), f->u.tasks.worker);
    uint64_t total = w->total[RESOURCE_CPUS], used = total - (uint64_t)w->free[RESOURCE_CPUS];
    bool takes_cpus = false;
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        const struct known_submit *k = &s->judge.submits[g->submit];
        uint64_t each = k->all[CPUS] ? total : k->amount[CPUS];
        takes_cpus = takes_cpus || each > 0;
        for (uint32_t r = 0; r < g->n_ranges && g->booked; r++)
            used += g->ranges[r].count * each;
    }
    if (takes_cpus && w->config->min_utilization > UTILIZATION_OFF && used * HQ_UNITS < total * w->config->min_utilization)
        sim_fail(s, "worker id %u gets tasks for %llu of %llu cpus, and wants %u/10000 of them to be in use", w->id.n,
                 (unsigned long long)used / HQ_UNITS, (unsigned long long)total / HQ_UNITS, w->config->min_utilization);
}

static void note_submit(struct sim *s, const struct fact *f, uint64_t position)
{
    struct judge *j = &s->judge;
    uint32_t number = f->u.submit.submit;
    if (number >= j->n_submits) {
        j->submits = realloc(j->submits, (number + 1) * sizeof *j->submits);
        memset(j->submits + j->n_submits, 0, (number + 1 - j->n_submits) * sizeof *j->submits);
        j->n_submits = number + 1;
    }
    struct known_submit *k = &j->submits[number];
    hqi_base_arena_free(k->mem); /* of one that a crash took away */
    *k = (struct known_submit){.job = f->u.submit.job.n, .position = position, .mem = hqi_base_arena_new(&hqi_base_alloc_libc)};
    hqi_model_intset_copy(&k->ids, k->mem, &f->u.submit.spec->ids);
    note_request(k, &f->u.submit.spec->request.variants[0]);
}

/* Whoever had started it, and whatever server had given it that. */
static void check_fresh(struct sim *s, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++)
                if (hqi_base_map_get(&s->judge.spent, spent_key(g->submit, g->ranges[k].first + o, g->instance)))
                    sim_fail(s, "worker id %u gets instance %u of task %u of submit %u, which was started before",
                             f->u.tasks.worker.n, g->instance, g->ranges[k].first + o, g->submit);
    }
}

void judge_fact(struct sim *s, const struct fact *f, uint64_t position)
{
    s->judge.facts[f->kind]++;
    if (f->kind == FACT_ADOPT)
        note_adopted(s, f);
    if (f->kind == FACT_SUBMIT)
        note_submit(s, f, position);
    if (f->kind == FACT_HANDOUT) {
        check_utilization(s, f);
        check_fresh(s, f);
    }
}

const struct known_submit *judge_submit_of(const struct sim *s, uint32_t job, uint32_t task, uint32_t *submit,
                                           uint32_t *ordinal)
{
    const struct judge *j = &s->judge;
    for (uint32_t i = 1; i < j->n_submits; i++) {
        if (j->submits[i].job != job || j->submits[i].ids.count == 0)
            continue;
        *ordinal = hqi_model_intset_rank(&j->submits[i].ids, task);
        *submit = i;
        if (*ordinal != INTSET_NONE)
            return &j->submits[i];
    }
    return NULL;
}

/* ---- the state ---- */

void judge_state(struct sim *s)
{
    const struct state *st = hqi_core_core_state(s->server.core);
    hq_error err;
    if (++s->judge.checks % CHECK_EVERY != 0 && !s->trace)
        return;
    bool starved = s->server.starved;
    s->server.starved = false; /* the judge has memory */
    if (hqi_state_verify(st, &err) < 0)
        sim_fail(s, "the state is broken: %s", err.text);
    s->server.starved = starved;
    if (hqi_state_digest(st) != hqi_state_digest(hqi_core_core_state(s->server.replica)))
        sim_fail(s, "the state is not what its facts make of nothing");
}

void judge_worker(struct sim *s, struct sim_worker *w)
{
    hq_error err;
    w->judged = true;
    if (hqi_tasks_verify(w->tasks, &err) < 0)
        sim_fail(s, "worker %u: %s", w->number, err.text);
    w->judged = false;
}

/* ---- what was told ---- */

static uint8_t *job_bits(struct sim *s, uint32_t job)
{
    struct judge *j = &s->judge;
    if (job >= j->n_jobs) {
        j->jobs = realloc(j->jobs, job + 1u);
        memset(j->jobs + j->n_jobs, 0, job + 1u - j->n_jobs);
        j->n_jobs = job + 1u;
    }
    return &j->jobs[job];
}

void judge_note_job(struct sim *s, uint32_t job, uint8_t bits)
{
    *job_bits(s, job) |= bits;
}

bool judge_job_has(const struct sim *s, uint32_t job, uint8_t bit)
{
    return job < s->judge.n_jobs && s->judge.jobs[job] & bit;
}

void judge_told_job(struct sim *s, uint64_t key, uint32_t job)
{
    struct judge *j = &s->judge;
    for (uint32_t i = 0; i < j->n_keys; i++)
        if (j->keys[i].key == key && j->keys[i].job != job)
            sim_fail(s, "one submit became job %u and job %u", j->keys[i].job, job);
    if (j->n_keys < sizeof j->keys / sizeof *j->keys) {
        j->keys[j->n_keys].key = key;
        j->keys[j->n_keys++].job = job;
    }
    judge_note_job(s, job, JOB_TOLD);
}

void judge_told_ended(struct sim *s, uint32_t job)
{
    if (judge_job_has(s, job, JOB_TOLD))
        judge_note_job(s, job, JOB_ENDED_TOLD);
}

static bool is_terminal(uint8_t state)
{
    return state != HQ_TASK_WAITING && state != HQ_TASK_RUNNING;
}

void judge_told_task(struct sim *s, uint32_t job, uint32_t task, uint8_t state)
{
    struct judge *j = &s->judge;
    if (!is_terminal(state))
        return;
    if (j->n_tasks == j->room_tasks) {
        j->room_tasks = j->room_tasks ? 2 * j->room_tasks : 256;
        j->tasks = realloc(j->tasks, j->room_tasks * sizeof *j->tasks);
    }
    j->tasks[j->n_tasks++] = (struct told_task){job, task, state};
}

static void check_told_task(struct sim *s, const struct state *st, const struct told_task *t)
{
    const struct job *j = hqi_state_job(st, (hq_job_id){t->job});
    struct task_view v;
    uint32_t ordinal;
    const struct submit *submit = j ? hqi_state_job_find(j, t->task, &ordinal) : NULL;
    if (!j && judge_job_has(s, t->job, JOB_MAY_BE_FORGOTTEN))
        return;
    if (!submit) {
        sim_fail(s, "task %u of job %u was told to be in state %u, and is not known any more", t->task, t->job, t->state);
        return;
    }
    hqi_state_task(submit, ordinal, &v);
    if (v.state != t->state)
        sim_fail(s, "task %u of job %u was told to be in state %u, and is in state %u", t->task, t->job, t->state, v.state);
}

void judge_node_crashed(struct sim *s)
{
    free_attempts(&s->judge.spent);
    hqi_base_map_init(&s->judge.spent, &hqi_base_alloc_libc);
    s->judge.lossy = s->server.epoch;
}

void judge_restart(struct sim *s)
{
    const struct state *st = hqi_core_core_state(s->server.core);
    struct judge *j = &s->judge;
    hq_error err;
    if (hqi_state_verify(st, &err) < 0)
        sim_fail(s, "the restored state is broken: %s", err.text);
    for (uint32_t i = 1; i < j->n_jobs; i++) {
        const struct job *job = hqi_state_job(st, (hq_job_id){i});
        if (!job && (j->jobs[i] & JOB_TOLD) && !(j->jobs[i] & JOB_MAY_BE_FORGOTTEN))
            sim_fail(s, "job %u was told to its client, and is lost", i);
        if (job && (j->jobs[i] & JOB_ENDED_TOLD) && !hqi_state_job_ended(job))
            sim_fail(s, "job %u was told to have ended, and has not", i);
    }
    for (uint32_t i = 0; i < j->n_tasks; i++)
        check_told_task(s, st, &j->tasks[i]);
}

void judge_acknowledged(struct sim *s, uint32_t worker, const struct result *o)
{
    const struct state *st = hqi_core_core_state(s->server.core);
    const struct piece *p = hqi_state_attempt(st, o->submit, o->ordinal);
    const struct submit *submit = hqi_state_submit(st, o->submit);
    struct task_view v;
    if (!submit || is_voided(s, worker, o->submit, o->ordinal, o->instance))
        return; /* forgotten; or it came too late */
    if (p && p->worker->id.n == worker && p->instance == o->instance)
        sim_fail(s, "worker %u may forget how task %u of submit %u ended, but that was not taken", worker, o->ordinal, o->submit);
    hqi_state_task(submit, o->ordinal, &v);
    if (!is_terminal(v.state))
        sim_fail(s, "the outcome of task %u of submit %u is acknowledged, but the task is in state %u", o->ordinal, o->submit, v.state);
    else
        judge_told_task(s, submit->job->id.n, hqi_model_intset_select(&submit->spec->ids, o->ordinal), v.state);
}

/* ---- processes ---- */

static void check_once(struct sim *s, const struct sim_worker *w, uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    if (!note_attempt(&s->judge.starts, attempt_key(w->epoch, submit, ordinal, instance)))
        sim_fail(s, "instance %u of task %u of submit %u is started twice", instance, ordinal, submit);
}

/* So that its helpers know it too. */
static bool was_cancelled(const struct sim *s, const struct sim_worker *w, uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    for (uint32_t i = 0; i < w->n_cancelled; i++)
        if (w->cancelled[i].submit == submit && w->cancelled[i].instance == instance && ordinal - w->cancelled[i].first < w->cancelled[i].count)
            return s->now > w->cancelled[i].at + PIPE_NS;
    return false;
}

/* A worker whose session lives runs what the server has given it; news of a cancel may still be on its way. */
static void check_given(struct sim *s, const struct sim_worker *w, uint32_t submit, uint32_t ordinal, uint32_t instance)
{
    const struct state *st = s->server.core ? hqi_core_core_state(s->server.core) : NULL;
    struct task_view v;
    if (!server_serves(s, w->id, w->epoch))
        return;
    const struct piece *p = hqi_state_attempt(st, submit, ordinal);
    if (p && p->worker->id.n == w->id && p->instance == instance)
        return;
    const struct submit *sub = hqi_state_submit(st, submit);
    if (!sub)
        return; /* cancelled and forgotten at once */
    hqi_state_task(sub, ordinal, &v);
    if (v.state != HQ_TASK_CANCELED && v.state != HQ_TASK_ABORTED)
        sim_fail(s, "worker %u (id %u) starts instance %u of task %u of submit %u, which is in state %u and not its own",
                 w->number, w->id, instance, ordinal, submit, v.state);
}

static void add_load(struct sim *s, struct sim_worker *w, const struct process *p, uint32_t r)
{
    uint64_t left = p->load[r];
    if (p->n_labels[r] != (left + HQ_UNITS - 1) / HQ_UNITS)
        sim_fail(s, "worker %u: task %u of job %u got %u indices of resource %u for %llu/10000", w->number, p->task, p->job,
                 p->n_labels[r], r, (unsigned long long)left);
    for (uint32_t i = 0; i < p->n_labels[r]; i++) {
        uint64_t mine = left < HQ_UNITS ? left : HQ_UNITS;
        uint8_t label = p->labels[r][i];
        left -= mine;
        if (label >= w->size[r] || label >= MAX_LABELS) {
            sim_fail(s, "worker %u: there is no index %u of resource %u", w->number, label, r);
            return;
        }
        w->load[r][label] += mine;
        if (w->load[r][label] > HQ_UNITS)
            sim_fail(s, "worker %u: index %u of resource %u is used by tasks for %llu/10000", w->number, label, r,
                     (unsigned long long)w->load[r][label]);
    }
}

static void check_load(struct sim *s, struct sim_worker *w, struct process *p, const struct known_submit *k)
{
    for (uint32_t r = 0; r < RESOURCES; r++)
        p->load[r] = k->all[r] ? w->size[r] * (uint64_t)HQ_UNITS : k->amount[r];
    add_load(s, w, p, CPUS);
    add_load(s, w, p, GPUS);
    w->mem_load += p->load[MEM];
    if (w->mem_load > w->size[MEM] * (uint64_t)HQ_UNITS)
        sim_fail(s, "worker %u: its tasks use %llu/10000 of %u mem", w->number, (unsigned long long)w->mem_load, w->size[MEM]);
}

void judge_told_to_kill(struct sim *s, const struct sim_worker *w, const struct to_worker *m)
{
    if (!server_serves(s, w->id, w->epoch))
        return;
    const struct state *st = hqi_core_core_state(s->server.core);
    for (uint32_t i = 0; i < m->u.tasks.n_groups; i++)
        for (uint32_t k = 0; k < m->u.tasks.groups[i].n_ranges; k++)
            for (uint32_t o = 0; o < m->u.tasks.groups[i].ranges[k].count; o++) {
                const struct task_group *g = &m->u.tasks.groups[i];
                const struct piece *p = hqi_state_attempt(st, g->submit, g->ranges[k].first + o);
                if (p && p->worker->id.n == w->id && p->instance == g->instance)
                    sim_fail(s, "worker %u (id %u) is told to kill instance %u of task %u of submit %u, which is its own", w->number,
                             w->id, g->instance, g->ranges[k].first + o, g->submit);
            }
}

void judge_start(struct sim *s, struct sim_worker *w, struct process *p)
{
    uint32_t submit, ordinal;
    const struct known_submit *k = judge_submit_of(s, p->job, p->task, &submit, &ordinal);
    sim_trace(s, "worker %u: starts %u@%u instance %u", w->number, p->job, p->task, p->instance);
    if (!k) {
        if (w->epoch == s->server.epoch)
            sim_fail(s, "worker %u starts task %u of job %u, which nobody submitted", w->number, p->task, p->job);
        return;
    }
    check_load(s, w, p, k);
    if (w->epoch != s->server.epoch || w->id == 0)
        return; /* a server that is gone gave it that: numbers may mean something else by now */
    if (w->epoch > s->judge.lossy)
        note_attempt(&s->judge.spent, spent_key(submit, ordinal, p->instance));
    if (server_serves(s, w->id, w->epoch) && !disk_is_synced(s, k->position))
        sim_fail(s, "worker %u starts task %u of job %u, whose submit is not synced", w->number, p->task, p->job);
    if (is_voided(s, w->id, submit, ordinal, p->instance))
        return; /* it will be told to kill it */
    check_once(s, w, submit, ordinal, p->instance);
    check_given(s, w, submit, ordinal, p->instance);
    if (was_cancelled(s, w, submit, ordinal, p->instance))
        sim_fail(s, "worker %u starts task %u of submit %u after it was told to kill it", w->number, ordinal, submit);
}

/* Nobody but the dead helper knew that it had started: the worker may try the same instance again. */
void judge_unstart(struct sim *s, struct sim_worker *w, const struct process *p)
{
    uint32_t submit, ordinal;
    if (!judge_submit_of(s, p->job, p->task, &submit, &ordinal))
        return;
    forget_attempt(&s->judge.starts, attempt_key(w->epoch, submit, ordinal, p->instance));
    forget_attempt(&s->judge.spent, spent_key(submit, ordinal, p->instance));
}

void judge_stop(struct sim *s, struct sim_worker *w, const struct process *p)
{
    (void)s;
    for (uint32_t r = 0; r < MEM; r++) {
        uint64_t left = p->load[r];
        for (uint32_t i = 0; i < p->n_labels[r] && left; i++) {
            uint64_t mine = left < HQ_UNITS ? left : HQ_UNITS;
            left -= mine;
            if (p->labels[r][i] < MAX_LABELS)
                w->load[r][p->labels[r][i]] -= mine;
        }
    }
    w->mem_load -= p->load[MEM];
}

/* ---- the end ---- */

bool judge_all_done(struct sim *s)
{
    const struct state *st = s->server.core ? hqi_core_core_state(s->server.core) : NULL;
    for (uint32_t i = 1; st && i <= st->n_jobs; i++) {
        const struct job *j = hqi_state_job(st, (hq_job_id){i});
        if (j && !hqi_state_job_ended(j))
            return false;
    }
    for (uint32_t i = 0; i < s->n_clients; i++)
        if (!list_empty(&s->clients[i].asked))
            return false;
    return st != NULL;
}

static void check_idle_worker(struct sim *s, const struct sim_worker *w)
{
    uint32_t specs = 0, processes = 0;
    if (w->state != WORKER_ALIVE || !server_serves(s, w->id, w->epoch))
        return;
    for (uint32_t i = 0; i < w->n_helpers; i++) {
        specs += w->helpers[i].n_specs;
        processes += !list_empty(&w->helpers[i].processes);
    }
    if (hqi_tasks_n_running(w->tasks) + hqi_tasks_n_waiting(w->tasks) + processes > 0)
        sim_fail(s, "worker %u still has tasks, and all jobs have ended", w->number);
    if (specs && !s->p.starves)
        sim_fail(s, "the helpers of worker %u remember %u specs, and all jobs have ended", w->number, specs);
    for (uint32_t i = 0; i < MAX_LABELS; i++)
        if (w->load[CPUS][i] || w->load[GPUS][i] || w->mem_load)
            sim_fail(s, "worker %u still uses resources, and all jobs have ended", w->number);
}

/* So that people see whether a seed has tried what they look for. */
static void trace_counts(struct sim *s)
{
    static const char *const names[] = {"",         "start",   "open",       "submit", "close",  "cancel",
                                        "abort",    "forget",  "join",       "stop",   "lost",   "handout",
                                        "retract",  "return",  "started",    "ended",  "crashed", "class",
                                        "remains",  "back",    "adopt",      "overview", "server stop",
                                        "refused"};
    for (uint32_t i = 1; i <= FACT_REFUSED; i++)
        sim_trace(s, "facts: %5llu %s", (unsigned long long)s->judge.facts[i], names[i]);
    sim_trace(s, "sessions resumed: %llu; workers that came back: %llu, with %llu attempts, and %llu that were not theirs",
              (unsigned long long)s->judge.resumed, (unsigned long long)s->judge.back, (unsigned long long)s->judge.kept,
              (unsigned long long)s->judge.refused);
}

static struct bytes record_of(void *user, uint32_t i, uint64_t *position)
{
    const struct record *r = &((const struct disk *)user)->records[i];
    *position = r->position;
    return (struct bytes){r->bytes, r->n};
}

/* All that has happened is a journal that can be compacted. */
static void check_compaction(struct sim *s)
{
    struct compaction c = {record_of, &s->disk, s->disk.n, hqi_state_digest(hqi_core_core_state(s->server.replica)), ""};
    if (s->disk.on && s->disk.n > 0 && !compaction_holds(&c))
        sim_fail(s, "%s", c.why);
}

void judge_end(struct sim *s)
{
    trace_counts(s);
    if (!s->server.core)
        return;
    check_compaction(s);
    judge_restart(s); /* at the end, too, all that was told is true */
    for (uint32_t i = 0; i < s->n_workers; i++) {
        judge_worker(s, s->workers[i]);
        check_idle_worker(s, s->workers[i]);
    }
}

static void trace_workers(struct sim *s, const struct state *st)
{
    for (uint32_t i = 1; i <= st->n_workers; i++) {
        const struct worker *w = hqi_state_worker(st, (hq_worker_id){i});
        if (w->end != HQ_WORKER_RUNNING)
            continue;
        sim_trace(s, "server: worker id %u, stopping %u, session %d, %u active, %u running, free %lld cpus", i, w->stopping,
                  server_serves(s, i, s->server.epoch), w->n_active, w->n_running, (long long)w->free[0]);
        list_for(it, &w->active) {
            const struct piece *p = hqi_container(it, struct piece, in_worker);
            sim_trace(s, "    submit %u task %u instance %u%s%s%s", p->submit->id, p->first, p->instance,
                      p->booked ? " booked" : "", p->started ? " started" : "", p->retracting ? " retracting" : "");
        }
    }
    for (uint32_t i = 0; i < s->n_workers; i++)
        if (s->workers[i]->state != WORKER_DEAD)
            sim_trace(s, "worker %u: id %u epoch %llu, link %u, %u running, %u waiting%s, unacknowledged %llu", i, s->workers[i]->id,
                      (unsigned long long)s->workers[i]->epoch, s->workers[i]->peer.state, hqi_tasks_n_running(s->workers[i]->tasks),
                      hqi_tasks_n_waiting(s->workers[i]->tasks), s->workers[i]->holds ? ", holds" : "",
                      (unsigned long long)s->workers[i]->peer.end.session.bytes);
}

void judge_complain(struct sim *s)
{
    const struct state *st = s->server.core ? hqi_core_core_state(s->server.core) : NULL;
    for (uint32_t i = 1; st && i <= st->n_jobs; i++) {
        const struct job *j = hqi_state_job(st, (hq_job_id){i});
        if (j && !hqi_state_job_ended(j)) {
            trace_workers(s, st);
            sim_fail(s, "job %u has not ended: %llu wait, %llu run", i, (unsigned long long)j->counts[HQ_TASK_WAITING],
                     (unsigned long long)j->counts[HQ_TASK_RUNNING]);
            return;
        }
    }
    for (uint32_t i = 0; i < s->n_clients; i++)
        if (!list_empty(&s->clients[i].asked)) {
            const struct asked *a = hqi_container(s->clients[i].asked.next, struct asked, link);
            sim_fail(s, "client %u waits for the answer to a command of kind %u (job %u)", i, a->kind, a->job);
            return;
        }
    sim_fail(s, "the server is down");
}
