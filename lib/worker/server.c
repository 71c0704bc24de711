/* SPDX-License-Identifier: MIT */
/* server.c - the session with the server: registering, taking orders, noticing that it is gone.
 *
 * An order is acknowledged when it was carried out here; one for which memory was lacking is carried out later, before any
 * that came behind it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "model/spec.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define CONNECT_NS (2 * HQI_SEC) /* between looks at a connection that is not there */
#define CONNECT_TRIES 20u
#define RESUME_NS (5 * HQI_SEC) /* longer than the server keeps a dropped session, but for thousands at once */
#define WATCH_NS (50 * HQI_MS)  /* between looks at a connection that was dropped */
#define GONE_ROUNDS 3u          /* the drop itself, and two tries: a server that has ended, since its host says so */

int hqi_worker_server_send(struct hq_worker *w, const struct from_worker *m, hq_error *err)
{
    hqi_base_buf_clear(&w->frame);
    hqi_wire_worker_encode_from(m, &w->frame);
    if (w->frame.failed)
        return hqi_base_error_nomem(err, where);
    return hqi_net_link_send(w->link, hqi_base_buf_bytes(&w->frame), err);
}

/* ---- connecting ---- */

/* The server counts the time limit from now on, so it is told what is left: in whole seconds, since what connecting took is
 * not worth a fraction in every table. */
static uint64_t limit_left(const struct hq_worker *w, uint64_t now)
{
    uint64_t left_ms = w->ends_ns > now ? (w->ends_ns - now) / HQI_MS : 0;
    uint64_t ms = (left_ms / 1000 + 1) * 1000;
    return ms < w->config->time_limit_ms ? ms : w->config->time_limit_ms;
}

int hqi_worker_server_register(struct hq_worker *w, const struct attach *a, hq_error *err)
{
    struct from_worker m = {.kind = FROM_WORKER_REGISTER, .u.hello = {.config = w->config, .attach = a}};
    uint64_t limit_ms = w->config->time_limit_ms, now = hqi_worker_now(w).mono_ns;
    if (w->ends_ns)
        w->config->time_limit_ms = limit_left(w, now);
    int r = hqi_worker_server_send(w, &m, err);
    w->config->time_limit_ms = limit_ms;
    return r;
}

static void on_open(void *user, const struct welcome *welcome)
{
    struct hq_worker *w = user;
    hq_error err;
    w->is_down = false;
    if (w->phase == PHASE_SEARCHING) {
        hqi_worker_search_on_open(w, welcome);
        return;
    }
    hqi_loop_timer_clear(w->loop, &w->connect);
    if (w->phase == PHASE_CONNECTING && !welcome->resumed && hqi_worker_server_register(w, NULL, &err) < 0)
        hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, err.code, err.text);
}

static void on_drop(void *user)
{
    struct hq_worker *w = user;
    uint64_t now = hqi_worker_now(w).mono_ns;
    w->is_down = true;
    w->down_until_ns = now + RESUME_NS;
    if (w->phase == PHASE_RUNNING)
        hqi_loop_timer_set(w->loop, &w->connect, now + WATCH_NS);
}

/* Will it be resumed? */
static void watch_drop(struct hq_worker *w)
{
    uint64_t now = hqi_worker_now(w).mono_ns;
    bool gone = hqi_net_link_rounds(w->link) >= GONE_ROUNDS && hqi_net_link_errno(w->link) == ECONNREFUSED;
    if (!gone && now < w->down_until_ns)
        hqi_loop_timer_set(w->loop, &w->connect, now + WATCH_NS);
    else if (hqi_worker_search_is_meant(w))
        hqi_worker_search_begin(w);
    else
        hqi_worker_end_server_lost(w);
}

static void on_end(void *user, int code, const char *text)
{
    struct hq_worker *w = user;
    if (w->phase == PHASE_SEARCHING) {
        hqi_worker_search_on_end(w, code, text);
        return;
    }
    w->link_over = true;
    if (w->phase == PHASE_RUNNING && code == HQ_ECLOSED && hqi_worker_search_is_meant(w))
        hqi_worker_search_begin(w);
    else if (w->phase == PHASE_CONNECTING)
        hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, code, text);
    else
        hqi_worker_end_server_lost(w);
}

void hqi_worker_server_on_connect(struct loop_timer *t)
{
    struct hq_worker *w = hqi_container(t, struct hq_worker, connect);
    if (w->phase == PHASE_SEARCHING)
        hqi_worker_search_look(w);
    else if (w->phase == PHASE_RUNNING && w->is_down)
        watch_drop(w);
    if (w->phase != PHASE_CONNECTING)
        return;
    const char *trouble = hqi_net_link_trouble(w->link);
    hqi_base_log_write(w->log, LOG_ERROR, where, "Could not connect to server, error: %s",
                       *trouble ? trouble : "no answer");
    if (++w->tries >= CONNECT_TRIES)
        hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, HQ_ESYS, "Server could not be connected");
    else
        hqi_loop_timer_set(w->loop, t, hqi_worker_now(w).mono_ns + CONNECT_NS);
}

