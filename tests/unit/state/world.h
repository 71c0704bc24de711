/* SPDX-License-Identifier: MIT */
/* world.h - a state under test: facts are made in a line, and each one is checked, reserved, applied, verified and kept,
 * so that any test can end by replaying all of them into an empty state.
 *
 * With `hard` set, each reservation is first tried with each of its allocations failing, and each apply runs
 * without any memory at all. */
#ifndef TESTS_STATE_WORLD_H
#define TESTS_STATE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/arena.h"
#include "state/state.h"

#define START_MS 1700000000000ull

struct world {
    struct failing mem; /* of the state */
    struct state *st;
    struct arena facts; /* arrays of the facts, for as long as the world */
    struct fact *log;   /* owned; spec and config in it too */
    uint64_t *digests;  /* owned; behind each fact */
    size_t n_log, room_log;
    uint64_t now;
    bool hard;
    bool quick; /* no verify, no log: for bulk */
};

static inline void world_open(struct world *w)
{
    memset(w, 0, sizeof *w);
    failing_init(&w->mem, 0);
    hqi_base_arena_init(&w->facts, &hqi_base_alloc_libc);
    w->now = START_MS;
    assert_int_equal(hqi_state_state_new(&w->st, &w->mem.alloc, NULL), HQ_OK);
}

static inline void world_verify(const struct state *st)
{
    hq_error err;
    if (hqi_state_verify(st, &err) != HQ_OK)
        fail_msg("%s", err.text);
}

/* Each allocation of the reservation fails in turn; nothing may have changed, and the next try is as good. */
static inline void world_reserve_hard(struct world *w, const struct fact *f)
{
    uint64_t before = hqi_state_digest(w->st);
    for (size_t i = 1;; i++) {
        w->mem.calls = 0;
        w->mem.fail_at = i;
        w->mem.hit = false;
        int rc = hqi_state_reserve(w->st, f, NULL);
        w->mem.fail_at = 0;
        assert_int_equal(rc, w->mem.hit ? HQ_ENOMEM : HQ_OK);
        assert_true(hqi_state_digest(w->st) == before);
        if (rc == HQ_OK)
            return;
        world_verify(w->st);
    }
}

static inline void world_keep(struct world *w, const struct fact *f)
{
    if (w->n_log == w->room_log) {
        w->room_log = w->room_log ? 2 * w->room_log : 64;
        w->log = realloc(w->log, w->room_log * sizeof *w->log);
        w->digests = realloc(w->digests, w->room_log * sizeof *w->digests);
    }
    struct fact *kept = &w->log[w->n_log++];
    *kept = *f;
    if (f->kind == FACT_SUBMIT)
        kept->u.submit.spec = hqi_model_spec_copy(&hqi_base_alloc_libc, f->u.submit.spec);
    if (f->kind == FACT_WORKER_JOIN)
        kept->u.worker_join.config = hqi_model_config_copy(&hqi_base_alloc_libc, f->u.worker_join.config);
}

static inline void world_apply(struct world *w, struct fact *f)
{
    w->mem.calls = 0;
    w->mem.fail_at = w->hard;
    w->mem.forever = w->hard;
    hqi_state_apply(w->st, f);
    w->mem.fail_at = 0;
    w->mem.forever = false;
    if (f->kind == FACT_SUBMIT)
        assert_null(f->u.submit.spec);
    if (f->kind == FACT_WORKER_JOIN)
        assert_null(f->u.worker_join.config);
}

static inline void world_do(struct world *w, struct fact f)
{
    hq_error err;
    f.utc_ms = f.utc_ms ? f.utc_ms : w->now;
    if (hqi_state_check(w->st, &f, &err) != HQ_OK)
        fail_msg("%s", err.text);
    if (!w->quick)
        world_keep(w, &f);
    if (w->hard)
        world_reserve_hard(w, &f);
    else
        assert_int_equal(hqi_state_reserve(w->st, &f, NULL), HQ_OK);
    world_apply(w, &f);
    if (w->quick)
        return;
    world_verify(w->st);
    w->digests[w->n_log - 1] = hqi_state_digest(w->st);
}

/* What a journal would do. Every state on the way is the same as it was live. */
static inline void world_replay(const struct world *w)
{
    struct state *st;
    hq_error err;
    assert_int_equal(hqi_state_state_new(&st, &hqi_base_alloc_libc, NULL), HQ_OK);
    for (size_t i = 0; i < w->n_log; i++) {
        struct fact f = w->log[i];
        if (f.kind == FACT_SUBMIT)
            f.u.submit.spec = hqi_model_spec_copy(&hqi_base_alloc_libc, f.u.submit.spec);
        if (f.kind == FACT_WORKER_JOIN)
            f.u.worker_join.config = hqi_model_config_copy(&hqi_base_alloc_libc, f.u.worker_join.config);
        if (hqi_state_check(st, &f, &err) != HQ_OK)
            fail_msg("%s", err.text);
        assert_int_equal(hqi_state_reserve(st, &f, NULL), HQ_OK);
        hqi_state_apply(st, &f);
        assert_true(hqi_state_digest(st) == w->digests[i]);
    }
    hqi_state_state_free(st);
}

