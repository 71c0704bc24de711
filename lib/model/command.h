/* SPDX-License-Identifier: MIT */
/* command.h - what a client asks of a server, as plain values. Every command gets exactly one reply. */
#ifndef HQI_MODEL_COMMAND_H
#define HQI_MODEL_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "model/fact.h"
#include "model/intset.h"
#include "model/journal_place.h"

enum select_kind { SELECT_IDS = 1, SELECT_ALL = 2, SELECT_LAST = 3 }; /* sent: never renumbered */

struct selector {
    uint8_t kind;
    struct intset ids; /* SELECT_IDS */
};

enum command_kind { /* sent as the field numbers of client.proto's Request: never renumbered */
    COMMAND_SERVER_INFO = 1,
    COMMAND_SERVER_STOP = 2,
    COMMAND_SUBMIT = 3,
    COMMAND_SUBMIT_PART = 4,
    COMMAND_JOB_OPEN = 5,
    COMMAND_JOB_CLOSE = 6,
    COMMAND_JOB_CANCEL = 7,
    COMMAND_JOB_FORGET = 8,
    COMMAND_JOB_LIST = 9,
    COMMAND_JOB_INFO = 10,
    COMMAND_JOB_WAIT = 11,
    COMMAND_JOB_PROGRESS = 12,
    COMMAND_TASK_PAGE = 13,
    COMMAND_WORKER_LIST = 14,
    COMMAND_WORKER_STOP = 15,
    COMMAND_WORKER_WAIT = 16,
    COMMAND_DEBUG_DUMP = 17,
    COMMAND_JOURNAL_FLUSH = 18,
    COMMAND_JOURNAL_PRUNE = 19,
    COMMAND_JOURNAL_READ = 20,
    COMMAND_LAST = COMMAND_JOURNAL_READ
};

struct command {
    uint64_t id; /* the client's own number of this request; the reply repeats it */
    uint8_t kind;
    struct key key; /* of mutating commands; zero: none */
    union {
        struct {
            hq_job_id job; /* 0: a new job */
            struct bytes name;
            uint32_t max_fails;   /* UINT32_MAX: no limit */
            struct spec *spec;    /* taken by the core. With job != 0 or entries, ids.count 0 lets the server
                                   * number the tasks: from 0, or behind the largest id of the job */
            bool more;            /* entries follow in parts; the reply comes after the last */
            uint32_t n_auto;      /* number of tasks when ids.count is 0; 0: a job without tasks */
        } submit;
        struct { /* entries of the submit with the same key, in order: lengths and bytes */
            const uint32_t *lengths;
            uint32_t n;
            struct bytes blob;
            bool last;
        } part;
        struct {
            struct bytes name;
            uint32_t max_fails;
        } job_open;
        struct {
            struct selector jobs;
            struct bytes reason;  /* job_cancel */
            uint32_t states;      /* job_forget: bit set of enum hq_task_state */
            bool without_close;   /* job_wait, job_progress: an idle open job counts as ended */
            bool brief;           /* job_info: no details */
            uint64_t since;       /* job_progress: reply when the change counter is above, at once if it is */
        } jobs; /* job_close, job_cancel, job_forget, job_info, job_wait, job_progress */
        struct {
            uint32_t states;   /* bit set of states incl. HQ_JOB_OPENED; 0: the default selection */
            bool all;
            uint32_t from;     /* first job id of this page */
        } job_list;
        struct {
            hq_job_id job;
            uint64_t cursor; /* 0, then as the last page said */
            uint32_t states; /* bit set; 0: all */
            uint32_t limit;  /* tasks; 0: HQI_MAX_PAGE */
            struct intset ids; /* count 0: all */
        } task_page;
        struct {
            struct selector workers;
            bool offline_too; /* worker_list with SELECT_ALL */
            bool details;     /* worker_list: runtime info too */
            uint32_t from;    /* first worker id of this page */
        } workers; /* worker_list, worker_stop */
        struct {
            uint32_t count;
        } worker_wait;
        struct {
            struct journal_place at;
            bool wait; /* where nothing follows, the reply comes when something does */
        } journal_read; /* answered outside the core */
        struct bytes path; /* debug_dump: of the file, for the server to write; answered outside the core */
    } u;
};

#endif
