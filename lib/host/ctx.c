/* SPDX-License-Identifier: MIT */
/* ctx.c - the context: making and freeing it, its log and its options, and the calls that let it run.
 *
 * Every public call begins with hqi_host_ctx_check, which compares the process id: that is the whole fork
 * guard. Must never happen: a callback of ours running outside of a call on this ctx. */
#include "host/ctx.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host/event.h"
#include "host/zmq.h"

static const char where[] = "ctx";

#define DEFAULT_EVENTS 4096u

/* ---- what others ask for ---- */

bool hqi_host_ctx_is_forked(const hq_ctx *ctx)
{
    return ctx->pid != getpid();
}

int hqi_host_ctx_check(const hq_ctx *ctx, hq_error *err)
{
    if (!ctx)
        return hqi_base_error_set(err, HQ_EINVAL, where, "the handle is NULL");
    if (hqi_host_ctx_is_forked(ctx))
        return hqi_base_error_set(err, HQ_EFORK, where,
                                  "made in process %ld and used in its forked child: free it, and make a new hq_ctx here",
                                  (long)ctx->pid);
    if (ctx->inside)
        return hqi_base_error_set(err, HQ_ESTATE, where, "called from within a log or allocator callback");
    return HQ_OK;
}

static bool all_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0)
            return false;
    return true;
}

int hqi_host_ctx_options(void *ret, size_t known, const void *opt, const char *name, hq_error *err)
{
    size_t size = 0;
    memset(ret, 0, known);
    if (!opt)
        return HQ_OK;
    memcpy(&size, opt, sizeof size);
    if (size < sizeof size)
        return hqi_base_error_set(err, HQ_EINVAL, where, "%s.size is %zu: set it to sizeof(%s)", name, size, name);
    if (size > known && !all_zero((const unsigned char *)opt + known, size - known))
        return hqi_base_error_set(err, HQ_EINVAL, where, "%s of %zu bytes sets options that this library (%zu) lacks",
                                  name, size, known);
    memcpy(ret, opt, size < known ? size : known);
    return HQ_OK;
}

/* ---- life ---- */

static void bridge_log(void *user, int level, const char *from, const char *text)
{
    hq_ctx *ctx = user;
    hq_log rec = {level, from, text};
    bool before = ctx->inside;
    ctx->inside = true; /* the callback must not call back */
    ctx->log_fn(ctx->log_user, &rec);
    ctx->inside = before;
}

static void *bridge_alloc(void *user, void *ptr, size_t size)
{
    hq_ctx *ctx = user;
    bool before = ctx->inside;
    ctx->inside = true;
    void *p = ctx->host_alloc.fn(ctx->host_alloc.user, ptr, size);
    ctx->inside = before;
    return p;
}

static hq_ctx *make(const hq_ctx_options *o)
{
    struct alloc a = hqi_base_alloc_libc;
    if (o->alloc)
        a = (struct alloc){o->alloc, o->user};
    hq_ctx *ctx = hqi_base_alloc_zero(&a, 1, sizeof *ctx);
    if (!ctx)
        return NULL;
    ctx->host_alloc = a;
    ctx->alloc = o->alloc ? (struct alloc){bridge_alloc, ctx} : a;
    ctx->log_fn = o->log;
    ctx->log_user = o->user;
    ctx->log.fn = o->log ? bridge_log : NULL;
    ctx->log.user = ctx;
    ctx->log.level = o->log_level ? o->log_level : LOG_INFO;
    ctx->max_events = o->max_events ? o->max_events : DEFAULT_EVENTS;
    ctx->pid = getpid();
    list_init(&ctx->handles);
    list_init(&ctx->events);
    return ctx;
}

