/* SPDX-License-Identifier: MIT */
/* journal/compact.h - a journal rewritten without what no longer matters, a slice at a time, while it goes on growing.
 *
 * Promise: the new file restores the very state that the old one does (compared by digest before it takes its place), less what
 * was to be pruned; facts keep their numbers. Whatever fails, the old file is as it was. Between two slices the writer writes and
 * syncs as ever, to the old file; only the last step, which copies what came meanwhile and renames, makes a batch wait.
 *
 * How: the facts so far are folded into a replica of state/, which says what is dead; they are read again, filtered, written to a
 * draft, and folded into a second replica, which must come to the same digest. The memory is that of one replica and one record. */
#ifndef HQI_JOURNAL_COMPACT_H
#define HQI_JOURNAL_COMPACT_H

#include "journal/writer.h"

/* Below this it never happens by itself: reading 16 MiB again costs a restart some 0.1 s. */
#define COMPACT_MIN_BYTES (16u << 20)

struct compactor;

enum compact_mode {
    COMPACT_IF_IT_PAYS, /* only if what is dead outweighs the rest */
    COMPACT,
    COMPACT_AND_PRUNE
};

int hqi_journal_compactor_new(struct compactor **ret, struct writer *w, enum compact_mode mode, hq_error *err);
/* One slice. 1: there is more to do; 0: done, the new file is in place, or it does not pay; < 0: failed. Not while the
 * writer fails: it is then to be freed. */
int hqi_journal_compactor_step(struct compactor *c, hq_error *err);
void hqi_journal_compactor_free(struct compactor *c); /* NULL is fine; a draft that is not in place is removed */

#endif
