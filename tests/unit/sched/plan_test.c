/* SPDX-License-Identifier: MIT */
/* plan_test.c - what one planning call proposes: rows of workers and tasks, and who must get what. */
#include "world.h"

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
    returned(&w, 1, a, (struct ord_range){0, 4}, true);
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
