/* SPDX-License-Identifier: MIT */
/* A worker's own life: its allocation, the environment of its tasks, its time limit, its helpers, a lost server. */
#include "rig.h"

#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/stat.h>

static const char *const sleep_argv[] = {"/bin/sleep", "600", NULL};

static hq_worker_options options(struct rig *r)
{
    hq_worker_options o = {.size = sizeof o, .cpus = "1", .detect = HQ_DETECT_CPUS, .work_dir = r->dir};
    o.endpoint = hq_server_endpoint(r->server, HQ_PLANE_WORKER);
    o.secret = hq_server_secret(r->server, HQ_PLANE_WORKER);
    return o;
}

/* Turns until the worker has ended; its code. */
static int await_end(struct rig *r, int *reason)
{
    const hq_event *e;
    for (;;) {
        must(hq_ctx_run(r->ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r->ctx, &e) > 0) {
            if (e->source != hq_worker_source(r->worker))
                continue;
            if (e->type == HQ_EVENT_WORKER)
                *reason = e->u.worker.state;
            if (e->type == HQ_EVENT_STOPPED)
                return e->code;
        }
    }
}

static void await_running(struct rig *r, hq_job_id job)
{
    while (rig_status(r, job).running == 0)
        hq_ctx_run(r->ctx, 5, NULL);
}

static hq_job_id submit(struct rig *r, const char *const *argv)
{
    hq_job_id job;
    hq_submit *s = rig_submit(r, NULL, argv);
    must(hq_submit_array(r->client, NULL, argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    return job;
}

static void write_script(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, 0755), 0);
}

static void read_line(struct rig *r, hq_job_id job, char *line, int room)
{
    char path[128];
    snprintf(path, sizeof path, "%s/job-%u/0.stdout", r->dir, job.n);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    if (!fgets(line, room, f))
        line[0] = '\0';
    fclose(f);
}

/* ---- allocations ---- */

static void test_slurm_tells_the_time_left(void **state)
{
    struct rig r;
    char script[128], path[128];
    rig_open(&r);
    snprintf(script, sizeof script, "%s/scontrol", r.dir);
    snprintf(path, sizeof path, "PATH=%s:/usr/bin:/bin", r.dir);
    write_script(script, "#!/bin/sh\n[ \"$*\" = 'show job 77' ] || exit 1\necho 'JobId=77 RunTime=00:01:34 TimeLimit=00:15:00'\n");
    const char *const env[] = {"SLURM_JOB_ID=77", path, NULL};
    hq_worker_options o = options(&r);
    o.env = env;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    const hq_doc *config = hq_doc_get(hq_tools_worker_info(r.worker), "config");
    assert_int_equal(hq_doc_uint(hq_doc_get(config, "manager")), 2);
    assert_string_equal(hq_doc_bytes(hq_doc_get(config, "manager_job_id"), NULL), "77");
    assert_string_equal(hq_doc_bytes(hq_doc_get(config, "group"), NULL), "77");
    assert_int_equal(hq_doc_uint(hq_doc_get(config, "time_limit_ms")), (13 * 60 + 26) * 1000);
    rig_close(&r);
}

static void test_manager_that_is_not_there(void **state)
{
    static const char *const env[] = {NULL};
    struct rig r;
    hq_error err;
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.env = env;
    o.manager = HQ_MANAGER_SLURM;
    assert_int_equal(hq_worker_new(&r.worker, r.ctx, &o, &err), HQ_EINVAL);
    assert_string_equal(err.text, "SLURM_JOB_ID/SLURM_JOBID not found. The process is not running under SLURM");
    o.manager = HQ_MANAGER_PBS;
    assert_int_equal(hq_worker_new(&r.worker, r.ctx, &o, &err), HQ_EINVAL);
    assert_string_equal(err.text, "PBS_ENVIRONMENT not found. The process is not running under PBS");
    rig_close(&r);
}

