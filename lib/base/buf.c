/* SPDX-License-Identifier: MIT */
/* buf.c - the growing buffer. Invariant: p is NULL, or n < room and p[n] is NUL. */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define FIRST_ROOM 64u

void hqi_base_buf_init(struct buf *b, const struct alloc *a)
{
    *b = (struct buf){.alloc = a};
}

void hqi_base_buf_fini(struct buf *b)
{
    if (b->p)
        hqi_base_alloc_free(b->alloc, b->p);
    hqi_base_buf_init(b, b->alloc);
}

void hqi_base_buf_clear(struct buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = '\0';
}

bool hqi_base_buf_reserve(struct buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (b->p && more < b->room - b->n)
        return true;
    size_t room = b->room ? b->room : FIRST_ROOM;
    char *p = NULL;
    if (more < PTRDIFF_MAX - b->n) {
        while (room - b->n <= more)
            room = room > PTRDIFF_MAX / 2 ? PTRDIFF_MAX : room * 2;
        p = hqi_base_alloc_resize(b->alloc, b->p, room, 1);
    }
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->room = room;
    b->p[b->n] = '\0';
    return true;
}

void hqi_base_buf_add(struct buf *b, const void *p, size_t n)
{
    if (!hqi_base_buf_reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void hqi_base_buf_adds(struct buf *b, const char *s)
{
    hqi_base_buf_add(b, s, strlen(s));
}

void hqi_base_buf_addc(struct buf *b, char c)
{
    hqi_base_buf_add(b, &c, 1);
}

void hqi_base_buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    hqi_base_buf_addfv(b, fmt, ap);
    va_end(ap);
}

void hqi_base_buf_addfv(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) /* an encoding error; %ls is not used here, but the buffer must tell */
        b->failed = true;
    else if (hqi_base_buf_reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

char *hqi_base_buf_take(struct buf *b, size_t *n)
{
    if (n)
        *n = 0;
    if (b->failed || b->n == 0)
        return NULL;
    char *p = b->p;
    if (n)
        *n = b->n;
    hqi_base_buf_init(b, b->alloc);
    return p;
}
