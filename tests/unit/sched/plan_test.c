/* SPDX-License-Identifier: MIT */
/* plan_test.c - what one planning call proposes: rows of workers and tasks, and who must get what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sched/plan.h"

#define T0 1000000ull /* utc_ms of everything that happens at the start */

struct world {
    struct state *state;
    struct scratch *scratch;
    struct arena mem;
    struct plan_result plan;
    struct plan_peer peers[16];
    uint64_t utc_ms;
    uint32_t steps;
};

static void world_init(struct world *w)
{
    memset(w, 0, sizeof *w);
    assert_int_equal(hqi_state_state_new(&w->state, &hqi_base_alloc_libc, NULL), HQ_OK);
    w->scratch = hqi_sched_scratch_new(&hqi_base_alloc_libc);
    assert_non_null(w->scratch);
    hqi_base_arena_init(&w->mem, &hqi_base_alloc_libc);
    w->utc_ms = T0;
    w->steps = PLAN_STEPS;
}

static void world_fini(struct world *w)
{
    hqi_state_state_free(w->state);
    hqi_sched_scratch_free(w->scratch);
    hqi_base_arena_fini(&w->mem);
}

static void happen(struct world *w, struct fact *f)
{
    hq_error err = {0};
    f->utc_ms = w->utc_ms;
    if (hqi_state_reserve(w->state, f, &err) < 0)
        fail_msg("reserve: %s", err.text);
    hqi_state_apply(w->state, f);
    if (hqi_state_verify(w->state, &err) < 0)
        fail_msg("verify: %s", err.text);
}

