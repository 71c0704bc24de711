/* SPDX-License-Identifier: MIT */
/* journal/history.h - from records to events: facts are batches, events are of single tasks.
 *
 * Records go in, in their order from the first one of a journal; a replica of the server's state says what each of their facts
 * did: task ids, what was running, which job ended. Used wherever records are read by people: a journal file, and records that
 * a server sends. One event at a time, in memory for one; but a job that was given up names its tasks, EVENT_TASKS in one. */
#ifndef HQI_JOURNAL_HISTORY_H
#define HQI_JOURNAL_HISTORY_H

#include <stdbool.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "hqcore/error.h"
#include "model/doc.h"

#define EVENT_TASKS 65536u /* canceled or aborted tasks in one event */

struct history;

int hqi_journal_history_new(struct history **ret, const struct alloc *a, hq_error *err);
void hqi_journal_history_free(struct history *h); /* NULL is fine */
/* After next returned 0. The bytes are borrowed until next returns 0 again. HQ_EJOURNAL, HQ_EVERSION, HQ_EPROTO: no record. */
int hqi_journal_history_feed(struct history *h, uint64_t position, struct bytes record, hq_error *err);
/* 1: *ret is the next event, borrowed until the next call; 0: feed the next record. HQ_EJOURNAL: these are not the records of a
 * server; HQ_ENOMEM. After an error it is good for nothing but free. */
int hqi_journal_history_next(struct history *h, const struct hq_doc **ret, hq_error *err);
/* In place of feed, before any of it: the record makes known what is (state/restate.h), and nothing is told of it one by one. After the
 * last one recall: next then tells first how all that may have come about (recall.h). HQ_EJOURNAL, HQ_ENOMEM. */
int hqi_journal_history_learn(struct history *h, uint64_t position, struct bytes record, hq_error *err);
int hqi_journal_history_recall(struct history *h, hq_error *err);
/* The record that was fed stands for others, which compaction has left out. */
bool hqi_journal_history_restates(const struct history *h);
uint64_t hqi_journal_history_position(const struct history *h); /* of the last fact that was told */

#endif
