/* SPDX-License-Identifier: MIT */
/* dispatch.h - which of the waiting tasks start now, and which are staged. */
#ifndef HQI_TASKS_DISPATCH_H
#define HQI_TASKS_DISPATCH_H

#include "tasks/book.h"

/* Looks through the lanes if anything has changed since it did so last. */
void hqi_tasks_dispatch_run(struct tasks *t);
/* The time of t->now may be reason enough to look again. */
void hqi_tasks_dispatch_wake(struct tasks *t);
/* Ends an attempt that is in no slot before any helper has seen it; `reason` is static. */
void hqi_tasks_dispatch_fail(struct tasks *t, struct attempt *a, const char *reason);

#endif
