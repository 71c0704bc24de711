/* SPDX-License-Identifier: MIT */
#include "world.h"

void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(hqi_state_state_new(&w->state, &hqi_base_alloc_libc, NULL), HQ_OK);
    w->scratch = hqi_sched_scratch_new(&hqi_base_alloc_libc);
    assert_non_null(w->scratch);
    hqi_base_arena_init(&w->mem, &hqi_base_alloc_libc);
    w->utc_ms = T0;
    w->steps = PLAN_STEPS;
    w->max_tasks = PLAN_TASKS;
}

void world_fini(struct world *w)
{
    hqi_state_state_free(w->state);
    hqi_sched_scratch_free(w->scratch);
    hqi_base_arena_fini(&w->mem);
}

void happen(struct world *w, struct fact *f)
{
    hq_error err = {0};
    f->utc_ms = w->utc_ms;
    if (hqi_state_reserve(w->state, f, &err) < 0)
        fail_msg("reserve: %s", err.text);
    hqi_state_apply(w->state, f);
    if (hqi_state_verify(w->state, &err) < 0)
        fail_msg("verify: %s", err.text);
}

static struct worker_config *config_of(uint32_t cpus, uint32_t gpus)
{
    struct worker_config *c = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *d = hqi_base_arena_zero(c->mem, 2, sizeof *d);
    d[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .start = 0, .end = cpus - 1};
    d[1] = (struct resource_def){.name = bytes_of("gpus"), .kind = RESOURCE_RANGE, .start = 0, .end = gpus - 1};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->resources = (struct resources){d, gpus ? 2 : 1};
    return c;
}

static uint32_t join(struct world *w, struct worker_config *c)
{
    struct fact f = {.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker.n = w->state->n_workers + 1;
    f.u.worker_join.config = c;
    happen(w, &f);
    return w->state->n_workers;
}

uint32_t add_worker(struct world *w, uint32_t cpus, uint32_t gpus, uint64_t limit_ms)
{
    struct worker_config *c = config_of(cpus, gpus);
    c->time_limit_ms = limit_ms;
    return join(w, c);
}

uint32_t add_limited(struct world *w, uint32_t cpus, uint32_t gpus, uint32_t utilization)
{
    struct worker_config *c = config_of(cpus, gpus);
    c->min_utilization = utilization;
    return join(w, c);
}

static uint32_t submit(struct world *w, int32_t priority, const struct request_variant *v, uint32_t n)
{
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    struct request_variant *copy = hqi_base_arena_zero(s->mem, 1, sizeof *copy);
    struct request_entry *e = hqi_base_arena_zero(s->mem, v->n_entries, sizeof *e);
    struct bytes *argv = hqi_base_arena_zero(s->mem, 1, sizeof *argv);
    hq_range r = {0, n, 1};
    memcpy(e, v->entries, v->n_entries * sizeof *e);
    *copy = *v;
    copy->entries = e;
    argv[0] = bytes_of("true");
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = bytes_of("/tmp");
    s->out.kind = s->err.kind = STDIO_NONE;
    s->request = (struct resource_request){copy, 1};
    s->priority = priority;
    s->crash_limit = CRASH_DEFAULT;
    assert_int_equal(hqi_model_intset_make(&s->ids, s->mem, &r, 1, NULL), HQ_OK);
    struct fact f = {.kind = FACT_SUBMIT};
    f.u.submit.job.n = w->state->n_jobs + 1;
    f.u.submit.new_job = true;
    f.u.submit.name = bytes_of("job");
    f.u.submit.max_fails = UINT32_MAX;
    f.u.submit.submit = w->state->n_submits + 1;
    f.u.submit.spec = s;
    happen(w, &f);
    return w->state->n_submits;
}

uint32_t add_tasks(struct world *w, int32_t priority, uint32_t cpus, uint32_t gpus, uint32_t n, uint64_t min_time_ms)
{
    struct request_entry e[] = {{bytes_of("cpus"), POLICY_COMPACT, (uint64_t)cpus * HQ_UNITS},
                                {bytes_of("gpus"), POLICY_COMPACT, (uint64_t)gpus * HQ_UNITS}};
    return submit(w, priority, &(struct request_variant){0, e, gpus ? 2 : 1, min_time_ms, HQ_UNITS}, n);
}

uint32_t add_request(struct world *w, int32_t priority, struct request_entry entry, uint32_t n)
{
    return submit(w, priority, &(struct request_variant){0, &entry, 1, 0, HQ_UNITS}, n);
}

void plan(struct world *w)
{
    struct plan_input in = {w->utc_ms, w->peers, 16, w->steps, w->max_tasks};
    hqi_base_arena_clear(&w->mem);
    assert_int_equal(hqi_sched_plan(&w->plan, w->state, w->scratch, &in, &w->mem, NULL), HQ_OK);
}

void apply_plan(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.n; i++)
        happen(w, &w->plan.facts[i]);
}

