/* SPDX-License-Identifier: MIT */
/* back_test.c - workers that come back, after a restart of the server or after they were given up: what is kept, adopted and
 * killed; what happens to those that do not come. */
#include "world.h"

static const hq_range four = {0, 4, 1};
static const hq_range one = {0, 1, 1};

#define NOTHING {HOLDS_WAITING, 0, 0, 0, 0}

static void state_is(struct world *w, uint32_t ordinal, uint8_t state, uint32_t worker, uint32_t instance)
{
    struct task_view t;
    world_task(w, 1, ordinal, &t);
    assert_int_equal(t.state, state);
    assert_int_equal(t.worker, worker);
    assert_int_equal(t.instance, instance);
}

/* Four tasks on one worker of two cpus: two booked, two prefilled. */
static void open_four(struct world *w)
{
    world_open(w);
    submit(w, .ids = &four);
    world_join(w, 2);
    world_tick(w);
    world_forget_said(w);
}

/* The first one runs. */
static void restart_four(struct world *w)
{
    open_four(w);
    world_started(w, 1, 1, 0, 0, 1);
    world_restart(w);
}

static void what_it_has_is_kept(void **state)
{
    struct world w;
    restart_four(&w);
    assert_int_equal(world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 0, 1}, {HOLDS_WAITING, 1, 0, 1, 3}), 1);
    world_tick(&w);
    expect(&w, "");
    state_is(&w, 0, HQ_TASK_RUNNING, 1, 0);
    assert_int_equal(world_active(&w, 1), 4);
    world_ended(&w, 1, 1, 0, 0, 4, 0);
    expect(&w, "worker 1 drop 1\n");
    assert_int_equal(world_count(&w, 1, HQ_TASK_FINISHED), 4);
    world_close(&w);
}

static void what_happened_meanwhile_counts(void **state)
{
    struct world w;
    restart_four(&w);
    world_back(&w, 1, 1, {HOLDS_ENDED, 1, 0, 0, 2}, {HOLDS_STARTED, 1, 0, 2, 1}, {HOLDS_CRASHED, 1, 0, 3, 1});
    state_is(&w, 0, HQ_TASK_FINISHED, 1, 0);
    state_is(&w, 1, HQ_TASK_FINISHED, 1, 0);
    state_is(&w, 2, HQ_TASK_RUNNING, 1, 0);
    expect(&w, "");
    world_tick(&w);
    expect(&w, "worker 1 assign 1.1:3+1 ids 3-3\n"); /* it ran, or may have: the next instance */
    world_close(&w);
}

static void what_it_does_not_name_it_does_not_have(void **state)
{
    struct world w;
    restart_four(&w);
    world_back(&w, 1, 1, {HOLDS_WAITING, 1, 0, 1, 1});
    world_tick(&w); /* 0 had started: it has crashed; 2 and 3 have never arrived */
    expect(&w, "worker 1 assign 1.1:0+1 ids 0-0 1.0:2+2 ids 2-3\n");
    world_close(&w);
}

static void a_spec_that_never_arrived_is_sent_again(void **state)
{
    struct world w;
    open_four(&w);
    world_restart(&w);
    world_back(&w, 1, 0, NOTHING);
    world_tick(&w);
    expect(&w, "worker 1 spec 1 of job 1\n"
               "worker 1 assign 1.0:0+2 ids 0-1 1.0:2+2 ids 2-3\n");
    world_close(&w);
}

static void others_do_not_wait(void **state)
{
    struct world w;
    restart_four(&w);
    submit(&w, .ids = &one);
    world_join(&w, 2);
    world_tick(&w); /* those of worker 1 wait for it; the new one does not */
    expect(&w, "client 7 #2 job 2\n"
               "worker 2 spec 2 of job 2\n"
               "worker 2 assign 2.0:0+1 ids 0-0\n");
    assert_int_equal(world_active(&w, 1), 4);
    world_close(&w);
}

static void who_does_not_come_is_lost_without_blame(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &one, .crash_limit = 1);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_restart(&w);
    world_join(&w, 2);
    world_pass_ms(&w, 29999);
    world_tick(&w);
    world_forget_said(&w);
    state_is(&w, 0, HQ_TASK_RUNNING, 1, 0);
    world_pass_ms(&w, 1);
    assert_true(hqi_core_deadline(w.core) <= w.now.mono_ns);
    world_tick(&w); /* one crash would be too many */
    expect(&w, "worker 2 spec 1 of job 1\n"
               "worker 2 assign 1.1:0+1 ids 0-0\n");
    assert_int_equal(hqi_state_worker(hqi_core_core_state(w.core), (hq_worker_id){1})->end, HQ_WORKER_CONNECTION_LOST);
    world_close(&w);
}

