/* SPDX-License-Identifier: MIT */
/* event.c - see event.h. The queue is a list of events in the order in which they came true. */
#include "host/event.h"

#include <string.h>

struct event *hqi_host_event_new(const struct handle *h, int type)
{
    struct event *e = hqi_base_alloc_zero(&h->ctx->alloc, 1, sizeof *e);
    if (!e)
        return NULL;
    list_init(&e->link);
    e->pub.type = type;
    e->pub.source = h->source;
    e->pub.text = e->text;
    return e;
}

void hqi_host_event_free(hq_ctx *ctx, struct event *e)
{
    if (!e)
        return;
    hq_doc_free(e->doc);
    hqi_base_arena_free(e->mem);
    hqi_base_alloc_free(&ctx->alloc, e);
}

void hqi_host_event_set_text(struct event *e, int code, struct bytes text)
{
    size_t n = text.n < HQI_EVENT_TEXT - 1 ? text.n : HQI_EVENT_TEXT - 1;
    e->pub.code = code;
    if (n > 0)
        memcpy(e->text, text.p, n);
    e->text[n] = '\0';
}

void hqi_host_event_push(hq_ctx *ctx, struct event *e)
{
    list_push_back(&ctx->events, &e->link);
    ctx->n_events++;
    if (!ctx->inside) /* else the dispatch that is going on tells of it */
        hqi_loop_loop_wake(ctx->loop);
}

bool hqi_host_event_room(const hq_ctx *ctx)
{
    return ctx->n_events < ctx->max_events;
}

static struct event *event_of(struct list *link)
{
    return hqi_container(link, struct event, link);
}

static struct event *unlink_event(hq_ctx *ctx, struct list *link)
{
    list_unlink(link);
    ctx->n_events--;
    return event_of(link);
}

void hqi_host_event_drop(hq_ctx *ctx, uint64_t source)
{
    list_for_safe(it, tmp, &ctx->events) {
        if (event_of(it)->pub.source == source)
            hqi_host_event_free(ctx, unlink_event(ctx, it));
    }
}

struct event *hqi_host_event_take_reply(hq_ctx *ctx, uint64_t tag)
{
    list_for(it, &ctx->events) {
        const hq_event *e = &event_of(it)->pub;
        if (e->type == HQ_EVENT_REPLY && e->tag == tag)
            return unlink_event(ctx, it);
    }
    return NULL;
}

struct event *hqi_host_event_take(hq_ctx *ctx)
{
    return list_empty(&ctx->events) ? NULL : unlink_event(ctx, ctx->events.next);
}

void hqi_host_event_set_current(hq_ctx *ctx, struct event *e)
{
    hqi_host_event_free(ctx, ctx->current);
    ctx->current = e;
}
