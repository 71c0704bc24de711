/* SPDX-License-Identifier: MIT */
/* workers.c - the worker plane: registrations and reports in. Work leaves through outbox.c.
 *
 * Promise: `registered` is the first thing that a worker hears; a report is acknowledged when it was applied and is safe, and one that
 * could not be for want of memory is given to the core again, before anything else of that worker. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "net/keys.h"
#include "server/server.h"
#include "wire/worker.h"

static const char where[] = "server";

#define HALF_WINDOW (2u << 20) /* half of what a worker keeps before it starts nothing new */
#define LOOK_NS (10 * HQI_SEC) /* a stalled worker is one that was silent for minutes */

static const char *const end_words[] = {
    [HQ_WORKER_RUNNING] = "running",
    [HQ_WORKER_STOPPED] = "stopped",
    [HQ_WORKER_CONNECTION_LOST] = "connection lost",
    [HQ_WORKER_HEARTBEAT_LOST] = "heartbeat lost",
    [HQ_WORKER_IDLE_TIMEOUT] = "idle timeout",
    [HQ_WORKER_TIME_LIMIT] = "time limit reached",
};

/* By enum peer_loss. A goodbye without a reason that was told before is a stop. */
static const uint8_t reasons[] = {
    [PEER_BYE] = HQ_WORKER_STOPPED,
    [PEER_DROPPED] = HQ_WORKER_CONNECTION_LOST,
    [PEER_SILENT] = HQ_WORKER_HEARTBEAT_LOST,
    [PEER_BROKEN] = HQ_WORKER_CONNECTION_LOST,
};

struct server_worker *hqi_server_workers_find(struct hq_server *s, hq_worker_id id)
{
    struct map_node *n = hqi_base_map_get(&s->worker_ids, id.n);
    return n ? hqi_container(n, struct server_worker, by_id) : NULL;
}

/* ---- coming and going ---- */

static int on_open(void *user, struct peer *p, const struct hello *h, hq_error *err)
{
    struct hq_server *s = user;
    if (s->stage != STAGE_RUNNING)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the server is stopping");
    struct server_worker *w = hqi_base_alloc_zero(s->alloc, 1, sizeof *w);
    if (!w || !hqi_base_map_reserve(&s->worker_ids, 1)) {
        hqi_base_alloc_free(s->alloc, w);
        return hqi_base_error_nomem(err, where);
    }
    w->server = s;
    w->peer = p;
    hqi_server_outbox_init(&w->out, p);
    hqi_host_backlog_init(&w->backlog, s->alloc);
    list_push_back(&s->workers, &w->link);
    hqi_net_peer_set_user(p, w);
    return HQ_OK;
}

static void release(struct server_worker *w)
{
    struct hq_server *s = w->server;
    if (w->id.n)
        hqi_base_map_take(&s->worker_ids, w->id.n);
    if (s->frame_to == w)
        s->frame_to = NULL;
    list_unlink(&w->link);
    hqi_server_outbox_fini(s, &w->out);
    hqi_host_backlog_fini(&w->backlog);
    hqi_base_alloc_free(s->alloc, w);
}

static uint8_t recorded_end(struct hq_server *s, hq_worker_id id)
{
    const struct worker *w = hqi_state_worker(hqi_core_core_state(s->core), id);
    return w ? w->end : HQ_WORKER_RUNNING;
}

/* The session is over: the core puts back what the worker had. */
static void leave(struct server_worker *w, uint8_t reason)
{
    struct hq_server *s = w->server;
    struct now now = hqi_server_now(s);
    hq_worker_id id = w->id;
    char address[sizeof w->address];
    snprintf(address, sizeof address, "%s", w->address);
    release(w);
    if (id.n == 0)
        return;
    hqi_core_on_worker_lost(s->core, &now, id, reason);
    hqi_base_log_write(s->log, LOG_INFO, where, "Worker %u (%s) connection closed: %s", id.n, address,
                       end_words[recorded_end(s, id)]);
    hqi_server_wake_core(s);
}

static void on_lost(void *user, struct peer *p, enum peer_loss why, struct bytes text)
{
    struct server_worker *w = hqi_net_peer_user(p);
    if (why == PEER_BROKEN)
        hqi_base_log_write(w->server->log, LOG_ERROR, where, "Worker %u: %.*s", w->id.n, (int)text.n, text.p);
    leave(w, reasons[why]);
}