int hq_ctx_new(hq_ctx **ret, const hq_ctx_options *opt, hq_error *err)
{
    hq_ctx_options o;
    if (!ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_ctx_new: ret is NULL");
    int r = hqi_host_ctx_options(&o, sizeof o, opt, "hq_ctx_options", err);
    if (r < 0)
        return r;
    hq_ctx *ctx = make(&o);
    if (!ctx)
        return hqi_base_error_nomem(err, where);
    r = hqi_loop_loop_new(&ctx->loop, &ctx->alloc, err);
    if (r < 0) {
        hq_ctx_free(ctx);
        return r;
    }
    *ret = ctx;
    return HQ_OK;
}

/* In a forked child the loop goes first: its sources and timers are then unlinked, and none of their owners touches the
 * epoll, which is the parent's too. */
static void abandon_loop(hq_ctx *ctx)
{
    hqi_loop_loop_free_forked(ctx->loop);
    ctx->loop = NULL;
}

void hqi_host_ctx_free_handle(struct handle *h)
{
    if (!h || h->ctx->inside) /* from a callback of the host's: the library is using it */
        return;
    if (hqi_host_ctx_is_forked(h->ctx)) {
        abandon_loop(h->ctx);
        h->ops->free_forked(h);
    } else {
        h->ops->free(h);
    }
}

void hq_ctx_free(hq_ctx *ctx)
{
    if (!ctx || ctx->inside)
        return;
    if (hqi_host_ctx_is_forked(ctx))
        abandon_loop(ctx);
    while (!list_empty(&ctx->handles))
        hqi_host_ctx_free_handle(hqi_container(ctx->handles.next, struct handle, link));
    for (struct event *e; (e = hqi_host_event_take(ctx));)
        hqi_host_event_free(ctx, e);
    hqi_host_event_free(ctx, ctx->current);
    if (ctx->loop) { /* else forked: libzmq's context stays, its threads are not here to end it */
        hqi_host_zmq_end(ctx->zmq);
        hqi_loop_loop_free(ctx->loop);
    }
    struct alloc a = ctx->host_alloc;
    hqi_base_alloc_free(&a, ctx);
}

void hqi_host_ctx_add(hq_ctx *ctx, struct handle *h, const struct handle_ops *ops)
{
    h->ctx = ctx;
    h->ops = ops;
    h->source = ++ctx->last_source;
    list_push_back(&ctx->handles, &h->link);
}

void hqi_host_ctx_remove(struct handle *h)
{
    if (!h->link.next)
        return;
    list_unlink(&h->link);
    hqi_host_event_drop(h->ctx, h->source);
}

int hqi_host_ctx_zmq(hq_ctx *ctx, void **ret, hq_error *err)
{
    if (!ctx->zmq) {
        int r = hqi_host_zmq_begin(&ctx->zmq, hqi_loop_loop_fd(ctx->loop), err);
        if (r < 0)
            return r;
    }
    *ret = ctx->zmq;
    return HQ_OK;
}

/* ---- running ---- */

int hq_ctx_fd(const hq_ctx *ctx)
{
    return !ctx || hqi_host_ctx_is_forked(ctx) ? -1 : hqi_loop_loop_fd(ctx->loop);
}

static int run_round(hq_ctx *ctx, hq_error *err)
{
    ctx->inside = true;
    int r = hqi_loop_loop_run(ctx->loop, err);
    ctx->inside = false;
    return r;
}

static int count_events(const hq_ctx *ctx)
{
    return ctx->n_events > INT32_MAX ? INT32_MAX : (int)ctx->n_events;
}

int hq_ctx_dispatch(hq_ctx *ctx, hq_error *err)
{
    int r = hqi_host_ctx_check(ctx, err);
    if (r < 0)
        return r;
    hqi_host_event_set_current(ctx, NULL);
    ctx->woken = 0;
    r = run_round(ctx, err);
    return r < 0 ? r : count_events(ctx);
}

uint64_t hqi_host_ctx_deadline(int timeout_ms)
{
    if (timeout_ms < 0)
        return UINT64_MAX;
    return hqi_base_clock_now().mono_ns + (uint64_t)timeout_ms * HQI_MS;
}

static int left_ms(uint64_t deadline_ns) /* rounded up: never a busy last millisecond */
{
    if (deadline_ns == UINT64_MAX)
        return -1;
    uint64_t now = hqi_base_clock_now().mono_ns;
    if (now >= deadline_ns)
        return 0;
    uint64_t ms = (deadline_ns - now + HQI_MS - 1) / HQI_MS;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

int hqi_host_ctx_turn(hq_ctx *ctx, uint64_t deadline_ns, hq_error *err)
{
    int r = hqi_loop_loop_wait(ctx->loop, left_ms(deadline_ns), err);
    if (r < 0)
        return r;
    if (r == 0)
        return hqi_base_error_set(err, HQ_ETIMEDOUT, where, "nothing came in time");
    return run_round(ctx, err);
}

int hq_ctx_run(hq_ctx *ctx, int timeout_ms, hq_error *err)
{
    int r = hqi_host_ctx_check(ctx, err);
    if (r < 0)
        return r;
    hqi_host_event_set_current(ctx, NULL);
    uint64_t deadline = hqi_host_ctx_deadline(timeout_ms);
    do { /* one round in any case: a host that does not pull its events must not stand still */
        bool waits = ctx->n_events == 0 && !ctx->woken;
        r = waits ? hqi_host_ctx_turn(ctx, deadline, err) : run_round(ctx, err);
        if (r < 0)
            return r;
    } while (ctx->n_events == 0 && !ctx->woken);
    ctx->woken = 0;
    return count_events(ctx);
}

void hq_ctx_wake(hq_ctx *ctx)
{
    if (!ctx || hqi_host_ctx_is_forked(ctx))
        return;
    ctx->woken = 1;
    hqi_loop_loop_wake(ctx->loop);
}

/* ---- events ---- */

int hq_ctx_next(hq_ctx *ctx, const hq_event **ret)
{
    int r = hqi_host_ctx_check(ctx, NULL);
    if (r < 0)
        return r;
    if (!ret)
        return HQ_EINVAL;
    struct event *e = hqi_host_event_take(ctx);
    hqi_host_event_set_current(ctx, e);
    if (e)
        *ret = &e->pub;
    return e ? 1 : 0;
}

int hq_ctx_wait(hq_ctx *ctx, uint64_t tag, int timeout_ms, const hq_event **ret, hq_error *err)
{
    struct event *e;
    int r = hqi_host_ctx_check(ctx, err);
    if (r < 0)
        return r;
    if (!ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_ctx_wait: ret is NULL");
    hqi_host_event_set_current(ctx, NULL);
    uint64_t deadline = hqi_host_ctx_deadline(timeout_ms);
    while (!(e = hqi_host_event_take_reply(ctx, tag))) {
        r = hqi_host_ctx_turn(ctx, deadline, err);
        if (r < 0)
            return r;
    }
    hqi_host_event_set_current(ctx, e);
    *ret = &e->pub;
    return HQ_OK;
}
