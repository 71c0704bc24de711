/* SPDX-License-Identifier: MIT */
/* journal/recall.h - a history made up from a state, for readers of a server that has no journal.
 *
 * Promise: the server's start, every worker, every job (as if it were open, with each of its submits), the last attempt of each task and
 * its end, and the ends of jobs and workers, ascending in time. What the state has forgotten is not told: earlier attempts, why and when
 * jobs were closed or canceled. The memory is 24 bytes per event; tasks that nobody touched cost nothing. */
#ifndef HQI_JOURNAL_RECALL_H
#define HQI_JOURNAL_RECALL_H

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/doc.h"
#include "state/state.h"

struct recall;

/* The state is borrowed, and must not change. HQ_ENOMEM. */
int hqi_journal_recall_new(struct recall **ret, const struct state *s, uint64_t server_start_ms, const struct alloc *a, hq_error *err);
void hqi_journal_recall_free(struct recall *r); /* NULL is fine */
/* 1: *ret is the next event, in `mem`, and `text` for what it says; 0: that was all. HQ_ENOMEM. */
int hqi_journal_recall_next(struct recall *r, struct arena *mem, struct buf *text, const struct hq_doc **ret, hq_error *err);

#endif
