/* SPDX-License-Identifier: MIT */
/* journal/reader.h - the records of a journal file, one after the other, in bounded memory.
 *
 * Promise: every record returned is whole, as it was appended, and in its order; where the file is damaged, that is told
 * apart: a *torn tail* (bytes behind the last good record, none of them a record: what was being written when something
 * died) ends the reading quietly, damage that good records follow is an error. Must never happen: a good record after a bad one
 * passed over in silence. Any file may be given: nothing in it is trusted before its checksum was right. */
#ifndef HQI_JOURNAL_READER_H
#define HQI_JOURNAL_READER_H

#include "base/alloc.h"
#include "journal/frame.h"
#include "journal/io.h"
#include "journal/record.h"

struct reader {
    const struct alloc *alloc;   /* borrowed */
    const struct journal_io *io; /* borrowed */
    int fd;                      /* borrowed */
    uint64_t size;               /* of the file, when it was opened; nothing beyond is read */
    struct file_header header;
    bool headless;               /* the file ends before its header does: it is as good as empty */
    char *p;                     /* owned: the file's bytes at .. at + n */
    uint64_t at;
    size_t n, room;
    uint64_t offset;             /* of what comes next */
    uint64_t last;               /* position of the last record */
    uint64_t torn;               /* bytes of the torn tail, at `offset`; once next() returned 0 */
    uint64_t bad_from, bad_to;   /* after HQ_EJOURNAL for damage: where it is, and where the next good record is; else bad_to is 0 */
};

/* Reads the header. HQ_EJOURNAL, HQ_EVERSION, HQ_ENOMEM. The texts do not name the file. */
int hqi_journal_reader_init(struct reader *r, const struct alloc *a, const struct journal_io *io, int fd, hq_error *err);
void hqi_journal_reader_fini(struct reader *r);
/* As hqi_journal_journal_next. After HQ_EJOURNAL with bad_to set, skip() goes on behind the damage. */
int hqi_journal_reader_next(struct reader *r, struct journal_record *ret, hq_error *err);
void hqi_journal_reader_skip(struct reader *r);
/* Goes on after a damaged header, as far as its salt can be found; false: it cannot, there is nothing to be had. */
bool hqi_journal_reader_behead(struct reader *r);

#endif
