/* SPDX-License-Identifier: MIT */
/* attempt_test.c - what workers report: starts, ends, crashes, tasks given back; and what they may not report. */
#include "world.h"

static const hq_range four = {0, 4, 1};
static const hq_range one = {0, 1, 1};

/* A job of four tasks of one cpu each on a worker of two: two booked, two prefilled. */
static void open_four(struct world *w)
{
    world_open(w);
    submit(w, .ids = &four);
    world_join(w, 2);
    world_tick(w);
    expect(w, "client 7 #1 job 1\n"
              "worker 1 spec 1 of job 1\n"
              "worker 1 assign 1.0:0+2 ids 0-1 1.0:2+2 ids 2-3\n");
}

static void state_of(struct world *w, uint32_t ordinal, uint8_t state)
{
    struct task_view t;
    world_task(w, 1, ordinal, &t);
    assert_int_equal(t.state, state);
}

static void a_life(void **state)
{
    struct task_view t;
    struct world w;
    open_four(&w);
    world_pass_ms(&w, 1000);
    world_started(&w, 1, 1, 0, 0, 1);
    state_of(&w, 0, HQ_TASK_RUNNING);
    state_of(&w, 1, HQ_TASK_WAITING);
    world_pass_ms(&w, 500);
    world_ended(&w, 1, 1, 0, 0, 2, 0); /* of the second, both ends in one report */
    world_task(&w, 1, 0, &t);
    assert_int_equal(t.state, HQ_TASK_FINISHED);
    assert_int_equal(t.start_ms, WORLD_UTC + 1000);
    assert_int_equal(t.worker, 1);
    state_of(&w, 1, HQ_TASK_FINISHED);
    world_ended(&w, 1, 1, 0, 2, 1, 1);
    world_ended(&w, 1, 1, 0, 3, 1, HQ_CODE_LAUNCH);
    world_task(&w, 1, 3, &t);
    assert_false(t.started);
    assert_string_equal(t.text, "no such file");
    expect(&w, "worker 1 drop 1\n");
    world_jobs(&w, COMMAND_JOB_INFO, 1);
    expect(&w, "client 7 #2 1 failed 0/0/2/2/0/0 !2=1 !3=514\n");
    world_close(&w);
}

static void times_are_clamped(void **state)
{
    struct task_view t;
    struct world w;
    uint32_t ordinals[2] = {0, 1};
    uint64_t age[2] = {UINT64_MAX, 10}, duration[2] = {UINT64_MAX, 3};
    uint16_t code[2] = {0, 0};
    struct report_end e = {1, 0, 2, ordinals, age, duration, code, NULL, NULL, 0};
    const struct report r = {.ended = &e, .n_ended = 1};
    open_four(&w);
    world_pass_ms(&w, 50);
    world_report(&w, 1, &r);
    world_task(&w, 1, 0, &t);
    assert_int_equal(t.start_ms, WORLD_UTC);
    assert_int_equal(t.duration_ms, 50);
    world_task(&w, 1, 1, &t);
    assert_int_equal(t.start_ms, WORLD_UTC + 40);
    assert_int_equal(t.duration_ms, 3);
    world_close(&w);
}

static void a_clock_that_goes_back(void **state)
{
    struct task_view t;
    struct world w;
    open_four(&w);
    w.now.utc_ms -= 5000;
    world_started(&w, 1, 1, 0, 0, 1);
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    world_task(&w, 1, 0, &t);
    assert_int_equal(t.start_ms, WORLD_UTC);
    assert_int_equal(t.duration_ms, 0);
    world_close(&w);
}

/* A report may come again: the second time it changes nothing. */
static void reports_may_be_repeated(void **state)
{
    struct world w;
    open_four(&w);
    world_ended(&w, 1, 1, 0, 0, 2, 0);
    uint64_t digest = hqi_state_digest(hqi_core_core_state(w.core));
    world_ended(&w, 1, 1, 0, 0, 2, 0);
    world_ended(&w, 1, 1, 0, 0, 2, 1);
    world_started(&w, 1, 1, 0, 0, 2);
    world_given(&w, RETURNED, 1, 1, 0, 0, 2);
    world_given(&w, CRASHED, 1, 1, 0, 0, 2);
    assert_true(hqi_state_digest(hqi_core_core_state(w.core)) == digest);
    expect(&w, "");
    world_close(&w);
}

