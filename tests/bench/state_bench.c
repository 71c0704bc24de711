/* SPDX-License-Identifier: MIT */
/* state_bench.c - what one task costs the state: nanoseconds to hand out and end, bytes to keep.
 *
 * Prints a line per figure: name, value, unit. Tasks go out and end in batches, without a STARTED fact, as short tasks
 * do; reserve and apply are both counted, building the facts is not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "state/state.h"

#define BATCH 256u
#define START_MS 1700000000000ull

struct counted { /* an allocator that knows how much is out */
    struct alloc alloc;
    size_t bytes;
};

struct block {
    size_t size;
    size_t pad; /* keeps 16-byte alignment */
};

static void *counting_realloc(void *user, void *ptr, size_t size)
{
    struct counted *c = user;
    struct block *old = ptr ? (struct block *)ptr - 1 : NULL;
    c->bytes -= old ? old->size : 0;
    if (size == 0) {
        free(old);
        return NULL;
    }
    struct block *b = realloc(old, sizeof *b + size);
    if (!b)
        exit(1);
    b->size = size;
    c->bytes += size;
    return b + 1;
}

static void act(struct state *st, struct fact *f)
{
    if (hqi_state_reserve(st, f, NULL) < 0)
        exit(1);
    hqi_state_apply(st, f);
}

static struct spec *make_spec(uint32_t tasks)
{
    static const struct request_entry cpus = {{"cpus", 4}, POLICY_COMPACT, HQ_UNITS};
    static const struct request_variant variant = {.entries = &cpus, .n_entries = 1, .weight = HQ_UNITS};
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    const hq_range ids = {0, tasks, 1};
    if (!s || hqi_model_intset_make(&s->ids, s->mem, &ids, 1, NULL) < 0)
        exit(1);
    s->request = (struct resource_request){&variant, 1};
    return s;
}

static void submit(struct state *st, uint32_t tasks)
{
    struct fact f = {.kind = FACT_SUBMIT, .utc_ms = START_MS};
    f.u.submit.job.n = st->n_jobs + 1;
    f.u.submit.new_job = true;
    f.u.submit.submit = st->n_submits + 1;
    f.u.submit.spec = make_spec(tasks);
    act(st, &f);
}

static void join(struct state *st)
{
    static const struct resource_def cpus = {.name = {"cpus", 4}, .kind = RESOURCE_RANGE, .end = 127};
    struct fact f = {.kind = FACT_WORKER_JOIN, .utc_ms = START_MS};
    f.u.worker_join.worker.n = st->n_workers + 1;
    f.u.worker_join.config = hqi_model_config_new(&hqi_base_alloc_libc);
    f.u.worker_join.config->resources = (struct resources){&cpus, 1};
    act(st, &f);
}

static uint64_t hand_out(struct state *st, uint32_t submit, struct ord_range r)
{
    const struct task_group g = {.submit = submit, .ranges = &r, .n_ranges = 1};
    struct fact f = {.kind = FACT_HANDOUT, .utc_ms = START_MS + r.first / 1000};
    f.u.tasks.worker.n = 1;
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    uint64_t before = hqi_base_clock_now().mono_ns;
    act(st, &f);
    return hqi_base_clock_now().mono_ns - before;
}

static uint64_t end(struct state *st, uint32_t submit, struct ord_range r)
{
    static const uint64_t start[BATCH], duration[BATCH];
    static const uint16_t code[BATCH];
    uint32_t ordinals[BATCH];
    for (uint32_t i = 0; i < r.count; i++)
        ordinals[i] = r.first + i;
    const struct end_group g = {
        .submit = submit, .n = r.count, .ordinals = ordinals, .start_ms = start, .duration_ms = duration, .code = code};
    struct fact f = {.kind = FACT_ENDED, .utc_ms = START_MS + r.first / 1000 + 1};
    f.u.ended.worker.n = 1;
    f.u.ended.groups = &g;
    f.u.ended.n_groups = 1;
    uint64_t before = hqi_base_clock_now().mono_ns;
    act(st, &f);
    return hqi_base_clock_now().mono_ns - before;
}

/* `depth` batches are out at any time, so that the attempts fill more than a cache. */
static uint64_t run_all(struct state *st, uint32_t submit, uint32_t tasks, uint32_t depth)
{
    uint64_t ns = 0;
    uint32_t ended = 0;
    for (uint32_t at = 0; at < tasks; at += BATCH) {
        ns += hand_out(st, submit, (struct ord_range){at, tasks - at < BATCH ? tasks - at : BATCH});
        if (at / BATCH < depth)
            continue;
        ns += end(st, submit, (struct ord_range){ended, BATCH});
        ended += BATCH;
    }
    for (; ended < tasks; ended += BATCH)
        ns += end(st, submit, (struct ord_range){ended, tasks - ended < BATCH ? tasks - ended : BATCH});
    return ns;
}

static size_t measure(uint32_t tasks, uint32_t depth, const char *name)
{
    struct counted mem = {.alloc = {counting_realloc, &mem}};
    struct state *st;
    if (hqi_state_state_new(&st, &mem.alloc, NULL) < 0)
        exit(1);
    join(st);
    submit(st, tasks);
    uint64_t ns = run_all(st, 1, tasks, depth);
    size_t bytes = mem.bytes;
    printf("%s %.1f ns/task\n", name, (double)ns / tasks);
    hqi_state_state_free(st);
    return bytes;
}

/* A billion tasks that only wait, and are then given up. */
static void measure_untouched(void)
{
    struct counted mem = {.alloc = {counting_realloc, &mem}};
    struct state *st;
    if (hqi_state_state_new(&st, &mem.alloc, NULL) < 0)
        exit(1);
    uint64_t before = hqi_base_clock_now().mono_ns;
    submit(st, 1000000000);
    struct fact f = {.kind = FACT_JOB_CANCEL, .utc_ms = START_MS};
    f.u.job_cancel.job.n = 1;
    act(st, &f);
    printf("submit_cancel_1e9 %.1f us\n", (double)(hqi_base_clock_now().mono_ns - before) / 1000);
    printf("bytes_waiting_1e9 %zu bytes\n", mem.bytes);
    hqi_state_state_free(st);
}

int main(void)
{
    size_t small = measure(1000000, 0, "handout_ended_1e6");
    measure(1000000, 256, "handout_ended_1e6_64k_out");
    size_t large = measure(10000000, 0, "handout_ended_1e7");
    printf("bytes_per_finished_task %.3f bytes\n", (double)(large - small) / 9000000);
    measure_untouched();
    return 0;
}
