/* SPDX-License-Identifier: MIT */
/* hqcore.h - run a HyperQueue server, worker or client inside your own program.
 *
 * One hq_ctx is one event loop. It owns a pollable fd, a clock, an allocator and a log sink; servers,
 * workers and clients live on it.
 *
 * Conventions, stated once and true everywhere:
 *   - int functions return >= 0 on success or a negative HQ_E* code; `err` may be NULL, is written only on
 *     failure, and never allocates;
 *   - `ret` arguments are written only on success;
 *   - strings and arrays passed in are copied; pointers handed out are borrowed and stay valid until the
 *     call named in their comment;
 *   - hq_X_free(NULL) is a no-op, and freeing a ctx frees the servers, workers and clients on it; submits and
 *     docs are freed by who has them, before their ctx;
 *   - options start with `size` (set it to sizeof); all-zero means default. A smaller size is zero-extended,
 *     a larger one is accepted only if its tail is zero;
 *   - argv, env, paths and entries are bytes; names are UTF-8;
 *   - durations in the names: _ms milliseconds. Times of day are nanoseconds since 1970, UTC.
 *
 * The embedding contract:
 *   1. No mutable file-scope variable, atexit, pthread_atfork, constructor or thread-local of ours.
 *   2. Never sigaction, never a blocked signal in the host's thread, never SIGPIPE, never waitpid(-1).
 *   3. Threads: libzmq's own per hq_ctx (two), and one for each open journal; all signals blocked in them. Nothing
 *      scales with the core count.
 *   4. One thread at a time per hq_ctx and all that lives on it; only hq_ctx_wake crosses threads. Separate
 *      ctxs share nothing; several contexts, servers and workers may live in one process.
 *   5. One fd to poll, level-triggered, timers included; only hq_ctx_dispatch (and the blocking calls, which call
 *      it) touches sockets, in bounded work.
 *   6. No stdio, chdir, umask, setlocale. The environment is read in two places: the default server directory
 *      (HQ_SERVER_DIR, HOME), and the creation of a worker, which copies environ unless it is given an array.
 *   7. We never abort or exit. Misuse returns HQ_EINVAL; a broken invariant kills that handle only. libzmq aborts
 *      when file descriptors or threads run out, so we probe before sockets are made and return HQ_ELIMIT;
 *      what a host uses up between the probe and the call remains its own risk.
 *   8. After fork every call but free returns HQ_EFORK in the child; free releases memory and closes fds there. The
 *      child may create a new ctx.
 *   9. Every size that a peer controls has a limit and returns HQ_ELIMIT. Every function that may block says
 *      so, and on what.
 *  10. Callbacks (log, allocator) run inside a call on that ctx, in the caller's thread, and must not call back
 *      into the library: calls on that ctx return HQ_ESTATE, and frees do nothing. */
#ifndef HQCORE_H
#define HQCORE_H

#include "hqcore/error.h"
#include "hqcore/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HQ_VERSION_MAJOR 0
#define HQ_VERSION_MINOR 1
#define HQ_VERSION_PATCH 0

typedef struct hq_ctx hq_ctx;
typedef struct hq_server hq_server;
typedef struct hq_worker hq_worker;
typedef struct hq_client hq_client;
typedef struct hq_submit hq_submit;
typedef struct hq_doc hq_doc;

/* MAJOR << 16 | MINOR << 8 | PATCH of the library that runs. */
HQ_API unsigned hq_version(void);

/* ---- context ------------------------------------------------------------------------------------ */

typedef struct hq_log { /* borrowed for the duration of the callback */
    int level;          /* as syslog(3): 3 error, 4 warning, 6 info, 7 debug */
    const char *where, *text;
} hq_log;

typedef struct hq_ctx_options {
    size_t size;
    void *(*alloc)(void *user, void *ptr, size_t size); /* realloc; size 0 frees. Default: malloc(3)'s.
                                                         * libzmq and libsodium use malloc regardless */
    void (*log)(void *user, const hq_log *rec);         /* default: silent */
    void *user;
    int log_level;       /* records above it are not made; default 6 */
    uint32_t max_events; /* that wait in hq_ctx_next; default 4096 */
} hq_ctx_options;

/* HQ_ELIMIT when no file descriptors are left. Does not block. */
HQ_API int hq_ctx_new(hq_ctx **ret, const hq_ctx_options *opt, hq_error *err);
HQ_API void hq_ctx_free(hq_ctx *ctx);

/* Readable (POLLIN) whenever hq_ctx_dispatch has work, timers included, so no timeout needs to be passed to
 * poll. Owned by ctx; do not read from it. -1 after HQ_EFORK. */
