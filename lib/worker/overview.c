/* SPDX-License-Identifier: MIT */
/* overview.c - how busy the node is, from the first helper to the server.
 *
 * An overview is news of a moment: one that cannot leave at once is dropped, so that neither a slow server nor one that is away
 * finds more than the next one. It takes part in the window of what is not acknowledged, and starts nothing itself. */
#include "base/error.h"
#include "worker/worker.h"

static const char where[] = "worker";

static bool offers(const struct hq_worker *w, const char *resource)
{
    return hqi_model_resource_find(&w->config->resources, bytes_of(resource));
}

void hqi_worker_overview_ask(struct hq_worker *w)
{
    const struct to_helper item = {.kind = TO_HELPER_OBSERVE,
                                   .u.observe = {w->config->overview_interval_ms, offers(w, "gpus/nvidia"), offers(w, "gpus/amd")}};
    if (w->config->overview_interval_ms == 0 || w->helpers[0].lost)
        return;
    if (hqi_tasks_helper_link_send(w->helpers[0].link, &item, 1, NULL) < 0)
        hqi_worker_helper_lose(w, 0);
}

void hqi_worker_overview_take(struct hq_worker *w, const struct node_load *load, struct bytes notes)
{
    const struct from_worker m = {.kind = FROM_WORKER_OVERVIEW, .u.overview = load};
    hq_error err;
    hqi_worker_helper_log_notes(w, notes);
    if (w->phase != PHASE_RUNNING || w->link_over || w->is_down || w->holds)
        return;
    if (hqi_worker_server_send(w, &m, &err) < 0)
        hqi_base_log_write(w->log, LOG_DEBUG7, where, "An overview is dropped: %s", err.text);
}
