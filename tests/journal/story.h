/* SPDX-License-Identifier: MIT */
/* story.h - the journal of a server to which, under a seed, everything has happened: its records, and behind each of them the
 * digest of the state that it must restore. */
#ifndef TESTS_JOURNAL_STORY_H
#define TESTS_JOURNAL_STORY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "journal/draft.h"
#include "journal/record.h"
#include "state/state.h"

struct story_record {
    uint64_t position;
    struct bytes bytes; /* borrowed from `bytes` */
    uint64_t digest;    /* of the state behind it */
};

struct story {
    struct buf bytes;
    struct story_record *records; /* owned */
    uint32_t n;
    uint32_t kinds; /* bit per enum fact_kind that occurs */
};

void story_make(struct story *s, uint64_t seed, unsigned steps);
void story_make_tidy(struct story *s, uint64_t seed, unsigned steps); /* in the end all is canceled and forgotten */
void story_fini(struct story *s);

/* Feeds one record to a state; fails the test where it is refused. */
void story_feed(struct state *st, uint64_t position, struct bytes record);
/* The state that a file on this disk restores; fails the test where it does not. *n: how many records it has. */
struct state *story_restore(const struct journal_io *io, const char *path, uint32_t *n);
/* How many overviews of workers are in the file that have ended by now, and of others; `st`: what the file restores. */
void story_count_overviews(const struct journal_io *io, const char *path, const struct state *st, uint32_t *ended, uint32_t *live);
/* Writes the records from..to - 1 as a journal of its own; synced. */
void story_write(const struct story *s, uint32_t from, uint32_t to, const struct journal_io *io, const char *path);

#endif
