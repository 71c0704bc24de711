/* SPDX-License-Identifier: MIT */
/* child.h - reaping. Whoever starts a process says here what is to happen at its end; descendants of tasks
 * that fall to the helper as their subreaper end silently. */
#ifndef HQI_HELPER_CHILD_H
#define HQI_HELPER_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/map.h"
#include "loop/loop.h"

struct child {
    struct map_node by_pid; /* key: the pid */
    /* It has been reaped, and is no longer in the table. `status` as of wait(2). */
    void (*ended)(struct child *c, int status, const struct rusage *usage);
};

struct children {
    struct loop_source source; /* a signalfd of SIGCHLD */
    struct map by_pid;         /* nodes borrowed from their owners */
    sigset_t mask;
};

/* SIGCHLD must be blocked. */
int hqi_helper_child_init(struct children *all, struct loop *loop, hq_error *err);
bool hqi_helper_child_reserve(struct children *all); /* room for one more; false: no memory */
void hqi_helper_child_add(struct children *all, struct child *c, pid_t pid);
/* Reaps whatever has ended. false: there are no children at all. */
bool hqi_helper_child_reap(struct children *all);
static inline pid_t child_pid(const struct child *c)
{
    return (pid_t)c->by_pid.key;
}

#endif
