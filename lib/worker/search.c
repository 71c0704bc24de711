/* SPDX-License-Identifier: MIT */
/* search.c - the server is lost, and may come back: restored from its journal, perhaps on another host or port.
 *
 * Meanwhile tasks go on. What the server had not acknowledged is kept, and counts into the window of what may be kept. The
 * access file is read again and again; when the server answers, the worker registers as who it was, and names all that it has.
 *
 * Must never happen: an outcome dropped before a server has acknowledged it; a worker that goes to another server, or to an
 * older copy of its own, with tasks that mean something else there. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define LOOK_NS HQI_SEC            /* between looks into the server directory */
#define PATIENCE_NS (300 * HQI_SEC) /* without tasks that run; a batch script that starts its server again takes seconds */

struct worker_frame {
    struct list link;
    size_t n;
    char payload[];
};

/* ---- what is kept ---- */

void hqi_worker_search_init(struct hq_worker *w)
{
    list_init(&w->search.kept);
}

static void forget_kept(struct hq_worker *w)
{
    for (struct list *l; (l = list_pop_front(&w->search.kept));)
        hqi_base_alloc_free(w->alloc, hqi_container(l, struct worker_frame, link));
    w->search.kept_bytes = 0;
}

void hqi_worker_search_fini(struct hq_worker *w)
{
    forget_kept(w);
}

int hqi_worker_search_keep(struct hq_worker *w, struct bytes payload)
{
    struct worker_frame *f = hqi_base_alloc_get(w->alloc, sizeof *f + payload.n);
    if (!f)
        return HQ_ENOMEM;
    f->n = payload.n;
    if (payload.n)
        memcpy(f->payload, payload.p, payload.n);
    list_push_back(&w->search.kept, &f->link);
    w->search.kept_bytes += payload.n;
    return HQ_OK;
}

static void keep_unacked(void *user, struct bytes payload)
{
    struct hq_worker *w = user;
    w->search.lacking = hqi_worker_search_keep(w, payload) < 0 || w->search.lacking;
}

/* The link's end, with what it still had to deliver. False: no memory for that; outcomes would be lost. */
static bool leave_link(struct hq_worker *w)
{
    w->search.lacking = false;
    if (w->link)
        hqi_net_link_each_unacked(w->link, keep_unacked, w);
    hqi_net_link_free(w->link);
    w->link = NULL;
    w->link_over = true;
    w->is_down = false;
    hqi_host_backlog_fini(&w->backlog);
    hqi_host_backlog_init(&w->backlog, w->alloc);
    return !w->search.lacking;
}

/* ---- looking ---- */

bool hqi_worker_search_is_meant(const struct hq_worker *w)
{
    return w->config->on_server_lost == LOST_WAIT && w->has_token;
}

static void give_up(struct hq_worker *w, int code, const char *text)
{
    hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, code, text);
}

static void look_soon(struct hq_worker *w, uint64_t after_ns)
{
    hqi_loop_timer_set(w->loop, &w->connect, hqi_worker_now(w).mono_ns + after_ns);
}

void hqi_worker_search_begin(struct hq_worker *w)
{
    hqi_base_log_write(w->log, LOG_WARN, where, "The server is lost; looking for it for %llu s, and as long as tasks run",
                       (unsigned long long)(PATIENCE_NS / HQI_SEC));
    w->phase = PHASE_SEARCHING;
    w->search.until_ns = hqi_worker_now(w).mono_ns + PATIENCE_NS;
    if (leave_link(w))
        look_soon(w, 0);
    else
        give_up(w, HQ_ENOMEM, hq_strerror(HQ_ENOMEM));
}

static bool is_same(const struct reach *a, const struct reach *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && memcmp(a->secret, b->secret, sizeof a->secret) == 0;
}

/* Connects to where the server is said to be, unless that is under way. */
static void approach(struct hq_worker *w)
{
    struct reach at = w->reach;
    hq_error err;
    if (w->server_dir && hqi_host_reach_find(&at, NULL, NULL, w->server_dir, ACCESS_WORKER, &err) < 0)
        hqi_base_log_write(w->log, LOG_DEBUG7, where, "No server in %s: %s", w->server_dir, err.text);
    if (w->link && is_same(&at, &w->reach))
        return;
    leave_link(w); /* nothing was sent on it yet */
    w->reach = at;
    hqi_base_log_write(w->log, LOG_DEBUG7, where, "Connecting to: %s:%u", at.host, at.port);
    if (hqi_worker_worker_connect(w, &err) < 0)
        hqi_base_log_write(w->log, LOG_DEBUG7, where, "%s", err.text);
}

