/* SPDX-License-Identifier: MIT */
/* arena.h - memory that is freed all at once.
 *
 * What one message, one spec or one tick needs lives here. Blocks grow geometrically;
 * clear keeps the largest block, so a steady tick allocates nothing. */
#ifndef HQI_BASE_ARENA_H
#define HQI_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"
#include "base/bytes.h"

struct arena_block;
struct arena {
    const struct alloc *alloc; /* borrowed */
    struct arena_block *head;  /* owned */
    size_t used;               /* bytes handed out since the last clear */
    struct arena_block *home;  /* of arena_new: the block that holds this struct; else NULL */
    size_t home_used;          /* what this struct takes of it */
};

void hqi_base_arena_init(struct arena *a, const struct alloc *alloc);
void hqi_base_arena_fini(struct arena *a);
void hqi_base_arena_clear(struct arena *a);
void *hqi_base_arena_get(struct arena *a, size_t size); /* 16-byte aligned, uninitialised; NULL: no memory */
void *hqi_base_arena_zero(struct arena *a, size_t count, size_t size);
/* Copies n bytes and adds a NUL; p may be NULL when n is 0. On failure returns {NULL, 0} with *ok = false (ok never set to true). */
struct bytes hqi_base_arena_bytes(struct arena *a, struct bytes b, bool *ok);
char *hqi_base_arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A block that owns itself: the arena's header lives in its own first block. */
struct arena *hqi_base_arena_new(const struct alloc *alloc);
void hqi_base_arena_free(struct arena *a); /* NULL is fine; only for arenas from arena_new */

#endif
