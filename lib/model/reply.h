/* SPDX-License-Identifier: MIT */
/* reply.h - what a server answers, as plain values borrowed from its state for the length of the tick.
 * wire/ encodes them; a client reads them back through the descriptors of client.proto. */
#ifndef HQI_MODEL_REPLY_H
#define HQI_MODEL_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "hqcore/types.h"
#include "model/config.h"
#include "model/journal_place.h"
#include "model/spec.h"

struct server_info {
    struct bytes uid, version, client_host, worker_host, journal_path;
    uint32_t client_port, worker_port, pid;
    uint64_t start_ms;
};

struct job_stats {
    uint64_t total;
    uint64_t count[HQ_TASK_STATES]; /* by state */
};

struct submit_info {
    uint32_t submit;
    const struct spec *spec;
    uint64_t at_ms;
};

struct worker_name {
    hq_worker_id id;
    struct bytes hostname;
};

struct failed_task { /* for job info: the first few by id */
    uint32_t id;
    hq_worker_id worker; /* 0: never started */
    uint16_t code;
    struct bytes text; /* of HQ_CODE_TEXT, HQ_CODE_LAUNCH; else empty */
    uint32_t crash_limit;
};

struct job_info {
    hq_job_id id;
    struct bytes name, cancel_reason;
    bool open;
    uint8_t state; /* enum hq_task_state or HQ_JOB_OPENED */
    uint32_t max_fails;
    struct job_stats stats;
    uint64_t submitted_ms, ended_ms; /* ended 0: not yet */
    uint64_t change;                 /* grows with every change of the job */
    /* of COMMAND_JOB_INFO only: */
    const struct submit_info *submits;
    uint32_t n_submits;
    const struct worker_name *workers; /* that ran its tasks, by id */
    uint32_t n_workers;
    const struct failed_task *failed; /* at most 5 */
    uint32_t n_failed;
};

struct worker_info {
    hq_worker_id id;
    uint8_t end; /* enum hq_worker_end: RUNNING while connected */
    const struct worker_config *config;
    uint64_t idle_timeout_ms; /* in force: its own or the server's; 0: none */
    uint64_t joined_ms, ended_ms;
    bool has_last;
    hq_task_id last_task; /* started last */
    uint64_t last_ms;
    uint32_t assigned, running; /* tasks */
};

struct task_page { /* columns of n; start -1 ms: never started */
    uint32_t n;
    const uint32_t *ids;
    const uint8_t *state;
    const uint16_t *code;
    const int64_t *start_ms;
    const int64_t *duration_ms; /* -1: not ended (or never started) */
    const uint32_t *worker;
    const uint32_t *instance;
    const struct end_text *texts; /* error texts, ascending rows */
    uint32_t n_texts;
    uint64_t next; /* cursor; 0: this was the last page */
    const struct worker_name *workers; /* hostnames of the workers named */
    uint32_t n_workers;
};

enum outcome { /* what became of one id of a selector; sent: never renumbered */
    OUTCOME_DONE = 1,
    OUTCOME_NOT_FOUND = 2,
    OUTCOME_ALREADY = 3, /* finished, closed or stopped before */
    OUTCOME_FAILED = 4
};

struct id_outcome {
    uint32_t id;
    uint8_t outcome;
    uint64_t done, already; /* job_cancel: tasks canceled; tasks that had ended before */
};

struct reply {
    uint64_t id;   /* of the command */
    int32_t code;  /* HQ_OK or HQ_E* */
    const char *text; /* of a failure, for people */
    uint8_t kind;  /* enum command_kind of the command */
    bool more;     /* submit, part: u.part holds; parts are awaited. Else u.job holds, the part was the last */
    union {
        struct server_info server;
        struct {
            hq_job_id job;
        } job; /* submit, job_open */
        struct {
            uint64_t credit; /* bytes of parts that may follow */
        } part; /* a submit that waits for parts, and each part but the last */
        struct {
            const struct id_outcome *ids; /* ascending */
            uint32_t n;
            uint32_t forgotten, ignored; /* job_forget */
        } outcomes; /* job_close, job_cancel, job_forget, worker_stop */
        struct {
            const struct job_info *jobs;
            uint32_t n;
            uint32_t next;  /* job_list: `from` of the next page; 0: the end */
            uint64_t total; /* jobs on the server */
            const uint32_t *missing; /* ids that do not exist */
            uint32_t n_missing;
            uint64_t change; /* job_progress: what to pass as `since` next time */
        } jobs; /* job_list, job_info, job_wait, job_progress */
        struct task_page tasks;
        struct {
            const struct worker_info *workers;
            uint32_t n;
            uint32_t next;
            const uint32_t *missing;
            uint32_t n_missing;
        } workers; /* worker_list, worker_wait */
        struct {
            struct journal_place at; /* of the first byte */
            struct bytes data;       /* at most HQI_JOURNAL_PAGE bytes; empty: nothing follows */
            uint64_t position;       /* of the last fact on the disk */
            uint64_t restated;       /* facts up to this one say what is, not what has happened; 0: none does */
        } journal; /* journal_read */
    } u;
};

#endif
