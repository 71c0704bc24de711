/* SPDX-License-Identifier: MIT */
/* watch.h - is the worker's process still there? The end of file on its socket does not tell: a forked child of
 * it may hold the other end. */
#ifndef HQI_HELPER_WATCH_H
#define HQI_HELPER_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "loop/loop.h"

struct watch {
    struct loop_source source; /* a pidfd; fd -1: an old kernel, so the timer asks /proc */
    struct loop_timer timer;
    struct loop *loop; /* borrowed */
    pid_t pid;
    uint64_t start_ticks; /* of that pid: its number may be given to another process */
    bool gone;
};

/* `pidfd`: of the process `pid`, or -1. */
void hqi_helper_watch_init(struct watch *w, struct loop *loop, pid_t pid, int pidfd);

#endif
