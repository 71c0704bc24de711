/* SPDX-License-Identifier: MIT */
/* fact.h - what happened. The only thing that apply() takes, and what a journal stores.
 *
 * A fact is complete: it holds every time, id and choice, so that applying the same facts to an empty
 * state gives the same state, always. It is also all that effects() needs: where apply() removes
 * something that a message must name (a worker, an attempt), the fact names it. Facts are batches:
 * none exists per task. Pointers are borrowed from the arena of the tick or of the decoder, but for `spec`
 * and `config`, which apply() takes over.
 *
 * Tasks are named by (submit, ordinal). `submit` is a number of the whole server, from 1, never reused.
 * An attempt to run a task is named by its instance number. Times are milliseconds since 1970, UTC. */
#ifndef HQI_MODEL_FACT_H
#define HQI_MODEL_FACT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "hqcore/types.h"
#include "model/config.h"
#include "model/load.h"
#include "model/resource.h"
#include "model/spec.h"

struct key { /* idempotency key of a mutating command; all zero: none */
    uint64_t a, b;
};

static inline bool key_is(struct key x, struct key y) /* none is nobody's */
{
    return (x.a | x.b) != 0 && x.a == y.a && x.b == y.b;
}

/* Of the secret that a worker gets when it joins, and shows when it comes back. */
#define HQI_TOKEN_BYTES 16u

struct ord_range { /* ordinals first .. first + count - 1 */
    uint32_t first, count;
};

/* Tasks of one submit with one instance number. */
struct task_group {
    uint32_t submit, instance;
    const struct ord_range *ranges;
    uint32_t n_ranges;
    /* of FACT_HANDOUT and FACT_ADOPT only: */
    bool booked;    /* its request is taken from the worker's free resources; else prefilled */
    bool with_spec; /* the worker is told the spec first; of FACT_ADOPT: never */
};

struct worker_tasks {
    hq_worker_id worker;
    const struct task_group *groups;
    uint32_t n_groups;
};

/* Tasks of one submit and instance that started; columns of n. */
struct start_group {
    uint32_t submit, instance, n;
    const uint32_t *ordinals;
    const uint64_t *start_ms;
    const uint8_t *variant; /* NULL: all 0 */
};

/* With HQ_CODE_TEXT and HQ_CODE_LAUNCH why it failed; with an exit code its result, empty where that was dropped. */
struct end_text {
    uint32_t row; /* of the columns */
    struct bytes text;
};
static inline bool end_text_is_result(uint16_t code)
{
    return code < HQ_CODE_SIGNAL;
}

/* Tasks of one submit and instance that ended, columns of n. State follows from the code: 0 is
 * FINISHED, everything else FAILED. A task with HQ_CODE_LAUNCH never started. */
struct end_group {
    uint32_t submit, instance, n;
    const uint32_t *ordinals;
    const uint64_t *start_ms;
    const uint64_t *duration_ms;
    const uint16_t *code;     /* enum hq_task_code */
    const uint8_t *variant;   /* NULL: all 0 */
    const struct end_text *texts; /* ascending rows */
    uint32_t n_texts;
};

/* What a worker had of one class, as far as it does not follow from the attempts it has. */
struct class_trace {
    uint32_t class;
    bool blocked;
    uint32_t rate_x16;
    uint64_t rate_ms;
};

struct worker_trace {
    hq_worker_id worker;
    bool has_last;
    hq_task_id last_task;
    uint64_t last_ms, idle_since_ms;
    const struct class_trace *classes; /* in their order */
    uint32_t n_classes;
};

