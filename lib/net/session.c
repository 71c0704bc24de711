/* SPDX-License-Identifier: MIT */
/* session.c - numbering and keeping of frames, as promised in session.h to router, link and simulator.
 *
 * A frame is built once, by push; only its header is filled in again each time it is handed over, because the
 * session's id (a link learns it late) and the acknowledgement are those of that moment. Must never happen:
 * a frame freed before it is acknowledged, or `next` pointing to a freed one; acknowledgements beyond what was
 * handed over are refused for that reason. */
#include "net/session.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

static const char where[] = "net";

struct outgoing {
    struct list link;
    uint64_t number;
    size_t n;
    char bytes[]; /* header, payload */
};

static struct outgoing *outgoing_of(struct list *link)
{
    return hqi_container(link, struct outgoing, link);
}

void hqi_net_session_init(struct session *s, const struct alloc *a, uint64_t id)
{
    *s = (struct session){.alloc = a, .id = id};
    list_init(&s->queue);
    s->next = &s->queue;
}

static void drop_first(struct session *s)
{
    struct outgoing *o = outgoing_of(list_pop_front(&s->queue));
    s->bytes -= o->n;
    hqi_base_alloc_free(s->alloc, o);
}

void hqi_net_session_fini(struct session *s)
{
    if (!s->alloc) /* never initialised */
        return;
    while (!list_empty(&s->queue))
        drop_first(s);
    hqi_net_session_init(s, s->alloc, 0);
}

int hqi_net_session_push(struct session *s, struct bytes payload, hq_error *err)
{
    if (payload.n > HQI_MAX_MESSAGE)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a message of %zu bytes exceeds the limit of %u", payload.n,
                                  HQI_MAX_MESSAGE);
    struct outgoing *o = hqi_base_alloc_get(s->alloc, sizeof *o + HQI_FRAME_HEADER + payload.n);
    if (!o)
        return hqi_base_error_nomem(err, where);
    o->number = ++s->sent;
    o->n = HQI_FRAME_HEADER + payload.n;
    if (payload.n)
        memcpy(o->bytes + HQI_FRAME_HEADER, payload.p, payload.n);
    list_push_back(&s->queue, &o->link);
    if (s->next == &s->queue)
        s->next = &o->link;
    s->bytes += o->n;
    return HQ_OK;
}

bool hqi_net_session_next(struct session *s, struct bytes *frame)
{
    if (s->next == &s->queue)
        return false;
    struct outgoing *o = outgoing_of(s->next);
    const struct frame header = {.kind = FRAME_DATA, .session = s->id, .number = o->number, .ack = s->safe};
    hqi_wire_session_frame_header((uint8_t *)o->bytes, &header);
    *frame = (struct bytes){o->bytes, o->n};
    return true;
}

void hqi_net_session_moved(struct session *s)
{
    s->handed = outgoing_of(s->next)->number;
    s->next = s->next->next;
    s->told = s->safe;
}

int hqi_net_session_resume(struct session *s, uint64_t their_received, hq_error *err)
{
    if (their_received > s->sent || their_received < s->acked)
        return hqi_base_error_set(err, HQ_EPROTO, where,
                                  "the peer resumes behind frame %llu; only frames %llu to %llu can be",
                                  (unsigned long long)their_received, (unsigned long long)s->acked,
                                  (unsigned long long)s->sent);
    s->next = s->queue.next;
    while (s->next != &s->queue && outgoing_of(s->next)->number <= their_received)
        s->next = s->next->next;
    s->handed = their_received;
    s->told = 0; /* the last one may have been lost with the connection */
    return HQ_OK;
}

void hqi_net_session_each(const struct session *s, hqi_net_session_fn *fn, void *user)
{
    list_for(it, &s->queue) {
        const struct outgoing *o = outgoing_of(it);
        fn(user, (struct bytes){o->bytes + HQI_FRAME_HEADER, o->n - HQI_FRAME_HEADER});
    }
}

static int take_ack(struct session *s, uint64_t ack, hq_error *err)
{
    if (ack > s->handed)
        return hqi_base_error_set(err, HQ_EPROTO, where, "frame %llu is acknowledged, but only %llu were sent",
                                  (unsigned long long)ack, (unsigned long long)s->handed);
    while (s->acked < ack) {
        drop_first(s);
        s->acked++;
    }
    return HQ_OK;
}

int hqi_net_session_take(struct session *s, const struct frame *f, bool *fresh, hq_error *err)
{
    *fresh = false;
    if (f->session != s->id)
        return hqi_base_error_set(err, HQ_EPROTO, where, "a frame of session %llx came in session %llx",
                                  (unsigned long long)f->session, (unsigned long long)s->id);
    if (f->kind != FRAME_DATA && f->kind != FRAME_ALIVE)
        return hqi_base_error_set(err, HQ_EPROTO, where, "a frame of kind %u came in a session", f->kind);
    if (f->kind == FRAME_DATA && f->number > s->received + 1)
        return hqi_base_error_set(err, HQ_EPROTO, where, "frame %llu came where %llu was due",
                                  (unsigned long long)f->number, (unsigned long long)s->received + 1);
    if (f->kind == FRAME_DATA && (f->number == 0 || f->payload.n > HQI_MAX_MESSAGE))
        return hqi_base_error_set(err, HQ_EPROTO, where, "a frame has number %llu and %zu bytes",
                                  (unsigned long long)f->number, f->payload.n);
    int rc = take_ack(s, f->ack, err);
    if (rc < 0)
        return rc;
    *fresh = f->kind == FRAME_DATA && f->number == s->received + 1;
    s->received += *fresh;
    return HQ_OK;
}
