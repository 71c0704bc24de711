/* SPDX-License-Identifier: MIT */
/* worker_test.c - workers come and go: loss, stop, idle time-out, time limits, and the server's own stop. */
#include "world.h"

static const hq_range four = {0, 4, 1};

static uint8_t end_of(const struct world *w, uint32_t worker)
{
    return hqi_state_worker(hqi_core_core_state(w->core), (hq_worker_id){worker})->end;
}

static void lost_tasks_run_again(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 2);
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    world_lose(&w, 1, HQ_WORKER_HEARTBEAT_LOST);
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST); /* once is enough */
    assert_int_equal(end_of(&w, 1), HQ_WORKER_HEARTBEAT_LOST);
    world_ended(&w, 1, 1, 0, 1, 1, 0); /* too late */
    world_join(&w, 4);
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "worker 2 spec 1 of job 1\nworker 2 assign 1.1:1+3 ids 1-3\n");
    world_ended(&w, 2, 1, 1, 1, 3, 0);
    assert_int_equal(world_count(&w, 1, HQ_TASK_FINISHED), 4);
    world_close(&w);
}

/* Recorded, and nothing else: nobody is told, nothing is planned, no task is looked at. */
static void overviews_change_nothing(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 2);
    world_tick(&w);
    world_forget_said(&w);
    const struct state *st = hqi_core_core_state(w.core);
    const uint64_t position = st->position, deadline = hqi_core_deadline(w.core);
    assert_int_equal(world_overview(&w, 1), HQ_OK);
    assert_int_equal(world_overview(&w, 9), HQ_OK); /* of nobody */
    assert_int_equal(st->position, position + 1);
    assert_int_equal(hqi_core_deadline(w.core), deadline);
    assert_int_not_equal(deadline, 0);
    expect(&w, "");
    w.full = true;
    assert_int_equal(world_overview(&w, 1), HQ_ENOMEM);
    w.full = false;
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    const uint64_t lost = st->position;
    world_overview(&w, 1);
    assert_int_equal(st->position, lost);
    world_restart(&w);
    world_close(&w);
}

static void stopping_workers_get_nothing(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 1);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_forget_said(&w);
    world_stop_worker(&w, 1);
    world_stop_worker(&w, 1); /* again is fine */
    world_stop_worker(&w, 9);
    world_tick(&w);
    expect(&w, "client 7 #2 1 done\nworker 1 stop 1\nclient 7 #3 1 done\nclient 7 #4 9 missing\n");
    world_ended(&w, 1, 1, 0, 0, 1, 0); /* it may still report */
    assert_int_equal(world_count(&w, 1, HQ_TASK_FINISHED), 1);
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(end_of(&w, 1), HQ_WORKER_STOPPED); /* what was recorded wins */
    world_stop_worker(&w, 1);
    world_stop_worker(&w, UINT32_MAX);
    expect(&w, "client 7 #5 1 already\nclient 7 #6 1 already\n");
    world_close(&w);
}

/* A worker that would be used too little stays idle, and the server has nothing to do before something new comes. */
static void too_little_leaves_a_worker_idle(void **state)
{
    struct world w;
    world_open(&w);
    world_join_as(&w, 3, &(struct worker_config){.min_utilization = HQ_UNITS});
    submit(&w, .n_auto = 2);
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "");
    assert_true(hqi_core_deadline(w.core) > w.now.mono_ns);
    submit(&w, .n_auto = 1);
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "worker 1 spec 1 of job 1\nworker 1 spec 2 of job 2\nworker 1 assign 1.0:0+2 ids 0-1 2.0:0+1 ids 0-0\n");
    world_started(&w, 1, 1, 0, 0, 2);
    world_started(&w, 1, 2, 0, 0, 1);
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    submit(&w, .n_auto = 1); /* two of three are in use */
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "worker 1 spec 3 of job 3\nworker 1 assign 3.0:0+1 ids 0-0\n");
    world_ended(&w, 1, 1, 0, 1, 1, 0);
    world_ended(&w, 1, 2, 0, 0, 1, 0);
    submit(&w, .n_auto = 1); /* one is, with that two */
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "");
    world_close(&w);
}

