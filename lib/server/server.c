/* SPDX-License-Identifier: MIT */
/* server.c - the server's handle: making, running and freeing it.
 *
 * Promise: one round of the loop does a bounded number of ticks, each bounded itself; what is left makes the ctx's fd
 * readable again. */
#include "server/server.h"

#include "base/error.h"

static const char where[] = "server";

#define ROUNDS 4u /* of ticks in one round of the loop: some milliseconds at most */

/* ---- running ---- */

struct now hqi_server_now(struct hq_server *s)
{
    return hqi_loop_loop_now(s->loop);
}

/* Idle timeouts are times of day: the same moment on the monotonic clock. */
static uint64_t next_deadline(const struct hq_server *s, const struct now *now)
{
    uint64_t at = hqi_core_deadline(s->core), idle = hqi_core_idle_deadline_ms(s->core);
    if (idle == UINT64_MAX)
        return at;
    uint64_t idle_ns = now->mono_ns + (idle > now->utc_ms ? idle - now->utc_ms : 0) * HQI_MS;
    return idle_ns < at ? idle_ns : at;
}

void hqi_server_run_core(struct hq_server *s)
{
    struct now now = hqi_server_now(s);
    uint64_t at = 0;
    if (s->stage == STAGE_STOPPED)
        return;
    bool more = hqi_server_clients_resume(s);
    hqi_server_outbox_drain(s);
    for (unsigned i = 0; i < ROUNDS && (at = next_deadline(s, &now)) <= now.mono_ns; i++) {
        hqi_core_tick(s->core, &now);
        hqi_server_outbox_drain(s);
    }
    at = more ? now.mono_ns : next_deadline(s, &now);
    if (at == UINT64_MAX)
        hqi_loop_timer_clear(s->loop, &s->tick);
    else
        hqi_loop_timer_set(s->loop, &s->tick, at);
    hqi_server_durable_push(s);
    hqi_server_stop_look(s);
}

void hqi_server_wake_core(struct hq_server *s)
{
    hqi_loop_timer_set(s->loop, &s->tick, hqi_server_now(s).mono_ns);
}

static void on_tick(struct loop_timer *t)
{
    hqi_server_run_core(hqi_container(t, struct hq_server, tick));
}

/* ---- life ---- */

static void release(struct hq_server *s)
{
    const struct alloc *a = s->alloc;
    hq_ctx *ctx = s->handle.ctx;
    hqi_server_workers_fini(s);
    hqi_server_clients_fini(s);
    hqi_server_live_fini(s);
    hqi_core_core_free(s->core);
    hqi_base_alloc_free(a, s->journal_path);
    hqi_base_arena_fini(&s->in);
    hqi_base_buf_fini(&s->frame);
    hqi_base_alloc_free(a, s->published);
    hqi_host_event_free(ctx, s->stopped);
    hqi_host_ctx_remove(&s->handle);
    hqi_base_alloc_free(a, s);
}

static void free_server(struct handle *h)
{
    struct hq_server *s = hqi_container(h, struct hq_server, handle);
    struct loop_timer *const timers[] = {&s->tick, &s->look, &s->retry, &s->stop};
    for (unsigned i = 0; i < PLANES; i++)
        hqi_net_router_free(s->router[i]);
    for (unsigned i = 0; i < sizeof timers / sizeof *timers; i++)
        hqi_loop_timer_clear(s->loop, timers[i]);
    hqi_server_open_unpublish(s);
    hqi_server_durable_fini(s, false);
    release(s);
}

static void free_forked(struct handle *h) /* hq-current is the parent's */
{
    struct hq_server *s = hqi_container(h, struct hq_server, handle);
    for (unsigned i = 0; i < PLANES; i++)
        hqi_net_router_free_forked(s->router[i]);
    hqi_server_durable_fini(s, true);
    release(s);
}

static const struct handle_ops ops = {free_server, free_forked};

static struct hq_server *make(hq_ctx *ctx)
{
    struct hq_server *s = hqi_base_alloc_zero(&ctx->alloc, 1, sizeof *s);
    if (!s)
        return NULL;
    s->alloc = &ctx->alloc;
    s->log = &ctx->log;
    s->loop = ctx->loop;
    list_init(&s->workers);
    list_init(&s->clients);
    list_init(&s->pressed);
    list_init(&s->holding);
    hqi_server_live_init(s);
    hqi_server_durable_init(s);
    hqi_base_map_init(&s->worker_ids, s->alloc);
    hqi_base_arena_init(&s->in, s->alloc);
    hqi_base_buf_init(&s->frame, s->alloc);
    s->tick.run = on_tick;
    s->look.run = hqi_server_workers_on_look;
    s->retry.run = hqi_server_workers_on_retry;
    s->stop.run = hqi_server_stop_on_timer;
    hqi_host_ctx_add(ctx, &s->handle, &ops);
    return s;
}

int hq_server_new(hq_server **ret, hq_ctx *ctx, const hq_server_options *opt, hq_error *err)
{
    hq_server_options o;
    int r = hqi_host_ctx_check(ctx, err);
    if (r >= 0 && !ret)
        r = hqi_base_error_set(err, HQ_EINVAL, where, "hq_server_new: ret is NULL");
    if (r >= 0)
        r = hqi_host_ctx_options(&o, sizeof o, opt, "hq_server_options", err);
    if (r < 0)
        return r;
    struct hq_server *s = make(ctx);
    if (!s)
        return hqi_base_error_nomem(err, where);
    s->stopped = hqi_host_event_new(&s->handle, HQ_EVENT_STOPPED);
    r = s->stopped ? hqi_server_open_access(s, &o, err) : hqi_base_error_nomem(err, where);
    if (r >= 0)
        r = hqi_server_open_all(s, &o, err);
    if (r < 0) {
        hq_server_free(s);
        return r;
    }
    *ret = s;
    return HQ_OK;
}

void hq_server_free(hq_server *s)
{
    if (s)
        hqi_host_ctx_free_handle(&s->handle);
}

/* ---- reading ---- */

const char *hq_server_endpoint(const hq_server *s, int plane)
{
    return s && (plane == HQ_PLANE_CLIENT || plane == HQ_PLANE_WORKER) ? s->endpoint[plane] : NULL;
}

const uint8_t *hq_server_secret(const hq_server *s, int plane)
{
    return s && (plane == HQ_PLANE_CLIENT || plane == HQ_PLANE_WORKER) ? s->access.plane[plane].secret : NULL;
}

uint64_t hq_server_source(const hq_server *s)
{
    return s ? s->handle.source : 0;
}
