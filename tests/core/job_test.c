/* SPDX-License-Identifier: MIT */
/* job_test.c - jobs as clients see and change them: open, close, cancel, forget, lists, pages of tasks. */
#include "world.h"

static const hq_range four = {0, 4, 1};

static void open_running(struct world *w)
{
    world_open(w);
    submit(w, .ids = &four);
    world_join(w, 2);
    world_tick(w);
    world_started(w, 1, 1, 0, 0, 2);
    world_ended(w, 1, 1, 0, 0, 1, 0);
    world_tick(w);
    world_forget_said(w);
}

static void opening_and_closing(void **state)
{
    struct world w;
    world_open(&w);
    world_open_job(&w, "mine", NO_LIMIT);
    world_jobs(&w, COMMAND_JOB_INFO, 1);
    world_jobs(&w, COMMAND_JOB_CLOSE, 1);
    world_jobs(&w, COMMAND_JOB_CLOSE, 1);
    world_jobs(&w, COMMAND_JOB_CLOSE, 9);
    world_jobs(&w, COMMAND_JOB_CLOSE, 0); /* all open ones: none */
    world_jobs(&w, COMMAND_JOB_INFO, UINT32_MAX);
    expect(&w, "client 7 #1 job 1\n"
               "client 7 #2 1* opened 0/0/0/0/0/0\n"
               "client 7 #3 1 done\n"
               "client 7 #4 1 already\n"
               "client 7 #5 9 missing\n"
               "client 7 #6\n"
               "client 7 #7 1 finished 0/0/0/0/0/0\n");
    world_open_job(&w, "bad\tname", NO_LIMIT);
    assert_non_null(strstr(w.said.p, "error -1"));
    world_close(&w);
}

static uint64_t cancel(struct world *w, uint32_t job, const char *reason)
{
    static const uint32_t none[1] = {0};
    const hq_range r = {job, 1, 1};
    struct command cmd = {.kind = COMMAND_JOB_CANCEL};
    cmd.u.jobs.jobs.kind = SELECT_IDS;
    cmd.u.jobs.jobs.ids = (struct intset){&r, none, 1, 1, true};
    cmd.u.jobs.reason = bytes_of(reason);
    return world_command(w, &cmd);
}

static void cancelling_tells_the_worker(void **state)
{
    struct world w;
    open_running(&w);
    cancel(&w, 1, "enough");
    expect(&w, "client 7 #2 1 done 3/1\n"
               "worker 1 cancel 1.0:1+3\n"
               "worker 1 drop 1\n");
    assert_int_equal(world_active(&w, 1), 0);
    uint64_t digest = hqi_state_digest(hqi_core_core_state(w.core));
    world_ended(&w, 1, 1, 0, 1, 3, 0); /* too late */
    world_started(&w, 1, 1, 0, 2, 1);
    world_given(&w, RETURNED, 1, 1, 0, 3, 1);
    assert_true(hqi_state_digest(hqi_core_core_state(w.core)) == digest);
    cancel(&w, 1, "again");
    world_jobs(&w, COMMAND_JOB_INFO, 1);
    expect(&w, "client 7 #3 1 already 0/4\n"
               "client 7 #4 1 canceled 0/0/1/0/3/0 (enough)\n");
    world_close(&w);
}

static void cancelling_what_waits(void **state)
{
    const hq_range many = {0, 1000000000, 1};
    char reason[HQI_MAX_REASON + 2];
    struct world w;
    world_open(&w);
    submit(&w, .ids = &many);
    memset(reason, 'x', sizeof reason);
    reason[HQI_MAX_REASON + 1] = '\0';
    cancel(&w, 1, reason);
    cancel(&w, 5, "");
    cancel(&w, 1, "");
    world_jobs(&w, COMMAND_JOB_CANCEL, 0); /* all active ones: none */
    expect(&w, "client 7 #1 job 1\n"
               "client 7 #2 error -8: The reason of a cancellation has at most 200 bytes\n"
               "client 7 #3 5 missing\n"
               "client 7 #4 1 done 1000000000/0\n"
               "client 7 #5\n");
    world_close(&w);
}

