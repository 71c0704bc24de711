/* SPDX-License-Identifier: MIT */
/* hqcore/tools.h - what the `hq` command needs beyond hqcore.h. No ABI promise: `hq` requires the library of the
 * same build. The conventions of hqcore.h hold here too. */
#ifndef HQCORE_TOOLS_H
#define HQCORE_TOOLS_H

#include "hqcore.h"

#ifdef __cplusplus
extern "C" {
#endif

/* "0.1.0", and a text that differs between any two builds. Static strings. */
HQ_API const char *hq_tools_version(void);

/* ---- requests ------------------------------------------------------------------------------------
 * All are evented: a reply event with `tag` follows, its doc as the message of that name in client.proto. `jobs`
 * and `workers` are selectors as users type them: "all", "last", "1,3-5". State sets are bit sets of
 * 1 << enum hq_task_state (and 1 << HQ_JOB_OPENED). Paged replies are read whole before the event comes. */

HQ_API int hq_tools_server_info(hq_client *c, uint64_t tag, hq_error *err);
HQ_API int hq_tools_server_stop(hq_client *c, uint64_t tag, hq_error *err);
/* The server writes what it knows, as JSON for people, to `path`: over an existing file; relative to the server's working
 * directory. The server's loop waits for the file system meanwhile. No doc. */
HQ_API int hq_tools_server_debug_dump(hq_client *c, const char *path, uint64_t tag, hq_error *err);
/* Of a server without a journal both succeed, and do nothing. No doc. flush: the reply comes when all that is known is on the disk;
 * prune: when the journal holds only jobs and workers that have not ended. */
HQ_API int hq_tools_journal_flush(hq_client *c, uint64_t tag, hq_error *err);
HQ_API int hq_tools_journal_prune(hq_client *c, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_open(hq_client *c, const char *name, uint32_t max_fails, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_close(hq_client *c, const char *jobs, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_cancel(hq_client *c, const char *jobs, const char *reason, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_forget(hq_client *c, const char *jobs, uint32_t states, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_list(hq_client *c, uint32_t states, int all, uint64_t tag, hq_error *err);
/* `brief`: as in a list. With details it is one message: of many jobs, ask for each with hq_job_info. */
HQ_API int hq_tools_job_info(hq_client *c, const char *jobs, int brief, uint64_t tag, hq_error *err);
HQ_API int hq_tools_job_wait(hq_client *c, const char *jobs, int without_close, uint64_t tag, hq_error *err);
/* Answered at once if the jobs' change counter is above `since` (0: at once), else at the next change. The reply's
 * doc holds `change` and the jobs. */
HQ_API int hq_tools_job_progress(hq_client *c, const char *jobs, uint64_t since, uint64_t tag, hq_error *err);
HQ_API int hq_tools_worker_list(hq_client *c, const char *workers, int offline_too, int details, uint64_t tag,
                                hq_error *err);
HQ_API int hq_tools_worker_stop(hq_client *c, const char *workers, uint64_t tag, hq_error *err);
HQ_API int hq_tools_worker_wait(hq_client *c, uint32_t count, uint64_t tag, hq_error *err);

/* As hq_job_tasks, of these ids (NULL: all) and states (0: all). Blocks on the server. */
HQ_API int hq_tools_task_page(hq_client *c, hq_job_id job, const char *ids, uint32_t states, uint64_t *cursor,
                              hq_task_columns *ret, hq_error *err);

/* ---- grammars ------------------------------------------------------------------------------------
 * Checks of command-line values. 0, or HQ_EINVAL with the whole message (several lines) in `why`. */

enum hq_grammar {
    HQ_GRAMMAR_ARRAY = 1,   /* "1-300,400" */
    HQ_GRAMMAR_SELECTOR,    /* "all", "last" or an array */
    HQ_GRAMMAR_SELECTOR_NOALL,
    HQ_GRAMMAR_SINGLE,      /* "last" or a number */
    HQ_GRAMMAR_DURATION,    /* "10", "1:00:00", "2h 5m"; value: milliseconds */
    HQ_GRAMMAR_DURATION_HUMAN,
    HQ_GRAMMAR_AMOUNT,      /* "2 compact!", "all" */
    HQ_GRAMMAR_REQUEST,     /* "gpus/nvidia=1" */
    HQ_GRAMMAR_RESOURCE,    /* "gpus=[0,1]" */
    HQ_GRAMMAR_CPUS,        /* "4", "2x8" */
    HQ_GRAMMAR_ENV,         /* "KEY=value" */
    HQ_GRAMMAR_STDIO,       /* "none", "path:rm-if-finished" */
    HQ_GRAMMAR_CRASH_LIMIT, /* value: the limit */
    HQ_GRAMMAR_DETECT       /* "cpus,mem"; value: bit set of enum hq_detect */
};
/* `value` (may be NULL) receives the number of those that have one. `why` is cut at `room`. */
HQ_API int hq_tools_check(int grammar, const char *text, uint64_t *value, char *why, size_t room);

/* The unknown placeholders of a path, joined by ", " into `names`; returns their number. `known` names one of the
 * six; *has_task_id tells whether %{TASK_ID} occurs. */
HQ_API int hq_tools_placeholders(const char *path, int *has_task_id, char *names, size_t room);
/* Expands a path the way a worker does: cwd first (relative to submit_dir), then stdout/stderr relative to it.
 * `which`: 0 cwd, 1 stdout, 2 stderr of `submit` (a SubmitInfo of a job info doc). Length written, or HQ_E*. */
HQ_API int hq_tools_task_path(const hq_doc *submit, int which, hq_job_id job, uint32_t task, uint32_t instance,
                              const char *server_uid, char *out, size_t room);

/* ---- server directory ------------------------------------------------------------------------------ */

/* The default: HQ_SERVER_DIR, else $HOME/.hq-server. Length written, or HQ_ELIMIT. */
HQ_API int hq_tools_server_dir(char *out, size_t room);

typedef struct hq_access_options {
    size_t size;
    const char *client_host, *worker_host;
    uint16_t client_port, worker_port;
    const char *path;                      /* the full record */
    const char *client_path, *worker_path; /* and its halves; may be NULL */
} hq_access_options;
/* Makes secrets and uid and writes the files (0400, never over an existing one). Blocks on the file system. */
HQ_API int hq_tools_access_generate(const hq_access_options *opt, hq_error *err);

/* What the access file of a directory says. */
typedef struct hq_access_info {
    size_t size;
    char dir[4096]; /* the instance's directory, hq-current resolved */
    char client_host[256], worker_host[256], server_uid[16];
    uint16_t client_port, worker_port; /* 0: that half is missing */
} hq_access_info;
/* HQ_ENOENT: no such directory; HQ_ESYS: no (readable) access file; HQ_EVERSION; HQ_EPROTO: not an access file. */
HQ_API int hq_tools_access_read(const char *server_dir, hq_access_info *ret, hq_error *err);

/* ---- hardware ---------------------------------------------------------------------------------------- */

/* What a worker started now in this environment would find: {resources: [...], notes, gpus} as Hardware in
 * helper.proto. Starts a helper and waits for it, at most 10 s. hq_doc_free. */
HQ_API int hq_tools_hardware(hq_ctx *ctx, int no_hyper_threading, const char *helper, hq_doc **ret, hq_error *err);

/* The configuration that a worker was made with, as WorkerInfo in client.proto. Borrowed; life of w. */
HQ_API const hq_doc *hq_tools_worker_info(const hq_worker *w);
/* Its error, if it ended by itself. */
HQ_API const char *hq_tools_worker_end_text(const hq_worker *w);

/* ---- journals ------------------------------------------------------------------------------------------
 * Files that a server has written, or is writing: they are only read. No ctx is needed; memory comes from malloc. All
 * block on the file system. Texts name the file. */

typedef struct hq_journal hq_journal;

/* HQ_ESYS: it cannot be opened; HQ_EJOURNAL: it is no journal; HQ_EVERSION. */
HQ_API int hq_tools_journal_open(hq_journal **ret, const char *path, hq_error *err);
/* 1: *ret is the next event, {event: {type, ...}, time} with time in ms since 1970, everything named and in the order as in the
 * lines of `hq journal export`; borrowed until the next call. 0: no more. HQ_EJOURNAL: it is damaged here, and nothing that follows
 * can be told. A torn end is the end. */
HQ_API int hq_tools_journal_next(hq_journal *j, const hq_doc **ret, hq_error *err);
HQ_API void hq_tools_journal_free(hq_journal *j);

/* The journal of a running server, through a client; such a one needs no file. follow 0: up to what the server had on its disk when
 * the first page was read. 1: for ever. Of a server without a journal the first events are made up from what it knows; such a reader
 * must read within 32 MiB of what happens. */
HQ_API int hq_tools_journal_remote(hq_journal **ret, int follow, hq_error *err);
/* Asks for the page that follows; with follow and nothing new, the reply comes when there is something. One at a time.
 * HQ_ELIMIT: too many clients are reading; or, without a journal, this one was too slow. */
HQ_API int hq_tools_journal_read(hq_client *c, const hq_journal *j, uint64_t tag, hq_error *err);
/* Takes the doc of the reply. hq_tools_journal_next, of such a journal, gives HQ_EAGAIN where the next page is needed, and
 * HQ_EJOURNAL also where the journal was compacted beyond what was read of it. */
HQ_API int hq_tools_journal_feed(hq_journal *j, const hq_doc *page, hq_error *err);

typedef struct hq_journal_damage {
    uint64_t from, to; /* bytes of the file */
} hq_journal_damage;

typedef struct hq_journal_check {
    size_t size;
    char server_uid[16];
    int header_damaged;
    uint64_t bytes;                  /* of the file */
    uint64_t records, facts, position; /* that are good; number of the last fact */
    uint64_t jobs, tasks, workers;   /* that a server would restore from them */
    uint64_t torn, torn_from;        /* bytes at the end that are no record: the next start of a server cuts them off */
    uint64_t damages, damaged;       /* places with good records behind them, and their bytes */
    hq_journal_damage damage[16];    /* the first of them */
    uint64_t orphans;                /* facts that are whole, but speak of what is lost */
    char orphan[240];                /* what is wrong with the first of them */
} hq_journal_check;
/* Reads all of it. `save` (may be NULL): a new file for what is good; a server can start from it. HQ_EEXIST: there is one;
 * HQ_EJOURNAL: nothing can be had from it. */
HQ_API int hq_tools_journal_check(const char *path, const char *save, hq_journal_check *ret, hq_error *err);

/* The text that a user sees of a failed task. Length written. */
HQ_API int hq_tools_task_error(int code, const char *text, uint32_t crash_limit, char *out, size_t room);

#ifdef __cplusplus
}
#endif
#endif
