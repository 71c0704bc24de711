/* SPDX-License-Identifier: MIT */
/* recording.c - see recording.h. */
#include "journal/recording.h"

#include <string.h>

#include "hqcore/error.h"
#include "journal/frame.h"

struct recorded {
    struct list link;
    size_t n;
    char bytes[]; /* a frame and its record */
};

static struct recorded *first(const struct recording *r)
{
    return list_empty(&r->records) ? NULL : hqi_container(r->records.next, struct recorded, link);
}

static void drop_first(struct recording *r)
{
    struct recorded *v = first(r);
    list_unlink(&v->link);
    hqi_base_alloc_free(r->alloc, v);
    r->taken = 0;
}

void hqi_journal_recording_init(struct recording *r, const struct alloc *a)
{
    *r = (struct recording){.alloc = a};
    list_init(&r->link);
    list_init(&r->records);
}

void hqi_journal_recording_drop(struct recording *r)
{
    list_unlink(&r->link);
    while (first(r))
        drop_first(r);
    hqi_journal_recording_init(r, r->alloc);
}

void hqi_journal_recording_begin(struct recording *r, uint32_t salt, uint64_t limit)
{
    hqi_journal_recording_drop(r);
    r->next = (struct journal_place){salt, FILE_HEADER};
    r->limit = limit;
}

void hqi_journal_recording_fail(struct recording *r, int code)
{
    hqi_journal_recording_drop(r);
    r->failed = code;
}

static struct recorded *framed(const struct recording *r, struct bytes record, uint64_t position)
{
    struct recorded *v = hqi_base_alloc_get(r->alloc, sizeof *v + FRAME_HEADER + record.n);
    if (!v)
        return NULL;
    v->n = FRAME_HEADER + record.n;
    hqi_journal_frame_put(v->bytes, r->next.file, position, record);
    if (record.n)
        memcpy(v->bytes + FRAME_HEADER, record.p, record.n);
    return v;
}

int hqi_journal_recording_add(struct recording *r, struct bytes record, uint32_t facts)
{
    bool fits = record.n <= RECORD_MAX && r->bytes + FRAME_HEADER + record.n <= r->limit;
    struct recorded *v = fits ? framed(r, record, r->position + facts) : NULL;
    if (!v) {
        hqi_journal_recording_fail(r, fits ? HQ_ENOMEM : HQ_ELIMIT);
        return r->failed;
    }
    r->position += facts;
    r->bytes += v->n;
    list_push_back(&r->records, &v->link);
    return HQ_OK;
}

size_t hqi_journal_recording_take(struct recording *r, char *to, size_t room)
{
    size_t n = 0;
    for (struct recorded *v; n < room && (v = first(r));) {
        size_t left = v->n - r->taken, part = left < room - n ? left : room - n;
        memcpy(to + n, v->bytes + r->taken, part);
        n += part;
        r->taken += part;
        if (part == left)
            drop_first(r);
    }
    r->bytes -= n;
    r->next.offset += n;
    return n;
}
