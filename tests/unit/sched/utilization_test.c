/* SPDX-License-Identifier: MIT */
/* utilization_test.c - workers with a minimal utilization: who gets what, and who rather stays idle. */
#include "world.h"

#define MAX 8
struct row {
    const char *what;
    struct { uint32_t cpus, limit, busy; } worker[MAX]; /* limit in 1/10000; cpus 0 ends */
    struct { int32_t priority; uint32_t cpus, n; } task[MAX]; /* n 0 ends */
    uint32_t got[MAX][MAX]; /* booked, by kind of task and worker */
};

static const struct row rows[] = {
    {"two of three", {{9, 10000, 0}}, {{0, 3, 2}}, {{0}}},
    {"three of three", {{9, 10000, 0}}, {{0, 3, 3}}, {{3}}},
    {"a half, and not less", {{12, 5000, 0}}, {{0, 3, 2}}, {{2}}},
    {"a half is not enough", {{12, 5100, 0}}, {{0, 3, 2}}, {{0}}},
    {"so little is no limit", {{9, 10, 0}}, {{0, 1, 1}}, {{1}}},
    {"just more than that is one", {{1000, 11, 0}}, {{0, 1, 1}}, {{0}}},
    {"what is in use counts", {{9, 10000, 6}}, {{0, 3, 1}}, {{1}}},
    {"but must be enough with what is new", {{9, 10000, 3}}, {{0, 3, 1}}, {{0}}},
    {"who is above the limit takes anything", {{9, 5000, 5}}, {{0, 1, 1}}, {{1}}},
    {"what does not fit does not count", {{9, 10000, 0}}, {{0, 2, 20}}, {{0}}},
    {"what never fits does not count", {{9, 10000, 0}}, {{0, 10, 1}, {0, 3, 2}}, {{0}, {0}}},
    {"over priorities", {{9, 10000, 0}}, {{10, 3, 1}, {5, 3, 1}, {0, 3, 1}}, {{1}, {1}, {1}}},
    {"over requests", {{10, 10000, 0}}, {{0, 7, 1}, {0, 2, 1}, {0, 1, 1}}, {{1}, {1}, {1}}},
    {"the better mix", {{9, 10000, 0}}, {{0, 5, 1}, {0, 3, 3}}, {{0}, {3}}},
    {"a higher priority that spoils it", {{9, 10000, 0}}, {{1, 5, 1}, {0, 3, 3}}, {{0}, {0}}},
    {"others get it", {{9, 10000, 0}, {6, 0, 0}}, {{0, 3, 2}}, {{0, 2}}},
    {"others get what spoils it, and the rest fits", {{9, 10000, 0}, {5, 0, 0}}, {{1, 5, 1}, {0, 3, 3}}, {{0, 1}, {0, 0}}},
    {"the rest is too little", {{9, 10000, 0}, {9, 10000, 0}}, {{0, 3, 5}}, {{3, 0}}},
    {"the first cannot, the last can", {{12, 10000, 0}, {12, 10000, 0}, {11, 10000, 0}, {10, 10000, 0}, {12, 10000, 0}, {9, 10000, 0}},
     {{0, 3, 3}}, {{0, 0, 0, 0, 0, 3}}},
    {"trusted in vain, the next one gets it", {{12, 10000, 0}, {9, 10000, 0}}, {{1, 5, 1}, {0, 4, 2}}, {{0, 1}, {0, 1}}},
    {"trusted in vain, others get all of it", {{12, 10000, 0}, {5, 0, 0}, {4, 0, 0}}, {{1, 5, 1}, {0, 4, 2}}, {{0, 1}, {0, 0, 1}}},
    {"many are trusted in vain, the last one gets it",
     {{12, 10000, 0}, {12, 10000, 0}, {12, 10000, 0}, {12, 10000, 0}, {12, 10000, 0}, {12, 10000, 0}, {12, 10000, 0}, {9, 10000, 0}},
     {{1, 5, 1}, {0, 4, 2}}, {{0, 0, 0, 0, 0, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}}},
    {"another limit", {{12, 10000, 0}, {12, 7500, 0}}, {{1, 5, 1}, {0, 4, 2}}, {{0, 1}, {0, 1}}},
    {"something in use", {{12, 10000, 0}, {12, 10000, 3}}, {{1, 5, 1}, {0, 4, 2}}, {{0, 1}, {0, 1}}},
    {"what a higher one waits for is kept", {{9, 0, 5}, {9, 10000, 0}}, {{1, 6, 1}, {0, 4, 1}}, {{0}, {0}}},
};