static inline void world_close(struct world *w)
{
    if (!w->quick)
        world_replay(w);
    hqi_state_state_free(w->st);
    assert_int_equal(w->mem.live, 0);
    for (size_t i = 0; i < w->n_log; i++) {
        if (w->log[i].kind == FACT_SUBMIT)
            hqi_model_spec_free(w->log[i].u.submit.spec);
        if (w->log[i].kind == FACT_WORKER_JOIN)
            hqi_model_config_free(w->log[i].u.worker_join.config);
    }
    free(w->log);
    free(w->digests);
    hqi_base_arena_fini(&w->facts);
}

/* ---- making facts ---- */

struct spec_options {
    uint32_t cpus; /* 0: 1 */
    bool all;      /* all cpus of the worker */
    uint32_t gpus;
    int32_t priority;
    uint32_t crash_limit; /* as in the spec */
};

static inline struct request_entry world_entry(const char *name, uint32_t units, bool all)
{
    return (struct request_entry){
        .name = bytes_of(name),
        .policy = all ? POLICY_ALL : POLICY_COMPACT,
        .amount = all ? 0 : (uint64_t)units * HQ_UNITS,
    };
}

static inline struct spec *world_spec(const hq_range *ranges, uint32_t n, struct spec_options o)
{
    static const struct bytes argv[] = {{"/bin/true", 9}};
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    assert_int_equal(hqi_model_intset_make(&s->ids, s->mem, ranges, n, NULL), HQ_OK);
    struct request_variant *v = hqi_base_arena_zero(s->mem, 1, sizeof *v);
    struct request_entry *e = hqi_base_arena_zero(s->mem, 2, sizeof *e);
    e[0] = world_entry("cpus", o.cpus ? o.cpus : 1, o.all);
    e[1] = world_entry("gpus", o.gpus, false);
    *v = (struct request_variant){.entries = e, .n_entries = o.gpus ? 2 : 1, .weight = HQ_UNITS};
    s->argv = argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = bytes_of("/");
    s->out.kind = s->err.kind = STDIO_NONE;
    s->request = (struct resource_request){v, 1};
    s->priority = o.priority;
    s->crash_limit = o.crash_limit;
    return s;
}

static inline struct worker_config *world_config(uint32_t cpus, uint32_t gpus)
{
    struct worker_config *c = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *r = hqi_base_arena_zero(c->mem, 2, sizeof *r);
    r[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .end = cpus - 1};
    r[1] = (struct resource_def){
        .name = bytes_of("gpus"), .kind = RESOURCE_SUM, .sum = (uint64_t)gpus * HQ_UNITS};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 8000;
    c->resources = (struct resources){r, gpus ? 2 : 1};
    return c;
}

static inline void *world_copy(struct world *w, const void *p, size_t size)
{
    void *copy = hqi_base_arena_get(&w->facts, size);
    memcpy(copy, p, size);
    return copy;
}

static inline hq_job_id job_id(uint32_t n)
{
    return (hq_job_id){n};
}

static inline hq_worker_id worker_id(uint32_t n)
{
    return (hq_worker_id){n};
}

/* A new closed job (job 0), or one more submit of an open one; returns the submit. */
static inline struct submit *world_submit_ranges(struct world *w, uint32_t job, const hq_range *ranges,
                                                 uint32_t n, struct spec_options o)
{
    struct fact f = {.kind = FACT_SUBMIT};
    f.u.submit.new_job = job == 0;
    f.u.submit.job = job_id(job ? job : w->st->n_jobs + 1);
    f.u.submit.name = bytes_of("test");
    f.u.submit.max_fails = UINT32_MAX;
    f.u.submit.submit = w->st->n_submits + 1;
    f.u.submit.spec = world_spec(ranges, n, o);
    f.u.submit.key = (struct key){f.u.submit.submit, 17};
    world_do(w, f);
    return w->st->submits[w->st->n_submits];
}

static inline struct submit *world_submit(struct world *w, uint32_t tasks, struct spec_options o)
{
    const hq_range r = {0, tasks, 1};
    return world_submit_ranges(w, 0, &r, 1, o);
}

