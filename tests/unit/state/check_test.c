/* SPDX-License-Identifier: MIT */
/* Facts that nobody has decided: check refuses them by name, and no fact, refused or not, leaves a broken state. */
#include "world.h"

/* Jobs: 1 runs (submit 1: 0 and 1 with worker 1, 1 started), 2 is open (submit 2), 3 has ended (submit 3), 4 was
 * forgotten. Workers: 1 and 2 are there, 3 was lost. */
static void furnish(struct world *w)
{
    const hq_range r = {10, 10, 1};
    world_open(w);
    struct fact f = {.kind = FACT_SERVER_START};
    f.u.server_start.epoch = 5;
    f.u.server_start.uid = bytes_of("abcdef");
    world_do(w, f);
    for (int i = 0; i < 3; i++)
        world_join(w, 4, 0);
    world_submit(w, 10, (struct spec_options){.crash_limit = 2});
    world_open_job(w);
    world_submit_ranges(w, 2, &r, 1, (struct spec_options){0});
    world_submit(w, 1, (struct spec_options){0});
    world_job(w, FACT_JOB_CANCEL, 3);
    world_submit(w, 1, (struct spec_options){0});
    world_job(w, FACT_JOB_ABORT, 4);
    world_job(w, FACT_JOB_FORGET, 4);
    world_hand(w, 1, 1, 0, 0, 2, true);
    world_start(w, 1, 1, 0, 1);
    world_end_worker(w, FACT_WORKER_LOST, 3, HQ_WORKER_STOPPED);
}

static void refused(struct world *w, struct fact f, const char *text)
{
    hq_error err = {0};
    uint64_t before = hqi_state_digest(w->st);
    assert_int_equal(hqi_state_check(w->st, &f, &err), HQ_EJOURNAL);
    assert_string_equal(err.text, text);
    assert_int_equal(hqi_state_check(w->st, &f, NULL), HQ_EJOURNAL);
    assert_true(hqi_state_digest(w->st) == before);
}

static struct fact start_fact(uint64_t epoch, const char *uid)
{
    struct fact f = {.kind = FACT_SERVER_START};
    f.u.server_start.epoch = epoch;
    f.u.server_start.uid = bytes_of(uid);
    return f;
}

static struct fact job_fact(uint8_t kind, uint32_t job)
{
    struct fact f = {.kind = kind};
    if (kind == FACT_JOB_OPEN)
        f.u.job_open.job = job_id(job);
    else if (kind == FACT_JOB_CANCEL || kind == FACT_JOB_ABORT)
        f.u.job_cancel.job = job_id(job);
    else
        f.u.job_close.job = job_id(job);
    return f;
}

static struct fact end_fact(uint8_t kind, uint32_t worker, uint8_t reason)
{
    struct fact f = {.kind = kind};
    f.u.worker_lost.worker = worker_id(worker);
    f.u.worker_lost.reason = reason;
    return f;
}

