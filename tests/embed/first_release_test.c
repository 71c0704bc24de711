/* SPDX-License-Identifier: MIT */
/* first_release_test.c - a program that was built against the headers of the first release (abi/include), on the library of
 * today: it links, it starts, and every struct and number still means the same. It calls each function of that release. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hqcore.h"

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, why.text); \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static hq_error why;
static unsigned lines, blocks;

static void on_log(void *user, const hq_log *rec)
{
    lines += user == &lines && rec->level <= 7 && rec->where && rec->text;
}

static void *on_alloc(void *user, void *ptr, size_t size)
{
    if (size)
        return blocks += !ptr, realloc(ptr, size);
    blocks -= ptr != NULL;
    free(ptr);
    return NULL;
}

static void check_types(void)
{
    CHECK(hq_version() >= (HQ_VERSION_MAJOR << 16 | HQ_VERSION_MINOR << 8 | HQ_VERSION_PATCH));
    CHECK(hq_version() >> 16 == HQ_VERSION_MAJOR);
    CHECK(strcmp(hq_strerror(HQ_EAUTH), "peer not authorised") == 0);
}

/* The loop of a host: until the reply with `tag`, or an event of another type. */
static hq_event await(hq_ctx *ctx, int type, uint64_t tag)
{
    const hq_event *e;
    for (;;) {
        struct pollfd p = {hq_ctx_fd(ctx), POLLIN, 0};
        CHECK(poll(&p, 1, 30000) == 1);
        CHECK(hq_ctx_dispatch(ctx, &why) >= 0);
        while (hq_ctx_next(ctx, &e) == 1)
            if (e->type == type && (type != HQ_EVENT_REPLY || e->tag == tag))
                return *e;
    }
}

static hq_submit *make_submit(hq_ctx *ctx, const char *dir)
{
    static const char *const argv[] = {"/bin/sh", "-c", "test \"$NAME$HQ_ENTRY\" = \"value0\"", NULL};
    static const hq_range ids[] = {{0, 1, 1}};
    hq_submit *s = hq_submit_new(ctx);
    hq_submit_set_job(s, (hq_job_id){0}); /* a new one */
    hq_submit_set_name(s, "first");
    hq_submit_set_array(s, "0-3");
    hq_submit_set_ranges(s, ids, 1);
    hq_submit_set_command(s, argv);
    hq_submit_set_env(s, "NAME", "value");
    hq_submit_set_cwd(s, dir);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    hq_submit_set_stdin(s, "x", 1);
    hq_submit_add_entry(s, "0", 1);
    hq_submit_set_resource(s, "cpus", "1");
    hq_submit_set_priority(s, 3);
    hq_submit_set_time_limit(s, 60000);
    hq_submit_set_time_request(s, 1);
    hq_submit_set_max_fails(s, 1);
    hq_submit_set_crash_limit(s, HQ_CRASH_NEVER_RESTART);
    hq_submit_set_pin(s, HQ_PIN_NONE);
    hq_submit_set_task_dir(s, 0);
    hq_submit_set_events(s, 1);
    return s;
}

static void check_docs(hq_client *c, hq_job_id job)
{
    hq_doc *info;
    size_t n;
    CHECK(hq_job_info(c, job, &info, &why) >= 0);
    CHECK(hq_doc_get_kind(info) == HQ_DOC_MAP && hq_doc_len(info) > 0 && hq_doc_name(hq_doc_at(info, 0)));
    CHECK(strcmp(hq_doc_bytes(hq_doc_get(info, "name"), &n), "first") == 0 && n == 5);
    CHECK(hq_doc_uint(hq_doc_get(info, "stats.total")) == 1 && hq_doc_int(hq_doc_get(info, "stats.total")) == 1);
    CHECK(hq_doc_double(hq_doc_get(info, "stats.finished")) == 1.0);
    hq_doc_free(info);
}

static void check_results(hq_client *c, hq_job_id job)
{
    hq_job_status status = {.size = sizeof status};
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    CHECK(hq_job_wait(c, job, 30000, &why) >= 0);
    CHECK(hq_job_progress(c, job, &status, &why) >= 0);
    CHECK(status.total == 1 && status.finished == 1 && status.state == HQ_TASK_FINISHED && !status.is_open);
    CHECK(hq_job_tasks(c, job, &cursor, &t, &why) >= 0 && cursor == 0 && t.count == 1);
    CHECK(t.index[0] == 0 && t.state[0] == HQ_TASK_FINISHED && t.code[0] == 0 && t.start_ns[0] > 0);
    CHECK(t.duration_ns[0] >= 0 && t.worker[0] == 1 && t.instance[0] == 0 && !t.error[0]);
    CHECK(hq_job_cancel(c, job, "late", &why) == 0);
    CHECK(hq_client_tasks(c, job, 0, 30, &why) >= 0);
    hq_event e = await(hq_client_ctx(c), HQ_EVENT_REPLY, 30);
    CHECK(e.code == HQ_OK && e.u.reply.tasks && e.u.reply.cursor == 0);
    check_docs(c, job);
}

