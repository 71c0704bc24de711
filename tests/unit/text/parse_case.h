/* SPDX-License-Identifier: MIT */
/* parse_case.h - an arena, a message buffer and a result text around each row of a table of inputs. */
#ifndef TESTS_TEXT_PARSE_CASE_H
#define TESTS_TEXT_PARSE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"

struct parse_case {
    const char *in;
    const char *out; /* the result as text; NULL: rejected */
    const char *why; /* a part of the message, or NULL */
    int rc;          /* of a rejection; 0: HQ_EINVAL */
};

struct parse_bench {
    struct arena mem;
    struct buf why, out;
};

static inline void bench_init(struct parse_bench *b)
{
    hqi_base_arena_init(&b->mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b->why, &hqi_base_alloc_libc);
    hqi_base_buf_init(&b->out, &hqi_base_alloc_libc);
}

static inline void bench_fini(struct parse_bench *b)
{
    hqi_base_buf_fini(&b->out);
    hqi_base_buf_fini(&b->why);
    hqi_base_arena_fini(&b->mem);
}

/* Runs one row. `parse` prints its result to b->out and takes b->why or NULL. */
static inline void check_case(const struct parse_case *c, int (*parse)(struct parse_bench *, struct bytes, struct buf *))
{
    struct parse_bench b;
    bench_init(&b);
    int expected = c->out ? HQ_OK : c->rc ? c->rc : HQ_EINVAL;
    int rc = parse(&b, bytes_of(c->in), &b.why);
    if (rc != expected)
        fail_msg("`%s`: rc %d, expected %d: %s%s", c->in, rc, expected, b.why.p ? b.why.p : "", b.out.p ? b.out.p : "");
    if (c->out && strcmp(b.out.p ? b.out.p : "", c->out) != 0)
        fail_msg("`%s`: %s, expected %s", c->in, b.out.p, c->out);
    if (!c->out && (b.why.n == 0 || (c->why && !strstr(b.why.p, c->why))))
        fail_msg("`%s`: message\n%s\nexpected\n%s", c->in, b.why.p ? b.why.p : "", c->why);
    if (c->out)
        assert_int_equal(b.why.n, 0);
    hqi_base_buf_clear(&b.out);
    assert_int_equal(parse(&b, bytes_of(c->in), NULL), expected);
    bench_fini(&b);
}

#define CHECK_CASES(table, parse)                                       \
    do {                                                                \
        for (size_t i_ = 0; i_ < sizeof(table) / sizeof *(table); i_++) \
            check_case(&(table)[i_], parse);                            \
    } while (0)

#endif
