/* SPDX-License-Identifier: MIT */
/* config.c - what a worker has and says of itself, to and from bytes.
 *
 * Promise: what was read has the right shape (group sizes add up, ranges do not run backwards), so that later code
 * may index it; hqi_model_config_check says whether it also makes sense. */
#include "wire/config.h"

#include "wire/columns.h"

static void fill_resource(struct encode *e, Hqcore__Resource *m, const struct resource_def *r)
{
    m->name = hqi_wire_pb_string(e, r->name);
    m->kind = (Hqcore__ResourceKind)r->kind;
    m->start = r->start;
    m->end = r->end;
    m->sum = r->sum;
    m->n_labels = r->n_labels;
    m->labels = hqi_wire_pb_array(e, r->n_labels, sizeof *m->labels);
    for (uint32_t i = 0; i < r->n_labels && !e->failed; i++)
        m->labels[i] = hqi_wire_pb_string(e, r->labels[i]);
    m->n_group_sizes = r->n_groups;
    m->group_sizes = (uint32_t *)r->group_sizes; /* protobuf-c only reads it */
}

Hqcore__Resource **hqi_wire_config_make_resources(struct encode *e, const struct resources *r)
{
    Hqcore__Resource **list = hqi_wire_pb_list(e, &hqcore__resource__descriptor, r->n);
    for (uint32_t i = 0; i < r->n && !e->failed; i++)
        fill_resource(e, list[i], &r->items[i]);
    return list;
}

static bool groups_add_up(struct decode *d, const Hqcore__Resource *in)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < in->n_group_sizes; i++) {
        if (!hqi_wire_pb_within(d, "Resource.group_sizes", in->group_sizes[i], 1, in->n_labels))
            return false;
        sum += in->group_sizes[i];
    }
    size_t expected = in->kind == HQCORE__RESOURCE_KIND__RESOURCE_GROUPS ? in->n_labels : 0;
    return hqi_wire_pb_within(d, "Resource.group_sizes (their sum)", sum, expected, expected);
}

static bool read_resource(struct decode *d, const Hqcore__Resource *in, struct resource_def *ret)
{
    if (!hqi_wire_pb_name(d, "Resource.name", in->name, HQI_MAX_RESOURCE_NAME, &ret->name) ||
        !hqi_wire_pb_within(d, "Resource.kind", (uint32_t)in->kind, RESOURCE_LIST, RESOURCE_SUM) ||
        !hqi_wire_pb_count(d, "Resource.labels", in->n_labels, HQI_MAX_INDICES) ||
        !hqi_wire_pb_within(d, "Resource.end", in->end, in->start, UINT32_MAX) || !groups_add_up(d, in))
        return false;
    struct bytes *labels = in->n_labels ? hqi_wire_pb_get(d, in->n_labels, sizeof *labels) : NULL;
    for (size_t i = 0; i < in->n_labels; i++)
        if (!labels || !hqi_wire_pb_name(d, "Resource.labels", in->labels[i], HQI_MAX_NAME, &labels[i]))
            return false;
    ret->kind = (uint8_t)in->kind;
    ret->start = in->start;
    ret->end = in->end;
    ret->labels = labels;
    ret->n_labels = (uint32_t)in->n_labels;
    ret->group_sizes = in->group_sizes;
    ret->n_groups = (uint32_t)in->n_group_sizes;
    ret->sum = in->sum;
    return true;
}

bool hqi_wire_config_read_resources(struct decode *d, Hqcore__Resource **in, size_t n, struct resources *ret)
{
    if (!hqi_wire_pb_count(d, "resources", n, HQI_MAX_RESOURCES))
        return false;
    struct resource_def *v = hqi_wire_pb_get(d, n, sizeof *v);
    for (size_t i = 0; i < n; i++)
        if (!v || !read_resource(d, in[i], &v[i]))
            return false;
    *ret = (struct resources){v, (uint32_t)n};
    return v;
}

Hqcore__WorkerConfig *hqi_wire_config_make(struct encode *e, const struct worker_config *c)
{
    Hqcore__WorkerConfig *m = hqi_wire_pb_message(e, &hqcore__worker_config__descriptor);
    if (!m)
        return NULL;
    m->hostname = hqi_wire_pb_string(e, c->hostname);
    m->group = hqi_wire_pb_string(e, c->group);
    m->work_dir = hqi_wire_pb_bytes(c->work_dir);
    m->listen_address = hqi_wire_pb_bytes(c->listen_address);
    m->manager_job_id = hqi_wire_pb_bytes(c->manager_job_id);
    m->manager = (Hqcore__Manager)c->manager;
    m->on_server_lost = (Hqcore__OnServerLost)c->on_server_lost;
    m->pid = c->pid;
    m->min_utilization = c->min_utilization;
    m->heartbeat_ms = c->heartbeat_ms;
    m->idle_timeout_ms = c->idle_timeout_ms;
    m->time_limit_ms = c->time_limit_ms;
    m->overview_interval_ms = c->overview_interval_ms;
    m->n_resources = c->resources.n;
    m->resources = hqi_wire_config_make_resources(e, &c->resources);
    return m;
}

static bool read_into(struct decode *d, const Hqcore__WorkerConfig *in, struct worker_config *c)
{
    c->manager = (uint8_t)in->manager;
    c->on_server_lost = (uint8_t)in->on_server_lost;
    c->pid = in->pid;
    c->min_utilization = in->min_utilization;
    c->heartbeat_ms = in->heartbeat_ms;
    c->idle_timeout_ms = in->idle_timeout_ms;
    c->time_limit_ms = in->time_limit_ms;
    c->overview_interval_ms = in->overview_interval_ms;
    return hqi_wire_pb_name(d, "WorkerConfig.hostname", in->hostname, HQI_MAX_NAME, &c->hostname) &&
           hqi_wire_pb_name(d, "WorkerConfig.group", in->group, HQI_MAX_NAME, &c->group) &&
           hqi_wire_pb_text(d, "WorkerConfig.work_dir", in->work_dir, HQI_MAX_STRING, &c->work_dir) &&
           hqi_wire_pb_text(d, "WorkerConfig.listen_address", in->listen_address, HQI_MAX_NAME,
                            &c->listen_address) &&
           hqi_wire_pb_text(d, "WorkerConfig.manager_job_id", in->manager_job_id, HQI_MAX_NAME,
                            &c->manager_job_id) &&
           hqi_wire_pb_within(d, "WorkerConfig.manager", (uint32_t)in->manager, MANAGER_NONE,
                              MANAGER_SLURM) &&
           hqi_wire_pb_within(d, "WorkerConfig.on_server_lost", (uint32_t)in->on_server_lost, LOST_STOP,
                              LOST_AS_SERVER) &&
           hqi_wire_config_read_resources(d, in->resources, in->n_resources, &c->resources);
}

struct worker_config *hqi_wire_config_read(struct decode *d, const Hqcore__WorkerConfig *in)
{
    struct worker_config seen = {0}, *copy;
    if (!hqi_wire_pb_given(d, "config", in) || !read_into(d, in, &seen))
        return NULL;
    copy = hqi_model_config_copy(d->alloc, &seen);
    if (!copy)
        hqi_wire_pb_fail(d, HQ_ENOMEM, "out of memory for a worker's configuration");
    return copy;
}
