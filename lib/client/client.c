/* SPDX-License-Identifier: MIT */
/* client.c - the client's handle and its connection.
 *
 * Requests may be made before the connection is there: they leave with it. A connection that is dropped is resumed, and
 * everything in flight with it; when it is over for good, every request ends with the reason. */
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/keys.h"
#include "serverdir/dir.h"

static const char where[] = "client";

#define FIRST_WATCH_NS HQI_MS         /* a refusal comes within microseconds where the server was on this host */
#define LONGEST_WATCH_NS (64 * HQI_MS)

int hqi_client_client_check(const struct hq_client *c, hq_error *err)
{
    int r = hqi_host_ctx_check(c ? c->handle.ctx : NULL, err);
    if (r >= 0 && c->over)
        r = hqi_base_error_set(err, c->over, where, "%s", c->over_text);
    return r;
}

/* ---- the connection ---- */

static void push(struct hq_client *c, struct event **e, int state)
{
    struct event *own = *e;
    *e = NULL;
    if (!own) /* not the first of its kind: it may be missed, but must not pile up */
        own = hqi_host_event_room(c->handle.ctx) ? hqi_host_event_new(&c->handle, HQ_EVENT_CONNECTION) : NULL;
    if (!own)
        return;
    own->pub.u.state = state;
    hqi_host_event_push(c->handle.ctx, own);
}

void hqi_client_client_end(struct hq_client *c, int code, const char *text)
{
    if (c->over)
        return;
    c->over = code;
    snprintf(c->over_text, sizeof c->over_text, "%s", text);
    hqi_loop_timer_clear(c->loop, &c->watch);
    hqi_loop_timer_clear(c->loop, &c->retry);
    hqi_loop_timer_clear(c->loop, &c->resume);
    hqi_loop_timer_clear(c->loop, &c->search);
    hqi_client_request_finish_all(c);
    hqi_host_event_set_text(c->ended, code, bytes_of(c->over_text));
    push(c, &c->ended, c->was_connected ? HQ_CONNECTION_LOST : HQ_CONNECTION_REFUSED);
}

void hqi_client_client_tell(struct hq_client *c, int state)
{
    struct event *none = NULL;
    push(c, &none, state);
}

/* The one that it was; another one could make nothing of what is asked. */
static bool is_same_server(const struct hq_client *c, const struct welcome *w)
{
    return !c->was_connected || bytes_is(w->server_uid, c->server_uid);
}

static void on_open(void *user, const struct welcome *w)
{
    struct hq_client *c = user;
    if (!is_same_server(c, w)) {
        hqi_client_client_end(c, HQ_ECLOSED, "Connection closed");
        return;
    }
    bool again = c->was_connected && !w->resumed;
    c->was_connected = true;
    c->durable = w->durable;
    snprintf(c->server_uid, sizeof c->server_uid, "%.*s", (int)w->server_uid.n, w->server_uid.p);
    hqi_loop_timer_clear(c->loop, &c->watch);
    push(c, &c->connected, HQ_CONNECTED);
    if (again)
        hqi_client_search_done(c);
}

static void on_drop(void *user)
{
    struct hq_client *c = user;
    if (hqi_client_search_is_meant(c))
        hqi_client_search_begin(c);
    else
        hqi_client_client_tell(c, HQ_CONNECTION_DROPPED);
}

/* While it is looked for, whoever answers without knowing the session may be a server that was there before. */
static void on_end(void *user, int code, const char *text)
{
    struct hq_client *c = user;
    bool searching = c->until_ns && code != HQ_EVERSION;
    if (hqi_client_search_is_meant(c) && (hqi_net_link_forgotten(c->link) || searching)) {
        hqi_client_search_on_forgotten(c);
        return;
    }
    hqi_client_client_end(user, code, code == HQ_ECLOSED ? "Connection closed" : text);
}

/* Nobody listens there, or no way leads there: a definite answer of the system, from all addresses. */
static bool is_refused(const struct hq_client *c)
{
    return hqi_net_link_rounds(c->link) > 0 && hqi_net_link_errno(c->link) != 0;
}

static void on_watch(struct loop_timer *t)
{
    struct hq_client *c = hqi_container(t, struct hq_client, watch);
    if (is_refused(c) && !c->patient) {
        char text[sizeof c->over_text];
        snprintf(text, sizeof text, "%s", hqi_net_link_trouble(c->link));
        hqi_net_link_bye(c->link, HQ_OK, "");
        hqi_client_client_end(c, HQ_ESYS, text);
        return;
    }
    c->watch_ns = c->watch_ns * 2 > LONGEST_WATCH_NS ? LONGEST_WATCH_NS : c->watch_ns * 2;
    hqi_loop_timer_set(c->loop, t, hqi_loop_loop_now(c->loop).mono_ns + c->watch_ns);
}

