/* SPDX-License-Identifier: MIT */
/* remains_test.c - what stands for facts that are no longer there, and the numbers of facts. */
#include <string.h>

#include "world.h"

/* Two jobs on two workers; job 1 has ended and is forgotten, job 2 waits; worker 2 has left. */
static void open_world(struct world *w)
{
    world_open(w);
    world_join(w, 4, 1);
    world_join(w, 4, 0);
    world_submit(w, 2, (struct spec_options){.gpus = 1});
    world_submit(w, 3, (struct spec_options){.cpus = 2});
    world_hand(w, 1, 1, 0, 0, 2, true);
    world_start(w, 1, 1, 0, 0);
    w->now += 700;
    world_end(w, 1, 1, 0, (struct end_row){0, w->now - 300, 300, 0, NULL});
    world_end(w, 1, 1, 0, (struct end_row){1, w->now - 200, 200, 1, NULL});
    world_end_worker(w, FACT_WORKER_LOST, 2, HQ_WORKER_STOPPED);
    world_job(w, FACT_JOB_FORGET, 1);
}

static struct fact remains_of(struct world *w, const uint8_t *keep)
{
    struct fact f;
    assert_true(hqi_state_remains_make(w->st, keep, &w->facts, &f));
    f.utc_ms = w->now;
    return f;
}

static struct fact class_of(struct world *w, uint32_t submit)
{
    struct fact f = {.kind = FACT_CLASS, .utc_ms = w->now};
    f.u.class.request = &w->st->submits[submit]->spec->request;
    return f;
}

/* In the state that it speaks of it changes nothing but the number. */
static void it_says_what_is_so(void **unused)
{
    struct world w;
    open_world(&w);
    uint64_t before = hqi_state_digest(w.st), position = w.st->position;
    struct fact f = remains_of(&w, NULL);
    assert_int_equal(hqi_state_replay(w.st, position, &f, 1, NULL), HQ_OK);
    assert_int_equal(w.st->position, position);
    assert_true(hqi_state_digest(w.st) == before);
    world_verify(w.st);
    world_close(&w);
}

/* Without the facts of job 1: class 0, its cpus and gpus, the worker's books and the used ids are as with them. */
static void it_stands_for_what_is_missing(void **unused)
{
    struct world w, rest;
    hq_error err;
    open_world(&w);
    world_open(&rest);
    rest.quick = true;
    for (size_t i = 0; i < w.n_log; i++) {
        struct fact f = w.log[i];
        bool of_job_1 = (f.kind == FACT_SUBMIT && f.u.submit.job.n == 1) || f.kind == FACT_JOB_FORGET ||
                        f.kind == FACT_HANDOUT || f.kind == FACT_STARTED || f.kind == FACT_ENDED;
        if (f.kind == FACT_SUBMIT && of_job_1) {
            const struct resource_request *r = &f.u.submit.spec->request;
            f = (struct fact){.kind = FACT_CLASS, .utc_ms = f.utc_ms};
            f.u.class.request = r;
        } else if (of_job_1) {
            continue;
        }
        if (f.kind == FACT_SUBMIT)
            f.u.submit.spec = hqi_model_spec_copy(&hqi_base_alloc_libc, f.u.submit.spec);
        if (f.kind == FACT_WORKER_JOIN)
            f.u.worker_join.config = hqi_model_config_copy(&hqi_base_alloc_libc, f.u.worker_join.config);
        if (hqi_state_replay(rest.st, i + 1, &f, 1, &err) < 0)
            fail_msg("%s", err.text);
    }
    assert_true(hqi_state_digest(rest.st) != hqi_state_digest(w.st));
    struct fact f = remains_of(&w, NULL);
    assert_int_equal(hqi_state_replay(rest.st, w.st->position, &f, 1, NULL), HQ_OK);
    assert_true(hqi_state_digest(rest.st) == hqi_state_digest(w.st));
    world_verify(rest.st);
    assert_int_equal(rest.st->n_jobs, 2);
    assert_null(hqi_state_job(rest.st, job_id(1)));
    world_close(&rest);
    world_close(&w);
}

/* Ended workers that it does not name are gone; others are not to be gone. */
static void workers_without_a_trace(void **unused)
{
    struct world w;
    uint8_t keep = 1u << 1; /* worker 1 */
    open_world(&w);
    struct fact f = remains_of(&w, &keep);
    assert_int_equal(f.u.remains.n_traces, 1);
    assert_int_equal(hqi_state_replay(w.st, w.st->position, &f, 1, NULL), HQ_OK);
    assert_null(hqi_state_worker(w.st, worker_id(2)));
    assert_non_null(hqi_state_worker(w.st, worker_id(1)));
    assert_int_equal(w.st->n_workers, 2); /* its id is not given again */
    world_verify(w.st);
    world_close(&w);
}

static void expect_refused(struct world *w, const struct fact *f, const char *text)
{
    hq_error err;
    assert_int_equal(hqi_state_check(w->st, f, &err), HQ_EJOURNAL);
    if (!strstr(err.text, text))
        fail_msg("%s", err.text);
}

