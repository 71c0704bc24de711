/* SPDX-License-Identifier: MIT */
/* unique.c - a hash set on the stack, filled once per share of the names.
 *
 * Promise: checks that take const values need no allocator for it. The names are split by their hash
 * into shares that fill a quarter of the table on average; a share that overflows it was made to. */
#include "model/unique.h"

#include "base/map.h"
#include "hqcore/error.h"

#define SLOTS 4096u /* 16 kB of stack */
#define SHARE (SLOTS / 4)
#define SHARE_MAX (SLOTS * 3 / 4)
#define FEW 16u /* compared pair by pair: clearing the table would cost more */

struct names {
    const char *first;
    size_t stride;
};

static struct bytes name_at(const struct names *names, uint32_t i)
{
    return *(const struct bytes *)(const void *)(names->first + i * names->stride);
}

/* slots[] holds 1 + index of a name; 0 is free. */
static bool insert(uint32_t *slots, const struct names *names, uint32_t i, uint64_t hash)
{
    struct bytes name = name_at(names, i);
    uint32_t at = (uint32_t)(hash >> 40) % SLOTS;
    while (slots[at] != 0) {
        if (bytes_equal(name_at(names, slots[at] - 1), name))
            return false;
        at = (at + 1) % SLOTS;
    }
    slots[at] = i + 1;
    return true;
}

static int check_share(const struct names *names, uint32_t n, uint32_t share, uint32_t shares, struct bytes *twice)
{
    uint32_t slots[SLOTS] = {0}, used = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct bytes name = name_at(names, i);
        uint64_t hash = hqi_base_map_hash(name.n ? name.p : "", name.n);
        if ((uint32_t)hash % shares != share)
            continue;
        if (++used > SHARE_MAX)
            return HQ_ELIMIT;
        if (!insert(slots, names, i, hash)) {
            *twice = name;
            return HQ_EINVAL;
        }
    }
    return HQ_OK;
}

static int check_few(const struct names *names, uint32_t n, struct bytes *twice)
{
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = 0; j < i; j++)
            if (bytes_equal(name_at(names, i), name_at(names, j))) {
                *twice = name_at(names, i);
                return HQ_EINVAL;
            }
    return HQ_OK;
}

int hqi_model_unique_check(const struct bytes *first, size_t stride, uint32_t n, struct bytes *twice)
{
    const struct names names = {(const char *)first, stride};
    if (n > HQI_MAX_UNIQUE)
        return HQ_ELIMIT;
    if (n <= FEW)
        return check_few(&names, n, twice);
    uint32_t shares = n / SHARE + 1;
    for (uint32_t share = 0; share < shares; share++) {
        int rc = check_share(&names, n, share, shares, twice);
        if (rc < 0)
            return rc;
    }
    return HQ_OK;
}
