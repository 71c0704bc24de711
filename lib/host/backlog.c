/* SPDX-License-Identifier: MIT */
/* backlog.c - see backlog.h. */
#include "host/backlog.h"

#include <string.h>

void hqi_host_backlog_init(struct backlog *b, const struct alloc *a)
{
    b->alloc = a;
    list_init(&b->frames);
}

void hqi_host_backlog_fini(struct backlog *b)
{
    while (b->frames.next && !list_empty(&b->frames))
        hqi_host_backlog_pop(b);
}

bool hqi_host_backlog_keep(struct backlog *b, uint64_t number, uint32_t done, struct bytes payload)
{
    struct backlog_frame *f = hqi_base_alloc_get(b->alloc, sizeof *f + payload.n);
    if (!f)
        return false;
    f->number = number;
    f->done = done;
    f->n = payload.n;
    if (payload.n > 0)
        memcpy(f->payload, payload.p, payload.n);
    list_push_back(&b->frames, &f->link);
    return true;
}

struct backlog_frame *hqi_host_backlog_first(const struct backlog *b)
{
    return list_empty(&b->frames) ? NULL : hqi_container(b->frames.next, struct backlog_frame, link);
}

void hqi_host_backlog_pop(struct backlog *b)
{
    struct list *first = list_pop_front(&b->frames);
    if (first)
        hqi_base_alloc_free(b->alloc, hqi_container(first, struct backlog_frame, link));
}