static void drop(struct server_worker *w, int code, const char *text)
{
    struct peer *p = w->peer;
    hqi_base_log_write(w->server->log, LOG_ERROR, where, "Worker %u: %s; its session is ended", w->id.n, text);
    leave(w, HQ_WORKER_CONNECTION_LOST);
    hqi_net_peer_bye(p, code, text);
}

void hqi_server_workers_drop_failed(struct hq_server *s)
{
    list_for_safe(it, tmp, &s->workers) {
        struct server_worker *w = hqi_container(it, struct server_worker, link);
        if (w->out.failed)
            drop(w, w->out.failed, hq_strerror(w->out.failed));
    }
}

/* ---- registering ---- */

/* Who it is must be safe before it is told. */
static int tell_registered(struct server_worker *w, hq_error *err)
{
    struct hq_server *s = w->server;
    const struct worker *known = hqi_state_worker(hqi_core_core_state(s->core), w->id);
    const struct to_worker_batch batch = {
        .has_registered = true,
        .registered = {.worker = w->id,
                       .server_uid = bytes_of(hqi_core_core_state(s->core)->uid),
                       .idle_timeout_ms = s->idle_timeout_ms,
                       .token = {(const char *)known->token, sizeof known->token},
                       .durable = s->journal},
    };
    uint64_t position = hqi_core_core_state(s->core)->position;
    hqi_base_buf_clear(&s->frame);
    hqi_wire_worker_encode_to(&batch, &s->frame);
    if (s->frame.failed)
        return hqi_base_error_nomem(err, where);
    int r = hqi_server_outbox_send(s, &w->out, &(struct safety){position, position}, hqi_base_buf_bytes(&s->frame));
    return r < 0 ? hqi_base_error_nomem(err, where) : HQ_OK;
}

static void tell_peer(struct server_worker *w)
{
    const struct plan_peer is = {hqi_net_peer_rtt_ns(w->peer), hqi_net_peer_stalled(w->peer) || hqi_net_peer_full(w->peer)};
    uint64_t off = is.rtt_ns > w->told.rtt_ns ? is.rtt_ns - w->told.rtt_ns : w->told.rtt_ns - is.rtt_ns;
    if (is.stalled == w->told.stalled && off <= w->told.rtt_ns / 4)
        return;
    w->told = is;
    hqi_core_set_peer(w->server->core, w->id, &is);
}

/* It may come back while its old session is not known to be lost. That one is of no use to anybody. */
static void replace(struct hq_server *s, hq_worker_id id)
{
    struct server_worker *old = hqi_server_workers_find(s, id);
    if (!old)
        return;
    struct peer *p = old->peer;
    release(old);
    hqi_net_peer_bye(p, HQ_ECLOSED, "the worker has registered anew");
}

static int join(struct server_worker *w, const struct now *now, struct from_worker *m, hq_error *err)
{
    char token[HQI_TOKEN_BYTES];
    int r = hqi_net_keys_random(token, sizeof token);
    if (r < 0)
        return hqi_base_error_set(err, r, where, "no random numbers can be had");
    return hqi_core_on_worker_join(w->server->core, now, &m->u.hello.config, hqi_net_peer_uid(w->peer),
                                   (struct bytes){token, sizeof token}, &w->id, err);
}

static int come_back(struct server_worker *w, const struct now *now, struct from_worker *m, hq_error *err)
{
    hq_worker_id id;
    int r = hqi_core_on_worker_back(w->server->core, now, &m->u.hello.config, hqi_net_peer_uid(w->peer), m->u.hello.attach, &id,
                                    err);
    if (r < 0)
        return r;
    replace(w->server, id);
    w->id = id;
    return HQ_OK;
}