static void workers_end_by_themselves(void **state)
{
    static const uint8_t reasons[][2] = {{HQ_WORKER_TIME_LIMIT, HQ_WORKER_TIME_LIMIT},
                                         {HQ_WORKER_CONNECTION_LOST, HQ_WORKER_CONNECTION_LOST},
                                         {0, HQ_WORKER_CONNECTION_LOST},
                                         {77, HQ_WORKER_CONNECTION_LOST}};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t worker = world_join(&w, 1);
        hqi_core_on_worker_ending(w.core, &w.now, (hq_worker_id){worker}, reasons[i][0]);
        world_drain(&w);
        world_lose(&w, worker, HQ_WORKER_STOPPED);
        assert_int_equal(end_of(&w, worker), reasons[i][1]);
    }
    world_close(&w);
}

static void idle_workers_are_stopped(void **state)
{
    struct world w;
    world_open(&w);
    world_join_with(&w, 1, 5000, 0);
    world_join(&w, 1); /* no time-out of its own, and the server has none */
    submit(&w, .n_auto = 1);
    world_tick(&w);
    world_forget_said(&w);
    assert_int_equal(hqi_core_idle_deadline_ms(w.core), UINT64_MAX);
    world_pass_ms(&w, 60000);
    world_tick(&w);
    expect(&w, "");
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    assert_int_equal(hqi_core_idle_deadline_ms(w.core), w.now.utc_ms + 5000);
    world_pass_ms(&w, 4999);
    world_tick(&w);
    expect(&w, "worker 1 drop 1\n");
    world_pass_ms(&w, 1);
    world_tick(&w);
    expect(&w, "worker 1 stop 4\n");
    world_tick(&w);
    expect(&w, "");
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(end_of(&w, 1), HQ_WORKER_IDLE_TIMEOUT);
    world_close(&w);
}

static void stalled_workers_give_back(void **state)
{
    const struct plan_peer stalled = {.stalled = true}, fine = {0};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 1, 1, 0, 0, 1);
    world_forget_said(&w);
    hqi_core_set_peer(w.core, (hq_worker_id){1}, &stalled);
    world_tick(&w);
    expect(&w, "worker 1 retract 1.0:1+3\n");
    world_given(&w, RETURNED, 1, 1, 0, 1, 3);
    world_tick(&w);
    expect(&w, "");
    hqi_core_set_peer(w.core, (hq_worker_id){1}, &fine);
    world_tick(&w);
    expect(&w, "worker 1 assign 1.0:1+1 ids 1-1 1.0:2+2 ids 2-3\n");
    world_close(&w);
}

static void time_requests(void **state)
{
    struct world w;
    world_open(&w);
    world_join_with(&w, 1, 0, 60000);
    submit(&w, .n_auto = 1, .min_time_ms = 60001);
    submit(&w, .n_auto = 1, .min_time_ms = 60000);
    world_tick(&w);
    expect(&w, "client 7 #1 job 1\nclient 7 #2 job 2\n"
               "worker 1 spec 2 of job 2\nworker 1 assign 2.0:0+1 ids 0-0\n");
    world_close(&w);
}

static void the_server_stops(void **state)
{
    struct command stop = {.kind = COMMAND_SERVER_STOP}, again = stop;
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 1);
    world_join(&w, 1);
    world_tick(&w);
    world_forget_said(&w);
    world_command(&w, &stop);
    assert_true(hqi_core_stopping(w.core));
    w.client = 8;
    world_command(&w, &again);
    submit(&w, .n_auto = 1);
    world_open_job(&w, "late", NO_LIMIT);
    world_jobs(&w, COMMAND_JOB_WAIT, 9);
    world_tick(&w);
    expect(&w, "worker 1 stop 1\nworker 2 stop 1\n"
               "client 8 #3 error -4: the server is stopping already\n"
               "client 8 #4 error -4: The server is stopping and takes no more work\n"
               "client 8 #5 error -4: The server is stopping and takes no more work\n"
               "client 8 #6\n");
    world_join(&w, 1);
    expect(&w, "join refused: the server is stopping and takes no more workers\n");
    world_lose(&w, 1, HQ_WORKER_STOPPED);
    world_lose(&w, 2, HQ_WORKER_STOPPED);
    world_tick(&w);
    expect(&w, "");
    hqi_core_stopped(w.core, &w.now);
    hqi_core_stopped(w.core, &w.now);
    world_drain(&w);
    expect(&w, "client 7 #2\n");
    world_close(&w);
}

