/* SPDX-License-Identifier: MIT */
/* array.h - lists of ids: "1,3, 5-8", "0-100:10". All ids are distinct. */
#ifndef HQI_TEXT_ARRAY_H
#define HQI_TEXT_ARRAY_H

#include "base/arena.h"
#include "model/intset.h"
#include "text/scan.h"

struct text_array {
    const hq_range *ranges; /* as typed, in that order; in the arena */
    uint32_t n;             /* >= 1 */
    struct intset ids;      /* the same, sorted; in the arena */
};

/* HQ_ELIMIT: more than HQI_MAX_RANGES ranges or 2^32 - 1 ids, or ranges too interleaved to compare. */
int hqi_text_array_parse(struct text_array *ret, struct arena *mem, struct bytes in, struct buf *why);
/* As it was typed, without spaces. */
void hqi_text_array_print(const hq_range *ranges, uint32_t n, struct buf *out);

#endif
