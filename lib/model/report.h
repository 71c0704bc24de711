/* SPDX-License-Identifier: MIT */
/* report.h - between server and worker, as plain values.
 *
 * Times travel as ages (how long before the message was built) and durations: a worker's clock of
 * day is never believed. */
#ifndef HQI_MODEL_REPORT_H
#define HQI_MODEL_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "model/fact.h"

/* ---- server to worker ---- */

/* Tasks to run: ordinals, and the same tasks' ids as ranges, in the same order. */
struct assign_group {
    uint32_t submit, instance;
    const struct ord_range *ranges;
    uint32_t n_ranges;
    const hq_range *ids;
    uint32_t n_ids;
    const struct bytes *entries; /* one per task, or NULL */
    uint32_t n_entries;
};

enum to_worker_kind { /* sent: never renumbered */
    TO_WORKER_SPEC = 1,    /* remember this submit until DROP */
    TO_WORKER_ASSIGN = 2,  /* run these, by priority, as resources allow */
    TO_WORKER_RETRACT = 3, /* give back what has not started: answered by report.returned */
    TO_WORKER_CANCEL = 4,  /* kill and forget these; nothing is reported */
    TO_WORKER_DROP = 5,    /* forget this submit: it has ended */
    TO_WORKER_STOP = 6     /* kill everything and end */
};

struct to_worker {
    uint8_t kind;
    union {
        struct {
            uint32_t submit;
            hq_job_id job;
            struct bytes server_uid;
            const struct spec *spec; /* ids and entries are left out on the wire */
        } spec;
        struct {
            const struct assign_group *groups;
            uint32_t n_groups;
        } assign;
        struct {
            const struct task_group *groups;
            uint32_t n_groups;
        } tasks; /* retract, cancel */
        struct {
            uint32_t submit;
        } drop;
        struct {
            uint8_t reason; /* enum hq_worker_end */
        } stop;
    } u;
};

/* ---- worker to server ---- */

struct report_start {
    uint32_t submit, instance, n;
    const uint32_t *ordinals;
    const uint64_t *age_ms;
    const uint8_t *variant; /* NULL: all 0 */
};

struct report_end {
    uint32_t submit, instance, n;
    const uint32_t *ordinals;
    const uint64_t *age_ms;      /* of the start */
    const uint64_t *duration_ms;
    const uint16_t *code;
    const uint8_t *variant; /* NULL: all 0 */
    const struct end_text *texts;
    uint32_t n_texts;
};

/* One batch of news, in the order: started, ended, returned, rejected, crashed. */
struct report {
    const struct report_start *started;
    uint32_t n_started;
    const struct report_end *ended;
    uint32_t n_ended;
    const struct task_group *returned; /* answer to RETRACT: given back; those missing have started */
    uint32_t n_returned;
    const struct task_group *rejected; /* can never run here (time request against what is left) */
    uint32_t n_rejected;
    const struct task_group *crashed; /* attempts that were lost with their helper: counts as a crash */
    uint32_t n_crashed;
};

/* A worker that was registered before comes back, to the server that it had or to one restored from that one's journal:
 * who it is, and all that it has. What it does not name it does not have. */
struct attach {
    hq_worker_id worker; /* what it was called */
    struct bytes token, server_uid;
    uint64_t epoch;      /* of the server that it was registered with last */
    const uint32_t *submits; /* whose specs it has */
    uint32_t n_submits;
    const struct task_group *waiting; /* queued or staged: not known to have started */
    uint32_t n_waiting;
    struct report news;  /* started: all that run; ended, crashed: what the server has not acknowledged; nothing else */
};

#endif
