/* SPDX-License-Identifier: MIT */
/* loop.h - one epoll fd with timers and a wake-up inside.
 *
 * Promise: `fd` is readable (level-triggered) whenever hqi_loop_loop_run would do work: a source's fd
 * is ready, a source says ready() although its fd is silent (ZMQ_FD is edge-triggered), a timer
 * is due, or somebody called wake. run() does a bounded amount of work and never blocks. Must never
 * happen: a source starved because another always has work. */
#ifndef HQI_LOOP_LOOP_H
#define HQI_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "hqcore/error.h"

struct loop;

/* Embedded in its owner. `run` does a bounded piece of work (say 64 messages); `ready` may be NULL,
 * else it tells whether more work waits although the fd may be silent. Whoever makes ready() true
 * outside of a round (a send on a zmq socket does) calls wake. */
struct loop_source {
    int fd; /* -1: only ready() counts */
    bool (*ready)(struct loop_source *s);
    void (*run)(struct loop_source *s);
    struct list link; /* private */
    bool linked;      /* private */
    bool fired;       /* private */
};

struct loop_timer {
    struct heap_node node; /* private */
    void (*run)(struct loop_timer *t);
};

int hqi_loop_loop_new(struct loop **ret, const struct alloc *a, hq_error *err); /* HQ_ELIMIT when no fds are left */
void hqi_loop_loop_free(struct loop *l); /* NULL is fine; sources must be gone */
/* In a forked child: closes the fds without epoll_ctl (the epoll is the parent's too) and unlinks all
 * sources and timers first, so that their owners' later remove and clear do nothing. */
void hqi_loop_loop_free_forked(struct loop *l);
int hqi_loop_loop_fd(const struct loop *l);

int hqi_loop_source_add(struct loop *l, struct loop_source *s, hq_error *err); /* POLLIN, level-triggered */
void hqi_loop_source_remove(struct loop *l, struct loop_source *s);            /* not added: nothing happens; safe inside run */
/* (Re)arms; `t` starts zeroed. Due when a round's time has reached it; set anew inside a round: at the
 * earliest in the next. */
void hqi_loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_mono_ns);
void hqi_loop_timer_clear(struct loop *l, struct loop_timer *t);                    /* not set: nothing happens */

/* The time read at the start of the current (or last) run; refresh reads it anew. */
struct now hqi_loop_loop_now(const struct loop *l);
struct now hqi_loop_loop_refresh(struct loop *l);

int hqi_loop_loop_run(struct loop *l, hq_error *err); /* one round; never blocks; not from a callback (HQ_ESTATE) */
int hqi_loop_loop_run_at(struct loop *l, struct now now, hq_error *err); /* the same under a given time */
/* epoll_wait on the loop's own fd, at most timeout_ms (-1: for ever). 1: there is work; 0: time-out;
 * HQ_EINTR when a signal handler ran. */
int hqi_loop_loop_wait(struct loop *l, int timeout_ms, hq_error *err);
void hqi_loop_loop_wake(struct loop *l); /* any thread, async-signal-safe */

#endif
