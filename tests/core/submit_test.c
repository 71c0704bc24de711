/* SPDX-License-Identifier: MIT */
/* submit_test.c - submitting: what is refused and in which words, which ids tasks get, keys, entries in parts. */
#include "world.h"

static const hq_range zero_to_three = {0, 4, 1};
static const hq_range three_to_six = {3, 4, 1};

static void a_job_and_its_tasks(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &zero_to_three);
    expect(&w, "client 7 #1 job 1\n");
    world_join(&w, 4);
    world_tick(&w);
    expect(&w, "worker 1 spec 1 of job 1\n"
               "worker 1 assign 1.0:0+4 ids 0-3\n");
    world_close(&w);
}

static void strided_ids_travel_as_ranges(void **state)
{
    const hq_range ids[] = {{10, 3, 10}, {5, 1, 1}, {100, 2, 1}};
    struct world w;
    world_open(&w);
    submit(&w, .ids = ids, .n_ids = 3);
    world_join(&w, 4);
    world_tick(&w);
    expect(&w, "client 7 #1 job 1\n"
               "worker 1 spec 1 of job 1\n"
               "worker 1 assign 1.0:0+4 ids 5-5,10-30:10 1.0:4+2 ids 100-101\n");
    world_close(&w);
}

static void words_of_refusals(void **state)
{
    struct world w;
    world_open(&w);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 1, .ids = &zero_to_three);
    submit(&w, .ids = &zero_to_three);
    expect(&w, "client 7 #1 job 1\nclient 7 #2 job 1\nclient 7 #3 job 2\n");
    submit(&w, .job = 1, .ids = &three_to_six);
    expect(&w, "client 7 #4 error -16: Task 3 already exists in job 1.\n");
    submit(&w, .job = 2, .ids = &three_to_six); /* the collision is found first */
    expect(&w, "client 7 #5 error -16: Task 3 already exists in job 2.\n");
    submit(&w, .job = 2, .n_auto = 1);
    expect(&w, "client 7 #6 error -4: Job 2 is not opened.\n");
    submit(&w, .job = 9, .ids = &zero_to_three);
    expect(&w, "client 7 #7 error -3: Job 9 not found.\n");
    submit(&w, .n_auto = 1); /* refused ones use up no id */
    expect(&w, "client 7 #8 job 3\n");
    submit(&w, .n_auto = 1, .name = "two\nlines");
    world_forget_said(&w);
    assert_int_equal(hqi_core_core_state(w.core)->n_jobs, 3);
    world_close(&w);
}

static void server_numbers_tasks(void **state)
{
    static const char *const entries[] = {"a", "bc", ""};
    const hq_range far = {40, 2, 5};
    struct world w;
    struct task_view t;
    uint32_t o;
    world_open(&w);
    submit(&w, .n_auto = 1);
    submit(&w, .entries = entries, .n_entries = 3);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 3, .n_auto = 2);
    submit(&w, .job = 3, .ids = &far);
    submit(&w, .job = 3, .entries = entries, .n_entries = 3);
    submit(&w, .job = 3);
    const struct job *j = hqi_state_job(hqi_core_core_state(w.core), (hq_job_id){3});
    assert_int_equal(hqi_state_job_total(j), 7);
    assert_int_equal(hqi_state_job_find(j, 1, &o)->id, 3);
    assert_int_equal(hqi_state_job_find(j, 48, &o)->id, 5); /* behind 45 */
    assert_int_equal(o, 2);
    world_task(&w, 5, 2, &t);
    assert_int_equal(t.state, HQ_TASK_WAITING);
    world_forget_said(&w);
    world_join(&w, 1);
    world_tick(&w);
    expect(&w, "worker 1 spec 1 of job 1\n"
               "worker 1 spec 2 of job 2\n"
               "worker 1 assign 1.0:0+1 ids 0-0 2.0:0+1 ids 0-0 entries a\n");
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    world_tick(&w);
    expect(&w, "worker 1 drop 1\n"
               "worker 1 assign 2.0:1+1 ids 1-1 entries bc\n");
    world_close(&w);
}

static void a_job_without_tasks_has_ended(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 0);
    world_jobs(&w, COMMAND_JOB_INFO, 1);
    world_jobs(&w, COMMAND_JOB_WAIT, 1);
    world_tick(&w);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 2);
    submit(&w, .job = 2, .n_auto = 1);
    expect(&w, "client 7 #1 job 1\n"
               "client 7 #2 1 finished 0/0/0/0/0/0\n"
               "client 7 #3\n"
               "client 7 #4 job 2\n"
               "client 7 #5 job 2\n"
               "client 7 #6 job 2\n");
    world_close(&w);
}

