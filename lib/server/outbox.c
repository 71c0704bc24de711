/* SPDX-License-Identifier: MIT */
/* outbox.c - from the core's outbox to the sessions.
 *
 * Promise: entries leave in their order; what follows for one worker travels in one frame. Must never happen: an
 * entry leaving before the fact that it reveals is safe (`position` and `class` say when; without a journal, applied
 * is safe), or one peer that does not read holding up the others. */
#include "base/limits.h"
#include "server/server.h"
#include "wire/client.h"
#include "wire/worker.h"

/* A peer that cannot be served is let go after the drain: its loss is an input of the core, and inputs may not come while
 * entries of the outbox are in use. */
static void send_frame(struct hq_server *s)
{
    struct server_worker *w = s->frame_to;
    s->frame_to = NULL;
    if (!w || w->failed)
        return;
    w->failed = s->frame.failed ? HQ_ENOMEM : hqi_net_peer_send(w->peer, hqi_base_buf_bytes(&s->frame), NULL);
    s->any_failed = s->any_failed || w->failed;
}

/* Items for one worker are encoded as messages of their own, one behind the other: joined messages are, in protobuf, one
 * message with all their items. So nothing of an entry is needed after it was popped. */
static void deliver_to_worker(struct hq_server *s, const struct out *o)
{
    struct server_worker *w = hqi_server_workers_find(s, o->worker);
    const struct to_worker_batch batch = {.items = &o->u.to_worker, .n = 1};
    if (s->frame_to != w || s->frame.n > HQI_BATCH_BYTES)
        send_frame(s);
    if (!w || w->failed)
        return;
    if (!s->frame_to)
        hqi_base_buf_clear(&s->frame);
    s->frame_to = w;
    hqi_wire_worker_encode_to(&batch, &s->frame);
}

static void deliver_reply(struct hq_server *s, const struct out *o)
{
    struct peer *p = hqi_net_router_find(s->router[HQ_PLANE_CLIENT], o->client);
    struct server_client *c = p ? hqi_net_peer_user(p) : NULL;
    send_frame(s);
    if (!c || c->failed)
        return;
    hqi_base_buf_clear(&s->frame);
    hqi_wire_client_encode_reply(&o->u.reply, &s->frame);
    c->failed = s->frame.failed ? HQ_ENOMEM : hqi_net_peer_send(p, hqi_base_buf_bytes(&s->frame), NULL);
    if (c->failed == HQ_OK && hqi_net_peer_full(p)) /* it asks for more than it reads */
        c->failed = HQ_ELIMIT;
    s->any_failed = s->any_failed || c->failed;
}

void hqi_server_outbox_drain(struct hq_server *s)
{
    const struct out *o;
    while ((o = hqi_core_peek(s->core))) {
        if (o->kind == OUT_WORKER)
            deliver_to_worker(s, o);
        else
            deliver_reply(s, o);
        hqi_core_pop(s->core);
    }
    send_frame(s);
    if (!s->any_failed)
        return;
    s->any_failed = false;
    hqi_server_clients_drop_failed(s);
    hqi_server_workers_drop_failed(s);
}
