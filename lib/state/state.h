/* SPDX-License-Identifier: MIT */
/* state.h - everything that a server knows, and the only two functions that touch it.
 *
 *   reserve(state, fact) -> HQ_OK | HQ_ENOMEM    all memory that apply will need
 *   apply(state, fact)                           total; cannot fail; the only writer
 *
 * Live running, replay, tests and simulation go through these two. The structs are open so that floors above can
 * read them without a call per field; nobody but lib/state/ writes them. Iteration that reaches a fact, a
 * message or a user follows ids (arrays, trees), never a hash.
 *
 * What must never happen: a task in two places; a resource booked twice or freed twice; memory per waiting task;
 * an apply that depends on anything but the state and the fact.
 *
 * Data. A submit's tasks are ordinals 0..count-1. Waiting ones are *pieces* (intervals) in the queue of their
 * (priority, request class), ordered by (job, submit, ordinal). Handing a task out cuts a piece of one ordinal from it,
 * which lives on as the record of the attempt, and can go back into the queue without memory. What is kept
 * of a task that was handed out is a column entry of 16 bytes, in chunks made when the first task of the chunk
 * is handed out; a task in no chunk is `rest_state` (waiting, canceled or aborted). */
#ifndef HQI_STATE_STATE_H
#define HQI_STATE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/tree.h"
#include "hqcore/error.h"
#include "hqcore/types.h"
#include "model/fact.h"

struct job;
struct submit;
struct worker;
struct rclass;
struct level;

/* ---- tasks ---- */

/* Waiting: `count` tasks in a level's tree. Handed out: one task, in its worker's list and the map of attempts. Spare: in a list. A
 * busy server touches each many times a second: what only one of these uses shares its place with what others use. */
struct piece {
    struct map_node by_task;  /* attempts: key = submit << 32 | ordinal */
    union {
        struct tree_node in_level; /* waiting: by (job, submit, first) */
        struct {
            struct list in_worker; /* handed out: in hand-out order; or spare */
            uint64_t start_ms;     /* when `started` */
        };
    };
    struct submit *submit;    /* borrowed */
    struct worker *worker;    /* borrowed; NULL while waiting */
    uint32_t first, count;
    uint32_t instance; /* of the next attempt (waiting), or of this one */
    uint32_t least;    /* handed out: the next attempt has at least this instance; more than one above only if others of the
                        * task were with somebody else: this one was adopted, or those were refused */
    uint32_t crashes;
    uint8_t variant;
    bool booked;     /* its request is subtracted from worker->free */
    bool started;    /* the worker has reported it running */
    bool retracting; /* asked back */
};

/* 16 bytes. */
struct column {
    uint64_t start_ms : 40; /* since the submit; all ones: see exception. Of a task that never started: when it ended */
    uint64_t state : 3;     /* enum hq_task_state: RUNNING while started; WAITING: see rest_state */
    uint64_t variant : 5;
    uint64_t code : 16;
    uint32_t duration_ms; /* UINT32_MAX: see exception; of a task that never started: 0 */
    uint32_t worker;      /* 0: never started */
};

#define CHUNK_TASKS 16384u /* 256 kB: of that size malloc(3) can give them back to the system when the job is forgotten */
struct chunk {
    uint32_t counts[HQ_TASK_STATES]; /* so that filters skip */
    struct column tasks[];           /* CHUNK_TASKS, or as many as are left of the submit */
};
#define CHUNK_FAN 1024u /* chunks per directory page; fewer in the last */

/* What is rare, kept beside the column for as long as the submit. */
struct exception {
    struct map_node by_ordinal; /* of the submit */
    uint32_t instance;              /* of the last attempt */
    uint64_t start_ms, duration_ms; /* in full (UTC), where the column overflows */
    char *text;                     /* owned; NUL-terminated; NULL: none. Of an exit code: its result */
    uint32_t text_len;
    bool dropped;                   /* there was a result, and no room for it */
};

