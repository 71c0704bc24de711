/* SPDX-License-Identifier: MIT */
/* worker.c - the worker's handle: making and freeing it.
 *
 * Making one may block (files, the resolver, the helpers' answers); from then on everything happens in the loop. */
#include "worker/worker.h"

#include <unistd.h>

#include "base/error.h"

static const char where[] = "worker";

#define FIRST_LOOK_NS (2 * HQI_SEC) /* at the connection */

struct now hqi_worker_now(const struct hq_worker *w)
{
    return hqi_loop_loop_now(w->loop);
}

/* ---- life ---- */

static void release(struct hq_worker *w)
{
    const struct alloc *a = w->alloc;
    hq_ctx *ctx = w->handle.ctx;
    hqi_worker_functions_fini(w);
    hqi_tasks_tasks_free(w->tasks);
    hqi_model_config_free(w->config);
    hq_doc_free(w->info);
    hqi_host_backlog_fini(&w->backlog);
    hqi_worker_search_fini(w);
    hqi_base_arena_fini(&w->in);
    hqi_base_buf_fini(&w->frame);
    hqi_base_arena_free(w->mem);
    if (w->program >= 0)
        close(w->program);
    hqi_host_event_free(ctx, w->registered);
    hqi_host_event_free(ctx, w->ended);
    hqi_host_event_free(ctx, w->stopped);
    hqi_host_ctx_remove(&w->handle);
    hqi_base_alloc_free(a, w);
}

static void free_worker(struct handle *h)
{
    struct hq_worker *w = hqi_container(h, struct hq_worker, handle);
    struct loop_timer *const timers[] = {&w->connect, &w->limit, &w->report, &w->retry, &w->repair, &w->end};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        hqi_loop_timer_clear(w->loop, timers[i]);
    hqi_worker_helper_free(w, false);
    if (w->link) /* so that the server need not wait for it to come back */
        hqi_net_link_bye(w->link, HQ_OK, "");
    hqi_net_link_free(w->link);
    if (w->mem)
        hqi_worker_prepare_undo(w);
    release(w);
}

static void free_forked(struct handle *h)
{
    struct hq_worker *w = hqi_container(h, struct hq_worker, handle);
    hqi_worker_helper_free(w, true);
    hqi_net_link_free_forked(w->link);
    release(w);
}

static const struct handle_ops ops = {free_worker, free_forked};

struct hq_worker *hqi_worker_worker_make(hq_ctx *ctx)
{
    struct hq_worker *w = hqi_base_alloc_zero(&ctx->alloc, 1, sizeof *w);
    if (!w)
        return NULL;
    w->alloc = &ctx->alloc;
    w->log = &ctx->log;
    w->loop = ctx->loop;
    w->program = -1;
    list_init(&w->batches);
    hqi_host_backlog_init(&w->backlog, w->alloc);
    hqi_worker_search_init(w);
    hqi_base_arena_init(&w->in, w->alloc);
    hqi_base_buf_init(&w->frame, w->alloc);
    w->connect.run = hqi_worker_server_on_connect;
    w->limit.run = hqi_worker_end_on_limit;
    w->report.run = hqi_worker_effects_on_timer;
    w->retry.run = hqi_worker_server_on_retry;
    w->repair.run = hqi_worker_helper_on_repair;
    w->end.run = hqi_worker_end_on_timer;
    hqi_host_ctx_add(ctx, &w->handle, &ops);
    return w;
}

/* ---- making ---- */

static int make_parts(struct hq_worker *w, hq_error *err)
{
    w->mem = hqi_base_arena_new(w->alloc);
    w->config = hqi_model_config_new(w->alloc);
    w->registered = hqi_host_event_new(&w->handle, HQ_EVENT_WORKER);
    w->ended = hqi_host_event_new(&w->handle, HQ_EVENT_WORKER);
    w->stopped = hqi_host_event_new(&w->handle, HQ_EVENT_STOPPED);
    return w->mem && w->config && w->registered && w->ended && w->stopped ? HQ_OK : hqi_base_error_nomem(err, where);
}

/* Two helpers where there are two cpus: one starts tasks while the other reaps. */
static int start_helpers(struct hq_worker *w, hq_error *err)
{
    const struct resource_def *cpus = hqi_model_resource_find(&w->config->resources, bytes_of("cpus"));
    uint64_t n = cpus ? hqi_model_resource_total(cpus) / HQ_UNITS : 1;
    return hqi_worker_helper_start(w, n >= MAX_HELPERS ? MAX_HELPERS : 1, err);
}

