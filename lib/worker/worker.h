/* SPDX-License-Identifier: MIT */
/* worker.h - what the files of lib/worker/ share: the handle, and the life of it as phases. Private to this
 * directory.
 *
 *     CONNECTING -> RUNNING -> (FINISHING ->) ENDING -> ENDED
 *                    |   ^
 *                   SEARCHING
 *
 * Inputs (frames of the server, items of the helpers, timers) go to lib/tasks/; hqi_worker_effects_pump carries what
 * it wants back to both. */
#ifndef HQI_WORKER_WORKER_H
#define HQI_WORKER_WORKER_H

#include "host/backlog.h"
#include "host/ctx.h"
#include "host/event.h"
#include "host/reach.h"
#include "net/keys.h"
#include "net/link.h"
#include "tasks/helper_link.h"
#include "tasks/tasks.h"
#include "wire/worker.h"

#define MAX_HELPERS 2u /* one starts tasks while the other reaps; more give nothing (measured) */

enum worker_phase {
    PHASE_CONNECTING,
    PHASE_RUNNING,
    PHASE_SEARCHING, /* the server is lost, and may come back: tasks go on */
    PHASE_FINISHING, /* the server is lost: running tasks may end */
    PHASE_ENDING,    /* tasks are being killed, helpers asked to end */
    PHASE_ENDED
};

struct worker_helper {
    struct helper_link *link; /* owned; NULL: none */
    bool lost;                /* the process is gone; link is freed, and another started, by a timer */
};

/* Function tasks that the host has, until it has answered them all. */
struct worker_batch {
    struct list link;     /* of worker.batches */
    hq_batch pub;         /* in mem, as all that it points to */
    struct arena *mem;    /* owned; this struct lives in it */
    const uint64_t *keys; /* of lib/tasks/ */
    bool *answered;
    size_t n_left;
    uint64_t since_ns;    /* mono: when it was handed over, or last answered */
};

/* What a helper is asked while the worker is made. */
struct worker_answers {
    struct arena *mem; /* where answers are copied to; borrowed; NULL: nobody asks */
    bool has_hardware, has_command, helper_lost, no_memory;
    struct resources resources;
    struct bytes notes, error, gpus;
    int32_t status;
    struct bytes out;
};

/* Of a worker whose server is lost. */
struct worker_search {
    struct list kept;     /* of struct worker_frame; owned: what the server never acknowledged, in order */
    uint64_t kept_bytes;
    uint64_t until_ns;    /* it gives up then, unless tasks run */
    bool lacking;         /* there was no memory to keep something */
};

struct hq_worker {
    struct handle handle;       /* first: the ctx frees it */
    const struct alloc *alloc;  /* of the ctx */
    const struct log *log;      /* of the ctx */
    struct loop *loop;          /* of the ctx */
    struct arena *mem;          /* owned: env, paths */
    const char **env;           /* in mem; NULL-terminated: all variables */
    const char **task_env;      /* in mem; what helpers and tasks see of it */
    const char *helper_path;    /* in mem; NULL: searched. Once a helper was started, that of `program` */
    int program;                /* the helper's executable, kept open: it may be moved or replaced meanwhile; -1: not yet */
    const char *work_dir;       /* in mem */
    char *own_dir;              /* in mem; the directory above work_dir, if both were made here; NULL: they were not */
    uint64_t task_files;        /* of the options, as is the next */
    bool keep_affinity;
    struct bytes hq_path;       /* in mem; empty: unknown */
    struct reach reach;
    const char *server_dir;     /* in mem; where `reach` is from; NULL: it was given */
    char server_uid[64];        /* of the server that it is registered with */
    uint64_t server_epoch;
    uint8_t token[HQI_TOKEN_BYTES];
    bool has_token;             /* that server may take it back */
    struct worker_search search;
    struct worker_config *config; /* owned */
    struct hq_doc *info;        /* owned: config as hq_tools_worker_info shows it */
    struct tasks *tasks;        /* owned */
    struct worker_helper helpers[MAX_HELPERS];
    uint32_t n_helpers;
    struct worker_answers answers;
    struct list batches;        /* of struct worker_batch; owned */
    uint64_t uid;               /* random, of this worker */
    struct link *link;          /* owned; NULL: none, while searching and at the end */
    bool link_over;             /* it has ended, or has not begun: nothing may be sent */
    bool is_down;               /* dropped, perhaps to be resumed, */
    uint64_t down_until_ns;     /* but not after this */
    bool holds;                 /* the window is full */
    struct backlog backlog;
    struct arena in;            /* one frame, decoded */
    struct buf frame;           /* one frame in the making */
    hq_worker_id id;            /* 0: not registered yet */
    enum worker_phase phase;
    uint32_t tries;             /* to connect */
    uint64_t ends_ns;           /* of the time limit; 0: none */
    bool had_running;           /* when it began to end */
    uint8_t end_reason;
    int end_code;
    char end_text[240];
    struct loop_timer connect;  /* the next look at a connection that is not there */
    struct loop_timer limit;    /* the time limit */
    struct loop_timer report;   /* what tasks/ coalesces */
    struct loop_timer retry;    /* what memory was lacking for */
    struct loop_timer repair;   /* helpers that died */
    struct loop_timer end;
    struct event *registered, *ended, *stopped; /* owned until they are pushed */
};

#define HARDWARE_MS 10000 /* what a helper gets to describe the node */

/* ---- worker.c ---- */
struct hq_worker *hqi_worker_worker_make(hq_ctx *ctx); /* empty, freed by hq_worker_free; NULL: no memory */
struct now hqi_worker_now(const struct hq_worker *w);

