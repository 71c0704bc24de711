/* SPDX-License-Identifier: MIT */
/* A host that runs a server, a worker and a client on one ctx, in one thread: blocking and evented. */
#include "rig.h"

#include <poll.h>
#include <stdbool.h>

static const char *const true_argv[] = {"/bin/true", NULL};
static const char *const sleep_argv[] = {"/bin/sleep", "600", NULL};

/* ---- blocking ---- */

static void check_results(struct rig *r, hq_job_id job, uint32_t first, uint32_t n)
{
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    uint32_t seen = 0;
    do {
        must(hq_job_tasks(r->client, job, &cursor, &t, RIG_ERR));
        for (size_t i = 0; i < t.count; i++, seen++) {
            assert_int_equal(t.index[i], first + seen);
            assert_int_equal(t.state[i], HQ_TASK_FINISHED);
            assert_int_equal(t.code[i], 0);
            assert_true(t.start_ns[i] > 0 && t.duration_ns[i] >= 0);
            assert_int_equal(t.worker[i], 1);
            assert_null(t.error[i]);
        }
    } while (cursor);
    assert_int_equal(seen, n);
}

static void test_array_with_files(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo $HQ_TASK_ID", NULL};
    int before = rig_count_fds();
    struct rig r;
    hq_job_id job;
    rig_open(&r);
    rig_worker(&r, "2");
    hq_submit *s = rig_submit(&r, NULL, argv);
    must(hq_submit_array(r.client, "1-300", argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    assert_int_equal(rig_status(&r, job).finished, 300);
    check_results(&r, job, 1, 300);
    for (int i = 1; i <= 300; i += 299) {
        char path[128], line[16] = "", expected[16];
        snprintf(path, sizeof path, "%s/job-%u/%d.stdout", r.dir, job.n, i);
        snprintf(expected, sizeof expected, "%d\n", i);
        FILE *f = fopen(path, "r");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof line, f));
        fclose(f);
        assert_string_equal(line, expected);
    }
    rig_close(&r);
    assert_int_equal(rig_count_fds(), before);
}

static void test_failures_tell_why(void **state)
{
    static const struct {
        const char *argv[4];
        int code;
        const char *text; /* a part of it */
    } cases[] = {
        {{"/bin/sh", "-c", "exit 7"}, 7, NULL},
        {{"/bin/sh", "-c", "kill -9 $$"}, HQ_CODE_SIGNAL + 9, NULL},
        {{"/nowhere/at-all"}, HQ_CODE_TEXT, "No such file or directory (os error 2)"},
    };
    struct rig r;
    rig_open(&r);
    rig_worker(&r, "2");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_submit *s = rig_submit(&r, NULL, cases[i].argv);
        hq_task_columns t = {.size = sizeof t};
        uint64_t cursor = 0;
        hq_job_id job;
        must(hq_submit_array(r.client, NULL, cases[i].argv, s, &job, RIG_ERR));
        hq_submit_free(s);
        must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
        must(hq_job_tasks(r.client, job, &cursor, &t, RIG_ERR));
        assert_int_equal(t.count, 1);
        assert_int_equal(t.state[0], HQ_TASK_FAILED);
        assert_int_equal(t.code[0], cases[i].code);
        assert_true(cases[i].text ? t.error[0] && strstr(t.error[0], cases[i].text) : !t.error[0]);
    }
    rig_close(&r);
}

