/* SPDX-License-Identifier: MIT */
/* intset.h - the task ids of one submit: ranges with strides, ascending by first id, disjoint.
 *
 * A task's *ordinal* is its position 0..count-1 in this order; everything inside the server counts in
 * ordinals, so that columns are dense and waiting tasks are plain intervals however irregular the
 * ids are. rank and select translate at the edges; for one range they cost a division. */
#ifndef HQI_MODEL_INTSET_H
#define HQI_MODEL_INTSET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "hqcore/types.h"

#define INTSET_NONE UINT32_MAX /* no such ordinal */

struct intset {
    const hq_range *ranges; /* borrowed from the owner's arena */
    const uint32_t *before; /* ids in the ranges before this one; same arena */
    uint32_t n_ranges;
    uint32_t count; /* of ids; 0 for the empty set */
    bool apart;     /* no range reaches into the next one's interval: rank is a binary search */
};

/* Sorts a copy of `ranges` into `mem`. HQ_EINVAL "Ranges overlap" when two share an id, HQ_ELIMIT
 * for more than HQI_MAX_RANGES ranges or 2^32 - 1 ids, HQ_ENOMEM. */
int hqi_model_intset_make(struct intset *ret, struct arena *mem, const hq_range *ranges, uint32_t n, hq_error *err);
int hqi_model_intset_copy(struct intset *ret, struct arena *mem, const struct intset *from); /* HQ_ENOMEM */
uint32_t hqi_model_intset_rank(const struct intset *s, uint32_t id);          /* ordinal or INTSET_NONE */
uint32_t hqi_model_intset_select(const struct intset *s, uint32_t ordinal);   /* ordinal < count */
bool hqi_model_intset_contains(const struct intset *s, uint32_t id);
uint32_t hqi_model_intset_max(const struct intset *s); /* count > 0 */
/* The ids of the ordinals first..first+count-1 as ranges, one at a time: start with *at = first and
 * call until *at == end; each call fills *ret and advances *at. */
void hqi_model_intset_slice(const struct intset *s, uint32_t *at, uint32_t end, hq_range *ret);
/* "1-4,7,10-20:5" */
void hqi_model_intset_text(const struct intset *s, struct buf *out);
bool hqi_model_intset_meets(const struct intset *a, const struct intset *b, uint32_t *first_common);

/* Gathers ascending or arbitrary single ids into few ranges (strides found only for step 1). */
struct id_ranges {
    hq_range *v; /* in `mem` */
    uint32_t n, room;
    struct arena *mem; /* borrowed */
};
bool hqi_model_intset_gather(struct id_ranges *r, uint32_t id); /* false: no memory */

#endif