static void wrong_reports_change_nothing(void **state)
{
    struct world w;
    open_four(&w);
    world_join(&w, 1);
    uint64_t digest = hqi_state_digest(hqi_core_core_state(w.core));
    world_started(&w, 2, 1, 0, 0, 4);               /* another worker's */
    world_ended(&w, 2, 1, 0, 0, 4, 0);
    world_ended(&w, 1, 1, 1, 0, 4, 0);              /* another instance */
    world_ended(&w, 1, 9, 0, 0, 4, 0);              /* no such submit */
    world_ended(&w, 1, 1, 0, UINT32_MAX - 3, 4, 0); /* no such task */
    world_ended(&w, 9, 1, 0, 0, 4, 0);              /* no such worker */
    world_given(&w, RETURNED, 2, 1, 0, 0, 4);
    world_given(&w, CRASHED, 2, 1, 0, 0, UINT32_MAX >> 10);
    world_given(&w, REJECTED, 1, 1, 0, UINT32_MAX - 1, 5);
    assert_true(hqi_state_digest(hqi_core_core_state(w.core)) == digest);
    assert_int_equal(world_given(&w, RETURNED, 1, 1, 0, 0, UINT32_MAX), HQ_EPROTO);
    expect(&w, "");
    world_close(&w);
}

static void ranges_that_repeat_themselves(void **state)
{
    const struct ord_range twice[] = {{0, 2}, {0, 2}, {1, 1}, {3, 1}, {0, 4}};
    const struct task_group g[] = {{.submit = 1, .ranges = twice, .n_ranges = 5},
                                   {.submit = 1, .ranges = twice, .n_ranges = 5}};
    struct world w;
    struct report r = {.crashed = g, .n_crashed = 2};
    open_four(&w);
    assert_int_equal(world_report(&w, 1, &r), HQ_OK);
    assert_int_equal(world_active(&w, 1), 0);
    world_close(&w);
}

/* Codes that no task can have would make the journal unreadable. */
static void impossible_codes_are_failures(void **state)
{
    static const uint16_t codes[] = {256, 321, 511, HQ_CODE_CRASH_LIMIT};
    struct task_view t;
    struct world w;
    open_four(&w);
    for (uint32_t i = 0; i < 4; i++) {
        world_ended(&w, 1, 1, 0, i, 1, codes[i]);
        world_task(&w, 1, i, &t);
        assert_int_equal(t.code, HQ_CODE_TEXT);
    }
    world_close(&w);
}

/* ---- max-fails ---- */

static void the_limit_must_be_exceeded(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four, .limit_fails = true, .max_fails = 1);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 2);
    world_ended(&w, 1, 1, 0, 0, 1, 1);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 0);
    world_forget_said(&w);
    world_ended(&w, 1, 1, 0, 2, 1, 1);
    expect(&w, "worker 1 cancel 1.0:1+1,3+1\nworker 1 drop 1\n");
    assert_int_equal(world_count(&w, 1, HQ_TASK_FAILED), 2);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 2);
    world_close(&w);
}

static void no_failure_at_all(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four, .limit_fails = true);
    world_join(&w, 2);
    world_tick(&w);
    world_ended(&w, 1, 1, 0, 0, 2, 0);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 0);
    world_ended(&w, 1, 1, 0, 2, 2, 1); /* two in one report: the job is given up with the first */
    assert_int_equal(world_count(&w, 1, HQ_TASK_FAILED), 1);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 1);
    world_close(&w);
}