static uint32_t add_worker(struct world *w, uint32_t cpus, uint32_t gpus, uint64_t limit_ms)
{
    struct worker_config *c = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *d = hqi_base_arena_zero(c->mem, 2, sizeof *d);
    d[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .start = 0, .end = cpus - 1};
    d[1] = (struct resource_def){.name = bytes_of("gpus"), .kind = RESOURCE_RANGE, .start = 0, .end = gpus - 1};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->time_limit_ms = limit_ms;
    c->resources = (struct resources){d, gpus ? 2 : 1};
    struct fact f = {.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker.n = w->state->n_workers + 1;
    f.u.worker_join.config = c;
    happen(w, &f);
    return w->state->n_workers;
}

/* A job of `n` tasks that each want cpus (in units) and gpus. Returns the submit. */
static uint32_t add_tasks(struct world *w, int32_t priority, uint32_t cpus, uint32_t gpus, uint32_t n, uint64_t min_time_ms)
{
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    struct request_entry *e = hqi_base_arena_zero(s->mem, 2, sizeof *e);
    struct request_variant *v = hqi_base_arena_zero(s->mem, 1, sizeof *v);
    struct bytes *argv = hqi_base_arena_zero(s->mem, 1, sizeof *argv);
    hq_range r = {0, n, 1};
    e[0] = (struct request_entry){bytes_of("cpus"), POLICY_COMPACT, (uint64_t)cpus * HQ_UNITS};
    e[1] = (struct request_entry){bytes_of("gpus"), POLICY_COMPACT, (uint64_t)gpus * HQ_UNITS};
    *v = (struct request_variant){0, e, gpus ? 2 : 1, min_time_ms, HQ_UNITS};
    argv[0] = bytes_of("true");
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = bytes_of("/tmp");
    s->out.kind = s->err.kind = STDIO_NONE;
    s->request = (struct resource_request){v, 1};
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

static void plan(struct world *w)
{
    struct plan_input in = {w->utc_ms, w->peers, 16, w->steps, PLAN_TASKS};
    hqi_base_arena_clear(&w->mem);
    assert_int_equal(hqi_sched_plan(&w->plan, w->state, w->scratch, &in, &w->mem, NULL), HQ_OK);
}

static void apply_plan(struct world *w)
{
    for (uint32_t i = 0; i < w->plan.n; i++)
        happen(w, &w->plan.facts[i]);
}

static uint32_t count(const struct world *w, uint8_t kind, uint32_t worker, uint32_t submit, int booked)
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

static void started(struct world *w, uint32_t worker, uint32_t submit, uint32_t ordinal)
{
    uint64_t at = w->utc_ms;
    struct start_group g = {submit, 0, 1, &ordinal, &at, NULL};
    struct fact f = {.kind = FACT_STARTED};
    f.u.started.worker.n = worker;
    f.u.started.groups = &g;
    f.u.started.n_groups = 1;
    happen(w, &f);
}

/* Takes `cpus` of a worker with a task of its own, at a priority that nothing else has. */
static void occupy(struct world *w, uint32_t worker, uint32_t cpus)
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

/* ---- placement ---- */

#define MAX 8
struct row {
    const char *what;
    uint32_t cpus[MAX];                                 /* of the workers; 0 ends */
    uint32_t busy[MAX];                                 /* cpus taken on them before */
    struct { int32_t priority; uint32_t cpus; } task[MAX]; /* one task each; cpus 0 ends */
    uint32_t got[MAX];                                  /* worker of each task; 0: waits */
};

static const struct row rows[] = {
    {"packs the first worker", {4, 4}, {0}, {{0, 2}, {0, 2}}, {1, 1}},
    {"bigger share first", {4, 4}, {0}, {{0, 2}, {0, 3}}, {2, 1}},
    {"unequal workers", {3, 4}, {0}, {{0, 2}, {0, 3}}, {2, 1}},
    {"largest, then next", {4, 4}, {0}, {{0, 3}, {0, 4}, {0, 2}}, {2, 1, 0}},
    {"too large for all blocks nobody of its priority", {4, 4}, {0}, {{0, 5}, {0, 5}, {0, 1}, {0, 1}, {0, 1}, {0, 1}, {0, 1}},
     {0, 0, 1, 1, 1, 1, 2}},
    {"two priorities, both fit", {4, 4}, {0}, {{1, 2}, {2, 2}}, {1, 1}},
    {"higher first, large lower waits", {4, 4}, {0}, {{0, 4}, {0, 4}, {1, 2}, {2, 3}}, {0, 0, 2, 1}},
    {"largest of one priority", {4, 4}, {0}, {{1, 4}, {1, 4}, {1, 2}, {1, 3}}, {1, 2, 0, 0}},
    {"what never fits does not block", {4, 4}, {0}, {{1, 5}, {0, 4}}, {0, 1}},
    {"a waiting request keeps what it could use", {4}, {0}, {{9, 2}, {7, 1}, {6, 2}, {5, 1}}, {1, 1, 0, 0}},
    {"the gap is used", {4}, {0}, {{1, 3}, {1, 3}, {1, 3}, {0, 1}}, {1, 0, 0, 1}},
    {"gap of four", {12}, {0}, {{1, 8}, {1, 8}, {0, 4}}, {1, 0, 1}},
    {"no gap", {6}, {0}, {{1, 3}, {1, 3}, {1, 3}, {0, 2}}, {1, 1, 0, 0}},
    {"gap of two", {8}, {0}, {{1, 3}, {1, 3}, {1, 3}, {0, 1}, {0, 1}}, {1, 1, 0, 1, 1}},
    {"three levels", {8}, {0}, {{1, 3}, {1, 3}, {1, 3}, {2, 1}, {0, 1}, {0, 1}, {0, 1}}, {1, 1, 0, 1, 1, 0, 0}},
    {"infeasible above", {3}, {0}, {{10, 5}, {0, 1}}, {0, 1}},
    {"blocked on the large worker only", {3, 5}, {0}, {{10, 5}, {9, 5}, {0, 1}}, {2, 0, 1}},
    {"fill, then the small one", {5, 3}, {0}, {{10, 3}, {9, 2}, {8, 5}, {0, 1}}, {1, 1, 0, 2}},
    {"the rest of a busy worker is kept", {3}, {1}, {{1, 3}, {0, 1}}, {0, 0}},
    {"one worker is kept, the other serves", {3, 3}, {1, 1}, {{3, 3}, {2, 2}}, {0, 2}},
    {"both small ones on the same", {3, 3}, {1, 1}, {{3, 3}, {2, 1}, {2, 1}}, {0, 2, 2}},
    {"least missing is kept", {3, 3}, {2, 1}, {{3, 3}, {2, 1}, {2, 1}}, {0, 1, 0}},
    {"the two that miss least are kept", {4, 4, 4, 4}, {3, 1, 2, 3}, {{5, 4}, {5, 4}, {0, 1}, {0, 1}, {0, 1}}, {0, 0, 1, 4, 0}},
    {"ten of ten", {10}, {0}, {{9, 2}, {8, 1}, {7, 2}, {6, 1}, {5, 2}, {4, 1}, {3, 2}, {2, 1}}, {1, 1, 1, 1, 1, 1, 0, 0}},
};

static uint32_t placed_on(const struct world *w, uint32_t submit)
{
    for (uint32_t id = 1; id <= w->state->n_workers; id++)
        if (count(w, FACT_HANDOUT, id, submit, true))
            return id;
    return 0;
}

static void check_row(const struct row *r)
{
    struct world w;
    uint32_t submit[MAX] = {0};
    /* among tasks of the same priority and request it does not matter which one got what */
    uint32_t want[16] = {0}, have[16] = {0};
    world_init(&w);
    for (int i = 0; i < MAX && r->cpus[i]; i++) {
        add_worker(&w, r->cpus[i], 0, 0);
        if (r->busy[i])
            occupy(&w, i + 1, r->busy[i]);
    }
    for (int i = 0; i < MAX && r->task[i].cpus; i++)
        submit[i] = add_tasks(&w, r->task[i].priority, r->task[i].cpus, 0, 1, 0);
    plan(&w);
    for (int i = 0; i < MAX && r->task[i].cpus; i++)
        for (int k = 0; k <= i; k++)
            if (r->task[k].cpus == r->task[i].cpus && r->task[k].priority == r->task[i].priority) {
                want[k] += r->got[i] + 100 * (r->got[i] > 0);
                have[k] += placed_on(&w, submit[i]) + 100 * (placed_on(&w, submit[i]) > 0);
                break;
            }
    for (int i = 0; i < MAX; i++)
        if (want[i] != have[i])
            fail_msg("%s: tasks like number %d: %u instead of %u", r->what, i, have[i], want[i]);
    apply_plan(&w);
    plan(&w);
    assert_int_equal(w.plan.n, 0); /* nothing more to say about the same state */
    world_fini(&w);
}

static void test_placement(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

static void test_time_request(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 1, 0, 50000);
    add_worker(&w, 1, 0, 200000);
    add_worker(&w, 1, 0, 100000);
    uint32_t a = add_tasks(&w, 0, 1, 0, 1, 170000);
    uint32_t b = add_tasks(&w, 0, 1, 0, 1, 0);
    uint32_t c = add_tasks(&w, 0, 1, 0, 1, 99000);
    plan(&w);
    assert_int_equal(placed_on(&w, a), 2);
    assert_int_equal(placed_on(&w, b), 1);
    assert_int_equal(placed_on(&w, c), 3);
    world_fini(&w);
}

static void test_two_resources(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 6, 2, 0);
    uint32_t a = add_tasks(&w, 0, 2, 0, 10, 0);
    uint32_t b = add_tasks(&w, 0, 2, 1, 10, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, b, true), 2);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, a, true), 1);
    world_fini(&w);
}