static void servers_and_jobs_are_checked(void **unused)
{
    struct world w;
    furnish(&w);
    struct fact keyed = job_fact(FACT_JOB_OPEN, 5), named = keyed;
    char name[5000];
    memset(name, 'n', sizeof name);
    keyed.u.job_open.key = (struct key){2, 23};
    named.u.job_open.name = (struct bytes){name, sizeof name};
    const struct {
        struct fact fact;
        const char *text;
    } cases[] = {
        {{.kind = 0}, "0 is not a kind of fact"},
        {{.kind = 200}, "200 is not a kind of fact"},
        {start_fact(5, "abcdef"), "epoch 5 does not follow 5"},
        {start_fact(6, ""), "the server's uid is not a few letters and digits"},
        {start_fact(6, "0123456789abcdef"), "the server's uid is not a few letters and digits"},
        {start_fact(6, "a\nb"), "the server's uid is not a few letters and digits"},
        {job_fact(FACT_JOB_OPEN, 4), "job 4 is not new: the last one was 4"},
        {job_fact(FACT_JOB_OPEN, 0), "job 0 is not new: the last one was 4"},
        {job_fact(FACT_JOB_OPEN, HQI_MAX_JOBS + 1), "job 16777217 is above 16777216"},
        {keyed, "job 2 was made by the same command"},
        {named, "the name of job 5 has 5000 bytes, at most 4096 are allowed"},
        {job_fact(FACT_JOB_CLOSE, 1), "job 1 is closed already"},
        {job_fact(FACT_JOB_CLOSE, 4), "job 4 is unknown"},
        {job_fact(FACT_JOB_FORGET, 1), "job 1 is forgotten before its end"},
        {job_fact(FACT_JOB_FORGET, 2), "job 2 is forgotten before its end"},
        {job_fact(FACT_JOB_FORGET, 9), "job 9 is unknown"},
        {job_fact(FACT_JOB_CANCEL, 0), "job 0 is unknown"},
        {job_fact(FACT_JOB_ABORT, 4), "job 4 is unknown"},
        {end_fact(FACT_WORKER_STOP, 3, 1), "worker 3 has ended before"},
        {end_fact(FACT_WORKER_LOST, 4, 1), "worker 4 is unknown"},
        {end_fact(FACT_WORKER_LOST, 1, 0), "0 is not the end of a worker"},
        {end_fact(FACT_WORKER_LOST, 1, 6), "6 is not the end of a worker"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&w, cases[i].fact, cases[i].text);
    world_close(&w);
}

static void refused_submit(struct world *w, uint32_t job, bool new_job, uint32_t submit, struct spec *spec,
                           const char *text)
{
    struct fact f = {.kind = FACT_SUBMIT};
    f.u.submit.job = job_id(job);
    f.u.submit.new_job = new_job;
    f.u.submit.submit = submit;
    f.u.submit.spec = spec;
    refused(w, f, text);
    hqi_model_spec_free(spec);
}

static void submits_are_checked(void **unused)
{
    static const hq_range ids = {15, 10, 1}, others = {30, 1, 1};
    const struct spec_options o = {0};
    struct world w;
    furnish(&w);
    refused_submit(&w, 4, true, 5, world_spec(&ids, 1, o), "job 4 is not new: the last one was 4");
    refused_submit(&w, 5, true, 4, world_spec(&ids, 1, o), "submit 4 is not between 5 and 16777216");
    refused_submit(&w, 5, true, UINT32_MAX, world_spec(&ids, 1, o),
                   "submit 4294967295 is not between 5 and 16777216");
    refused_submit(&w, 5, false, 5, world_spec(&ids, 1, o), "job 5 is unknown");
    refused_submit(&w, 1, false, 5, world_spec(&ids, 1, o), "submit 5 goes into job 1, which is closed");
    refused_submit(&w, 2, false, 5, world_spec(&ids, 1, o), "submit 5: task 15 already exists in job 2");
    refused_submit(&w, 2, false, 5, NULL, "submit 5 says nothing of its tasks");
    struct spec *empty = world_spec(&others, 1, o);
    empty->n_argv = 0;
    refused_submit(&w, 2, false, 5, empty, "submit 5: No command arguments");
    struct fact f = {.kind = FACT_SUBMIT};
    f.u.submit.job = job_id(2);
    f.u.submit.submit = 5;
    f.u.submit.key = (struct key){2, 17};
    f.u.submit.spec = world_spec(&others, 1, o);
    refused(&w, f, "job 2 was made by the same command");
    hqi_model_spec_free(f.u.submit.spec);
    world_close(&w);
}

static void workers_are_checked(void **unused)
{
    struct world w;
    furnish(&w);
    struct fact f = {.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker = worker_id(3);
    refused(&w, f, "worker 3 is not between 4 and 1048576");
    f.u.worker_join.worker = worker_id(HQI_MAX_WORKERS + 1);
    refused(&w, f, "worker 1048577 is not between 4 and 1048576");
    f.u.worker_join.worker = worker_id(4);
    refused(&w, f, "worker 4 says nothing of itself");
    f.u.worker_join.config = world_config(4, 0);
    f.u.worker_join.token = bytes_of("short");
    refused(&w, f, "worker 4 has a token of 5 bytes, not 16");
    f.u.worker_join.token = (struct bytes){0};
    f.u.worker_join.config->resources.n = 0;
    refused(&w, f, "worker 4: Resource 'cpus' is missing");
    hqi_model_config_free(f.u.worker_join.config);
    world_close(&w);
}

static void tasks_are_checked(void **unused)
{
    static const struct {
        uint8_t kind;
        uint32_t worker, submit, instance;
        struct ord_range r;
        const char *text;
    } cases[] = {
        {FACT_HANDOUT, 3, 1, 0, {2, 1}, "worker 3 has ended before"},
        {FACT_HANDOUT, 2, 4, 0, {2, 1}, "submit 4 is unknown"},
        {FACT_HANDOUT, 2, 1, 0, {2, 0}, "submit 1 has no tasks 2 to 2"},
        {FACT_HANDOUT, 2, 1, 0, {5, UINT32_MAX}, "submit 1 has no tasks 5 to 4294967300"},
        {FACT_HANDOUT, 2, 1, 0, {9, 2}, "submit 1 has no tasks 9 to 11"},
        {FACT_HANDOUT, 2, 1, 0, {1, 3}, "task 1 of submit 1 is handed out, but does not wait"},
        {FACT_HANDOUT, 2, 1, 1, {2, 3}, "task 2 of submit 1 waits for instance 0, not 1"},
        {FACT_HANDOUT, 2, 3, 0, {0, 1}, "task 0 of submit 3 is handed out, but does not wait"},
        {FACT_ADOPT, 3, 1, 0, {2, 1}, "worker 3 has ended before"},
        {FACT_ADOPT, 2, 4, 0, {2, 1}, "submit 4 is unknown"},
        {FACT_ADOPT, 2, 1, 0, {9, 2}, "submit 1 has no tasks 9 to 11"},
        {FACT_ADOPT, 2, 3, 0, {0, 1}, "task 0 of submit 3 is adopted, but has ended"},
        {FACT_REFUSED, 3, 1, 0, {2, 1}, "worker 3 has ended before"},
        {FACT_REFUSED, 2, 4, 0, {2, 1}, "submit 4 is unknown"},
        {FACT_REFUSED, 2, 1, 0, {9, 2}, "submit 1 has no tasks 9 to 11"},
        {FACT_RETRACT, 1, 1, 0, {1, 2}, "task 2 of submit 1 is not handed out"},
        {FACT_RETRACT, 1, 1, 0, {0, 0}, "submit 1 has no 0 tasks from 0"},
        {FACT_CRASHED, 1, 1, 0, {2, 1}, "task 2 of submit 1 is not handed out"},
        {FACT_RETURN, 2, 1, 0, {0, 1}, "task 0 of submit 1 is with worker 1, not 2"},
        {FACT_RETURN, 1, 1, 3, {0, 1}, "task 0 of submit 1 is handed out as instance 0, not 3"},
        {FACT_RETURN, 1, 1, 0, {5, UINT32_MAX}, "submit 1 has no 4294967295 tasks from 5"},
    };
    struct world w;
    furnish(&w);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(&w,
                world_tasks(&w, cases[i].kind, cases[i].worker, cases[i].submit, cases[i].instance,
                            cases[i].r, false),
                cases[i].text);
    refused(&w, world_started(&w, 2, 1, 0, 0, 0), "task 0 of submit 1 is with worker 1, not 2");
    refused(&w, world_started(&w, 1, 1, 0, 5, 0), "task 5 of submit 1 is not handed out");
    refused(&w, world_ended(&w, 1, 9, 0, (struct end_row){0}), "task 0 of submit 9 is not handed out");
    refused(&w, world_ended(&w, 1, 1, 0, (struct end_row){.code = 256}), "256 is not how a task ends");
    refused(&w, world_ended(&w, 1, 1, 0, (struct end_row){.code = 600}), "600 is not how a task ends");
    struct fact f = world_ended(&w, 1, 1, 0, (struct end_row){.text = "text"});
    ((struct end_text *)f.u.ended.groups->texts)->row = 1;
    refused(&w, f, "error text 0 belongs to no task");
    static const uint8_t variant = 32;
    f = world_started(&w, 1, 1, 0, 0, 0);
    ((struct start_group *)f.u.started.groups)->variant = &variant;
    refused(&w, f, "variant 32 of a request is not below 32");
    const struct ord_range r = {1, 2};
    const struct task_group g = {.submit = 1, .ranges = &r, .n_ranges = 1};
    const struct worker_tasks active = {worker_id(1), &g, 1};
    f = job_fact(FACT_JOB_CANCEL, 1);
    f.u.job_cancel.active = &active;
    f.u.job_cancel.n_active = 1;
    refused(&w, f, "task 2 of submit 1 is not handed out");
    world_close(&w);
}

static void a_hand_out_has_a_limit(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 1, 0);
    world_submit(&w, 1000000000, (struct spec_options){0});
    refused(&w, world_tasks(&w, FACT_HANDOUT, 1, 1, 0, (struct ord_range){0, 1000000000}, false),
            "1000000000 tasks in one hand-out, at most 1048576 are allowed");
    world_close(&w);
}

/* ---- at random ---- */

static uint64_t rnd(uint64_t *seed, uint32_t n)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (*seed >> 33) % n;
}