static void last_id_leaves_no_room(void **state)
{
    const hq_range last = {UINT32_MAX, 1, 1};
    struct world w;
    world_open(&w);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 1, .ids = &last);
    submit(&w, .job = 1, .n_auto = 1);
    expect(&w, "client 7 #1 job 1\nclient 7 #2 job 1\n"
               "client 7 #3 error -8: Job 1 has a task with the largest possible id; give ids\n");
    world_close(&w);
}

static void a_retry_gets_the_same_job(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 1, .key = 5);
    w.client = 8; /* a session later */
    submit(&w, .n_auto = 1, .key = 5);
    submit(&w, .n_auto = 1, .key = 6);
    expect(&w, "client 7 #1 job 1\nclient 8 #2 job 1\nclient 8 #3 job 2\n");
    struct command cmd = {.kind = COMMAND_JOB_OPEN, .key = {9, 0}, .u.job_open = {bytes_of("a"), NO_LIMIT}};
    struct command again = cmd;
    world_command(&w, &cmd);
    world_command(&w, &again);
    expect(&w, "client 8 #4 job 3\nclient 8 #5 job 3\n");
    world_close(&w);
}

static void a_key_outlives_a_restart(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 1, .key = 5);
    struct core *c = world_replay(&w);
    assert_int_equal(hqi_state_job_by_key(hqi_core_core_state(c), (struct key){5, 0})->id.n, 1);
    hqi_core_core_free(c);
    world_close(&w);
}

/* ---- parts ---- */

/* A worker that gets more than a message can hold is lost, and so is the next one. */
static void long_entries_leave_in_messages_of_their_own(void **state)
{
    static char longer[300001], third[65001], tiny[] = "t";
    memset(longer, 'l', sizeof longer - 1);
    memset(third, 'o', sizeof third - 1);
    const char *const entries[] = {third, third, third, third, longer, tiny, tiny};
    struct world w;
    world_open(&w);
    world_join(&w, 7);
    submit(&w, .entries = entries, .n_entries = 7);
    world_tick(&w);
    for (char *at = w.said.p; (at = strstr(at, "entries ")); at++) /* what they are is of no interest */
        memset(at, ' ', strcspn(at, "\n"));
    const char *at = strstr(w.said.p, "spec 1 of job 1");
    static const char *const messages[] = {"assign 1.0:0+3 ids 0-2", "assign 1.0:3+1 ids 3-3", "assign 1.0:4+1 ids 4-4",
                                           "assign 1.0:5+2 ids 5-6"};
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        assert_non_null(at);
        at = strstr(at, messages[i]);
    }
    assert_non_null(at);
    world_close(&w);
}

static void entries_in_parts(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .more = true, .key = 5);
    expect(&w, "client 7 #1 more\n");
    world_part(&w, 5, "first", 5, false);
    expect(&w, "client 7 #2 more\n");
    assert_int_equal(hqi_core_core_state(w.core)->n_jobs, 0); /* nothing is visible before the last */
    world_part(&w, 5, "xyz", 3, true);
    expect(&w, "client 7 #3 job 1\n");
    world_join(&w, 2);
    world_tick(&w);
    expect(&w, "worker 1 spec 1 of job 1\nworker 1 assign 1.0:0+2 ids 0-1 entries first,xyz\n");
    world_part(&w, 5, "late", 4, false); /* it is done: a retry is told so */
    expect(&w, "client 7 #4 job 1\n");
    world_close(&w);
}

static void parts_that_are_refused(void **state)
{
    struct world w;
    world_open(&w);
    world_part(&w, 3, "x", 1, true);
    expect(&w, "client 7 #1 error -3: There is no submit in the making with this key; it may have timed out\n");
    submit(&w, .more = true, .key = 5);
    world_part(&w, 5, "abc", 2, false);
    world_part(&w, 5, "abc", 3, true);
    expect(&w, "client 7 #2 more\n"
               "client 7 #3 error -6: Received an invalid message: a part whose lengths do not add up\n"
               "client 7 #4 error -3: There is no submit in the making with this key; it may have timed out\n");
    submit(&w, .more = true, .key = 6);
    w.client = 8; /* another client's submit */
    world_part(&w, 6, "abc", 3, true);
    expect(&w, "client 7 #5 more\n"
               "client 8 #6 error -3: There is no submit in the making with this key; it may have timed out\n");
    assert_int_equal(hqi_core_core_state(w.core)->n_jobs, 0);
    world_close(&w);
}

