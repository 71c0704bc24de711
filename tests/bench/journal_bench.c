/* SPDX-License-Identifier: MIT */
/* journal_bench.c - what a journal costs: bytes per finished task, restoring them, appending, compacting.
 *
 * Prints a line per figure: name, value, unit. 10^6 tasks go out and end in batches of 256, as short tasks do on a worker of 128
 * cpus, with starts and durations that differ; times are CPU time of this process, and of the wall where the disk counts. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "journal/journal.h"
#include "state/state.h"
#include "wire/record.h"

#define TASKS 1000000u
#define BATCH 256u
#define START_MS 1700000000000ull

static char path[64];

static void must(int r, const hq_error *err)
{
    if (r < 0) {
        fprintf(stderr, "%s\n", err->text);
        exit(1);
    }
}

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double wall_s(void)
{
    return (double)hqi_base_clock_now().mono_ns * 1e-9;
}

/* ---- the facts ---- */

struct writing {
    struct journal *j;
    struct buf record;
    struct arena making;
    uint64_t position;
};

static void put(struct writing *w, const struct fact *f)
{
    hq_error err;
    hqi_base_buf_clear(&w->record);
    hqi_wire_record_encode_in(&w->making, f, 1, &w->record);
    must(hqi_journal_journal_append(w->j, ++w->position, hqi_base_buf_bytes(&w->record), &err), &err);
}

static struct spec *make_spec(void)
{
    static const struct request_entry cpus = {{"cpus", 4}, POLICY_COMPACT, HQ_UNITS};
    static const struct request_variant variant = {.entries = &cpus, .n_entries = 1, .weight = HQ_UNITS};
    static const struct bytes argv = {"/bin/true", 9};
    struct spec *s = hqi_model_spec_new(&hqi_base_alloc_libc);
    const hq_range ids = {0, TASKS, 1};
    if (!s || hqi_model_intset_make(&s->ids, s->mem, &ids, 1, NULL) < 0)
        exit(1);
    s->request = (struct resource_request){&variant, 1};
    s->argv = &argv;
    s->n_argv = 1;
    s->submit_dir = s->cwd = (struct bytes){"/", 1};
    s->out.kind = s->err.kind = STDIO_NONE;
    return s;
}

static void begin(struct writing *w)
{
    static const struct resource_def cpus = {.name = {"cpus", 4}, .kind = RESOURCE_RANGE, .end = 127};
    struct fact f = {.kind = FACT_SERVER_START, .utc_ms = START_MS};
    f.u.server_start.epoch = 1;
    f.u.server_start.uid = (struct bytes){"abcdef", 6};
    put(w, &f);
    f = (struct fact){.kind = FACT_WORKER_JOIN, .utc_ms = START_MS};
    f.u.worker_join.worker.n = 1;
    f.u.worker_join.config = hqi_model_config_new(&hqi_base_alloc_libc);
    f.u.worker_join.config->resources = (struct resources){&cpus, 1};
    f.u.worker_join.config->hostname = f.u.worker_join.config->group = (struct bytes){"n", 1};
    f.u.worker_join.config->on_server_lost = LOST_STOP;
    f.u.worker_join.config->heartbeat_ms = 8000;
    put(w, &f);
    hqi_model_config_free(f.u.worker_join.config);
    f = (struct fact){.kind = FACT_SUBMIT, .utc_ms = START_MS};
    f.u.submit.job.n = f.u.submit.submit = 1;
    f.u.submit.new_job = true;
    f.u.submit.max_fails = UINT32_MAX;
    f.u.submit.spec = make_spec();
    put(w, &f);
    hqi_model_spec_free(f.u.submit.spec);
}

static void hand_out(struct writing *w, uint32_t first, uint32_t n)
{
    const struct ord_range r = {first, n};
    const struct task_group g = {.submit = 1, .ranges = &r, .n_ranges = 1};
    struct fact f = {.kind = FACT_HANDOUT, .utc_ms = START_MS + first / 4};
    f.u.tasks.worker.n = 1;
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    put(w, &f);
}

