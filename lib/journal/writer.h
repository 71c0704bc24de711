/* SPDX-License-Identifier: MIT */
/* journal/writer.h - what the writer's thread does, one call at a time: no thread, no lock, no clock here, so that tests can make
 * every call of it fail at every moment.
 *
 * Promise: `synced` never runs ahead of the disk. Blocks are kept until they are synced. After a failed fdatasync the kernel may
 * have dropped what it could not write and call the next one a success: so the file is not synced again, but made anew from
 * its synced prefix and the blocks. */
#ifndef HQI_JOURNAL_WRITER_H
#define HQI_JOURNAL_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/list.h"
#include "journal/draft.h"
#include "journal/lock.h"

/* Frames, one behind the other; their checksums come when they are written: the salt is the file's, and the file may be
 * replaced before that. */
struct block {
    struct list link;
    uint64_t position; /* of the last record in it */
    size_t n, room;
    size_t done; /* written */
    char bytes[];
};

struct writer {
    const struct alloc *alloc;   /* borrowed; safe in both threads */
    const struct journal_io *io; /* borrowed */
    struct lock *lock;           /* borrowed */
    const char *path, *draft;    /* borrowed: the journal, and where a new one is made */
    const char *uid;             /* borrowed */
    int fd;                      /* owned; -1: none */
    uint32_t salt;
    struct list blocks;          /* owned: not synced yet, oldest first */
    uint64_t end;                /* where the next byte goes */
    uint64_t whole, durable;     /* ends of the last whole block written, synced */
    uint64_t written, synced;    /* and their positions */
    uint64_t freed;              /* bytes of blocks that were synced, since ever */
    bool distrusted;             /* make a new file before anything else */
    bool dir_dirty;              /* the rename is not on the disk yet */
    bool lost;                   /* another server has the journal */
    uint64_t pause_ns, retry_at; /* after an error */
    hq_error error;              /* .code HQ_OK: none */
};

/* Of a file that was read to its end: cuts it at `end`. `made_anew`: the old file is not to be written any more. */
int hqi_journal_writer_open(struct writer *w, uint64_t end, uint64_t position, bool made_anew, hq_error *err);
/* Of a file that is not there, or empty. */
int hqi_journal_writer_create(struct writer *w, hq_error *err);
void hqi_journal_writer_fini(struct writer *w);

void hqi_journal_writer_take(struct writer *w, struct list *blocks); /* all of them */
/* Writes what there is and, if asked, syncs it; mends what is broken. After an error it does nothing before retry_at, unless
 * `force`. The outcome is in w->error. */
void hqi_journal_writer_round(struct writer *w, uint64_t now_ns, bool sync, bool force);
/* The draft, synced, holds all that is written: renames it over the file and goes on with it. */
int hqi_journal_writer_adopt(struct writer *w, struct draft *d, hq_error *err);
bool hqi_journal_writer_idle(const struct writer *w); /* nothing left to write or sync */

#endif
