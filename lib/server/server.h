/* SPDX-License-Identifier: MIT */
/* server.h - what the files of lib/server/ share: the handle, and the sessions of its two planes.
 *
 * One input goes one way: a frame is decoded, given to the core, and the core's outbox is drained at once into the
 * sessions; ticks follow when all that had arrived was taken. Private to this directory. */
#ifndef HQI_SERVER_SERVER_H
#define HQI_SERVER_SERVER_H

#include "core/core.h"
#include "host/backlog.h"
#include "host/ctx.h"
#include "host/event.h"
#include "journal/journal.h"
#include "journal/recording.h"
#include "journal/tail.h"
#include "net/router.h"
#include "serverdir/access.h"
#include "serverdir/dir.h"

#define PLANES 2u
#define ENDPOINT_BYTES 300u

/* Positions of the journal that must be written, and synced, before something leaves; 0: none. */
struct safety {
    uint64_t written, synced;
};

/* What waits for that, of one peer. */
struct held_frames {
    struct peer *peer;  /* borrowed from the router */
    struct list link;   /* of server.holding, while there are any */
    struct list frames; /* of struct held_frame; owned */
    uint64_t bytes;
    int failed;         /* the peer cannot be served any more, for this reason (HQ_E*) */
};

#define HQI_SERVER_CLIENT_QUEUE (64u << 20) /* bytes of replies that a client has not taken: some 40 pages of results */

enum server_stage {
    STAGE_RUNNING,
    STAGE_STOPPING, /* the workers were told */
    STAGE_STOPPED   /* the event is out; nothing listens any more */
};

struct hq_server {
    struct handle handle;       /* first: the ctx frees it */
    const struct alloc *alloc;  /* of the ctx */
    const struct log *log;      /* of the ctx */
    struct loop *loop;          /* of the ctx */
    struct core *core;          /* owned */
    struct router *router[PLANES]; /* owned */
    struct access access;       /* hosts, ports, secrets, uid */
    char endpoint[PLANES][ENDPOINT_BYTES];
    struct published {          /* what hq-current says of us; dir "": nothing */
        struct dir_path dir, instance;
    } *published;               /* owned; NULL: no server directory */
    struct list workers;        /* of struct server_worker; owned */
    struct list clients;        /* of struct server_client; owned */
    struct list pressed;        /* those of them that have commands waiting, in their order */
    struct map worker_ids;      /* registered ones by id */
    struct arena in;            /* one frame, decoded */
    struct buf frame;           /* one frame in the making */
    struct server_worker *frame_to; /* whose it is; NULL: nobody's */
    struct safety frame_need;   /* what it waits for */
    struct list holding;        /* of struct held_frames: peers that wait for the disk */
    struct journal *journal;    /* owned; NULL: none */
    struct loop_source progress; /* of the journal */
    struct buf record;          /* one batch of facts in the making, */
    struct arena making;        /* and what that takes besides */
    uint64_t wanted;            /* position up to which syncing was asked for */
    bool unpushed;              /* records were appended, and the journal's thread was not woken */
    bool restored, failing;     /* from a journal that there was; it cannot be written now */
    char refusal[300];          /* why commands are refused */
    uint64_t start_ms;          /* of this process's work */
    uint32_t n_readers;         /* clients that read the journal */
    struct list recordings;     /* of struct recording: what happens is for them */
    struct loop_source news;    /* of recordings that somebody waits for */
    bool has_news;
    char *journal_path;         /* owned; NULL: none */
    uint16_t old_port[PLANES];  /* to be tried first; 0: none */
    bool any_failed;            /* some session is to be ended after the drain */
    bool looking;               /* `look` is set */
    uint64_t idle_timeout_ms;   /* for workers without their own; 0: none */
    struct loop_timer tick;     /* the core's deadline */
    struct loop_timer look;     /* how the workers' connections are */
    struct loop_timer retry;    /* what memory was lacking for */
    struct loop_timer stop;
    enum server_stage stage;
    struct event *stopped;      /* owned until it is pushed */
};

#define HQI_SERVER_DUES 64u /* beyond it the last one stands for more */

/* A worker's session. */
struct server_worker {
    struct list link;
    struct map_node by_id;
    struct hq_server *server; /* borrowed */
    struct peer *peer;        /* borrowed from the router: dies with it */
    hq_worker_id id;          /* 0: it has not registered yet */
    bool welcomed, settled;   /* it was told that it is registered; what it has is known */
    struct held_frames out;
    struct due {              /* frames to be acknowledged when a position is synced; the oldest first */
        uint64_t number, position;
    } dues[HQI_SERVER_DUES];
    uint32_t n_dues;
    uint64_t due_bytes;       /* of frames that are not acknowledged */
    struct backlog backlog;
    struct plan_peer told;    /* to the core */
    char address[256];        /* for people */
};

/* How a client reads the journal, or, where there is none, what is recorded for it alone. */
struct journal_reader {
    struct tail tail;
    bool counted, wait;
    uint64_t id; /* of its request; 0: none */
    struct journal_place at;
    struct recording recording; /* live.c */
    uint64_t restated;          /* position of its last record that says what is, not what has happened */
};

