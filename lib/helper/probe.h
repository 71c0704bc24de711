/* SPDX-License-Identifier: MIT */
/* probe.h - looking at the hardware, in a child process: hwloc's plugins and GPU runtimes load many libraries, start
 * threads, and now and then hang or crash. */
#ifndef HQI_HELPER_PROBE_H
#define HQI_HELPER_PROBE_H

#include <stdbool.h>

#include "helper/affinity.h"
#include "helper/child.h"
#include "helper/outbox.h"

struct probes {
    struct loop *loop; /* borrowed, as all of these */
    struct children *children;
    struct outbox *outbox;
    const struct affinity *affinity; /* the one that the worker gave */
    char *const *environment;
};

/* Answers with HARDWARE in any case. */
void hqi_helper_probe_start(struct probes *all, bool hyper_threading);

#endif