static void check_functions(hq_ctx *ctx, hq_client *client, hq_worker *worker)
{
    static const int32_t code[] = {5};
    const hq_answer a = {.size = sizeof a, .count = 1, .code = code};
    hq_submit *s = hq_submit_new(ctx);
    hq_submit_set_function(s, "f");
    CHECK(hq_client_submit(client, s, 20, &why) >= 0);
    hq_submit_free(s);
    hq_event e = await(ctx, HQ_EVENT_BATCH, 0);
    const hq_batch *b = e.u.batch;
    CHECK(b->count == 1 && strcmp(b->function, "f") == 0 && b->index[0] == 0 && b->instance[0] == 0 && !b->entry);
    CHECK(hq_worker_wants(worker, b, 0) == 1 && hq_worker_variable(worker, b, 0, "HQ_CPUS"));
    CHECK(hq_worker_answer(worker, b, &a, &why) >= 0);
}

static void check_open(void)
{
    hq_client *c;
    CHECK(hq_client_open(&c, "/nowhere", 0, &why) < 0 && why.code < 0 && why.where && why.text[0]);
    hq_ctx_wake(NULL);
}

static void check_ends(hq_ctx *ctx, hq_server *server, hq_worker *worker, hq_client *client)
{
    static const char *const argv[] = {"/bin/true", NULL};
    const hq_event *e;
    hq_job_id job;
    CHECK(hq_worker_stop(worker, HQ_WORKER_STOPPED, &why) >= 0);
    hq_event end = await(ctx, HQ_EVENT_WORKER, 0);
    CHECK(end.source == hq_worker_source(worker) && end.u.worker.state == HQ_WORKER_STOPPED && end.u.worker.id.n == 1);
    hq_worker_free(worker);
    CHECK(hq_submit_array(client, "1-3", argv, NULL, &job, &why) >= 0);
    CHECK(hq_client_wait(client, job, 8, &why) >= 0 && hq_client_cancel(client, job, NULL, 9, &why) >= 0);
    CHECK(hq_ctx_wait(ctx, 8, 30000, &e, &why) >= 0 && e->code == HQ_OK);
    CHECK(hq_server_stop(server, &why) >= 0);
    CHECK(await(ctx, HQ_EVENT_STOPPED, 0).source == hq_server_source(server));
    hq_server_free(server);
    hq_client_free(client);
    hq_ctx_wake(ctx);
    CHECK(hq_ctx_run(ctx, 30000, &why) >= 0);
}

int main(void)
{
    char dir[] = "/tmp/hq-embed-XXXXXX";
    hq_ctx_options co = {.size = sizeof co, .alloc = on_alloc, .log = on_log, .user = &lines, .log_level = 7, .max_events = 100};
    hq_server_options so = {.size = sizeof so, .bind = "127.0.0.1"};
    hq_worker_options wo = {.size = sizeof wo, .cpus = "1", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE, .group = "g"};
    hq_client_options cl = {.size = sizeof cl};
    static const char *const functions[] = {"f", NULL};
    hq_ctx *ctx;
    hq_server *server;
    hq_worker *worker;
    hq_client *client;
    CHECK(mkdtemp(dir));
    check_types();
    check_open();
    CHECK(hq_ctx_new(&ctx, &co, &why) >= 0);
    CHECK(hq_server_new(&server, ctx, &so, &why) >= 0);
    wo.endpoint = hq_server_endpoint(server, HQ_PLANE_WORKER);
    wo.secret = hq_server_secret(server, HQ_PLANE_WORKER);
    wo.work_dir = dir;
    wo.functions = functions;
    cl.endpoint = hq_server_endpoint(server, HQ_PLANE_CLIENT);
    cl.secret = hq_server_secret(server, HQ_PLANE_CLIENT);
    CHECK(hq_worker_new(&worker, ctx, &wo, &why) >= 0);
    CHECK(hq_client_new(&client, ctx, &cl, &why) >= 0);
    CHECK(hq_client_ctx(client) == ctx && hq_client_source(client) != hq_server_source(server));
    CHECK(await(ctx, HQ_EVENT_CONNECTION, 0).u.state == HQ_CONNECTED);
    hq_submit *s = make_submit(ctx, dir);
    CHECK(hq_client_submit(client, s, 7, &why) >= 0);
    hq_submit_free(s);
    hq_event made = await(ctx, HQ_EVENT_REPLY, 7);
    CHECK(made.code == HQ_OK && made.u.reply.job.n == 1 && made.source == hq_client_source(client));
    CHECK(await(ctx, HQ_EVENT_TASKS, 0).u.tasks.job.n == 1);
    check_results(client, made.u.reply.job);
    CHECK(hq_worker_get_id(worker).n == 1);
    check_functions(ctx, client, worker);
    check_ends(ctx, server, worker, client);
    hq_ctx_free(ctx);
    CHECK(lines > 0 && blocks == 0 && rmdir(dir) == 0);
    return 0;
}
