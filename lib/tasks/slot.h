/* SPDX-License-Identifier: MIT */
/* slot.h - allocations, and the chains of tasks that inherit them. */
#ifndef HQI_TASKS_SLOT_H
#define HQI_TASKS_SLOT_H

#include "tasks/book.h"

/* An allocation for a variant of the class. 1: opened; 0: not now; HQ_ENOMEM. */
int hqi_tasks_slot_open(struct tasks *t, struct class *c, uint32_t variant, struct slot **ret);
void hqi_tasks_slot_close(struct tasks *t, struct slot *s); /* without a chain: gives the allocation back */
/* Puts an attempt at the end of the chain, to be launched. */
void hqi_tasks_slot_append(struct tasks *t, struct slot *s, struct attempt *a);
/* Takes it out of its slot and of all that knows it there. An empty slot closes. */
void hqi_tasks_slot_remove(struct tasks *t, struct attempt *a);
struct attempt *hqi_tasks_slot_last(const struct slot *s);
/* Asks the attempt and all behind it back, from the end of the chain. What no helper has seen comes back at once. The
 * first of a chain only if it was not sent. */
void hqi_tasks_slot_unstage(struct tasks *t, struct attempt *a);
void hqi_tasks_slot_unstage_all(struct tasks *t); /* everything that is staged */
/* It was never started and never will be: it waits again, is given back, or is forgotten. */
void hqi_tasks_slot_come_back(struct tasks *t, struct attempt *a);
void hqi_tasks_slot_answered(struct attempt *a); /* no answer to UNSTAGE is awaited any more */
/* Cancelled: pulled back, asked back or killed; nothing will be reported. May free it. */
void hqi_tasks_slot_silence(struct tasks *t, struct attempt *a);
/* Retracted: comes back if that is still possible. */
void hqi_tasks_slot_retract(struct tasks *t, struct attempt *a);
void hqi_tasks_slot_lose(struct tasks *t, struct slot *s); /* its helper died */

#endif
