/* SPDX-License-Identifier: MIT */
/* plan_bench.c - how long one scheduling call takes in a large cluster: 1,000 workers of four kinds, 200 request classes,
 * 10,000,000 waiting tasks.
 *
 *     plan_bench [CALLS]
 *
 * Between two calls the tasks of some workers end, other workers are as they were. A call is planning, reserving and applying,
 * as in a tick of the server. Prints one JSON object: microseconds of processor time by the number of priorities over which the
 * classes are spread (median, 99th percentile, longest), and how many tasks a call hands out. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sched/plan.h"

#define WORKERS 1000u
#define CLASSES 200u
#define TASKS_EACH 50000u
#define ENDING 50u /* workers of which tasks end between two calls */
#define START_MS 1700000000000ull
#define FIRST_CALLS 20u /* that fill the empty cluster, and are not counted */

struct cluster {
    struct state *state;
    struct scratch *scratch;
    struct arena mem;
    struct plan_peer peers[WORKERS + 1];
    uint64_t utc_ms, handed;
    uint32_t random;
};

static uint32_t draw(struct cluster *c, uint32_t below)
{
    c->random = c->random * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)c->random * below >> 32);
}

static void act(struct cluster *c, struct fact *f)
{
    f->utc_ms = c->utc_ms;
    if (hqi_state_reserve(c->state, f, NULL) < 0)
        exit(1);
    hqi_state_apply(c->state, f);
}

static void join(struct cluster *c, uint32_t kind)
{
    static const uint32_t cpus[] = {128, 128, 64, 256}, gpus[] = {1, 8, 4, 1};
    struct worker_config *w = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *d = hqi_base_arena_zero(w->mem, 3, sizeof *d);
    d[0] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .end = cpus[kind] - 1};
    d[1] = (struct resource_def){.name = bytes_of("gpus"), .kind = RESOURCE_RANGE, .end = gpus[kind] - 1};
    d[2] = (struct resource_def){.name = bytes_of("mem"), .kind = RESOURCE_SUM, .sum = 512000ull * HQ_UNITS};
    w->resources = (struct resources){d, 3};
    struct fact f = {.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker.n = c->state->n_workers + 1;
    f.u.worker_join.config = w;
    act(c, &f);
}

static void submit(struct cluster *c, uint32_t class, uint32_t priorities)
{
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    struct request_entry *e = hqi_base_arena_zero(s->mem, 3, sizeof *e);
    struct request_variant *v = hqi_base_arena_zero(s->mem, 1, sizeof *v);
    const hq_range ids = {0, TASKS_EACH, 1};
    e[0] = (struct request_entry){bytes_of("cpus"), POLICY_COMPACT, (1 + class % 32) * (uint64_t)HQ_UNITS};
    e[1] = class % 4 ? (struct request_entry){bytes_of("mem"), POLICY_COMPACT, (1000 + class) * (uint64_t)HQ_UNITS}
                     : (struct request_entry){bytes_of("gpus"), POLICY_COMPACT, (1 + class % 3) * (uint64_t)HQ_UNITS};
    e[2] = (struct request_entry){bytes_of("mem"), POLICY_COMPACT, (1000 + class) * (uint64_t)HQ_UNITS};
    *v = (struct request_variant){0, e, class % 4 ? 2 : 3, class % 5 ? 0 : 60000, HQ_UNITS};
    s->request = (struct resource_request){v, 1};
    s->priority = -(int32_t)(class % priorities);
    if (hqi_model_intset_make(&s->ids, s->mem, &ids, 1, NULL) < 0)
        exit(1);
    struct fact f = {.kind = FACT_SUBMIT};
    f.u.submit.job.n = c->state->n_jobs + 1;
    f.u.submit.new_job = true;
    f.u.submit.max_fails = UINT32_MAX;
    f.u.submit.submit = c->state->n_submits + 1;
    f.u.submit.spec = s;
    act(c, &f);
}

