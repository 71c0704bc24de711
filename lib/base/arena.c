/* SPDX-License-Identifier: MIT */
/* arena.c - blocks in a chain, the newest first; only the newest is filled.
 *
 * Promise: a failed request leaves the arena as it was; clear keeps the largest block (and the one
 * that houses the arena itself), so that a steady load stops allocating. */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ALIGN 16u
#define FIRST_BLOCK 1024u       /* most messages fit */
#define DOUBLING_END (1u << 20) /* beyond it, doubling wastes more than malloc costs */

struct arena_block {
    struct arena_block *next; /* owned */
    size_t size;              /* of data */
    size_t used;              /* of data */
    size_t pad;               /* keeps data aligned */
    char data[];
};

_Static_assert(sizeof(struct arena_block) % ALIGN == 0 || sizeof(void *) != 8, "data must be aligned");

static bool round_up(size_t size, size_t *rounded)
{
    if (size > PTRDIFF_MAX - sizeof(struct arena_block) - ALIGN)
        return false;
    *rounded = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    return true;
}

static struct arena_block *block_new(const struct alloc *alloc, size_t size)
{
    struct arena_block *b = hqi_base_alloc_get(alloc, sizeof *b + size);
    if (!b)
        return NULL;
    *b = (struct arena_block){.size = size};
    return b;
}

static size_t next_block_size(const struct arena *a, size_t need)
{
    size_t size = FIRST_BLOCK;
    if (a->head)
        size = a->head->size < DOUBLING_END / 2 ? a->head->size * 2 : DOUBLING_END;
    return size < need ? need : size;
}

void hqi_base_arena_init(struct arena *a, const struct alloc *alloc)
{
    *a = (struct arena){.alloc = alloc};
}

void hqi_base_arena_fini(struct arena *a)
{
    const struct alloc *alloc = a->alloc;
    struct arena_block *b = a->head;
    a->head = NULL;
    a->used = 0;
    while (b) { /* `a` may live in one of them: it is not touched below */
        struct arena_block *next = b->next;
        hqi_base_alloc_free(alloc, b);
        b = next;
    }
}

void hqi_base_arena_clear(struct arena *a)
{
    struct arena_block *largest = a->head;
    for (struct arena_block *b = a->head; b; b = b->next)
        if (b->size > largest->size)
            largest = b;
    for (struct arena_block *b = a->head, *next; b; b = next) {
        next = b->next;
        if (b != largest && b != a->home)
            hqi_base_alloc_free(a->alloc, b);
    }
    if (largest) {
        largest->used = 0;
        largest->next = largest == a->home ? NULL : a->home;
    }
    if (a->home) {
        a->home->used = a->home_used;
        a->home->next = NULL;
    }
    a->head = largest;
    a->used = 0;
}

void *hqi_base_arena_get(struct arena *a, size_t size)
{
    size_t need;
    if (!round_up(size, &need))
        return NULL;
    if (!a->head || a->head->size - a->head->used < need) {
        struct arena_block *b = block_new(a->alloc, next_block_size(a, need));
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
    }
    void *p = a->head->data + a->head->used;
    a->head->used += need;
    a->used += need;
    return p;
}

void *hqi_base_arena_zero(struct arena *a, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *p = hqi_base_arena_get(a, total);
    if (p)
        memset(p, 0, total);
    return p;
}

struct bytes hqi_base_arena_bytes(struct arena *a, struct bytes b, bool *ok)
{
    if (b.n == 0)
        return (struct bytes){"", 0};
    char *p = b.n < SIZE_MAX ? hqi_base_arena_get(a, b.n + 1) : NULL;
    if (!p) {
        *ok = false;
        return (struct bytes){NULL, 0};
    }
    memcpy(p, b.p, b.n);
    p[b.n] = '\0';
    return (struct bytes){p, b.n};
}

char *hqi_base_arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    char *p = n >= 0 ? hqi_base_arena_get(a, (size_t)n + 1) : NULL;
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    va_end(ap);
    return p;
}

struct arena *hqi_base_arena_new(const struct alloc *alloc)
{
    struct arena bare;
    hqi_base_arena_init(&bare, alloc);
    struct arena *a = hqi_base_arena_get(&bare, sizeof *a);
    if (!a)
        return NULL;
    *a = bare;
    a->home = a->head;
    a->home_used = a->head->used;
    a->used = 0;
    return a;
}

void hqi_base_arena_free(struct arena *a)
{
    if (a)
        hqi_base_arena_fini(a);
}
