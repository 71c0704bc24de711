/* SPDX-License-Identifier: MIT */
/* book.h - the records of the worker's tasks, shared by the files of this directory.
 *
 *     class    equal requests, of whatever submits: they may inherit each other's allocations
 *     lane     what waits of one class with one priority
 *     work     one submit of the server
 *     piece    some tasks of one submit: waiting in a lane, or on their way into a report
 *     slot     an allocation, and the chain of tasks that use it one after the other
 *     attempt  one task in a slot: the first of its chain runs, those behind it are staged at the helper
 *
 * A transition never needs memory: it links a record to a list, and messages and reports are made from the
 * lists when they are asked for. What has no memory then stays in its list. */
#ifndef HQI_TASKS_BOOK_H
#define HQI_TASKS_BOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/list.h"
#include "base/map.h"
#include "base/tree.h"
#include "model/report.h"
#include "tasks/pool.h"
#include "tasks/tasks.h"

#define TASKS_MAX_POSTS 64u /* one bit each in work.told */

struct variant { /* of a class: what dispatch wants to know of it */
    const struct request_variant *request; /* in the class's arena */
    bool possible;                         /* on an empty worker */
    bool forced;                           /* some policy waits for the best groups */
    bool has_cpus;
    bool for_host;                         /* a function: it goes to the host's post */
    uint64_t pools;                        /* bit set */
    uint64_t amount[HQI_MAX_RESOURCES];    /* by pool */
};

struct class {
    struct arena *mem; /* owned; this struct lives in it */
    struct list link;  /* of tasks.classes */
    struct resource_request request;
    uint64_t hash;
    struct variant *variants; /* request.n_variants of them */
    struct list slots;        /* owned */
    struct list lanes;        /* owned */
    uint32_t n_works;
    uint32_t n_above; /* scratch of dispatch: slots whose task has at least the priority looked at */
    bool waits_above; /* scratch: tasks of a higher priority than the one looked at wait */
};

struct lane {
    struct tree_node node; /* of tasks.lanes */
    struct list link;      /* of class.lanes */
    struct class *class;   /* borrowed: its owner */
    int32_t priority;
    struct tree waiting; /* pieces by (job, id) */
    uint64_t n_waiting;
    uint32_t n_running;   /* first in their chains */
    uint32_t n_staged;    /* behind others */
    uint32_t n_unstaging; /* of those, asked back */
    uint32_t n_works;
    bool stuck; /* scratch of dispatch: nothing of it fits any more */
};

/* Tasks with ordinals ord, ord + 1, ... and ids id, id + step, ... */
struct piece {
    struct tree_node by_id;  /* of lane.waiting */
    struct tree_node by_ord; /* of work.waiting */
    struct list link;        /* of a report list of the work, or of tasks.spare */
    struct work *work;       /* borrowed */
    struct attempt *attempt; /* this is its piece (count 1), or NULL */
    uint32_t instance;
    uint32_t ord, count;
    uint32_t id, step;
};

enum { NEWS_STARTED, NEWS_ENDED, NEWS_RETURNED, NEWS_REJECTED, NEWS_CRASHED, NEWS_KINDS };

struct work {
    struct map_node by_submit; /* of tasks.works */
    struct list link;          /* of tasks.known, or of tasks.gone */
    struct list news_link;     /* of tasks.news: some list below is not empty */
    uint32_t submit;           /* the server's number */
    uint32_t number;           /* what the helpers call it; never used again */
    hq_job_id job;
    char *server_uid;             /* owned */
    struct spec *spec;            /* owned */
    struct lane *lane;            /* borrowed from its class */
    struct tree waiting;          /* pieces by ordinal */
    struct list live;             /* attempts in slots, but for those that were cancelled */
    struct list news[NEWS_KINDS]; /* started, ended: attempts; else pieces. Owned but for the started */
    uint32_t n_live, n_slotted;   /* n_slotted: the cancelled ones too */
    uint64_t told;                /* bit set: helpers that have its spec */
    uint32_t mean;                /* duration of its recent tasks, in 1/16 ms */
    bool measured;                /* there were any */
    bool dropped;
};

enum { MAIL_LAUNCH = 1, MAIL_UNSTAGE = 2, MAIL_KILL = 4 }; /* bits: what the helper has not been told yet */