static void test_tasks_do_not_see_the_step(void **state)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", "OMPI_COMM_WORLD_RANK=3", "PMIX_RANK=3", "PMI_RANK=3",
                                      "SLURM_STEP_ID=0",    "SLURM_PROCID=3",         "SLURM_TASKS_PER_NODE=4", NULL};
    static const char *const argv[] = {"/bin/sh", "-c", "env | grep -E '^(OMPI|PMI|SLURM)' | sort | tr '\\n' ' '", NULL};
    struct rig r;
    char line[256];
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.env = env;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    hq_job_id job = submit(&r, argv);
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    read_line(&r, job, line, sizeof line);
    assert_string_equal(line, "SLURM_TASKS_PER_NODE=4 ");
    rig_close(&r);
}

/* ---- ends ---- */

static void test_time_limit(void **state)
{
    struct rig r;
    int reason = 0;
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.time_limit_ms = 400;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    hq_job_id job = submit(&r, sleep_argv);
    assert_int_equal(await_end(&r, &reason), HQ_OK);
    assert_int_equal(reason, HQ_WORKER_TIME_LIMIT);
    assert_int_equal(rig_status(&r, job).waiting, 1); /* it was no fault of the task's */
    rig_close(&r);
}

static void test_finish_running(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "sleep 1; echo done", NULL};
    struct rig r;
    int reason = 0;
    char line[16];
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.on_server_lost = HQ_LOST_FINISH_RUNNING;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    hq_job_id job = submit(&r, argv);
    await_running(&r, job);
    hq_server_free(r.server);
    assert_int_equal(await_end(&r, &reason), HQ_ECLOSED);
    assert_int_equal(reason, HQ_WORKER_CONNECTION_LOST);
    read_line(&r, job, line, sizeof line);
    assert_string_equal(line, "done\n");
    rig_close(&r);
}

/* ---- utilization ---- */

/* One task for half of its cpus does not start before a second one comes. */
static void test_minimal_utilization(void **state)
{
    static const char *const argv[] = {"/bin/true", NULL};
    struct rig r;
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.cpus = "2";
    o.min_utilization = 0.51;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    while (hq_worker_get_id(r.worker).n == 0)
        must(hq_ctx_run(r.ctx, 5, RIG_ERR));
    hq_job_id first = submit(&r, argv);
    for (int turn = 0; turn < 20; turn++) /* the server plans at every turn in which something is new */
        assert_int_equal(rig_status(&r, first).waiting, 1);
    hq_job_id second = submit(&r, argv);
    must(hq_job_wait(r.client, first, LONG_MS, RIG_ERR));
    must(hq_job_wait(r.client, second, LONG_MS, RIG_ERR));
    assert_int_equal(rig_status(&r, first).finished + rig_status(&r, second).finished, 2);
    rig_close(&r);
}

static void test_bad_utilization(void **state)
{
    static const double bad[] = {-0.1, 1.1, NAN, INFINITY};
    struct rig r;
    rig_open(&r);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hq_worker_options o = options(&r);
        hq_error err = {0};
        o.min_utilization = bad[i];
        assert_int_equal(hq_worker_new(&r.worker, r.ctx, &o, &err), HQ_EINVAL);
        assert_non_null(strstr(err.text, "expected 0.0 to 1.0"));
    }
    rig_close(&r);
}

/* ---- helpers ---- */

/* A helper is the parent of what it has started. */
static pid_t parent_of_task(struct rig *r, hq_job_id job)
{
    char line[32] = "";
    while (line[0] == '\0') {
        hq_ctx_run(r->ctx, 5, NULL);
        read_line(r, job, line, sizeof line);
    }
    return (pid_t)atoi(line);
}

/* The helper's executable is removed after the worker has started, as an upgrade does. */
static void test_a_dead_helper_is_replaced(void **state)
{
    /* The first attempt tells its parent and waits to be killed; the second ends. */
    static const char *const argv[] = {"/bin/sh", "-c", "[ $HQ_INSTANCE_ID = 0 ] || exit 0; echo $PPID; exec sleep 600", NULL};
    struct rig r;
    rig_open(&r);
    hq_worker_options o = options(&r);
    char program[96], copy[256];
    snprintf(program, sizeof program, "%s/hq-helper", r.dir);
    snprintf(copy, sizeof copy, "cp %s %s", getenv("HQ_TEST_HELPER"), program);
    assert_int_equal(system(copy), 0);
    o.helper = program;
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    assert_int_equal(unlink(program), 0);
    hq_job_id job = submit(&r, argv);
    await_running(&r, job);
    assert_int_equal(kill(parent_of_task(&r, job), SIGKILL), 0);
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    hq_job_status status = rig_status(&r, job);
    assert_int_equal(status.finished + status.failed, 1);
    job = submit(&r, (const char *const[]){"/bin/true", NULL});
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    assert_int_equal(rig_status(&r, job).finished, 1);
    rig_close(&r);
}

