/* SPDX-License-Identifier: MIT */
/* unique.h - are all of these names different? Without memory, in bounded work. */
#ifndef HQI_MODEL_UNIQUE_H
#define HQI_MODEL_UNIQUE_H

#include <stdint.h>

#include "base/bytes.h"

#define HQI_MAX_UNIQUE 65536u /* names that one call compares: labels of a pool, variables of a submit */

/* The first of `n` names is at `first`, the next `stride` bytes further. HQ_OK; HQ_EINVAL with the
 * repeated one in *twice; HQ_ELIMIT for more than HQI_MAX_UNIQUE names (or names made to collide). */
int hqi_model_unique_check(const struct bytes *first, size_t stride, uint32_t n, struct bytes *twice);

#endif
