/* SPDX-License-Identifier: MIT */
/** @file
 * Run a HyperQueue server, worker or client inside your own program.
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
 *   10. Callbacks (log, allocator) run inside a call on that ctx, in the caller's thread, and must not call back
 *       into the library: calls on that ctx return HQ_ESTATE, and frees do nothing. */
#ifndef HQCORE_H
#define HQCORE_H

#include "hqcore/error.h"
#include "hqcore/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HQ_VERSION_MAJOR 0 /**< Of these headers; see hq_version(). */
#define HQ_VERSION_MINOR 1 /**< Grows with what is added. */
#define HQ_VERSION_PATCH 0 /**< Grows with what is repaired. */

typedef struct hq_ctx hq_ctx;       /**< One event loop: a descriptor, a clock, an allocator, a log. */
typedef struct hq_server hq_server; /**< A server: jobs in, tasks out to workers. */
typedef struct hq_worker hq_worker; /**< A worker: runs tasks on this node. */
typedef struct hq_client hq_client; /**< A connection to a server: submits, waits, reads. */
typedef struct hq_submit hq_submit; /**< What is to be submitted, while it is put together. */
typedef struct hq_doc hq_doc;       /**< A node of a read-only tree of values. */

/** The version of the library that runs: MAJOR << 16 | MINOR << 8 | PATCH. Any thread. */
HQ_API unsigned hq_version(void);

/** @name Context
 * @{ */

/** One line of the log; borrowed for the duration of the callback. */
typedef struct hq_log {
    int level;         /**< As syslog(3): 3 error, 4 warning, 6 info, 7 debug. */
    const char *where; /**< The part of the library that speaks; static. */
    const char *text;  /**< One line without its end; UTF-8 as far as the names in it are. */
} hq_log;

/** How a context is made. */
typedef struct hq_ctx_options {
    size_t size; /**< sizeof(hq_ctx_options) */
    /** As realloc(3), and size 0 frees; NULL: malloc(3)'s. All that the library itself allocates comes from here; libzmq and
     * libsodium use malloc regardless. NULL as answer is taken as HQ_ENOMEM, at every place. */
    void *(*alloc)(void *user, void *ptr, size_t size);
    void (*log)(void *user, const hq_log *rec); /**< NULL: silent. */
    void *user;                                 /**< Handed to both callbacks; lives as long as the ctx. */
    int log_level;       /**< Records above it are not made; default 6. */
    uint32_t max_events; /**< Of tasks that wait in hq_ctx_next(); beyond, the server is asked for no more; default 4096. */
} hq_ctx_options;

/** Makes a context. Does not block, starts no thread (the first server, worker or client on it starts two).
 *
 * @param ret owned by the caller: hq_ctx_free()
 * @param opt NULL: all default
 * @param err what went wrong; may be NULL
 * @return HQ_OK; HQ_ELIMIT when no file descriptors are left, HQ_ENOMEM, HQ_EINVAL */
HQ_API int hq_ctx_new(hq_ctx **ret, const hq_ctx_options *opt, hq_error *err);

/** Frees a context with the servers, workers and clients on it, each as its own free function does. May block a quarter of a
 * second, while goodbyes leave. In a forked child it frees memory and closes descriptors, and nothing else. */
HQ_API void hq_ctx_free(hq_ctx *ctx);

/** The one descriptor to poll: readable (POLLIN) whenever hq_ctx_dispatch() has work, timers included, so no time-out needs to
 * be passed to poll. Level-triggered. Owned by ctx; do not read from it. -1 for NULL and in a forked child. */
HQ_API int hq_ctx_fd(const hq_ctx *ctx);

/** May be the longest time between two dispatches, in seconds. Beyond it peers mark this one as stalled and send it no new
 * work, but lose nothing. */
#define HQ_DISPATCH_GAP_S 300

/** Does a bounded amount of work, and never blocks.
 *
 *     struct pollfd p = {hq_ctx_fd(ctx), POLLIN, 0};
 *     for (const hq_event *e;;) {
 *         poll(&p, 1, -1);
 *         hq_ctx_dispatch(ctx, NULL);
 *         while (hq_ctx_next(ctx, &e) == 1)
 *             handle(e);
 *     }
 *
 * @return the number of events that wait for hq_ctx_next(); HQ_EFORK, HQ_ESTATE (from a callback), HQ_EINVAL, HQ_ESYS */
HQ_API int hq_ctx_dispatch(hq_ctx *ctx, hq_error *err);

/** Dispatches until hq_ctx_wake() or until an event waits: for a thread that the host gives away.
 *
 * @param timeout_ms it blocks at most that long; -1: no limit
 * @return the number of events that wait; HQ_ETIMEDOUT; HQ_EINTR when a signal handler ran; or as hq_ctx_dispatch() */
HQ_API int hq_ctx_run(hq_ctx *ctx, int timeout_ms, hq_error *err);

