/* SPDX-License-Identifier: MIT */
/* launch.h - what a task is started with: environment, paths, prefix; and the messages to the helpers. */
#ifndef HQI_TASKS_LAUNCH_H
#define HQI_TASKS_LAUNCH_H

#include "tasks/book.h"

/* Writes down what the tasks of a new slot are told of its allocation; false: no memory. */
bool hqi_tasks_launch_describe(struct tasks *t, struct slot *s);
/* Why no task of this submit can be started with this variant; NULL: nothing is in its way. Static. */
const char *hqi_tasks_launch_obstacle(const struct work *w, const struct variant *v);

#endif
