/* SPDX-License-Identifier: MIT */
/* end.c - how a worker ends: it tells the server why, kills its tasks, waits for its helpers (5 s at most), says goodbye,
 * and tells its host.
 *
 * The last step happens in a timer, since links may not be freed from their own callbacks. */
#include "base/error.h"
#include <stdio.h>

#include "worker/worker.h"

static const char where[] = "worker";

#define END_NS (5500 * HQI_MS) /* the helpers' own 5 s, and what it takes to hear of it */

static void inform(struct hq_worker *w, const char *text)
{
    hqi_base_log_write(w->log, LOG_INFO, where, "%s", text);
}

void hqi_worker_end_begin(struct hq_worker *w, uint8_t reason, int code, const char *text)
{
    const struct from_worker ending = {.kind = FROM_WORKER_ENDING, .u.ending = reason};
    if (w->phase >= PHASE_ENDING)
        return;
    bool was_registered = w->phase != PHASE_CONNECTING;
    inform(w, "Worker stopping");
    w->phase = PHASE_ENDING;
    w->end_reason = reason;
    w->end_code = code;
    snprintf(w->end_text, sizeof w->end_text, "%s", text);
    w->had_running = hqi_tasks_n_running(w->tasks) > 0;
    if (w->had_running)
        inform(w, "Waiting for stopping running tasks");
    if (was_registered && !w->link_over)
        hqi_worker_server_send(w, &ending, NULL); /* the goodbye alone says enough */
    hqi_tasks_end(w->tasks);
    hqi_worker_effects_pump(w);
    hqi_worker_helper_ask_to_end(w);
    hqi_loop_timer_clear(w->loop, &w->connect);
    hqi_loop_timer_clear(w->loop, &w->limit);
    hqi_loop_timer_clear(w->loop, &w->report);
    hqi_loop_timer_clear(w->loop, &w->retry);
    hqi_loop_timer_set(w->loop, &w->end, hqi_worker_now(w).mono_ns + END_NS);
    hqi_worker_end_look(w);
}

void hqi_worker_end_server_lost(struct hq_worker *w)
{
    if (w->phase != PHASE_RUNNING)
        return;
    if (w->config->on_server_lost == LOST_FINISH_RUNNING && hqi_tasks_n_running(w->tasks) > 0) {
        inform(w, "Waiting for finishing running tasks");
        w->link_over = true;
        w->phase = PHASE_FINISHING;
        hqi_worker_effects_pump(w);
        return;
    }
    if (w->config->on_server_lost == LOST_FINISH_RUNNING)
        inform(w, "No running tasks remain");
    hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, HQ_ECLOSED, "Server connection closed");
}

void hqi_worker_end_look(struct hq_worker *w)
{
    if (w->phase == PHASE_FINISHING && hqi_tasks_n_running(w->tasks) == 0) {
        inform(w, "All running tasks were finished");
        hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, HQ_ECLOSED, "Server connection closed");
    } else if (w->phase == PHASE_ENDING && hqi_worker_helper_gone(w)) {
        hqi_loop_timer_set(w->loop, &w->end, hqi_worker_now(w).mono_ns);
    }
}

static void push(struct hq_worker *w, struct event **e)
{
    hqi_host_event_push(w->handle.ctx, *e);
    *e = NULL;
}

void hqi_worker_end_on_timer(struct loop_timer *t)
{
    struct hq_worker *w = hqi_container(t, struct hq_worker, end);
    if (w->had_running)
        inform(w, hqi_worker_helper_gone(w) ? "All running tasks were stopped"
                                             : "Timed out while waiting for running tasks to stop");
    w->phase = PHASE_ENDED;
    hqi_loop_timer_clear(w->loop, &w->repair);
    hqi_worker_helper_free(w, false);
    if (w->link)
        hqi_net_link_bye(w->link, HQ_OK, "");
    hqi_net_link_free(w->link);
    w->link = NULL;
    w->ended->pub.u.worker.id = w->id;
    w->ended->pub.u.worker.state = w->end_reason;
    hqi_host_event_set_text(w->ended, w->end_code, bytes_of(w->end_text));
    hqi_host_event_set_text(w->stopped, w->end_code, bytes_of(w->end_text));
    push(w, &w->ended);
    push(w, &w->stopped);
}

void hqi_worker_end_on_limit(struct loop_timer *t)
{
    struct hq_worker *w = hqi_container(t, struct hq_worker, limit);
    inform(w, "Time limit reached");
    hqi_worker_end_begin(w, HQ_WORKER_TIME_LIMIT, HQ_OK, "");
}

int hq_worker_stop(hq_worker *w, int reason, hq_error *err)
{
    int r = hqi_host_ctx_check(w ? w->handle.ctx : NULL, err);
    if (r < 0)
        return r;
    if (reason <= HQ_WORKER_RUNNING || reason > HQ_WORKER_TIME_LIMIT)
        return hqi_base_error_set(err, HQ_EINVAL, where, "reason %d: expected one of enum hq_worker_end", reason);
    if (w->phase >= PHASE_ENDING)
        return HQ_OK;
    hqi_loop_loop_refresh(w->loop);
    inform(w, "Worker received an external stop notification");
    hqi_worker_end_begin(w, (uint8_t)reason, HQ_OK, "");
    return HQ_OK;
}
