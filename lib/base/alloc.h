/* SPDX-License-Identifier: MIT */
/* alloc.h - the memory of one hq_ctx.
 *
 * Promise: every byte that the library's own code allocates goes through the one realloc-like
 * function that the host gave, so that a host can count, limit and fail each allocation.
 * Nothing here aborts; NULL means out of memory and leaves the old block as it was. */
#ifndef HQI_BASE_ALLOC_H
#define HQI_BASE_ALLOC_H

#include <stddef.h>

struct alloc {
    void *(*fn)(void *user, void *ptr, size_t size); /* realloc; size 0 frees and returns NULL */
    void *user;
};

/* malloc(3) and friends; for tests, the helper and threads of our own. */
extern const struct alloc hqi_base_alloc_libc;

void *hqi_base_alloc_get(const struct alloc *a, size_t size);               /* uninitialised */
void *hqi_base_alloc_zero(const struct alloc *a, size_t count, size_t size); /* overflow-checked, zeroed */
void *hqi_base_alloc_resize(const struct alloc *a, void *ptr, size_t count, size_t size);
void hqi_base_alloc_free(const struct alloc *a, void *ptr); /* NULL is fine */
char *hqi_base_alloc_strdup(const struct alloc *a, const char *s, size_t n); /* n bytes + NUL */

#endif