/* Several workers, several submits: one message each, and what has ended before is not spoken of again. */
static void cancelling_over_workers(void **state)
{
    const hq_range more = {10, 2, 1}, last = {20, 1, 1};
    struct world w;
    world_open(&w);
    world_open_job(&w, "open", NO_LIMIT);
    submit(&w, .job = 1, .ids = &last);
    world_join(&w, 2);
    world_tick(&w);
    world_ended(&w, 1, 1, 0, 0, 1, 0);
    submit(&w, .job = 1, .ids = &four);
    submit(&w, .job = 1, .ids = &more);
    world_join(&w, 2);
    world_tick(&w);
    world_forget_said(&w);
    cancel(&w, 1, "");
    expect(&w, "client 7 #5 1 done 6/1\n"
               "worker 1 cancel 2.0:0+2 3.0:0+1\n"
               "worker 2 cancel 2.0:2+2 3.0:1+1\n"
               "worker 1 drop 2\n"
               "worker 2 drop 2\n"
               "worker 1 drop 3\n"
               "worker 2 drop 3\n");
    world_jobs(&w, COMMAND_JOB_INFO, 1);
    expect(&w, "client 7 #6 1* canceled 0/0/1/0/6/0\n");
    world_close(&w);
}

static void forgetting(void **state)
{
    struct world w;
    open_running(&w);
    submit(&w, .n_auto = 1);
    cancel(&w, 2, "");
    world_open_job(&w, "open", NO_LIMIT);
    world_forget_said(&w);
    world_jobs(&w, COMMAND_JOB_FORGET, 1); /* still active */
    world_jobs(&w, COMMAND_JOB_FORGET, 9);
    struct command cmd = {.kind = COMMAND_JOB_FORGET, .u.jobs = {.jobs = {.kind = SELECT_ALL}, .states = 1u << HQ_TASK_FINISHED}};
    world_command(&w, &cmd);
    world_jobs(&w, COMMAND_JOB_FORGET, 0);
    expect(&w, "client 7 #5 forgot 0 ignored 1\n"
               "client 7 #6 forgot 0 ignored 1\n"
               "client 7 #7 forgot 0 ignored 3\n"
               "client 7 #8 forgot 1 ignored 2\n");
    world_jobs(&w, COMMAND_JOB_INFO, 2);
    submit(&w, .n_auto = 1); /* its id is not given again */
    world_jobs(&w, COMMAND_JOB_FORGET, 2);
    expect(&w, "client 7 #9 missing 2\n"
               "client 7 #10 job 4\n"
               "client 7 #11 forgot 0 ignored 1\n");
    world_close(&w);
}

static void lists_in_pages(void **state)
{
    struct world w;
    world_open(&w);
    for (uint32_t i = 0; i < 2100; i++)
        submit(&w, .n_auto = 1);
    cancel(&w, 3, "");
    world_forget_said(&w);
    struct command cmd = {.kind = COMMAND_JOB_LIST};
    world_command(&w, &cmd);
    assert_non_null(strstr(w.said.p, " 2 waiting"));
    assert_null(strstr(w.said.p, " 3 canceled"));
    assert_non_null(strstr(w.said.p, " 2049 waiting"));
    assert_null(strstr(w.said.p, " 2050 waiting"));
    assert_non_null(strstr(w.said.p, " next 2050\n"));
    world_forget_said(&w);
    struct command rest = {.kind = COMMAND_JOB_LIST, .u.job_list = {.all = true, .from = 2099}};
    world_command(&w, &rest);
    struct command filtered = {.kind = COMMAND_JOB_LIST, .u.job_list = {.states = 1u << HQ_TASK_CANCELED}};
    world_command(&w, &filtered);
    expect(&w, "client 7 #2103 2099 waiting 1/0/0/0/0/0, 2100 waiting 1/0/0/0/0/0\n"
               "client 7 #2104 3 canceled 0/0/0/0/1/0\n");
    world_close(&w);
}

/* ---- tasks ---- */

static uint64_t page(struct world *w, uint32_t job, uint64_t cursor, uint32_t limit, uint32_t states, const struct intset *ids)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE};
    cmd.id = ++w->next_id;
    cmd.u.task_page.job.n = job;
    cmd.u.task_page.cursor = cursor;
    cmd.u.task_page.limit = limit;
    cmd.u.task_page.states = states;
    if (ids)
        cmd.u.task_page.ids = *ids;
    hqi_core_on_command(w->core, &w->now, CLIENT, &cmd);
    uint64_t next = hqi_core_peek(w->core)->u.reply.u.tasks.next;
    world_drain(w);
    return next;
}

