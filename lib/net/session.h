/* SPDX-License-Identifier: MIT */
/* net/session.h - one end of a session, without any socket: numbering, acknowledgement, resumption.
 *
 * Promise: DATA frames arrive once and in order, across dropped connections, for as long as the session lives; what
 * was sent is kept (bytes accounted) until the other end's acknowledgement, and the owner decides when to acknowledge
 * what it received (after it is applied, or synced). Pure: times and frames are arguments, so that the
 * simulator runs the same code. Must never happen: a frame of another session taken, or a frame delivered twice. */
#ifndef HQI_NET_SESSION_H
#define HQI_NET_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "hqcore/error.h"
#include "wire/session.h"

struct session {
    const struct alloc *alloc; /* borrowed */
    uint64_t id;               /* 0: none yet */
    uint64_t sent;             /* highest number given */
    uint64_t handed;           /* highest number handed to the transport on this connection */
    uint64_t acked;            /* the other end's acknowledgement */
    uint64_t received;         /* highest number received in order */
    uint64_t safe;             /* what we acknowledge: <= received, set by the owner */
    uint64_t told;             /* last acknowledgement that left */
    struct list queue;         /* frames acked+1 .. sent; owned */
    struct list *next;         /* the first of them that is not handed over yet; &queue: none */
    uint64_t bytes;            /* in the queue, headers included */
};

void hqi_net_session_init(struct session *s, const struct alloc *a, uint64_t id);
void hqi_net_session_fini(struct session *s);
/* Copies `payload` as the next DATA frame. HQ_ENOMEM; HQ_ELIMIT beyond HQI_MAX_MESSAGE. */
int hqi_net_session_push(struct session *s, struct bytes payload, hq_error *err);
/* The next frame to hand to the transport (complete, header and current acknowledgement filled in), or false. `moved` after it left. */
bool hqi_net_session_next(struct session *s, struct bytes *frame);
void hqi_net_session_moved(struct session *s);
/* The connection is new: everything behind `their_received` is handed over again. HQ_EPROTO if they claim what was never sent
 * or forgot what they had acknowledged. */
int hqi_net_session_resume(struct session *s, uint64_t their_received, hq_error *err);
/* The payloads that the other end has not acknowledged, in order. */
typedef void hqi_net_session_fn(void *user, struct bytes payload);
void hqi_net_session_each(const struct session *s, hqi_net_session_fn *fn, void *user);
/* A DATA or ALIVE frame came: takes its acknowledgement; *fresh tells whether the payload is new and in order.
 * A gap is HQ_EPROTO (the transport is FIFO). */
int hqi_net_session_take(struct session *s, const struct frame *f, bool *fresh, hq_error *err);
static inline void hqi_net_session_set_safe(struct session *s, uint64_t number)
{
    if (number > s->safe)
        s->safe = number;
}

#endif