static void what_cannot_be_is_refused(void **unused)
{
    struct world w;
    open_world(&w);
    struct fact f = remains_of(&w, NULL), g = f;
    struct worker_trace t[2] = {f.u.remains.traces[0], f.u.remains.traces[1]};
    struct class_trace unknown = {.class = 2};

    g.u.remains.jobs = 1;
    expect_refused(&w, &g, "1 jobs were given: not between 2 and");
    g = f;
    g.u.remains.submits = HQI_MAX_JOBS + 1;
    expect_refused(&w, &g, "submits were given: not between 2 and");
    g = f;
    g.u.remains.workers = UINT32_MAX;
    expect_refused(&w, &g, "workers were given: not between 2 and");
    g = f;
    g.u.remains.n_traces = 0;
    expect_refused(&w, &g, "worker 1 is gone, but has not ended");
    g = f;
    g.u.remains.traces = t;
    t[1].worker.n = 1;
    expect_refused(&w, &g, "the trace of worker 1 follows that of 1");
    t[1].worker.n = 3;
    expect_refused(&w, &g, "worker 3 leaves traces, but is unknown");
    t[1].worker.n = 2;
    t[1].classes = &unknown;
    t[1].n_classes = 1;
    expect_refused(&w, &g, "worker 2 has ended, but has classes");
    t[1].n_classes = 0;
    t[0].classes = &unknown;
    t[0].n_classes = 1;
    expect_refused(&w, &g, "class 2 is unknown");
    t[0].n_classes = 3;
    expect_refused(&w, &g, "worker 1 has 3 classes of 2");

    struct fact c = {.kind = FACT_CLASS};
    const struct resource_request empty = {NULL, 0};
    expect_refused(&w, &c, "a class of requests says nothing of itself");
    c.u.class.request = &empty;
    expect_refused(&w, &c, "a class of requests: ");
    world_close(&w);
}

/* A class named twice in a trace, of a worker that had none of it: made twice, linked once. */
static void a_class_named_twice(void **unused)
{
    struct world w;
    world_open(&w);
    w.quick = true;
    world_join(&w, 4, 0);
    world_submit(&w, 1, (struct spec_options){.cpus = 1});
    world_submit(&w, 1, (struct spec_options){.cpus = 2});
    const struct class_trace twice[] = {{.class = 1}, {.class = 1}};
    const struct worker_trace t = {.worker = {1}, .classes = twice, .n_classes = 2};
    struct fact f = {.kind = FACT_REMAINS, .u.remains = {2, 2, 1, &t, 1}};
    assert_int_equal(hqi_state_replay(w.st, w.st->position, &f, 1, NULL), HQ_OK);
    assert_int_equal(w.st->workers[1]->classes.count, 1);
    world_verify(w.st);
    world_close(&w);
}

static void every_allocation_fails(void **unused)
{
    struct world w, other;
    open_world(&w);
    struct fact f = remains_of(&w, NULL), c = class_of(&w, 2);
    f.u.remains.jobs = f.u.remains.submits = f.u.remains.workers = 100; /* more than there is room for */
    world_open(&other);
    other.hard = other.quick = true;
    world_join(&other, 4, 1);
    world_join(&other, 4, 0);
    world_submit(&other, 2, (struct spec_options){.gpus = 1});
    world_end_worker(&other, FACT_WORKER_LOST, 2, HQ_WORKER_STOPPED);
    world_do(&other, c);
    world_do(&other, f);
    assert_int_equal(other.st->n_workers, 100);
    assert_int_equal(other.st->n_classes, 2);
    world_join(&other, 1, 0);
    assert_int_equal(other.st->n_workers, 101);
    world_verify(other.st);
    world_close(&other);
    world_close(&w);
}

static void numbers_have_gaps_and_never_go_back(void **unused)
{
    struct state *st;
    hq_error err;
    struct fact f[2] = {{.kind = FACT_SERVER_START}, {.kind = FACT_SERVER_START}};
    f[0].u.server_start.uid = f[1].u.server_start.uid = bytes_of("abcdef");
    f[0].u.server_start.epoch = 1;
    f[1].u.server_start.epoch = 2;
    assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
    assert_int_equal(hqi_state_replay(st, 10, f, 2, &err), HQ_OK);
    assert_int_equal(st->position, 10);
    assert_int_equal(hqi_state_replay(st, 10, f, 1, &err), HQ_EJOURNAL);
    assert_string_equal(err.text, "1 facts up to number 10 cannot follow number 10");
    assert_int_equal(hqi_state_replay(st, 1, f, 2, &err), HQ_EJOURNAL);
    assert_int_equal(hqi_state_replay(st, 20, f, 1, &err), HQ_EJOURNAL); /* the epoch does not grow */
    assert_int_equal(st->position, 10);
    hqi_state_state_free(st);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_what_is_so),       cmocka_unit_test(it_stands_for_what_is_missing),
        cmocka_unit_test(workers_without_a_trace),  cmocka_unit_test(what_cannot_be_is_refused),
        cmocka_unit_test(a_class_named_twice),      cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(numbers_have_gaps_and_never_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
