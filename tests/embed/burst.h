/* SPDX-License-Identifier: MIT */
/* burst.h - what the tests of host loops have in common: a server on one context and a client on another, and 10,000 replies
 * that arrive at once. A loop that is woken only when something new comes, or a descriptor that does not stay readable while
 * something waits, never sees the last of them. */
#ifndef TESTS_EMBED_BURST_H
#define TESTS_EMBED_BURST_H

#include <poll.h>
#include <stdbool.h>

#include "rig.h"

#define BURST 10000
#define BURST_ROUND 1000 /* no dispatch may hand over more: its work is bounded */

struct burst {
    struct rig server;     /* its ctx has the server only */
    hq_ctx *ctx[2];        /* the server's, the client's */
    hq_client *client;
    unsigned seen, rounds;
    bool done;
};

static inline bool burst_is_readable(const hq_ctx *ctx, int ms)
{
    struct pollfd p = {.fd = hq_ctx_fd(ctx), .events = POLLIN};
    return poll(&p, 1, ms) == 1;
}

static inline void burst_open(struct burst *b)
{
    *b = (struct burst){0};
    rig_open(&b->server);
    b->ctx[0] = b->server.ctx;
    must(hq_ctx_new(&b->ctx[1], NULL, RIG_ERR));
    hq_client_options o = {.size = sizeof o};
    o.endpoint = hq_server_endpoint(b->server.server, HQ_PLANE_CLIENT);
    o.secret = hq_server_secret(b->server.server, HQ_PLANE_CLIENT);
    must(hq_client_new(&b->client, b->ctx[1], &o, RIG_ERR));
    for (uint64_t tag = 0; tag < BURST; tag++)
        must(hq_client_cancel(b->client, (hq_job_id){7}, NULL, tag, RIG_ERR));
    for (int quiet = 0; quiet < 3;) { /* the requests leave, and the server answers all: its answers wait */
        hq_ctx_run(b->ctx[0], 20, NULL);
        quiet = burst_is_readable(b->ctx[0], 0) ? 0 : quiet + 1;
        if (b->rounds++ < 50)
            hq_ctx_dispatch(b->ctx[1], NULL);
    }
    b->rounds = 0;
}

/* What a loop calls when the descriptor of ctx[i] is readable. */
static inline void burst_on_readable(struct burst *b, int i)
{
    const hq_event *e;
    unsigned before = b->seen;
    must(hq_ctx_dispatch(b->ctx[i], RIG_ERR));
    b->rounds++;
    while (hq_ctx_next(b->ctx[i], &e) > 0) {
        if (i == 0 || e->type != HQ_EVENT_REPLY)
            continue;
        assert_int_equal(e->tag, b->seen); /* in their order */
        assert_int_equal(e->code, HQ_ENOENT);
        b->seen++;
    }
    assert_true(b->seen - before <= BURST_ROUND);
    b->done = b->seen == BURST;
}

static inline void burst_close(struct burst *b)
{
    assert_int_equal(b->seen, BURST);
    assert_true(b->rounds < BURST); /* nor is each of them a wake-up */
    hq_ctx_free(b->ctx[1]);
    rig_close(&b->server);
}

#endif
