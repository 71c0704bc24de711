/* SPDX-License-Identifier: MIT */
/* loop.c - the epoll fd, with an eventfd (wake) and a timerfd (the earliest timer) inside.
 *
 * How the promise of loop.h is kept: every round visits every source once and runs those whose fd
 * fired or that say ready(). A source that is still ready() afterwards, fd silent, leaves the eventfd
 * set, so that the fd stays readable. Sources run before timers: whoever judges peers by a
 * deadline has seen their input first. Must never happen: a pointer to a removed source being used. */
#include "loop/loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/error.h"

#define EVENTS_PER_ROUND 64 /* epoll hands out level-triggered fds in turn, so none starves beyond it */
#define NEVER UINT64_MAX

static const char where[] = "loop";

struct loop {
    const struct alloc *alloc; /* borrowed */
    int epoll, wake, timer;    /* owned; -1 while not open */
    struct list sources;       /* borrowed from their owners */
    struct list *cursor;       /* the next source of the round that is going on */
    struct heap timers;        /* borrowed from their owners */
    uint64_t armed;            /* what the timerfd is set to; NEVER: disarmed */
    struct now now;
    bool running;
};

static struct loop_source *source_of(struct list *link)
{
    return hqi_container(link, struct loop_source, link);
}

static bool is_out_of_resources(int sys)
{
    return sys == EMFILE || sys == ENFILE || sys == ENOSPC;
}

static int epoll_add(struct loop *l, int fd, void *data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = data};
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &event);
}

static bool open_fds(struct loop *l)
{
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0)
        return false;
    l->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (l->wake < 0 || epoll_add(l, l->wake, &l->wake) < 0)
        return false;
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return l->timer >= 0 && epoll_add(l, l->timer, &l->timer) == 0;
}

int hqi_loop_loop_new(struct loop **ret, const struct alloc *a, hq_error *err)
{
    struct loop *l = hqi_base_alloc_zero(a, 1, sizeof *l);
    if (!l)
        return hqi_base_error_nomem(err, where);
    l->alloc = a;
    l->epoll = l->wake = l->timer = -1;
    l->armed = NEVER;
    l->now = hqi_base_clock_now();
    list_init(&l->sources);
    hqi_base_heap_init(&l->timers);
    if (!open_fds(l)) {
        int sys = errno;
        hqi_loop_loop_free(l);
        if (is_out_of_resources(sys))
            return hqi_base_error_set(err, HQ_ELIMIT, where,
                                      "an event loop needs 3 file descriptors; raise `ulimit -n`");
        return hqi_base_error_sys(err, sys, where, "cannot create an event loop");
    }
    *ret = l;
    return HQ_OK;
}

void hqi_loop_loop_free(struct loop *l)
{
    if (!l)
        return;
    const int fds[] = {l->timer, l->wake, l->epoll};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    hqi_base_alloc_free(l->alloc, l);
}

void hqi_loop_loop_free_forked(struct loop *l)
{
    if (!l)
        return;
    for (struct list *link; (link = list_pop_front(&l->sources));)
        source_of(link)->linked = false;
    for (struct heap_node *n; (n = hqi_base_heap_first(&l->timers));)
        hqi_base_heap_remove(&l->timers, n);
    hqi_loop_loop_free(l);
}

int hqi_loop_loop_fd(const struct loop *l)
{
    return l->epoll;
}

int hqi_loop_source_add(struct loop *l, struct loop_source *s, hq_error *err)
{
    if (s->linked)
        return hqi_base_error_set(err, HQ_EINVAL, where, "the source of fd %d was added already", s->fd);
    if (s->fd >= 0 && epoll_add(l, s->fd, s) < 0) {
        if (is_out_of_resources(errno))
            return hqi_base_error_set(err, HQ_ELIMIT, where,
                                      "no more descriptors can be watched; raise fs.epoll.max_user_watches");
        return hqi_base_error_sys(err, errno, where, "cannot watch fd %d", s->fd);
    }
    list_push_front(&l->sources, &s->link); /* behind the cursor: a round never visits what it added */
    s->linked = true;
    s->fired = false;
    if (s->ready) /* it may be ready already, its edge long gone */
        hqi_loop_loop_wake(l);
    return HQ_OK;
}

void hqi_loop_source_remove(struct loop *l, struct loop_source *s)
{
    if (!s->linked)
        return;
    if (s->fd >= 0)
        epoll_ctl(l->epoll, EPOLL_CTL_DEL, s->fd, NULL); /* fails if the fd was closed first: gone too */
    if (l->cursor == &s->link)
        l->cursor = s->link.next;
    list_unlink(&s->link);
    s->linked = false;
}

/* Sets the timerfd to the earliest timer. It may stay too early (that costs one idle round), never
 * too late; `fired` says that it went off and must be set anew to fall silent. */
