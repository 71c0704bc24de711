/* SPDX-License-Identifier: MIT */
/* net/link.h - the end of a worker or client: a DEALER socket and its one session.
 *
 * Promise: connects with jittered back-off, says HELLO on every connection, resumes its session where the server still has
 * it; tells its owner connected, dropped, refused (for good: wrong secret, version), new_session (the server does not
 * know the old one: what was not acknowledged is handed back). Sending never blocks. */
#ifndef HQI_NET_LINK_H
#define HQI_NET_LINK_H

#include "base/alloc.h"
#include "base/log.h"
#include "loop/loop.h"
#include "net/session.h"

struct link;

/* on_idle may be NULL. Any of them may free the link. */
struct link_ops {
    void (*on_open)(void *user, const struct welcome *w); /* first session, or (resumed) again connected */
    void (*on_data)(void *user, uint64_t number, struct bytes payload);
    void (*on_drop)(void *user); /* the connection is gone; it reconnects by itself */
    /* The session is over and will not come back. code: HQ_EAUTH, HQ_EVERSION, HQ_EPROTO or what the server's owner refused
     * with; HQ_ECLOSED (the server said goodbye without another code, is another one now, or forgot the session; text says
     * which). Called at most once. */
    void (*on_end)(void *user, int code, const char *text);
    void (*on_idle)(void *user); /* after a run in which frames arrived */
};

struct link_options {
    const struct alloc *alloc;
    const struct log *log;
    struct loop *loop;
    void *zmq;              /* context; borrowed */
    const char *plane;      /* "client" or "worker" */
    const char *host;       /* name or address; resolved by link_new, which may block there */
    uint16_t port;
    const uint8_t *secret;  /* 32 bytes */
    uint64_t uid;           /* of this peer process, random */
    uint32_t heartbeat_ms;  /* 0: as the server says in WELCOME */
    bool early;             /* whichever server answers is meant: what is sent may leave with HELLO, a round trip sooner */
    const struct link_ops *ops;
    void *user;
};

/* HQ_ESYS with the resolver's or the system's text, HQ_ELIMIT, HQ_ENOMEM. Connects later. */
int hqi_net_link_new(struct link **ret, const struct link_options *o, hq_error *err);
void hqi_net_link_free(struct link *l); /* NULL is fine; LINGER 0 */
void hqi_net_link_free_forked(struct link *l); /* in a forked child, after hqi_loop_loop_free_forked */
/* Queued until acknowledged. HQ_ENOMEM, HQ_ELIMIT; HQ_ECLOSED after on_end or bye. */
int hqi_net_link_send(struct link *l, struct bytes payload, hq_error *err);
void hqi_net_link_safe(struct link *l, uint64_t number); /* acknowledges what was received */
/* The payloads that the server has not acknowledged, in order; also after on_end, and from it. */
void hqi_net_link_each_unacked(const struct link *l, hqi_net_session_fn *fn, void *user);
uint64_t hqi_net_link_unacked_bytes(const struct link *l);
/* In on_end: the server knows nothing of the session, as after a restart; a new one is possible. */
bool hqi_net_link_forgotten(const struct link *l);
uint64_t hqi_net_link_server_epoch(const struct link *l); /* as WELCOME said; 0: none came yet */
bool hqi_net_link_connected(const struct link *l);
/* Why the last try failed ("Connection refused (os error 111)", "no answer"), for people; "" if none did. */
const char *hqi_net_link_trouble(const struct link *l);
/* errno of the last try, where the system has refused it; 0: it has not, or that is not known yet. */
int hqi_net_link_errno(const struct link *l);
/* How often all addresses of the host have failed since it was last connected. */
unsigned hqi_net_link_rounds(const struct link *l);
/* Says goodbye, if it is connected; afterwards the link can only be freed. What was sent before goes with it; zmq_ctx_term
 * may wait for that, at most a quarter of a second. No on_end. */
void hqi_net_link_bye(struct link *l, int32_t code, const char *text);

#endif
