/* SPDX-License-Identifier: MIT */
/* worker_view.h - what is shown of a worker (WorkerInfo of client.proto) and of resources (Resource of model.proto). */
#ifndef CLI_WORKER_VIEW_H
#define CLI_WORKER_VIEW_H

#include <jansson.h>

#include "hqcore.h"
#include "output.h"

/* "cpus 2x4; mem 0.98 GiB", or "cpus: 2x4" and a line for each. */
void worker_resources_text(struct str *out, const hq_doc *resources, bool lines);
/* "cpus: [[0,1],[2,3]]", a line for each. */
void worker_resources_full(struct str *out, const hq_doc *resources);
json_t *worker_resources_json(const hq_doc *resources); /* a descriptor */

struct worker_view {
    const hq_doc *doc; /* borrowed */
    uint64_t id, joined_ms;
    bool with_runtime; /* what it does now */
};
struct worker_view worker_view(const hq_doc *worker, bool with_runtime); /* of a worker that the server told about */

void worker_print(const struct cli *cli, const struct worker_view *v);
json_t *worker_json(const struct worker_view *v);
const char *worker_manager(const hq_doc *worker);        /* "None" without one */
const char *worker_manager_job_id(const hq_doc *worker); /* "N/A" without one */

#endif