/* ---- replies ---- */

static void on_data(void *user, uint64_t number, struct bytes payload)
{
    struct hq_client *c = user;
    hq_error err;
    int r = hqi_host_backlog_first(&c->backlog) ? HQ_ENOMEM : hqi_client_request_on_reply(c, payload, &err);
    if (r >= 0) {
        hqi_net_link_safe(c->link, number);
    } else if (r == HQ_ENOMEM && hqi_host_backlog_keep(&c->backlog, number, 0, payload)) {
        hqi_loop_timer_set(c->loop, &c->retry, hqi_loop_loop_now(c->loop).mono_ns + HQI_BACKLOG_RETRY_NS);
    } else {
        hqi_net_link_bye(c->link, r, "the reply cannot be read");
        hqi_client_client_end(c, r, r == HQ_ENOMEM ? hq_strerror(r) : err.text);
    }
}

static void on_retry(struct loop_timer *t)
{
    struct hq_client *c = hqi_container(t, struct hq_client, retry);
    struct backlog_frame *f;
    while (!c->over && (f = hqi_host_backlog_first(&c->backlog))) {
        int r = hqi_client_request_on_reply(c, (struct bytes){f->payload, f->n}, NULL);
        if (r == HQ_ENOMEM) {
            hqi_loop_timer_set(c->loop, t, hqi_loop_loop_now(c->loop).mono_ns + HQI_BACKLOG_RETRY_NS);
            return;
        }
        hqi_net_link_safe(c->link, f->number);
        hqi_host_backlog_pop(&c->backlog);
    }
}

static const struct link_ops link_ops = {on_open, on_data, on_drop, on_end, NULL};

/* ---- life ---- */

static void release(struct hq_client *c)
{
    hq_ctx *ctx = c->handle.ctx;
    while (!list_empty(&c->requests))
        hqi_client_request_free(hqi_container(c->requests.next, struct request, link));
    hqi_base_map_fini(&c->by_id);
    hqi_host_backlog_fini(&c->backlog);
    hqi_base_buf_fini(&c->frame);
    hqi_base_arena_free(c->page);
    hqi_base_alloc_free(c->alloc, c->server_dir);
    hqi_host_event_free(ctx, c->connected);
    hqi_host_event_free(ctx, c->ended);
    hqi_host_ctx_remove(&c->handle);
    hqi_base_alloc_free(c->alloc, c);
}

static void free_client(struct handle *h)
{
    struct hq_client *c = hqi_container(h, struct hq_client, handle);
    hqi_loop_timer_clear(c->loop, &c->watch);
    hqi_loop_timer_clear(c->loop, &c->retry);
    hqi_loop_timer_clear(c->loop, &c->resume);
    hqi_loop_timer_clear(c->loop, &c->search);
    if (c->link && !c->over)
        hqi_net_link_bye(c->link, HQ_OK, "");
    hqi_net_link_free(c->link);
    release(c);
}

static void free_forked(struct handle *h)
{
    struct hq_client *c = hqi_container(h, struct hq_client, handle);
    hqi_net_link_free_forked(c->link);
    release(c);
}

static const struct handle_ops ops = {free_client, free_forked};

static struct hq_client *make(hq_ctx *ctx)
{
    struct hq_client *c = hqi_base_alloc_zero(&ctx->alloc, 1, sizeof *c);
    if (!c)
        return NULL;
    c->alloc = &ctx->alloc;
    c->loop = ctx->loop;
    c->watch.run = on_watch;
    c->retry.run = on_retry;
    c->resume.run = hqi_client_follow_on_resume;
    c->search.run = hqi_client_search_on_timer;
    list_init(&c->requests);
    hqi_base_map_init(&c->by_id, c->alloc);
    hqi_host_backlog_init(&c->backlog, c->alloc);
    hqi_base_buf_init(&c->frame, c->alloc);
    hqi_host_ctx_add(ctx, &c->handle, &ops);
    return c;
}

int hqi_client_client_connect(struct hq_client *c, hq_error *err)
{
    struct link_options o = {
        .alloc = c->alloc,
        .log = &c->handle.ctx->log,
        .loop = c->loop,
        .plane = "client",
        .host = c->reach.host,
        .port = c->reach.port,
        .secret = c->reach.secret,
        .early = !c->was_connected,
        .ops = &link_ops,
        .user = c,
    };
    if (hqi_net_keys_random(&o.uid, sizeof o.uid) < 0)
        return hqi_base_error_set(err, HQ_ESYS, where, "no random numbers can be had");
    int r = hqi_host_ctx_zmq(c->handle.ctx, &o.zmq, err);
    return r < 0 ? r : hqi_net_link_new(&c->link, &o, err);
}

