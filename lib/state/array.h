/* SPDX-License-Identifier: MIT */
/* array.h - growing arrays of the state: room first, use later. */
#ifndef HQI_STATE_ARRAY_H
#define HQI_STATE_ARRAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

/* `array`, moved if it had no room for `need` > 0 elements of `size` bytes; new room is zeroed, and at least doubled.
 * NULL: no memory, and the old one is as it was. */
void *hqi_state_array_grown(const struct alloc *a, void *array, uint32_t *room, uint64_t need, size_t size);

#endif
