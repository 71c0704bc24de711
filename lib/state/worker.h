/* SPDX-License-Identifier: MIT */
/* worker.h - workers: what they have, what is booked on them, what they hold of each class. */
#ifndef HQI_STATE_WORKER_H
#define HQI_STATE_WORKER_H

#include "state/state.h"

/* Room for id, and everything of a worker but its config, which stays the caller's. NULL: no memory. */
struct worker *hqi_state_worker_new(struct state *st, hq_worker_id id, const struct worker_config *config);
void hqi_state_worker_free(const struct state *st, struct worker *w); /* with its config; NULL is fine */

void hqi_state_worker_apply_join(struct state *st, struct fact *f);
void hqi_state_worker_apply_back(struct state *st, struct fact *f);
void hqi_state_worker_apply_stop(struct state *st, struct fact *f);
/* Of a worker that holds nothing any more. */
void hqi_state_worker_end(struct state *st, struct worker *w, uint8_t reason, uint64_t utc_ms);

/* One task's request out of `free`, and back. Wrap-around, which only damaged numbers reach, is undone exactly. */
void hqi_state_worker_book(struct worker *w, const struct rclass *c);
void hqi_state_worker_unbook(struct worker *w, const struct rclass *c);

/* ---- what a worker has of a class ---- */

struct wclass *hqi_state_worker_class_new(const struct state *st, struct rclass *c); /* not linked */
/* To be called when its first task has come, or its last one has gone: keeps the order of worker.class_list. */
void hqi_state_worker_class_sort(struct worker *w, struct wclass *wc);
/* The wclass of `c`; if it is new, the pending one that reserve made. NULL: neither. */
struct wclass *hqi_state_worker_class_link(struct state *st, struct worker *w, const struct rclass *c,
                                           uint64_t utc_ms);
/* n tasks of the class ended just now. */
void hqi_state_worker_class_ended(struct wclass *wc, uint32_t n, uint64_t utc_ms);

#endif