/** Makes hq_ctx_fd() readable and ends hq_ctx_run(). The only call that any thread may make, and a signal handler; the ctx must
 * not be freed meanwhile. */
HQ_API void hq_ctx_wake(hq_ctx *ctx);

/** @}
 * @name Events
 * Pulled by the host, never pushed.
 * @{ */

/** What an event tells. */
enum hq_event_type {
    HQ_EVENT_REPLY = 1,  /**< A request ended; see tag, code, text, u.reply. */
    HQ_EVENT_TASKS,      /**< u.tasks changed state; opt-in per submit: hq_submit_set_events(). */
    HQ_EVENT_WORKER,     /**< u.worker: this process's worker registered or ended. */
    HQ_EVENT_CONNECTION, /**< u.state: enum hq_connection; with REFUSED and LOST, code and text. */
    HQ_EVENT_STOPPED,    /**< A server or worker has ended; code and text say why, if nobody asked it to. */
    HQ_EVENT_BATCH       /**< u.batch: tasks that are functions of this program, to be run and answered. */
};

/** States of a client's connection. */
enum hq_connection {
    HQ_CONNECTED = 1,          /**< The server is there; also after a drop. */
    HQ_CONNECTION_DROPPED = 2, /**< For now: it reconnects by itself, and what is in flight stays so. */
    HQ_CONNECTION_REFUSED = 3, /**< It never came about; all requests have ended. */
    HQ_CONNECTION_LOST = 4,    /**< It will not come back; all requests have ended. */
    /** Instead of DROPPED, where the server has a journal: it is looked for, for 5 minutes (in the server directory, if the client
     * was given one; dispatch may then block on the file system and the resolver), and what was not answered is asked again;
     * CONNECTED then comes once more. */
    HQ_CONNECTION_AWAITED = 5
};

typedef struct hq_batch hq_batch;               /**< Function tasks to run. */
typedef struct hq_task_columns hq_task_columns; /**< Results of tasks. */

/** An event. Allocated by the library only, so it may grow at the end. */
typedef struct hq_event {
    int32_t type;     /**< enum hq_event_type: says which member of u is set. */
    int32_t code;     /**< HQ_OK or HQ_E*; then `text` explains. */
    uint64_t tag;     /**< The caller's own value of the request. */
    uint64_t source;  /**< hq_{server,worker,client}_source() of the handle. */
    const char *text; /**< NUL-terminated, "" if there is nothing to say; borrowed like the event. */
    /** By type. */
    union {
        /** HQ_EVENT_REPLY */
        struct {
            hq_job_id job;     /**< Of submits, else 0. */
            const hq_doc *doc; /**< What was asked for, or NULL; borrowed like the event. */
            const hq_task_columns *tasks; /**< Of hq_client_tasks(), else NULL; borrowed like the event. */
            uint64_t cursor;   /**< Of hq_client_tasks(): where the next page begins; 0: this was the last. */
        } reply;               /**< HQ_EVENT_REPLY */
        int32_t state;         /**< HQ_EVENT_CONNECTION: enum hq_connection */
        /** HQ_EVENT_TASKS */
        struct {
            hq_job_id job;       /**< Whose tasks. */
            hq_range ids;        /**< Count 0: not told which, read hq_job_tasks(); this version always says so. */
            int32_t state;       /**< enum hq_task_state, of the job as a whole. */
            hq_worker_id worker; /**< 0: not told. */
        } tasks;                 /**< HQ_EVENT_TASKS */
        /** HQ_EVENT_WORKER */
        struct {
            hq_worker_id id; /**< As the server numbers it. */
            int32_t state;   /**< enum hq_worker_end; HQ_WORKER_RUNNING: it has registered. */
        } worker;              /**< HQ_EVENT_WORKER */
        const hq_batch *batch; /**< HQ_EVENT_BATCH: lives until its last task is answered, or the worker is freed. */
    } u;                     /**< By type. */
} hq_event;

/** Takes the next event.
 *
 * @param ret borrowed: valid until the next call on ctx or what lives on it
 * @return 1 and an event, or 0: none waits; HQ_EINVAL, HQ_EFORK, HQ_ESTATE */
HQ_API int hq_ctx_next(hq_ctx *ctx, const hq_event **ret);

/** Dispatches until the reply with `tag` is here, and takes it; other events wait in their order. Blocks at most timeout_ms (-1:
 * no limit).
 *
 * @param ret borrowed: valid until the next call on ctx or what lives on it
 * @return HQ_OK: there is a reply (whose own code may be an error); HQ_ETIMEDOUT, HQ_EINTR when a signal handler ran: the
 * request stays in flight; or as hq_ctx_dispatch() */
HQ_API int hq_ctx_wait(hq_ctx *ctx, uint64_t tag, int timeout_ms, const hq_event **ret, hq_error *err);

/** @}
 * @name Server
 * @{ */

