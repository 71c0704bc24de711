/* SPDX-License-Identifier: MIT */
/* gpu_tool.h - what the vendors' tools print about how busy their GPUs are.
 *
 * A number that is missing or not understood is 0; a GPU is never left out for that. Bytes of an id that are no text become
 * '?', and what is above HQI_MAX_GPU_ID is cut. */
#ifndef HQI_HELPER_GPU_TOOL_H
#define HQI_HELPER_GPU_TOOL_H

#include "base/arena.h"
#include "hqcore/error.h"
#include "model/load.h"

struct gpu_tool {
    const char *vendor;  /* for people */
    const char *argv[6]; /* NULL-terminated; found on PATH */
    /* In `mem`. HQ_OK, HQ_ELIMIT: more than HQI_MAX_LOAD_GPUS, HQ_EINVAL: not what this tool prints, HQ_ENOMEM. */
    int (*read)(struct gpu_loads *ret, struct arena *mem, struct bytes output, hq_error *err);
};

enum gpu_family { GPU_NVIDIA, GPU_AMD, GPU_FAMILIES };
extern const struct gpu_tool hqi_helper_gpu_tools[GPU_FAMILIES];

#endif