static void never_restart_means_never(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &one, .crash_limit = CRASH_NEVER);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_restart(&w);
    world_pass_ms(&w, 30000);
    world_tick(&w);
    state_is(&w, 0, HQ_TASK_FAILED, 0, 0);
    world_close(&w);
}

static void cancelled_meanwhile_is_killed(void **state)
{
    struct world w;
    restart_four(&w);
    world_jobs(&w, COMMAND_JOB_CANCEL, 1); /* nobody is there to be told */
    world_forget_said(&w);
    world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 0, 1}, {HOLDS_ENDED, 1, 0, 1, 1});
    expect(&w, "worker 1 drop 1\n"); /* with all that it has of it */
    state_is(&w, 0, HQ_TASK_CANCELED, 1, 0);
    assert_int_equal(world_count(&w, 1, HQ_TASK_CANCELED), 4);
    world_close(&w);
}

/* Worker 1 is lost and comes back; its tasks are with worker 2 by then, one of them running. */
static void give_to_second(struct world *w)
{
    open_four(w);
    world_started(w, 1, 1, 0, 0, 2);
    world_join(w, 2);
    world_lose(w, 1, HQ_WORKER_HEARTBEAT_LOST);
    world_tick(w);
    world_started(w, 2, 1, 1, 0, 1);
    world_forget_said(w);
    assert_int_equal(world_active(w, 2), 4);
}

static void what_runs_elsewhere_is_killed(void **state)
{
    struct world w;
    give_to_second(&w);
    assert_int_equal(world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 0, 1}), 3); /* its loss was recorded: another id */
    expect(&w, "worker 3 cancel 1.0:0+1\n");
    state_is(&w, 0, HQ_TASK_RUNNING, 2, 1);
    world_close(&w);
}

static void what_waits_elsewhere_is_taken(void **state)
{
    struct world w;
    give_to_second(&w);
    world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 1, 1}, {HOLDS_WAITING, 1, 0, 2, 1});
    expect(&w, "worker 2 cancel 1.1:1+1\n"
               "worker 3 cancel 1.0:2+1\n"); /* what has not started here either stays there */
    state_is(&w, 1, HQ_TASK_RUNNING, 3, 0);
    world_ended(&w, 2, 1, 1, 1, 1, 0); /* too late */
    state_is(&w, 1, HQ_TASK_RUNNING, 3, 0);
    world_ended(&w, 3, 1, 0, 1, 1, 0);
    state_is(&w, 1, HQ_TASK_FINISHED, 3, 0);
    world_close(&w);
}

static void an_end_wins(void **state)
{
    struct world w;
    give_to_second(&w);
    world_back(&w, 1, 1, {HOLDS_ENDED, 1, 0, 0, 1});
    expect(&w, "worker 2 cancel 1.1:0+1\n");
    state_is(&w, 0, HQ_TASK_FINISHED, 3, 0);
    world_ended(&w, 2, 1, 1, 0, 1, 1);
    state_is(&w, 0, HQ_TASK_FINISHED, 3, 0);
    world_close(&w);
}

/* An instance that was started is never started again, whatever comes back in between. */
static void instances_only_grow(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &one);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 2, 1, 1, 0, 1);
    world_lose(&w, 2, HQ_WORKER_CONNECTION_LOST);
    world_forget_said(&w);
    world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 0, 1});
    expect(&w, "");
    state_is(&w, 0, HQ_TASK_RUNNING, 3, 0);
    world_lose(&w, 3, HQ_WORKER_CONNECTION_LOST);
    world_join(&w, 2);
    world_tick(&w);
    expect(&w, "worker 4 spec 1 of job 1\n"
               "worker 4 assign 1.2:0+1 ids 0-0\n");
    world_close(&w);
}

/* A node crash took that the first had given them back, and that the second had got them: it names what the first is said to have. */
static void lose_second_hand_out(struct world *w)
{
    world_open(w);
    submit(w, .ids = &four);
    world_join(w, 4);
    world_tick(w);
    world_join(w, 4);
    world_restart(w);
    world_forget_said(w);
}