/** The two ways into a server, each with an endpoint and a secret of its own. */
enum hq_plane {
    HQ_PLANE_CLIENT, /**< For clients. */
    HQ_PLANE_WORKER  /**< For workers. */
};

/** How a server is made. Strings and secrets are copied. */
typedef struct hq_server_options {
    size_t size;              /**< sizeof(hq_server_options) */
    const char *server_dir;   /**< Where to publish access.json and hq-current; NULL: publish nothing. */
    const char *access_file;  /**< Take uid, hosts, ports and secrets from this full access record; NULL: make them. */
    const char *bind;         /**< Address to listen on: numeric, default "127.0.0.1"; "0.0.0.0": all interfaces. */
    const char *host[2];      /**< By plane, the name that peers connect to; default: `bind` if it is one address, else the local
                               * host name. */
    uint16_t port[2];         /**< By plane; 0: any free one, or the access file's. */
    const uint8_t *secret[2]; /**< By plane, 32 bytes; default: made at random. */
    uint64_t worker_idle_timeout_ms; /**< For workers that have none of their own; 0: none. */
    const char *journal;       /**< A file: all that is promised survives the server, and is restored from it if it exists; NULL:
                                * none. */
    uint64_t journal_flush_ms; /**< What tasks report is on the disk after this long at the latest; 0: 5,000. */
    uint64_t reserved[4];      /**< 0. */
} hq_server_options;

/** Makes a server that listens, after restoring from the journal. May block on the file system (server_dir, access_file, journal),
 * on the resolver (host), and up to 1 s on another server of the same directory, to learn whether it is alive.
 *
 * @param ret hq_server_free(), or freed with ctx
 * @param opt NULL: on the loopback, for peers that are given its endpoints and secrets
 * @return HQ_OK; HQ_EEXIST: a server with this directory is alive, or one that has this journal; HQ_EJOURNAL, HQ_EVERSION: the journal
 * cannot be used, the text says why, and what to do; HQ_ELIMIT, HQ_ESYS, HQ_EAUTH, HQ_EPROTO, HQ_EVERSION (of the
 * access file), HQ_ENOMEM, HQ_EINVAL, HQ_EFORK, HQ_ESTATE */
HQ_API int hq_server_new(hq_server **ret, hq_ctx *ctx, const hq_server_options *opt, hq_error *err);

/** Where peers of a plane (enum hq_plane) connect to: "tcp://127.0.0.1:4040". Borrowed, life of s; NULL: no such plane. */
HQ_API const char *hq_server_endpoint(const hq_server *s, int plane);

/** What they prove themselves with: 32 bytes. Borrowed, life of s; NULL: no such plane. Whoever has it may do everything that the
 * plane can do. */
HQ_API const uint8_t *hq_server_secret(const hq_server *s, int plane);

/** The source of its events; never used again within a ctx. 0 for NULL. */
HQ_API uint64_t hq_server_source(const hq_server *s);

/** Begins to stop: says goodbye to the workers, which takes 5 s at most; HQ_EVENT_STOPPED follows. Does not block. Again, it is
 * HQ_OK and changes nothing.
 *
 * @return HQ_OK; HQ_EINVAL, HQ_EFORK, HQ_ESTATE */
HQ_API int hq_server_stop(hq_server *s, hq_error *err);

/** Ends a server at once, without goodbyes; what it has published is removed. NULL is fine. */
HQ_API void hq_server_free(hq_server *s);

/** @}
 * @name Worker
 * @{ */

/** What a worker does when its server is gone. */
enum hq_on_server_lost {
    HQ_LOST_DEFAULT = 0,        /**< HQ_LOST_WAIT if the server has a journal, else HQ_LOST_STOP. */
    HQ_LOST_STOP = 1,           /**< Kills its tasks and ends. */
    HQ_LOST_FINISH_RUNNING = 2, /**< Starts nothing more, and ends with its last task. */
    /** Goes on with what it has, and looks for the server (in its server directory, if it was given one; dispatch may then block on
     * the file system and the resolver) for 5 minutes and as long as tasks run; a server that was restored from its journal
     * takes it back. */
    HQ_LOST_WAIT = 3
};

/** What a worker looks for on its node: a set of bits. */
enum hq_detect {
    HQ_DETECT_CPUS = 1,   /**< Cpus by NUMA node. */
    HQ_DETECT_MEM = 2,    /**< Memory, in MiB. */
    HQ_DETECT_NVIDIA = 4, /**< NVIDIA GPUs. */
    HQ_DETECT_AMD = 8,    /**< AMD GPUs. */
    HQ_DETECT_NONE = 16   /**< Nothing but what the options name. */
};

/** In whose allocation a worker runs: that limits its time, and names its group. */
enum hq_manager {
    HQ_MANAGER_DETECT = 0, /**< As the environment says. */
    HQ_MANAGER_NONE = 1,   /**< Nobody's. */
    HQ_MANAGER_PBS = 2,    /**< It must be PBS's. */
    HQ_MANAGER_SLURM = 3   /**< It must be Slurm's. */
};