/* ---- results ---- */

static void test_programs_return_results(void **state)
{
    static const struct {
        const char *script;
        int code;
        size_t size; /* SIZE_MAX: none */
        const char *text; /* of the failure */
    } cases[] = {
        {"printf 'a\\0b' > $HQ_RESULT_FILENAME", 0, 3, NULL},
        {"printf abc > $HQ_RESULT_FILENAME; exit 3", 3, 3, NULL},
        {"true", 0, SIZE_MAX, NULL},
        {": > $HQ_RESULT_FILENAME", 0, SIZE_MAX, NULL},
        {"head -c 65536 /dev/zero > $HQ_RESULT_FILENAME", 0, 65536, NULL},
        {"head -c 65537 /dev/zero > $HQ_RESULT_FILENAME", HQ_CODE_TEXT, SIZE_MAX, "has 65537 bytes, at most 65536"},
        {"mkdir $HQ_RESULT_FILENAME", HQ_CODE_TEXT, SIZE_MAX, "cannot be read"},
        {"head -c 65537 /dev/zero > $HQ_RESULT_FILENAME; exit 4", 4, SIZE_MAX, NULL},
    };
    struct rig r;
    rig_open(&r);
    hq_worker_options o = options(&r);
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const argv[] = {"/bin/sh", "-c", cases[i].script, NULL};
        hq_task_columns t = {.size = sizeof t};
        uint64_t cursor = 0;
        hq_job_id job;
        hq_submit *s = rig_submit(&r, NULL, argv);
        hq_submit_set_task_dir(s, 1);
        must(hq_submit_array(r.client, NULL, argv, s, &job, RIG_ERR));
        hq_submit_free(s);
        must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
        must(hq_job_tasks(r.client, job, &cursor, &t, RIG_ERR));
        assert_int_equal(t.code[0], cases[i].code);
        assert_int_equal(t.result[0] ? t.result_size[0] : SIZE_MAX, cases[i].size);
        assert_true(cases[i].text ? t.error[0] && strstr(t.error[0], cases[i].text) : !t.error[0]);
        if (i == 0)
            assert_memory_equal(t.result[0], "a\0b", 4);
    }
    rig_close(&r);
}

static void test_no_helper(void **state)
{
    struct rig r;
    rig_open(&r);
    hq_worker_options o = options(&r);
    o.helper = "/nowhere/hq-helper";
    assert_true(hq_worker_new(&r.worker, r.ctx, &o, NULL) < 0);
    rig_close(&r);
}

static void test_hardware(void **state)
{
    hq_ctx *ctx;
    hq_doc *doc;
    bool has_cpus = false;
    must(hq_ctx_new(&ctx, NULL, RIG_ERR));
    must(hq_tools_hardware(ctx, 0, NULL, &doc, RIG_ERR));
    const hq_doc *resources = hq_doc_get(doc, "resources");
    for (size_t i = 0; i < hq_doc_len(resources); i++)
        has_cpus |= strcmp(hq_doc_bytes(hq_doc_get(hq_doc_at(resources, i), "name"), NULL), "cpus") == 0;
    assert_true(has_cpus);
    assert_int_equal(hq_doc_get_kind(hq_doc_get(doc, "notes")), HQ_DOC_BYTES);
    hq_doc_free(doc);
    hq_ctx_free(ctx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slurm_tells_the_time_left),
        cmocka_unit_test(test_manager_that_is_not_there),
        cmocka_unit_test(test_tasks_do_not_see_the_step),
        cmocka_unit_test(test_time_limit),
        cmocka_unit_test(test_minimal_utilization),
        cmocka_unit_test(test_bad_utilization),
        cmocka_unit_test(test_finish_running),
        cmocka_unit_test(test_a_dead_helper_is_replaced),
        cmocka_unit_test(test_programs_return_results),
        cmocka_unit_test(test_no_helper),
        cmocka_unit_test(test_hardware),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