/* Later submits of an open job run, until the next failure. */
static void open_jobs_go_on_after_an_abort(void **state)
{
    const hq_range more = {10, 2, 1};
    struct world w;
    world_open(&w);
    world_open_job(&w, "open", 0);
    submit(&w, .job = 1, .ids = &four);
    world_join(&w, 4);
    world_tick(&w);
    world_ended(&w, 1, 1, 0, 0, 1, 1);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 3);
    submit(&w, .job = 1, .ids = &more);
    world_tick(&w);
    world_ended(&w, 1, 2, 0, 0, 1, 0);
    assert_int_equal(world_count(&w, 1, HQ_TASK_WAITING), 1);
    world_ended(&w, 1, 1, 0, 0, 1, 1); /* an old failure again: not a new one */
    assert_int_equal(world_count(&w, 1, HQ_TASK_WAITING), 1);
    submit(&w, .job = 1, .n_auto = 1);
    world_ended(&w, 1, 2, 0, 1, 1, 1);
    assert_int_equal(world_count(&w, 1, HQ_TASK_FAILED), 2);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 4);
    world_close(&w);
}

/* The failure and what follows from it are one record: no crash of the server comes in between. */
static void an_abort_comes_with_its_failure(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four, .limit_fails = true);
    world_join(&w, 2);
    world_tick(&w);
    uint64_t before = hqi_core_core_state(w.core)->position;
    size_t records = world_n_records(&w);
    world_ended(&w, 1, 1, 0, 1, 1, 1);
    assert_int_equal(hqi_core_core_state(w.core)->position, before + 2);
    assert_int_equal(world_n_records(&w), records + 1);
    world_started(&w, 1, 1, 0, 0, 1); /* it was killed */
    assert_int_equal(world_n_records(&w), records + 1);
    world_close(&w);
}

/* ---- crashes ---- */

static void crash_limits(void **state)
{
    static const struct {
        uint32_t limit;
        uint8_t reason;
        uint32_t survives; /* losses; 99: all */
    } cases[] = {
        {0, HQ_WORKER_CONNECTION_LOST, 4},  {0, HQ_WORKER_HEARTBEAT_LOST, 4}, {1, HQ_WORKER_CONNECTION_LOST, 0},
        {2, HQ_WORKER_HEARTBEAT_LOST, 1},   {2, HQ_WORKER_STOPPED, 99},       {2, HQ_WORKER_IDLE_TIMEOUT, 99},
        {2, HQ_WORKER_TIME_LIMIT, 99},      {CRASH_NEVER, HQ_WORKER_STOPPED, 0},
        {CRASH_NEVER, HQ_WORKER_TIME_LIMIT, 0}, {CRASH_UNLIMITED, HQ_WORKER_CONNECTION_LOST, 99},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        struct task_view t;
        world_open(&w);
        submit(&w, .ids = &one, .crash_limit = cases[i].limit);
        uint32_t n = 0;
        for (; n < 12; n++) {
            uint32_t worker = world_join(&w, 1);
            world_tick(&w);
            world_started(&w, worker, 1, n, 0, 1);
            world_lose(&w, worker, cases[i].reason);
            world_task(&w, 1, 0, &t);
            if (t.state == HQ_TASK_FAILED)
                break;
        }
        assert_int_equal(n, cases[i].survives == 99 ? 12 : cases[i].survives);
        if (t.state == HQ_TASK_FAILED)
            assert_int_equal(t.code, HQ_CODE_CRASH_LIMIT);
        world_forget_said(&w);
        world_close(&w);
    }
}

static void what_had_not_started_does_not_count(void **state)
{
    struct world w;
    struct task_view t;
    world_open(&w);
    submit(&w, .ids = &one, .crash_limit = CRASH_NEVER);
    for (uint32_t n = 0; n < 5; n++) {
        uint32_t worker = world_join(&w, 1);
        world_tick(&w);
        assert_int_equal(world_active(&w, worker), 1);
        world_lose(&w, worker, HQ_WORKER_CONNECTION_LOST);
    }
    world_join(&w, 1);
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "worker 6 spec 1 of job 1\nworker 6 assign 1.5:0+1 ids 0-0\n");
    world_ended(&w, 6, 1, 5, 0, 1, 0);
    world_task(&w, 1, 0, &t);
    assert_int_equal(t.state, HQ_TASK_FINISHED);
    assert_int_equal(t.instance, 5);
    world_close(&w);
}

