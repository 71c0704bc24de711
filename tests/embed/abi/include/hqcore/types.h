/* SPDX-License-Identifier: MIT */
/* hqcore/types.h - the value types that the whole library shares.
 *
 * Ids are one-member structs, so that a worker id cannot pass for a job id. */
#ifndef HQCORE_TYPES_H
#define HQCORE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hq_job_id {
    uint32_t n; /* from 1; 0 is no job */
} hq_job_id;

typedef struct hq_worker_id {
    uint32_t n; /* from 1; 0 is no worker */
} hq_worker_id;

typedef struct hq_task_id {
    hq_job_id job;
    uint32_t index; /* the task's number within its job */
} hq_task_id;

/* The ids first, first + step, ..., `count` of them. count >= 1, step >= 1. */
typedef struct hq_range {
    uint32_t first, count, step;
} hq_range;

/* States of a task; a job's state is derived from its tasks'. Stored and sent: never renumbered. */
enum hq_task_state {
    HQ_TASK_WAITING = 0,
    HQ_TASK_RUNNING = 1,
    HQ_TASK_FINISHED = 2,
    HQ_TASK_FAILED = 3,
    HQ_TASK_CANCELED = 4,
    HQ_TASK_ABORTED = 5 /* given up because others failed (max-fails, dependencies) */
};
#define HQ_TASK_STATES 6
#define HQ_JOB_OPENED 6 /* only of a job: open, and nothing to do */

/* How a worker ended. Stored and sent: never renumbered. */
enum hq_worker_end {
    HQ_WORKER_RUNNING = 0,
    HQ_WORKER_STOPPED = 1,
    HQ_WORKER_CONNECTION_LOST = 2,
    HQ_WORKER_HEARTBEAT_LOST = 3,
    HQ_WORKER_IDLE_TIMEOUT = 4,
    HQ_WORKER_TIME_LIMIT = 5
};

/* What a finished or failed task ended with: 0..255 an exit code; HQ_CODE_SIGNAL + s
 * killed by signal s; the rest as named. Stored and sent: never renumbered. */
enum hq_task_code {
    HQ_CODE_SIGNAL = 256,
    HQ_CODE_TIME_LIMIT = 512, /* ran longer than its time limit */
    HQ_CODE_TEXT = 513,       /* failed after it had started, for the reason in its error text */
    HQ_CODE_LAUNCH = 514,     /* failed before it could start; reason in its error text */
    HQ_CODE_CRASH_LIMIT = 515 /* lost with its worker too often, or once when never-restart */
};

/* Amounts of a resource are counted in 1/10000. */
#define HQ_UNITS 10000u

#ifdef __cplusplus
}
#endif
#endif