/** How a worker is made. Strings, arrays and secrets are copied. */
typedef struct hq_worker_options {
    size_t size;            /**< sizeof(hq_worker_options) */
    const char *endpoint;   /**< "tcp://host:port" of the worker plane, with `secret`. */
    const uint8_t *secret;  /**< 32 bytes. */
    const char *server_dir; /**< Instead of both: read the access file there; NULL without endpoint: the default directory. */
    const char *cpus;       /**< "4", "2x8", "[0,1,5]"; NULL: detect. */
    const char *const *resources; /**< "gpus/nvidia=[0,1]", "mem=sum(1000)"; NULL-terminated, or NULL. */
    uint32_t detect;        /**< Bits of enum hq_detect; 0: all. */
    int no_hyper_threading; /**< Count one cpu per core. */
    const char *group;      /**< Of tasks on several nodes; default: the allocation's id, or "default". UTF-8. */
    const char *hostname;   /**< As people see it; default: gethostname(2). */
    const char *work_dir;   /**< Of task directories; default: a directory of its own below TMPDIR. */
    int manager;            /**< enum hq_manager */
    int on_server_lost;     /**< enum hq_on_server_lost */
    uint64_t idle_timeout_ms; /**< Ends when it had nothing to do for that long; 0: the server's. */
    uint64_t time_limit_ms;   /**< Ends after that time; 0: what is left of the allocation. */
    uint64_t heartbeat_ms;    /**< Default 8000; a worker that does not answer twice is lost. */
    const char *const *env; /**< "NAME=value", NULL-terminated: the tasks' environment, and where Slurm, PBS and GPU variables are
                             * read; NULL: environ, as it is now. */
    const char *helper;     /**< The helper executable; NULL: beside the library, then libexecdir. */
    uint64_t task_files;    /**< The tasks' soft limit of open files (RLIMIT_NOFILE); 0: this process's own. */
    int keep_affinity;      /**< Tasks stay on the processors of the thread that makes the worker; 0: they may use all that the
                             * system allows, since a host's thread is often pinned to one core. */
    double min_utilization; /**< 0.0 to 1.0: it gets tasks that take cpus only if then at least this share of its cpus is in use, and
                             * else stays idle; up to 0.001: no limit. */
    const char *const *functions; /**< Names of functions that this program runs for function tasks, NULL-terminated; NULL: none.
                                   * Letters and digits, with '/' between. */
    uint64_t overview_interval_ms; /**< Between overviews of how busy its node is, which the server's journal shows as events: cpus, memory,
                                    * network, and the GPUs that the worker offers. At least 100 ms lie between them; 0: none. */
    uint64_t reserved[1];   /**< 0. */
} hq_worker_options;

/** Makes a worker. Reads files, may resolve a name, starts the helper processes and waits for them to describe the hardware (at
 * most 10 s) and to ask the allocation's manager for the time that is left (at most 10 s). Connects later: HQ_EVENT_WORKER tells.
 *
 * @param ret hq_worker_free(), or freed with ctx
 * @param opt NULL: of the server that the default directory tells of
 * @return HQ_OK; HQ_EINVAL, HQ_ELIMIT, HQ_ENOENT (no such directory), HQ_ESYS, HQ_EAUTH, HQ_EPROTO, HQ_EVERSION, HQ_ETIMEDOUT,
 * HQ_ENOMEM, HQ_EFORK, HQ_ESTATE */
HQ_API int hq_worker_new(hq_worker **ret, hq_ctx *ctx, const hq_worker_options *opt, hq_error *err);

/** The source of its events; never used again within a ctx. 0 for NULL. */
HQ_API uint64_t hq_worker_source(const hq_worker *w);

/** Its number on the server; 0 until it is registered. */
HQ_API hq_worker_id hq_worker_get_id(const hq_worker *w);

/** Begins to stop: kills its tasks (SIGINT, 1 s, SIGKILL; 5 s at most) and says goodbye; HQ_EVENT_WORKER and HQ_EVENT_STOPPED
 * follow. Does not block. Again, it is HQ_OK and changes nothing.
 *
 * @param reason one of enum hq_worker_end: HQ_WORKER_STOPPED, or HQ_WORKER_CONNECTION_LOST when a signal interrupts
 * @return HQ_OK; HQ_EINVAL, HQ_EFORK, HQ_ESTATE */
HQ_API int hq_worker_stop(hq_worker *w, int reason, hq_error *err);

/** Ends a worker at once; the helpers kill what is left of its tasks. Its batches go with it. NULL is fine. */
HQ_API void hq_worker_free(hq_worker *w);

