/* SPDX-License-Identifier: MIT */
/* queue.h - what waits: pieces in lanes, ordered by (job, task id). */
#ifndef HQI_TASKS_QUEUE_H
#define HQI_TASKS_QUEUE_H

#include "tasks/book.h"

void hqi_tasks_queue_init_lane(struct lane *l);
void hqi_tasks_queue_init_work(struct work *w);
struct piece *hqi_tasks_queue_first(const struct lane *l); /* NULL: nothing waits */
void hqi_tasks_queue_put(struct tasks *t, struct piece *p);
/* Takes the first task out. NULL: no memory, or it already runs (then it is dropped and *again is set). */
struct attempt *hqi_tasks_queue_pop(struct tasks *t, struct lane *l, bool *again);
void hqi_tasks_queue_unpop(struct tasks *t, struct attempt *a); /* back, in the same pass */
/* Makes sure of `n` spare pieces; false: no memory. */
bool hqi_tasks_queue_reserve(struct tasks *t, uint64_t n);
struct piece *hqi_tasks_queue_take_spare(struct tasks *t); /* within what was reserved */
void hqi_tasks_queue_give_spare(struct tasks *t, struct piece *p);
/* Moves what waits of these ordinals to `out`; two spare pieces are needed. `instance`: NULL for any. */
void hqi_tasks_queue_cut(struct tasks *t, struct work *w, struct ord_range r, const uint32_t *instance, struct list *out);
/* Everything that waits of a submit. */
void hqi_tasks_queue_empty(struct tasks *t, struct work *w, struct list *out);
void hqi_tasks_queue_drop(struct tasks *t, struct piece *p);      /* frees it, or its attempt; it is linked nowhere */
void hqi_tasks_queue_drop_list(struct tasks *t, struct list *l); /* of pieces */

#endif
