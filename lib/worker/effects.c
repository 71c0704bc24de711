/* SPDX-License-Identifier: MIT */
/* effects.c - what lib/tasks/ wants done, carried to the helpers and to the server.
 *
 * Promise: outcomes are kept by the link until the server has acknowledged them; when many bytes of them wait, nothing
 * new is started, so that a worker whose server is slow or away costs a bounded amount of memory. */
#include "base/error.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define WINDOW_BYTES (4u << 20) /* of unacknowledged reports: some 300,000 outcomes */
#define RETRY_NS (100 * HQI_MS)

static void to_helpers(struct hq_worker *w)
{
    for (uint32_t i = 0; i < w->n_helpers; i++) {
        const struct to_helper *items;
        hq_error err;
        uint32_t n = w->helpers[i].lost ? 0 : hqi_tasks_take_helper(w->tasks, i, &items);
        if (n == 0 || hqi_tasks_helper_link_send(w->helpers[i].link, items, n, &err) >= 0)
            continue;
        hqi_base_log_write(w->log, LOG_ERROR, where, "A helper process cannot be told its tasks: %s", err.text);
        hqi_worker_helper_lose(w, i);
    }
}

/* To the server; while that is away, into what is kept for it; and nowhere when nobody will ask for it any more. */
static int report(struct hq_worker *w, const struct from_worker *m, hq_error *err)
{
    if (!w->link_over)
        return hqi_worker_server_send(w, m, err);
    if (w->phase != PHASE_SEARCHING)
        return HQ_OK;
    hqi_base_buf_clear(&w->frame);
    hqi_wire_worker_encode_from(m, &w->frame);
    if (w->frame.failed || hqi_worker_search_keep(w, hqi_base_buf_bytes(&w->frame)) < 0)
        return hqi_base_error_nomem(err, where);
    return HQ_OK;
}

static void to_server(struct hq_worker *w, const struct now *now)
{
    struct from_worker m = {.kind = FROM_WORKER_REPORT};
    hq_error err;
    while (hqi_tasks_take_report(w->tasks, now, &m.u.report)) {
        if (report(w, &m, &err) >= 0)
            continue;
        hqi_worker_end_begin(w, HQ_WORKER_CONNECTION_LOST, err.code, err.text);
        return;
    }
}

static void look_at_window(struct hq_worker *w)
{
    uint64_t bytes = w->search.kept_bytes + (w->link ? hqi_net_link_unacked_bytes(w->link) : 0);
    bool holds = w->phase == PHASE_FINISHING || bytes > (w->holds ? WINDOW_BYTES / 2 : WINDOW_BYTES);
    if (holds != w->holds)
        hqi_tasks_hold(w->tasks, holds);
    w->holds = holds;
}

void hqi_worker_effects_pump(struct hq_worker *w)
{
    struct now now = hqi_worker_now(w);
    if (!w->tasks || (!w->link && w->phase == PHASE_CONNECTING) || w->phase == PHASE_ENDED)
        return;
    if (w->phase != PHASE_ENDING) {
        look_at_window(w);
        to_server(w, &now);
    }
    to_helpers(w);
    bool goes_on = w->phase == PHASE_RUNNING || w->phase == PHASE_SEARCHING;
    bool waits = goes_on && hqi_worker_functions_hand_over(w);
    uint64_t at = hqi_tasks_deadline(w->tasks);
    if ((waits || (w->holds && w->phase == PHASE_RUNNING)) && at > now.mono_ns + RETRY_NS)
        at = now.mono_ns + RETRY_NS; /* neither acknowledgements alone nor a host that reads are inputs */
    if (at == UINT64_MAX || w->phase >= PHASE_ENDING)
        hqi_loop_timer_clear(w->loop, &w->report);
    else
        hqi_loop_timer_set(w->loop, &w->report, at);
    hqi_worker_end_look(w);
}

void hqi_worker_effects_on_timer(struct loop_timer *t)
{
    hqi_worker_effects_pump(hqi_container(t, struct hq_worker, report));
}
