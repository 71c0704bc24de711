/* SPDX-License-Identifier: MIT */
/* alloc.c - the host's realloc-like function behind five verbs.
 *
 * Promise: NULL means out of memory, never "you asked for nothing": a request for 0 bytes gets
 * one, because size 0 means free to the host's function. Sizes that overflow are out of memory. */
#include "base/alloc.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *user, void *ptr, size_t size)
{
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

const struct alloc hqi_base_alloc_libc = {libc_realloc, NULL};

static bool total_size(size_t count, size_t size, size_t *total)
{
    if (__builtin_mul_overflow(count, size, total) || *total > PTRDIFF_MAX)
        return false;
    if (*total == 0)
        *total = 1;
    return true;
}

void *hqi_base_alloc_get(const struct alloc *a, size_t size)
{
    return hqi_base_alloc_resize(a, NULL, size, 1);
}

void *hqi_base_alloc_zero(const struct alloc *a, size_t count, size_t size)
{
    size_t total;
    if (!total_size(count, size, &total))
        return NULL;
    void *p = a->fn(a->user, NULL, total);
    if (p)
        memset(p, 0, total);
    return p;
}

void *hqi_base_alloc_resize(const struct alloc *a, void *ptr, size_t count, size_t size)
{
    size_t total;
    if (!total_size(count, size, &total))
        return NULL;
    return a->fn(a->user, ptr, total);
}

void hqi_base_alloc_free(const struct alloc *a, void *ptr)
{
    if (ptr)
        a->fn(a->user, ptr, 0);
}

char *hqi_base_alloc_strdup(const struct alloc *a, const char *s, size_t n)
{
    if (n == SIZE_MAX)
        return NULL;
    char *copy = hqi_base_alloc_get(a, n + 1);
    if (!copy)
        return NULL;
    if (n)
        memcpy(copy, s, n);
    copy[n] = '\0';
    return copy;
}
