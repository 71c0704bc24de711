/* SPDX-License-Identifier: MIT */
/* gap_test.c - a solver that dispatches rarely. Its peers' heartbeats are answered while it computes (by libzmq's own
 * thread), so nothing of it is lost or run again; a host that has really stopped is noticed within two heartbeats.
 *
 * Heartbeats are short here, so that a gap of many needs no patience. */
#include "rig.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <time.h>

enum { HEARTBEAT_MS = 200, GAP_MS = 1200, TASKS = 40 }; /* lost after two heartbeats; the gap has six */

static const char *const sleep_argv[] = {"/bin/sleep", "0.05", NULL};

struct gap {
    struct rig r;        /* server and client */
    hq_ctx *worker_ctx;
    hq_worker *worker;
    hq_job_id job;
};

static int make_worker(struct gap *g, hq_error *err)
{
    hq_worker_options o = {.size = sizeof o, .cpus = "2", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE};
    o.work_dir = g->r.dir;
    o.heartbeat_ms = HEARTBEAT_MS;
    o.endpoint = hq_server_endpoint(g->r.server, HQ_PLANE_WORKER);
    o.secret = hq_server_secret(g->r.server, HQ_PLANE_WORKER);
    int code = hq_ctx_new(&g->worker_ctx, NULL, err);
    return code < 0 ? code : hq_worker_new(&g->worker, g->worker_ctx, &o, err);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* For `ms`, those of the two contexts dispatch that are given. */
static void spend(double ms, hq_ctx *a, hq_ctx *b)
{
    const struct timespec nap = {.tv_nsec = 5000000};
    for (double end = now_ms() + ms; now_ms() < end; nanosleep(&nap, NULL)) { /* the solver's work */
        if (a)
            must(hq_ctx_dispatch(a, RIG_ERR));
        if (b)
            must(hq_ctx_dispatch(b, RIG_ERR));
    }
}

static void submit(struct gap *g, const char *const *argv, const char *ids)
{
    const hq_event *e;
    hq_submit *s = rig_submit(&g->r, ids, argv);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    must(hq_client_submit(g->r.client, s, 1, RIG_ERR));
    must(hq_ctx_wait(g->r.ctx, 1, LONG_MS, &e, RIG_ERR));
    g->job = e->u.reply.job;
    hq_submit_free(s);
}

static void gap_open(struct gap *g)
{
    rig_open(&g->r);
    must(make_worker(g, RIG_ERR));
    submit(g, sleep_argv, "1-40");
    while (rig_status(&g->r, g->job).running == 0)
        hq_ctx_dispatch(g->worker_ctx, NULL);
}

static void finish(struct gap *g)
{
    must(hq_client_wait(g->r.client, g->job, 2, RIG_ERR));
    for (bool over = false; !over;) {
        const hq_event *e;
        spend(5, g->worker_ctx, g->r.ctx);
        while (!over && hq_ctx_next(g->r.ctx, &e) > 0)
            over = e->tag == 2;
    }
}

/* All tasks are done, by the one worker, in their first attempt. */
static void gap_close(struct gap *g)
{
    hq_task_columns t = {.size = sizeof t};
    uint64_t cursor = 0;
    finish(g);
    must(hq_job_tasks(g->r.client, g->job, &cursor, &t, RIG_ERR));
    assert_int_equal(t.count, TASKS);
    for (size_t i = 0; i < t.count; i++) {
        assert_int_equal(t.state[i], HQ_TASK_FINISHED);
        assert_int_equal(t.instance[i], 0);
        assert_int_equal(t.worker[i], 1);
    }
    hq_ctx_free(g->worker_ctx);
    rig_close(&g->r);
}

static void test_the_worker_computes(void **state)
{
    struct gap g;
    gap_open(&g);
    spend(GAP_MS, g.r.ctx, NULL);
    gap_close(&g);
}

static void test_the_server_computes(void **state)
{
    struct gap g;
    gap_open(&g);
    spend(GAP_MS, NULL, g.worker_ctx);
    gap_close(&g);
}

static void test_all_compute(void **state)
{
    struct gap g;
    gap_open(&g);
    spend(GAP_MS, NULL, NULL);
    gap_close(&g);
}

/* ---- and the other side: what is really gone is noticed ---- */

static void serve_until_killed(struct gap *g)
{
    hq_error err;
    if (make_worker(g, &err) < 0)
        _exit(1);
    for (;;)
        hq_ctx_run(g->worker_ctx, -1, NULL);
}

static void test_a_stopped_host_is_lost(void **state)
{
    struct gap g;
    hq_job_id job;
    rig_open(&g.r);
    pid_t pid = fork();
    if (pid == 0) {
        serve_until_killed(&g);
    }
    static const char *const argv[] = {"/bin/sleep", "600", NULL};
    submit(&g, argv, "1");
    job = g.job;
    while (rig_status(&g.r, job).running == 0)
        spend(10, g.r.ctx, NULL);
    kill(pid, SIGSTOP);
    double start = now_ms();
    while (rig_status(&g.r, job).running > 0)
        spend(10, g.r.ctx, NULL);
    assert_int_equal(rig_status(&g.r, job).waiting, 1);
    assert_true(now_ms() - start < GAP_MS); /* else the gaps above prove nothing */
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    rig_close(&g.r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_worker_computes),
        cmocka_unit_test(test_the_server_computes),
        cmocka_unit_test(test_all_compute),
        cmocka_unit_test(test_a_stopped_host_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
