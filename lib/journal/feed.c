/* SPDX-License-Identifier: MIT */
/* feed.c - see feed.h. */
#include "journal/feed.h"

#include <string.h>

#include "base/error.h"
#include "journal/frame.h"

static const char where[] = "journal";

int hqi_journal_feed_init(struct feed *f, const struct alloc *a, hq_error *err)
{
    *f = (struct feed){.until = UINT64_MAX};
    hqi_base_buf_init(&f->in, a);
    return hqi_journal_history_new(&f->history, a, err);
}

void hqi_journal_feed_fini(struct feed *f)
{
    hqi_journal_history_free(f->history);
    f->history = NULL;
    if (f->in.alloc)
        hqi_base_buf_fini(&f->in);
}

/* ---- pages ---- */

/* What is left of the old file is at best the beginning of a record, which the new one has whole. */
static void begin_file(struct feed *f, uint32_t file)
{
    if (f->at.offset > 0)
        f->behind = f->position;
    f->at = (struct journal_place){file, FILE_HEADER};
    hqi_base_buf_clear(&f->in);
    f->taken = 0;
}

static void drop_taken(struct feed *f)
{
    if (f->taken > 0)
        memmove(f->in.p, f->in.p + f->taken, f->in.n - f->taken);
    f->in.n -= f->taken;
    f->taken = 0;
}

int hqi_journal_feed_page(struct feed *f, const struct journal_place *at, struct bytes data, hq_error *err)
{
    if (f->at.offset == 0 || at->file != f->at.file)
        begin_file(f, at->file);
    if (at->offset != f->at.offset)
        return hqi_base_error_set(err, HQ_EPROTO, where, "byte %llu of the journal was sent, expected %llu",
                                  (unsigned long long)at->offset, (unsigned long long)f->at.offset);
    drop_taken(f);
    hqi_base_buf_add(&f->in, data.p, data.n);
    if (f->in.failed)
        return hqi_base_error_nomem(err, where);
    f->at.offset += data.n;
    return HQ_OK;
}

/* ---- records ---- */

static int damaged(const struct feed *f, hq_error *err)
{
    return hqi_base_error_set(err, HQ_EJOURNAL, where, "what was sent of the journal, at byte %llu, is no record",
                              (unsigned long long)(f->at.offset - (f->in.n - f->taken)));
}

/* HQ_OK: *record is the next one; HQ_EAGAIN: it is not all there yet. */
static int next_record(struct feed *f, struct frame *head, struct bytes *record, hq_error *err)
{
    size_t left = f->in.n - f->taken;
    const char *p = f->in.p + f->taken;
    if (left < FRAME_HEADER)
        return HQ_EAGAIN;
    if (!hqi_journal_frame_get(head, f->at.file, p))
        return damaged(f, err);
    if (left - FRAME_HEADER < head->length)
        return HQ_EAGAIN;
    *record = (struct bytes){p + FRAME_HEADER, head->length};
    if (!hqi_journal_frame_holds(head, f->at.file, *record))
        return damaged(f, err);
    f->taken += FRAME_HEADER + head->length;
    return HQ_OK;
}

static int learn(struct feed *f, uint64_t position, struct bytes record, hq_error *err)
{
    int r = hqi_journal_history_learn(f->history, position, record, err);
    f->position = position;
    return r < 0 || position < f->restated ? r : hqi_journal_history_recall(f->history, err);
}

static int tell(struct feed *f, uint64_t position, struct bytes record, hq_error *err)
{
    if (position <= f->restated)
        return learn(f, position, record, err);
    int r = hqi_journal_history_feed(f->history, position, record, err);
    f->position = position;
    if (r >= 0 && f->behind > 0 && hqi_journal_history_restates(f->history))
        return hqi_base_error_set(err, HQ_EJOURNAL, where,
                                  "the journal was compacted before it was read up to there, so some events are lost; start again to "
                                  "see what is left of it");
    return r;
}

int hqi_journal_feed_next(struct feed *f, const struct hq_doc **ret, hq_error *err)
{
    struct frame head;
    struct bytes record;
    int r;
    while ((r = hqi_journal_history_next(f->history, ret, err)) == 0) {
        if (f->position >= f->until)
            return 0;
        r = next_record(f, &head, &record, err);
        if (r >= 0 && (f->behind == 0 || head.position > f->behind))
            r = tell(f, head.position, record, err);
        if (r < 0)
            return r;
    }
    return r;
}