/* The crash limit counts as a failure of the job. */
static void crashes_abort_jobs(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four, .limit_fails = true, .crash_limit = 1);
    world_join(&w, 1);
    world_join(&w, 1);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_started(&w, 2, 1, 0, 1, 1);
    world_forget_said(&w);
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(world_count(&w, 1, HQ_TASK_FAILED), 1);
    assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), 3);
    expect(&w, "worker 2 cancel 1.0:1+1,3+1\nworker 1 drop 1\nworker 2 drop 1\n"); /* what worker 1 has ended with it */
    world_close(&w);
}

static void helpers_crash_too(void **state)
{
    struct world w;
    struct task_view t;
    open_four(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_given(&w, CRASHED, 1, 1, 0, 0, 2); /* the second before its start was told */
    assert_int_equal(world_active(&w, 1), 2);
    world_tick(&w);
    assert_non_null(strstr(w.said.p, "1.1:0+2"));
    for (uint32_t n = 1; n < 5; n++) {
        world_given(&w, CRASHED, 1, 1, n, 0, 1);
        world_tick(&w);
    }
    world_task(&w, 1, 0, &t);
    assert_int_equal(t.code, HQ_CODE_CRASH_LIMIT);
    world_close(&w);
}

/* ---- given back ---- */

static void returned_tasks_wait_again(void **state)
{
    struct world w;
    open_four(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_given(&w, RETURNED, 1, 1, 0, 0, 4); /* the first has started: it stays */
    assert_int_equal(world_active(&w, 1), 1);
    world_tick(&w);
    expect(&w, "worker 1 assign 1.0:1+1 ids 1-1 1.0:2+2 ids 2-3\n");
    world_close(&w);
}

static void rejected_classes_go_elsewhere(void **state)
{
    struct world w;
    open_four(&w);
    world_given(&w, REJECTED, 1, 1, 0, 0, 4);
    world_tick(&w);
    expect(&w, "");
    world_join(&w, 4);
    world_tick(&w);
    expect(&w, "worker 2 spec 1 of job 1\nworker 2 assign 1.0:0+4 ids 0-3\n");
    world_close(&w);
}

/* Surplus of one worker is taken back when another could start it. */
static void surplus_is_asked_back(void **state)
{
    struct world w;
    open_four(&w);
    world_started(&w, 1, 1, 0, 0, 2);
    world_join(&w, 2);
    world_tick(&w);
    expect(&w, "worker 1 retract 1.0:3+1,2+1\n");
    world_started(&w, 1, 1, 0, 2, 1); /* too late for one */
    world_given(&w, RETURNED, 1, 1, 0, 3, 1);
    world_tick(&w);
    expect(&w, "worker 2 spec 1 of job 1\nworker 2 assign 1.0:3+1 ids 3-3\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life),
        cmocka_unit_test(times_are_clamped),
        cmocka_unit_test(a_clock_that_goes_back),
        cmocka_unit_test(reports_may_be_repeated),
        cmocka_unit_test(wrong_reports_change_nothing),
        cmocka_unit_test(ranges_that_repeat_themselves),
        cmocka_unit_test(impossible_codes_are_failures),
        cmocka_unit_test(the_limit_must_be_exceeded),
        cmocka_unit_test(no_failure_at_all),
        cmocka_unit_test(open_jobs_go_on_after_an_abort),
        cmocka_unit_test(an_abort_comes_with_its_failure),
        cmocka_unit_test(crash_limits),
        cmocka_unit_test(what_had_not_started_does_not_count),
        cmocka_unit_test(crashes_abort_jobs),
        cmocka_unit_test(helpers_crash_too),
        cmocka_unit_test(returned_tasks_wait_again),
        cmocka_unit_test(rejected_classes_go_elsewhere),
        cmocka_unit_test(surplus_is_asked_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