/** @}
 * @name Function tasks
 * An array of a named function (hq_submit_set_function()) goes to workers whose program has said that it has that function
 * (hq_worker_options.functions). It hears of them in batches (HQ_EVENT_BATCH), runs them where and how it likes - in its loop, in
 * threads, in parallel or one after the other - and answers from the context's thread. States, priorities, resources, retries and
 * limits are those of programs; only killing is not: a task that is cancelled or over its time limit is no longer waited for by
 * anybody, but occupies its resources until it is answered.
 *
 *     while (hq_ctx_next(ctx, &e) == 1)
 *         if (e->type == HQ_EVENT_BATCH) {
 *             for (size_t i = 0; i < e->u.batch->count; i++)
 *                 simulate(e->u.batch->index[i]);
 *             hq_worker_answer(worker, e->u.batch, NULL, &err);
 *         }
 * @{ */

/** Function tasks of one submit, element i of each array for the same task. Allocated by the library only, so it may grow at the
 * end; read it from any thread, until the last of them is answered or the worker is freed. */
struct hq_batch {
    hq_job_id job;              /**< Whose tasks. */
    const char *function;       /**< Which function. */
    size_t count;               /**< How many. */
    const uint32_t *index;      /**< The task's number within its job. */
    const uint32_t *instance;   /**< Number of its attempt, from 0. */
    const void *const *entry;   /**< The task's entry, with a NUL behind it; NULL: they have none. */
    const size_t *entry_size;   /**< Its bytes; NULL: they have none. */
    uint64_t time_limit_ms;     /**< Of each; 0: none. What took longer has failed, whatever is answered. */
};

#define HQ_MAX_RESULT 65536u /**< Bytes that a task may return; what is larger belongs into files. */

/** What tasks came to. Arrays have `count` elements, the first of task `first` of the batch. */
typedef struct hq_answer {
    size_t size;                /**< sizeof(hq_answer) */
    size_t first;               /**< Index into the batch. */
    size_t count;               /**< From there. */
    const int32_t *code;        /**< 0: finished; 1 to 255: failed with that code; NULL: all finished. */
    const char *const *error;   /**< Why it failed, or NULL: the code says enough; NULL: for all. UTF-8, at most 2,076 bytes are kept. */
    const int64_t *duration_ns; /**< How long it took; NULL: they ran one after the other since the last answer. */
    const void *const *result;  /**< What it returns, at most HQ_MAX_RESULT bytes, or NULL; not with an error; NULL: nothing. */
    const size_t *result_size;  /**< Bytes of each, with `result`. */
    uint64_t reserved[2];       /**< 0. */
} hq_answer;

/** Answers tasks of a batch, in any order and in any portions. What was answered before is left as it was. When all are
 * answered, the batch is freed. Does not block.
 *
 * @param b of an event of this worker
 * @param a NULL: all tasks that are left have finished
 * @return HQ_OK; HQ_EINVAL: not a batch of w, or an answer that makes no sense, of which nothing was taken; HQ_ECLOSED: the worker has
 * ended, and nobody waits for it; HQ_ENOMEM: answer again; HQ_EFORK, HQ_ESTATE */
HQ_API int hq_worker_answer(hq_worker *w, const hq_batch *b, const hq_answer *a, hq_error *err);

/** Does anybody still want task i of the batch? 0: it was cancelled, so it may be answered with whatever, and soon. From the
 * context's thread. */
HQ_API int hq_worker_wants(const hq_worker *w, const hq_batch *b, size_t i);

/** What a program would see of task i's resources as a variable of its environment: "CUDA_VISIBLE_DEVICES", "HQ_CPUS",
 * "HQ_RESOURCE_VALUES_...". Borrowed until the task is answered; NULL: there is no such variable. From the context's thread. */
HQ_API const char *hq_worker_variable(const hq_worker *w, const hq_batch *b, size_t i, const char *name);

/** @}
 * @name Client
 * @{ */

/** How a client is made. Strings and the secret are copied. */
typedef struct hq_client_options {
    size_t size;            /**< sizeof(hq_client_options) */
    const char *endpoint;   /**< "tcp://host:port" of the client plane, with `secret`. */
    const uint8_t *secret;  /**< 32 bytes, as in the access file. */
    const char *server_dir; /**< Instead of both: read the access file there; NULL without endpoint: the default directory. */
    uint64_t reserved[4];   /**< 0. */
} hq_client_options;

/** Makes a client. May block on the file system and the resolver; connects later. Requests may be made at once: they leave with
 * the connection. When the system refuses the first connection, from every address of the host, HQ_CONNECTION_REFUSED comes and
 * all requests end with HQ_ESYS.
 *
 * @param ret hq_client_free(), or freed with ctx
 * @param opt NULL: of the server that the default directory tells of
 * @return HQ_OK; HQ_EINVAL, HQ_ELIMIT, HQ_ENOENT (no such directory), HQ_ESYS, HQ_EAUTH, HQ_EPROTO, HQ_EVERSION, HQ_ENOMEM,
 * HQ_EFORK, HQ_ESTATE */
HQ_API int hq_client_new(hq_client **ret, hq_ctx *ctx, const hq_client_options *opt, hq_error *err);

