/* SPDX-License-Identifier: MIT */
/* ctx.h - what servers, workers and clients see of the hq_ctx that they live on.
 *
 * Promise: one allocator, one log sink, one loop and one zmq context per hq_ctx, nothing of it shared with another; a handle
 * that was added is freed with its ctx, in a forked child without touching libzmq, epoll or files. Must never
 * happen: a call passing hqi_host_ctx_check in a forked child or from within a callback. */
#ifndef HQI_HOST_CTX_H
#define HQI_HOST_CTX_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/log.h"
#include "hqcore.h"
#include "loop/loop.h"

struct event;

struct handle;
struct handle_ops {
    void (*free)(struct handle *h);
    void (*free_forked)(struct handle *h); /* memory and own fds only */
};

/* The first member of hq_server, hq_worker and hq_client. */
struct handle {
    struct list link;             /* of the ctx */
    const struct handle_ops *ops; /* static */
    hq_ctx *ctx;                  /* borrowed: the ctx frees the handle before itself */
    uint64_t source;
};

struct hq_ctx {
    struct alloc alloc;      /* what all allocate with: the host's, during which no call is allowed */
    struct alloc host_alloc; /* as the host gave it; the ctx itself comes from it */
    struct log log;
    void (*log_fn)(void *user, const hq_log *rec); /* the host's; NULL: silent */
    void *log_user;
    struct loop *loop;    /* owned */
    void *zmq;            /* owned; NULL until the first socket is wanted */
    pid_t pid;            /* of the process that made it */
    bool inside;          /* a round of the loop, or a callback of the host's, is running */
    volatile sig_atomic_t woken; /* by hq_ctx_wake, from any thread */
    uint64_t last_source;
    struct list handles;  /* of struct handle; owned */
    struct list events;   /* of struct event; owned: what hq_ctx_next hands out */
    uint32_t n_events, max_events;
    struct event *current; /* owned: what hq_ctx_next handed out last */
};

/* HQ_EINVAL for NULL, HQ_EFORK in a forked child, HQ_ESTATE from within a callback of the library. */
int hqi_host_ctx_check(const hq_ctx *ctx, hq_error *err);
bool hqi_host_ctx_is_forked(const hq_ctx *ctx);

/* The zmq context, made at the first call: one I/O thread, all signals blocked in its threads. HQ_ELIMIT when
 * descriptors or threads run out. */
int hqi_host_ctx_zmq(hq_ctx *ctx, void **ret, hq_error *err);

void hqi_host_ctx_add(hq_ctx *ctx, struct handle *h, const struct handle_ops *ops); /* gives it its source */
void hqi_host_ctx_remove(struct handle *h); /* and drops its queued events; not added: nothing happens */
/* Frees as hq_X_free() must: in a forked child by free_forked. NULL is fine. */
void hqi_host_ctx_free_handle(struct handle *h);

/* For blocking calls: waits for work until `deadline_ns` (mono; UINT64_MAX: for ever), does one round. HQ_ETIMEDOUT,
 * HQ_EINTR. */
int hqi_host_ctx_turn(hq_ctx *ctx, uint64_t deadline_ns, hq_error *err);
uint64_t hqi_host_ctx_deadline(int timeout_ms); /* -1: UINT64_MAX */

/* Options of the caller, of another version's size perhaps, into *ret of `known` bytes; NULL: all zero. */
int hqi_host_ctx_options(void *ret, size_t known, const void *opt, const char *name, hq_error *err);

#endif