struct submit {
    uint32_t id;
    struct job *job;           /* borrowed */
    struct list in_job;
    struct spec *spec;         /* owned */
    struct rclass *class;      /* borrowed */
    struct level *level;       /* borrowed: where its waiting tasks queue */
    struct key key;
    struct map_node by_key;    /* linked when the key is not zero */
    uint64_t position;         /* of the fact that made it */
    uint64_t at_ms;
    uint64_t counts[HQ_TASK_STATES]; /* [WAITING]: not started and not ended, handed out or not */
    uint32_t active;           /* handed out */
    uint8_t rest_state;        /* of tasks without an own column state: WAITING, CANCELED or ABORTED */
    uint64_t rest_ms;          /* when that came */
    struct chunk ***pages;     /* owned: pages[o / CHUNK_TASKS / CHUNK_FAN][o / CHUNK_TASKS % CHUNK_FAN]; NULL: none yet */
    uint32_t n_pages;
    struct map exceptions;     /* owned */
    uint8_t *known;            /* owned: bit per worker id: has been told the spec */
    uint32_t known_bytes;
};

struct job {
    hq_job_id id;
    char *name;          /* owned */
    uint32_t name_len;
    char *cancel_reason; /* owned; NULL: none */
    uint32_t reason_len;
    bool open;
    uint32_t max_fails;  /* UINT32_MAX: no limit */
    struct key key;      /* of job_open */
    struct key close_key, cancel_key; /* of the commands that did so last */
    uint64_t canceled;   /* tasks, by that */
    struct map_node by_key;
    uint64_t submitted_ms, ended_ms; /* ended 0: not yet */
    uint64_t change;                 /* state->position of the last fact that changed what its users see */
    struct list submits;             /* in order */
    uint32_t n_submits;
    uint64_t counts[HQ_TASK_STATES];
    uint64_t text_bytes;             /* error texts kept; at most HQI_MAX_ERROR_BYTES */
    uint64_t result_bytes;           /* results kept; at most HQI_MAX_RESULT_BYTES */
    struct span *spans;              /* owned: task ids -> submit; sorted by first id */
    uint32_t n_spans, room_spans;
};

struct span { /* one range of one submit's id set */
    hq_range ids;
    uint32_t reach; /* largest id of this and all earlier spans */
    struct submit *submit;
};

/* ---- queues ---- */

/* Equal requests are one class; ids are dense, from 0, in order of appearance. */
struct rclass {
    uint32_t id;
    const struct resource_request *request; /* borrowed from `copy` */
    struct arena *copy;                     /* owned */
    struct map_node by_hash;
    uint32_t *resource; /* owned: per entry of variant 0, the id of its name in state->resources */
    uint32_t n_entries;
    uint64_t waiting; /* tasks in all its levels */
};

struct level { /* waiting tasks of one class and priority; stays once made */
    struct tree_node by_rank; /* state->levels: priority descending, then class id; only while it is not empty */
    struct map_node by_key;   /* state->level_map */
    struct rclass *class;     /* borrowed */
    struct list in_state;     /* state->all_levels */
    int32_t priority;
    struct tree pieces;
    uint64_t waiting;
};

/* ---- workers ---- */

struct wclass { /* what one worker has of one class */
    struct map_node by_class;
    struct list in_worker;
    struct rclass *class;
    uint32_t booked, prefilled, retracting; /* tasks; retracting are among prefilled or booked */
    bool blocked;                           /* the worker will never take this class */
    uint32_t rate_x16;                      /* smoothed finishes per second x 16, from the facts' times */
    uint64_t rate_ms;
};

static inline bool hqi_state_wclass_has_tasks(const struct wclass *wc)
{
    return wc->booked + wc->prefilled > 0;
}

struct worker {
    hq_worker_id id;
    struct worker_config *config; /* owned */
    uint8_t end;                  /* RUNNING while connected */
    uint8_t stopping;             /* enum hq_worker_end that was asked for; 0: none */
    uint64_t uid;                 /* of its process; 0: unknown */
    uint8_t token[HQI_TOKEN_BYTES];
    bool has_token;               /* it may come back */
    uint64_t joined_ms, ended_ms;
    uint64_t idle_since_ms;       /* while n_active == 0 */
    uint64_t *total;              /* owned: by resource id, n_resources of them */
    int64_t *free;                /* same shape; may be negative for a moment: the worker is the judge */
    uint32_t n_resources;
    struct list active;           /* pieces, in hand-out order */
    uint32_t n_active, n_running;
    struct map classes;           /* wclass by class id */
    struct list class_list;       /* the same; those that have tasks come first */
    bool blocks;                  /* some class is blocked */
    bool has_last;
    hq_task_id last_task;
    uint64_t last_ms;
};