static uint32_t sum(const struct world *w, uint32_t submit, uint32_t worker)
{
    return count(w, FACT_HANDOUT, worker, submit, true);
}

static uint32_t sum_unbooked(const struct world *w, uint32_t submit)
{
    uint32_t n = 0;
    for (uint32_t id = 1; id <= w->state->n_workers; id++)
        n += count(w, FACT_HANDOUT, id, submit, false);
    return n;
}

static void check_row(const struct row *r)
{
    struct world w;
    uint32_t submit[MAX] = {0};
    world_init(&w);
    for (uint32_t i = 0; i < MAX && r->worker[i].cpus; i++) {
        add_limited(&w, r->worker[i].cpus, 0, r->worker[i].limit);
        if (r->worker[i].busy)
            occupy(&w, i + 1, r->worker[i].busy);
    }
    for (uint32_t i = 0; i < MAX && r->task[i].n; i++)
        submit[i] = add_tasks(&w, r->task[i].priority, r->task[i].cpus, 0, r->task[i].n, 0);
    for (int calls = 0;; calls++) {
        plan(&w);
        for (uint32_t i = 0; i < MAX && submit[i] && calls == 0; i++)
            for (uint32_t id = 1; id <= w.state->n_workers; id++)
                if (sum(&w, submit[i], id) != r->got[i][id - 1])
                    fail_msg("%s: worker %u gets %u tasks of kind %u instead of %u", r->what, id, sum(&w, submit[i], id), i,
                             r->got[i][id - 1]);
        if (!w.plan.more)
            break;
        assert_true(calls < 10); /* it comes to an end */
        apply_plan(&w);
    }
    apply_plan(&w);
    plan(&w);
    assert_int_equal(w.plan.n, 0); /* nothing more to say about the same state */
    assert_false(w.plan.more);
    world_fini(&w);
}

static void test_rows(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(&rows[i]);
}

/* The first one is trusted in vain, and the second is like it, but for its time or what it has refused. */
static void check_alike(bool time)
{
    struct world w;
    world_init(&w);
    add_limited(&w, 12, 0, 10000);
    add_limited(&w, 12, 0, 10000);
    if (time)
        hqi_state_worker(w.state, (hq_worker_id){1})->config->time_limit_ms = 1000;
    uint32_t c = add_tasks(&w, 0, 3, 0, 1, time ? 2000 : 0);
    if (!time) {
        struct ord_range first = {0, 1};
        struct task_group g = {c, 0, &first, 1, true, true};
        struct fact f = {.kind = FACT_HANDOUT};
        f.u.tasks.worker.n = 1;
        f.u.tasks.groups = &g;
        f.u.tasks.n_groups = 1;
        happen(&w, &f);
        returned(&w, 1, c, first, true);
    }
    uint32_t a = add_tasks(&w, 1, 5, 0, 1, 0), b = add_tasks(&w, 0, 4, 0, 2, 0);
    plan(&w);
    assert_int_equal(sum(&w, a, 2), 1);
    assert_int_equal(sum(&w, b, 2), 1);
    assert_int_equal(sum(&w, c, 2), 1);
    world_fini(&w);
}

static void test_almost_alike(void **unused)
{
    (void)unused;
    check_alike(true);
    check_alike(false);
}

/* More kinds of workers are trusted in vain than there are passes: those without a limit are served all the same. */
static void test_many_kinds_in_vain(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    for (uint32_t i = 0; i < 11; i++)
        add_limited(&w, 100 + i, 0, 10000);
    add_limited(&w, 99, 0, 10000); /* it could, but its turn does not come */
    add_worker(&w, 50, 0, 0);
    uint32_t high = add_tasks(&w, 1, 50, 0, 1, 0), low = add_tasks(&w, 0, 49, 0, 2, 0);
    plan(&w);
    assert_int_equal(placed_on(&w, high), 13);
    assert_int_equal(placed_on(&w, low), 0);
    assert_true(w.plan.more); /* that may have been in the way of others */
    apply_plan(&w);
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    assert_false(w.plan.more);
    world_fini(&w);
}

