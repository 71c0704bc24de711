/* SPDX-License-Identifier: MIT */
/* tasks.h - the pure worker: which task runs next, on which indices, and what the server is told.
 *
 * Built like the server's core: inputs in, effects out, no I/O, no clock. What the server handed out waits in a queue by
 * (priority descending, job, task id); whatever fits the pools now is launched, so that no lower priority starts
 * while a higher one that fits waits; behind each running task one next task of the same request is *staged*
 * with the very allocation that it will inherit, so that the helper starts it when it reaps, and reports
 * afterwards. The pools are the judge of what fits; the server's books are an estimate.
 *
 * What must never happen: an index held by two tasks beyond its fraction; a process started after its task was cancelled,
 * retracted (and given back) or reported ended; an outcome lost or reported twice within a session. */
#ifndef HQI_TASKS_TASKS_H
#define HQI_TASKS_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "hqcore/error.h"
#include "model/config.h"
#include "model/report.h"
#include "wire/helper.h"

struct tasks;

struct tasks_options {
    const struct alloc *alloc;
    const struct worker_config *config; /* borrowed, outlives the tasks: resources */
    uint32_t n_helpers;                 /* 1..63; slots are dealt over them */
    struct bytes hq_path;               /* HQ variable of the tasks; empty: not set */
    uint64_t ends_mono_ns;              /* the worker's own end (time limit); 0: none */
};

int hqi_tasks_tasks_new(struct tasks **ret, const struct tasks_options *o, hq_error *err);
void hqi_tasks_tasks_free(struct tasks *t);

/* ---- inputs. HQ_ENOMEM leaves everything as it was: the caller repeats the input later. ---- */

/* SPEC: takes item->u.spec.spec (sets it NULL). STOP is the caller's business, not taken here: HQ_EPROTO, as for tasks of
 * an unknown submit. What had ended before its CANCEL came is still reported. */
int hqi_tasks_on_server(struct tasks *t, const struct now *now, struct to_worker *item, hq_error *err);
int hqi_tasks_on_helper(struct tasks *t, const struct now *now, uint32_t helper, const struct from_helper *item,
                        hq_error *err);
/* The processes that this helper said it runs. When it has died, those that survive it are the caller's to kill, with
 * their sessions (pid is session and group): ask before on_helper_lost. */
typedef void hqi_tasks_process_fn(void *user, int32_t pid, uint64_t start_ticks);
void hqi_tasks_each_process(const struct tasks *t, uint32_t helper, hqi_tasks_process_fn *fn, void *user);
/* The helper died: its running tasks are reported crashed, its staged ones wait again. It gets nothing new until a
 * HELLO comes in its place (at first none is awaited). */
void hqi_tasks_on_helper_lost(struct tasks *t, const struct now *now, uint32_t helper);
/* Starts nothing new: the window of unacknowledged outcomes is full, or the worker is ending (finish-running). Staged tasks
 * are unstaged. */
void hqi_tasks_hold(struct tasks *t, bool on);
/* Everything that is not running is dropped, everything running is killed, nothing is reported any more. */
void hqi_tasks_end(struct tasks *t);
/* A new server session: forget all tasks and specs (they are killed, nothing is reported). */
void hqi_tasks_reset(struct tasks *t);

/* All that the worker has, for a server that it comes back to: `submits`, `waiting` and `news.started` of *ret, which is
 * zeroed and has the rest from the reports taken before: take_report until false comes first. HQ_ENOMEM: something could not
 * be taken, or told; again later. */
int hqi_tasks_held(struct tasks *t, const struct now *now, struct arena *mem, struct attach *ret, hq_error *err);
/* A frame that the worker once sent and that was never acknowledged: what ended or crashed in it is added to ret->news.
 * HQ_ENOMEM; HQ_EPROTO: it is not one of the worker's. */
int hqi_tasks_held_frame(struct bytes payload, const struct alloc *a, struct arena *mem, struct attach *ret, hq_error *err);

/* ---- effects: call after inputs, until nothing is left ---- */

/* Messages for this helper since the last call; borrowed until the next input. 0 when none. */
uint32_t hqi_tasks_take_helper(struct tasks *t, uint32_t helper, const struct to_helper **items);
/* News for the server since the last call: true when there are any. At most about HQI_BATCH_BYTES; call until false. Borrowed until
 * the next input or call. Running ones are reported started once. */
bool hqi_tasks_take_report(struct tasks *t, const struct now *now, struct report *ret);
/* Tasks of one submit for the host, which has functions of its own: it is a helper without a process. */
struct host_tasks {
    hq_job_id job;
    struct bytes function; /* the name */
    uint64_t time_limit_ms; /* 0: none */
    uint32_t n;
    const uint64_t *keys; /* for on_host and the like */
    const uint32_t *ids, *instances;
    const void **entries; /* each with a NUL behind it; NULL: they have none */
    size_t *entry_sizes;
    bool *answered; /* all false: for the caller's use */
};
/* Is there anything to be taken? Ask after take_helper, which decides what starts. */
bool hqi_tasks_host_due(const struct tasks *t);
/* The next of them since the last call, everything in `mem`; from now on they run. False: none, or no memory for it now. */
bool hqi_tasks_take_host(struct tasks *t, const struct now *now, struct arena *mem, struct host_tasks *ret);
/* A task that was taken has ended; unknown keys are ignored. HQ_ENOMEM. */
int hqi_tasks_on_host(struct tasks *t, const struct now *now, const struct helper_ended *e, hq_error *err);
/* Is anybody still interested in it? */
bool hqi_tasks_host_wants(const struct tasks *t, uint64_t key);
/* What a program would see of its allocation, as a variable (CUDA_VISIBLE_DEVICES). False: there is none. */
bool hqi_tasks_host_variable(const struct tasks *t, uint64_t key, const char *name, struct bytes *ret);

/* When take_report, and then take_helper, want to be called again at the latest (time requests that run out, memory that
 * was short), as mono_ns; UINT64_MAX: no need. */
uint64_t hqi_tasks_deadline(const struct tasks *t);

/* ---- reading ---- */
uint32_t hqi_tasks_n_running(const struct tasks *t);
uint32_t hqi_tasks_n_waiting(const struct tasks *t); /* not started, staged ones included */
/* Pools and allocations consistent, indices held once; HQ_EINTERNAL (tests, simulator). */
int hqi_tasks_verify(const struct tasks *t, hq_error *err);

#endif
