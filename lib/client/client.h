/* SPDX-License-Identifier: MIT */
/* client.h - what the files of lib/client/ share: the handle, and its requests. Private to this directory.
 *
 * Each request has everything that its end will need before it is sent: the event (evented calls) or the caller's own
 * hold on it (blocking calls). So a reply always finds its place. */
#ifndef HQI_CLIENT_CLIENT_H
#define HQI_CLIENT_CLIENT_H

#include "base/map.h"
#include "host/backlog.h"
#include "host/ctx.h"
#include "host/event.h"
#include "host/reach.h"
#include "model/command.h"
#include "net/link.h"
#include "wire/client.h"

struct upload;

struct hq_client {
    struct handle handle;      /* first: the ctx frees it */
    const struct alloc *alloc; /* of the ctx */
    struct loop *loop;         /* of the ctx */
    bool owns_ctx;             /* hq_client_open made it */
    struct reach reach;
    struct link *link;         /* owned */
    bool was_connected;
    bool durable;              /* the server may come back: it has a journal */
    char *server_dir;          /* owned; where `reach` is from; NULL: it was given */
    char server_uid[64];
    uint64_t until_ns;         /* when it is no longer looked for; 0: it is not */
    struct loop_timer search;
    bool patient;              /* a refused connection is tried again */
    int over;                  /* HQ_E*: nothing will come any more, for this reason; HQ_OK: alive */
    char over_text[240];
    struct list requests;      /* of struct request; owned: in flight */
    struct map by_id;          /* the same */
    uint64_t last_id;
    struct backlog backlog;
    struct buf frame;          /* one frame in the making */
    struct arena *page;        /* owned: what hq_job_tasks handed out last */
    struct loop_timer watch;   /* looks whether the connection is refused */
    uint64_t watch_ns;         /* its period */
    struct loop_timer retry;   /* what memory was lacking for */
    struct loop_timer resume;  /* what the host's full queue has stopped */
    struct event *connected, *ended; /* owned until they are pushed */
};

struct request {
    struct list link;
    struct map_node by_id;
    struct hq_client *client; /* borrowed */
    uint64_t id;
    uint8_t kind;             /* enum command_kind: what was sent last */
    char *sent;               /* owned: the frame to be sent again in another session: the last one that was no part */
    size_t n_sent;
    struct event *event;      /* owned; NULL: a blocking call waits */
    bool done, abandoned;     /* of a blocking call: the reply is here; nobody waits any more */
    bool one;                 /* asked of one job: if that does not exist, that is a failure */
    hq_job_id asked;          /* that job */
    hq_job_id job;            /* of follow; else the reply's */
    bool follow;              /* one question after the other: task events of `job` */
    bool paused, last;        /* of follow: its event waits for room; the job has ended */
    uint32_t state;           /* of follow: of the job */
    uint64_t since, tag;      /* of follow */
    struct command again;     /* of a paged request: what to ask next; kind 0: it is not paged */
    struct arena *mem;        /* owned: all that follows */
    struct hq_doc *doc;       /* in mem: what was answered */
    struct task_page page;    /* in mem */
    hq_task_columns *columns; /* in mem: the same for the host; NULL: not asked for, or not yet */
    struct upload *upload;    /* owned; entries that are still to be sent */
    bool wants_events;        /* a submit: task events of its job follow */
    int code;
    char text[HQI_EVENT_TEXT];
};

/* ---- request.c ---- */
/* A request in the making; `tag` is of the event, which is not made for blocking ones. NULL: `err` says why. */
struct request *hqi_client_request_new(struct hq_client *c, bool blocking, uint64_t tag, hq_error *err);
/* Gives `cmd` the request's id and sends it. On failure the request is freed. */
int hqi_client_request_send(struct request *r, struct command *cmd, hq_error *err);
int hqi_client_request_send_more(struct request *r, struct command *cmd, hq_error *err); /* the same; never freed */
/* Waits until a blocking request is done. On time-out and interruption it is abandoned: do not touch it again. Its own
 * failure is returned, too (then free it). */
int hqi_client_request_wait(struct request *r, int timeout_ms, hq_error *err);
int hqi_client_request_ask_again(struct request *r, hq_error *err); /* from its beginning, in a new session */
void hqi_client_request_free(struct request *r); /* NULL is fine */
void hqi_client_request_finish(struct request *r, int code, struct bytes text);
int hqi_client_request_on_reply(struct hq_client *c, struct bytes payload, hq_error *err); /* HQ_ENOMEM: once more, later */
void hqi_client_request_finish_all(struct hq_client *c);

/* ---- client.c ---- */
int hqi_client_client_check(const struct hq_client *c, hq_error *err);
void hqi_client_client_end(struct hq_client *c, int code, const char *text);
int hqi_client_client_connect(struct hq_client *c, hq_error *err); /* a link to c->reach; resolving may block */
void hqi_client_client_tell(struct hq_client *c, int state);       /* HQ_EVENT_CONNECTION, if there is room */

/* ---- search.c: a server that is lost, and may come back ---- */
bool hqi_client_search_is_meant(const struct hq_client *c);
void hqi_client_search_begin(struct hq_client *c);
void hqi_client_search_on_forgotten(struct hq_client *c); /* the server is there, and the session is not */
void hqi_client_search_on_timer(struct loop_timer *t);
void hqi_client_search_done(struct hq_client *c); /* in a new session */

/* ---- upload.c ---- */
struct spec;
/* Takes the entries of `s` (copies them) for sending under `key`. HQ_ENOMEM. */
int hqi_client_upload_new(struct upload **ret, const struct alloc *a, const struct entries *e, struct key key, hq_error *err);
void hqi_client_upload_free(struct upload *u); /* NULL is fine */
void hqi_client_upload_rewind(struct upload *u); /* nothing of it has arrived. NULL is fine */
/* The server takes so many more bytes: sends what it may. */
int hqi_client_upload_on_credit(struct request *r, uint64_t credit, hq_error *err);

/* ---- columns.c ---- */
bool hqi_client_columns_make(struct request *r); /* of its page; false: no memory */

/* ---- follow.c ---- */
void hqi_client_follow_start(struct hq_client *c, hq_job_id job, uint64_t tag);
void hqi_client_follow_on_reply(struct request *r, const struct reply_view *v); /* may free r */
void hqi_client_follow_on_resume(struct loop_timer *t);

#endif
