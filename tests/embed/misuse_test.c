/* SPDX-License-Identifier: MIT */
/* misuse_test.c - calls that make no sense: NULL, wrong order, closed handles, structs of other versions, calls from
 * callbacks. Each says so with a code, and what was alive stays alive. */
#include "rig.h"

#include <stdbool.h>

static const char *const true_argv[] = {"/bin/true", NULL};

static void check_alive(struct rig *r)
{
    hq_job_id job;
    hq_submit *s = rig_submit(r, "1-3", true_argv);
    must(hq_submit_array(r->client, NULL, true_argv, s, &job, RIG_ERR));
    assert_int_equal(rig_status(r, job).total, 3);
    hq_submit_free(s);
}

/* ---- NULL ---- */

static void test_null_handles(void **state)
{
    const hq_event *e;
    hq_doc *doc;
    hq_job_id job = {1};
    hq_job_status status = {.size = sizeof status};
    hq_task_columns columns = {.size = sizeof columns};
    hq_server *s;
    hq_worker *w;
    hq_client *c;
    uint64_t cursor = 0;
    const int codes[] = {
        hq_ctx_new(NULL, NULL, NULL),
        hq_ctx_dispatch(NULL, NULL),
        hq_ctx_run(NULL, 0, NULL),
        hq_ctx_next(NULL, &e),
        hq_ctx_wait(NULL, 1, 0, &e, NULL),
        hq_server_new(&s, NULL, NULL, NULL),
        hq_server_stop(NULL, NULL),
        hq_worker_new(&w, NULL, NULL, NULL),
        hq_worker_stop(NULL, HQ_WORKER_STOPPED, NULL),
        hq_client_new(&c, NULL, NULL, NULL),
        hq_client_open(NULL, NULL, 0, NULL),
        hq_client_submit(NULL, NULL, 1, NULL),
        hq_client_wait(NULL, job, 1, NULL),
        hq_client_cancel(NULL, job, NULL, 1, NULL),
        hq_client_tasks(NULL, job, 0, 1, NULL),
        hq_submit_array(NULL, "1", true_argv, NULL, &job, NULL),
        hq_job_wait(NULL, job, 0, NULL),
        hq_job_progress(NULL, job, &status, NULL),
        hq_job_cancel(NULL, job, NULL, NULL),
        hq_job_info(NULL, job, &doc, NULL),
        hq_job_tasks(NULL, job, &cursor, &columns, NULL),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_int_equal(codes[i], HQ_EINVAL);
    hq_ctx_wake(NULL);
    hq_ctx_free(NULL);
    hq_server_free(NULL);
    hq_worker_free(NULL);
    hq_client_free(NULL);
    hq_submit_free(NULL);
    hq_doc_free(NULL);
    assert_null(hq_submit_new(NULL));
    assert_int_equal(hq_ctx_fd(NULL), -1);
    assert_null(hq_server_endpoint(NULL, HQ_PLANE_CLIENT));
    assert_null(hq_server_secret(NULL, HQ_PLANE_CLIENT));
    assert_null(hq_client_ctx(NULL));
    assert_true(hq_server_source(NULL) + hq_worker_source(NULL) + hq_client_source(NULL) == 0);
    assert_int_equal(hq_worker_get_id(NULL).n, 0);
    assert_non_null(hq_strerror(12345));
}

static void test_null_results(void **state)
{
    struct rig r;
    hq_job_id job = {1};
    hq_task_columns columns = {.size = sizeof columns};
    hq_job_status unsized = {0};
    uint64_t cursor = 0;
    rig_open(&r);
    const int codes[] = {
        hq_ctx_next(r.ctx, NULL),
        hq_ctx_wait(r.ctx, 1, 0, NULL, NULL),
        hq_server_new(NULL, r.ctx, NULL, NULL),
        hq_worker_new(NULL, r.ctx, NULL, NULL),
        hq_client_new(NULL, r.ctx, NULL, NULL),
        hq_submit_array(r.client, "1", NULL, NULL, &job, NULL),
        hq_job_progress(r.client, job, NULL, NULL),
        hq_job_progress(r.client, job, &unsized, NULL),
        hq_job_info(r.client, job, NULL, NULL),
        hq_job_tasks(r.client, job, NULL, &columns, NULL),
        hq_job_tasks(r.client, job, &cursor, NULL, NULL),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_int_equal(codes[i], HQ_EINVAL);
    assert_null(hq_server_endpoint(r.server, 2));
    assert_null(hq_server_secret(r.server, -1));
    check_alive(&r);
    rig_close(&r);
}

static void no_name(hq_submit *s) { hq_submit_set_name(s, NULL); }
static void no_array(hq_submit *s) { hq_submit_set_array(s, NULL); }
static void no_ranges(hq_submit *s) { hq_submit_set_ranges(s, NULL, 3); }
static void no_command(hq_submit *s) { hq_submit_set_command(s, NULL); }
static void no_program(hq_submit *s) { hq_submit_set_command(s, true_argv + 1); }
static void no_variable(hq_submit *s) { hq_submit_set_env(s, NULL, "x"); }
static void no_value(hq_submit *s) { hq_submit_set_env(s, "x", NULL); }
static void no_cwd(hq_submit *s) { hq_submit_set_cwd(s, NULL); }
static void no_stdout(hq_submit *s) { hq_submit_set_stdout(s, NULL); }
static void no_stderr(hq_submit *s) { hq_submit_set_stderr(s, NULL); }
static void no_stdin(hq_submit *s) { hq_submit_set_stdin(s, NULL, 3); }
static void no_entry(hq_submit *s) { hq_submit_add_entry(s, NULL, 3); }
static void no_resource(hq_submit *s) { hq_submit_set_resource(s, NULL, "1"); }
static void no_amount(hq_submit *s) { hq_submit_set_resource(s, "cpus", NULL); }
static void odd_pin(hq_submit *s) { hq_submit_set_pin(s, 9); }

static void test_setters_remember(void **state)
{
    static void (*const setters[])(hq_submit *s) = {no_name, no_array, no_ranges, no_command, no_program, no_variable, no_value,
                                                    no_cwd, no_stdout, no_stderr, no_stdin, no_entry, no_resource, no_amount,
                                                    odd_pin};
    struct rig r;
    hq_error err;
    rig_open(&r);
    for (size_t i = 0; i < sizeof setters / sizeof *setters; i++) {
        setters[i](NULL);
        hq_submit *s = rig_submit(&r, "1", true_argv);
        setters[i](s);
        hq_submit_set_array(s, "1-3"); /* comes too late */
        assert_int_equal(hq_client_submit(r.client, s, 1, &err), HQ_EINVAL);
        assert_true(strlen(err.text) > 10);
        hq_submit_free(s);
    }
    assert_int_equal(hq_client_submit(r.client, NULL, 1, &err), HQ_ENOMEM); /* what hq_submit_new said with NULL */
    check_alive(&r);
    rig_close(&r);
}

static void test_docs(void **state)
{
    size_t n = 7;
    assert_int_equal(hq_doc_get_kind(NULL), HQ_DOC_NULL);
    assert_int_equal(hq_doc_len(NULL), 0);
    assert_null(hq_doc_at(NULL, 0));
    assert_null(hq_doc_get(NULL, "a.b"));
    assert_null(hq_doc_name(NULL));
    assert_true(hq_doc_uint(NULL) == 0 && hq_doc_int(NULL) == 0);
    assert_string_equal(hq_doc_bytes(NULL, &n), "");
    assert_int_equal(n, 0);
}

/* ---- order ---- */

static void stop_server(struct rig *r)
{
    const hq_event *e;
    must(hq_server_stop(r->server, RIG_ERR));
    must(hq_server_stop(r->server, RIG_ERR)); /* again */
    for (int over = 0; over < 2;) { /* the server, and the client's connection */
        must(hq_ctx_run(r->ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0) {
            over += e->type == HQ_EVENT_STOPPED && e->source == hq_server_source(r->server);
            over += e->type == HQ_EVENT_CONNECTION && e->u.state == HQ_CONNECTION_LOST;
        }
    }
    must(hq_server_stop(r->server, RIG_ERR)); /* and when it has stopped */
}

static void test_calls_on_a_closed_connection(void **state)
{
    struct rig r;
    hq_job_id job = {1};
    hq_job_status status = {.size = sizeof status};
    hq_task_columns columns = {.size = sizeof columns};
    hq_doc *doc;
    uint64_t cursor = 0;
    hq_error err;
    rig_open(&r);
    rig_worker(&r, "1");
    check_alive(&r);
    hq_submit *s = rig_submit(&r, "1", true_argv);
    stop_server(&r);
    const int codes[] = {
        hq_client_submit(r.client, s, 1, NULL),
        hq_client_wait(r.client, job, 1, NULL),
        hq_client_cancel(r.client, job, NULL, 1, NULL),
        hq_client_tasks(r.client, job, 0, 1, NULL),
        hq_submit_array(r.client, "1", true_argv, NULL, &job, NULL),
        hq_job_wait(r.client, job, 0, NULL),
        hq_job_progress(r.client, job, &status, NULL),
        hq_job_cancel(r.client, job, NULL, NULL),
        hq_job_info(r.client, job, &doc, NULL),
        hq_job_tasks(r.client, job, &cursor, &columns, &err),
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        assert_int_equal(codes[i], HQ_ECLOSED);
    assert_string_equal(err.text, "Connection closed");
    must(hq_worker_stop(r.worker, HQ_WORKER_STOPPED, RIG_ERR));
    must(hq_worker_stop(r.worker, HQ_WORKER_STOPPED, RIG_ERR));
    assert_int_equal(hq_worker_stop(r.worker, HQ_WORKER_RUNNING, &err), HQ_EINVAL);
    hq_submit_free(s);
    rig_close(&r);
}

static void test_wrong_order(void **state)
{
    struct rig r;
    const hq_event *e;
    hq_error err;
    rig_open(&r);
    hq_submit *s = hq_submit_new(r.ctx);
    assert_int_equal(hq_client_submit(r.client, s, 1, &err), HQ_EINVAL);
    assert_non_null(strstr(err.text, "no command"));
    hq_submit_free(s);
    assert_int_equal(hq_ctx_wait(r.ctx, 77, 1, &e, &err), HQ_ETIMEDOUT); /* a tag that nothing has */
    must(hq_client_wait(r.client, (hq_job_id){5}, 3, RIG_ERR));
    hq_client_free(r.client); /* with a request in flight: its reply will not come */
    assert_int_equal(hq_ctx_wait(r.ctx, 3, 50, &e, &err), HQ_ETIMEDOUT);
    rig_client(&r);
    check_alive(&r);
    rig_close(&r);
}

/* ---- structs of other versions ---- */

#define TAIL 24

/* Options of `known` bytes in a struct that is larger by TAIL: what a newer header has. */
static void *newer(void *buffer, const void *options, size_t known, char tail)
{
    size_t size = known + TAIL;
    memset(buffer, 0, size);
    memcpy(buffer, options, known);
    memcpy(buffer, &size, sizeof size);
    ((char *)buffer)[size - 1] = tail;
    return buffer;
}

/* Makes and frees; the code. */
static int try_ctx(struct rig *r, const void *o)
{
    hq_ctx *ctx = NULL;
    int code = hq_ctx_new(&ctx, o, NULL);
    hq_ctx_free(ctx);
    return code;
}

static int try_server(struct rig *r, const void *o)
{
    hq_server *s = NULL;
    int code = hq_server_new(&s, r->ctx, o, NULL);
    hq_server_free(s);
    return code;
}

static int try_worker(struct rig *r, const void *o)
{
    hq_worker *w = NULL;
    int code = hq_worker_new(&w, r->ctx, o, NULL);
    hq_worker_free(w);
    return code;
}

static int try_client(struct rig *r, const void *o)
{
    hq_client *c = NULL;
    int code = hq_client_new(&c, r->ctx, o, NULL);
    hq_client_free(c);
    return code;
}

static void check_sizes(struct rig *r, int (*make)(struct rig *, const void *), const void *options, size_t known)
{
    union {
        size_t size;
        char bytes[512];
    } buffer;
    assert_int_equal(make(r, options), HQ_OK);
    assert_int_equal(make(r, newer(buffer.bytes, options, known, 0)), HQ_OK);
    assert_int_equal(make(r, newer(buffer.bytes, options, known, 1)), HQ_EINVAL);
    memcpy(buffer.bytes, options, known);
    buffer.size = 0;
    assert_int_equal(make(r, buffer.bytes), HQ_EINVAL);
}

static void test_options_of_other_versions(void **state)
{
    struct rig r;
    rig_open(&r);
    hq_ctx_options ctx = {.size = sizeof ctx};
    hq_server_options server = {.size = sizeof server};
    hq_worker_options worker = {.size = sizeof worker, .cpus = "1", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE};
    hq_client_options client = {.size = sizeof client};
    worker.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
    worker.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
    worker.work_dir = r.dir;
    client.endpoint = hq_server_endpoint(r.server, HQ_PLANE_CLIENT);
    client.secret = hq_server_secret(r.server, HQ_PLANE_CLIENT);
    check_sizes(&r, try_ctx, &ctx, sizeof ctx);
    check_sizes(&r, try_server, &server, sizeof server);
    check_sizes(&r, try_worker, &worker, sizeof worker);
    check_sizes(&r, try_client, &client, sizeof client);
    client.size = offsetof(hq_client_options, server_dir); /* an older header ended here */
    client.server_dir = "/nowhere";
    assert_int_equal(try_client(&r, &client), HQ_OK);
    rig_close(&r);
}

static void test_results_of_other_versions(void **state)
{
    struct {
        hq_job_status status;
        char tail[TAIL];
    } larger = {.status.size = sizeof larger};
    struct rig r;
    hq_job_id job;
    rig_open(&r);
    must(hq_submit_array(r.client, "1-7", true_argv, NULL, &job, RIG_ERR));
    memset(larger.tail, 'x', TAIL);
    must(hq_job_progress(r.client, job, &larger.status, RIG_ERR));
    assert_int_equal(larger.status.total, 7);
    assert_int_equal(larger.tail[0], 'x');
    hq_job_status smaller = {.size = offsetof(hq_job_status, waiting), .waiting = 99};
    must(hq_job_progress(r.client, job, &smaller, RIG_ERR));
    assert_int_equal(smaller.total, 7);
    assert_int_equal(smaller.waiting, 99);
    hq_task_columns columns = {.size = offsetof(hq_task_columns, worker), .worker = (const uint32_t *)&job};
    uint64_t cursor = 0;
    must(hq_job_tasks(r.client, job, &cursor, &columns, RIG_ERR));
    assert_int_equal(columns.count, 7);
    assert_ptr_equal(columns.worker, &job);
    rig_close(&r);
}

/* ---- callbacks ---- */

struct caller {
    hq_ctx *ctx;
    hq_server *server;
    hq_client *client;
    unsigned calls, refused;
};

static void call_back(struct caller *c)
{
    const hq_event *e;
    if (!c->ctx || !c->client)
        return;
    const int codes[] = {
        hq_ctx_dispatch(c->ctx, NULL), hq_ctx_run(c->ctx, 0, NULL), hq_ctx_next(c->ctx, &e),
        hq_ctx_wait(c->ctx, 1, 0, &e, NULL), hq_server_stop(c->server, NULL), hq_client_wait(c->client, (hq_job_id){1}, 9, NULL),
        hq_job_wait(c->client, (hq_job_id){1}, 0, NULL),
    };
    hq_client_free(c->client);
    hq_server_free(c->server);
    hq_ctx_free(c->ctx);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++, c->calls++)
        c->refused += codes[i] == HQ_ESTATE;
}

static void *alloc_and_call(void *user, void *ptr, size_t size)
{
    call_back(user);
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

static void log_and_call(void *user, const hq_log *rec)
{
    call_back(user);
}

static void converse_while_called_back(const hq_ctx_options *o, struct caller *c)
{
    struct rig r = {.dir = "/tmp/hq-embed-XXXXXX"};
    assert_non_null(mkdtemp(r.dir));
    must(hq_ctx_new(&r.ctx, o, RIG_ERR));
    must(hq_server_new(&r.server, r.ctx, NULL, RIG_ERR));
    rig_client(&r);
    *c = (struct caller){r.ctx, r.server, r.client, 0, 0};
    rig_worker(&r, "1");
    check_alive(&r);
    stop_server(&r);
    c->ctx = NULL;
    rig_close(&r);
    assert_true(c->calls > 0);
    assert_int_equal(c->refused, c->calls);
}

static void test_callbacks_cannot_call_back(void **state)
{
    struct caller c = {0};
    const hq_ctx_options log = {.size = sizeof log, .log = log_and_call, .user = &c, .log_level = 7};
    const hq_ctx_options alloc = {.size = sizeof alloc, .alloc = alloc_and_call, .user = &c};
    converse_while_called_back(&log, &c);
    c = (struct caller){0};
    converse_while_called_back(&alloc, &c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_null_handles),
        cmocka_unit_test(test_null_results),
        cmocka_unit_test(test_setters_remember),
        cmocka_unit_test(test_docs),
        cmocka_unit_test(test_calls_on_a_closed_connection),
        cmocka_unit_test(test_wrong_order),
        cmocka_unit_test(test_options_of_other_versions),
        cmocka_unit_test(test_results_of_other_versions),
        cmocka_unit_test(test_callbacks_cannot_call_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