static void open_pages(struct world *w)
{
    const hq_range more = {20, 3, 10}, none = {5, 2, 1};
    world_open(w);
    world_open_job(w, "open", NO_LIMIT);
    submit(w, .job = 1, .ids = &four);
    submit(w, .job = 1, .ids = &more);
    submit(w, .job = 1, .ids = &none);
    world_join(w, 5);
    world_tick(w);
    world_ended(w, 1, 1, 0, 0, 2, 0);
    world_ended(w, 1, 1, 0, 3, 1, HQ_CODE_TEXT);
    world_started(w, 1, 2, 0, 0, 1);
    world_forget_said(w);
}

static void pages_over_submits(void **state)
{
    struct world w;
    open_pages(&w);
    uint64_t next = page(&w, 1, 0, 3, 0, NULL);
    next = page(&w, 1, next, 4, 0, NULL);
    next = page(&w, 1, next, 100, 0, NULL);
    assert_int_equal(next, 0);
    page(&w, 1, 0, 0, 1u << HQ_TASK_FAILED | 1u << HQ_TASK_RUNNING, NULL);
    page(&w, 1, 0, 2, 1u << HQ_TASK_CANCELED, NULL);
    page(&w, 4, 0, 2, 0, NULL);
    expect(&w, "client 7 #5 0 finished@1.0, 1 finished@1.0, 2 waiting more\n"
               "client 7 #6 3 failed@1.0=513, 5 waiting, 6 waiting, 20 running@1.0 [0: no such file] more\n"
               "client 7 #7 30 waiting, 40 waiting\n"
               "client 7 #8 3 failed@1.0=513, 20 running@1.0 [0: no such file]\n"
               "client 7 #9\n"
               "client 7 #10 error -3: Job not found\n");
    world_close(&w);
}

static void pages_by_ids(void **state)
{
    const hq_range wanted[] = {{1, 1, 1}, {4, 3, 1}, {30, 1, 1}, {99, 1, 1}};
    struct arena mem;
    struct intset ids;
    struct world w;
    open_pages(&w);
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_model_intset_make(&ids, &mem, wanted, 4, NULL);
    uint64_t next = page(&w, 1, 0, 2, 0, &ids);
    page(&w, 1, next, 2, 0, &ids);
    page(&w, 1, 0, 9, 1u << HQ_TASK_WAITING, &ids);
    expect(&w, "client 7 #5 1 finished@1.0, 5 waiting more\n"
               "client 7 #6 6 waiting, 30 waiting\n"
               "client 7 #7 5 waiting, 6 waiting, 30 waiting\n");
    hqi_base_arena_fini(&mem);
    world_close(&w);
}

/* A job with the tasks 0-10 and 12, of submits whose ranges run through one another. */
static void open_interleaved(struct world *w)
{
    static const hq_range odd[] = {{1, 5, 2}, {2, 3, 4}}, rest[] = {{12, 1, 1}, {0, 1, 1}, {4, 2, 4}};
    world_open(w);
    world_open_job(w, "open", NO_LIMIT);
    submit(w, .job = 1, .ids = odd, .n_ids = 2);
    submit(w, .job = 1, .ids = rest, .n_ids = 3);
    world_join(w, 12);
    world_tick(w);
    world_ended(w, 1, 2, 0, 0, 4, 0);
    world_ended(w, 1, 1, 0, 4, 4, 0);
    world_forget_said(w);
}

/* Once each, whatever the size of the pages. */
static void pages_are_ascending_by_id(void **state)
{
    static const hq_range wanted[] = {{0, 4, 4}, {1, 1, 1}, {2, 3, 4}, {99, 1, 1}};
    struct arena mem;
    struct intset ids;
    struct world w;
    open_interleaved(&w);
    for (uint32_t limit = 1, n = 0; limit <= 13; limit++, n = 0) {
        uint64_t next = 0;
        do
            next = page(&w, 1, next, limit, 0, NULL);
        while (next != 0 && ++n < 13);
        assert_int_equal(n, 11 / limit);
    }
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_model_intset_make(&ids, &mem, wanted, 4, NULL);
    world_forget_said(&w);
    uint64_t next = page(&w, 1, 0, 5, 1u << HQ_TASK_FINISHED | 1u << HQ_TASK_RUNNING, NULL);
    page(&w, 1, next, 5, 1u << HQ_TASK_FINISHED | 1u << HQ_TASK_RUNNING, NULL);
    next = page(&w, 1, 0, 4, 0, &ids);
    page(&w, 1, next, 9, 0, &ids);
    expect(&w, "client 7 #46 0 finished@1.0, 2 finished@1.0, 4 finished@1.0, 6 finished@1.0, 8 finished@1.0 more\n"
               "client 7 #47 9 finished@1.0, 10 finished@1.0, 12 finished@1.0\n"
               "client 7 #48 0 finished@1.0, 1 waiting, 2 finished@1.0, 4 finished@1.0 more\n"
               "client 7 #49 6 finished@1.0, 8 finished@1.0, 10 finished@1.0, 12 finished@1.0\n");
    hqi_base_arena_fini(&mem);
    world_close(&w);
}

