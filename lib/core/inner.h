/* SPDX-License-Identifier: MIT */
/* inner.h - what the files of lib/core/ share. Private to this directory. */
#ifndef HQI_CORE_INNER_H
#define HQI_CORE_INNER_H

#include "base/heap.h"
#include "base/list.h"
#include "core/core.h"

/* Progress of a job is told at most that often to one waiter: nobody reads faster. */
#define PROGRESS_INTERVAL_NS (50 * HQI_MS)
/* Jobs in one page of a list: about 100 bytes each. */
#define LIST_PAGE 2048u
#define FAILED_SHOWN 5u
/* What workers get to come back to a restarted server before their tasks run elsewhere: they look for it every 2 s, and a
 * node may be slow to see a new access file on a network file system. */
#define RETURN_NS (30 * HQI_SEC)
/* When memory was short: somebody may have freed some. */
#define RETRY_NS (100 * HQI_MS)

struct waiter { /* a command whose reply waits for something */
    struct list link;
    uint64_t client, id;
    uint8_t kind;        /* COMMAND_JOB_WAIT, JOB_PROGRESS, WORKER_WAIT */
    bool without_close;
    uint64_t since, not_before_ns; /* progress */
    uint32_t count;      /* worker wait: so many; else: jobs */
    uint32_t jobs[];     /* ids, ascending */
};

struct upload { /* a submit whose entries come in parts */
    struct list link;
    uint64_t client, id; /* of the SUBMIT command */
    struct command cmd;  /* its spec is owned */
    struct buf blob;
    struct buf offsets;  /* uint64_t each */
    uint64_t deadline_ns;
};

struct out_node {
    struct list link;
    struct out out;
};

struct core {
    const struct alloc *alloc; /* borrowed */
    const struct log *log;
    struct state *state;     /* owned */
    struct scratch *scratch; /* owned */
    struct core_options opt;
    char uid[16];
    struct arena tick;  /* facts in the making; cleared at each input */
    struct arena mem;   /* the outbox and what it points to; cleared when it is empty */
    struct list outbox; /* of out_node */
    struct list waiters, uploads;
    uint32_t n_uploads;
    struct plan_peer *peers; /* owned; by worker id */
    uint32_t n_peers;
    uint64_t return_ns; /* workers that are away then are lost; UINT64_MAX: nobody is awaited */
    bool dirty;     /* the planner may have something to do */
    bool changed;   /* facts were applied since the waiters were looked at */
    uint64_t not_before_ns; /* memory was short: what is dirty or changed waits until then; 0: at once */
    bool stopping, stopped;
    const char *refusal; /* borrowed; NULL: commands may change something */
    struct out_node *spare;      /* owned: an answer when there is no memory for one */
    bool spare_is_out;           /* it is in the outbox */
    struct out_node *stop_reply; /* owned: withheld until stopped(); NULL: nobody asked */
};

/* ---- core.c ---- */

/* Reserve all, announce all, tell on_facts, then apply all with their effects. On failure nothing has happened. Of several
 * facts only the last may be of a kind that needs a reservation. */
int hqi_core_commit(struct core *c, struct fact *facts, uint32_t n, hq_error *err);
/* An entry at the end of the outbox, zeroed but for kind, class and position; NULL: no memory. */
struct out *hqi_core_put(struct core *c, uint8_t kind, uint8_t class);
struct list *hqi_core_mark(struct core *c);             /* the end of the outbox as it is now */
void hqi_core_take_back(struct core *c, struct list *mark); /* all that was put behind the mark */
/* A reply is made before anything is committed, so that it cannot be missing afterwards; then it is filled, or failed.
 * NULL: no memory; reply_error() still works then. */
struct reply *hqi_core_reply(struct core *c, uint64_t client, uint64_t id, uint8_t kind);
void hqi_core_reply_fail(struct core *c, struct reply *r, int code, const char *text);
/* Always leaves a reply, if the outbox was drained since the last one that memory was lacking for. */
void hqi_core_reply_error(struct core *c, uint64_t client, const struct command *cmd, int code, const char *text);
void hqi_core_no_memory(struct core *c, uint64_t client, const struct command *cmd);
void hqi_core_retry_later(struct core *c, const struct now *now);