/* What reserve made for the fact that comes next; private to lib/state. All owned, until apply links them. */
struct pending {
    struct job *job;
    struct submit *submit;
    struct rclass *class;
    struct level *level;
    struct worker *worker;
    struct list wclasses; /* of the hand-outs' classes, by in_worker */
    char *reason;
    uint32_t reason_len;
    char *names[HQI_MAX_RESOURCES]; /* of resources never seen before */
    uint32_t n_names;
};

#define RESOURCE_CPUS 0u /* the id of "cpus" */

struct state {
    const struct alloc *alloc; /* borrowed */
    uint64_t position;         /* number of the last fact applied */
    uint64_t epoch;
    char uid[16];
    struct job **jobs;         /* owned: by id; NULL: forgotten */
    uint32_t n_jobs, room_jobs; /* ids 1 .. n_jobs were given */
    uint32_t live_jobs;
    struct submit **submits;   /* owned array: by id, submits belong to their jobs */
    uint32_t n_submits, room_submits;
    struct worker **workers;   /* owned: by id, ended ones too */
    uint32_t n_workers, room_workers;
    struct map attempts;       /* pieces handed out */
    struct map keys;           /* jobs and submits by the hash of their key */
    struct map class_map;      /* by hash of the request */
    struct rclass **classes;   /* owned */
    uint32_t n_classes, room_classes;
    struct tree levels;        /* not empty: priority descending, class id ascending */
    struct list all_levels;
    struct map level_map;      /* all_levels by class id << 32 | priority */
    char **resources;          /* owned: names by id */
    uint32_t n_resources, room_resources;
    struct list spare;         /* pieces for the next hand-outs */
    uint32_t n_spare;
    struct pending pending;
};

int hqi_state_state_new(struct state **ret, const struct alloc *a, hq_error *err);
void hqi_state_state_free(struct state *s);

/* All memory that apply(fact) needs; on HQ_ENOMEM the state means the same as before. Cheap to repeat. A
 * reservation serves the next apply, of the same fact: the next reserve drops it. Only JOB_OPEN, SUBMIT, JOB_CANCEL (its reason),
 * WORKER_JOIN, WORKER_BACK, HANDOUT, ADOPT, CLASS and REMAINS need any; for all others it cannot fail and need not be asked. */
int hqi_state_reserve(struct state *s, const struct fact *f, hq_error *err);
/* Precondition: reserve succeeded, and decide (or a journal of decided facts) vouches for ids. Takes f's spec and config
 * (and sets the pointers to NULL). */
void hqi_state_apply(struct state *s, struct fact *f);
/* For facts from outside (journal): is it one that decide could have made in this state? HQ_EJOURNAL with the reason. */
int hqi_state_check(const struct state *s, const struct fact *f, hq_error *err);
/* One record of a journal, whose last fact is number `position`: checks, reserves and applies its facts. Numbers may have gaps, never
 * go back. HQ_EJOURNAL, HQ_ENOMEM: the facts before the one that is wrong were applied, no more. */
int hqi_state_replay(struct state *s, uint64_t position, struct fact *facts, uint32_t n, hq_error *err);
/* For the replica of a compaction that prunes: ended jobs go, as by JOB_FORGET, without a fact. */
void hqi_state_remains_forget_ended(struct state *s);
/* FACT_REMAINS of this state, number s->position, for a journal that lacks some of its facts. `keep`: bit per worker id, those
 * that stay (all that have not ended must); NULL: all. Arrays in `mem`. false: no memory. */
bool hqi_state_remains_make(const struct state *s, const uint8_t *keep, struct arena *mem, struct fact *ret);
/* Equal for equal states; walks everything (tests, simulator). Error texts do not count: they may be
 * lost to a full memory. */
uint64_t hqi_state_digest(const struct state *s);
/* Invariants, all of them, slowly; HQ_EINTERNAL with the first one broken (tests, simulator). */
int hqi_state_verify(const struct state *s, hq_error *err);

/* ---- reading ---- */

struct job *hqi_state_job(const struct state *s, hq_job_id id);          /* NULL: unknown or forgotten */
struct submit *hqi_state_submit(const struct state *s, uint32_t submit); /* NULL as well */
struct worker *hqi_state_worker(const struct state *s, hq_worker_id id);
struct worker *hqi_state_worker_by_uid(const struct state *s, uint64_t uid); /* the latest of that process, or NULL */
struct piece *hqi_state_attempt(const struct state *s, uint32_t submit, uint32_t ordinal); /* handed out, or NULL */
struct piece *hqi_state_waiting(const struct submit *s, uint32_t ordinal); /* the piece that it waits in, or NULL */