void hqi_worker_search_look(struct hq_worker *w)
{
    bool connected = w->link && hqi_net_link_connected(w->link);
    if (!connected && hqi_worker_now(w).mono_ns >= w->search.until_ns && hqi_tasks_n_running(w->tasks) == 0) {
        give_up(w, HQ_ECLOSED, "The server did not come back");
        return;
    }
    if (!connected && w->link_over)
        approach(w);
    look_soon(w, LOOK_NS);
}

/* ---- coming back ---- */

static int gather(struct hq_worker *w, struct arena *mem, struct attach *a, hq_error *err)
{
    const struct now now = hqi_worker_now(w);
    int r = HQ_OK;
    *a = (struct attach){.worker = w->id,
                         .token = {(const char *)w->token, sizeof w->token},
                         .server_uid = bytes_of(w->server_uid),
                         .epoch = w->server_epoch};
    list_for(it, &w->search.kept) {
        const struct worker_frame *f = hqi_container(it, struct worker_frame, link);
        if (r >= 0)
            r = hqi_tasks_held_frame((struct bytes){f->payload, f->n}, w->alloc, mem, a, err);
    }
    return r < 0 ? r : hqi_tasks_held(w->tasks, &now, mem, a, err);
}

/* Registers as who it was. Everything that was kept is named in that, and kept by the link from then on. */
static void say_who(struct hq_worker *w)
{
    struct attach a;
    struct arena mem;
    hq_error err;
    hqi_worker_effects_pump(w); /* the last news are kept as well */
    if (w->phase != PHASE_SEARCHING)
        return;
    hqi_base_arena_init(&mem, w->alloc);
    int r = gather(w, &mem, &a, &err);
    if (r >= 0)
        r = hqi_worker_server_register(w, &a, &err);
    hqi_base_arena_fini(&mem);
    if (r == HQ_ENOMEM) {
        hqi_loop_timer_set(w->loop, &w->retry, hqi_worker_now(w).mono_ns + HQI_BACKLOG_RETRY_NS);
    } else if (r < 0) {
        give_up(w, r, err.text);
    } else {
        forget_kept(w);
        w->link_over = false;
    }
}

void hqi_worker_search_retry(struct hq_worker *w)
{
    if (w->link_over && w->link && hqi_net_link_connected(w->link))
        say_who(w);
}

void hqi_worker_search_on_open(struct hq_worker *w, const struct welcome *welcome)
{
    char text[160];
    if (welcome->resumed)
        return;
    if (!bytes_is(welcome->server_uid, w->server_uid)) {
        snprintf(text, sizeof text, "Server %s was replaced by server %.*s", w->server_uid, (int)welcome->server_uid.n,
                 welcome->server_uid.p);
        give_up(w, HQ_ESTATE, text);
    } else if (welcome->server_epoch < w->server_epoch) {
        give_up(w, HQ_ESTATE, "The server was restored from an older copy of its journal");
    } else {
        say_who(w);
    }
}

/* A server that has heard who the worker is, and refuses, knows why. */
void hqi_worker_search_on_end(struct hq_worker *w, int code, const char *text)
{
    bool refused = (!w->link_over && code != HQ_ECLOSED) || code == HQ_EVERSION;
    char copy[sizeof w->end_text];
    snprintf(copy, sizeof copy, "%s", text); /* it may be the link's */
    if (!leave_link(w))
        give_up(w, HQ_ENOMEM, hq_strerror(HQ_ENOMEM));
    else if (refused)
        give_up(w, code, copy);
}

void hqi_worker_search_done(struct hq_worker *w, const struct registered *r)
{
    hqi_base_log_write(w->log, LOG_INFO, where, "The server is back; this is worker %u", r->worker.n);
    hqi_loop_timer_clear(w->loop, &w->connect);
    w->phase = PHASE_RUNNING;
    w->id = r->worker;
}
