/* SPDX-License-Identifier: MIT */
/* event.c - see event.h. Each shape is written as a list of members, in the order of their names. */
#include "journal/event.h"

#include <stdio.h>
#include <string.h>

#define MAX_MEMBERS 16u
#define MS_PER_S 1000u
#define NS_PER_MS 1000000u

/* What the reference's workers are started with, and ours have not: how often a task that waits is asked back. */
#define RETRACT_CHECK_MS 30000u

/* ---- values ---- */

/* A map or a list in the making; what did not find memory makes it none at all. */
struct node {
    struct arena *mem;
    struct hq_doc items[MAX_MEMBERS];
    uint32_t n;
    bool failed;
};

static struct hq_doc text(struct bytes b)
{
    return (struct hq_doc){.kind = DOC_BYTES, .n = (uint32_t)b.n, .v.p = b.n ? b.p : ""};
}

static struct hq_doc word(const char *s)
{
    return text(bytes_of(s));
}

static struct hq_doc number(uint64_t n)
{
    return (struct hq_doc){.kind = DOC_UINT, .v.u = n};
}

static struct hq_doc null(void)
{
    return (struct hq_doc){.kind = DOC_NULL};
}

static struct hq_doc boolean(bool b)
{
    return (struct hq_doc){.kind = DOC_BOOL, .v.b = b};
}

static void add(struct node *n, const char *name, struct hq_doc value)
{
    value.name = name;
    if (n->n < MAX_MEMBERS)
        n->items[n->n++] = value;
}

/* A copy of the children in the arena. */
static struct hq_doc done(struct node *n, uint8_t kind)
{
    struct hq_doc *child = hqi_base_arena_get(n->mem, (n->n + 1u) * sizeof *child);
    if (child)
        memcpy(child, n->items, n->n * sizeof *child);
    n->failed = n->failed || !child;
    return (struct hq_doc){.kind = kind, .n = child ? n->n : 0, .v.child = child};
}

static struct hq_doc map(struct node *parent, struct node *n)
{
    struct hq_doc d = done(n, DOC_MAP);
    parent->failed = parent->failed || n->failed;
    return d;
}

static struct hq_doc *list_of(struct node *parent, struct hq_doc *ret, size_t n)
{
    struct hq_doc *child = hqi_base_arena_zero(parent->mem, n + 1, sizeof *child);
    parent->failed = parent->failed || !child;
    *ret = (struct hq_doc){.kind = DOC_LIST, .n = child ? (uint32_t)n : 0, .v.child = child};
    return child;
}

static struct hq_doc duration(struct node *parent, uint64_t ms)
{
    struct node n = {.mem = parent->mem};
    add(&n, "nanos", number(ms % MS_PER_S * NS_PER_MS));
    add(&n, "secs", number(ms / MS_PER_S));
    return map(parent, &n);
}

static struct hq_doc duration_or_null(struct node *parent, uint64_t ms)
{
    return ms ? duration(parent, ms) : null();
}

static struct hq_doc limit_or_null(uint32_t n)
{
    return n == UINT32_MAX ? null() : number(n);
}

/* { name: value } */
static struct hq_doc tagged(struct node *parent, const char *name, struct hq_doc value)
{
    struct node n = {.mem = parent->mem};
    add(&n, name, value);
    return map(parent, &n);
}

/* The whole event; `type` stands in its place by name. */
static const struct hq_doc *finish(struct node *event, uint64_t ms)
{
    struct node root = {.mem = event->mem};
    add(&root, "event", map(&root, event));
    add(&root, "time", number(ms));
    struct hq_doc *d = hqi_base_arena_get(root.mem, sizeof *d);
    struct hq_doc value = done(&root, DOC_MAP);
    if (!d || root.failed)
        return NULL;
    *d = value;
    return d;
}

/* ---- server and workers ---- */

