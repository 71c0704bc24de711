/* SPDX-License-Identifier: MIT */
/* backlog.h - frames of one session that could not be applied for want of memory.
 *
 * Promise: they are offered again, in order, and nothing of that session overtakes them; until then they stay
 * unacknowledged, so that the other end's window fills and it pauses. */
#ifndef HQI_HOST_BACKLOG_H
#define HQI_HOST_BACKLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/list.h"

#define HQI_BACKLOG_RETRY_NS (100 * HQI_MS) /* memory comes back when other work ends, not in a loop */

struct backlog {
    const struct alloc *alloc; /* borrowed */
    struct list frames;        /* owned */
};

struct backlog_frame {
    struct list link;
    uint64_t number;
    uint32_t done; /* items of it that were applied already */
    size_t n;
    char payload[];
};

void hqi_host_backlog_init(struct backlog *b, const struct alloc *a);
void hqi_host_backlog_fini(struct backlog *b); /* never initialised (zeroed): nothing happens */
/* Copies. False: no memory for that either. */
bool hqi_host_backlog_keep(struct backlog *b, uint64_t number, uint32_t done, struct bytes payload);
struct backlog_frame *hqi_host_backlog_first(const struct backlog *b); /* NULL: empty */
void hqi_host_backlog_pop(struct backlog *b);

#endif
