/* SPDX-License-Identifier: MIT */
/* net/endpoint.h - one ZeroMQ socket with its monitor, as two sources of the loop.
 *
 * Promise to router and link: nothing in here blocks; descriptors are probed before libzmq is asked for any (it
 * aborts when they run out); the monitor's queue has no bound, because libzmq's I/O thread would block on a full
 * one, and it is stopped before anything is closed, for the same reason. */
#ifndef HQI_NET_ENDPOINT_H
#define HQI_NET_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "base/bytes.h"
#include "hqcore/error.h"
#include "loop/loop.h"

#define HQI_NET_FDS 20u /* what a context's first socket, its monitor and a connection take, and a few for luck */

struct endpoint {
    struct loop *loop; /* borrowed */
    void *zmq;         /* owned; NULL: closed */
    void *monitor;     /* owned */
    struct loop_source data, events;
    bool data_silent, events_silent; /* nothing waited when libzmq was last asked: its fd will tell, it need not be asked again */
};

struct endpoint_options {
    struct loop *loop;
    void *zmq; /* context; borrowed */
    int type;  /* ZMQ_ROUTER, ZMQ_DEALER */
    int events; /* ZMQ_EVENT_* that the monitor tells */
    uint32_t heartbeat_ms;
    const uint8_t *curve_secret; /* 32 bytes */
    const uint8_t *curve_public; /* of a DEALER: its own */
    const uint8_t *server_public; /* of a DEALER; NULL: this end is the server */
    bool (*ready)(struct loop_source *data);
    void (*run)(struct loop_source *data);
    void (*on_event)(struct loop_source *events);
};

/* HQ_ELIMIT when fewer than HQI_NET_FDS descriptors are left. */
int hqi_net_endpoint_room(const struct loop *l, hq_error *err);
/* Neither bound nor connected yet. HQ_ELIMIT, HQ_ESYS, HQ_ENOMEM. `e` is closed on failure. */
int hqi_net_endpoint_open(struct endpoint *e, const struct endpoint_options *o, hq_error *err);
void hqi_net_endpoint_close(struct endpoint *e, int linger_ms); /* closed: nothing happens */
void hqi_net_endpoint_forget(struct endpoint *e); /* in a forked child: no libzmq; the loop is freed already */
int hqi_net_endpoint_set(struct endpoint *e, int option, int value, hq_error *err);
/* The error of the last libzmq call: HQ_ELIMIT, HQ_ENOMEM or HQ_ESYS. */
int hqi_net_endpoint_fail(hq_error *err, const char *what);

bool hqi_net_endpoint_readable(struct endpoint *e); /* closed: false */
bool hqi_net_endpoint_writable(struct endpoint *e);
/* Does something wait that `data`'s fd may not tell any more, because its edge is gone? What it will tell does not count. */
bool hqi_net_endpoint_has_more(struct endpoint *e);
/* The next part of a message; false: none waits (or no memory for it). */
bool hqi_net_endpoint_recv(struct endpoint *e, zmq_msg_t *part);

enum sent { SENT_OK, SENT_FULL, SENT_GONE };
/* Hands `frame` to libzmq, behind the routing id `to` where it is not empty. FULL: not now (or no memory); GONE: no such peer. */
enum sent hqi_net_endpoint_send(struct endpoint *e, struct bytes to, struct bytes frame);

struct endpoint_event {
    uint16_t kind; /* ZMQ_EVENT_* */
    int32_t value;
};
bool hqi_net_endpoint_event(struct endpoint *e, struct endpoint_event *ret); /* false: none waits */

/* How long ago anything came in on TCP socket `fd`, the transport's heartbeats included. The socket is libzmq's; it
 * is looked at, never touched. false: not known. */
bool hqi_net_endpoint_quiet(int fd, uint64_t *quiet_ns);

#endif