HQ_API int hq_ctx_fd(const hq_ctx *ctx);

/* Does a bounded amount of work without blocking. Returns the number of events waiting. May be called as rarely as
 * once in HQ_DISPATCH_GAP_S seconds; beyond that peers mark this one as stalled and send it no new work,
 * but lose nothing. */
#define HQ_DISPATCH_GAP_S 300
HQ_API int hq_ctx_dispatch(hq_ctx *ctx, hq_error *err);

/* Dispatches until hq_ctx_wake() or an event waits, for a thread that the host gives away. Blocks at most
 * timeout_ms (-1: no limit). Number of events; HQ_ETIMEDOUT; HQ_EINTR when a signal handler ran. */
HQ_API int hq_ctx_run(hq_ctx *ctx, int timeout_ms, hq_error *err);

/* Makes hq_ctx_fd() readable and ends hq_ctx_run(). Any thread; async-signal-safe. */
HQ_API void hq_ctx_wake(hq_ctx *ctx);

/* ---- events: pulled, never pushed ---------------------------------------------------------------- */

enum hq_event_type {
    HQ_EVENT_REPLY = 1,  /* a request ended; see tag, code, text, u.reply */
    HQ_EVENT_TASKS,      /* u.tasks changed state; opt-in per submit */
    HQ_EVENT_WORKER,     /* u.worker: this process's worker registered or ended */
    HQ_EVENT_CONNECTION, /* u.state: enum hq_connection; with REFUSED, code and text */
    HQ_EVENT_STOPPED     /* a server or worker has ended; code and text say why if not asked to */
};

/* DROPPED: it may be resumed. AWAITED: instead of that, where the server has a journal: it is looked for, for 5 minutes (in the
 * server directory, if the client was given one; dispatch may then block on the file system and the resolver), and what was
 * not answered is asked again; CONNECTED then comes once more. */
enum hq_connection {
    HQ_CONNECTED = 1,
    HQ_CONNECTION_DROPPED,
    HQ_CONNECTION_REFUSED,
    HQ_CONNECTION_LOST,
    HQ_CONNECTION_AWAITED
};

/* Allocated by the library only, so it may grow at the end. */
typedef struct hq_event {
    int32_t type;
    int32_t code;    /* HQ_OK or HQ_E*; then `text` explains */
    uint64_t tag;    /* the caller's own value of the request */
    uint64_t source; /* hq_{server,worker,client}_source() of the handle; never reused within a ctx */
    const char *text;
    union {
        struct {
            hq_job_id job;     /* of submit and job_open, else 0 */
            const hq_doc *doc; /* what was asked for, or NULL; borrowed like the event */
        } reply;
        int32_t state;
        struct {
            hq_job_id job;
            hq_range ids;  /* count 0: not told which, read hq_job_tasks(); this version always says so */
            int32_t state; /* enum hq_task_state */
            hq_worker_id worker;
        } tasks;
        struct {
            hq_worker_id id;
            int32_t state; /* enum hq_worker_end */
        } worker;
    } u;
} hq_event;

/* 1 and an event, valid until the next call on ctx or what lives on it; or 0. */
HQ_API int hq_ctx_next(hq_ctx *ctx, const hq_event **ret);

/* Dispatches until the reply with `tag`; others queue. Blocks at most timeout_ms (-1: no limit). HQ_EINTR when a
 * signal handler ran, HQ_ETIMEDOUT; the request stays in flight then. */
HQ_API int hq_ctx_wait(hq_ctx *ctx, uint64_t tag, int timeout_ms, const hq_event **ret, hq_error *err);

/* ---- server -------------------------------------------------------------------------------------- */

enum hq_plane { HQ_PLANE_CLIENT, HQ_PLANE_WORKER };

typedef struct hq_server_options {
    size_t size;
    const char *server_dir;   /* where to publish access.json and hq-current; NULL: publish nothing */
    const char *access_file;  /* take uid, hosts, ports and secrets from this full access record */
    const char *bind;         /* address to listen on: numeric, default "127.0.0.1"; "0.0.0.0": all interfaces */
    const char *host[2];      /* by plane: the name that peers connect to; default: `bind` if it is
                               * one address, else the local host name */
    uint16_t port[2];         /* by plane; 0: any free one, or the access file's */
    const uint8_t *secret[2]; /* by plane, 32 bytes; default: made at random */
    uint64_t worker_idle_timeout_ms; /* for workers that have none of their own; 0: none */
    const char *journal;      /* a file: all that is promised survives the server, and is restored from it if it exists; NULL: none */
    uint64_t journal_flush_ms; /* what tasks report is on the disk after this long at the latest; 0: 5,000 */
    uint64_t reserved[4];
} hq_server_options;