const struct hq_doc *hqi_journal_event_server_start(struct arena *mem, uint64_t ms, struct bytes uid)
{
    struct node e = {.mem = mem};
    add(&e, "server_uid", text(uid));
    add(&e, "type", word("server-start"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_server_stop(struct arena *mem, uint64_t ms)
{
    struct node e = {.mem = mem};
    add(&e, "type", word("server-stop"));
    return finish(&e, ms);
}

static struct hq_doc labels(struct node *parent, const struct bytes *v, uint32_t n)
{
    struct hq_doc ret, *child = list_of(parent, &ret, n);
    for (uint32_t i = 0; child && i < n; i++)
        child[i] = text(v[i]);
    return ret;
}

static struct hq_doc groups(struct node *parent, const struct resource_def *d)
{
    struct hq_doc ret, *child = list_of(parent, &ret, d->n_groups);
    for (uint32_t i = 0, at = 0; child && i < d->n_groups; at += d->group_sizes[i++])
        child[i] = labels(parent, d->labels + at, d->group_sizes[i]);
    return ret;
}

static struct hq_doc range_kind(struct node *parent, const struct resource_def *d)
{
    struct node n = {.mem = parent->mem};
    add(&n, "end", number(d->end));
    add(&n, "start", number(d->start));
    return map(parent, &n);
}

static struct hq_doc resource_kind(struct node *parent, const struct resource_def *d)
{
    switch (d->kind) {
    case RESOURCE_LIST:
        return tagged(parent, "List", tagged(parent, "values", labels(parent, d->labels, d->n_labels)));
    case RESOURCE_GROUPS:
        return tagged(parent, "Groups", tagged(parent, "groups", groups(parent, d)));
    case RESOURCE_RANGE:
        return tagged(parent, "Range", range_kind(parent, d));
    default:
        return tagged(parent, "Sum", tagged(parent, "size", number(d->sum)));
    }
}

static struct hq_doc resources(struct node *parent, const struct resources *r)
{
    struct node n = {.mem = parent->mem};
    struct hq_doc none, items, *child = list_of(parent, &items, r->n);
    list_of(parent, &none, 0);
    for (uint32_t i = 0; child && i < r->n; i++) {
        struct node item = {.mem = parent->mem};
        add(&item, "kind", resource_kind(parent, &r->items[i]));
        add(&item, "name", text(r->items[i].name));
        child[i] = map(parent, &item);
    }
    add(&n, "coupling", tagged(parent, "weights", none));
    add(&n, "resources", items);
    return map(parent, &n);
}

/* The id as it stands in a JSON text; managers give digits, letters, dots and brackets. */
static struct hq_doc manager(struct node *parent, const struct worker_config *c)
{
    char *p = hqi_base_arena_printf(parent->mem,
                                    "{\"manager\":\"%s\",\"allocation_id\":\"%.*s\",\"time_limit\":null,\"max_memory_mb\":null}",
                                    c->manager == MANAGER_PBS ? "Pbs" : "Slurm", (int)c->manager_job_id.n,
                                    c->manager_job_id.n ? c->manager_job_id.p : "");
    parent->failed = parent->failed || !p;
    return word(p);
}

static bool is_plain(struct bytes id)
{
    for (size_t i = 0; i < id.n; i++)
        if (id.p[i] == '"' || id.p[i] == '\\' || (unsigned char)id.p[i] < ' ')
            return false;
    return true;
}

static struct hq_doc extra(struct node *parent, const struct worker_config *c)
{
    struct node n = {.mem = parent->mem};
    char *pid = hqi_base_arena_printf(parent->mem, "%u", c->pid);
    parent->failed = parent->failed || !pid;
    if (c->manager != MANAGER_NONE && is_plain(c->manager_job_id))
        add(&n, "JobManager", manager(parent, c));
    add(&n, "ProcessPid", word(pid));
    return map(parent, &n);
}

/* Those whose GPUs it offers. */
static struct hq_doc gpu_families(struct node *parent, const struct resources *r)
{
    static const struct {
        const char *resource, *name;
    } families[] = {{"gpus/nvidia", "Nvidia"}, {"gpus/amd", "Amd"}};
    struct hq_doc ret, *child = list_of(parent, &ret, sizeof families / sizeof *families);
    ret.n = 0;
    for (size_t i = 0; child && i < sizeof families / sizeof *families; i++)
        if (hqi_model_resource_find(r, bytes_of(families[i].resource)))
            child[ret.n++] = word(families[i].name);
    return ret;
}

static struct hq_doc overview(struct node *parent, const struct worker_config *c)
{
    struct node n = {.mem = parent->mem};
    add(&n, "gpu_families", gpu_families(parent, &c->resources));
    add(&n, "send_interval", duration_or_null(parent, c->overview_interval_ms));
    return map(parent, &n);
}

static const char *lost_word(uint8_t policy)
{
    return policy == LOST_FINISH_RUNNING ? "FinishRunning" : policy == LOST_WAIT ? "Wait" : "Stop";
}

static struct hq_doc configuration(struct node *parent, const struct worker_config *c)
{
    struct node n = {.mem = parent->mem};
    add(&n, "extra", extra(parent, c));
    add(&n, "group", text(c->group));
    add(&n, "heartbeat_interval", duration(parent, c->heartbeat_ms));
    add(&n, "hostname", text(c->hostname));
    add(&n, "idle_timeout", duration_or_null(parent, c->idle_timeout_ms));
    add(&n, "listen_address", text(c->listen_address));
    add(&n, "min_utilization", (struct hq_doc){.kind = DOC_DOUBLE, .v.d = c->min_utilization / (double)HQ_UNITS});
    add(&n, "on_server_lost", word(lost_word(c->on_server_lost)));
    add(&n, "overview_configuration", overview(parent, c));
    add(&n, "resources", resources(parent, &c->resources));
    add(&n, "retract_check_interval", duration(parent, RETRACT_CHECK_MS));
    add(&n, "time_limit", duration_or_null(parent, c->time_limit_ms));
    add(&n, "work_dir", text(c->work_dir));
    return map(parent, &n);
}

const struct hq_doc *hqi_journal_event_worker_connected(struct arena *mem, uint64_t ms, hq_worker_id w,
                                                        const struct worker_config *c)
{
    struct node e = {.mem = mem};
    add(&e, "configuration", configuration(&e, c));
    add(&e, "id", number(w.n));
    add(&e, "type", word("worker-connected"));
    return e.failed ? NULL : finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_worker_lost(struct arena *mem, uint64_t ms, hq_worker_id w, uint8_t reason)
{
    static const char *const reasons[] = {
        [HQ_WORKER_RUNNING] = "Unknown",           [HQ_WORKER_STOPPED] = "Stopped",
        [HQ_WORKER_CONNECTION_LOST] = "ConnectionLost", [HQ_WORKER_HEARTBEAT_LOST] = "HeartbeatLost",
        [HQ_WORKER_IDLE_TIMEOUT] = "IdleTimeout",  [HQ_WORKER_TIME_LIMIT] = "TimeLimitReached",
    };
    struct node e = {.mem = mem};
    add(&e, "id", number(w.n));
    add(&e, "reason", word(reason <= HQ_WORKER_TIME_LIMIT ? reasons[reason] : reasons[0]));
    add(&e, "type", word("worker-lost"));
    return finish(&e, ms);
}

static struct hq_doc percent(uint32_t share)
{
    return (struct hq_doc){.kind = DOC_DOUBLE, .v.d = share * 100.0 / HQI_LOAD_WHOLE};
}

static struct hq_doc cpu_usage(struct node *parent, const struct node_load *l)
{
    struct hq_doc shares, *child = list_of(parent, &shares, l->n_cpus);
    for (uint32_t i = 0; child && i < l->n_cpus; i++)
        child[i] = percent(l->cpus[i]);
    return tagged(parent, "cpu_per_core_percent_usage", shares);
}

static struct hq_doc memory_usage(struct node *parent, const struct node_load *l)
{
    struct node n = {.mem = parent->mem};
    add(&n, "free", number(l->memory_free));
    add(&n, "total", number(l->memory_total));
    return map(parent, &n);
}

static struct hq_doc network_usage(struct node *parent, const struct network_load *l)
{
    struct node n = {.mem = parent->mem};
    add(&n, "rx_bytes", number(l->rx_bytes));
    add(&n, "rx_errors", number(l->rx_errors));
    add(&n, "rx_packets", number(l->rx_packets));
    add(&n, "tx_bytes", number(l->tx_bytes));
    add(&n, "tx_errors", number(l->tx_errors));
    add(&n, "tx_packets", number(l->tx_packets));
    return map(parent, &n);
}

static struct hq_doc gpu_usage(struct node *parent, const struct gpu_loads *g)
{
    struct hq_doc gpus, *child = g->known ? list_of(parent, &gpus, g->n) : NULL;
    for (uint32_t i = 0; child && i < g->n; i++) {
        struct node n = {.mem = parent->mem};
        add(&n, "id", text(g->items[i].id));
        add(&n, "mem_usage", percent(g->items[i].memory));
        add(&n, "processor_usage", percent(g->items[i].busy));
        child[i] = map(parent, &n);
    }
    return g->known ? tagged(parent, "gpus", gpus) : null();
}

static struct hq_doc hardware_state(struct node *parent, const struct node_load *l)
{
    struct node n = {.mem = parent->mem};
    add(&n, "amd_gpus", gpu_usage(parent, &l->amd));
    add(&n, "cpu_usage", cpu_usage(parent, l));
    add(&n, "memory_usage", memory_usage(parent, l));
    add(&n, "network_usage", network_usage(parent, &l->network));
    add(&n, "nvidia_gpus", gpu_usage(parent, &l->nvidia));
    add(&n, "timestamp", number(l->utc_s));
    return tagged(parent, "state", map(parent, &n));
}

const struct hq_doc *hqi_journal_event_worker_overview(struct arena *mem, uint64_t ms, hq_worker_id w, const struct node_load *l)
{
    struct node e = {.mem = mem};
    add(&e, "hw-state", hardware_state(&e, l));
    add(&e, "id", number(w.n));
    add(&e, "type", word("worker-overview"));
    return e.failed ? NULL : finish(&e, ms);
}

/* ---- jobs ---- */

const struct hq_doc *hqi_journal_event_job_open(struct arena *mem, uint64_t ms, hq_job_id job, struct bytes name,
                                                uint32_t max_fails)
{
    struct node e = {.mem = mem};
    add(&e, "job_id", number(job.n));
    add(&e, "max_fails", limit_or_null(max_fails));
    add(&e, "name", text(name));
    add(&e, "type", word("job-open"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_job_close(struct arena *mem, uint64_t ms, hq_job_id job)
{
    struct node e = {.mem = mem};
    add(&e, "job_id", number(job.n));
    add(&e, "type", word("job-close"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_job_cancel(struct arena *mem, uint64_t ms, hq_job_id job, struct bytes reason)
{
    struct node e = {.mem = mem};
    add(&e, "job_id", number(job.n));
    add(&e, "reason", text(reason));
    add(&e, "type", word("job-cancel"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_job_completed(struct arena *mem, uint64_t ms, hq_job_id job)
{
    struct node e = {.mem = mem};
    add(&e, "job", number(job.n));
    add(&e, "type", word("job-completed"));
    return finish(&e, ms);
}

/* ---- submits ---- */

static struct hq_doc crash_limit(struct node *parent, uint32_t limit)
{
    if (limit == CRASH_NEVER_RESTART)
        return word("NeverRestart");
    return limit == CRASH_UNLIMITED ? word("Unlimited") : tagged(parent, "MaxCrashes", number(limit));
}

static struct hq_doc ids(struct node *parent, const struct intset *set)
{
    struct hq_doc ranges, *child = list_of(parent, &ranges, set->n_ranges);
    for (uint32_t i = 0; child && i < set->n_ranges; i++) {
        const hq_range *r = &set->ranges[i];
        struct node n = {.mem = parent->mem};
        add(&n, "count", number((uint64_t)(r->count - 1) * r->step + 1)); /* the length of the span, not of the set */
        add(&n, "start", number(r->first));
        add(&n, "step", number(r->step));
        child[i] = map(parent, &n);
    }
    return tagged(parent, "ranges", ranges);
}

static struct hq_doc policy(struct node *parent, const struct request_entry *e)
{
    static const char *const names[] = {[POLICY_COMPACT] = "Compact",
                                        [POLICY_COMPACT_FORCED] = "ForceCompact",
                                        [POLICY_TIGHT] = "Tight",
                                        [POLICY_TIGHT_FORCED] = "ForceTight",
                                        [POLICY_SCATTER] = "Scatter"};
    return e->policy >= POLICY_COMPACT && e->policy < POLICY_ALL ? tagged(parent, names[e->policy], number(e->amount))
                                                                 : word("All");
}

static struct hq_doc entries(struct node *parent, const struct request_variant *v)
{
    struct hq_doc ret, *child = list_of(parent, &ret, v->n_entries);
    for (uint32_t i = 0; child && i < v->n_entries; i++) {
        struct node n = {.mem = parent->mem};
        add(&n, "policy", policy(parent, &v->entries[i]));
        add(&n, "resource", text(v->entries[i].name));
        child[i] = map(parent, &n);
    }
    return ret;
}

static struct hq_doc request(struct node *parent, const struct resource_request *r)
{
    struct hq_doc variants, *child = list_of(parent, &variants, r->n_variants);
    for (uint32_t i = 0; child && i < r->n_variants; i++) {
        const struct request_variant *v = &r->variants[i];
        struct node n = {.mem = parent->mem};
        add(&n, "min_time", duration(parent, v->min_time_ms));
        add(&n, "n_nodes", number(v->n_nodes));
        add(&n, "resources", entries(parent, v));
        add(&n, "weight", number(v->weight));
        child[i] = map(parent, &n);
    }
    return tagged(parent, "variants", variants);
}

static struct hq_doc task_desc(struct node *parent, const struct spec *s)
{
    struct node n = {.mem = parent->mem};
    add(&n, "crash_limit", crash_limit(parent, s->crash_limit));
    add(&n, "ids", ids(parent, &s->ids));
    add(&n, "priority", (struct hq_doc){.kind = DOC_INT, .v.i = s->priority});
    add(&n, "resources", request(parent, &s->request));
    add(&n, "time_limit", duration_or_null(parent, s->time_limit_ms));
    return map(parent, &n);
}

static struct hq_doc submit_desc(struct node *parent, const struct spec *s)
{
    struct node n = {.mem = parent->mem};
    add(&n, "stream_path", null());
    add(&n, "submit_dir", text(s->submit_dir));
    add(&n, "task_desc", task_desc(parent, s));
    return map(parent, &n);
}

static struct hq_doc job_desc(struct node *parent, const struct job_created *c)
{
    struct node n = {.mem = parent->mem};
    add(&n, "max_fails", limit_or_null(c->max_fails));
    add(&n, "name", text(c->name));
    return map(parent, &n);
}

const struct hq_doc *hqi_journal_event_job_created(struct arena *mem, uint64_t ms, const struct job_created *c)
{
    struct node e = {.mem = mem};
    add(&e, "closed_job", boolean(c->closed));
    add(&e, "job", number(c->job.n));
    add(&e, "job_desc", job_desc(&e, c));
    add(&e, "submit_desc", submit_desc(&e, c->spec));
    add(&e, "type", word("job-created"));
    return e.failed ? NULL : finish(&e, ms);
}

/* ---- tasks ---- */

const struct hq_doc *hqi_journal_event_task_started(struct arena *mem, uint64_t ms, hq_task_id task, uint32_t instance,
                                                    hq_worker_id w, uint8_t variant)
{
    struct node e = {.mem = mem};
    add(&e, "instance", number(instance));
    add(&e, "job", number(task.job.n));
    add(&e, "task", number(task.index));
    add(&e, "type", word("task-started"));
    if (variant > 0)
        add(&e, "variant", number(variant));
    add(&e, "worker", number(w.n));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_task_finished(struct arena *mem, uint64_t ms, hq_task_id task)
{
    struct node e = {.mem = mem};
    add(&e, "job", number(task.job.n));
    add(&e, "task", number(task.index));
    add(&e, "type", word("task-finished"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_task_failed(struct arena *mem, uint64_t ms, hq_task_id task, struct bytes error)
{
    struct node e = {.mem = mem};
    add(&e, "error", text(error));
    add(&e, "job", number(task.job.n));
    add(&e, "task", number(task.index));
    add(&e, "type", word("task-failed"));
    return finish(&e, ms);
}

const struct hq_doc *hqi_journal_event_tasks_given_up(struct arena *mem, uint64_t ms, uint8_t state, hq_job_id job,
                                                      const uint32_t *task_ids, uint32_t n)
{
    struct node e = {.mem = mem};
    struct hq_doc tasks, *child = list_of(&e, &tasks, n);
    for (uint32_t i = 0; child && i < n; i++) {
        struct node t = {.mem = mem};
        add(&t, "job_id", number(job.n));
        add(&t, "job_task_id", number(task_ids[i]));
        child[i] = map(&e, &t);
    }
    add(&e, "tasks", tasks);
    add(&e, "type", word(state == HQ_TASK_CANCELED ? "task-canceled" : "task-aborted"));
    return e.failed ? NULL : finish(&e, ms);
}
