/* SPDX-License-Identifier: MIT */
/* journal/repair.h - a journal that is damaged: what is wrong with it, what could be saved, and saving that into a new file.
 *
 * Promise: the file itself is only read. Everything that is whole and still makes sense without what is damaged is saved, with
 * its numbers; a server can start from the new file. What cannot be saved is counted, none of it in silence. */
#ifndef HQI_JOURNAL_REPAIR_H
#define HQI_JOURNAL_REPAIR_H

#include "base/alloc.h"
#include "hqcore/error.h"
#include "journal/frame.h"
#include "journal/io.h"

#define DAMAGES_SHOWN 16u

struct damage {
    uint64_t from, to; /* bytes */
};

struct repair {
    char uid[UID_BYTES];  /* of the server; from its first fact where the header is damaged */
    bool header;          /* is damaged */
    uint64_t bytes;       /* of the file */
    uint64_t records, facts, position; /* that are good, and the number of the last one */
    uint64_t jobs, workers, tasks;     /* that it restores */
    uint64_t torn;        /* bytes at the end that are no record: cut off by the next start of a server */
    uint64_t torn_from;
    uint32_t damages;     /* places with good records behind them */
    uint64_t damaged;     /* their bytes */
    struct damage damage[DAMAGES_SHOWN]; /* the first of them */
    uint64_t orphans;     /* facts that are whole, but speak of what is lost: they cannot be saved */
    char orphan[sizeof((hq_error *)NULL)->text]; /* why the first of them cannot */
};

/* `save`: NULL, or the path of a new file. HQ_OK: *ret says what was found, damage included; HQ_EJOURNAL: nothing at all can be
 * had from it; HQ_EEXIST: there is a file at `save`; HQ_EVERSION, HQ_ENOMEM. Blocks on the disk. */
int hqi_journal_repair(struct repair *ret, const char *path, const char *save, const struct alloc *a,
                       const struct journal_io *io, hq_error *err);

#endif