/* Starts to listen, after restoring from the journal. May block on the file system (server_dir, access_file, journal) and on the
 * resolver (host). HQ_EEXIST: a server with this directory is alive, or one that has this journal. HQ_EJOURNAL, HQ_EVERSION: the
 * journal cannot be used; the text says why, and what to do. */
HQ_API int hq_server_new(hq_server **ret, hq_ctx *ctx, const hq_server_options *opt, hq_error *err);
HQ_API const char *hq_server_endpoint(const hq_server *s, int plane);    /* "tcp://127.0.0.1:4040"; life of s */
HQ_API const uint8_t *hq_server_secret(const hq_server *s, int plane);   /* 32 bytes; life of s */
HQ_API uint64_t hq_server_source(const hq_server *s);
/* Says goodbye to the workers, at most 5 s; then HQ_EVENT_STOPPED. Does not block. */
HQ_API int hq_server_stop(hq_server *s, hq_error *err);
HQ_API void hq_server_free(hq_server *s); /* at once; removes hq-current; never lingers */

/* ---- worker -------------------------------------------------------------------------------------- */

/* What a worker does whose server is lost. WAIT: it goes on with what it has, and looks for the server (in its server directory, if
 * it was given one; dispatch may then block on the file system and the resolver) for 5 minutes and as long as tasks run; a
 * server that was restored from its journal takes it back. DEFAULT: WAIT if the server has a journal, else STOP. */
enum hq_on_server_lost { HQ_LOST_DEFAULT = 0, HQ_LOST_STOP = 1, HQ_LOST_FINISH_RUNNING = 2, HQ_LOST_WAIT = 3 };
enum hq_detect { HQ_DETECT_CPUS = 1, HQ_DETECT_MEM = 2, HQ_DETECT_NVIDIA = 4, HQ_DETECT_AMD = 8, HQ_DETECT_NONE = 16 };
enum hq_manager { HQ_MANAGER_DETECT = 0, HQ_MANAGER_NONE = 1, HQ_MANAGER_PBS = 2, HQ_MANAGER_SLURM = 3 };

typedef struct hq_worker_options {
    size_t size;
    const char *endpoint;   /* "tcp://host:port" of the worker plane, with `secret` */
    const uint8_t *secret;  /* 32 bytes */
    const char *server_dir; /* instead of both: read the access file there; NULL without endpoint: default */
    const char *cpus;       /* "4", "2x8", "[0,1,5]"; NULL: detect */
    const char *const *resources; /* "gpus/nvidia=[0,1]", "mem=sum(1000)"; NULL-terminated */
    uint32_t detect;        /* bit set of enum hq_detect; 0: all */
    int no_hyper_threading;
    const char *group, *hostname, *work_dir; /* default: allocation id or "default"; gethostname; a
                                              * directory of its own below TMPDIR */
    int manager;            /* enum hq_manager */
    int on_server_lost;     /* enum hq_on_server_lost */
    uint64_t idle_timeout_ms, time_limit_ms; /* 0: none (time limit: what is left of the allocation) */
    uint64_t heartbeat_ms;  /* default 8000 */
    const char *const *env; /* "NAME=value", NULL-terminated: the tasks' environment and where Slurm, PBS and GPU
                             * variables are read; NULL: environ is copied */
    const char *helper;     /* the helper executable; NULL: beside the library, then libexecdir */
    uint64_t task_files;    /* the tasks' soft limit of open files (RLIMIT_NOFILE); 0: this process's own */
    int keep_affinity;      /* tasks stay on the processors of the thread that makes the worker; 0: they may use all that
                             * the system allows, since a host's thread is often pinned to one core */
    double min_utilization; /* 0.0 to 1.0: it gets tasks that take cpus only if then at least this share of its cpus is in
                             * use, and else stays idle; up to 0.001: no limit */
    uint64_t reserved[3];
} hq_worker_options;

/* Reads files, may resolve a name, starts the helper processes and waits for them to describe the hardware (at most
 * 10 s) and to ask the allocation's manager for the time that is left (at most 10 s). Connects later. */
HQ_API int hq_worker_new(hq_worker **ret, hq_ctx *ctx, const hq_worker_options *opt, hq_error *err);
HQ_API uint64_t hq_worker_source(const hq_worker *w);
HQ_API hq_worker_id hq_worker_get_id(const hq_worker *w); /* 0 until it is registered */
/* Kills its tasks (SIGINT, 1 s, SIGKILL; 5 s at most) and says goodbye; then HQ_EVENT_STOPPED. `reason` is one of
 * enum hq_worker_end: HQ_WORKER_STOPPED, or HQ_WORKER_CONNECTION_LOST when a signal interrupts. Does not block. */
