/* SPDX-License-Identifier: MIT */
/* task.h - the tasks of a worker from their launch to the report of their end.
 *
 * A task that is launched "after" another waits behind it, complete; it starts in the moment in which the
 * other is reaped, before anything is reported. Chains are fine. One that is taken back leaves those behind it to
 * the one before it. */
#ifndef HQI_HELPER_TASK_H
#define HQI_HELPER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "helper/child.h"
#include "helper/env.h"
#include "helper/launch.h"
#include "helper/outbox.h"
#include "helper/spawn.h"
#include "helper/taskdir.h"
#include "loop/loop.h"

struct tasks {
    struct map by_key;     /* owned; staged and running ones */
    struct list running;   /* their links */
    struct list ready;     /* to be started now; empty between calls */
    struct list fresh;     /* started, and the worker does not know yet */
    struct list lingering; /* ended by a kill, with members of its group left */
    struct list spare;     /* ended: kept for the next ones */
    uint32_t n_running, n_staged;
    struct loop *loop; /* borrowed, as all that follows */
    struct spawner *spawner;
    struct children *children;
    struct outbox *outbox;
    struct launches *launches;
    struct taskdirs dirs;
};

void hqi_helper_task_init(struct tasks *all);
/* false: the key is in use, which no worker of ours does. */
bool hqi_helper_task_launch(struct tasks *all, const struct helper_launch *in);
void hqi_helper_task_unstage(struct tasks *all, uint64_t key);
void hqi_helper_task_kill(struct tasks *all, uint64_t key);
/* Takes back what is staged, and kills what runs. */
void hqi_helper_task_kill_all(struct tasks *all);
/* Puts STARTED into the outbox for those that are started for sure. true: others are still on their way. */
bool hqi_helper_task_announce(struct tasks *all);

#endif