/* ---- requests ---- */

static struct request_entry entry(const char *name, uint8_t policy, uint64_t amount)
{
    return (struct request_entry){bytes_of(name), policy, amount};
}

static void test_fractions(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 1, 0, 7500);
    uint32_t s = add_request(&w, 0, entry("cpus", POLICY_COMPACT, HQ_UNITS / 4), 2);
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    add_request(&w, 0, entry("cpus", POLICY_COMPACT, HQ_UNITS / 4), 1);
    plan(&w);
    assert_int_equal(sum(&w, s, 1), 2);
    world_fini(&w);
}

static void test_all_cpus_are_enough(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 4, 0, 10000);
    uint32_t s = add_request(&w, 0, entry("cpus", POLICY_ALL, 0), 1);
    plan(&w);
    assert_int_equal(sum(&w, s, 1), 1);
    world_fini(&w);
}

static void test_tasks_without_cpus_are_free_to_come(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 4, 2, 10000);
    uint32_t gpu = add_request(&w, 0, entry("gpus", POLICY_COMPACT, HQ_UNITS), 3);
    uint32_t cpu = add_tasks(&w, 0, 1, 0, 3, 0);
    plan(&w);
    assert_int_equal(sum(&w, gpu, 1), 2);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, cpu, -1), 0);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, gpu, false), 1); /* prefilled as ever */
    world_fini(&w);
}

static void test_time_that_is_not_left_does_not_count(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 9, 0, 10000);
    hqi_state_worker(w.state, (hq_worker_id){1})->config->time_limit_ms = 1000;
    uint32_t s = add_tasks(&w, 0, 3, 0, 2, 0);
    add_tasks(&w, 0, 3, 0, 5, 2000);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, s, -1), 0);
    world_fini(&w);
}

/* ---- budget ---- */

/* More tasks than one call may hand out would be needed: the worker stays idle, and everybody else goes on. */
static void test_a_limit_beyond_one_call(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 8, 0, 10000);
    add_worker(&w, 2, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 100, 0);
    w.max_tasks = 5;
    int calls = 0;
    do {
        plan(&w);
        assert_int_equal(count(&w, FACT_HANDOUT, 1, s, -1), 0);
        apply_plan(&w);
    } while (w.plan.more && ++calls < 50);
    assert_false(w.plan.more);
    assert_int_equal(hqi_state_worker(w.state, (hq_worker_id){2})->free[0], 0);
    world_fini(&w);
}

static void test_cut_passes_reach_everything(void **unused)
{
    struct world w;
    uint32_t calls = 0;
    (void)unused;
    world_init(&w);
    for (uint32_t i = 0; i < 100; i++)
        add_limited(&w, 2, 0, i % 2 ? 10000 : 0);
    for (int i = 0; i < 50; i++)
        add_tasks(&w, i, 1, 0, 4, 1000 + (uint64_t)i);
    w.steps = 200;
    do {
        plan(&w);
        apply_plan(&w);
    } while (w.plan.more && ++calls < 1000);
    for (uint32_t id = 1; id <= 100; id++)
        assert_int_equal(hqi_state_worker(w.state, (hq_worker_id){id})->free[0], 0);
    assert_true(calls > 1);
    world_fini(&w);
}

/* However few steps a call may take, who can be at its limit in the end is: a pass that was cut is no reason to give up. */
static void test_any_budget(void **unused)
{
    (void)unused;
    for (uint32_t steps = 1; steps < 400; steps++) {
        struct world w;
        uint32_t calls = 0;
        world_init(&w);
        add_limited(&w, 10, 0, 10000);
        for (int i = 0; i < 10; i++)
            add_tasks(&w, i, 1, 0, 1, 1000 + (uint64_t)i);
        w.steps = steps;
        do {
            plan(&w);
            apply_plan(&w);
        } while (w.plan.more && ++calls < 20);
        assert_false(w.plan.more);
        if (steps >= 4) /* with 64 times less there is no way */
            assert_int_equal(hqi_state_worker(w.state, (hq_worker_id){1})->free[0], 0);
        world_fini(&w);
    }
}