HQ_API int hq_worker_stop(hq_worker *w, int reason, hq_error *err);
HQ_API void hq_worker_free(hq_worker *w); /* at once; the helpers kill what is left */

/* ---- client -------------------------------------------------------------------------------------- */

typedef struct hq_client_options {
    size_t size;
    const char *endpoint;   /* "tcp://host:port" of the client plane, with `secret` */
    const uint8_t *secret;  /* 32 bytes, as in the access file */
    const char *server_dir; /* instead of both: read the access file there; NULL without endpoint: default */
    uint64_t reserved[4];
} hq_client_options;

/* May block on the file system and the resolver; connects later. Requests may be made at once. When the system refuses the
 * first connection, from every address of the host, HQ_CONNECTION_REFUSED comes and all requests end with HQ_ESYS. */
HQ_API int hq_client_new(hq_client **ret, hq_ctx *ctx, const hq_client_options *opt, hq_error *err);
/* The blocking way in one call: makes a ctx of its own, connects, and waits at most timeout_ms for the server, even while
 * its connections are refused (-1: no limit, but a refusal ends it; 0: does not wait at all). server_dir NULL: HQ_SERVER_DIR, else ~/.hq-server. HQ_EINTR, HQ_ETIMEDOUT, HQ_EAUTH,
 * HQ_EVERSION, HQ_ESYS. */
HQ_API int hq_client_open(hq_client **ret, const char *server_dir, int timeout_ms, hq_error *err);
HQ_API hq_ctx *hq_client_ctx(const hq_client *c);
HQ_API uint64_t hq_client_source(const hq_client *c);
HQ_API void hq_client_free(hq_client *c); /* and its ctx, if hq_client_open made it */

/* ---- submitting ----------------------------------------------------------------------------------
 * A builder whose first error sticks until submit. Setters accept NULL for `s`, and then submit returns
 * HQ_ENOMEM. */

HQ_API hq_submit *hq_submit_new(hq_ctx *ctx);
HQ_API void hq_submit_free(hq_submit *s);
HQ_API void hq_submit_set_name(hq_submit *s, const char *name);         /* default: the program's file name */
HQ_API void hq_submit_set_job(hq_submit *s, hq_job_id job);             /* add to this open job */
HQ_API void hq_submit_set_array(hq_submit *s, const char *ids);         /* "0-99:2,200"; default: one task */
HQ_API void hq_submit_set_ranges(hq_submit *s, const hq_range *ids, size_t count); /* count 0: no task at all */
HQ_API void hq_submit_set_command(hq_submit *s, const char *const *argv); /* NULL-terminated */
HQ_API void hq_submit_set_env(hq_submit *s, const char *name, const char *value);
HQ_API void hq_submit_set_cwd(hq_submit *s, const char *path);          /* default: the current directory */
/* A path with placeholders, "none" (/dev/null), or ":rm-if-finished" behind it; as `hq submit --stdout`. */
HQ_API void hq_submit_set_stdout(hq_submit *s, const char *stdio);
HQ_API void hq_submit_set_stderr(hq_submit *s, const char *stdio);
HQ_API void hq_submit_set_stdin(hq_submit *s, const void *data, size_t size);
/* One entry per task, in HQ_ENTRY; with an array, entry i belongs to id i. */
HQ_API void hq_submit_add_entry(hq_submit *s, const void *data, size_t size);
/* "cpus", "2", "2.5 compact!", "all"; without any: cpus 1. */
HQ_API void hq_submit_set_resource(hq_submit *s, const char *name, const char *amount);
HQ_API void hq_submit_set_priority(hq_submit *s, int32_t priority);     /* larger is sooner; default 0 */
HQ_API void hq_submit_set_time_limit(hq_submit *s, uint64_t ms);        /* per task; 0: none */
HQ_API void hq_submit_set_time_request(hq_submit *s, uint64_t ms);      /* a worker must live that long; 0: any */
HQ_API void hq_submit_set_max_fails(hq_submit *s, uint32_t n);          /* give up after more than n failures */
#define HQ_CRASH_NEVER_RESTART 0u
#define HQ_CRASH_UNLIMITED UINT32_MAX
HQ_API void hq_submit_set_crash_limit(hq_submit *s, uint32_t n);        /* default 5 */
enum hq_pin { HQ_PIN_NONE = 0, HQ_PIN_TASKSET = 1, HQ_PIN_OMP = 2 };
HQ_API void hq_submit_set_pin(hq_submit *s, int pin);
HQ_API void hq_submit_set_task_dir(hq_submit *s, int on);
HQ_API void hq_submit_set_events(hq_submit *s, int on); /* HQ_EVENT_TASKS for this job; default off */

