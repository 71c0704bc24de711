/* SPDX-License-Identifier: MIT */
/* stop.c - the end of a server: STOP to the workers, 5 s at most for them to leave, FACT_SERVER_STOP, the reply to the client
 * that asked, goodbye to everybody, HQ_EVENT_STOPPED.
 *
 * The last step happens in a timer, since routers may not be freed from their own callbacks. */
#include "server/server.h"

static const char where[] = "server";

#define STOP_NS (5 * HQI_SEC) /* what tasks get to end: SIGINT, 1 s, SIGKILL, and some */

static void begin(struct hq_server *s)
{
    hqi_base_log_write(s->log, LOG_INFO, where, "Stopping server");
    s->stage = STAGE_STOPPING;
    hqi_loop_timer_set(s->loop, &s->stop, hqi_server_now(s).mono_ns + STOP_NS);
}

void hqi_server_stop_look(struct hq_server *s)
{
    if (s->stage == STAGE_RUNNING && hqi_core_stopping(s->core))
        begin(s);
    if (s->stage == STAGE_STOPPING && list_empty(&s->workers))
        hqi_loop_timer_set(s->loop, &s->stop, hqi_server_now(s).mono_ns);
}

void hqi_server_stop_on_timer(struct loop_timer *t)
{
    struct hq_server *s = hqi_container(t, struct hq_server, stop);
    struct now now = hqi_server_now(s);
    s->stage = STAGE_STOPPED;
    hqi_server_open_unpublish(s); /* before the reply: who has that finds no server any more */
    hqi_server_workers_bye(s);
    hqi_core_stopped(s->core, &now);
    hqi_server_outbox_drain(s);
    hqi_server_durable_stop(s);
    hqi_server_outbox_release(s);
    hqi_server_clients_bye(s);
    for (unsigned i = 0; i < PLANES; i++) {
        hqi_net_router_free(s->router[i]);
        s->router[i] = NULL;
    }
    hqi_loop_timer_clear(s->loop, &s->tick);
    hqi_loop_timer_clear(s->loop, &s->retry);
    hqi_loop_timer_clear(s->loop, &s->look);
    hqi_host_event_push(s->handle.ctx, s->stopped);
    s->stopped = NULL;
}

int hq_server_stop(hq_server *s, hq_error *err)
{
    int r = hqi_host_ctx_check(s ? s->handle.ctx : NULL, err);
    if (r < 0)
        return r;
    if (s->stage != STAGE_RUNNING)
        return HQ_OK;
    struct now now = hqi_loop_loop_refresh(s->loop);
    hqi_core_stop(s->core, &now);
    hqi_server_outbox_drain(s);
    hqi_server_stop_look(s);
    return HQ_OK;
}