struct attempt {
    struct piece piece;      /* which task */
    struct map_node by_key;  /* of tasks.by_key while in a slot */
    struct map_node by_task; /* of tasks.by_task while in a slot and not cancelled: number and ordinal */
    struct list chain;       /* of slot.chain */
    struct list mail;        /* of post.mail, when `due` */
    struct list live;        /* of work.live */
    struct list news;        /* of work.news[NEWS_STARTED or NEWS_ENDED], of tasks.handed, or of tasks.doubted */
    struct slot *slot;       /* borrowed; NULL when waiting or ended */
    struct bytes entry;      /* in this block */
    uint8_t due;             /* MAIL_* */
    bool sent;               /* the helper has got its LAUNCH */
    bool started;            /* the helper has said so */
    bool unstaging;          /* UNSTAGE was asked for; no answer yet */
    bool silent;             /* cancelled: nothing is reported */
    bool returning;          /* retracted: reported as returned if it comes back */
    uint64_t start_ns;       /* mono */
    uint64_t doubted_ns;     /* mono; when it came to be doubted */
    uint64_t duration_ms;
    int32_t pid; /* when started; with start_ticks its identity */
    uint64_t start_ticks;
    uint16_t code;
    uint8_t variant;
    char *text; /* owned; of the end */
    size_t n_text;
    const char *reason; /* static: instead of a text, of what failed before any helper saw it */
};

struct slot {
    struct list link;     /* of class.slots */
    struct class *class;  /* borrowed: its owner */
    struct list chain;    /* owned attempts, in the order in which they run */
    uint32_t n_chain;
    uint32_t post;        /* index of its helper */
    uint32_t variant;
    struct allocation allocation; /* owned */
    struct arena mem;             /* of what follows */
    const struct env_var *env;    /* what its tasks are told of the allocation */
    uint32_t n_env;
    struct bytes cpus;         /* labels */
    struct bytes omp_threads;  /* empty: not a whole number */
};

struct post { /* a helper */
    struct list mail;  /* attempts with something due, in order */
    uint32_t n_slots;
    bool down;         /* died, and its successor has not said hello */
    struct arena mem;  /* of the messages taken last */
};

struct tasks {
    const struct alloc *alloc;          /* borrowed */
    const struct worker_config *config; /* borrowed */
    struct bytes hq_path;               /* borrowed */
    uint64_t ends_mono_ns;
    struct pools *pools; /* owned */
    struct now now;      /* of the last input */
    struct list classes; /* owned */
    struct tree lanes;   /* by priority descending, then creation */
    struct map works;    /* by the server's number */
    struct list known;   /* owned: the same ones, in the order in which they came */
    struct list gone;    /* owned: dropped works that have slots, or helpers to tell */
    struct list news;    /* works with news */
    struct map by_key;   /* attempts */
    struct map by_task;
    struct list spare;   /* owned pieces, reserved for splits */
    uint32_t n_spare;
    struct post *posts;  /* owned: one per helper, and the last for the host */
    uint32_t n_posts;
    struct list handed;  /* attempts that the host runs and the server has not been told of, oldest first */
    struct list doubted; /* owned attempts that failed just now, perhaps since the allocation ends; oldest first */
    struct arena report_mem;
    uint64_t next_key;
    uint32_t next_number;
    uint32_t n_slots;
    uint64_t n_waiting; /* in lanes */
    uint32_t n_staged;
    uint64_t expire_ns; /* when something that waits can no longer start in time; UINT64_MAX: never */
    bool changed;       /* dispatch has to look again */
    bool starved;       /* memory was short: look again soon */
    bool hold, ending;
};

static inline uint32_t host_post(const struct tasks *t)
{
    return t->n_posts - 1;
}

static inline struct attempt *attempt_of_chain(struct list *link)
{
    return hqi_container(link, struct attempt, chain);
}

static inline struct attempt *attempt_of_news(const struct list *link)
{
    return hqi_container(link, struct attempt, news);
}

static inline bool attempt_is_first(const struct attempt *a)
{
    return a->slot->chain.next == &a->chain;
}

static inline struct slot *slot_of_link(struct list *link)
{
    return hqi_container(link, struct slot, link);
}

#endif