enum fact_kind { /* stored: never renumbered */
    FACT_SERVER_START = 1,
    FACT_JOB_OPEN = 2,
    FACT_SUBMIT = 3,
    FACT_JOB_CLOSE = 4,
    FACT_JOB_CANCEL = 5,
    FACT_JOB_ABORT = 6,
    FACT_JOB_FORGET = 7,
    FACT_WORKER_JOIN = 8,
    FACT_WORKER_STOP = 9,
    FACT_WORKER_LOST = 10,
    FACT_HANDOUT = 11,
    FACT_RETRACT = 12,
    FACT_RETURN = 13,
    FACT_STARTED = 14,
    FACT_ENDED = 15,
    FACT_CRASHED = 16,
    FACT_CLASS = 17,  /* these two only compaction makes: the rest of a submit that was dropped, */
    FACT_REMAINS = 18, /* and the rest of everything else */
    FACT_WORKER_BACK = 19,
    FACT_ADOPT = 20,
    FACT_OVERVIEW = 21, /* for people only: changes nothing */
    FACT_SERVER_STOP = 22, /* the last fact of a server process that ended in order; has no fields, and changes nothing */
    FACT_REFUSED = 23
};

struct fact {
    uint8_t kind;
    uint64_t utc_ms; /* when it happened */
    union {
        struct { /* the first fact of each server process */
            uint64_t epoch;
            struct bytes uid; /* 6 letters or digits */
        } server_start;
        struct { /* an open job */
            hq_job_id job;
            struct bytes name;
            uint32_t max_fails; /* UINT32_MAX: no limit */
            struct key key;
        } job_open;
        struct { /* a new closed job with one submit (new_job), or one more submit of an open job */
            hq_job_id job;
            bool new_job;
            struct bytes name;  /* new_job */
            uint32_t max_fails; /* new_job */
            uint32_t submit;
            struct spec *spec; /* taken by apply */
            struct key key;
        } submit;
        struct {
            hq_job_id job;
            struct key key; /* job_close */
        } job_close, job_forget;
        struct { /* everything of the job that is not terminal; job_abort: because of max-fails */
            hq_job_id job;
            struct bytes reason; /* job_cancel; may be empty */
            struct key key;      /* job_cancel */
            const struct worker_tasks *active; /* what is handed out now, by worker */
            uint32_t n_active;
        } job_cancel, job_abort;
        struct {
            hq_worker_id worker;
            struct worker_config *config; /* taken by apply */
            uint64_t uid;       /* of its process; one that comes back after its end was recorded is a new worker with the same */
            struct bytes token; /* what it shows then; HQI_TOKEN_BYTES, or empty: it cannot come back */
        } worker_join;
        struct { /* it was away, or the server was. Apply believes it which specs it has, and no longer what it was told */
            hq_worker_id worker;
            const uint32_t *submits;
            uint32_t n_submits;
        } worker_back;
        struct { /* worker_stop: gets nothing new, will end for this reason; worker_lost: it is gone. Apply
                  * puts back what it had, with the next instance number, counts crashes where the reason is
                  * a failure, and fails what reached its crash limit */
            hq_worker_id worker;
            uint8_t reason; /* enum hq_worker_end */
            bool blameless; /* worker_lost: it did not come back to a server that was away itself: no crash of its tasks */
        } worker_stop, worker_lost;
        struct { /* handout: given to the worker; retract: asked back; return: given back, never started
                  * (block: and it will never take that class of requests); crashed: lost with the helper process that
                  * ran them, counted and put back or failed as by worker_lost for a failure; adopt: the worker has these
                  * attempts, whatever was known of others: the tasks wait, or any attempts of them that exist are void; refused:
                  * the worker had these attempts and is told to kill them; they may have started, so that no later attempt of
                  * tasks that are with somebody has their instance, or one below */
            hq_worker_id worker;
            const struct task_group *groups;
            uint32_t n_groups;
            bool block;
        } tasks;
        struct {
            hq_worker_id worker;
            const struct start_group *groups;
            uint32_t n_groups;
        } started;
        struct {
            hq_worker_id worker;
            const struct end_group *groups;
            uint32_t n_groups;
        } ended;
        struct { /* a class of requests, which keeps its id although nothing that asks for it is left */
            const struct resource_request *request;
        } class;
        struct { /* what the facts up to here would have left behind, of which some are no longer there: how many ids were
                  * given, and of each worker what cannot be told from the others. Ended workers without a trace are gone */
            uint32_t jobs, submits, workers;
            const struct worker_trace *traces; /* ascending */
            uint32_t n_traces;
        } remains;
        struct {
            hq_worker_id worker;
            const struct node_load *load;
        } overview;
    } u;
};

#endif