/* Mostly small numbers, which name something; some that name nothing. */
static uint32_t some(uint64_t *seed, uint32_t n)
{
    uint64_t v = rnd(seed, n);
    return rnd(seed, 40) ? (uint32_t)v : UINT32_MAX - (uint32_t)v;
}

static struct fact some_fact(struct world *w, uint64_t *seed)
{
    const struct ord_range r = {some(seed, 14), (uint32_t)rnd(seed, 6)};
    uint32_t worker = some(seed, 4), submit = some(seed, 4), instance = rnd(seed, 3) ? 0 : some(seed, 3);
    const struct end_row row = {
        .ordinal = some(seed, 14),
        .start_ms = rnd(seed, 2) ? w->now : rnd(seed, 1000) << 40,
        .duration_ms = rnd(seed, 3) << rnd(seed, 50),
        .code = (uint16_t)(rnd(seed, 2) ? rnd(seed, 600) : 0),
        .text = rnd(seed, 4) ? NULL : "text",
    };
    static const uint32_t submits[] = {1, 3, 9};
    struct fact back = {.kind = FACT_WORKER_BACK};
    switch (rnd(seed, 14)) {
    case 0:
        return job_fact((uint8_t)(FACT_JOB_CLOSE + rnd(seed, 2)), some(seed, 7));
    case 1:
        return end_fact((uint8_t)(FACT_WORKER_STOP + rnd(seed, 2)), some(seed, 40), (uint8_t)rnd(seed, 9));
    case 2:
        return world_tasks(w, FACT_RETURN, worker, submit, instance, r, rnd(seed, 2));
    case 3:
        return world_tasks(w, rnd(seed, 3) ? rnd(seed, 2) ? FACT_CRASHED : FACT_RETRACT : FACT_REFUSED, worker, submit, instance, r, false);
    case 4:
    case 5:
        return world_started(w, worker, submit, instance, row.ordinal, row.start_ms);
    case 6:
    case 7:
        return world_ended(w, worker, submit, instance, row);
    case 8:
        return job_fact(rnd(seed, 2) ? FACT_JOB_CANCEL : FACT_JOB_ABORT, some(seed, 40));
    case 9:
        back.u.worker_back.worker = worker_id(worker);
        back.u.worker_back.submits = submits;
        back.u.worker_back.n_submits = (uint32_t)rnd(seed, 4);
        return back;
    case 10:
    case 11:
        return world_tasks(w, FACT_ADOPT, worker, submit, instance, r, rnd(seed, 2));
    default:
        return world_tasks(w, FACT_HANDOUT, worker, submit, instance, r, rnd(seed, 2));
    }
}