static void the_client_that_stopped_has_left(void **state)
{
    struct command stop = {.kind = COMMAND_SERVER_STOP};
    struct world w;
    world_open(&w);
    world_command(&w, &stop);
    hqi_core_on_client_gone(w.core, CLIENT);
    hqi_core_stopped(w.core, &w.now);
    world_drain(&w);
    expect(&w, "");
    world_close(&w);
}

static void the_host_stops(void **state)
{
    struct world w;
    world_open(&w);
    world_join(&w, 1);
    hqi_core_stop(w.core, &w.now);
    hqi_core_stopped(w.core, &w.now);
    world_drain(&w);
    expect(&w, "worker 1 stop 1\n");
    world_close(&w);
}

static void lists_of_workers(void **state)
{
    struct command online = {.kind = COMMAND_WORKER_LIST, .u.workers.workers.kind = SELECT_ALL};
    struct command all = {.kind = COMMAND_WORKER_LIST, .u.workers = {.workers.kind = SELECT_ALL, .offline_too = true}};
    struct command info = {.kind = COMMAND_SERVER_INFO}, odd = {.kind = 200};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 1);
    world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
    world_join(&w, 2);
    world_tick(&w);
    world_started(&w, 2, 1, 0, 0, 1);
    world_forget_said(&w);
    world_command(&w, &online);
    world_command(&w, &all);
    world_command(&w, &info);
    world_command(&w, &odd);
    expect(&w, "client 7 #2 2 end 0 has 2 runs 1\n"
               "client 7 #3 1 end 2 has 0 runs 0, 2 end 0 has 2 runs 1\n"
               "client 7 #4 abcdef\n"
               "client 7 #5 error -6: Received an invalid message: unknown kind of command\n");
    world_close(&w);
}

static void a_bad_configuration_is_refused(void **state)
{
    struct worker_config *c;
    struct world w;
    hq_worker_id id = {0};
    world_open(&w);
    c = hqi_model_config_new(&w.mem.alloc);
    assert_int_equal(hqi_core_on_worker_join(w.core, &w.now, &c, 0, (struct bytes){0}, &id, NULL), HQ_EINVAL);
    assert_non_null(c);
    hqi_model_config_free(c);
    world_close(&w);
}

static void a_restart_is_a_new_epoch(void **state)
{
    struct now later = {5, WORLD_UTC + 1000};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 2);
    world_tick(&w);
    struct core *c = world_replay(&w);
    assert_int_equal(hqi_core_core_start(c, &later, bytes_of("zzzzzz"), NULL), HQ_OK);
    assert_int_equal(hqi_core_core_state(c)->epoch, 2);
    assert_string_equal(hqi_core_core_state(c)->uid, "abcdef"); /* it keeps its uid */
    assert_int_equal(hqi_state_worker(hqi_core_core_state(c), (hq_worker_id){1})->n_active, 4);
    hqi_core_core_free(c);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_tasks_run_again),
        cmocka_unit_test(overviews_change_nothing),
        cmocka_unit_test(stopping_workers_get_nothing),
        cmocka_unit_test(too_little_leaves_a_worker_idle),
        cmocka_unit_test(workers_end_by_themselves),
        cmocka_unit_test(idle_workers_are_stopped),
        cmocka_unit_test(stalled_workers_give_back),
        cmocka_unit_test(time_requests),
        cmocka_unit_test(the_server_stops),
        cmocka_unit_test(the_client_that_stopped_has_left),
        cmocka_unit_test(the_host_stops),
        cmocka_unit_test(lists_of_workers),
        cmocka_unit_test(a_bad_configuration_is_refused),
        cmocka_unit_test(a_restart_is_a_new_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
