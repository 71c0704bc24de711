/* SPDX-License-Identifier: MIT */
/* observe.h - how busy this node is, looked at again and again for the worker.
 *
 * Promise: without an interval there is no timer. A look waits for nobody: the vendors' tools run beside the tasks, and are
 * given up after some time; one that hangs is not started again before it has gone. A worker that does not read costs one
 * answer. */
#ifndef HQI_HELPER_OBSERVE_H
#define HQI_HELPER_OBSERVE_H

#include "helper/command.h"
#include "helper/gpu_tool.h"
#include "helper/load.h"
#include "helper/outbox.h"

/* A tool of one look. */
struct observer_tool {
    struct observer *all; /* borrowed */
    const struct gpu_tool *tool;
    bool wanted;
    bool runs;    /* its process is there */
    bool awaited; /* the look under way wants its answer */
    bool failed;  /* when it was last asked, and it was said */
};

struct observer {
    struct loop *loop; /* borrowed, as the next two */
    struct commands *commands;
    struct outbox *outbox;
    uint64_t interval_ns;
    uint64_t began_ns;       /* the last look */
    struct loop_timer timer; /* the next one; while one is under way, its end */
    struct arena mem;        /* of the look under way */
    struct node_load *load;  /* in mem; NULL: none is */
    struct buf notes;        /* of it */
    struct observer_tool tools[GPU_FAMILIES];
    char *text;              /* owned: a file of /proc; NULL: never observed */
    struct cpu_ticks *ticks; /* owned, of the last look */
    uint32_t n_ticks;
};

void hqi_helper_observe_init(struct observer *o, struct loop *loop, struct commands *commands, struct outbox *outbox);
/* From now on, the first answer after one interval; interval 0: no more. */
void hqi_helper_observe_set(struct observer *o, const struct helper_observe *what);

#endif
