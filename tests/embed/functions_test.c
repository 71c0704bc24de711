/* SPDX-License-Identifier: MIT */
/* functions_test.c - tasks that are functions of this program: batches out, answers in; with the states, limits, retries and
 * resources of any other task. */
#include "rig.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

enum { SUBMITTED = 1, ENDED };

static hq_worker_options options(struct rig *r, const char *const *functions, const char *cpus)
{
    hq_worker_options o = {.size = sizeof o, .cpus = cpus, .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE};
    o.work_dir = r->dir;
    o.functions = functions;
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_WORKER);
    o.secret = hq_server_secret(r->server, HQ_PLANE_WORKER);
    return o;
}

static void start_worker(struct rig *r, const char *cpus)
{
    static const char *const functions[] = {"square", "other/thing", NULL};
    const hq_worker_options o = options(r, functions, cpus);
    must(hq_worker_new(&r->worker, r->ctx, &o, RIG_ERR));
}

static hq_submit *make(struct rig *r, const char *ids)
{
    hq_submit *s = hq_submit_new(r->ctx);
    hq_submit_set_function(s, "square");
    if (ids)
        hq_submit_set_array(s, ids);
    return s;
}

/* Sends and frees. */
static hq_job_id send(struct rig *r, hq_submit *s)
{
    const hq_event *e;
    must(hq_client_submit(r->client, s, SUBMITTED, RIG_ERR));
    hq_submit_free(s);
    must(hq_ctx_wait(r->ctx, SUBMITTED, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_OK);
    return e->u.reply.job;
}

/* The next batch. */
static const hq_batch *next_batch(struct rig *r)
{
    const hq_event *e;
    for (;;) {
        must(hq_ctx_run(r->ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0)
            if (e->type == HQ_EVENT_BATCH) {
                assert_int_equal(e->source, hq_worker_source(r->worker));
                return e->u.batch;
            }
    }
}

typedef void host_fn(struct rig *r, const hq_batch *b, void *user);

/* The host's loop, until the job has ended. */
static void run_job(struct rig *r, hq_job_id job, host_fn *fn, void *user)
{
    const hq_event *e;
    must(hq_client_wait(r->client, job, ENDED, RIG_ERR));
    for (;;) {
        must(hq_ctx_run(r->ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0) {
            if (e->type == HQ_EVENT_BATCH)
                fn(r, e->u.batch, user);
            else if (e->type == HQ_EVENT_REPLY && e->tag == ENDED)
                return;
        }
    }
}

static hq_task_columns results(struct rig *r, hq_job_id job)
{
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    must(hq_job_tasks(r->client, job, &cursor, &t, RIG_ERR));
    return t;
}

/* ---- running ---- */

#define MANY 20000

struct seen {
    uint8_t times[MANY + 1];
    size_t largest, batches;
};

static void count(struct rig *r, const hq_batch *b, void *user)
{
    struct seen *seen = user;
    assert_string_equal(b->function, "square");
    assert_null(b->entry);
    for (size_t i = 0; i < b->count; i++) {
        assert_in_range(b->index[i], 1, MANY);
        assert_int_equal(b->instance[i], 0);
        seen->times[b->index[i]]++;
    }
    seen->largest = b->count > seen->largest ? b->count : seen->largest;
    seen->batches++;
    must(hq_worker_answer(r->worker, b, NULL, RIG_ERR));
}

static void test_each_task_once(void **state)
{
    static struct seen seen;
    struct rig r;
    rig_open(&r);
    start_worker(&r, "2");
    hq_job_id job = send(&r, make(&r, "1-20000"));
    run_job(&r, job, count, &seen);
    for (int i = 1; i <= MANY; i++)
        assert_int_equal(seen.times[i], 1);
    assert_true(seen.largest > 20 && seen.batches < MANY / 5); /* batches, not tasks; how large depends on the machine */
    assert_int_equal(rig_status(&r, job).finished, MANY);
    hq_task_columns t = results(&r, job);
    for (size_t i = 0; i < t.count; i++)
        assert_true(t.state[i] == HQ_TASK_FINISHED && t.code[i] == 0 && t.worker[i] == 1 && t.start_ns[i] > 0);
    rig_close(&r);
}

static void check_entries(struct rig *r, const hq_batch *b, void *user)
{
    for (size_t i = 0; i < b->count; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "entry %u", b->index[i]);
        assert_string_equal(b->entry[i], expected);
        assert_int_equal(b->entry_size[i], strlen(expected));
        ++*(unsigned *)user;
    }
    must(hq_worker_answer(r->worker, b, NULL, RIG_ERR));
}

static void test_entries(void **state)
{
    struct rig r;
    unsigned n = 0;
    rig_open(&r);
    start_worker(&r, "1");
    hq_submit *s = make(&r, NULL);
    for (unsigned i = 0; i < 50; i++) {
        char text[32];
        hq_submit_add_entry(s, text, (size_t)snprintf(text, sizeof text, "entry %u", i));
    }
    run_job(&r, send(&r, s), check_entries, &n);
    assert_int_equal(n, 50);
    rig_close(&r);
}

/* ---- answers ---- */

/* Task by task, the last first; what is odd has failed, every fifth with a text. */
static void answer_backwards(struct rig *r, const hq_batch *b, void *user)
{
    for (size_t i = b->count; i-- > 0;) { /* the batch is gone with its last answer */
        uint32_t index = b->index[i];
        const int32_t code = index % 2 ? 7 : 0;
        const char *const error = index % 5 ? NULL : "five is right out";
        const int64_t duration = 3000000;
        const hq_answer a = {.size = sizeof a, .first = i, .count = 1, .code = &code, .error = &error, .duration_ns = &duration};
        must(hq_worker_answer(r->worker, b, &a, RIG_ERR));
    }
}

static void test_answers_one_by_one(void **state)
{
    struct rig r;
    const struct timespec longer = {.tv_nsec = 10000000};
    rig_open(&r);
    start_worker(&r, "2");
    hq_job_id job = send(&r, make(&r, "1-40"));
    nanosleep(&longer, NULL); /* no task takes longer than it was there */
    run_job(&r, job, answer_backwards, NULL);
    hq_task_columns t = results(&r, job);
    for (size_t i = 0; i < t.count; i++) {
        bool fifth = t.index[i] % 5 == 0, odd = t.index[i] % 2;
        assert_int_equal(t.state[i], fifth || odd ? HQ_TASK_FAILED : HQ_TASK_FINISHED);
        assert_int_equal(t.code[i], fifth ? HQ_CODE_TEXT : odd ? 7 : 0);
        assert_int_equal(t.duration_ns[i], 3000000);
        if (fifth)
            assert_string_equal(t.error[i], "five is right out");
    }
    rig_close(&r);
}

static void test_answers_that_make_no_sense(void **state)
{
    struct rig r;
    hq_error err;
    const int32_t codes[] = {0, 256}, negative = -1;
    const int64_t before = -5;
    const void *const result = codes;
    const size_t too_much = HQ_MAX_RESULT + 1;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1-3"));
    const hq_batch *b = next_batch(&r);
    const hq_answer bad[] = {
        {.size = sizeof *bad, .first = b->count + 1},
        {.size = sizeof *bad, .count = b->count + 1},
        {.size = sizeof *bad, .first = 1, .count = SIZE_MAX},
        {.size = sizeof *bad, .count = 1, .code = codes + 1},
        {.size = sizeof *bad, .count = 1, .code = &negative},
        {.size = sizeof *bad, .count = 1, .duration_ns = &before},
        {.size = sizeof *bad, .count = 1, .result = &result},
        {.size = 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(hq_worker_answer(r.worker, b, &bad[i], &err), HQ_EINVAL);
        assert_true(strlen(err.text) > 10);
    }
    const hq_answer large = {.size = sizeof large, .count = 1, .result = &result, .result_size = &too_much};
    assert_int_equal(hq_worker_answer(r.worker, b, &large, &err), HQ_ELIMIT);
    const hq_batch stranger = {.count = 1};
    assert_int_equal(hq_worker_answer(r.worker, &stranger, NULL, &err), HQ_EINVAL);
    assert_int_equal(hq_worker_answer(r.worker, NULL, NULL, &err), HQ_EINVAL);
    assert_int_equal(hq_worker_answer(NULL, b, NULL, &err), HQ_EINVAL);
    assert_int_equal(hq_worker_wants(r.worker, &stranger, 0), HQ_EINVAL);
    assert_int_equal(hq_worker_wants(r.worker, b, b->count), 0);
    assert_null(hq_worker_variable(r.worker, b, b->count, "HQ_CPUS"));
    assert_null(hq_worker_variable(r.worker, b, 0, NULL));
    must(hq_worker_answer(r.worker, b, NULL, RIG_ERR));
    assert_int_equal(hq_worker_answer(r.worker, b, NULL, &err), HQ_EINVAL); /* it is gone */
    static struct seen seen;
    run_job(&r, job, count, &seen);
    assert_int_equal(rig_status(&r, job).finished, 3);
    rig_close(&r);
}

/* ---- results ---- */

/* Task i returns i bytes, the third of them a NUL; those above 500 fail and return all the same. */
static void return_bytes(struct rig *r, const hq_batch *b, void *user)
{
    static char bytes[HQ_MAX_RESULT];
    const void **result = calloc(b->count, sizeof *result);
    size_t *size = calloc(b->count, sizeof *size);
    int32_t *code = calloc(b->count, sizeof *code);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i == 2 ? '\0' : 'b';
    for (size_t i = 0; i < b->count; i++) {
        result[i] = b->index[i] == 0 ? NULL : bytes;
        size[i] = b->index[i] == 1000 ? sizeof bytes : b->index[i];
        code[i] = b->index[i] > 500 ? 3 : 0;
    }
    const hq_answer a = {.size = sizeof a, .count = b->count, .code = code, .result = result, .result_size = size};
    must(hq_worker_answer(r->worker, b, &a, RIG_ERR));
    free(result);
    free(size);
    free(code);
}

static void test_results(void **state)
{
    struct rig r;
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    uint32_t n = 0;
    rig_open(&r);
    start_worker(&r, "2");
    hq_job_id job = send(&r, make(&r, "0-1000"));
    run_job(&r, job, return_bytes, NULL);
    do {
        must(hq_job_tasks(r.client, job, &cursor, &t, RIG_ERR));
        for (size_t i = 0; i < t.count; i++, n++) {
            size_t expected = t.index[i] == 1000 ? HQ_MAX_RESULT : t.index[i];
            assert_int_equal(t.index[i], n);
            assert_int_equal(t.result_size[i], expected);
            assert_null(t.error[i]);
            assert_int_equal(t.code[i], t.index[i] > 500 ? 3 : 0);
            if (expected == 0) {
                assert_null(t.result[i]);
                continue;
            }
            const char *bytes = t.result[i];
            assert_true(bytes[expected] == '\0' && bytes[0] == 'b' && (expected < 4 || (bytes[2] == '\0' && bytes[3] == 'b')));
        }
    } while (cursor);
    assert_int_equal(n, 1001);
    rig_close(&r);
}

/* More than fits into one page: it ends early. */
static void return_much(struct rig *r, const hq_batch *b, void *user)
{
    static char bytes[HQ_MAX_RESULT];
    for (size_t i = 0, n = b->count; i < n; i++) {
        const void *const result = bytes;
        const size_t size = sizeof bytes;
        const hq_answer a = {.size = sizeof a, .first = i, .count = 1, .result = &result, .result_size = &size};
        must(hq_worker_answer(r->worker, b, &a, RIG_ERR));
    }
}

static void test_pages_of_large_results(void **state)
{
    struct rig r;
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    uint32_t n = 0, pages = 0;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1-200")); /* 12.5 MiB */
    run_job(&r, job, return_much, NULL);
    do {
        must(hq_job_tasks(r.client, job, &cursor, &t, RIG_ERR));
        for (size_t i = 0; i < t.count; i++, n++)
            assert_int_equal(t.result_size[i], HQ_MAX_RESULT);
        pages++;
    } while (cursor);
    assert_int_equal(n, 200);
    assert_true(pages >= 3);
    rig_close(&r);
}

/* ---- limits, cancelling ---- */

static void test_time_limit(void **state)
{
    static const int64_t durations[] = {50 * 1000000ll, 150 * 1000000ll};
    struct rig r;
    rig_open(&r);
    start_worker(&r, "1");
    for (int i = 0; i < 2; i++) {
        hq_submit *s = make(&r, "1");
        hq_submit_set_time_limit(s, 100);
        hq_job_id job = send(&r, s);
        const hq_batch *b = next_batch(&r);
        assert_int_equal(b->time_limit_ms, 100);
        const hq_answer a = {.size = sizeof a, .count = 1, .duration_ns = &durations[i]};
        must(hq_worker_answer(r.worker, b, &a, RIG_ERR));
        must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
        assert_int_equal(results(&r, job).code[0], i == 0 ? 0 : HQ_CODE_TIME_LIMIT);
    }
    rig_close(&r);
}

static void test_cancel_while_it_runs(void **state)
{
    static struct seen seen;
    struct rig r;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1-100"));
    const hq_batch *b = next_batch(&r);
    assert_int_equal(hq_worker_wants(r.worker, b, 0), 1);
    assert_int_equal(hq_job_cancel(r.client, job, NULL, NULL), 1);
    while (hq_worker_wants(r.worker, b, 0) == 1)
        hq_ctx_run(r.ctx, 5, NULL);
    assert_int_equal(hq_worker_wants(r.worker, b, 0), 0);
    must(hq_worker_answer(r.worker, b, NULL, RIG_ERR));
    assert_int_equal(rig_status(&r, job).canceled, 100);
    job = send(&r, make(&r, "1-3")); /* the cpu is free again */
    run_job(&r, job, count, &seen);
    assert_int_equal(rig_status(&r, job).finished, 3);
    rig_close(&r);
}

static void test_running_is_told(void **state)
{
    struct rig r;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1"));
    const hq_batch *b = next_batch(&r);
    while (results(&r, job).start_ns[0] < 0) /* after some milliseconds */
        hq_ctx_run(r.ctx, 5, NULL);
    assert_int_equal(rig_status(&r, job).running, 1);
    must(hq_worker_answer(r.worker, b, NULL, RIG_ERR));
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    rig_close(&r);
}

/* ---- resources ---- */

static void test_only_where_the_function_is(void **state)
{
    static const char *const other[] = {"cube", NULL};
    struct rig r;
    rig_open(&r);
    const hq_worker_options o = options(&r, other, "1");
    hq_worker *w;
    must(hq_worker_new(&w, r.ctx, &o, RIG_ERR));
    hq_job_id job = send(&r, make(&r, "1"));
    static const char *const true_argv[] = {"/bin/true", NULL};
    rig_run(&r, "1-5", true_argv, 5); /* that worker runs programs, meanwhile */
    assert_int_equal(rig_status(&r, job).waiting, 1);
    start_worker(&r, "1");
    must(hq_worker_answer(r.worker, next_batch(&r), NULL, RIG_ERR));
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    rig_close(&r);
}

static void test_resources_of_a_task(void **state)
{
    static const char *const functions[] = {"square", NULL};
    static const char *const resources[] = {"gpus/nvidia=[3,5]", NULL};
    struct rig r;
    unsigned gpus = 0;
    rig_open(&r);
    hq_worker_options o = options(&r, functions, "4");
    o.resources = resources;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    hq_submit *s = make(&r, "1-2");
    hq_submit_set_resource(s, "gpus/nvidia", "1");
    hq_job_id job = send(&r, s);
    for (unsigned n = 0; n < 2;) {
        const hq_batch *b = next_batch(&r);
        for (size_t i = 0; i < b->count; i++, n++) {
            const char *gpu = hq_worker_variable(r.worker, b, i, "CUDA_VISIBLE_DEVICES");
            assert_non_null(gpu);
            gpus |= 1u << atoi(gpu);
            assert_non_null(hq_worker_variable(r.worker, b, i, "HQ_CPUS"));
            assert_null(hq_worker_variable(r.worker, b, i, "ROCR_VISIBLE_DEVICES"));
        }
    } /* both at once: each has one of its own */
    assert_int_equal(gpus, 1u << 3 | 1u << 5);
    hq_job_cancel(r.client, job, NULL, NULL);
    rig_close(&r);
}

/* ---- ends ---- */

static void test_worker_stops_with_a_batch(void **state)
{
    struct rig r;
    const hq_event *e;
    hq_error err;
    bool stopped = false;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1-3"));
    const hq_batch *b = next_batch(&r);
    must(hq_worker_stop(r.worker, HQ_WORKER_STOPPED, RIG_ERR));
    assert_int_equal(hq_worker_answer(r.worker, b, NULL, &err), HQ_ECLOSED);
    assert_int_equal(hq_worker_wants(r.worker, b, 0), 0);
    while (!stopped) {
        must(hq_ctx_run(r.ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r.ctx, &e) > 0)
            stopped = stopped || (e->type == HQ_EVENT_STOPPED && e->source == hq_worker_source(r.worker));
    }
    assert_int_equal(b->index[0], 1); /* until the worker is freed */
    hq_worker_free(r.worker);
    while (rig_status(&r, job).waiting < 3)
        hq_ctx_run(r.ctx, 5, NULL);
    start_worker(&r, "1"); /* another one does it, in the next attempt */
    b = next_batch(&r);
    assert_int_equal(b->job.n, job.n);
    rig_close(&r);
}

/* A host with a batch, until it is killed. */
static void die_with_a_batch(struct rig *r, int pipe)
{
    struct rig own = *r;
    char byte = 'x';
    hq_error err;
    if (hq_ctx_new(&own.ctx, NULL, &err) < 0)
        _exit(1);
    static const char *const functions[] = {"square", NULL};
    const hq_worker_options o = options(r, functions, "1");
    if (hq_worker_new(&own.worker, own.ctx, &o, &err) < 0)
        _exit(1);
    next_batch(&own);
    for (int i = 0; i < 20; i++)
        hq_ctx_run(own.ctx, 5, NULL);
    if (write(pipe, &byte, 1) == 1)
        kill(getpid(), SIGKILL);
    _exit(1);
}

static void test_a_host_that_dies(void **state)
{
    struct rig r;
    int ends[2];
    char byte;
    rig_open(&r);
    assert_int_equal(pipe(ends), 0);
    hq_submit *s = make(&r, "1");
    hq_submit_set_crash_limit(s, 2);
    hq_job_id job = send(&r, s);
    for (uint32_t attempt = 0; attempt < 2; attempt++) {
        pid_t pid = fork();
        if (pid == 0)
            die_with_a_batch(&r, ends[1]);
        while (waitpid(pid, NULL, WNOHANG) == 0)
            hq_ctx_run(r.ctx, 5, NULL);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        while (rig_status(&r, job).running > 0)
            hq_ctx_run(r.ctx, 5, NULL);
    }
    assert_int_equal(rig_status(&r, job).failed, 1); /* lost twice: that is the limit */
    assert_int_equal(results(&r, job).code[0], HQ_CODE_CRASH_LIMIT);
    close(ends[0]);
    close(ends[1]);
    rig_close(&r);
}

static void test_a_child_may_not_answer(void **state)
{
    struct rig r;
    int status;
    rig_open(&r);
    start_worker(&r, "1");
    hq_job_id job = send(&r, make(&r, "1"));
    const hq_batch *b = next_batch(&r);
    pid_t pid = fork();
    if (pid == 0)
        _exit(hq_worker_answer(r.worker, b, NULL, NULL) != HQ_EFORK || hq_worker_wants(r.worker, b, 0) != HQ_EFORK);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    must(hq_worker_answer(r.worker, b, NULL, RIG_ERR));
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    rig_close(&r);
}

static void test_names(void **state)
{
    char longest[129];
    const char *const bad[] = {"", "with space", "a-b", "\xff", longest};
    struct rig r;
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    rig_open(&r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *const functions[] = {bad[i], NULL};
        hq_error err;
        hq_worker *w;
        hq_submit *s = hq_submit_new(r.ctx);
        hq_submit_set_function(s, bad[i]);
        assert_int_equal(hq_client_submit(r.client, s, 1, &err), HQ_EINVAL);
        assert_non_null(strstr(err.text, "function name"));
        hq_submit_free(s);
        const hq_worker_options o = options(&r, functions, "1");
        assert_int_equal(hq_worker_new(&w, r.ctx, &o, &err), HQ_EINVAL);
        assert_non_null(strstr(err.text, "function name"));
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_task_once),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_answers_one_by_one),
        cmocka_unit_test(test_answers_that_make_no_sense),
        cmocka_unit_test(test_results),
        cmocka_unit_test(test_pages_of_large_results),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_cancel_while_it_runs),
        cmocka_unit_test(test_running_is_told),
        cmocka_unit_test(test_only_where_the_function_is),
        cmocka_unit_test(test_resources_of_a_task),
        cmocka_unit_test(test_worker_stops_with_a_batch),
        cmocka_unit_test(test_a_host_that_dies),
        cmocka_unit_test(test_a_child_may_not_answer),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