/* The first task of the worker ends, and was short. */
static void end_one(struct cluster *c, const struct worker *w)
{
    static const uint64_t duration = 10;
    static const uint16_t code = 0;
    const struct piece *p = hqi_container(w->active.next, struct piece, in_worker);
    const uint32_t ordinal = p->first;
    const uint64_t start = c->utc_ms - duration;
    const struct end_group g = {.submit = p->submit->id, .n = 1, .ordinals = &ordinal, .start_ms = &start,
                                .duration_ms = &duration, .code = &code};
    struct fact f = {.kind = FACT_ENDED};
    f.u.ended.worker = w->id;
    f.u.ended.groups = &g;
    f.u.ended.n_groups = 1;
    act(c, &f);
}

static void end_some(struct cluster *c)
{
    c->utc_ms += 10;
    for (uint32_t i = 0; i < ENDING; i++) {
        const struct worker *w = hqi_state_worker(c->state, (hq_worker_id){1 + draw(c, WORKERS)});
        for (uint32_t n = w->n_active / 4 + 1; n > 0 && w->n_active; n--)
            end_one(c, w);
    }
}

static uint64_t processor_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t call(struct cluster *c)
{
    const struct plan_input in = {c->utc_ms, c->peers, WORKERS + 1, PLAN_STEPS, PLAN_TASKS};
    struct plan_result r;
    uint64_t before = processor_ns();
    hqi_base_arena_clear(&c->mem);
    if (hqi_sched_plan(&r, c->state, c->scratch, &in, &c->mem, NULL) < 0)
        exit(1);
    for (uint32_t i = 0; i < r.n; i++) {
        act(c, &r.facts[i]);
        for (uint32_t k = 0; k < r.facts[i].u.tasks.n_groups; k++)
            for (uint32_t j = 0; j < r.facts[i].u.tasks.groups[k].n_ranges; j++)
                c->handed += r.facts[i].u.tasks.groups[k].ranges[j].count;
    }
    return processor_ns() - before;
}

static int by_size(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return (a > b) - (a < b);
}

static void measure(uint32_t priorities, uint32_t calls)
{
    struct cluster c = {.utc_ms = START_MS, .random = 1};
    uint64_t *ns = calloc(calls, sizeof *ns);
    if (!ns || hqi_state_state_new(&c.state, &hqi_base_alloc_libc, NULL) < 0)
        exit(1);
    c.scratch = hqi_sched_scratch_new(&hqi_base_alloc_libc);
    hqi_base_arena_init(&c.mem, &hqi_base_alloc_libc);
    for (uint32_t i = 0; i < WORKERS; i++) {
        join(&c, i % 4);
        c.peers[i + 1].rtt_ns = 200000;
    }
    for (uint32_t i = 0; i < CLASSES; i++)
        submit(&c, i, priorities);
    for (uint32_t i = 0; i < FIRST_CALLS; i++, end_some(&c))
        call(&c);
    c.handed = 0;
    for (uint32_t i = 0; i < calls; i++, end_some(&c))
        ns[i] = call(&c);
    qsort(ns, calls, sizeof *ns, by_size);
    printf("\"%u\": {\"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f, \"tasks_per_call\": %.0f}", priorities,
           (double)ns[calls / 2] / 1000, (double)ns[calls - 1 - calls / 100] / 1000, (double)ns[calls - 1] / 1000,
           (double)c.handed / calls);
    hqi_state_state_free(c.state);
    hqi_sched_scratch_free(c.scratch);
    hqi_base_arena_fini(&c.mem);
    free(ns);
}

int main(int argc, char **argv)
{
    static const uint32_t priorities[] = {1, 20, 200};
    int calls = argc > 1 ? atoi(argv[1]) : 500;
    if (calls <= 0) {
        fprintf(stderr, "usage: plan_bench [CALLS]\n");
        return 2;
    }
    printf("{\"workers\": %u, \"classes\": %u, \"waiting\": %u, \"calls\": %d, \"priorities\": {", WORKERS, CLASSES,
           CLASSES * TASKS_EACH, calls);
    for (unsigned i = 0; i < sizeof priorities / sizeof *priorities; i++) {
        printf("%s", i ? ", " : "");
        measure(priorities[i], (uint32_t)calls);
    }
    puts("}}");
    return 0;
}