/** The blocking way in one call: makes a ctx of its own, connects, and waits for the server.
 *
 * @param ret hq_client_free() frees its ctx, too
 * @param server_dir NULL: HQ_SERVER_DIR, else ~/.hq-server
 * @param timeout_ms it blocks at most that long, even while its connections are refused; -1: no limit, but a refusal ends it; 0:
 * does not wait at all
 * @return HQ_OK; HQ_ETIMEDOUT, HQ_EINTR, HQ_EAUTH, HQ_EVERSION, HQ_ESYS, or as hq_ctx_new() and hq_client_new() */
HQ_API int hq_client_open(hq_client **ret, const char *server_dir, int timeout_ms, hq_error *err);

/** The ctx that it lives on; borrowed, life of c. NULL for NULL. */
HQ_API hq_ctx *hq_client_ctx(const hq_client *c);

/** The source of its events; never used again within a ctx. 0 for NULL. */
HQ_API uint64_t hq_client_source(const hq_client *c);

/** Closes the connection and frees the client, and its ctx if hq_client_open() made that. Requests in flight are forgotten: what
 * they asked for may happen. May block as hq_ctx_free(). NULL is fine. */
HQ_API void hq_client_free(hq_client *c);

/** @}
 * @name Submitting
 * A builder whose first error sticks until it is sent, so that one check at the end is enough. Setters copy what they are given.
 * They accept NULL for `s`, and then the submit returns HQ_ENOMEM.
 *
 *     hq_submit *s = hq_submit_new(ctx);
 *     hq_submit_set_command(s, argv);
 *     hq_submit_set_array(s, "1-300");
 *     hq_submit_set_resource(s, "cpus", "2");
 *     int r = hq_client_submit(client, s, 7, &err);
 *     hq_submit_free(s);
 * @{ */

/** Makes a builder: hq_submit_free(), before its ctx. NULL: no memory, or ctx is of no use (NULL, forked). */
HQ_API hq_submit *hq_submit_new(hq_ctx *ctx);
/** Frees a builder. NULL is fine. */
HQ_API void hq_submit_free(hq_submit *s);
/** Names the job; default: the program's file name. UTF-8. */
HQ_API void hq_submit_set_name(hq_submit *s, const char *name);
/** Adds to this open job instead of making one. */
HQ_API void hq_submit_set_job(hq_submit *s, hq_job_id job);
/** Which tasks: "0-99:2,200"; default: one task. */
HQ_API void hq_submit_set_array(hq_submit *s, const char *ids);
/** The same as ranges; count 0: no task at all. They may not overlap. */
HQ_API void hq_submit_set_ranges(hq_submit *s, const hq_range *ids, size_t count);
/** What runs: the program and its arguments, NULL-terminated; bytes. */
HQ_API void hq_submit_set_command(hq_submit *s, const char *const *argv);
/** What runs instead of a program: this function of the workers' programs, see HQ_EVENT_BATCH. Without outputs, directories and
 * environment; each task still needs the resources that are asked for, one cpu without any. */
HQ_API void hq_submit_set_function(hq_submit *s, const char *name);
/** A variable of the tasks' environment, beside those that the worker gives them; bytes. */
HQ_API void hq_submit_set_env(hq_submit *s, const char *name, const char *value);
/** Where the tasks run; may hold placeholders; default: this process's current directory. */
HQ_API void hq_submit_set_cwd(hq_submit *s, const char *path);
/** A path with placeholders, "none" (/dev/null), or ":rm-if-finished" behind it; as `hq submit --stdout`. */
HQ_API void hq_submit_set_stdout(hq_submit *s, const char *stdio);
/** The same for the error stream. */
HQ_API void hq_submit_set_stderr(hq_submit *s, const char *stdio);
/** What every task reads; size 0: nothing. */
HQ_API void hq_submit_set_stdin(hq_submit *s, const void *data, size_t size);
/** Appends one entry, which its task finds in HQ_ENTRY; bytes. Without an array there are as many tasks as entries; with one,
 * entry i belongs to id i, and ids without an entry are dropped. */
HQ_API void hq_submit_add_entry(hq_submit *s, const void *data, size_t size);
/** What each task needs: "cpus" and "2", "2.5 compact!", "all"; without any: one cpu. */
HQ_API void hq_submit_set_resource(hq_submit *s, const char *name, const char *amount);
/** Larger is sooner; default 0. */
HQ_API void hq_submit_set_priority(hq_submit *s, int32_t priority);
/** A task that runs longer is killed and has failed; per task, in ms; 0: none. */
HQ_API void hq_submit_set_time_limit(hq_submit *s, uint64_t ms);
/** A worker must live that much longer for a task to be started there, in ms; 0: any. */
HQ_API void hq_submit_set_time_request(hq_submit *s, uint64_t ms);
/** Gives up the job's other tasks after more than n failures; default: never. */
HQ_API void hq_submit_set_max_fails(hq_submit *s, uint32_t n);
#define HQ_CRASH_NEVER_RESTART 0u        /**< A task that was lost with its worker has failed. */
#define HQ_CRASH_UNLIMITED UINT32_MAX    /**< It is run again, however often that happens. */
/** How often a task may be lost with its worker before it has failed; default 5. */
HQ_API void hq_submit_set_crash_limit(hq_submit *s, uint32_t n);

