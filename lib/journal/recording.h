/* SPDX-License-Identifier: MIT */
/* journal/recording.h - records for one reader, in memory, framed as in a journal: of a server that has none.
 *
 * Promise: the reader gets the bytes that a file of these records would have behind its header (feed.h reads both), each once; what it
 * has not taken is bounded. A recording that has failed holds nothing and takes nothing until it begins again. */
#ifndef HQI_JOURNAL_RECORDING_H
#define HQI_JOURNAL_RECORDING_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/list.h"
#include "model/journal_place.h"

struct recording {
    const struct alloc *alloc;  /* borrowed */
    struct list link;           /* the owner's, in whatever list of recordings */
    struct list records;        /* owned: not yet taken as a whole */
    size_t taken;               /* of the first one */
    uint64_t bytes, limit;      /* to be taken; at most */
    struct journal_place next;  /* byte to be taken */
    uint64_t position;          /* of the last record, counted from 1 */
    int failed;                 /* HQ_OK, or why it was given up */
};

void hqi_journal_recording_init(struct recording *r, const struct alloc *a);
void hqi_journal_recording_drop(struct recording *r); /* unlinks it; as it was after init */
void hqi_journal_recording_begin(struct recording *r, uint32_t salt, uint64_t limit); /* anew, and empty */
/* HQ_ELIMIT, HQ_ENOMEM: it has failed, and is unlinked. */
int hqi_journal_recording_add(struct recording *r, struct bytes record, uint32_t facts);
void hqi_journal_recording_fail(struct recording *r, int code);
size_t hqi_journal_recording_take(struct recording *r, char *to, size_t room); /* how many bytes there were, at most `room` */

#endif
