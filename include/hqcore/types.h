/* SPDX-License-Identifier: MIT */
/** @file
 * The value types that the whole library shares.
 *
 * Ids are one-member structs, so that a worker id cannot pass for a job id. */
#ifndef HQCORE_TYPES_H
#define HQCORE_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A job. */
typedef struct hq_job_id {
    uint32_t n; /**< From 1; 0 is no job. */
} hq_job_id;

/** A worker. */
typedef struct hq_worker_id {
    uint32_t n; /**< From 1; 0 is no worker. */
} hq_worker_id;

/** A task. */
typedef struct hq_task_id {
    hq_job_id job;  /**< Its job. */
    uint32_t index; /**< Its number within that. */
} hq_task_id;

/** The ids first, first + step, ..., `count` of them. */
typedef struct hq_range {
    uint32_t first; /**< The least. */
    uint32_t count; /**< How many; >= 1. */
    uint32_t step;  /**< From one to the next; >= 1. */
} hq_range;

/** States of a task; a job's state is derived from its tasks'. Stored and sent: never renumbered. */
enum hq_task_state {
    HQ_TASK_WAITING = 0,  /**< Not started. */
    HQ_TASK_RUNNING = 1,  /**< Started. */
    HQ_TASK_FINISHED = 2, /**< Ended well. */
    HQ_TASK_FAILED = 3,   /**< Ended badly; its code and error text say how. */
    HQ_TASK_CANCELED = 4, /**< Somebody wanted that. */
    HQ_TASK_ABORTED = 5   /**< Given up because others failed (max-fails, dependencies). */
};
#define HQ_TASK_STATES 6 /**< How many there are. */
#define HQ_JOB_OPENED 6  /**< Only of a job: open, and nothing to do. */

/** How a worker ended. Stored and sent: never renumbered. */
enum hq_worker_end {
    HQ_WORKER_RUNNING = 0,         /**< It has not. */
    HQ_WORKER_STOPPED = 1,         /**< It was asked to. */
    HQ_WORKER_CONNECTION_LOST = 2, /**< Its connection broke, or its process died. */
    HQ_WORKER_HEARTBEAT_LOST = 3,  /**< It did not answer any more. */
    HQ_WORKER_IDLE_TIMEOUT = 4,    /**< It had nothing to do for too long. */
    HQ_WORKER_TIME_LIMIT = 5       /**< Its time, or its allocation's, was over. */
};

/** What a finished or failed task ended with: 0..255 an exit code; HQ_CODE_SIGNAL + s
 * killed by signal s; the rest as named. Stored and sent: never renumbered. */
enum hq_task_code {
    HQ_CODE_SIGNAL = 256,     /**< 256 + s: killed by signal s. */
    HQ_CODE_TIME_LIMIT = 512, /**< Ran longer than its time limit. */
    HQ_CODE_TEXT = 513,       /**< Failed after it had started, for the reason in its error text. */
    HQ_CODE_LAUNCH = 514,     /**< Failed before it could start; reason in its error text. */
    HQ_CODE_CRASH_LIMIT = 515 /**< Lost with its worker too often, or once when never-restart. */
};

#define HQ_UNITS 10000u /**< Amounts of a resource are counted in 1/10000. */

#ifdef __cplusplus
}
#endif
#endif
