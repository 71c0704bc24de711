/* SPDX-License-Identifier: MIT */
/* work.h - what the worker knows of a submit, and the classes of equal requests. */
#ifndef HQI_TASKS_WORK_H
#define HQI_TASKS_WORK_H

#include "tasks/book.h"

void hqi_tasks_work_init(struct tasks *t);
void hqi_tasks_work_fini(struct tasks *t); /* frees all works and classes, with what is in them */
struct work *hqi_tasks_work_get(const struct tasks *t, uint32_t submit); /* NULL: unknown */
/* Takes *spec on success. */
int hqi_tasks_work_add(struct tasks *t, uint32_t submit, hq_job_id job, struct bytes server_uid,
                       const struct spec **spec, hq_error *err);
/* Nothing of it runs on, waits or is reported. */
void hqi_tasks_work_silence(struct tasks *t, struct work *w);
/* Silences it, and forgets it once its processes are gone and the helpers know. */
void hqi_tasks_work_drop(struct tasks *t, struct work *w);
void hqi_tasks_work_settle(struct tasks *t, struct work *w); /* frees it if it was dropped and nothing needs it */
void hqi_tasks_work_measure(struct work *w, uint64_t duration_ms); /* a task of it has ended */
/* How many of its tasks to stage behind a running one. */
uint32_t hqi_tasks_work_depth(const struct work *w);

#endif
