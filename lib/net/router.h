/* SPDX-License-Identifier: MIT */
/* net/router.h - the server's end of one plane: a ROUTER socket, its CURVE key, and the sessions on it.
 *
 * Promise to server/: a peer gets a session only with the right secret, version and proof; a refused, silent or garbage
 * peer costs one log line and no effect on others; sending never blocks; nothing is queued in libzmq beyond what
 * its pipes take, all else is accounted per session. The owner hears of each session: it came, its frames, it was
 * dropped, it is lost. */
#ifndef HQI_NET_ROUTER_H
#define HQI_NET_ROUTER_H

#include "base/alloc.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/session.h"

struct router;
struct peer; /* a session with its connection; belongs to the router */

enum peer_loss { PEER_BYE = 1, PEER_DROPPED = 2, PEER_SILENT = 3, PEER_BROKEN = 4 };

struct router_ops {
    /* A peer with a valid hello wants a session (not a resumption). 0 accepts; a negative code refuses with err's text, and
     * *p is freed. */
    int (*on_open)(void *user, struct peer *p, const struct hello *h, hq_error *err);
    void (*on_data)(void *user, struct peer *p, uint64_t number, struct bytes payload);
    /* The session is over; *p is freed after the call. DROPPED: not resumed in time; SILENT: the transport's heartbeat was
     * not answered; BROKEN: it sent what makes no sense. `text`: of a BYE, its reason; else static. */
    void (*on_lost)(void *user, struct peer *p, enum peer_loss why, struct bytes text);
    /* After a run in which frames arrived (at most a few dozen, so that a flood starves nobody). May be NULL. */
    void (*on_idle)(void *user);
};

struct router_options {
    const struct alloc *alloc;
    const struct log *log;
    struct loop *loop;
    void *zmq;                /* context; borrowed */
    const char *plane;        /* "client" or "worker": part of the key derivation and of log lines */
    const char *bind;         /* numeric address, "0.0.0.0", "[::]" */
    uint16_t port;            /* 0: any */
    const uint8_t *secret;    /* 32 bytes */
    struct bytes server_uid;
    uint64_t server_epoch;
    bool durable;             /* told in WELCOME, as are the uid and the epoch */
    uint32_t heartbeat_ms;    /* transport heartbeat: ZMQ_HEARTBEAT_IVL is a quarter of it or so; told in WELCOME */
    uint32_t resume_ms;       /* a dropped session lives that long, and 2 ms longer for each that is dropped at the same time */
    uint32_t stalled_ms;      /* connected but silent: 300,000 */
    uint32_t silent_lost_ms;  /* connected but silent for so long is lost: 3,600,000 */
    uint64_t queue_bytes;     /* per session: beyond it peer_full() is true */
    const struct router_ops *ops;
    void *user;
};

/* HQ_ESYS (address in use: "Address already in use (os error 98)"), HQ_ELIMIT, HQ_ENOMEM. */
int hqi_net_router_new(struct router **ret, const struct router_options *o, hq_error *err);
/* Not from its own callbacks; no on_lost. LINGER 0, but where goodbyes were said: then zmq_ctx_term may wait for them, at
 * most a quarter of a second. NULL is fine. */
void hqi_net_router_free(struct router *r);
/* In a forked child, after hqi_loop_loop_free_forked: memory only, no libzmq. */
void hqi_net_router_free_forked(struct router *r);
uint16_t hqi_net_router_port(const struct router *r);

uint64_t hqi_net_peer_id(const struct peer *p);   /* of the session; unique, never 0 */
uint64_t hqi_net_peer_uid(const struct peer *p);  /* of the peer process */
void hqi_net_peer_set_user(struct peer *p, void *user);
void *hqi_net_peer_user(const struct peer *p);
/* Of the peer's own choice, from its registration: it must have been its link_options.heartbeat_ms, which sets how often its
 * transport pings. 0: nothing happens. */
void hqi_net_peer_set_heartbeat(struct peer *p, uint32_t ms);
bool hqi_net_peer_stalled(const struct peer *p); /* connected, but silent for stalled_ms */
bool hqi_net_peer_full(const struct peer *p);
uint64_t hqi_net_peer_queued(const struct peer *p); /* bytes that it has not acknowledged */
uint64_t hqi_net_peer_rtt_ns(const struct peer *p); /* the shortest of the last seconds; 0: unknown */
int hqi_net_peer_send(struct peer *p, struct bytes payload, hq_error *err); /* queued; HQ_ENOMEM */
void hqi_net_peer_safe(struct peer *p, uint64_t number); /* acknowledges everything up to `number` */
bool hqi_net_peer_idle(const struct peer *p); /* all that was sent is acknowledged */
/* Tells it, then frees p; no on_lost. Not from p's own on_open or on_lost. */
void hqi_net_peer_bye(struct peer *p, int32_t code, const char *text);
struct peer *hqi_net_router_find(struct router *r, uint64_t id);

#endif
