/* SPDX-License-Identifier: MIT */
/* pool.h - the resources of one worker, and who holds which index.
 *
 * Amounts in 1/10000. Indexed pools (list, range, groups) give whole indices and at most one fraction of one index per
 * request; sums give amounts. Nothing is allocated while claiming: pools are arrays sized at creation; an allocation
 * stores its indices in memory that was reserved. */
#ifndef HQI_TASKS_POOL_H
#define HQI_TASKS_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/resource.h"

struct pools;

struct held { /* one index of an allocation: `fraction` 0 is the whole index */
    uint32_t index;
    uint32_t fraction;
};

struct allocation { /* per entry of the request's variant, in its order */
    uint32_t n_entries;
    struct allocated {
        uint32_t pool;
        uint64_t amount;
        struct held *held; /* in the block of entries; fractional one last */
        uint32_t n_held;
    } *entries; /* owned: one block, the indices behind them */
};

#define POOL_NONE UINT32_MAX

/* `r` passed hqi_model_resource_check and is borrowed: it outlives the pools. */
int hqi_tasks_pool_new(struct pools **ret, const struct alloc *a, const struct resources *r, hq_error *err);
void hqi_tasks_pool_free(struct pools *p);
/* Could it ever run here? Not if it wants whole nodes. */
bool hqi_tasks_pool_fits_total(const struct pools *p, const struct request_variant *v);
/* Would a claim succeed now? */
bool hqi_tasks_pool_fits_now(struct pools *p, const struct request_variant *v);
uint32_t hqi_tasks_pool_count(const struct pools *p);
uint32_t hqi_tasks_pool_find(const struct pools *p, struct bytes name); /* POOL_NONE: no such pool */
uint64_t hqi_tasks_pool_total(const struct pools *p, uint32_t pool);
uint64_t hqi_tasks_pool_unused(const struct pools *p, uint32_t pool); /* broken indices included */
/* 1: claimed into *ret; 0: not now; HQ_ENOMEM. Grouped pools: fewest groups first, per policy; forced policies wait for the
 * best. */
int hqi_tasks_pool_claim(struct pools *p, const struct request_variant *v, struct allocation *ret, hq_error *err);
void hqi_tasks_pool_release(struct pools *p, struct allocation *a); /* frees what it holds */
/* "0,3,1": labels of entry `i`, in allocation order; nothing for sums. */
void hqi_tasks_pool_labels(const struct pools *p, const struct allocation *a, uint32_t i, struct buf *out);
int hqi_tasks_pool_verify(const struct pools *p, hq_error *err);
/* Also that these allocations and what is free make up the whole: HQ_EINTERNAL, HQ_ENOMEM. */
int hqi_tasks_pool_verify_held(const struct pools *p, const struct allocation *const *held, uint32_t n, hq_error *err);

#endif