static void uploads_time_out(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .more = true, .key = 5);
    world_tick(&w);
    assert_int_equal(hqi_core_deadline(w.core), w.now.mono_ns + HQI_UPLOAD_TIMEOUT_S * HQI_SEC);
    world_pass_ms(&w, HQI_UPLOAD_TIMEOUT_S * 1000 - 1);
    world_part(&w, 5, "abc", 3, false);
    world_tick(&w);
    world_pass_ms(&w, HQI_UPLOAD_TIMEOUT_S * 1000);
    world_forget_said(&w);
    world_tick(&w);
    assert_int_equal(hqi_core_deadline(w.core), UINT64_MAX);
    world_part(&w, 5, "abc", 3, true);
    expect(&w, "client 7 #3 error -3: There is no submit in the making with this key; it may have timed out\n");
    world_close(&w);
}

static void a_client_takes_its_uploads_along(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .more = true, .key = 5);
    hqi_core_on_client_gone(w.core, CLIENT);
    world_part(&w, 5, "abc", 3, true);
    expect(&w, "client 7 #1 more\n"
               "client 7 #2 error -3: There is no submit in the making with this key; it may have timed out\n");
    world_close(&w);
}

static void uploads_are_limited(void **state)
{
    struct world w;
    world_open(&w);
    for (uint32_t i = 0; i < HQI_MAX_UPLOADS; i++)
        submit(&w, .more = true, .key = 10 + i);
    world_forget_said(&w);
    submit(&w, .more = true, .key = 500);
    expect(&w, "client 7 #65 error -8: The server has too many submits in the making; try again later\n");
    submit(&w, .more = true, .key = 10); /* begun anew: it takes its own place */
    expect(&w, "client 7 #66 more\n");
    world_close(&w);
}

/* The same submit comes in two sessions, since the client took the first for dead. */
static void two_uploads_of_one_submit(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .more = true, .key = 5);
    w.client = 8;
    submit(&w, .more = true, .key = 5);
    world_part(&w, 5, "a", 1, true);
    w.client = 7;
    world_part(&w, 5, "a", 1, true);
    expect(&w, "client 7 #1 more\nclient 8 #2 more\nclient 8 #3 job 1\nclient 7 #4 job 1\n");
    assert_int_equal(hqi_core_core_state(w.core)->n_jobs, 1);
    world_close(&w);
}

static void paths_are_filled_at_submit(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .n_auto = 1, .cwd = "%{SUBMIT_DIR}/%{SERVER_UID}/%{JOB_ID}-%{TASK_ID}");
    const struct submit *s = hqi_state_submit(hqi_core_core_state(w.core), 1);
    assert_true(bytes_is(s->spec->cwd, "/home/abcdef/1-%{TASK_ID}"));
    world_forget_said(&w);
    world_close(&w);
}

static void what_cannot_be_placed_is_refused(void **state)
{
    struct world w;
    world_open(&w);
    struct command cmd = {.kind = COMMAND_SUBMIT};
    cmd.u.submit.spec = world_spec(&w, &(struct submit_args){.ids = &zero_to_three});
    ((struct request_variant *)cmd.u.submit.spec->request.variants)->weight = 2 * HQ_UNITS;
    cmd.u.submit.name = bytes_of("heavy");
    cmd.u.submit.max_fails = NO_LIMIT;
    world_command(&w, &cmd);
    expect(&w, "client 7 #1 error -1: Resource weights are not supported by this version; weight must be 1\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_and_its_tasks),
        cmocka_unit_test(strided_ids_travel_as_ranges),
        cmocka_unit_test(words_of_refusals),
        cmocka_unit_test(server_numbers_tasks),
        cmocka_unit_test(a_job_without_tasks_has_ended),
        cmocka_unit_test(last_id_leaves_no_room),
        cmocka_unit_test(a_retry_gets_the_same_job),
        cmocka_unit_test(a_key_outlives_a_restart),
        cmocka_unit_test(entries_in_parts),
        cmocka_unit_test(long_entries_leave_in_messages_of_their_own),
        cmocka_unit_test(parts_that_are_refused),
        cmocka_unit_test(uploads_time_out),
        cmocka_unit_test(a_client_takes_its_uploads_along),
        cmocka_unit_test(uploads_are_limited),
        cmocka_unit_test(two_uploads_of_one_submit),
        cmocka_unit_test(paths_are_filled_at_submit),
        cmocka_unit_test(what_cannot_be_placed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