/* ---- orders ---- */

static void note_server(struct hq_worker *w, const struct registered *r)
{
    snprintf(w->server_uid, sizeof w->server_uid, "%.*s", (int)r->server_uid.n, r->server_uid.p);
    w->server_epoch = hqi_net_link_server_epoch(w->link);
    w->has_token = r->token.n == sizeof w->token;
    if (w->has_token)
        memcpy(w->token, r->token.p, sizeof w->token);
    if (w->config->idle_timeout_ms == 0)
        hqi_worker_info_set_idle(w, r->idle_timeout_ms);
    if (w->config->on_server_lost != LOST_AS_SERVER)
        return;
    w->config->on_server_lost = r->durable ? LOST_WAIT : LOST_STOP;
    hqi_worker_info_set_lost(w);
}

static void on_registered(struct hq_worker *w, const struct registered *r)
{
    if (w->phase != PHASE_CONNECTING && w->phase != PHASE_SEARCHING)
        return;
    note_server(w, r);
    if (w->phase == PHASE_SEARCHING) {
        hqi_worker_search_done(w, r);
        return;
    }
    w->id = r->worker;
    w->phase = PHASE_RUNNING;
    w->registered->pub.u.worker.id = r->worker;
    w->registered->pub.u.worker.state = HQ_WORKER_RUNNING;
    hqi_host_event_push(w->handle.ctx, w->registered);
    w->registered = NULL;
    hqi_worker_overview_ask(w);
}

static int on_item(struct hq_worker *w, const struct now *now, struct to_worker *item, hq_error *err)
{
    if (w->phase != PHASE_RUNNING)
        return HQ_OK;
    if (item->kind != TO_WORKER_STOP)
        return hqi_tasks_on_server(w->tasks, now, item, err);
    hqi_base_log_write(w->log, LOG_INFO, where, "Received stop command");
    hqi_worker_end_begin(w, item->u.stop.reason, HQ_OK, "");
    return HQ_OK;
}

static void drop_specs(const struct to_worker_batch *b)
{
    for (uint32_t i = 0; i < b->n; i++)
        if (b->items[i].kind == TO_WORKER_SPEC)
            hqi_model_spec_free((struct spec *)b->items[i].u.spec.spec);
}

/* Carries out all items but the first *done, and counts them. HQ_ENOMEM: the rest is to be repeated. */
static int apply(struct hq_worker *w, struct bytes payload, uint32_t *done, hq_error *err)
{
    struct now now = hqi_worker_now(w);
    struct to_worker_batch batch;
    hqi_base_arena_clear(&w->in);
    int r = hqi_wire_worker_decode_to(&batch, payload, w->alloc, &w->in, err);
    if (r < 0)
        return r;
    if (batch.has_registered)
        on_registered(w, &batch.registered);
    while (r >= 0 && *done < batch.n) {
        r = on_item(w, &now, (struct to_worker *)&batch.items[*done], err); /* taken specs are taken out of it */
        *done += r >= 0;
    }
    drop_specs(&batch);
    return r;
}

static void give_up(struct hq_worker *w, const hq_error *err)
{
    hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, err->code, err->text);
}

static void on_data(void *user, uint64_t number, struct bytes payload)
{
    struct hq_worker *w = user;
    uint32_t done = 0;
    hq_error err;
    int r = hqi_host_backlog_first(&w->backlog) ? HQ_ENOMEM : apply(w, payload, &done, &err);
    if (r >= 0) {
        hqi_net_link_safe(w->link, number);
    } else if (r != HQ_ENOMEM) {
        give_up(w, &err);
    } else if (hqi_host_backlog_keep(&w->backlog, number, done, payload)) {
        hqi_loop_timer_set(w->loop, &w->retry, hqi_worker_now(w).mono_ns + HQI_BACKLOG_RETRY_NS);
    } else {
        hqi_base_error_nomem(&err, where);
        give_up(w, &err);
    }
}

void hqi_worker_server_on_retry(struct loop_timer *t)
{
    struct hq_worker *w = hqi_container(t, struct hq_worker, retry);
    struct backlog_frame *f;
    if (w->phase == PHASE_SEARCHING)
        hqi_worker_search_retry(w);
    while ((f = hqi_host_backlog_first(&w->backlog))) {
        hq_error err;
        int r = apply(w, (struct bytes){f->payload, f->n}, &f->done, &err);
        if (r == HQ_ENOMEM) {
            hqi_loop_timer_set(w->loop, t, hqi_worker_now(w).mono_ns + HQI_BACKLOG_RETRY_NS);
            break;
        }
        if (r < 0) {
            give_up(w, &err);
            return;
        }
        hqi_net_link_safe(w->link, f->number);
        hqi_host_backlog_pop(&w->backlog);
    }
    hqi_worker_effects_pump(w);
}

static void on_idle(void *user)
{
    hqi_worker_effects_pump(user);
}

const struct link_ops hqi_worker_server_ops = {on_open, on_data, on_drop, on_end, on_idle};
