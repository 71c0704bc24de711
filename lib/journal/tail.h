/* SPDX-License-Identifier: MIT */
/* journal/tail.h - the bytes of a running server's own journal, for those who follow it: as far as they are synced, so that
 * nothing is shown that could be taken back.
 *
 * The journal may become another file at any moment. A tail reads the one it has to its end, goes on at the start of the new
 * one, and says so: its reader knows by the positions what it has seen already (feed.h). */
#ifndef HQI_JOURNAL_TAIL_H
#define HQI_JOURNAL_TAIL_H

#include "journal/journal.h"

struct tail {
    const struct journal_io *io; /* borrowed */
    int fd;                      /* owned; -1: none */
    uint32_t file;
};

void hqi_journal_tail_init(struct tail *t, const struct journal_io *io);
void hqi_journal_tail_close(struct tail *t); /* as it was after init */

/* How many bytes follow `at`; 0: nothing. *at becomes where they begin, which is another file's first frame where that has taken the
 * place of the one that was read. HQ_EJOURNAL: it cannot be read, or never was so long. */
int hqi_journal_tail_look(struct tail *t, struct journal *j, struct journal_place *at, uint64_t *ret, hq_error *err);
/* Then, n bytes of them. Blocks on the disk, for what the page cache has not. HQ_EJOURNAL. */
int hqi_journal_tail_read(const struct tail *t, const struct journal_place *at, char *p, size_t n, hq_error *err);

#endif