/* Looks up attempts of one worker one after the other. News of tasks mostly come in the order of their hand-outs: then the next
 * one is the neighbour of the one before, and the map is not asked. Other orders are answered as well. What was found last may
 * be unlinked before the next is asked for; nothing else of the worker's list. */
struct attempt_walk {
    const struct worker *worker;
    const struct list *next; /* of worker->active */
};

static inline struct attempt_walk hqi_state_walk(const struct worker *w)
{
    return (struct attempt_walk){w, w->active.next};
}

/* The attempt at the task that this worker has, or NULL. */
static inline struct piece *hqi_state_walk_to(const struct state *s, struct attempt_walk *k, uint32_t submit, uint32_t ordinal)
{
    struct piece *p = hqi_container(k->next, struct piece, in_worker);
    if (k->next == &k->worker->active || p->first != ordinal || p->submit->id != submit)
        p = hqi_state_attempt(s, submit, ordinal);
    if (!p || p->worker != k->worker)
        return NULL;
    k->next = p->in_worker.next;
    return p;
}
struct job *hqi_state_job_by_key(const struct state *s, struct key key); /* of its submit or job_open, or NULL */
struct submit *hqi_state_job_find(const struct job *j, uint32_t task, uint32_t *ordinal); /* by task id, or NULL */
uint32_t hqi_state_spans_begun(const struct span *spans, uint32_t n, uint32_t id); /* how many begin at or below this id */
/* The smallest of `ids` that the job has already; false: none. */
bool hqi_state_job_meets(const struct job *j, const struct intset *ids, uint32_t *first);
uint32_t hqi_state_job_max_id(const struct job *j, bool *any);
uint64_t hqi_state_job_total(const struct job *j);
bool hqi_state_job_idle(const struct job *j);  /* nothing running or waiting */
bool hqi_state_job_ended(const struct job *j); /* idle and closed */
uint8_t hqi_state_job_derived(const struct job *j); /* first match: RUNNING, WAITING, FAILED, ABORTED, CANCELED, OPENED, FINISHED */
struct wclass *hqi_state_wclass(const struct worker *w, const struct rclass *c); /* or NULL */
bool hqi_state_knows(const struct submit *s, hq_worker_id w); /* the worker has been told the spec */

struct task_view {
    uint8_t state;
    uint16_t code;
    uint8_t variant;
    bool started;
    uint64_t start_ms;    /* UTC, if started */
    uint64_t duration_ms; /* if it has ended */
    uint32_t worker;      /* 0: never started */
    uint32_t instance;    /* of the last attempt */
    const char *text;     /* of failures that have one, or a result; borrowed */
    uint32_t text_len;
    bool dropped;         /* there was a result */
};
void hqi_state_task(const struct submit *s, uint32_t ordinal, struct task_view *ret);
/* When a task that has ended did so, UTC; `t` is its view. */
uint64_t hqi_state_task_ended_ms(const struct submit *s, uint32_t ordinal, const struct task_view *t);
/* The first ordinal >= from whose task is in `states` (bit set), skipping whole chunks; count if none. */
uint32_t hqi_state_task_seek(const struct submit *s, uint32_t from, uint32_t states);
uint32_t hqi_state_task_seek_in(const struct submit *s, uint32_t from, uint32_t to, uint32_t states); /* `to` if none below */
/* The first ordinal >= from whose task was started, or has ended by itself: it has a column that says so; count if none. */
uint32_t hqi_state_task_touched(const struct submit *s, uint64_t from);

/* Would this attempt fail for good if its worker were lost for `reason`? The rule that apply(WORKER_LOST) follows:
 * only started ones; never-restart on any reason; else a failure reason (CONNECTION_LOST, HEARTBEAT_LOST) and
 * crashes + 1 >= limit. */
bool hqi_state_crash_fails(const struct piece *p, uint8_t reason);

/* What one task of `class` (variant 0) takes from `w`: amount of its i-th entry; `all` takes the total. */
uint64_t hqi_state_class_amount(const struct rclass *c, uint32_t entry, const struct worker *w);
/* How many the worker's totals would hold at once; 0: it can never run one. Whether it may, and has the time, is the scheduler's. */
uint32_t hqi_state_class_slots(const struct rclass *c, const struct worker *w);

#endif