/* It may have started until it heard that it was refused, and is not to be started as the same again, by nobody. */
static void what_was_refused_is_the_next_instance(void **state)
{
    struct world w;
    lose_second_hand_out(&w);
    world_back(&w, 2, 1, {HOLDS_WAITING, 1, 0, 0, 2}, {HOLDS_CRASHED, 1, 1, 2, 1});
    expect(&w, "worker 2 cancel 1.0:0+2 1.1:2+1\n");
    world_restart(&w); /* recorded, so that this is not forgotten */
    world_back(&w, 2, 1, NOTHING);
    world_back(&w, 1, 1, NOTHING);
    world_tick(&w);
    expect(&w, "worker 1 assign 1.1:0+2 ids 0-1 1.2:2+1 ids 2-2 1.0:3+1 ids 3-3\n");
    world_close(&w);
}

/* Nobody knows that it was handed out. */
static void what_crashed_is_the_next_instance(void **state)
{
    struct world w;
    world_open(&w);
    world_join(&w, 1);
    world_restart(&w);
    submit(&w, .ids = &four);
    world_forget_said(&w);
    world_back(&w, 1, 1, {HOLDS_CRASHED, 1, 0, 0, 2});
    expect(&w, "");
    state_is(&w, 0, HQ_TASK_WAITING, 0, 0);
    assert_int_equal(hqi_state_waiting(hqi_state_submit(hqi_core_core_state(w.core), 1), 1)->instance, 1);
    assert_int_equal(hqi_state_waiting(hqi_state_submit(hqi_core_core_state(w.core), 1), 2)->instance, 0);
    world_restart(&w);
    world_back(&w, 1, 1, {HOLDS_CRASHED, 1, 0, 0, 2}); /* that is known by now */
    assert_int_equal(hqi_state_waiting(hqi_state_submit(hqi_core_core_state(w.core), 1), 1)->instance, 1);
    world_close(&w);
}

static void given_back_unstarted_is_the_same_instance(void **state)
{
    struct world w;
    open_four(&w);
    world_lose(&w, 1, HQ_WORKER_STOPPED);
    world_back(&w, 1, 1, {HOLDS_WAITING, 1, 0, 3, 1});
    assert_int_equal(world_active(&w, 2), 1);
    world_given(&w, RETURNED, 2, 1, 0, 3, 1);
    world_tick(&w);
    expect(&w, "worker 2 assign 1.1:0+2 ids 0-1 1.1:2+2 ids 2-3\n");
    world_close(&w);
}

static void what_was_asked_back_is_asked_back_again(void **state)
{
    struct plan_peer stalled = {.stalled = true};
    struct world w;
    open_four(&w);
    hqi_core_set_peer(w.core, (hq_worker_id){1}, &stalled);
    world_tick(&w);
    expect(&w, "worker 1 retract 1.0:0+4\n");
    world_restart(&w);
    world_back(&w, 1, 1, {HOLDS_WAITING, 1, 0, 0, 4});
    expect(&w, "worker 1 retract 1.0:0+4\n");
    world_close(&w);
}

static void who_shall_stop_is_told_again(void **state)
{
    struct world w;
    restart_four(&w);
    world_stop_worker(&w, 1);
    expect(&w, "client 7 #2 1 done\n"
               "worker 1 stop 1\n");
    world_restart(&w);
    world_back(&w, 1, 1, {HOLDS_STARTED, 1, 0, 0, 1}, {HOLDS_WAITING, 1, 0, 1, 3});
    expect(&w, "worker 1 stop 1\n");
    world_close(&w);
}

static void idle_time_starts_anew(void **state)
{
    struct world w;
    world_open(&w);
    world_join_with(&w, 2, 1000, 0);
    world_pass_ms(&w, 900);
    world_restart(&w);
    world_pass_ms(&w, 20000);
    world_tick(&w);
    expect(&w, ""); /* while it is away it cannot be idle */
    assert_true(hqi_core_idle_deadline_ms(w.core) == UINT64_MAX);
    world_back(&w, 1, 0, NOTHING);
    world_tick(&w);
    expect(&w, "");
    world_pass_ms(&w, 1000);
    world_tick(&w);
    expect(&w, "worker 1 stop 4\n");
    world_close(&w);
}

