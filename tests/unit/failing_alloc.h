/* SPDX-License-Identifier: MIT */
/* failing_alloc.h - an allocator for tests that counts blocks and fails one allocation on demand.
 *
 * for (size_t i = 1;; i++) { failing_init(&f, i); ...; if (!f.hit) break; } fails each in turn. */
#ifndef TESTS_FAILING_ALLOC_H
#define TESTS_FAILING_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/alloc.h"

struct failing {
    struct alloc alloc; /* hand this out */
    size_t calls;       /* allocations and growths so far */
    size_t fail_at;     /* the call that fails, from 1; 0: none */
    bool forever;       /* all later calls fail too */
    bool hit;           /* one has failed */
    long live;          /* blocks not yet freed */
};

static inline void *failing_realloc(void *user, void *ptr, size_t size)
{
    struct failing *f = user;
    if (size == 0) {
        f->live -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    f->calls++;
    if (f->fail_at && (f->calls == f->fail_at || (f->forever && f->calls > f->fail_at))) {
        f->hit = true;
        return NULL;
    }
    f->live += ptr == NULL;
    return realloc(ptr, size);
}

static inline void failing_init(struct failing *f, size_t fail_at)
{
    *f = (struct failing){.alloc = {failing_realloc, f}, .fail_at = fail_at};
}

#endif
