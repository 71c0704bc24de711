/* SPDX-License-Identifier: MIT */
/* outbox.c - from the core's outbox to the sessions.
 *
 * Promise: entries for one peer leave in their order; what follows for one worker travels in one frame. Must never happen: an
 * entry leaving before the fact that it reveals is safe (`position` and `class` say when; without a journal, applied
 * is safe), or one peer holding up the others, be it that it does not read or that it waits for the disk. */
#include "base/limits.h"
#include "server/server.h"
#include "wire/client.h"
#include "wire/worker.h"

struct held_frame {
    struct list link;
    struct safety need;
    size_t n;
    char payload[];
};

/* ---- frames that wait ---- */

void hqi_server_outbox_init(struct held_frames *h, struct peer *p)
{
    *h = (struct held_frames){.peer = p};
    list_init(&h->frames);
    list_init(&h->link);
}

void hqi_server_outbox_fini(struct hq_server *s, struct held_frames *h)
{
    for (struct list *l; (l = list_pop_front(&h->frames));)
        hqi_base_alloc_free(s->alloc, hqi_container(l, struct held_frame, link));
    list_unlink(&h->link);
}

static int hold(struct hq_server *s, struct held_frames *h, const struct safety *need, struct bytes payload)
{
    struct held_frame *f = hqi_base_alloc_get(s->alloc, sizeof *f + payload.n);
    if (!f)
        return HQ_ENOMEM;
    f->need = *need;
    f->n = payload.n;
    if (payload.n)
        memcpy(f->payload, payload.p, payload.n);
    if (list_empty(&h->frames))
        list_push_back(&s->holding, &h->link);
    list_push_back(&h->frames, &f->link);
    h->bytes += payload.n;
    hqi_server_durable_want(s, need);
    return HQ_OK;
}

int hqi_server_outbox_send(struct hq_server *s, struct held_frames *h, const struct safety *need, struct bytes payload)
{
    if (list_empty(&h->frames) && hqi_server_durable_is_safe(s, need))
        return hqi_net_peer_send(h->peer, payload, NULL);
    return hold(s, h, need, payload);
}

/* Its first frame, if that may leave now. */
static struct held_frame *next_free(const struct hq_server *s, const struct held_frames *h)
{
    struct held_frame *f = list_empty(&h->frames) ? NULL : hqi_container(h->frames.next, struct held_frame, link);
    return f && hqi_server_durable_is_safe(s, &f->need) ? f : NULL;
}

static void release_peer(struct hq_server *s, struct held_frames *h)
{
    for (struct held_frame *f; (f = next_free(s, h));) {
        if (!h->failed)
            h->failed = hqi_net_peer_send(h->peer, (struct bytes){f->payload, f->n}, NULL);
        s->any_failed = s->any_failed || h->failed;
        h->bytes -= f->n;
        list_unlink(&f->link);
        hqi_base_alloc_free(s->alloc, f);
    }
    if (list_empty(&h->frames))
        list_unlink(&h->link);
}

static void drop_failed(struct hq_server *s)
{
    if (!s->any_failed)
        return;
    s->any_failed = false;
    hqi_server_clients_drop_failed(s);
    hqi_server_workers_drop_failed(s);
}

void hqi_server_outbox_release(struct hq_server *s)
{
    list_for_safe(it, tmp, &s->holding)
        release_peer(s, hqi_container(it, struct held_frames, link));
    drop_failed(s);
}

/* ---- from the core ---- */

static struct safety safety_of(const struct out *o)
{
    return o->class == OUT_SYNCED ? (struct safety){o->position, o->position} : (struct safety){o->position, 0};
}

/* A peer that cannot be served is let go after the drain: its loss is an input of the core, and inputs may not come while
 * entries of the outbox are in use. */
static void send_frame(struct hq_server *s)
{
    struct server_worker *w = s->frame_to;
    s->frame_to = NULL;
    if (!w || w->out.failed)
        return;
    w->out.failed =
        s->frame.failed ? HQ_ENOMEM : hqi_server_outbox_send(s, &w->out, &s->frame_need, hqi_base_buf_bytes(&s->frame));
    s->any_failed = s->any_failed || w->out.failed;
}

/* Items for one worker are encoded as messages of their own, one behind the other: joined messages are, in protobuf, one
 * message with all their items. So nothing of an entry is needed after it was popped. The frame waits for what its last item
 * needs most. */
static void deliver_to_worker(struct hq_server *s, const struct out *o)
{
    struct server_worker *w = hqi_server_workers_find(s, o->worker);
    const struct to_worker_batch batch = {.items = &o->u.to_worker, .n = 1};
    const struct safety need = safety_of(o);
    if (s->frame_to != w || s->frame.n > HQI_BATCH_BYTES)
        send_frame(s);
    if (!w || w->out.failed)
        return;
    if (!s->frame_to) {
        hqi_base_buf_clear(&s->frame);
        s->frame_need = (struct safety){0, 0};
    }
    s->frame_to = w;
    s->frame_need.written = need.written > s->frame_need.written ? need.written : s->frame_need.written;
    s->frame_need.synced = need.synced > s->frame_need.synced ? need.synced : s->frame_need.synced;
    hqi_wire_worker_encode_to(&batch, &s->frame);
}

static void deliver_reply(struct hq_server *s, const struct out *o)
{
    struct peer *p = hqi_net_router_find(s->router[HQ_PLANE_CLIENT], o->client);
    struct server_client *c = p ? hqi_net_peer_user(p) : NULL;
    const struct safety need = safety_of(o);
    send_frame(s);
    if (!c || c->out.failed)
        return;
    hqi_base_buf_clear(&s->frame);
    hqi_wire_client_encode_reply(&o->u.reply, &s->frame);
    c->out.failed = s->frame.failed ? HQ_ENOMEM : hqi_server_outbox_send(s, &c->out, &need, hqi_base_buf_bytes(&s->frame));
    if (c->out.failed == HQ_OK && (hqi_net_peer_full(p) || c->out.bytes > HQI_SERVER_CLIENT_QUEUE))
        c->out.failed = HQ_ELIMIT; /* it asks for more than it reads, or than can be answered now */
    s->any_failed = s->any_failed || c->out.failed;
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
    drop_failed(s);
}
