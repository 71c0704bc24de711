/* SPDX-License-Identifier: MIT */
/* query.c - answers that change nothing: the server, jobs, workers. Values are borrowed from the state or live in the
 * outbox's arena; long lists come in pages. */
#include "core/inner.h"

static void lacks_memory(struct core *c, struct reply *r)
{
    hqi_core_reply_fail(c, r, HQ_ENOMEM, "The server is out of memory for this answer");
}

void hqi_core_server_info(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    (void)now;
    if (r)
        r->u.server = c->opt.info;
    else
        hqi_core_no_memory(c, client, cmd);
}

/* ---- jobs ---- */

static void fill_job(const struct job *j, struct job_info *i)
{
    *i = (struct job_info){.id = j->id, .name = {j->name, j->name_len},
                           .cancel_reason = {j->cancel_reason, j->reason_len},
                           .open = j->open, .state = hqi_state_job_derived(j), .max_fails = j->max_fails,
                           .submitted_ms = j->submitted_ms, .ended_ms = j->ended_ms, .change = j->change};
    i->stats.total = hqi_state_job_total(j);
    for (uint32_t s = 0; s < HQ_TASK_STATES; s++)
        i->stats.count[s] = j->counts[s];
}

static bool fill_submits(struct core *c, const struct job *j, struct job_info *i)
{
    struct submit_info *v = hqi_base_arena_get(&c->mem, (j->n_submits + 1u) * sizeof *v);
    uint32_t n = 0;
    if (!v)
        return false;
    list_for(it, &j->submits) {
        const struct submit *s = hqi_container(it, struct submit, in_job);
        v[n++] = (struct submit_info){s->id, s->spec, s->at_ms};
    }
    i->submits = v;
    i->n_submits = n;
    return true;
}

/* Looking at every task for the workers that ran them pays only so far; beyond it, those that were told the spec. */
#define EXACT_WORKERS_TASKS (1u << 20)

static void mark_exact(const struct submit *s, uint8_t *ran, uint32_t n_workers)
{
    uint32_t all = (1u << HQ_TASK_STATES) - 1 - (1u << HQ_TASK_WAITING);
    for (uint32_t o = hqi_state_task_seek(s, 0, all); o < s->spec->ids.count; o = hqi_state_task_seek(s, o + 1, all)) {
        struct task_view t;
        hqi_state_task(s, o, &t);
        if (t.worker == 0 && s->rest_state != HQ_TASK_WAITING && s->counts[s->rest_state] == s->spec->ids.count)
            return; /* untouched and given up as a whole */
        if (t.worker > 0 && t.worker <= n_workers)
            ran[t.worker] = 1;
    }
}

static void mark_told(const struct submit *s, uint8_t *ran, uint32_t n_workers)
{
    for (uint32_t w = 1; w <= n_workers; w++)
        ran[w] = ran[w] || hqi_state_knows(s, (hq_worker_id){w});
}

static bool fill_job_workers(struct core *c, const struct job *j, struct job_info *i)
{
    uint32_t n_workers = c->state->n_workers, n = 0;
    uint8_t *ran = hqi_base_arena_zero(&c->tick, n_workers + 1u, 1);
    struct worker_name *v = hqi_base_arena_get(&c->mem, (n_workers + 1u) * sizeof *v);
    if (!ran || !v)
        return false;
    list_for(it, &j->submits) {
        const struct submit *s = hqi_container(it, struct submit, in_job);
        if (s->spec->ids.count <= EXACT_WORKERS_TASKS)
            mark_exact(s, ran, n_workers);
        else
            mark_told(s, ran, n_workers);
    }
    for (uint32_t w = 1; w <= n_workers; w++)
        if (ran[w])
            v[n++] = (struct worker_name){{w}, hqi_state_worker(c->state, (hq_worker_id){w})->config->hostname};
    i->workers = v;
    i->n_workers = n;
    return true;
}

static bool fill_failed(struct core *c, const struct job *j, struct job_info *i)
{
    struct failed_task *v = hqi_base_arena_zero(&c->mem, FAILED_SHOWN, sizeof *v);
    struct walk w;
    struct walk_task at;
    uint32_t n = 0;
    if (!v)
        return false;
    hqi_core_walk_job(&w, &c->tick, j, 0, 1u << HQ_TASK_FAILED);
    while (n < FAILED_SHOWN && hqi_core_walk_next(&w, &at)) {
        struct task_view t;
        hqi_state_task(at.submit, at.ordinal, &t);
        v[n++] = (struct failed_task){at.id, {t.worker}, t.code,
                                      end_text_is_result(t.code) ? (struct bytes){0} : (struct bytes){t.text, t.text_len},
                                      at.submit->spec->crash_limit};
    }
    i->failed = v;
    i->n_failed = n;
    return !w.failed;
}