/** How tasks are bound to the cpus that they are given. */
enum hq_pin {
    HQ_PIN_NONE = 0,    /**< Not at all. */
    HQ_PIN_TASKSET = 1, /**< By their affinity. */
    HQ_PIN_OMP = 2      /**< By OMP_PLACES and OMP_PROC_BIND. */
};
/** One of enum hq_pin; default: none. */
HQ_API void hq_submit_set_pin(hq_submit *s, int pin);
/** Gives each task an empty directory, HQ_TASK_DIR, which is removed when it ends. What a task writes to the file that
 * HQ_RESULT_FILENAME names is its result: hq_task_columns.result, at most HQ_MAX_RESULT bytes, else it has failed. What it writes to
 * HQ_ERROR_FILENAME is the text of its failure. */
HQ_API void hq_submit_set_task_dir(hq_submit *s, int on);
/** Asks for HQ_EVENT_TASKS of this job, with the tag of the submit; default off. */
HQ_API void hq_submit_set_events(hq_submit *s, int on);

/** Sends what was put together; the reply with `tag` has u.reply.job. The builder may be reused or freed at once. A client that
 * loses its connection meanwhile never submits twice.
 *
 * @return HQ_OK: a reply will come; the first error of the builder; HQ_ENOMEM, HQ_ELIMIT, HQ_ESYS, HQ_EINVAL, HQ_EFORK, HQ_ESTATE,
 * or what the connection ended with (HQ_ECLOSED, HQ_EAUTH, ...) */
HQ_API int hq_client_submit(hq_client *c, const hq_submit *s, uint64_t tag, hq_error *err);

/** The blocking headline: one array of one program; returns when the server has it. Blocks on the server.
 *
 * @param ids as hq_submit_set_array(); NULL: as `opt` says, else one task
 * @param argv as hq_submit_set_command()
 * @param opt NULL, or a builder with more settings, which stays the caller's
 * @param ret the new job's number; may be NULL
 * @return HQ_OK; HQ_EINTR (the server may have it, or not), or as hq_client_submit() and what its reply can say */
HQ_API int hq_submit_array(hq_client *c, const char *ids, const char *const *argv, hq_submit *opt, hq_job_id *ret,
                           hq_error *err);

/** @}
 * @name Jobs
 * Each blocking call blocks on the server, and returns HQ_EINTR when a signal handler ran, HQ_ENOENT where there is no such
 * job, what the connection ended with (HQ_ECLOSED, ...), HQ_ENOMEM, HQ_EINVAL, HQ_EFORK, HQ_ESTATE.
 * @{ */

/** Evented: the reply with `tag` comes when the job has ended, at once if it has. */
HQ_API int hq_client_wait(hq_client *c, hq_job_id job, uint64_t tag, hq_error *err);

/** Evented: cancels what has not ended of the job; u.reply.doc tells how many tasks that were.
 *
 * @param reason for people, at most 200 bytes; may be NULL */
HQ_API int hq_client_cancel(hq_client *c, hq_job_id job, const char *reason, uint64_t tag, hq_error *err);

/** Counts of a job. Written by the library up to the size that the caller set. */
typedef struct hq_job_status {
    size_t size;       /**< sizeof(hq_job_status), set by the caller. */
    int32_t state;     /**< enum hq_task_state or HQ_JOB_OPENED */
    int32_t is_open;   /**< Tasks may still be added. */
    uint64_t total;    /**< Tasks. */
    uint64_t waiting;  /**< Of them, not started. */
    uint64_t running;  /**< Started. */
    uint64_t finished; /**< Ended well. */
    uint64_t failed;   /**< Ended badly. */
    uint64_t canceled; /**< Ended by hq_job_cancel() and the like. */
    uint64_t aborted;  /**< Given up because others failed. */
} hq_job_status;

/** Blocks until the job has ended, at most timeout_ms (-1: no limit): HQ_OK, HQ_ETIMEDOUT. */
HQ_API int hq_job_wait(hq_client *c, hq_job_id job, int timeout_ms, hq_error *err);
/** How far the job is; blocking. ret->size must be set. */
HQ_API int hq_job_progress(hq_client *c, hq_job_id job, hq_job_status *ret, hq_error *err);
/** Cancels what has not ended of the job; blocking. 1: something was canceled, 0: it had ended. `reason` as hq_client_cancel(). */
HQ_API int hq_job_cancel(hq_client *c, hq_job_id job, const char *reason, hq_error *err);
/** All that is known of the job but its tasks, as JobInfo in client.proto; blocking. *ret: hq_doc_free(), before the ctx. */
HQ_API int hq_job_info(hq_client *c, hq_job_id job, hq_doc **ret, hq_error *err);

