/* SPDX-License-Identifier: MIT */
/* load.h - what the kernel says of a node's load, as text of /proc. What is not understood is left out. */
#ifndef HQI_HELPER_LOAD_H
#define HQI_HELPER_LOAD_H

#include "base/limits.h"
#include "model/load.h"

/* Of one cpu, since the node was booted, in ticks of the kernel. */
struct cpu_ticks {
    uint32_t number; /* cpus may come and go */
    uint64_t busy, all;
};

/* /proc/stat; `v` has room for HQI_MAX_LOAD_CPUS. How many there are. */
uint32_t hqi_helper_load_cpus(struct cpu_ticks *v, struct bytes text);
/* What share of the time between two looks each of `now` was busy; since boot, if it was not there before. */
void hqi_helper_load_shares(uint32_t *shares, const struct cpu_ticks *now, uint32_t n, const struct cpu_ticks *before,
                            uint32_t n_before);
bool hqi_helper_load_memory(struct node_load *l, struct bytes text);        /* /proc/meminfo */
bool hqi_helper_load_network(struct network_load *l, struct bytes text);    /* /proc/net/dev */

#endif