static void end(struct writing *w, uint32_t first, uint32_t n)
{
    static const uint16_t code[BATCH];
    uint32_t ordinals[BATCH];
    uint64_t start[BATCH], duration[BATCH];
    for (uint32_t i = 0; i < n; i++) {
        ordinals[i] = first + i;
        start[i] = START_MS + first / 4 + i / 4 + (first + i) * 7919ull % 5;
        duration[i] = 1 + (first + i) * 104729ull % 30;
    }
    const struct end_group g = {
        .submit = 1, .n = n, .ordinals = ordinals, .start_ms = start, .duration_ms = duration, .code = code};
    struct fact f = {.kind = FACT_ENDED, .utc_ms = START_MS + first / 4 + 150};
    f.u.ended.worker.n = 1;
    f.u.ended.groups = &g;
    f.u.ended.n_groups = 1;
    put(w, &f);
}

/* ---- the figures ---- */

static struct journal *open_journal(struct state *st)
{
    const struct journal_options o = {.alloc = &hqi_base_alloc_libc};
    struct journal *j;
    struct journal_record r;
    struct arena mem;
    struct fact *facts;
    uint32_t n;
    hq_error err;
    int rc;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    must(hqi_journal_journal_open(&j, path, &o, &err), &err);
    while ((rc = hqi_journal_journal_next(j, &r, &err)) > 0) {
        hqi_base_arena_clear(&mem);
        must(hqi_wire_record_decode(&facts, &n, r.bytes, &hqi_base_alloc_libc, &mem, &err), &err);
        must(hqi_state_replay(st, r.position, facts, n, &err), &err);
    }
    must(rc, &err);
    hqi_base_arena_fini(&mem);
    return j;
}

static void measure_writing(struct journal *j)
{
    struct writing w = {.j = j};
    hq_error err;
    hqi_base_buf_init(&w.record, &hqi_base_alloc_libc);
    hqi_base_arena_init(&w.making, &hqi_base_alloc_libc);
    double cpu = cpu_s(), wall = wall_s();
    begin(&w);
    for (uint32_t at = 0; at < TASKS; at += BATCH) {
        uint32_t n = TASKS - at < BATCH ? TASKS - at : BATCH;
        hand_out(&w, at, n);
        end(&w, at, n);
        hqi_journal_journal_push(j);
    }
    must(hqi_journal_journal_stop(j, &err), &err);
    printf("append_and_sync_1e6 %.1f ms\n", (wall_s() - wall) * 1000);
    printf("append_1e6 %.1f ns/task\n", (cpu_s() - cpu) * 1e9 / TASKS);
    hqi_base_buf_fini(&w.record);
    hqi_base_arena_fini(&w.making);
}

static void measure_compaction(struct journal *j)
{
    struct journal_compactions c;
    hq_error err;
    double cpu = cpu_s();
    must(hqi_journal_journal_start(j, "abcdef", &err), &err);
    hqi_journal_journal_compact(j, false);
    do {
        usleep(1000);
        must(hqi_journal_journal_compactions(j, &c, &err), &err);
    } while (c.done == 0);
    printf("compact_1e6 %.1f ms\n", (cpu_s() - cpu) * 1000);
    printf("bytes_per_finished_task %.3f bytes\n", (double)c.before / TASKS);
}

int main(void)
{
    struct state *st;
    struct journal *j;
    hq_error err;
    snprintf(path, sizeof path, "/tmp/journal_bench.%d", (int)getpid());
    must(hqi_state_state_new(&st, &hqi_base_alloc_libc, &err), &err);
    j = open_journal(st);
    must(hqi_journal_journal_start(j, "abcdef", &err), &err);
    measure_writing(j);
    hqi_journal_journal_free(j);
    double cpu = cpu_s();
    j = open_journal(st);
    printf("restore_1e6 %.1f ms\n", (cpu_s() - cpu) * 1000);
    measure_compaction(j);
    hqi_journal_journal_free(j);
    hqi_state_state_free(st);
    unlink(path);
    return 0;
}