/* Sends; the reply with `tag` has u.reply.job. The builder may be reused or freed at once. */
HQ_API int hq_client_submit(hq_client *c, const hq_submit *s, uint64_t tag, hq_error *err);

/* The blocking headline: one array of one program; returns when the server has it. `ids` as
 * hq_submit_set_array, `opt` may be NULL or a builder with more settings. Blocks on the server. */
HQ_API int hq_submit_array(hq_client *c, const char *ids, const char *const *argv, hq_submit *opt, hq_job_id *ret,
                           hq_error *err);

/* ---- jobs ---------------------------------------------------------------------------------------- */

/* Evented: the reply with `tag` comes when the job has ended. */
HQ_API int hq_client_wait(hq_client *c, hq_job_id job, uint64_t tag, hq_error *err);
/* Evented: u.reply.doc tells how many tasks were canceled. */
HQ_API int hq_client_cancel(hq_client *c, hq_job_id job, const char *reason, uint64_t tag, hq_error *err);

/* Counts of a job. Written by the library up to the size that the caller set. */
typedef struct hq_job_status {
    size_t size;
    int32_t state; /* enum hq_task_state or HQ_JOB_OPENED */
    int32_t is_open;
    uint64_t total, waiting, running, finished, failed, canceled, aborted;
} hq_job_status;

/* Blocking, on the server. */
HQ_API int hq_job_wait(hq_client *c, hq_job_id job, int timeout_ms, hq_error *err);
HQ_API int hq_job_progress(hq_client *c, hq_job_id job, hq_job_status *ret, hq_error *err);
HQ_API int hq_job_cancel(hq_client *c, hq_job_id job, const char *reason, hq_error *err); /* 1: canceled, 0: had ended */
HQ_API int hq_job_info(hq_client *c, hq_job_id job, hq_doc **ret, hq_error *err);         /* hq_doc_free */

/* Results as columns, a page of at most 65536 tasks at a time; start with *cursor 0, end when it is 0 again. The
 * arrays are borrowed until the next call on c. Blocks on the server. */
typedef struct hq_task_columns {
    size_t size, count;
    const uint32_t *index;
    const uint8_t *state;        /* enum hq_task_state */
    const int32_t *code;         /* enum hq_task_code; -1: not ended */
    const int64_t *start_ns;     /* UTC since 1970; -1: not started */
    const int64_t *duration_ns;  /* -1: not ended */
    const uint32_t *worker;      /* 0: none */
    const uint32_t *instance;    /* number of the attempt */
    const char *const *error;    /* text, or NULL; for failed tasks */
} hq_task_columns;
HQ_API int hq_job_tasks(hq_client *c, hq_job_id job, uint64_t *cursor, hq_task_columns *ret, hq_error *err);

/* ---- trees of values ------------------------------------------------------------------------------ */

enum hq_doc_kind { HQ_DOC_NULL, HQ_DOC_BOOL, HQ_DOC_INT, HQ_DOC_UINT, HQ_DOC_DOUBLE, HQ_DOC_BYTES, HQ_DOC_LIST, HQ_DOC_MAP };

HQ_API int hq_doc_get_kind(const hq_doc *d);                             /* NULL: HQ_DOC_NULL */
HQ_API size_t hq_doc_len(const hq_doc *d);                               /* list, map: members; bytes: length */
HQ_API const hq_doc *hq_doc_at(const hq_doc *d, size_t i);               /* list, map: member i, or NULL */
HQ_API const hq_doc *hq_doc_get(const hq_doc *d, const char *path);      /* map: "stats.running"; NULL if absent */
HQ_API const char *hq_doc_name(const hq_doc *d);                         /* of a map's member, else NULL */
HQ_API uint64_t hq_doc_uint(const hq_doc *d);                            /* bool, int, uint, double converted; else 0 */
HQ_API int64_t hq_doc_int(const hq_doc *d);
HQ_API double hq_doc_double(const hq_doc *d);
HQ_API const char *hq_doc_bytes(const hq_doc *d, size_t *size);          /* NUL-terminated; "" for anything else */
HQ_API void hq_doc_free(hq_doc *root);

#ifdef __cplusplus
}
#endif
#endif
