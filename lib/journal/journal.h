/* SPDX-License-Identifier: MIT */
/* journal.h - the journal of one server: a file that only grows, written by one thread.
 *
 *     open -> next, next, ... -> start -> append, append, push, ... -> stop -> free
 *
 * Promise, to the server: what synced() covers survives the loss of the node, what written() covers survives `kill -9`;
 * the file holds, at any instant, a prefix of the records that were appended, each whole. A record that was
 * appended is kept in memory until it is synced, so that a failed fdatasync loses nothing: that file is then never
 * trusted again, a new one is made of what had been synced and of memory, and renamed over it. What must never
 * happen: a good record dropped because of a bad one before it; two servers writing one journal; the
 * owner's thread waiting for a disk (but in open, next, start and stop, which say so).
 *
 * A record is one batch of facts (wire/record.h); its position is that of its last fact. Positions grow from record to
 * record and survive compaction, which leaves gaps; the one that compaction itself adds (FACT_REMAINS) repeats the position of the
 * last record that it stands for.
 *
 * Threads: all functions belong to the owner's thread. The writer's thread blocks all signals, allocates with malloc, never
 * logs; it calls back only `wake`. docs/journal.md has the format and what each failure does. */
#ifndef HQI_JOURNAL_JOURNAL_H
#define HQI_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "hqcore/error.h"
#include "journal/io.h"
#include "journal/record.h"
#include "model/journal_place.h"

struct journal;

/* Unsynced progress of tasks is synced after this long at the latest, unless somebody waits for it sooner. A killed server
 * loses nothing of it; a crashed node loses what is younger, and of that only what no living worker can report again. 5 s are
 * at most 12 calls of fdatasync a minute: nothing to a shared file system, and nothing to a job of hours. */
#define JOURNAL_FLUSH_MS 5000u

/* Records not yet synced, in memory. Above the first the owner takes no more mutations and acknowledges no worker (full()); the
 * second is never passed: append refuses. Between them is room for what cannot be refused, the ends of tasks and workers. */
#define JOURNAL_FULL_BYTES (256u << 20)
#define JOURNAL_MAX_BYTES (1536u << 20) /* one largest submit (HQI_MAX_SUBMIT_BYTES) beside all that */

struct journal_options {
    const struct alloc *alloc;    /* of the owner; for what its own thread allocates */
    const struct alloc *writer;   /* for what both threads use; NULL: malloc. Safe in both threads */
    const struct journal_io *io;  /* NULL: the system's */
    uint64_t flush_ms;            /* 0: JOURNAL_FLUSH_MS */
    uint64_t compact_bytes;       /* no compaction by itself below this size of the file; 0: COMPACT_MIN_BYTES (compact.h) */
    void (*wake)(void *user);     /* called in the writer's thread when changed() has become true: hqi_loop_loop_wake does */
    void *user;
};

/* ---- opening and reading: on the owner's thread, blocks on the file system ---- */

/* Takes the lock (PATH.lock), opens or creates the file, checks its header. An empty file is as good as none. Nothing is
 * written to a file that exists. HQ_EJOURNAL: a directory, not writable, not a journal, its header damaged; HQ_EEXIST: in use,
 * by whom; HQ_EVERSION: of a newer format; HQ_ENOMEM. Each text names the path and what to do. */
int hqi_journal_journal_open(struct journal **ret, const char *path, const struct journal_options *o, hq_error *err);

/* The records in order; memory for one at a time. 1: *ret is set; 0: that was the last one. HQ_EJOURNAL: damage that good
 * records follow (with its offset, and that `hq journal repair` can tell what would be lost), or the file cannot be read. */
int hqi_journal_journal_next(struct journal *j, struct journal_record *ret, hq_error *err);
/* After next returned 0: bytes behind the last good record that are no record, and that start() will cut off: what
 * was being written when the server or its node died. 0: none. The caller logs it. */
uint64_t hqi_journal_journal_torn(const struct journal *j, uint64_t *offset);
/* The server's uid in the header; "" where there was no file before. */
const char *hqi_journal_journal_uid(const struct journal *j);
const char *hqi_journal_journal_path(const struct journal *j);

/* ---- running ---- */

/* After next returned 0: cuts off the torn tail, or writes the header of a new file (with this uid), syncs, and starts
 * the writer's thread. HQ_EJOURNAL, HQ_ELIMIT (no thread), HQ_ENOMEM. */
int hqi_journal_journal_start(struct journal *j, const char *uid, hq_error *err);

/* Queues a copy; never blocks. `position` is not lower than any before. HQ_ENOMEM, HQ_ELIMIT (above JOURNAL_MAX_BYTES, or
 * a record of 2 GiB or more): nothing was queued, and what the record says must not be applied. */
int hqi_journal_journal_append(struct journal *j, uint64_t position, struct bytes record, hq_error *err);
/* What was appended is written now. Waking the thread may cost more than the writing: so once for all records that come
 * together. Without it they wait until the thread has something else to do; what is synced is written. */
void hqi_journal_journal_push(struct journal *j);

/* All facts up to here are written (write(2) returned), or synced. At first: the position of the last record read. */
uint64_t hqi_journal_journal_written(const struct journal *j);
uint64_t hqi_journal_journal_synced(const struct journal *j);
void hqi_journal_journal_want_sync(struct journal *j); /* all that was appended so far, as soon as may be */

/* The file that the journal is now, and the end of what is synced of it, which never grows less: whoever reads it (tail.h) may be
 * told all before that. */
struct journal_place hqi_journal_journal_end(struct journal *j);

/* Waits until all that was appended is synced, for one try. Blocks on the disk. HQ_EJOURNAL. */
int hqi_journal_journal_flush(struct journal *j, hq_error *err);

/* Written, synced, the error or the count of compactions changed since look(): what a loop_source answers as ready(), and what
 * its run() calls before it asks for them. */
bool hqi_journal_journal_changed(const struct journal *j);
void hqi_journal_journal_look(struct journal *j);
/* Hold mutations and acknowledgements: it is failing, or too much is unsynced. */
bool hqi_journal_journal_full(const struct journal *j);
/* HQ_OK, or HQ_EJOURNAL with the system's reason: the disk is full, the device fails. Nothing is lost, nothing is durable; the
 * writer tries again every second and the error goes when it succeeds. HQ_EEXIST: another server has taken the journal
 * over; that does not go. */
int hqi_journal_journal_error(struct journal *j, hq_error *err);

/* ---- compaction: by the writer's thread, between batches ---- */

/* Rewrites all that is on disk now without the jobs that were forgotten; `prune`: also without those that have ended, and
 * workers that have, for good. The state that the file restores stays the same but for them; ids are not used again.
 * It also happens by itself, without prune, when what is dead outweighs the rest. */
void hqi_journal_journal_compact(struct journal *j, bool prune);
struct journal_compactions {
    uint32_t asked, done; /* by compact(); done == asked: none is under way */
    uint64_t before, after; /* bytes, of the last one that ended, asked for or not */
};
/* The result of the last one: HQ_OK, or why the file was left as it was. */
int hqi_journal_journal_compactions(struct journal *j, struct journal_compactions *ret, hq_error *err);

/* ---- ending ---- */

/* Writes and syncs what is queued (one try), and ends the thread. Blocks on the disk. Later calls of append are refused. */
int hqi_journal_journal_stop(struct journal *j, hq_error *err);
void hqi_journal_journal_free(struct journal *j);        /* NULL is fine; stops first; gives up the lock */
void hqi_journal_journal_free_forked(struct journal *j); /* in a forked child: closes fds and frees, touches neither file nor lock */

#endif
