/* SPDX-License-Identifier: MIT */
/* wait_test.c - commands whose reply waits: for jobs to end, for news of a job, for workers. */
#include "world.h"

static const hq_range four = {0, 4, 1};

static uint64_t wait_for(struct world *w, uint8_t kind, const hq_range *ids, uint8_t select, bool without_close, uint64_t since)
{
    static const uint32_t none[1] = {0};
    struct command cmd = {.kind = kind};
    cmd.u.jobs.jobs.kind = select;
    if (ids)
        cmd.u.jobs.jobs.ids = (struct intset){ids, none, 1, ids->count, true};
    cmd.u.jobs.without_close = without_close;
    cmd.u.jobs.since = since;
    return world_command(w, &cmd);
}

static void ends_are_waited_for(void **state)
{
    const hq_range both = {1, 2, 1}, unknown = {8, 1, 1};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    submit(&w, .n_auto = 1);
    world_join(&w, 8);
    world_tick(&w);
    world_forget_said(&w);
    wait_for(&w, COMMAND_JOB_WAIT, &both, SELECT_IDS, false, 0);
    wait_for(&w, COMMAND_JOB_WAIT, NULL, SELECT_ALL, false, 0);
    wait_for(&w, COMMAND_JOB_WAIT, NULL, SELECT_LAST, false, 0);
    wait_for(&w, COMMAND_JOB_WAIT, &unknown, SELECT_IDS, false, 0);
    world_tick(&w);
    expect(&w, "client 7 #6\n"); /* nothing to wait for */
    world_ended(&w, 1, 2, 0, 0, 1, 0);
    world_tick(&w);
    expect(&w, "worker 1 drop 2\nclient 7 #5\n");
    submit(&w, .n_auto = 1); /* `all` is what was there when it was asked */
    world_tick(&w);
    world_forget_said(&w);
    world_ended(&w, 1, 1, 0, 0, 4, 1);
    world_tick(&w);
    expect(&w, "worker 1 drop 1\nclient 7 #3\nclient 7 #4\n");
    world_close(&w);
}

static void open_jobs_are_waited_for(void **state)
{
    const hq_range first = {1, 1, 1};
    struct world w;
    world_open(&w);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 1, .n_auto = 1);
    world_join(&w, 1);
    world_tick(&w);
    world_forget_said(&w);
    wait_for(&w, COMMAND_JOB_WAIT, &first, SELECT_IDS, false, 0);
    wait_for(&w, COMMAND_JOB_WAIT, &first, SELECT_IDS, true, 0);
    world_tick(&w);
    expect(&w, "");
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    world_tick(&w);
    expect(&w, "worker 1 drop 1\nclient 7 #4\n");
    submit(&w, .job = 1, .n_auto = 1);
    world_tick(&w);
    world_ended(&w, 1, 2, 0, 0, 1, 0);
    world_forget_said(&w);
    world_jobs(&w, COMMAND_JOB_CLOSE, 1);
    world_tick(&w);
    expect(&w, "client 7 #6 1 done\nclient 7 #3\n");
    world_close(&w);
}

static uint64_t change_of(const struct world *w)
{
    return hqi_state_job(hqi_core_core_state(w->core), (hq_job_id){1})->change;
}

static void progress_is_told_now_and_then(void **state)
{
    const hq_range first = {1, 1, 1};
    struct world w;
    world_open(&w);
    submit(&w, .ids = &four);
    world_join(&w, 4);
    world_tick(&w);
    world_forget_said(&w);
    wait_for(&w, COMMAND_JOB_PROGRESS, &first, SELECT_IDS, false, 0); /* the first is told at once */
    world_tick(&w);
    expect(&w, "client 7 #2 1 waiting 4/0/0/0/0/0\n");
    wait_for(&w, COMMAND_JOB_PROGRESS, &first, SELECT_IDS, false, change_of(&w));
    world_tick(&w);
    assert_int_equal(hqi_core_deadline(w.core), UINT64_MAX); /* nothing has changed */
    world_started(&w, 1, 1, 0, 0, 1);
    world_tick(&w);
    expect(&w, "");
    assert_int_equal(hqi_core_deadline(w.core), w.now.mono_ns + 50 * HQI_MS);
    world_pass_ms(&w, 50);
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    world_tick(&w);
    expect(&w, "client 7 #3 1 waiting 3/0/1/0/0/0\n");
    wait_for(&w, COMMAND_JOB_PROGRESS, &first, SELECT_IDS, false, change_of(&w));
    world_ended(&w, 1, 1, 0, 1, 3, 0); /* the end is told at once */
    world_tick(&w);
    expect(&w, "worker 1 drop 1\nclient 7 #4 1 finished 0/0/4/0/0/0\n");
    world_close(&w);
}

static void progress_of_a_forgotten_job(void **state)
{
    const hq_range first = {1, 1, 1};
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 1);
    wait_for(&w, COMMAND_JOB_PROGRESS, &first, SELECT_IDS, false, change_of(&w));
    wait_for(&w, COMMAND_JOB_WAIT, &first, SELECT_IDS, false, 0);
    world_jobs(&w, COMMAND_JOB_CANCEL, 1);
    world_jobs(&w, COMMAND_JOB_FORGET, 1);
    world_forget_said(&w);
    world_tick(&w);
    expect(&w, "client 7 #2\nclient 7 #3\n");
    world_close(&w);
}

static void workers_are_waited_for(void **state)
{
    struct world w;
    struct command two = {.kind = COMMAND_WORKER_WAIT, .u.worker_wait.count = 2};
    struct command none = {.kind = COMMAND_WORKER_WAIT};
    world_open(&w);
    world_command(&w, &two);
    world_command(&w, &none);
    world_join(&w, 1);
    world_lose(&w, 1, HQ_WORKER_STOPPED);
    world_join(&w, 1);
    world_tick(&w);
    expect(&w, "client 7 #2\n");
    world_join(&w, 1);
    world_tick(&w);
    expect(&w, "client 7 #1\n");
    world_close(&w);
}

static void gone_clients_wait_no_more(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 1);
    wait_for(&w, COMMAND_JOB_WAIT, NULL, SELECT_ALL, false, 0);
    hqi_core_on_client_gone(w.core, CLIENT);
    world_forget_said(&w);
    w.client = 8;
    world_jobs(&w, COMMAND_JOB_CANCEL, 0);
    world_tick(&w);
    expect(&w, "client 8 #3 1 done 1/0\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_are_waited_for),
        cmocka_unit_test(open_jobs_are_waited_for),
        cmocka_unit_test(progress_is_told_now_and_then),
        cmocka_unit_test(progress_of_a_forgotten_job),
        cmocka_unit_test(workers_are_waited_for),
        cmocka_unit_test(gone_clients_wait_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
