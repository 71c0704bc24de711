/* SPDX-License-Identifier: MIT */
/* buf.h - a growing byte buffer with a sticky failure.
 *
 * Appends never report: after the first failed allocation the buffer stays as it was,
 * `failed` is set and every later append does nothing. Ask once, at the end. The content
 * is always NUL-terminated behind its n bytes once something was appended. */
#ifndef HQI_BASE_BUF_H
#define HQI_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/bytes.h"

struct buf {
    const struct alloc *alloc; /* borrowed */
    char *p;                   /* owned; NULL while empty */
    size_t n, room;
    bool failed;
};

void hqi_base_buf_init(struct buf *b, const struct alloc *a);
void hqi_base_buf_fini(struct buf *b);
void hqi_base_buf_clear(struct buf *b); /* keeps the memory; clears failed */
bool hqi_base_buf_reserve(struct buf *b, size_t more); /* false: no memory, failed is set */
void hqi_base_buf_add(struct buf *b, const void *p, size_t n);
void hqi_base_buf_adds(struct buf *b, const char *s);
void hqi_base_buf_addc(struct buf *b, char c);
void hqi_base_buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void hqi_base_buf_addfv(struct buf *b, const char *fmt, va_list ap);
char *hqi_base_buf_take(struct buf *b, size_t *n); /* transfers the block (free with b->alloc); NULL when failed or empty */
static inline struct bytes hqi_base_buf_bytes(const struct buf *b)
{
    return (struct bytes){b->p, b->n};
}

#endif
