/* SPDX-License-Identifier: MIT */
/* journal/feed.h - events out of the bytes of a journal that a server sends, page by page (tail.h): frames, cut anywhere, and
 * across compactions. In memory is one page, or one record if that is larger. */
#ifndef HQI_JOURNAL_FEED_H
#define HQI_JOURNAL_FEED_H

#include "base/buf.h"
#include "journal/history.h"
#include "model/journal_place.h"

struct feed {
    struct history *history; /* owned */
    struct buf in;
    size_t taken;            /* of `in` */
    struct journal_place at; /* of the next byte to come */
    uint64_t position;       /* of the last record */
    uint64_t behind;         /* records up to this one were told, from a file before this one; 0: this is the first */
    uint64_t until;          /* the last record to tell */
    uint64_t restated;       /* records up to this one say what is, not what has happened; 0: none does */
};

/* `until` is UINT64_MAX, for ever; it may be lowered at any time. `restated` is 0; it may be set with the first page. */
int hqi_journal_feed_init(struct feed *f, const struct alloc *a, hq_error *err);
void hqi_journal_feed_fini(struct feed *f); /* one that is all zero, too */
/* The page that was asked for, after next returned HQ_EAGAIN, or first of all. HQ_EPROTO: it is not that one; HQ_ENOMEM. */
int hqi_journal_feed_page(struct feed *f, const struct journal_place *at, struct bytes data, hq_error *err);
/* 1: *ret is the next event, borrowed until the next call; 0: that was all; HQ_EAGAIN: the next page is needed. HQ_EJOURNAL, HQ_EVERSION: the bytes
 * are no journal of ours, or the journal was compacted beyond what this reader had read of it. */
int hqi_journal_feed_next(struct feed *f, const struct hq_doc **ret, hq_error *err);

#endif