static int identify(struct server_worker *w, const struct now *now, struct from_worker *m, hq_error *err)
{
    struct hq_server *s = w->server;
    struct worker_config *config = m->u.hello.config;
    struct bytes address = config->listen_address.n ? config->listen_address : config->hostname;
    uint64_t heartbeat_ms = config->heartbeat_ms;
    snprintf(w->address, sizeof w->address, "%.*s", (int)address.n, address.p);
    if (config->on_server_lost == LOST_AS_SERVER)
        config->on_server_lost = s->journal ? LOST_WAIT : LOST_STOP;
    int r = m->u.hello.attach ? come_back(w, now, m, err) : join(w, now, m, err);
    if (r < 0)
        return r;
    hqi_base_map_put(&s->worker_ids, &w->by_id, w->id.n);
    hqi_net_peer_set_heartbeat(w->peer, heartbeat_ms > UINT32_MAX ? UINT32_MAX : (uint32_t)heartbeat_ms);
    hqi_base_log_write(s->log, LOG_INFO, where, m->u.hello.attach ? "Worker %u is back from %s" : "Worker %u registered from %s",
                       w->id.n, w->address);
    if (!s->looking)
        hqi_loop_timer_set(s->loop, &s->look, now->mono_ns + LOOK_NS);
    s->looking = true;
    return HQ_OK;
}

/* In steps, so that it can go on where memory was lacking. */
static int on_register(struct server_worker *w, const struct now *now, struct from_worker *m, hq_error *err)
{
    int r = HQ_OK;
    if (w->settled)
        return hqi_base_error_set(err, HQ_EPROTO, where, "it registers twice");
    if (w->id.n == 0)
        r = identify(w, now, m, err);
    if (r >= 0 && !w->welcomed)
        r = tell_registered(w, err);
    if (r < 0)
        return r;
    w->welcomed = true;
    if (m->u.hello.attach)
        r = hqi_core_on_worker_holds(w->server->core, now, w->id, m->u.hello.attach, err);
    w->settled = r >= 0;
    return r;
}

/* ---- frames ---- */

/* What cannot be recorded at the moment is not told: the next one comes soon, and reports need the room. */
static void observe(struct server_worker *w, const struct now *now, const struct node_load *load)
{
    struct hq_server *s = w->server;
    hq_error err;
    if (hqi_server_durable_refusal(s) || hqi_core_on_overview(s->core, now, w->id, load, &err) < 0)
        hqi_base_log_write(s->log, LOG_DEBUG7, where, "An overview of worker %u is dropped: it cannot be recorded", w->id.n);
}

static int apply(struct server_worker *w, struct bytes payload, hq_error *err)
{
    struct hq_server *s = w->server;
    struct now now = hqi_server_now(s);
    struct from_worker m = {0};
    hqi_base_arena_clear(&s->in);
    int r = hqi_wire_worker_decode_from(&m, payload, s->alloc, &s->in, err);
    if (r < 0)
        return r;
    if (m.kind == FROM_WORKER_REGISTER) {
        r = on_register(w, &now, &m, err);
        hqi_model_config_free(m.u.hello.config);
        return r;
    }
    if (!w->settled)
        return hqi_base_error_set(err, HQ_EPROTO, where, "it reports before it has registered");
    if (m.kind == FROM_WORKER_REPORT)
        return hqi_core_on_report(s->core, &now, w->id, &m.u.report, err);
    if (m.kind == FROM_WORKER_OVERVIEW) {
        observe(w, &now, m.u.overview);
        return HQ_OK;
    }
    hqi_core_on_worker_ending(s->core, &now, w->id, m.u.ending);
    return HQ_OK;
}

/* The one place that decides when a worker may forget what it has told: when the position that the core has now is synced.
 * A worker that has much to keep until then is served sooner. */
static void acknowledge(struct server_worker *w, uint64_t number, size_t bytes)
{
    struct hq_server *s = w->server;
    struct due d = {number, hqi_core_core_state(s->core)->position};
    const struct safety need = {d.position, d.position};
    if (w->n_dues == 0 && hqi_server_durable_is_safe(s, &need)) {
        hqi_net_peer_safe(w->peer, number);
        return;
    }
    if (w->n_dues < HQI_SERVER_DUES)
        w->n_dues++;
    w->dues[w->n_dues - 1] = d;
    w->due_bytes += bytes;
    if (w->due_bytes > HALF_WINDOW)
        hqi_server_durable_want(s, &need);
}