static inline uint32_t world_open_job(struct world *w)
{
    struct fact f = {.kind = FACT_JOB_OPEN};
    f.u.job_open.job = job_id(w->st->n_jobs + 1);
    f.u.job_open.name = bytes_of("job");
    f.u.job_open.max_fails = 3;
    f.u.job_open.key = (struct key){f.u.job_open.job.n, 23};
    world_do(w, f);
    return w->st->n_jobs;
}

static inline struct worker *world_join(struct world *w, uint32_t cpus, uint32_t gpus)
{
    struct fact f = {.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker = worker_id(w->st->n_workers + 1);
    f.u.worker_join.config = world_config(cpus, gpus);
    world_do(w, f);
    return w->st->workers[w->st->n_workers];
}

/* `kind` with the job alone: close, forget, cancel, abort without anything handed out. */
static inline void world_job(struct world *w, uint8_t kind, uint32_t job)
{
    struct fact f = {.kind = kind};
    if (kind == FACT_JOB_CANCEL || kind == FACT_JOB_ABORT)
        f.u.job_cancel.job = job_id(job);
    else
        f.u.job_close.job = job_id(job);
    world_do(w, f);
}

static inline void world_end_worker(struct world *w, uint8_t kind, uint32_t worker, uint8_t reason)
{
    struct fact f = {.kind = kind};
    f.u.worker_lost.worker = worker_id(worker);
    f.u.worker_lost.reason = reason;
    world_do(w, f);
}

/* HANDOUT, RETRACT or RETURN of one range; for HANDOUT `flag` is booked, for RETURN block. */
static inline struct fact world_tasks(struct world *w, uint8_t kind, uint32_t worker, uint32_t submit,
                                      uint32_t instance, struct ord_range r, bool flag)
{
    struct task_group g = {.submit = submit, .instance = instance, .n_ranges = 1};
    g.ranges = world_copy(w, &r, sizeof r);
    g.booked = (kind == FACT_HANDOUT || kind == FACT_ADOPT) && flag;
    g.with_spec = kind == FACT_HANDOUT && flag;
    struct fact f = {.kind = kind};
    f.u.tasks.worker = worker_id(worker);
    f.u.tasks.groups = world_copy(w, &g, sizeof g);
    f.u.tasks.n_groups = 1;
    f.u.tasks.block = kind == FACT_RETURN && flag;
    return f;
}

static inline void world_hand(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance,
                              uint32_t first, uint32_t count, bool booked)
{
    world_do(
        w, world_tasks(w, FACT_HANDOUT, worker, submit, instance, (struct ord_range){first, count}, booked));
}

static inline struct fact world_started(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance,
                                        uint32_t ordinal, uint64_t start_ms)
{
    struct start_group g = {.submit = submit, .instance = instance, .n = 1};
    g.ordinals = world_copy(w, &ordinal, sizeof ordinal);
    g.start_ms = world_copy(w, &start_ms, sizeof start_ms);
    struct fact f = {.kind = FACT_STARTED};
    f.u.started.worker = worker_id(worker);
    f.u.started.groups = world_copy(w, &g, sizeof g);
    f.u.started.n_groups = 1;
    return f;
}

static inline void world_start(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance,
                               uint32_t ordinal)
{
    world_do(w, world_started(w, worker, submit, instance, ordinal, w->now));
}

struct end_row {
    uint32_t ordinal;
    uint64_t start_ms, duration_ms;
    uint16_t code;
    const char *text; /* NULL: none */
};

static inline struct fact world_ended(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance,
                                      struct end_row row)
{
    struct end_group g = {.submit = submit, .instance = instance, .n = 1};
    const struct end_text text = {0, bytes_of(row.text)};
    g.ordinals = world_copy(w, &row.ordinal, sizeof row.ordinal);
    g.start_ms = world_copy(w, &row.start_ms, sizeof row.start_ms);
    g.duration_ms = world_copy(w, &row.duration_ms, sizeof row.duration_ms);
    g.code = world_copy(w, &row.code, sizeof row.code);
    g.texts = world_copy(w, &text, sizeof text);
    g.n_texts = row.text != NULL;
    struct fact f = {.kind = FACT_ENDED};
    f.u.ended.worker = worker_id(worker);
    f.u.ended.groups = world_copy(w, &g, sizeof g);
    f.u.ended.n_groups = 1;
    return f;
}

static inline void world_end(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance,
                             struct end_row row)
{
    world_do(w, world_ended(w, worker, submit, instance, row));
}

static inline struct task_view world_view(const struct submit *s, uint32_t ordinal)
{
    struct task_view v;
    hqi_state_task(s, ordinal, &v);
    return v;
}

#endif