static int make_tasks(struct hq_worker *w, hq_error *err)
{
    struct now now = hqi_loop_loop_refresh(w->loop);
    if (w->config->time_limit_ms)
        w->ends_ns = now.mono_ns + w->config->time_limit_ms * HQI_MS;
    const struct tasks_options o = {
        .alloc = w->alloc,
        .config = w->config,
        .n_helpers = w->n_helpers,
        .hq_path = w->hq_path,
        .ends_mono_ns = w->ends_ns,
    };
    return hqi_tasks_tasks_new(&w->tasks, &o, err);
}

int hqi_worker_worker_connect(struct hq_worker *w, hq_error *err)
{
    struct link_options o = {
        .alloc = w->alloc,
        .log = w->log,
        .loop = w->loop,
        .plane = "worker",
        .host = w->reach.host,
        .port = w->reach.port,
        .secret = w->reach.secret,
        .heartbeat_ms = w->config->heartbeat_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)w->config->heartbeat_ms,
        .ops = &hqi_worker_server_ops,
        .user = w,
    };
    o.uid = w->uid;
    int r = hqi_host_ctx_zmq(w->handle.ctx, &o.zmq, err);
    return r < 0 ? r : hqi_net_link_new(&w->link, &o, err);
}

static int make_link(struct hq_worker *w, hq_error *err)
{
    int r = hqi_net_keys_random(&w->uid, sizeof w->uid);
    if (r < 0)
        return hqi_base_error_set(err, r, where, "no random numbers can be had");
    r = hqi_worker_worker_connect(w, err);
    if (r < 0)
        return r;
    uint64_t now = hqi_worker_now(w).mono_ns;
    hqi_base_log_write(w->log, LOG_INFO, where, "Connecting to: %s:%u", w->reach.host, w->reach.port);
    hqi_loop_timer_set(w->loop, &w->connect, now + FIRST_LOOK_NS);
    if (w->ends_ns)
        hqi_loop_timer_set(w->loop, &w->limit, w->ends_ns);
    return HQ_OK;
}

/* Last of what may go wrong: what a worker offers is looked at first, so that its log tells of both. */
static int find_server(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    hqi_base_log_write(w->log, LOG_INFO, where, "Starting hyperqueue worker");
    return hqi_host_reach_find(&w->reach, o->endpoint, o->secret, o->server_dir, ACCESS_WORKER, err);
}

static int build(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    int r = make_parts(w, err);
    if (r >= 0)
        r = hqi_worker_env_copy(w, o->env, err);
    if (r >= 0)
        r = hqi_worker_prepare_dirs(w, o, err);
    if (r >= 0)
        r = hqi_worker_prepare_config(w, o, err);
    if (r >= 0)
        r = hqi_worker_helper_start(w, 1, err);
    if (r >= 0)
        r = hqi_worker_resources_assemble(w, o, err);
    if (r >= 0)
        r = hqi_worker_manager_detect(w, o, err);
    if (r >= 0)
        r = hqi_model_config_check(w->config, err);
    if (r >= 0)
        r = hqi_worker_info_make(&w->info, w->alloc, w->config, err);
    if (r >= 0)
        r = find_server(w, o, err);
    if (r >= 0)
        r = start_helpers(w, err);
    w->answers.mem = NULL; /* nobody asks any more */
    if (r >= 0)
        r = make_tasks(w, err);
    if (r >= 0)
        r = make_link(w, err);
    return r;
}

int hq_worker_new(hq_worker **ret, hq_ctx *ctx, const hq_worker_options *opt, hq_error *err)
{
    hq_worker_options o;
    int r = hqi_host_ctx_check(ctx, err);
    if (r >= 0 && !ret)
        r = hqi_base_error_set(err, HQ_EINVAL, where, "hq_worker_new: ret is NULL");
    if (r >= 0)
        r = hqi_host_ctx_options(&o, sizeof o, opt, "hq_worker_options", err);
    if (r < 0)
        return r;
    struct hq_worker *w = hqi_worker_worker_make(ctx);
    if (!w)
        return hqi_base_error_nomem(err, where);
    r = build(w, &o, err);
    if (r < 0) {
        hq_worker_free(w);
        return r;
    }
    *ret = w;
    return HQ_OK;
}

void hq_worker_free(hq_worker *w)
{
    if (w)
        hqi_host_ctx_free_handle(&w->handle);
}

/* ---- reading ---- */

uint64_t hq_worker_source(const hq_worker *w)
{
    return w ? w->handle.source : 0;
}

hq_worker_id hq_worker_get_id(const hq_worker *w)
{
    return w ? w->id : (hq_worker_id){0};
}