struct server_client {
    struct list link;
    struct list pressed;    /* of hq_server.pressed: some of its commands wait */
    struct backlog waiting; /* commands, until it has read more of the replies */
    uint64_t waiting_bytes;
    struct peer *peer; /* borrowed from the router: dies with it */
    uint64_t prune_id; /* its request to prune the journal, 0: none; */
    uint32_t prune_asked; /* and the compaction that answers it */
    struct journal_reader reader;
    struct held_frames out;
};

/* ---- server.c ---- */
struct now hqi_server_now(struct hq_server *s);
/* After inputs: gives the core its ticks, a bounded number, and sets the timer for the next. */
void hqi_server_run_core(struct hq_server *s);
void hqi_server_wake_core(struct hq_server *s); /* the same, in the next round: from within a router's callbacks */

/* ---- clients.c, workers.c: the two planes ---- */
extern const struct router_ops hqi_server_clients_ops;
void hqi_server_clients_fini(struct hq_server *s);
void hqi_server_clients_bye(struct hq_server *s);
void hqi_server_clients_on_pruned(struct hq_server *s, uint32_t done, const hq_error *err); /* compactions up to `done` */
/* At once; what cannot be sent ends the client. */
void hqi_server_clients_answer(struct hq_server *s, struct peer *p, const struct reply *r);
void hqi_server_clients_drop_failed(struct hq_server *s);
/* Carries out what waited for a client to read. True: there is more that need not wait any longer. */
bool hqi_server_clients_resume(struct hq_server *s);

extern const struct router_ops hqi_server_workers_ops;
void hqi_server_workers_fini(struct hq_server *s);
void hqi_server_workers_bye(struct hq_server *s);
void hqi_server_workers_drop_failed(struct hq_server *s);
struct server_worker *hqi_server_workers_find(struct hq_server *s, hq_worker_id id); /* NULL: not connected */
void hqi_server_workers_acknowledge(struct hq_server *s); /* what is safe by now */
void hqi_server_workers_on_look(struct loop_timer *t);
void hqi_server_workers_on_retry(struct loop_timer *t);

/* ---- outbox.c ---- */
void hqi_server_outbox_init(struct held_frames *h, struct peer *p);
void hqi_server_outbox_fini(struct hq_server *s, struct held_frames *h);
/* Behind what this peer waits for already. HQ_ENOMEM. */
int hqi_server_outbox_send(struct hq_server *s, struct held_frames *h, const struct safety *need, struct bytes payload);
void hqi_server_outbox_release(struct hq_server *s); /* what is safe by now */
void hqi_server_outbox_drain(struct hq_server *s);

/* ---- durable.c: the journal ---- */
void hqi_server_durable_init(struct hq_server *s);
int hqi_server_durable_open(struct hq_server *s, const hq_server_options *o, hq_error *err); /* restores into the core */
int hqi_server_durable_settle(struct hq_server *s, hq_error *err); /* before it listens: its epoch is safe */
int hqi_server_durable_on_facts(void *user, uint64_t position, const struct fact *facts, uint32_t n);
void hqi_server_durable_push(struct hq_server *s); /* the records of this round may be written */
bool hqi_server_durable_is_safe(const struct hq_server *s, const struct safety *need);
void hqi_server_durable_want(struct hq_server *s, const struct safety *need); /* as soon as may be */
const char *hqi_server_durable_refusal(struct hq_server *s); /* why nothing may be changed now; NULL: it may */
uint32_t hqi_server_durable_prune(struct hq_server *s);       /* the number of the compaction; 0: no journal */
void hqi_server_durable_stop(struct hq_server *s);           /* writes and syncs what there is. Blocks */
void hqi_server_durable_fini(struct hq_server *s, bool forked);

/* ---- stop.c ---- */
void hqi_server_stop_look(struct hq_server *s); /* has a client asked, has the last worker left? */
void hqi_server_stop_on_timer(struct loop_timer *t);

/* ---- readers.c: clients that read the journal ---- */
void hqi_server_readers_init(struct hq_server *s, struct journal_reader *r);
void hqi_server_readers_fini(struct hq_server *s, struct journal_reader *r);
void hqi_server_readers_on_read(struct hq_server *s, struct server_client *c, const struct command *cmd); /* may end the client */
void hqi_server_readers_on_progress(struct hq_server *s);

/* ---- live.c: clients that read of a server without a journal ---- */
void hqi_server_live_init(struct hq_server *s);
int hqi_server_live_open(struct hq_server *s, hq_error *err);
void hqi_server_live_fini(struct hq_server *s);
void hqi_server_live_record(struct hq_server *s, const struct fact *facts, uint32_t n); /* for all recordings, if there are any */
/* Ends the reader's request, or leaves it, if there is nothing to say yet and it waits. May end the client. */
void hqi_server_live_answer(struct hq_server *s, struct server_client *c);

/* ---- dump.c ---- */
int hqi_server_dump_write(const struct hq_server *s, const char *path, hq_error *err); /* blocks on the file system */

/* ---- probe.c ---- */
bool hqi_server_probe_is_alive(struct hq_server *s, void *zmq, const struct access_end *at); /* blocks 1 s at most */

/* ---- open.c: options, access record, directory ---- */
int hqi_server_open_access(struct hq_server *s, const hq_server_options *o, hq_error *err);
/* Planes and publication, with other starts in the same directory kept waiting. */
int hqi_server_open_all(struct hq_server *s, const hq_server_options *o, hq_error *err);
void hqi_server_open_unpublish(struct hq_server *s); /* hq-current goes; nothing published: nothing happens */

#endif