static void test_cancel_kills(void **state)
{
    struct rig r;
    hq_job_id job;
    hq_error err;
    rig_open(&r);
    rig_worker(&r, "2");
    hq_submit *s = rig_submit(&r, NULL, sleep_argv);
    must(hq_submit_array(r.client, "0-9", sleep_argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    while (rig_status(&r, job).running == 0)
        hq_ctx_run(r.ctx, 10, NULL);
    assert_int_equal(hq_job_cancel(r.client, job, "enough", &err), 1);
    assert_int_equal(rig_status(&r, job).canceled, 10);
    assert_int_equal(hq_job_cancel(r.client, job, NULL, &err), 0);
    assert_int_equal(hq_job_cancel(r.client, (hq_job_id){99}, NULL, &err), HQ_ENOENT);
    assert_string_equal(err.text, "Job 99 not found.");
    rig_close(&r);
}

/* ---- evented ---- */

/* Pulls events until the reply with `tag`; only when poll says so, as a host's loop does. */
static hq_job_id poll_reply(struct rig *r, uint64_t tag, int *code)
{
    for (;;) {
        struct pollfd p = {.fd = hq_ctx_fd(r->ctx), .events = POLLIN};
        const hq_event *e;
        assert_int_equal(poll(&p, 1, LONG_MS), 1);
        must(hq_ctx_dispatch(r->ctx, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0) {
            if (e->type != HQ_EVENT_REPLY || e->tag != tag)
                continue;
            *code = e->code;
            return e->u.reply.job;
        }
    }
}

static void test_evented_with_poll_only(void **state)
{
    struct rig r;
    int code;
    rig_open(&r);
    rig_worker(&r, "2");
    hq_submit *s = rig_submit(&r, "1-200", true_argv);
    must(hq_client_submit(r.client, s, 7, RIG_ERR));
    hq_submit_free(s);
    hq_job_id job = poll_reply(&r, 7, &code);
    assert_int_equal(code, HQ_OK);
    assert_int_equal(job.n, 1);
    must(hq_client_wait(r.client, job, 8, RIG_ERR));
    poll_reply(&r, 8, &code);
    assert_int_equal(code, HQ_OK);
    assert_int_equal(rig_status(&r, job).finished, 200);
    must(hq_client_wait(r.client, (hq_job_id){42}, 9, RIG_ERR));
    poll_reply(&r, 9, &code);
    assert_int_equal(code, HQ_ENOENT);
    rig_close(&r);
}

/* Results without a blocking call: page by page, each with its event. */
static void test_results_by_events(void **state)
{
    enum { TASKS = 70000 }; /* more than one page */
    struct rig r;
    const hq_event *e;
    uint64_t cursor = 0, tag = 10;
    uint32_t seen = 0;
    rig_open(&r);
    hq_submit *s = rig_submit(&r, "1-70000", true_argv);
    must(hq_client_submit(r.client, s, 1, RIG_ERR));
    hq_submit_free(s);
    must(hq_ctx_wait(r.ctx, 1, LONG_MS, &e, RIG_ERR));
    hq_job_id job = e->u.reply.job;
    assert_null(e->u.reply.tasks);
    must(hq_client_tasks(r.client, (hq_job_id){99}, 0, 2, RIG_ERR));
    must(hq_ctx_wait(r.ctx, 2, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_ENOENT);
    do {
        must(hq_client_tasks(r.client, job, cursor, ++tag, RIG_ERR));
        must(hq_ctx_wait(r.ctx, tag, LONG_MS, &e, RIG_ERR));
        const hq_task_columns *t = e->u.reply.tasks;
        assert_non_null(t);
        for (size_t i = 0; i < t->count; i++, seen++)
            assert_true(t->index[i] == seen + 1 && t->state[i] == HQ_TASK_WAITING && t->code[i] == -1);
        cursor = e->u.reply.cursor;
    } while (cursor);
    assert_int_equal(seen, TASKS);
    assert_int_equal(tag, 12); /* two pages */
    rig_close(&r);
}

static void test_many_requests_in_flight(void **state)
{
    struct rig r;
    rig_open(&r);
    hq_submit *s = rig_submit(&r, NULL, true_argv);
    for (uint64_t tag = 1; tag <= 500; tag++)
        must(hq_client_submit(r.client, s, tag, RIG_ERR));
    hq_submit_free(s);
    for (uint64_t tag = 500; tag >= 1; tag--) { /* in whatever order the host asks */
        const hq_event *e;
        must(hq_ctx_wait(r.ctx, tag, LONG_MS, &e, RIG_ERR));
        assert_int_equal(e->u.reply.job.n, tag);
    }
    must(hq_tools_job_list(r.client, 0, 1, 1000, RIG_ERR));
    const hq_event *e;
    must(hq_ctx_wait(r.ctx, 1000, LONG_MS, &e, RIG_ERR));
    assert_int_equal(hq_doc_len(hq_doc_get(e->u.reply.doc, "jobs")), 500);
    rig_close(&r);
}

static void test_lists_are_joined_from_pages(void **state)
{
    enum { JOBS = 5000 }; /* more than two pages */
    struct rig r;
    const hq_event *e;
    rig_open(&r);
    hq_submit *s = rig_submit(&r, NULL, true_argv);
    for (uint64_t tag = 1; tag <= JOBS; tag++)
        must(hq_client_submit(r.client, s, tag, RIG_ERR));
    hq_submit_free(s);
    must(hq_ctx_wait(r.ctx, JOBS, LONG_MS, &e, RIG_ERR));
    must(hq_tools_job_list(r.client, 0, 1, JOBS + 1, RIG_ERR));
    must(hq_ctx_wait(r.ctx, JOBS + 1, LONG_MS, &e, RIG_ERR));
    const hq_doc *jobs = hq_doc_get(e->u.reply.doc, "jobs");
    assert_int_equal(hq_doc_len(jobs), JOBS);
    for (uint32_t i = 0; i < JOBS; i++)
        assert_int_equal(hq_doc_uint(hq_doc_get(hq_doc_at(jobs, i), "id")), i + 1);
    rig_close(&r);
}

static void test_task_events(void **state)
{
    struct rig r;
    const hq_event *e;
    int code, last = -1;
    rig_open(&r);
    rig_worker(&r, "2");
    hq_submit *s = rig_submit(&r, "1-50", true_argv);
    hq_submit_set_events(s, 1);
    must(hq_client_submit(r.client, s, 3, RIG_ERR));
    hq_submit_free(s);
    hq_job_id job = poll_reply(&r, 3, &code);
    while (last != HQ_TASK_FINISHED) {
        must(hq_ctx_run(r.ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r.ctx, &e) > 0) {
            if (e->type != HQ_EVENT_TASKS)
                continue;
            assert_int_equal(e->u.tasks.job.n, job.n);
            assert_int_equal(e->tag, 3);
            last = e->u.tasks.state;
        }
    }
    assert_int_equal(rig_status(&r, job).finished, 50);
    rig_close(&r);
}

/* ---- what is submitted ---- */

static void test_entries(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "test \"$HQ_ENTRY\" = \"entry $HQ_TASK_ID\"", NULL};
    static const struct {
        const char *ids;
        uint32_t entries, tasks;
    } cases[] = {
        {NULL, 20, 20},
        {"5-7,100", 20, 3}, /* an id without entry is dropped */
    };
    struct rig r;
    rig_open(&r);
    rig_worker(&r, "2");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hq_submit *s = rig_submit(&r, cases[i].ids, argv);
        hq_job_id job;
        for (uint32_t k = 0; k < cases[i].entries; k++) {
            char text[32];
            hq_submit_add_entry(s, text, (size_t)snprintf(text, sizeof text, "entry %u", k));
        }
        must(hq_submit_array(r.client, NULL, argv, s, &job, RIG_ERR));
        hq_submit_free(s);
        must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
        assert_int_equal(rig_status(&r, job).total, cases[i].tasks);
        assert_int_equal(rig_status(&r, job).finished, cases[i].tasks);
    }
    rig_close(&r);
}

static void test_large_entries_are_uploaded(void **state)
{
    enum { TASKS = 3000, SIZE = 1000 }; /* a dozen parts */
    struct rig r;
    char entry[SIZE];
    hq_job_id job;
    rig_open(&r);
    hq_submit *s = rig_submit(&r, NULL, true_argv);
    memset(entry, 'x', sizeof entry);
    for (int i = 0; i < TASKS; i++)
        hq_submit_add_entry(s, entry, sizeof entry);
    must(hq_submit_array(r.client, NULL, true_argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    assert_int_equal(rig_status(&r, job).total, TASKS);
    hq_doc *info;
    must(hq_job_info(r.client, job, &info, RIG_ERR));
    const hq_doc *submit = hq_doc_at(hq_doc_get(info, "submits"), 0);
    assert_int_equal(hq_doc_uint(hq_doc_get(submit, "n_entries")), TASKS);
    hq_doc_free(info);
    rig_close(&r);
}

static void test_first_error_sticks(void **state)
{
    struct rig r;
    hq_error err;
    rig_open(&r);
    hq_submit *s = rig_submit(&r, "5-3", true_argv);
    hq_submit_set_resource(s, "cpus", "nonsense");
    assert_int_equal(hq_client_submit(r.client, s, 1, &err), HQ_EINVAL);
    assert_non_null(strstr(err.text, "invalid array '5-3'"));
    hq_submit_free(s);
    hq_submit_set_name(NULL, "x");
    assert_int_equal(hq_client_submit(r.client, NULL, 1, &err), HQ_ENOMEM);
    rig_close(&r);
}

/* ---- ends ---- */

static void await_stopped(struct rig *r, uint64_t source, int code)
{
    for (;;) {
        const hq_event *e;
        must(hq_ctx_run(r->ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0)
            if (e->type == HQ_EVENT_STOPPED && e->source == source) {
                assert_int_equal(e->code, code);
                return;
            }
    }
}

static void test_worker_stops(void **state)
{
    struct rig r;
    hq_job_id job;
    rig_open(&r);
    rig_worker(&r, "1");
    hq_submit *s = rig_submit(&r, NULL, sleep_argv);
    must(hq_submit_array(r.client, NULL, sleep_argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    while (rig_status(&r, job).running == 0)
        hq_ctx_run(r.ctx, 10, NULL);
    must(hq_worker_stop(r.worker, HQ_WORKER_STOPPED, RIG_ERR));
    await_stopped(&r, hq_worker_source(r.worker), HQ_OK);
    while (rig_status(&r, job).running > 0) /* it waits for another worker */
        hq_ctx_run(r.ctx, 10, NULL);
    assert_int_equal(rig_status(&r, job).waiting, 1);
    rig_close(&r);
}

static void test_server_stops_and_all_hear(void **state)
{
    struct rig r;
    hq_error err;
    hq_job_id job;
    rig_open(&r);
    rig_worker(&r, "1");
    hq_submit *s = rig_submit(&r, NULL, sleep_argv);
    must(hq_submit_array(r.client, NULL, sleep_argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    must(hq_client_wait(r.client, job, 5, RIG_ERR));
    must(hq_server_stop(r.server, RIG_ERR));
    const hq_event *e;
    must(hq_ctx_wait(r.ctx, 5, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_ECLOSED);
    assert_string_equal(e->text, "Connection closed");
    await_stopped(&r, hq_server_source(r.server), HQ_OK);
    assert_int_equal(hq_client_wait(r.client, job, 6, &err), HQ_ECLOSED);
    rig_close(&r);
}

static void test_worker_without_server_ends(void **state)
{
    struct rig r;
    rig_open(&r);
    rig_worker(&r, "1");
    while (hq_worker_get_id(r.worker).n == 0)
        hq_ctx_run(r.ctx, 10, NULL);
    hq_server_free(r.server); /* at once, without a goodbye */
    await_stopped(&r, hq_worker_source(r.worker), HQ_ECLOSED);
    assert_string_equal(hq_tools_worker_end_text(r.worker), "Server connection closed");
    rig_close(&r);
}

static void test_nobody_listens(void **state)
{
    struct rig r;
    const hq_event *e;
    rig_open(&r);
    char endpoint[64];
    uint8_t secret[32];
    snprintf(endpoint, sizeof endpoint, "%s", hq_server_endpoint(r.server, HQ_PLANE_CLIENT));
    memcpy(secret, hq_server_secret(r.server, HQ_PLANE_CLIENT), sizeof secret);
    hq_server_free(r.server);
    hq_client_options o = {.size = sizeof o, .endpoint = endpoint, .secret = secret};
    hq_client *c;
    must(hq_client_new(&c, r.ctx, &o, RIG_ERR));
    must(hq_tools_server_info(c, 1, RIG_ERR));
    must(hq_ctx_wait(r.ctx, 1, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_ESYS);
    assert_string_equal(e->text, "Connection refused (os error 111)");
    rig_close(&r);
}

static void test_wrong_secret_is_refused(void **state)
{
    struct rig r;
    const hq_event *e;
    uint8_t secret[32] = {1};
    rig_open(&r);
    hq_client_options o = {.size = sizeof o, .endpoint = hq_server_endpoint(r.server, HQ_PLANE_CLIENT), .secret = secret};
    hq_client *c;
    must(hq_client_new(&c, r.ctx, &o, RIG_ERR));
    must(hq_tools_server_info(c, 1, RIG_ERR));
    must(hq_ctx_wait(r.ctx, 1, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_EAUTH);
    rig_close(&r);
}

/* ---- the worker's own description ---- */

static void test_worker_info(void **state)
{
    struct rig r;
    rig_open(&r);
    rig_worker(&r, "2x2");
    const hq_doc *info = hq_tools_worker_info(r.worker);
    assert_string_equal(hq_doc_bytes(hq_doc_get(info, "config.group"), NULL), "default");
    const hq_doc *resources = hq_doc_get(info, "config.resources");
    assert_int_equal(hq_doc_len(resources), 1);
    assert_string_equal(hq_doc_bytes(hq_doc_get(hq_doc_at(resources, 0), "name"), NULL), "cpus");
    assert_int_equal(hq_doc_len(hq_doc_get(hq_doc_at(resources, 0), "labels")), 4);
    rig_close(&r);
}

static void test_resource_errors(void **state)
{
    static const struct {
        const char *cpus, *resource;
        uint32_t detect;
        const char *text;
    } cases[] = {
        {"2", "cpus=[1,2]", 0, "Parameters --cpus and --resource cpus=... cannot be combined"},
        {NULL, NULL, HQ_DETECT_NONE, "You have to specify --cpus explicitly when opting out of CPU automatic detection"},
        {"0", NULL, 0, "Resource kind `sum` cannot be used with CPUs. CPUs must have identity"},
        {"1", "mem=sum(1) ", HQ_DETECT_NONE, NULL},
    };
    struct rig r;
    rig_open(&r);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const resources[] = {cases[i].resource, NULL};
        hq_worker_options o = {.size = sizeof o, .cpus = cases[i].cpus, .resources = resources, .detect = cases[i].detect};
        hq_worker *w;
        hq_error err = {0};
        o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
        o.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
        o.work_dir = r.dir;
        int code = hq_worker_new(&w, r.ctx, &o, &err);
        assert_int_equal(code, cases[i].text ? HQ_EINVAL : HQ_OK);
        if (cases[i].text)
            assert_string_equal(err.text, cases[i].text);
    }
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array_with_files),
        cmocka_unit_test(test_failures_tell_why),
        cmocka_unit_test(test_cancel_kills),
        cmocka_unit_test(test_evented_with_poll_only),
        cmocka_unit_test(test_results_by_events),
        cmocka_unit_test(test_many_requests_in_flight),
        cmocka_unit_test(test_lists_are_joined_from_pages),
        cmocka_unit_test(test_task_events),
        cmocka_unit_test(test_entries),
        cmocka_unit_test(test_large_entries_are_uploaded),
        cmocka_unit_test(test_first_error_sticks),
        cmocka_unit_test(test_worker_stops),
        cmocka_unit_test(test_server_stops_and_all_hear),
        cmocka_unit_test(test_worker_without_server_ends),
        cmocka_unit_test(test_nobody_listens),
        cmocka_unit_test(test_wrong_secret_is_refused),
        cmocka_unit_test(test_worker_info),
        cmocka_unit_test(test_resource_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
