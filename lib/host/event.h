/* SPDX-License-Identifier: MIT */
/* event.h - what a ctx hands to its host: hq_event and all that it points to, in one block.
 *
 * Promise: an event is made before what it will tell can happen (with the request, with the handle), so that a reply or an end
 * cannot be lost to a full memory; what may be lost (task events) asks for room first. */
#ifndef HQI_HOST_EVENT_H
#define HQI_HOST_EVENT_H

#include "base/bytes.h"
#include "host/ctx.h"
#include "model/doc.h"

#define HQI_EVENT_TEXT 512u /* longer texts are cut */

struct event {
    struct list link;
    hq_event pub;
    struct hq_doc *doc; /* owned; root */
    struct arena *mem;  /* owned: of what else pub points to; NULL: nothing */
    char text[HQI_EVENT_TEXT];
};

struct event *hqi_host_event_new(const struct handle *h, int type); /* NULL: no memory */
void hqi_host_event_free(hq_ctx *ctx, struct event *e);              /* NULL is fine; not one that was pushed */
void hqi_host_event_set_text(struct event *e, int code, struct bytes text);
/* Queues it for hq_ctx_next; takes it. */
void hqi_host_event_push(hq_ctx *ctx, struct event *e);
/* Is there room for an event that nobody reserved? */
bool hqi_host_event_room(const hq_ctx *ctx);
void hqi_host_event_drop(hq_ctx *ctx, uint64_t source); /* all that are queued of this handle */
/* The first queued reply with this tag, taken from the queue; NULL: none. */
struct event *hqi_host_event_take_reply(hq_ctx *ctx, uint64_t tag);
struct event *hqi_host_event_take(hq_ctx *ctx); /* the first; NULL: none */
void hqi_host_event_set_current(hq_ctx *ctx, struct event *e); /* frees the one before; NULL is fine */

#endif