static void test_a_worker_that_refused_gets_no_more_of_the_class(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    add_worker(&w, 4, 0, 0);
    uint32_t a = add_tasks(&w, 0, 1, 0, 4, 0);
    plan(&w);
    apply_plan(&w);
    const struct ord_range all = {0, 4};
    const struct task_group g = {.submit = a, .ranges = &all, .n_ranges = 1};
    struct fact f = {.kind = FACT_RETURN};
    f.u.tasks.worker.n = 1;
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    f.u.tasks.block = true;
    happen(&w, &f);
    uint32_t b = add_tasks(&w, 0, 3, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 2, a, true), 4);
    assert_int_equal(placed_on(&w, b), 1); /* another class it takes */
    world_fini(&w);
}

static void test_a_stopping_worker_gets_nothing(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    add_worker(&w, 4, 0, 0);
    struct fact f = {.kind = FACT_WORKER_STOP};
    f.u.worker_stop.worker.n = 1;
    f.u.worker_stop.reason = HQ_WORKER_STOPPED;
    happen(&w, &f);
    uint32_t s = add_tasks(&w, 0, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(placed_on(&w, s), 2);
    world_fini(&w);
}

/* ---- prefill and retract ---- */

static void test_prefill_one_class(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    add_worker(&w, 4, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 300, 0);
    plan(&w);
    for (uint32_t id = 1; id <= 2; id++) {
        assert_int_equal(count(&w, FACT_HANDOUT, id, s, true), 4);
        assert_int_equal(count(&w, FACT_HANDOUT, id, s, false), 4); /* as many as slots before anything is known */
    }
    world_fini(&w);
}

static void test_prefill_is_fair_at_the_end(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    add_worker(&w, 4, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 9, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, s, false) + count(&w, FACT_HANDOUT, 2, s, false), 0);
    world_fini(&w);
}

