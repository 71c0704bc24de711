/* SPDX-License-Identifier: MIT */
/* restate.h - a state as facts, for somebody who was not told what happened: a reader of a server that has no journal.
 *
 * Promise: replayed from nothing they make a state in which every job, task, attempt and worker is as in this one, so that whatever
 * fact follows here can follow there. Times are the true ones; a task that never started is there as if it had been started when it
 * failed. Not restated: what only the server itself needs (keys, tokens, rates, known specs, forgotten jobs), and what may be large
 * (entries, results, environments, paths). Must never happen: work for each task of a range that nobody touched. */
#ifndef HQI_STATE_RESTATE_H
#define HQI_STATE_RESTATE_H

#include "state/state.h"

struct restate {
    const struct alloc *alloc;
    uint64_t start_ms; /* of the server, */
    uint64_t now_ms;   /* and when it is asked */
    /* Gets one record: facts that borrow from the state, good until it returns. < 0 ends it all, with that code. */
    int (*put)(void *user, const struct fact *facts, uint32_t n);
    void *user;
};
/* HQ_ENOMEM, or what `put` returned. Walks all that was ever handed out. */
int hqi_state_restate(const struct state *s, const struct restate *r);

/* Facts for readers: the same less what is large or secret. Copies in `mem`, for the rest borrowed; NULL: no memory. */
const struct fact *hqi_state_restate_lean(const struct fact *facts, uint32_t n, struct arena *mem);

#endif
