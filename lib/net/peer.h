/* SPDX-License-Identifier: MIT */
/* net/peer.h - what router.c, greeting.c and peer.c share: a router's insides and its peers.
 *
 * router.c takes frames off the socket and hands each to its peer; greeting.c deals with those who have no session
 * yet; peer.c sends, keeps the deadlines of one peer and ends it. Outside of net/ only router.h is included. */
#ifndef HQI_NET_PEER_H
#define HQI_NET_PEER_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "net/endpoint.h"
#include "net/pace.h"
#include "net/router.h"

#define HQI_NET_RID_BYTES 5u /* of a routing id that libzmq made: a zero and a counter */
#define HQI_NET_TOKEN_BYTES 16u

struct router {
    struct router_options o;
    char *plane;           /* owned; o.plane points to it */
    struct bytes uid;      /* owned; o.server_uid is the same */
    uint8_t secret[32];    /* o.secret points to it */
    struct endpoint end;
    struct map by_id, by_rid, by_fd; /* of peers; borrowed */
    struct map by_uid;     /* of the peers that greeted last under their uid; borrowed */
    struct list peers;     /* owned */
    struct list dirty;     /* peers with something to send */
    struct list blocked;   /* peers whose pipe is full */
    struct list owing;     /* peers that are owed an acknowledgement by the time of ack_timer */
    struct loop_timer ack_timer, retry_timer;
    struct arena scratch;  /* of the greeting in hand */
    struct buf out;        /* of the frame being built */
    struct buf silent;     /* by file descriptor: 1 while the connection is there and has said nothing */
    uint64_t hush_until;   /* no line about garbage before this */
    uint64_t hushed;       /* lines that were kept back */
    uint64_t n_away;       /* peers */
    uint16_t port;
    bool running;          /* flushes at its end, so that nobody need wake the loop */
    bool said_bye;         /* a goodbye may still be in libzmq's hands */
};

struct peer {
    struct router *router; /* borrowed: its owner */
    struct map_node by_id, by_rid, by_fd, by_uid;
    struct list link;      /* in peers */
    struct list turn;      /* in dirty or blocked */
    struct list owing;     /* in owing */
    struct session session;
    struct pace pace;
    struct loop_timer timer;
    uint64_t due;          /* of `timer` */
    void *user;            /* borrowed */
    uint64_t uid, epoch;
    uint64_t heartbeat_ns; /* the peer's own */
    uint64_t heard;        /* the last frame came */
    uint64_t alive;        /* the transport was last known to work: >= heard */
    uint64_t said;         /* the last frame left */
    uint64_t lost_at;      /* while not connected: it is lost then, */
    enum peer_loss loss;   /* for this reason */
    uint8_t token[HQI_NET_TOKEN_BYTES];
    uint8_t rid[HQI_NET_RID_BYTES];
    int fd;                /* libzmq's, to match the monitor's events; -1 while not connected */
    uint8_t put_off;       /* how often judgement was put off because input waits */
    bool connected, stalled;
    bool away;             /* it was dropped, and may come back */
    bool speak;            /* a frame must leave, be it an empty one */
    bool unnamed;          /* no frame has carried the session's id yet: WELCOME may still be on its way */
};

/* Where a frame came from. */
struct origin {
    uint8_t rid[HQI_NET_RID_BYTES];
    int fd;
    const char *address; /* numeric; borrowed from the message */
};

static inline uint64_t hqi_net_peer_rid_key(const uint8_t rid[HQI_NET_RID_BYTES]) /* never 0 */
{
    uint64_t key = 1;
    for (unsigned i = 0; i < HQI_NET_RID_BYTES; i++)
        key = key << 8 | rid[i];
    return key;
}
static inline uint64_t hqi_net_peer_now(const struct router *r)
{
    return hqi_loop_loop_now(r->o.loop).mono_ns;
}

/* A peer with a fresh id and token, not yet attached. HQ_ENOMEM, HQ_ESYS. */
int hqi_net_peer_new(struct peer **ret, struct router *r, uint64_t uid, uint64_t epoch, hq_error *err);
void hqi_net_peer_free(struct peer *p); /* no callback, no word to it */
/* It now is behind this connection. Cannot fail: new has reserved what it takes. */
void hqi_net_peer_attach(struct peer *p, const struct origin *from);
void hqi_net_peer_heard(struct peer *p);
void hqi_net_peer_drop(struct peer *p); /* its connection is gone; to be judged later */
/* Calls on_lost and frees it. */
void hqi_net_peer_lose(struct peer *p, enum peer_loss why, struct bytes text);
/* Something must leave for it in the next flush: what was pushed, or (`now`) at least an ALIVE. */
void hqi_net_peer_turn(struct peer *p, bool now);
/* A bounded amount of sending, in turns. */
void hqi_net_peer_flush(struct router *r);
void hqi_net_peer_unblock(struct router *r, unsigned most); /* tries up to `most` full ones again */
void hqi_net_peer_on_ack_timer(struct loop_timer *t);
void hqi_net_peer_on_retry_timer(struct loop_timer *t);

/* router.c */
void hqi_net_router_drain_events(struct router *r); /* takes notice of connections that broke */
/* One line for the log about a peer that misbehaves, at most one a second. */
void hqi_net_router_complain(struct router *r, const struct origin *from, const char *what);
/* Tells a peer that may have no session. Whether it arrives is nobody's concern. */
void hqi_net_router_refuse(struct router *r, const struct origin *to, int code, const char *text);

/* greeting.c: the first frame of a connection. */
void hqi_net_greeting_take(struct router *r, const struct origin *from, const struct frame *f);

#endif