/* ---- env.c ---- */
/* Copies `env` (or environ) into w->env, and what is left of it for tasks into w->task_env. */
int hqi_worker_env_copy(struct hq_worker *w, const char *const *env, hq_error *err);
const char *hqi_worker_env_get(const struct hq_worker *w, const char *name); /* NULL: not set */

/* ---- prepare.c: everything before the helpers are asked ---- */
int hqi_worker_prepare_dirs(struct hq_worker *w, const hq_worker_options *o, hq_error *err);
void hqi_worker_prepare_undo(const struct hq_worker *w); /* removes the directory that was made, if it is empty */
int hqi_worker_prepare_config(struct hq_worker *w, const hq_worker_options *o, hq_error *err);

/* ---- resources.c ---- */
/* Fills w->config->resources from the options and the hardware that the helper has described. */
int hqi_worker_resources_assemble(struct hq_worker *w, const hq_worker_options *o, hq_error *err);

/* ---- overview.c: how busy the node is ---- */
void hqi_worker_overview_ask(struct hq_worker *w); /* helper 0, from now on; nothing without an interval */
void hqi_worker_overview_take(struct hq_worker *w, const struct node_load *load, struct bytes notes);

/* ---- manager.c ---- */
/* Slurm or PBS: fills config's manager, id, group default and time limit. Asks the manager through helper 0. */
int hqi_worker_manager_detect(struct hq_worker *w, const hq_worker_options *o, hq_error *err);

/* ---- helper.c ---- */
int hqi_worker_helper_start(struct hq_worker *w, uint32_t n, hq_error *err); /* up to n of them */
/* Sends one request to helper 0 and waits for *done (a member of w->answers), at most timeout_ms. */
int hqi_worker_helper_ask(struct hq_worker *w, const struct to_helper *item, const bool *done, int timeout_ms,
                           hq_error *err);
void hqi_worker_helper_log_notes(const struct hq_worker *w, struct bytes notes); /* its lines "LEVEL text" */
void hqi_worker_helper_on_repair(struct loop_timer *t);
void hqi_worker_helper_lose(struct hq_worker *w, uint32_t index); /* it is gone, or of no more use */
bool hqi_worker_helper_gone(const struct hq_worker *w);
void hqi_worker_helper_ask_to_end(struct hq_worker *w);
void hqi_worker_helper_free(struct hq_worker *w, bool forked);

/* ---- orphans.c ---- */
/* SIGKILL to what is left in the sessions of the tasks of a helper that has died. May block on /proc. */
void hqi_worker_orphans_kill(struct hq_worker *w, uint32_t helper);

/* ---- effects.c ---- */
/* After inputs: to the helpers what they shall do, to the server what happened. */
void hqi_worker_effects_pump(struct hq_worker *w);
void hqi_worker_effects_on_timer(struct loop_timer *t);

/* ---- worker.c ---- */
int hqi_worker_worker_connect(struct hq_worker *w, hq_error *err); /* a link to w->reach; resolving may block */

/* ---- functions.c: tasks that the host runs ---- */
/* Hands what is due to the host, as events. True: more waits for room among them. */
bool hqi_worker_functions_hand_over(struct hq_worker *w);
void hqi_worker_functions_fini(struct hq_worker *w);

/* ---- server.c: the session with the server ---- */
extern const struct link_ops hqi_worker_server_ops;
void hqi_worker_server_on_connect(struct loop_timer *t);
void hqi_worker_server_on_retry(struct loop_timer *t);
int hqi_worker_server_send(struct hq_worker *w, const struct from_worker *m, hq_error *err);
int hqi_worker_server_register(struct hq_worker *w, const struct attach *a, hq_error *err); /* NULL: as a new worker */

/* ---- search.c: the server is lost, and may come back ---- */
void hqi_worker_search_init(struct hq_worker *w);
void hqi_worker_search_fini(struct hq_worker *w);
bool hqi_worker_search_is_meant(const struct hq_worker *w); /* is that what this worker does? */
void hqi_worker_search_begin(struct hq_worker *w);
void hqi_worker_search_look(struct hq_worker *w);                             /* by timer: where is it now? */
void hqi_worker_search_on_open(struct hq_worker *w, const struct welcome *welcome);
void hqi_worker_search_on_end(struct hq_worker *w, int code, const char *text);
void hqi_worker_search_done(struct hq_worker *w, const struct registered *r); /* it was taken back */
void hqi_worker_search_retry(struct hq_worker *w);                            /* what memory was lacking for */
int hqi_worker_search_keep(struct hq_worker *w, struct bytes payload);        /* for the next session. HQ_ENOMEM */

/* ---- end.c ---- */
/* Begins to end; the first reason counts. `text`: copied. */
void hqi_worker_end_begin(struct hq_worker *w, uint8_t reason, int code, const char *text);
void hqi_worker_end_server_lost(struct hq_worker *w);
void hqi_worker_end_look(struct hq_worker *w); /* are the helpers gone, the last tasks over? */
void hqi_worker_end_on_timer(struct loop_timer *t);
void hqi_worker_end_on_limit(struct loop_timer *t);

/* ---- info.c ---- */
void hqi_worker_info_set_lost(struct hq_worker *w); /* the server has chosen */
void hqi_worker_info_set_idle(struct hq_worker *w, uint64_t ms); /* the server's, for those without their own */
int hqi_worker_info_make(struct hq_doc **ret, const struct alloc *a, const struct worker_config *config, hq_error *err);

#endif
