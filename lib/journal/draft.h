/* SPDX-License-Identifier: MIT */
/* journal/draft.h - a journal file in the making, under another name, until all of it is on the disk.
 *
 * Promise: the file at its final path is at any instant the old one or the new one, whole; of a draft that is dropped nothing is
 * left. Each draft has a salt of its own (frame.h). */
#ifndef HQI_JOURNAL_DRAFT_H
#define HQI_JOURNAL_DRAFT_H

#include <stdbool.h>

#include "base/buf.h"
#include "journal/frame.h"
#include "journal/io.h"
#include "journal/record.h"

struct draft {
    const struct journal_io *io; /* borrowed */
    const char *path;            /* borrowed: under which it is made */
    int fd;                      /* owned; -1: none */
    uint32_t salt;
    struct buf out;              /* put, not yet written */
    uint64_t size;               /* written */
};

/* {.fd = -1} is no draft. HQ_EJOURNAL, HQ_ENOMEM; exclusive: HQ_EEXIST where there is a file of that name, which is else emptied. */
int hqi_journal_draft_begin(struct draft *d, const struct alloc *a, const struct journal_io *io, const char *path,
                            const char *uid, bool exclusive, hq_error *err);
int hqi_journal_draft_put(struct draft *d, uint64_t position, struct bytes record, hq_error *err);
int hqi_journal_draft_flush(struct draft *d, hq_error *err); /* all that was put is written; not synced */
int hqi_journal_draft_sync(struct draft *d, hq_error *err);  /* flush, and on the disk */
void hqi_journal_draft_drop(struct draft *d);                /* closes and removes it */
void hqi_journal_draft_fini(struct draft *d);                /* frees the memory; fd and file are somebody else's now */

#endif