/* ---- prefill and retract ---- */

static void test_nothing_is_prefilled_below_the_limit(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_limited(&w, 9, 0, 10000);
    uint32_t s = add_tasks(&w, 0, 3, 0, 3, 0);
    plan(&w);
    apply_plan(&w);
    for (uint32_t i = 0; i < 3; i++)
        started(&w, 1, s, i);
    ended(&w, 1, s, 0);
    ended(&w, 1, s, 1);
    uint32_t more = add_tasks(&w, 0, 3, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, more, -1), 0);
    uint32_t enough = add_tasks(&w, 0, 3, 0, 3, 0);
    plan(&w);
    assert_int_equal(sum(&w, more, 1) + sum(&w, enough, 1), 2);
    assert_int_equal(sum_unbooked(&w, more) + sum_unbooked(&w, enough), 2); /* then as for anybody */
    world_fini(&w);
}

/* One worker with two tasks that run and `n` behind them, and an idle one with a limit. */
static uint32_t fill(struct world *w, uint32_t n, uint32_t cpus, uint32_t limit)
{
    world_init(w);
    add_worker(w, n, 0, 0);
    uint32_t s = add_tasks(w, 0, 1, 0, 2 * n, 0);
    plan(w);
    apply_plan(w);
    for (uint32_t i = 0; i < n; i++)
        started(w, 1, s, i);
    assert_int_equal(count(w, FACT_HANDOUT, 1, s, false), n);
    add_limited(w, cpus, 0, limit);
    return s;
}

static void test_surplus_is_taken_back_where_it_is_enough(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 4, 4, 10000);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 4);
    apply_plan(&w);
    returned(&w, 1, s, (struct ord_range){4, 4}, false);
    plan(&w);
    assert_int_equal(sum(&w, s, 2), 4);
    world_fini(&w);
}

static void test_surplus_stays_where_it_would_not_be_enough(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 4, 5, 10000);
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    add_tasks(&w, 0, 1, 0, 1, 0); /* with what waits it is */
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 4);
    world_fini(&w);
}

static void test_what_waits_need_not_be_taken_back(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 4, 4, 10000);
    add_tasks(&w, 0, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 3);
    world_fini(&w);
}

/* While tasks wait that others may not start, since a higher priority keeps their room, no more are taken back for these. */
static void test_room_that_is_kept_takes_nothing_back(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 2, 1, 10000);
    occupy(&w, 2, 1);
    add_worker(&w, 4, 0, 0);
    occupy(&w, 3, 2);
    add_tasks(&w, 5, 4, 0, 1, 0);
    add_tasks(&w, 0, 1, 0, 1, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 0);
    world_fini(&w);
}

/* What arrives first waits for the rest, instead of going back to where it came from. */
static void test_what_is_taken_back_gathers(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 4, 4, 10000);
    plan(&w);
    apply_plan(&w);
    returned(&w, 1, s, (struct ord_range){4, 2}, false);
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    returned(&w, 1, s, (struct ord_range){6, 2}, false);
    plan(&w);
    assert_int_equal(sum(&w, s, 2), 4);
    world_fini(&w);
}

/* The same with two to take from: what the first one gave back does not return to it either. */
static void test_what_two_give_back_gathers(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 2, 0, 0);
    add_worker(&w, 2, 0, 0);
    uint32_t s = add_tasks(&w, 0, 1, 0, 8, 0);
    plan(&w);
    apply_plan(&w);
    add_limited(&w, 4, 0, 10000);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, s, -1), 2);
    assert_int_equal(count(&w, FACT_RETRACT, 2, s, -1), 2);
    apply_plan(&w);
    gives_back(&w, 1);
    const struct ord_range rest[] = {{6, 1}, {7, 1}};
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    returned(&w, 2, s, rest[0], false);
    returned(&w, 2, s, rest[1], false);
    plan(&w);
    assert_int_equal(sum(&w, s, 3), 4);
    world_fini(&w);
}