/* New jobs and workers keep the state alive; everything else is made up. */
static void garbage_breaks_nothing(void **unused)
{
    uint32_t taken = 0, refusals = 0;
    for (uint64_t seed = 1; seed <= 400; seed++) {
        uint64_t s = seed * 7919;
        struct world w;
        furnish(&w);
        w.quick = true;
        for (int i = 0; i < 150; i++) {
            struct fact f = some_fact(&w, &s);
            f.utc_ms = rnd(&s, 5) ? w.now + rnd(&s, 100) : rnd(&s, 1000) << 52;
            bool fine = hqi_state_check(w.st, &f, NULL) == HQ_OK;
            taken += fine;
            refusals += !fine;
            assert_int_equal(hqi_state_reserve(w.st, &f, NULL), HQ_OK);
            hqi_state_apply(w.st, &f);
            world_verify(w.st);
        }
        world_close(&w);
    }
    assert_in_range(taken, 1000, UINT32_MAX); /* both kinds were met in numbers */
    assert_in_range(refusals, 1000, UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_and_jobs_are_checked), cmocka_unit_test(submits_are_checked),
        cmocka_unit_test(workers_are_checked),          cmocka_unit_test(tasks_are_checked),
        cmocka_unit_test(a_hand_out_has_a_limit),       cmocka_unit_test(garbage_breaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
