/* SPDX-License-Identifier: MIT */
/* hardware.h - what this node has: cpus, then GPUs, then memory. Everything that is looked at comes through the
 * inputs, so that a recorded machine serves as well as this one. */
#ifndef HQI_HELPER_HARDWARE_H
#define HQI_HELPER_HARDWARE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "helper/affinity.h"
#include "wire/helper.h"

struct hardware_input {
    const char *root;                /* in front of /proc and /sys; "" */
    const char *synthetic;           /* a topology as hwloc describes them; NULL: this machine's */
    const struct affinity *affinity; /* cpus outside of it are left out */
    char *const *environment;
    bool hyper_threading; /* false: only the first usable cpu of each core */
};

/* Where the parts put what they find. */
struct hardware_output {
    struct arena *mem;
    struct buf notes, gpus; /* as in struct helper_hardware */
};

/* Everything in *ret lives in `mem`. What is not found is left out, with a note; only lack of memory is an error. */
void hqi_helper_hardware_detect(struct helper_hardware *ret, const struct hardware_input *in,
                                struct arena *mem);

const char *hqi_helper_hardware_getenv(const struct hardware_input *in, const char *name); /* NULL: not set */

/* Each: 1 found, 0 not found, HQ_ENOMEM. */
int hqi_helper_cpus_detect(struct resource_def *def, const struct hardware_input *in,
                           struct hardware_output *out);
int hqi_helper_memory_detect(struct resource_def *def, const struct hardware_input *in,
                             struct hardware_output *out);
#define MAX_GPU_KINDS 2u
/* `defs` has room for MAX_GPU_KINDS; the number of those found. */
int hqi_helper_gpus_detect(struct resource_def *defs, const struct hardware_input *in,
                           struct hardware_output *out);

#endif