/* Some of it had started before it could be taken back: the rest is not kept waiting. */
static void test_what_does_not_gather_goes_back(void **unused)
{
    struct world w;
    (void)unused;
    uint32_t s = fill(&w, 4, 4, 10000);
    plan(&w);
    apply_plan(&w);
    ended(&w, 1, s, 0);
    started(&w, 1, s, 4);
    returned(&w, 1, s, (struct ord_range){5, 3}, false);
    plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 2, s, -1), 0);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, s, false), 3);
    world_fini(&w);
}

/* A task of higher priority waits that would spoil the mix: taking back would move tasks to and fro for ever. */
static void test_nothing_is_taken_back_beside_what_would_come_first(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    add_worker(&w, 4, 0, 0);
    uint32_t s = add_tasks(&w, 0, 2, 0, 8, 0);
    plan(&w);
    apply_plan(&w);
    add_limited(&w, 6, 0, 10000);
    uint32_t spoils = add_tasks(&w, 1, 5, 0, 1, 0);
    plan(&w);
    assert_int_equal(w.plan.n, 0);
    add_worker(&w, 5, 0, 0);
    plan(&w);
    assert_int_equal(sum(&w, spoils, 4), 1); /* out of the way */
    assert_true(count(&w, FACT_RETRACT, 1, s, -1) + count(&w, FACT_RETRACT, 2, s, -1) >= 3);
    world_fini(&w);
}

static void test_surplus_goes_before_lower_priority(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 4, 0, 0);
    uint32_t high = add_tasks(&w, 5, 1, 0, 8, 0);
    plan(&w);
    apply_plan(&w);
    add_limited(&w, 4, 0, 10000);
    uint32_t low = add_tasks(&w, 0, 1, 0, 4, 0);
    plan(&w);
    assert_int_equal(count(&w, FACT_RETRACT, 1, high, -1), 4);
    assert_int_equal(count(&w, FACT_HANDOUT, 2, low, -1), 0); /* the higher ones will start there */
    world_fini(&w);
}

/* Lower priorities need not leave room on a worker for tasks that will not come to it. */
static void test_too_little_surplus_keeps_no_room(void **unused)
{
    struct world w;
    (void)unused;
    world_init(&w);
    add_worker(&w, 1, 0, 0);
    uint32_t high = add_tasks(&w, 1, 1, 0, 2, 0);
    plan(&w);
    apply_plan(&w);
    assert_int_equal(count(&w, FACT_HANDOUT, 1, high, false), 1);
    add_limited(&w, 3, 0, 10000);
    uint32_t low = add_tasks(&w, 0, 3, 0, 1, 0);
    plan(&w);
    assert_int_equal(sum(&w, low, 2), 1);
    world_fini(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_almost_alike),
        cmocka_unit_test(test_many_kinds_in_vain),
        cmocka_unit_test(test_fractions),
        cmocka_unit_test(test_all_cpus_are_enough),
        cmocka_unit_test(test_tasks_without_cpus_are_free_to_come),
        cmocka_unit_test(test_time_that_is_not_left_does_not_count),
        cmocka_unit_test(test_a_limit_beyond_one_call),
        cmocka_unit_test(test_cut_passes_reach_everything),
        cmocka_unit_test(test_any_budget),
        cmocka_unit_test(test_nothing_is_prefilled_below_the_limit),
        cmocka_unit_test(test_surplus_is_taken_back_where_it_is_enough),
        cmocka_unit_test(test_surplus_stays_where_it_would_not_be_enough),
        cmocka_unit_test(test_what_waits_need_not_be_taken_back),
        cmocka_unit_test(test_room_that_is_kept_takes_nothing_back),
        cmocka_unit_test(test_what_is_taken_back_gathers),
        cmocka_unit_test(test_what_two_give_back_gathers),
        cmocka_unit_test(test_what_does_not_gather_goes_back),
        cmocka_unit_test(test_nothing_is_taken_back_beside_what_would_come_first),
        cmocka_unit_test(test_surplus_goes_before_lower_priority),
        cmocka_unit_test(test_too_little_surplus_keeps_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