/* As many as there can be, but for one, of a job with a few: looking each up would hold up everything else for minutes. */
static void a_page_of_all_ids(void **state)
{
    static const hq_range wanted[] = {{0, 4, 1}, {5, UINT32_MAX - 5, 1}};
    struct arena mem;
    struct intset ids;
    struct world w;
    open_interleaved(&w);
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_model_intset_make(&ids, &mem, wanted, 2, NULL), HQ_OK);
    uint64_t next = page(&w, 1, 0, 5, 0, &ids);
    page(&w, 1, next, 9, 1u << HQ_TASK_FINISHED, &ids);
    expect(&w, "client 7 #4 0 finished@1.0, 1 waiting, 2 finished@1.0, 3 waiting, 5 waiting more\n"
               "client 7 #5 6 finished@1.0, 8 finished@1.0, 9 finished@1.0, 10 finished@1.0, 12 finished@1.0\n");
    hqi_base_arena_fini(&mem);
    world_close(&w);
}

static void jobs_again(struct world *w, uint8_t kind, uint32_t job, uint64_t key)
{
    uint32_t none = 0;
    hq_range r = {job, 1, 1};
    struct command cmd = {.kind = kind, .key = {key, 0}};
    cmd.u.jobs.jobs.kind = job ? SELECT_IDS : SELECT_ALL;
    if (job)
        cmd.u.jobs.jobs.ids = (struct intset){&r, &none, 1, 1, true};
    world_command(w, &cmd);
}

/* The reply was lost with the server, and the client asks again. */
static void asked_again_is_answered_again(void **state)
{
    static const hq_range more = {10, 2, 1};
    struct world w;
    world_open(&w);
    world_open_job(&w, "a", NO_LIMIT);
    submit(&w, .ids = &four, .job = 1);
    world_forget_said(&w);
    jobs_again(&w, COMMAND_JOB_CANCEL, 1, 50);
    submit(&w, .ids = &more, .job = 1);
    world_restart(&w);
    world_forget_said(&w);
    jobs_again(&w, COMMAND_JOB_CANCEL, 1, 50);
    expect(&w, "client 7 #5 1 done 4/0\n");
    assert_int_equal(world_count(&w, 1, HQ_TASK_WAITING), 2); /* what came later was not meant */
    jobs_again(&w, COMMAND_JOB_CANCEL, 0, 50);
    expect(&w, "client 7 #6 1 done 4/0\n");
    jobs_again(&w, COMMAND_JOB_CANCEL, 0, 51);
    expect(&w, "client 7 #7 1 done 2/4\n");
    jobs_again(&w, COMMAND_JOB_CLOSE, 0, 52);
    world_restart(&w);
    jobs_again(&w, COMMAND_JOB_CLOSE, 0, 52);
    expect(&w, "client 7 #8 1 done\nclient 7 #9 1 done\n");
    jobs_again(&w, COMMAND_JOB_CLOSE, 1, 53);
    expect(&w, "client 7 #10 1 already\n");
    jobs_again(&w, COMMAND_JOB_CLOSE, 1, 0);
    expect(&w, "client 7 #11 1 already\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_again_is_answered_again),
        cmocka_unit_test(opening_and_closing),
        cmocka_unit_test(cancelling_tells_the_worker),
        cmocka_unit_test(cancelling_what_waits),
        cmocka_unit_test(cancelling_over_workers),
        cmocka_unit_test(forgetting),
        cmocka_unit_test(lists_in_pages),
        cmocka_unit_test(pages_over_submits),
        cmocka_unit_test(pages_by_ids),
        cmocka_unit_test(pages_are_ascending_by_id),
        cmocka_unit_test(a_page_of_all_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
