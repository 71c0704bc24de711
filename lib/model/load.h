/* SPDX-License-Identifier: MIT */
/* load.h - how busy a node was at one moment. Shares are in 1/100 %, of one cpu or one GPU at a time. */
#ifndef HQI_MODEL_LOAD_H
#define HQI_MODEL_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

#define HQI_LOAD_WHOLE 10000u /* 100 % */

struct gpu_load {
    struct bytes id; /* on its bus */
    uint32_t busy, memory;
};

struct gpu_loads {
    bool known; /* false: not asked for, or the tool that knows has failed */
    const struct gpu_load *items;
    uint32_t n;
};

struct network_load { /* since the node was booted, of all interfaces together */
    uint64_t rx_bytes, tx_bytes, rx_packets, tx_packets, rx_errors, tx_errors;
};

struct node_load {
    uint64_t utc_s; /* when, by the clock of the node: for people */
    const uint32_t *cpus; /* how busy each was since the look before */
    uint32_t n_cpus;
    uint64_t memory_total, memory_free; /* bytes; free: for new programs, caches included */
    struct network_load network;
    struct gpu_loads nvidia, amd;
};

#endif
