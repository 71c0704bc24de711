/* SPDX-License-Identifier: MIT */
/* world.h - a server core under test: commands and reports go in by one line each, and what the core says comes out as
 * text, one line for each entry of its outbox.
 *
 * Each world keeps its facts as records; world_close() verifies the state, replays the records into a second core and
 * compares, so every scenario is a test of the replay too. Times are inputs: `now` moves when a test says so. */
#ifndef TESTS_CORE_WORLD_H
#define TESTS_CORE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../unit/failing_alloc.h"
#include "base/buf.h"
#include "core/core.h"

#define WORLD_UTC 1700000000000ull
#define CLIENT 7u /* the client of world_* functions that do not name one */
#define NO_LIMIT UINT32_MAX

struct world {
    struct failing mem; /* of the core */
    struct core *core;
    struct now now;
    uint64_t client; /* who asks; CLIENT at first */
    uint64_t next_id;
    uint64_t next_key;
    struct buf said;
    struct buf records; /* uint32_t length and bytes of each batch */
    bool full;          /* facts cannot be recorded */
    uint32_t n_joined;
    struct attach as;   /* who a worker says it is, where that differs from the truth */
};

void world_open(struct world *w);
void world_close(struct world *w);
/* Compares what was said since the last time with `text`, and forgets it. */
void world_expect_at(struct world *w, const char *text, const char *file, int line);
#define expect(w, text) world_expect_at(w, text, __FILE__, __LINE__)
void world_forget_said(struct world *w);
void world_drain(struct world *w); /* the outbox goes into `said` */
void world_verify(struct world *w);
void world_pass_ms(struct world *w, uint64_t ms); /* both clocks */
void world_tick(struct world *w);   /* ticks until nothing is to be done now */
/* A second core, from the records alone, that has not started; its digest is compared. Free it. */
struct core *world_replay(struct world *w);
size_t world_n_records(const struct world *w);

/* ---- clients: each returns the id of its command ---- */

struct submit_args {
    const char *name;      /* "job" if NULL */
    uint32_t job;          /* 0: a new one */
    const hq_range *ids;   /* NULL: `n_auto` */
    uint32_t n_ids;
    uint32_t n_auto;
    uint32_t cpus;         /* in units; 0: 1 */
    uint32_t gpus;         /* in units */
    uint64_t min_time_ms;
    int32_t priority;
    uint32_t crash_limit;  /* 0: the default; CRASH_NEVER: never-restart */
    bool limit_fails;
    uint32_t max_fails;
    uint64_t key;          /* 0: a fresh one */
    bool more;
    const char *const *entries; /* n_entries of them */
    uint32_t n_entries;
    const char *cwd;
};
#define CRASH_NEVER (UINT32_MAX - 1)

struct spec *world_spec(struct world *w, const struct submit_args *a);
uint64_t world_submit(struct world *w, const struct submit_args *a);
#define submit(w, ...) world_submit(w, &(struct submit_args){__VA_ARGS__})
uint64_t world_part(struct world *w, uint64_t key, const char *entry, uint32_t length, bool last);
/* Any other command: id is filled in, and for mutating ones a key. */
uint64_t world_command(struct world *w, struct command *cmd);
/* JOB_CLOSE, JOB_CANCEL, JOB_FORGET, JOB_INFO, JOB_WAIT, JOB_PROGRESS of one job; 0: all; UINT32_MAX: the last. */
uint64_t world_jobs(struct world *w, uint8_t kind, uint32_t job);
uint64_t world_open_job(struct world *w, const char *name, uint32_t max_fails);
uint64_t world_stop_worker(struct world *w, uint32_t worker);

/* ---- workers ---- */

uint32_t world_join(struct world *w, uint32_t cpus);
uint32_t world_join_with(struct world *w, uint32_t cpus, uint64_t idle_ms, uint64_t limit_ms);
uint32_t world_join_as(struct world *w, uint32_t cpus, const struct worker_config *like); /* its numbers */
int world_report(struct world *w, uint32_t worker, const struct report *r);
/* One range of tasks of one submit. `ms` ago. */
int world_started(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first, uint32_t n);
int world_ended(struct world *w, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first, uint32_t n,
                uint16_t code);
enum given { RETURNED, REJECTED, CRASHED };
int world_given(struct world *w, enum given how, uint32_t worker, uint32_t submit, uint32_t instance, uint32_t first,
                uint32_t n);
/* Two cpus, half of the memory free, one NVIDIA GPU; AMD's are not known. */
int world_overview(struct world *w, uint32_t worker);
void world_lose(struct world *w, uint32_t worker, uint8_t reason);

/* What the n-th worker was told when it joined. */
struct bytes world_token(uint32_t nth, char text[HQI_TOKEN_BYTES]);

/* ---- restarts ---- */

/* The core dies, and another one starts from the records. All clients and workers are gone. */
void world_restart(struct world *w);
enum holding { HOLDS_WAITING, HOLDS_STARTED, HOLDS_ENDED, HOLDS_CRASHED };
struct held {
    enum holding how;
    uint32_t submit, instance, first, n;
};
/* The worker that joined as the n-th comes back with these; it knows the specs of all submits up to `submits`. Its id then, or
 * 0: it was refused, and that was said. */
uint32_t world_back_with(struct world *w, uint32_t nth, uint32_t submits, const struct held *v, uint32_t n);
#define world_back(w, nth, submits, ...)                                                                                 \
    world_back_with(w, nth, submits, (const struct held[]){__VA_ARGS__},                                                \
                    sizeof((const struct held[]){__VA_ARGS__}) / sizeof(struct held))

/* ---- reading ---- */

void world_task(const struct world *w, uint32_t submit, uint32_t ordinal, struct task_view *ret);
uint64_t world_count(const struct world *w, uint32_t job, uint8_t state);
uint32_t world_active(const struct world *w, uint32_t worker);

#endif