/* ---- submit.c ---- */
void hqi_core_submit(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_submit_part(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_upload_drop(struct core *c, struct upload *u);

/* ---- decide.c: commands that change jobs and workers ---- */
void hqi_core_job_open(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_close(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_cancel(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_forget(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_worker_stop(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
/* Attempts that an earlier fact of the same batch deals with. */
struct dealt {
    uint64_t *attempts;  /* submit << 32 | ordinal, ascending */
    uint32_t n;
};
/* FACT_JOB_CANCEL or FACT_JOB_ABORT with what is handed out, by worker. False: no memory. `dealt` may be NULL. */
bool hqi_core_end_job_fact(struct core *c, uint8_t kind, struct job *j, uint64_t utc_ms, struct bytes reason,
                           const struct dealt *dealt, struct fact *ret);

/* ---- select.c: ids of a selector, in arrays of the tick's arena ---- */
struct selected {
    uint32_t *ids;
    uint32_t n;
    uint32_t *missing;
    uint32_t n_missing;
};
/* Of SELECT_ALL those that `want` (NULL: all), which is given the key. */
bool hqi_core_select_jobs(struct core *c, const struct selector *s, bool (*want)(const struct job *, struct key), struct key key,
                          struct selected *ret);
bool hqi_core_select_workers(struct core *c, const struct selector *s, bool running_only, struct selected *ret);

/* ---- walk.c: tasks in the order of their ids ---- */
struct walk {
    const struct job *job;
    const struct span *spans; /* ascending by first id */
    uint32_t n, upcoming;     /* the next one to enter */
    uint32_t states;
    const struct intset *only; /* borrowed: other tasks are passed over; NULL: none are */
    struct heap runs;         /* that have been entered, but for */
    struct run *current;      /* which comes first up to the id `until`; or NULL */
    uint64_t until;
    struct run *spare;
    struct arena *mem; /* borrowed */
    bool failed;       /* no memory: the walk has ended early */
};
struct walk_task {
    uint32_t id, ordinal;
    const struct submit *submit;
};
/* Of all tasks from this id on that are in `states`. */
void hqi_core_walk_job(struct walk *w, struct arena *mem, const struct job *j, uint32_t from, uint32_t states);
/* Of the asked ids from this one on, those that the job has, in any state. */
void hqi_core_walk_ids(struct walk *w, struct arena *mem, const struct job *j, const struct intset *ids, uint32_t from);
bool hqi_core_walk_next(struct walk *w, struct walk_task *ret); /* false: the end, or failed */

/* ---- query.c ---- */
void hqi_core_server_info(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_list(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_info(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_worker_list(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
bool hqi_core_fill_jobs(struct core *c, struct reply *r, const uint32_t *ids, uint32_t n, bool details);
bool hqi_core_fill_workers(struct core *c, struct reply *r, const uint32_t *ids, uint32_t n);
/* ---- page.c ---- */
void hqi_core_task_page(struct core *c, const struct now *now, uint64_t client, struct command *cmd);

/* ---- report.c ---- */
/* A report's rows, without clearing the tick's arena. */
int hqi_core_take_report(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err);
/* `blameless`: it did not come back after a restart. */
void hqi_core_lose_worker(struct core *c, const struct now *now, hq_worker_id w, uint8_t reason, bool blameless);
int hqi_core_join(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid, struct bytes token,
                  hq_worker_id *ret, hq_error *err);

/* ---- back.c: workers that come back ---- */
int hqi_core_await_workers(struct core *c, const struct now *now, hq_error *err); /* after a restart */
void hqi_core_lose_awaited(struct core *c, const struct now *now);                /* those that did not come */
void hqi_core_lose_later(struct core *c, const struct now *now, hq_worker_id w);  /* as if it were awaited */
static inline bool hqi_core_is_away(const struct core *c, hq_worker_id w)
{
    return w.n < c->n_peers && c->peers[w.n].away;
}
bool hqi_core_reserve_peer(struct core *c, hq_worker_id w); /* an entry in peers; false: no memory */

/* ---- wait.c ---- */
void hqi_core_job_wait(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_job_progress(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_worker_wait(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_waiters_look(struct core *c, const struct now *now); /* answers those that have what they waited for */
uint64_t hqi_core_waiters_deadline(const struct core *c);

/* ---- announce.c: messages without which the fact must not be. Before it is applied; false: no memory. ---- */
bool hqi_core_announce(struct core *c, const struct fact *f, uint64_t position);
/* An entry for a worker, of the class that its kind has. NULL: no memory. */
struct to_worker *hqi_core_to_worker(struct core *c, hq_worker_id w, uint8_t kind);
/* One of the kinds about groups of tasks, copied; with `position`. A worker that has left is told nothing. False: no memory. */
bool hqi_core_tell_tasks(struct core *c, hq_worker_id w, uint8_t kind, uint64_t position, const struct task_group *groups,
                         uint32_t n);
/* Tells the workers that know a submit to forget it. False: no memory. */
bool hqi_core_tell_drop(struct core *c, const struct submit *s);

/* ---- effects.c: what may get lost when memory is short. After the fact was applied. ---- */
void hqi_core_effects(struct core *c, const struct fact *f);
/* The same, if nothing of it can run any more. NULL: nothing happens. */
void hqi_core_drop_if_ended(struct core *c, const struct submit *s);

#endif
