/* SPDX-License-Identifier: MIT */
/* bytes.h - a borrowed run of bytes. May hold NUL and need not end with one, unless the
 * owner says so. { NULL, 0 } is empty. */
#ifndef HQI_BASE_BYTES_H
#define HQI_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct bytes {
    const char *p; /* borrowed */
    size_t n;
};

static inline struct bytes bytes_of(const char *s) /* s may be NULL */
{
    return (struct bytes){s, s ? strlen(s) : 0};
}
static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool bytes_is(struct bytes a, const char *s)
{
    return bytes_equal(a, bytes_of(s));
}
static inline int bytes_compare(struct bytes a, struct bytes b) /* memcmp order, shorter first */
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

#endif