/** Results of tasks as columns: element i of each array is of the same task. The arrays are borrowed until the next call on the
 * client, or like the event that they came with. Written by the library up to the size that the caller set. */
struct hq_task_columns {
    size_t size;                /**< sizeof(hq_task_columns), set by the caller. */
    size_t count;               /**< Elements of each array. */
    const uint32_t *index;      /**< The task's number within its job, ascending. */
    const uint8_t *state;       /**< enum hq_task_state */
    const int32_t *code;        /**< enum hq_task_code; -1: not ended. */
    const int64_t *start_ns;    /**< UTC since 1970; -1: not started. */
    const int64_t *duration_ns; /**< -1: not ended. */
    const uint32_t *worker;     /**< Where it ran last; 0: nowhere yet. */
    const uint32_t *instance;   /**< Number of its attempt, from 0. */
    const char *const *error;   /**< Text, or NULL; for failed tasks. */
    const void *const *result;  /**< What the task has returned, with a NUL behind it, or NULL. */
    const size_t *result_size;  /**< Bytes of it; HQ_RESULT_DROPPED: the job had more than the server keeps (256 MiB). */
};
#define HQ_RESULT_DROPPED SIZE_MAX /**< There was a result, and it is lost. */

/** Reads results, a page of at most 65536 tasks; blocking.
 *
 *     hq_task_columns t = {sizeof t};
 *     uint64_t cursor = 0;
 *     do {
 *         if (hq_job_tasks(c, job, &cursor, &t, &err) < 0)
 *             return -1;
 *         for (size_t i = 0; i < t.count; i++)
 *             use(t.index[i], t.code[i]);
 *     } while (cursor != 0);
 *
 * @param cursor where to go on; 0 at the start, and 0 again when that was the last page
 * @param ret borrowed arrays; ret->size must be set */
HQ_API int hq_job_tasks(hq_client *c, hq_job_id job, uint64_t *cursor, hq_task_columns *ret, hq_error *err);

/** Evented: the reply with `tag` has a page of results, u.reply.tasks, and where the next one begins, u.reply.cursor.
 *
 * @param cursor 0: from the start
 * @return HQ_OK: a reply will come; or as hq_client_submit() */
HQ_API int hq_client_tasks(hq_client *c, hq_job_id job, uint64_t cursor, uint64_t tag, hq_error *err);

/** @}
 * @name Trees of values
 * Read-only. Every accessor takes NULL and nodes of any kind, so a chain of calls needs one check at its end. What it returns is
 * borrowed from the tree: it lives as long as the root, or as the event that the tree came with.
 * @{ */

/** What a node is. */
enum hq_doc_kind {
    HQ_DOC_NULL,   /**< Nothing. */
    HQ_DOC_BOOL,   /**< hq_doc_uint(): 0 or 1. */
    HQ_DOC_INT,    /**< hq_doc_int() */
    HQ_DOC_UINT,   /**< hq_doc_uint() */
    HQ_DOC_DOUBLE, /**< hq_doc_double() */
    HQ_DOC_BYTES,  /**< hq_doc_bytes() */
    HQ_DOC_LIST,   /**< hq_doc_len(), hq_doc_at() */
    HQ_DOC_MAP     /**< The same, hq_doc_name() and hq_doc_get(). */
};

/** enum hq_doc_kind; HQ_DOC_NULL for NULL. */
HQ_API int hq_doc_get_kind(const hq_doc *d);
/** Of lists and maps, the number of members; of bytes, their number; else 0. */
HQ_API size_t hq_doc_len(const hq_doc *d);
/** Member i of a list or map, or NULL. */
HQ_API const hq_doc *hq_doc_at(const hq_doc *d, size_t i);
/** Of maps, by name, with dots between levels ("stats.running"); NULL if there is none. */
HQ_API const hq_doc *hq_doc_get(const hq_doc *d, const char *path);
/** The name of a map's member, else NULL. */
HQ_API const char *hq_doc_name(const hq_doc *d);
/** A number as an unsigned one: below 0 it is 0, above the largest it is that; 0 for what is no number. */
HQ_API uint64_t hq_doc_uint(const hq_doc *d);
/** A number as a signed one, limited in the same way. */
HQ_API int64_t hq_doc_int(const hq_doc *d);
/** A number as a floating one. */
HQ_API double hq_doc_double(const hq_doc *d);
/** Bytes, with a NUL behind them; "" for anything else. `size` (may be NULL) receives their number. */
HQ_API const char *hq_doc_bytes(const hq_doc *d, size_t *size);
/** Frees a tree that was handed over (hq_job_info()); never one of an event. NULL is fine. */
HQ_API void hq_doc_free(hq_doc *root);
/** @} */

#ifdef __cplusplus
}
#endif
#endif
