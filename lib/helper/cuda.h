/* SPDX-License-Identifier: MIT */
/* cuda.h - the CUDA runtime, where there is one: loaded at run time, so that one build serves all nodes. */
#ifndef HQI_HELPER_CUDA_H
#define HQI_HELPER_CUDA_H

#include <stdint.h>

#include "helper/hardware.h"

/* How many GPUs the runtime sees (0 without it); a line about each goes to out->gpus. `named`: the labels that the
 * environment gives them, or NULL. Loads libraries for good: to be called in a process that ends soon. */
uint32_t hqi_helper_cuda_describe(const char *root, const struct resource_def *named,
                                  struct hardware_output *out);

#endif