bool hqi_core_fill_jobs(struct core *c, struct reply *r, const uint32_t *ids, uint32_t n, bool details)
{
    struct job_info *v = hqi_base_arena_get(&c->mem, (n + 1u) * sizeof *v);
    uint32_t k = 0;
    for (uint32_t i = 0; v && i < n; i++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){ids[i]});
        if (!j)
            continue;
        fill_job(j, &v[k]);
        if (details && !(fill_submits(c, j, &v[k]) && fill_job_workers(c, j, &v[k]) && fill_failed(c, j, &v[k])))
            return false;
        k++;
    }
    r->u.jobs.jobs = v;
    r->u.jobs.n = k;
    r->u.jobs.total = c->state->live_jobs;
    return v != NULL;
}

#define DEFAULT_STATES (1u << HQ_TASK_WAITING | 1u << HQ_TASK_RUNNING | 1u << HQ_JOB_OPENED)

static bool listed(const struct job *j, const struct command *cmd)
{
    uint32_t state = 1u << hqi_state_job_derived(j);
    if (cmd->u.job_list.all)
        return true;
    if (cmd->u.job_list.states)
        return cmd->u.job_list.states & state;
    return j->open || (state & DEFAULT_STATES);
}

void hqi_core_job_list(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    uint32_t *ids = hqi_base_arena_get(&c->tick, LIST_PAGE * sizeof *ids);
    uint32_t n = 0, id = cmd->u.job_list.from ? cmd->u.job_list.from : 1;
    (void)now;
    for (; ids && id <= c->state->n_jobs && n < LIST_PAGE; id++) {
        const struct job *j = hqi_state_job(c->state, (hq_job_id){id});
        if (j && listed(j, cmd))
            ids[n++] = id;
    }
    struct reply *r = ids ? hqi_core_reply(c, client, cmd->id, cmd->kind) : NULL;
    if (!r) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    r->u.jobs.next = id <= c->state->n_jobs ? id : 0;
    if (!hqi_core_fill_jobs(c, r, ids, n, false))
        lacks_memory(c, r);
}

void hqi_core_job_info(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    struct reply *r;
    (void)now;
    if (!hqi_core_select_jobs(c, &cmd->u.jobs.jobs, NULL, cmd->key, &s) || !(r = hqi_core_reply(c, client, cmd->id, cmd->kind))) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    r->u.jobs.missing = s.missing;
    r->u.jobs.n_missing = s.n_missing;
    if (!hqi_core_fill_jobs(c, r, s.ids, s.n, !cmd->u.jobs.brief))
        lacks_memory(c, r);
}

/* ---- workers ---- */

static void fill_worker(const struct core *c, const struct worker *w, struct worker_info *i)
{
    uint64_t idle = w->config->idle_timeout_ms ? w->config->idle_timeout_ms : c->opt.worker_idle_timeout_ms;
    uint32_t assigned = 0;
    list_for(it, &w->class_list)
        assigned += hqi_container(it, struct wclass, in_worker)->booked;
    *i = (struct worker_info){.id = w->id, .end = w->end, .config = w->config, .idle_timeout_ms = idle,
                              .joined_ms = w->joined_ms, .ended_ms = w->ended_ms, .has_last = w->has_last,
                              .last_task = w->last_task, .last_ms = w->last_ms, .assigned = assigned,
                              .running = w->n_running};
}

bool hqi_core_fill_workers(struct core *c, struct reply *r, const uint32_t *ids, uint32_t n)
{
    struct worker_info *v = hqi_base_arena_get(&c->mem, (n + 1u) * sizeof *v);
    for (uint32_t i = 0; v && i < n; i++)
        fill_worker(c, hqi_state_worker(c->state, (hq_worker_id){ids[i]}), &v[i]);
    r->u.workers.workers = v;
    r->u.workers.n = n;
    return v != NULL;
}

/* One page of the selected ids, from `from` on. */
static void cut_page(struct selected *s, uint32_t from, uint32_t *next)
{
    uint32_t first = 0;
    while (first < s->n && s->ids[first] < from)
        first++;
    s->ids += first;
    s->n -= first;
    *next = s->n > LIST_PAGE ? s->ids[LIST_PAGE] : 0;
    if (s->n > LIST_PAGE)
        s->n = LIST_PAGE;
}

void hqi_core_worker_list(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct selected s;
    struct reply *r;
    uint32_t next;
    (void)now;
    if (!hqi_core_select_workers(c, &cmd->u.workers.workers, !cmd->u.workers.offline_too, &s) ||
        !(r = hqi_core_reply(c, client, cmd->id, cmd->kind))) {
        hqi_core_no_memory(c, client, cmd);
        return;
    }
    cut_page(&s, cmd->u.workers.from, &next);
    r->u.workers.next = next;
    r->u.workers.missing = s.missing;
    r->u.workers.n_missing = s.n_missing;
    if (!hqi_core_fill_workers(c, r, s.ids, s.n))
        lacks_memory(c, r);
}