static void acknowledge_worker(struct server_worker *w)
{
    uint32_t n = 0;
    while (n < w->n_dues && hqi_server_durable_is_safe(w->server, &(struct safety){0, w->dues[n].position}))
        n++;
    if (n == 0)
        return;
    hqi_net_peer_safe(w->peer, w->dues[n - 1].number);
    memmove(w->dues, w->dues + n, (w->n_dues - n) * sizeof *w->dues);
    w->n_dues -= n;
    if (w->n_dues == 0)
        w->due_bytes = 0;
}

void hqi_server_workers_acknowledge(struct hq_server *s)
{
    list_for(it, &s->workers)
        acknowledge_worker(hqi_container(it, struct server_worker, link));
}

static void keep_for_later(struct server_worker *w, uint64_t number, struct bytes payload)
{
    struct hq_server *s = w->server;
    if (!hqi_host_backlog_keep(&w->backlog, number, 0, payload)) {
        drop(w, HQ_ENOMEM, "the server is out of memory");
        return;
    }
    hqi_loop_timer_set(s->loop, &s->retry, hqi_server_now(s).mono_ns + HQI_BACKLOG_RETRY_NS);
}

static void on_data(void *user, struct peer *p, uint64_t number, struct bytes payload)
{
    struct hq_server *s = user;
    struct server_worker *w = hqi_net_peer_user(p);
    hq_error err;
    int r = hqi_host_backlog_first(&w->backlog) ? HQ_ENOMEM : apply(w, payload, &err);
    if (r == HQ_ENOMEM) {
        keep_for_later(w, number, payload);
        return;
    }
    if (r < 0) {
        drop(w, r, err.text);
        return;
    }
    acknowledge(w, number, payload.n);
    tell_peer(w);
    hqi_server_outbox_drain(s);
}

static void on_idle(void *user)
{
    hqi_server_run_core(user);
}

const struct router_ops hqi_server_workers_ops = {on_open, on_data, on_lost, on_idle};

/* ---- timers ---- */

/* False: there is still no memory, or the worker is gone. */
static bool retry_worker(struct server_worker *w)
{
    struct backlog_frame *f;
    while ((f = hqi_host_backlog_first(&w->backlog))) {
        hq_error err;
        int r = apply(w, (struct bytes){f->payload, f->n}, &err);
        if (r == HQ_ENOMEM)
            return false;
        if (r < 0) {
            drop(w, r, err.text);
            return true;
        }
        acknowledge(w, f->number, f->n);
        hqi_host_backlog_pop(&w->backlog);
    }
    return true;
}

void hqi_server_workers_on_retry(struct loop_timer *t)
{
    struct hq_server *s = hqi_container(t, struct hq_server, retry);
    bool done = true;
    list_for_safe(it, tmp, &s->workers)
        done = retry_worker(hqi_container(it, struct server_worker, link)) && done;
    if (!done)
        hqi_loop_timer_set(s->loop, t, hqi_server_now(s).mono_ns + HQI_BACKLOG_RETRY_NS);
    hqi_server_run_core(s);
}

void hqi_server_workers_on_look(struct loop_timer *t)
{
    struct hq_server *s = hqi_container(t, struct hq_server, look);
    s->looking = !list_empty(&s->workers);
    if (!s->looking)
        return;
    list_for(it, &s->workers) {
        struct server_worker *w = hqi_container(it, struct server_worker, link);
        if (w->id.n)
            tell_peer(w);
    }
    hqi_loop_timer_set(s->loop, t, hqi_server_now(s).mono_ns + LOOK_NS);
    hqi_server_run_core(s);
}

/* ---- the end ---- */

void hqi_server_workers_bye(struct hq_server *s)
{
    while (!list_empty(&s->workers)) {
        struct server_worker *w = hqi_container(s->workers.next, struct server_worker, link);
        struct peer *p = w->peer;
        leave(w, HQ_WORKER_STOPPED);
        hqi_net_peer_bye(p, HQ_ECLOSED, "the server has stopped");
    }
}

void hqi_server_workers_fini(struct hq_server *s)
{
    while (s->workers.next && !list_empty(&s->workers))
        release(hqi_container(s->workers.next, struct server_worker, link));
    hqi_base_map_fini(&s->worker_ids);
}