/* Where it will be looked for, whatever becomes of the environment. */
static int keep_dir(struct hq_client *c, const hq_client_options *o, hq_error *err)
{
    struct dir_path dir;
    if (o->endpoint)
        return HQ_OK;
    int r = o->server_dir ? HQ_OK : hqi_serverdir_dir_default(&dir, err);
    if (r < 0)
        return r;
    const char *path = o->server_dir ? o->server_dir : dir.text;
    c->server_dir = hqi_base_alloc_strdup(c->alloc, path, strlen(path));
    return c->server_dir ? HQ_OK : hqi_base_error_nomem(err, where);
}

static int connect_first(struct hq_client *c, hq_error *err)
{
    struct now now = hqi_loop_loop_refresh(c->loop);
    c->watch_ns = FIRST_WATCH_NS;
    hqi_loop_timer_set(c->loop, &c->watch, now.mono_ns + c->watch_ns);
    return hqi_client_client_connect(c, err);
}

int hq_client_new(hq_client **ret, hq_ctx *ctx, const hq_client_options *opt, hq_error *err)
{
    hq_client_options o;
    int r = hqi_host_ctx_check(ctx, err);
    if (r >= 0 && !ret)
        r = hqi_base_error_set(err, HQ_EINVAL, where, "hq_client_new: ret is NULL");
    if (r >= 0)
        r = hqi_host_ctx_options(&o, sizeof o, opt, "hq_client_options", err);
    if (r < 0)
        return r;
    struct hq_client *c = make(ctx);
    if (!c)
        return hqi_base_error_nomem(err, where);
    c->connected = hqi_host_event_new(&c->handle, HQ_EVENT_CONNECTION);
    c->ended = hqi_host_event_new(&c->handle, HQ_EVENT_CONNECTION);
    r = c->connected && c->ended ? HQ_OK : hqi_base_error_nomem(err, where);
    if (r >= 0)
        r = hqi_host_reach_find(&c->reach, o.endpoint, o.secret, o.server_dir, ACCESS_CLIENT, err);
    if (r >= 0)
        r = keep_dir(c, &o, err);
    if (r >= 0)
        r = connect_first(c, err);
    if (r < 0) {
        hq_client_free(c);
        return r;
    }
    *ret = c;
    return HQ_OK;
}

void hq_client_free(hq_client *c)
{
    if (!c)
        return;
    hq_ctx *own = c->owns_ctx ? c->handle.ctx : NULL;
    hqi_host_ctx_free_handle(&c->handle);
    hq_ctx_free(own);
}

/* ---- the blocking way ---- */

static int fail_over(const struct hq_client *c, hq_error *err)
{
    const char *number = strstr(c->over_text, "(os error ");
    int r = hqi_base_error_set(err, c->over, where, "%s", c->over_text);
    if (err && r == HQ_ESYS && number)
        err->sys = (int)strtol(number + strlen("(os error "), NULL, 10);
    return r;
}

static int await_connection(struct hq_client *c, int timeout_ms, hq_error *err)
{
    uint64_t deadline = hqi_host_ctx_deadline(timeout_ms);
    while (!c->was_connected) {
        if (c->over)
            return fail_over(c, err);
        int r = hqi_host_ctx_turn(c->handle.ctx, deadline, err);
        const char *trouble = hqi_net_link_trouble(c->link);
        if (r == HQ_ETIMEDOUT)
            return hqi_base_error_set(err, r, where, "the server %s:%u did not answer in %d ms%s%s", c->reach.host,
                                      c->reach.port, timeout_ms, *trouble ? ": " : "", trouble);
        if (r < 0)
            return r;
    }
    return HQ_OK;
}

int hq_client_open(hq_client **ret, const char *server_dir, int timeout_ms, hq_error *err)
{
    const hq_client_options o = {.size = sizeof o, .server_dir = server_dir};
    hq_client *c;
    hq_ctx *ctx;
    if (!ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_client_open: ret is NULL");
    int r = hq_ctx_new(&ctx, NULL, err);
    if (r < 0)
        return r;
    r = hq_client_new(&c, ctx, &o, err);
    if (r < 0) {
        hq_ctx_free(ctx);
        return r;
    }
    c->owns_ctx = true;
    c->patient = timeout_ms > 0;
    r = timeout_ms == 0 ? HQ_OK : await_connection(c, timeout_ms, err);
    if (r < 0) {
        hq_client_free(c);
        return r;
    }
    *ret = c;
    return HQ_OK;
}

/* ---- reading ---- */

hq_ctx *hq_client_ctx(const hq_client *c)
{
    return c ? c->handle.ctx : NULL;
}

uint64_t hq_client_source(const hq_client *c)
{
    return c ? c->handle.source : 0;
}
