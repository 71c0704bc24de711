/* SPDX-License-Identifier: MIT */
/* wire/helper.h - between a worker and its helper processes (helper.proto), over a SOCK_SEQPACKET socketpair.
 *
 * A packet is one batch, at most HELPER_PACKET bytes; a longer batch is cut by the sender, a single longer
 * message is refused before it is sent. Tasks are named by a key that the worker chooses; keys are not
 * reused. */
#ifndef HQI_WIRE_HELPER_H
#define HQI_WIRE_HELPER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/load.h"
#include "model/resource.h"
#include "model/spec.h"

#define HELPER_PACKET (1u << 20)

/* ---- worker to helper ---- */

enum to_helper_kind { /* sent: never renumbered */
    TO_HELPER_SPEC = 1,     /* remember what the launches of `spec` have in common */
    TO_HELPER_DROP = 2,     /* forget it */
    TO_HELPER_LAUNCH = 3,   /* start a task: now, or as soon as the task `after` has ended */
    TO_HELPER_UNSTAGE = 4,  /* do not start it any more: answered by UNSTAGED unless it has started */
    TO_HELPER_KILL = 5,     /* SIGINT to its group, after 1 s SIGKILL; its end is reported all the same */
    TO_HELPER_HARDWARE = 6, /* what has this node? answered by HARDWARE */
    TO_HELPER_COMMAND = 7,  /* run a command of the site (scontrol, qstat), answered by COMMAND */
    TO_HELPER_END = 8,      /* kill all tasks (SIGINT, 1 s, SIGKILL; 5 s at most), then exit */
    TO_HELPER_OBSERVE = 9   /* how busy is this node? answered by LOAD after each interval */
};

struct helper_spec {
    uint32_t spec;
    const struct bytes *argv;
    uint32_t n_argv;
    const struct env_var *env; /* on top of the helper's own environment */
    uint32_t n_env;
    struct bytes stdin_data;
    uint64_t time_limit_ms; /* 0: none */
    bool task_dir;          /* make HQ_TASK_DIR below work_dir, remove it at the end */
};

struct helper_launch {
    uint64_t key;
    uint64_t after; /* 0: now */
    uint32_t spec;
    const struct env_var *env; /* on top of the spec's */
    uint32_t n_env;
    const struct bytes *prefix; /* put before argv: taskset -c 1,2 */
    uint32_t n_prefix;
    struct bytes cwd;       /* absolute, made if missing */
    struct bytes out, err;  /* absolute or relative to cwd; empty: /dev/null */
    bool rm_out, rm_err;    /* removed when the task ends with exit code 0 */
};

struct to_helper {
    uint8_t kind;
    union {
        struct helper_spec spec;
        uint32_t drop;
        struct helper_launch launch;
        uint64_t key; /* unstage, kill */
        struct {
            bool hyper_threading; /* false: one cpu of each core */
        } hardware;
        struct {
            uint64_t tag;
            const struct bytes *argv;
            uint32_t n_argv;
            uint64_t timeout_ms;
        } command;
        struct helper_observe {
            uint64_t interval_ms; /* 0: no more */
            bool nvidia, amd;     /* ask for these GPUs, too */
        } observe;
    } u;
};

/* ---- helper to worker ---- */

enum from_helper_kind { /* sent: never renumbered */
    FROM_HELPER_HELLO = 1,    /* first: build id, pid */
    FROM_HELPER_STARTED = 2,  /* sent only while the task still runs when the batch leaves */
    FROM_HELPER_ENDED = 3,
    FROM_HELPER_UNSTAGED = 4,
    FROM_HELPER_HARDWARE = 5,
    FROM_HELPER_COMMAND = 6,
    FROM_HELPER_LOAD = 7
};

struct helper_started {
    uint64_t key;
    uint64_t age_ms;
    int32_t pid; /* also its session and process group */
    uint64_t start_ticks; /* field 22 of /proc/pid/stat: with pid, its identity */
};

struct helper_ended {
    uint64_t key;
    uint64_t age_ms, duration_ms; /* of its start; both 0 with HQ_CODE_LAUNCH */
    uint16_t code;                /* enum hq_task_code */
    struct bytes text;            /* of HQ_CODE_TEXT, HQ_CODE_LAUNCH; of an exit code: the result */
    uint64_t user_us, system_us, max_rss_kb; /* wait4 */
};

struct helper_hardware {
    struct resources resources; /* cpus in NUMA groups, mem, gpus/...; not sorted: cpus, gpus, mem */
    struct bytes notes;  /* lines "LEVEL text" for the log: what was found where, what was left out */
    struct bytes error;  /* not empty: detection failed */
    struct bytes gpus;   /* lines: name, memory, NUMA node of each GPU that the runtime described */
};

struct from_helper {
    uint8_t kind;
    union {
        struct {
            struct bytes build;
            int32_t pid;
        } hello;
        struct helper_started started;
        struct helper_ended ended;
        uint64_t key; /* unstaged */
        struct helper_hardware hardware;
        struct {
            uint64_t tag;
            int32_t status; /* exit code; -1: could not run, timed out, or killed by a signal */
            struct bytes out, err;
        } command;
        struct {
            const struct node_load *load;
            struct bytes notes; /* as in struct helper_hardware */
        } load;
    } u;
};

void hqi_wire_helper_encode_to(const struct to_helper *items, uint32_t n, struct buf *out);
void hqi_wire_helper_encode_from(const struct from_helper *items, uint32_t n, struct buf *out);
int hqi_wire_helper_decode_to(struct to_helper **items, uint32_t *n, struct bytes in, struct arena *mem, hq_error *err);
int hqi_wire_helper_decode_from(struct from_helper **items, uint32_t *n, struct bytes in, struct arena *mem,
                                hq_error *err);

#endif
