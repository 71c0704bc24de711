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
#include "net/router.h"
#include "serverdir/access.h"
#include "serverdir/dir.h"

#define PLANES 2u
#define ENDPOINT_BYTES 300u

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
    struct map worker_ids;      /* registered ones by id */
    struct arena in;            /* one frame, decoded */
    struct buf frame;           /* one frame in the making */
    struct server_worker *frame_to; /* whose it is; NULL: nobody's */
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

/* A worker's session. */
struct server_worker {
    struct list link;
    struct map_node by_id;
    struct hq_server *server; /* borrowed */
    struct peer *peer;        /* borrowed from the router: dies with it */
    hq_worker_id id;          /* 0: it has not registered yet */
    bool welcomed, settled;   /* it was told that it is registered; what it has is known */
    int failed;               /* it cannot be served any more, for this reason (HQ_E*) */
    struct backlog backlog;
    struct plan_peer told;    /* to the core */
    char address[256];        /* for people */
};

struct server_client {
    struct list link;
    struct peer *peer; /* borrowed from the router: dies with it */
    int failed;        /* as of server_worker */
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
void hqi_server_clients_drop_failed(struct hq_server *s);

extern const struct router_ops hqi_server_workers_ops;
void hqi_server_workers_fini(struct hq_server *s);
void hqi_server_workers_bye(struct hq_server *s);
void hqi_server_workers_drop_failed(struct hq_server *s);
struct server_worker *hqi_server_workers_find(struct hq_server *s, hq_worker_id id); /* NULL: not connected */
void hqi_server_workers_on_look(struct loop_timer *t);
void hqi_server_workers_on_retry(struct loop_timer *t);

/* ---- outbox.c ---- */
void hqi_server_outbox_drain(struct hq_server *s);

/* ---- stop.c ---- */
void hqi_server_stop_look(struct hq_server *s); /* has a client asked, has the last worker left? */
void hqi_server_stop_on_timer(struct loop_timer *t);

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
