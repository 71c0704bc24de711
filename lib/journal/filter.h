/* SPDX-License-Identifier: MIT */
/* journal/filter.h - which facts of a journal still matter.
 *
 * Promise: the facts that are kept, with FACT_REMAINS behind them, make the same state as all of them, but for jobs and workers that
 * are not among the survivors. What cannot be judged is kept. */
#ifndef HQI_JOURNAL_FILTER_H
#define HQI_JOURNAL_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "state/state.h"

/* Bits per id, of jobs, submits and workers that were given an id in the facts to be judged. */
struct survivors {
    const struct alloc *alloc;
    uint8_t *jobs, *submits, *workers; /* owned */
    uint8_t *observed; /* owned: workers whose overviews survive */
    uint32_t n_jobs, n_submits, n_workers;
};

/* Jobs and submits are those that `s` has; workers, at first, those that have not ended, or if `all_workers` all that it has.
 * Only of those, overviews survive. */
bool hqi_journal_filter_init(struct survivors *v, const struct state *s, bool all_workers, const struct alloc *a);
void hqi_journal_filter_fini(struct survivors *v);

/* Names of resources get their ids in order of appearance: a worker that brought a new one must stay. */
struct name_list {
    struct arena *mem; /* borrowed */
    struct bytes *names;
    uint32_t n, room;
};
/* Once for each fact, in order, before the first one is judged: a worker that a surviving job has had to do with survives. */
bool hqi_journal_filter_mark(struct survivors *v, struct name_list *seen, const struct fact *f, struct arena *mem);

enum fate { FATE_KEPT, FATE_CHANGED, FATE_DROPPED, FATE_NO_MEMORY };
/* *ret is the fact, less what concerns no survivor. It borrows from `f`; a spec or config that it takes is NULL in `f` afterwards. */
enum fate hqi_journal_filter_fact(const struct survivors *v, struct fact *f, struct arena *mem, struct fact *ret);

#endif