static void test_contested_slots_are_not_inherited(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 2, 0);
    uint32_t a = add_tasks(&w, 0, 1, 0, 300, 0);
    plan(&w);
    apply_plan(&w);
    uint32_t b = add_tasks(&w, 0, 1, 1, 16, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, b, -1), 0); /* no room */
    assert_int_equal(count(&w, FACT_HANDOUT, 1, a, -1), 0); /* and no more of the other */
    world_fini(&w);
}

static void test_higher_priority_takes_back(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 1, 0, 0);
    uint32_t low = add_tasks(&w, 0, 1, 0, 10, 0);
    plan(&w);
    apply_plan(&w);
    started(&w, 1, low, 0);
    uint32_t high = add_tasks(&w, 1, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, low, -1), 1);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, high, true), 0);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, low, -1), 0);
    apply_plan(&w);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, low, -1), 0); /* asked once */
    world_fini(&w);
}

static void test_same_priority_takes_nothing_back(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 1, 0, 0);
    uint32_t a = add_tasks(&w, 0, 1, 0, 10, 0);
    plan(&w);
    apply_plan(&w);
    add_tasks(&w, 0, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, a, -1), 0);
    world_fini(&w);
}

static void test_surplus_moves_to_an_idle_worker(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 2, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 4, 0);
    plan(&w);
    apply_plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, s, false), 2);
    add_worker(&w, 1, 0, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 1); /* as much as the idle one can start */
    world_fini(&w);
}

static void test_surplus_goes_before_lower_priority(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 2, 0, 0);
    uint32_t high = add_tasks(&w, 5, 1, 0, 4, 0);
    plan(&w);
    apply_plan(&w);
    add_worker(&w, 1, 0, 0);
    uint32_t low = add_tasks(&w, 0, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, high, -1), 1);
    assert_int_equal(count(&w, FACT_HANDOUT, 2, low, -1), 0); /* the higher one will start there */
    world_fini(&w);
}

static void test_stalled_worker_gives_back(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 2, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 8, 0);
    plan(&w);
    apply_plan(&w);
    started(&w, 1, s, 0);
    w.peers[1].stalled = true;
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 3); /* all but the running one */
    assert_int_equal(count(&w, FACT_HANDOUT, 1, s, -1), 0);
    world_fini(&w);
}

/* ---- budget ---- */

static void test_cut_passes_reach_everything(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    for (int i = 0; i < 200; i++)
        add_worker(&w, 1, 0, 0);
    add_tasks(&w, 100, 2, 0, 5, 0); /* never fits */
    for (int i = 0; i < 100; i++)
        add_tasks(&w, i, 1, 0, 2, 1000 + i);
    w.steps = 50;
    int calls = 0;
    do {
        plan(&w);
        apply_plan(&w);
        calls++;
    } while (w.plan.more && calls < 1000);
    uint32_t busy = 0;
    for (uint32_t id = 1; id <= 200; id++)
        busy += hqi_state_worker(w.state, (hq_worker_id){id})->n_active;
    assert_int_equal(busy, 200);
    assert_true(calls > 1);
    world_fini(&w);
}

/* What can take nothing is not asked once per class. */
static void test_a_busy_cluster_costs_a_step_per_worker(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    for (int i = 0; i < 50; i++)
        add_worker(&w, 2, 0, 0);
    add_tasks(&w, 0, 1, 0, 1000, 0);
    plan(&w);
    apply_plan(&w);
    for (int i = 0; i < 60; i++)
        add_tasks(&w, i % 3, 2, 0, 1000, 1000 + i);
    w.steps = 50 * 6;
    plan(&w);
    assert_false(w.plan.more);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_placement),
        cmocka_unit_test(test_time_request),
        cmocka_unit_test(test_two_resources),
        cmocka_unit_test(test_a_worker_that_refused_gets_no_more_of_the_class),
        cmocka_unit_test(test_a_stopping_worker_gets_nothing),
        cmocka_unit_test(test_prefill_one_class),
        cmocka_unit_test(test_prefill_is_fair_at_the_end),
        cmocka_unit_test(test_contested_slots_are_not_inherited),
        cmocka_unit_test(test_higher_priority_takes_back),
        cmocka_unit_test(test_same_priority_takes_nothing_back),
        cmocka_unit_test(test_surplus_moves_to_an_idle_worker),
        cmocka_unit_test(test_surplus_goes_before_lower_priority),
        cmocka_unit_test(test_stalled_worker_gives_back),
        cmocka_unit_test(test_cut_passes_reach_everything),
        cmocka_unit_test(test_a_busy_cluster_costs_a_step_per_worker),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