uint32_t count(const struct world *w, uint8_t kind, uint32_t worker, uint32_t submit, int booked)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->plan.n; i++) {
        const struct fact *f = &w->plan.facts[i];
        for (uint32_t g = 0; f->kind == kind && f->u.tasks.worker.n == worker && g < f->u.tasks.n_groups; g++) {
            const struct task_group *t = &f->u.tasks.groups[g];
            for (uint32_t r = 0; t->submit == submit && (booked < 0 || t->booked == booked) && r < t->n_ranges; r++)
                n += t->ranges[r].count;
        }
    }
    return n;
}

uint32_t placed_on(const struct world *w, uint32_t submit)
{
    for (uint32_t id = 1; id <= w->state->n_workers; id++)
        if (count(w, FACT_HANDOUT, id, submit, true))
            return id;
    return 0;
}

void started(struct world *w, uint32_t worker, uint32_t submit, uint32_t ordinal)
{
    uint64_t at = w->utc_ms;
    struct start_group g = {submit, 0, 1, &ordinal, &at, NULL};
    struct fact f = {.kind = FACT_STARTED};
    f.u.started.worker.n = worker;
    f.u.started.groups = &g;
    f.u.started.n_groups = 1;
    happen(w, &f);
}

void ended(struct world *w, uint32_t worker, uint32_t submit, uint32_t ordinal)
{
    uint64_t start = w->utc_ms, duration = 1;
    uint16_t code = 0;
    struct end_group g = {.submit = submit, .n = 1, .ordinals = &ordinal, .start_ms = &start, .duration_ms = &duration,
                          .code = &code};
    struct fact f = {.kind = FACT_ENDED};
    f.u.ended.worker.n = worker;
    f.u.ended.groups = &g;
    f.u.ended.n_groups = 1;
    happen(w, &f);
}

void returned(struct world *w, uint32_t worker, uint32_t submit, struct ord_range range, bool block)
{
    struct task_group g = {.submit = submit, .ranges = &range, .n_ranges = 1};
    struct fact f = {.kind = FACT_RETURN};
    f.u.tasks.worker.n = worker;
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    f.u.tasks.block = block;
    happen(w, &f);
}

void gives_back(struct world *w, uint32_t worker)
{
    for (uint32_t i = 0; i < w->plan.n; i++) {
        struct fact f = {.kind = FACT_RETURN, .u = w->plan.facts[i].u};
        if (w->plan.facts[i].kind == FACT_RETRACT && f.u.tasks.worker.n == worker)
            happen(w, &f);
    }
}

void occupy(struct world *w, uint32_t worker, uint32_t cpus)
{
    uint32_t submit = add_tasks(w, 1000, cpus, 0, 1, 0);
    struct ord_range r = {0, 1};
    struct task_group g = {submit, 0, &r, 1, true, true};
    struct fact f = {.kind = FACT_HANDOUT};
    f.u.tasks.worker.n = worker;
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    happen(w, &f);
    started(w, worker, submit, 0);
}