static void arm(struct loop *l, bool fired)
{
    const struct heap_node *first = hqi_base_heap_first(&l->timers);
    uint64_t at = first ? first->at : NEVER;
    if (!fired && l->armed <= at)
        return;
    struct itimerspec spec = {0};
    if (at != NEVER) {
        spec.it_value.tv_sec = (time_t)(at / HQI_SEC);
        spec.it_value.tv_nsec = (long)(at % HQI_SEC);
        if (at == 0) /* all zero would disarm it */
            spec.it_value.tv_nsec = 1;
    }
    timerfd_settime(l->timer, TFD_TIMER_ABSTIME, &spec, NULL);
    l->armed = at;
}

void hqi_loop_timer_set(struct loop *l, struct loop_timer *t, uint64_t at_mono_ns)
{
    if (l->running && at_mono_ns < l->now.mono_ns) /* else a timer that rearms itself in the past would */
        at_mono_ns = l->now.mono_ns;               /* stand before all others for ever */
    hqi_base_heap_remove(&l->timers, &t->node);
    hqi_base_heap_insert(&l->timers, &t->node, at_mono_ns);
    if (!l->running)
        arm(l, false);
}

void hqi_loop_timer_clear(struct loop *l, struct loop_timer *t)
{
    if (t->node.linked)
        hqi_base_heap_remove(&l->timers, &t->node);
}

struct now hqi_loop_loop_now(const struct loop *l)
{
    return l->now;
}

struct now hqi_loop_loop_refresh(struct loop *l)
{
    l->now = hqi_base_clock_now();
    return l->now;
}

static void drain_wake(struct loop *l)
{
    uint64_t count;
    while (read(l->wake, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

/* Marks the sources whose fds are ready; `timer` tells whether the timerfd went off. */
static int collect(struct loop *l, bool *timer, hq_error *err)
{
    struct epoll_event events[EVENTS_PER_ROUND];
    *timer = false;
    int n = epoll_wait(l->epoll, events, EVENTS_PER_ROUND, 0);
    if (n < 0 && errno != EINTR)
        return hqi_base_error_sys(err, errno, where, "epoll_wait");
    for (int i = 0; i < n; i++) {
        void *data = events[i].data.ptr;
        if (data == &l->wake)
            drain_wake(l);
        else if (data == &l->timer)
            *timer = true;
        else
            ((struct loop_source *)data)->fired = true;
    }
    return HQ_OK;
}

static void run_sources(struct loop *l)
{
    l->cursor = l->sources.next;
    while (l->cursor != &l->sources) {
        struct loop_source *s = source_of(l->cursor);
        l->cursor = l->cursor->next; /* moved on by remove when the next one goes */
        bool due = s->fired || (s->ready && s->ready(s));
        s->fired = false;
        if (due)
            s->run(s); /* may free s */
    }
    l->cursor = NULL;
}

static void run_timers(struct loop *l, uint64_t now_ns)
{
    uint64_t end = l->timers.next_order; /* timers set in this round wait for the next */
    struct heap_node *n;
    while ((n = hqi_base_heap_first(&l->timers)) && n->at <= now_ns && n->order < end) {
        struct loop_timer *t = hqi_container(n, struct loop_timer, node);
        hqi_base_heap_remove(&l->timers, n);
        t->run(t); /* may free t */
    }
}

static bool any_ready(const struct loop *l)
{
    list_for(link, &l->sources) {
        struct loop_source *s = source_of(link);
        if (s->ready && s->ready(s))
            return true;
    }
    return false;
}

int hqi_loop_loop_run(struct loop *l, hq_error *err)
{
    return hqi_loop_loop_run_at(l, hqi_base_clock_now(), err);
}

int hqi_loop_loop_run_at(struct loop *l, struct now now, hq_error *err)
{
    bool timer;
    if (l->running)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the loop was run from one of its own callbacks");
    int rc = collect(l, &timer, err);
    if (rc < 0)
        return rc;
    l->now = now;
    l->running = true;
    run_sources(l);
    run_timers(l, now.mono_ns);
    l->running = false;
    arm(l, timer);
    if (any_ready(l))
        hqi_loop_loop_wake(l);
    return HQ_OK;
}

int hqi_loop_loop_wait(struct loop *l, int timeout_ms, hq_error *err)
{
    struct epoll_event event;
    if (any_ready(l))
        return 1;
    int n = epoll_wait(l->epoll, &event, 1, timeout_ms);
    if (n < 0 && errno == EINTR)
        return hqi_base_error_set(err, HQ_EINTR, where, "interrupted by a signal");
    if (n < 0)
        return hqi_base_error_sys(err, errno, where, "epoll_wait");
    return n;
}

void hqi_loop_loop_wake(struct loop *l)
{
    int saved = errno; /* a signal handler may be calling */
    const uint64_t one = 1;
    while (write(l->wake, &one, sizeof one) < 0 && errno == EINTR) /* EAGAIN: the counter is full, so set */
        ;
    errno = saved;
}
