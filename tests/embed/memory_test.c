/* SPDX-License-Identifier: MIT */
/* Each allocation of a whole conversation fails once, in turn: every call says so or succeeds, every request ends, nothing
 * leaks, and the same conversation then succeeds. */
#include "rig.h"

#include <stdbool.h>

struct failing {
    size_t calls, fail_at;
    long live;
    bool hit, paused; /* paused: calls do not count */
};

static void *failing_alloc(void *user, void *ptr, size_t size)
{
    struct failing *f = user;
    if (size == 0) {
        f->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (!f->paused && ++f->calls == f->fail_at) {
        f->hit = true;
        return NULL;
    }
    f->live += ptr == NULL;
    return realloc(ptr, size);
}

static int open_client(struct rig *r)
{
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(r->server, HQ_PLANE_CLIENT);
    return hq_client_new(&r->client, r->ctx, &o, NULL);
}

/* The code with which the request ended; it must end. */
static int end_of(struct rig *r, uint64_t tag)
{
    const hq_event *e;
    hq_error err = {0};
    int code = hq_ctx_wait(r->ctx, tag, LONG_MS, &e, &err);
    if (code < 0)
        fail_msg("request %d: %d: %s", (int)tag, code, err.text);
    return e->code;
}

static int submit(struct rig *r, uint64_t tag)
{
    static const char *const argv[] = {"/bin/true", NULL};
    hq_submit *s = hq_submit_new(r->ctx);
    hq_submit_set_command(s, argv);
    hq_submit_set_env(s, "NAME", "value");
    hq_submit_set_array(s, "1-10,20");
    hq_submit_add_entry(s, "entry 0", 7);
    hq_submit_add_entry(s, "entry 1", 7);
    int code = hq_client_submit(r->client, s, tag, NULL);
    hq_submit_free(s);
    return code < 0 ? code : end_of(r, tag);
}

static int talk(struct rig *r)
{
    int code = submit(r, 1), sent;
    if ((sent = hq_tools_job_list(r->client, 0, 1, 2, NULL)) >= 0)
        sent = end_of(r, 2);
    code = code < 0 ? code : sent;
    if ((sent = hq_tools_job_info(r->client, "all", 0, 3, NULL)) >= 0)
        sent = end_of(r, 3);
    code = code < 0 ? code : sent;
    if ((sent = hq_client_tasks(r->client, (hq_job_id){1}, 0, 7, NULL)) >= 0)
        sent = end_of(r, 7);
    if (sent != HQ_ENOENT) /* the submit may have failed */
        code = code < 0 ? code : sent;
    for (uint64_t tag = 4; tag < 6; tag++) { /* again, since the first may say that memory was lacking for one job */
        if ((sent = hq_tools_job_cancel(r->client, "all", "enough", tag, NULL)) >= 0)
            sent = end_of(r, tag);
        code = code < 0 ? code : sent;
    }
    if ((sent = hq_tools_job_wait(r->client, "all", 0, 6, NULL)) >= 0)
        sent = end_of(r, 6);
    return code < 0 ? code : sent;
}

/* The greeting is left out: a server without memory for it says nothing, and the client waits for its next try. */
static int connect_client(struct rig *r, struct failing *f)
{
    f->paused = true;
    int code = hq_tools_server_info(r->client, 9, NULL);
    if (code >= 0)
        code = end_of(r, 9);
    f->paused = false;
    return code;
}

static int converse(struct failing *f)
{
    struct rig r = {0};
    hq_ctx_options o = {.size = sizeof o, .alloc = failing_alloc, .user = f};
    int code = hq_ctx_new(&r.ctx, &o, NULL);
    if (code >= 0)
        code = hq_server_new(&r.server, r.ctx, NULL, NULL);
    if (code >= 0)
        code = open_client(&r);
    if (code >= 0)
        code = connect_client(&r, f);
    if (code >= 0)
        code = talk(&r);
    hq_ctx_free(r.ctx);
    return code;
}

static void fail_each(int (*act)(struct failing *f))
{
    for (size_t i = 1;; i++) {
        struct failing f = {.fail_at = i};
        int code = act(&f);
        if (f.live != 0)
            fail_msg("allocation %d failed: %ld blocks leak", (int)i, f.live);
        if (!f.hit) {
            assert_int_equal(code, HQ_OK);
            break;
        }
        if (code != HQ_OK && code != HQ_ENOMEM && code != HQ_ECLOSED)
            fail_msg("allocation %d failed: code %d", (int)i, code);
    }
}

static void test_each_allocation_may_fail(void **state)
{
    fail_each(converse);
}

/* ---- blocking calls, results and task events ---- */

static int read_results(struct rig *r, hq_job_id job)
{
    hq_job_status status = {.size = sizeof status};
    hq_task_columns columns = {.size = sizeof columns};
    hq_doc *info = NULL;
    uint64_t cursor = 0;
    int code = hq_job_progress(r->client, job, &status, NULL);
    if (code >= 0)
        code = hq_job_tasks(r->client, job, &cursor, &columns, NULL);
    if (code >= 0)
        code = hq_job_info(r->client, job, &info, NULL);
    if (code >= 0)
        code = hq_job_cancel(r->client, job, "enough", NULL);
    if (code >= 0)
        code = hq_job_wait(r->client, job, LONG_MS, NULL);
    hq_doc_free(info);
    return code;
}

static int block(struct rig *r)
{
    static const char *const argv[] = {"/bin/true", "argument", NULL};
    hq_job_id job = {0};
    hq_submit *s = hq_submit_new(r->ctx);
    hq_submit_set_name(s, "name");
    hq_submit_set_cwd(s, "/tmp");
    hq_submit_set_stdout(s, "%{TASK_ID}.out");
    hq_submit_set_stderr(s, "none");
    hq_submit_set_stdin(s, "input", 5);
    hq_submit_set_resource(s, "gpus/nvidia", "0.5");
    hq_submit_set_events(s, 1);
    int code = hq_submit_array(r->client, "1-100", argv, s, &job, NULL);
    hq_submit_free(s);
    return code < 0 ? code : read_results(r, job);
}

static int converse_blocking(struct failing *f)
{
    struct rig r = {0};
    hq_ctx_options o = {.size = sizeof o, .alloc = failing_alloc, .user = f};
    f->paused = true; /* as above, up to here */
    assert_int_equal(hq_ctx_new(&r.ctx, &o, NULL), HQ_OK);
    assert_int_equal(hq_server_new(&r.server, r.ctx, NULL, NULL), HQ_OK);
    assert_int_equal(open_client(&r), HQ_OK);
    assert_int_equal(connect_client(&r, f), HQ_OK);
    int code = block(&r);
    hq_ctx_free(r.ctx);
    return code;
}

static void test_blocking_calls(void **state)
{
    fail_each(converse_blocking);
}

/* ---- a worker ---- */

/* Of the worker's ctx: *given_up is what it gave up with. */
static void on_worker_event(struct rig *r, const hq_event *e, int *given_up)
{
    if (e->type == HQ_EVENT_STOPPED)
        *given_up = e->code;
    if (e->type != HQ_EVENT_BATCH)
        return;
    size_t count = e->u.batch->count;
    const char *const errors[] = {"an error text"}; /* one, for the first; it is answered until that has been taken */
    const hq_answer a = {.size = sizeof a, .count = 1, .error = errors};
    while (hq_worker_answer(r->worker, e->u.batch, &a, NULL) == HQ_ENOMEM)
        ;
    if (count > 1) /* else it is gone */
        hq_worker_answer(r->worker, e->u.batch, NULL, NULL);
}

/* Until the job has ended, or the worker has given up; what it gave up with. */
static int drive(struct rig *r, hq_ctx *worker_ctx)
{
    const hq_event *e;
    int given_up = HQ_OK;
    must(hq_client_wait(r->client, (hq_job_id){1}, 2, RIG_ERR));
    for (int i = 0; i < LONG_MS / 5; i++) {
        hq_ctx_run(worker_ctx, 5, NULL);
        hq_ctx_run(r->ctx, 0, NULL);
        while (hq_ctx_next(r->ctx, &e) > 0)
            if (e->type == HQ_EVENT_REPLY && e->tag == 2)
                return e->code;
        while (hq_ctx_next(worker_ctx, &e) > 0)
            on_worker_event(r, e, &given_up);
        if (given_up < 0)
            return given_up;
    }
    fail_msg("the job does not end");
    return HQ_EINTERNAL;
}

static const char *const true_argv[] = {"/bin/true", NULL};

static int work(struct failing *f, bool functions)
{
    static const char *const names[] = {"function", NULL};
    struct rig r;
    hq_ctx *ctx = NULL;
    const hq_event *e;
    hq_ctx_options o = {.size = sizeof o, .alloc = failing_alloc, .user = f};
    rig_open(&r);
    hq_worker_options wo = {.size = sizeof wo, .cpus = "1", .detect = HQ_DETECT_NONE, .manager = HQ_MANAGER_NONE, .work_dir = r.dir};
    wo.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
    wo.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
    wo.functions = functions ? names : NULL;
    hq_submit *s = functions ? hq_submit_new(r.ctx) : rig_submit(&r, NULL, true_argv);
    if (functions)
        hq_submit_set_function(s, "function");
    for (int i = 0; i < 3; i++)
        hq_submit_add_entry(s, "entry", 5);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    must(hq_client_submit(r.client, s, 1, RIG_ERR));
    must(hq_ctx_wait(r.ctx, 1, LONG_MS, &e, RIG_ERR));
    hq_submit_free(s);
    int code = hq_ctx_new(&ctx, &o, NULL);
    if (code >= 0)
        code = hq_worker_new(&r.worker, ctx, &wo, NULL);
    if (code >= 0)
        code = drive(&r, ctx);
    hq_ctx_free(ctx);
    rig_close(&r);
    return code;
}

static int work_on_programs(struct failing *f)
{
    return work(f, false);
}

static int work_on_functions(struct failing *f)
{
    return work(f, true);
}

static void test_a_worker(void **state)
{
    fail_each(work_on_programs);
}

static void test_functions(void **state)
{
    fail_each(work_on_functions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_allocation_may_fail),
        cmocka_unit_test(test_blocking_calls),
        cmocka_unit_test(test_a_worker),
        cmocka_unit_test(test_functions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