static void who_is_awaited_is_not_there(void **state)
{
    struct command cmd = {.kind = COMMAND_WORKER_WAIT, .u.worker_wait.count = 1};
    struct world w;
    world_open(&w);
    world_join(&w, 2);
    world_restart(&w);
    world_command(&w, &cmd);
    world_tick(&w);
    expect(&w, "");
    world_back(&w, 1, 0, NOTHING);
    world_tick(&w);
    expect(&w, "client 7 #1\n");
    world_close(&w);
}

static void strangers_are_refused(void **state)
{
    struct world w;
    world_open(&w);
    world_join(&w, 2);
    world_restart(&w);
    w.as = (struct attach){.token = bytes_of("another one's...")};
    world_back(&w, 1, 0, NOTHING);
    expect(&w, "1 refused: -5 the worker is not worker 1: it does not know what that was told\n");
    w.as = (struct attach){.server_uid = bytes_of("qwerty")};
    world_back(&w, 1, 0, NOTHING);
    expect(&w, "1 refused: -4 the worker belongs to server qwerty, and this is server abcdef\n");
    w.as = (struct attach){.epoch = 3};
    world_back(&w, 1, 0, NOTHING);
    expect(&w, "1 refused: -4 the worker was with start 3 of server abcdef, and this is start 2: its journal is an older copy\n");
    w.as = (struct attach){.epoch = 0};
    world_back(&w, 9, 0, NOTHING);
    expect(&w, "9 refused: -3 worker 9 of server abcdef is not known here: the server was started without its journal\n");
    w.n_joined = 0;
    world_join(&w, 2);
    expect(&w, "join refused: the process of worker 1 registers again, without what it was told\n");
    world_close(&w);
}

/* The planner takes nothing back from those who are only away. */
static void the_absent_keep_what_they_have(void **state)
{
    struct world w;
    open_four(&w);
    world_restart(&w);
    world_join(&w, 8); /* idle: surplus elsewhere would be asked back */
    world_tick(&w);
    expect(&w, "");
    world_back(&w, 1, 1, {HOLDS_WAITING, 1, 0, 0, 4});
    world_tick(&w);
    expect(&w, "worker 1 retract 1.0:3+1,2+1\n");
    world_close(&w);
}

static uint32_t bring_back(struct world *w)
{
    return world_back(w, 1, 1, {HOLDS_STARTED, 1, 0, 1, 1}, {HOLDS_ENDED, 1, 0, 0, 1}, {HOLDS_WAITING, 1, 0, 2, 1});
}

static void want_of_memory_only_delays(void **state)
{
    bool failed = true;
    for (size_t at = 1; failed; at++) {
        struct world w;
        give_to_second(&w);
        world_restart(&w);
        w.mem.fail_at = at;
        w.mem.hit = false;
        uint32_t id = bring_back(&w);
        failed = w.mem.hit;
        w.mem.fail_at = 0;
        world_verify(&w);
        if (id == 0)
            id = bring_back(&w);
        assert_int_not_equal(id, 0);
        state_is(&w, 0, HQ_TASK_FINISHED, id, 0);
        state_is(&w, 1, HQ_TASK_RUNNING, id, 0);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_has_is_kept),
        cmocka_unit_test(what_happened_meanwhile_counts),
        cmocka_unit_test(what_it_does_not_name_it_does_not_have),
        cmocka_unit_test(a_spec_that_never_arrived_is_sent_again),
        cmocka_unit_test(others_do_not_wait),
        cmocka_unit_test(who_does_not_come_is_lost_without_blame),
        cmocka_unit_test(never_restart_means_never),
        cmocka_unit_test(cancelled_meanwhile_is_killed),
        cmocka_unit_test(what_runs_elsewhere_is_killed),
        cmocka_unit_test(what_waits_elsewhere_is_taken),
        cmocka_unit_test(an_end_wins),
        cmocka_unit_test(instances_only_grow),
        cmocka_unit_test(what_was_refused_is_the_next_instance),
        cmocka_unit_test(what_crashed_is_the_next_instance),
        cmocka_unit_test(given_back_unstarted_is_the_same_instance),
        cmocka_unit_test(what_was_asked_back_is_asked_back_again),
        cmocka_unit_test(who_shall_stop_is_told_again),
        cmocka_unit_test(idle_time_starts_anew),
        cmocka_unit_test(who_is_awaited_is_not_there),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(the_absent_keep_what_they_have),
        cmocka_unit_test(want_of_memory_only_delays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
