/* SPDX-License-Identifier: MIT */
/* array.c - see array.h. Promise: growth is geometric, so that n appends cost O(n). */
#include "state/array.h"

#include <string.h>

#define FIRST_ROOM 16u

void *hqi_state_array_grown(const struct alloc *a, void *array, uint32_t *room, uint64_t need, size_t size)
{
    if (need <= *room)
        return array;
    uint64_t grown = *room ? 2 * (uint64_t)*room : FIRST_ROOM;
    if (grown < need)
        grown = need;
    if (grown > UINT32_MAX)
        grown = UINT32_MAX;
    char *p = grown < need ? NULL : hqi_base_alloc_resize(a, array, grown, size);
    if (!p)
        return NULL;
    memset(p + *room * size, 0, (grown - *room) * size);
    *room = (uint32_t)grown;
    return p;
}
