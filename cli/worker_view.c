/* SPDX-License-Identifier: MIT */
/* worker_view.c - workers and resources as tables and JSON. */
#include "worker_view.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "json.h"
#include "table.h"

enum { KIND_LIST = 1, KIND_GROUPS = 2, KIND_RANGE = 3, KIND_SUM = 4 }; /* ResourceKind of model.proto */
static const char *const lost_words[] = {"stop", "stop", "finish-running", "wait", "stop"}; /* by OnServerLost */

typedef unsigned long long ull;

static const char *const managers[] = {"None", "PBS", "SLURM"}, *const managers_json[] = {NULL, "PBS", "Slurm"};

static size_t manager_of(const hq_doc *worker)
{
    uint64_t manager = field_uint(worker, "config.manager");
    return manager < sizeof managers / sizeof *managers ? (size_t)manager : 0;
}

const char *worker_manager(const hq_doc *worker)
{
    return managers[manager_of(worker)];
}

const char *worker_manager_job_id(const hq_doc *worker)
{
    return manager_of(worker) ? field_text(worker, "config.manager_job_id") : "N/A";
}

/* ---- resources ---- */

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* "2x4 1x6": how many groups of which size. */
static void add_groups(struct str *out, const hq_doc *resource)
{
    size_t n = field_len(resource, "group_sizes");
    uint64_t *sizes = mem_new(n, sizeof(*sizes));
    for (size_t i = 0; i < n; i++)
        sizes[i] = hq_doc_uint(field_at(resource, "group_sizes", i));
    qsort(sizes, n, sizeof(*sizes), by_size);
    const char *space = "";
    for (size_t i = 0, same; i < n; i += same, space = " ") {
        for (same = 1; i + same < n && sizes[i + same] == sizes[i];)
            same++;
        str_addf(out, "%s%zux%llu", space, same, (ull)sizes[i]);
    }
    free(sizes);
}

static void add_total(struct str *out, const hq_doc *resource)
{
    switch (field_uint(resource, "kind")) {
    case KIND_GROUPS:
        if (field_len(resource, "group_sizes") > 1)
            add_groups(out, resource);
        else
            str_addf(out, "%zu", field_len(resource, "labels"));
        break;
    case KIND_RANGE:
        str_addf(out, "%llu", (ull)(field_uint(resource, "end") - field_uint(resource, "start") + 1));
        break;
    case KIND_SUM:
        (strcmp(field_text(resource, "name"), "mem") == 0 ? format_mem : format_amount)(out, field_uint(resource, "sum"));
        break;
    default:
        str_addf(out, "%zu", field_len(resource, "labels"));
    }
}

void worker_resources_text(struct str *out, const hq_doc *resources, bool lines)
{
    for (size_t i = 0; i < hq_doc_len(resources); i++) {
        const hq_doc *resource = hq_doc_at(resources, i);
        str_addf(out, "%s%s%s", i == 0 ? "" : lines ? "\n" : "; ", field_text(resource, "name"), lines ? ": " : " ");
        add_total(out, resource);
    }
}

static void add_labels(struct str *out, const hq_doc *resource, size_t from, size_t n)
{
    str_add(out, "[");
    for (size_t i = from; i < from + n; i++)
        str_addf(out, "%s%s", i > from ? "," : "", hq_doc_bytes(field_at(resource, "labels", i), NULL));
    str_add(out, "]");
}

static void add_full_groups(struct str *out, const hq_doc *resource)
{
    size_t from = 0;
    str_add(out, "[");
    for (size_t i = 0; i < field_len(resource, "group_sizes"); i++) {
        size_t n = (size_t)hq_doc_uint(field_at(resource, "group_sizes", i));
        str_add(out, i ? "," : "");
        add_labels(out, resource, from, n);
        from += n;
    }
    str_add(out, "]");
}

static void add_full(struct str *out, const hq_doc *resource)
{
    uint64_t start = field_uint(resource, "start"), end = field_uint(resource, "end");
    switch (field_uint(resource, "kind")) {
    case KIND_GROUPS:
        add_full_groups(out, resource);
        break;
    case KIND_RANGE:
        if (start == end)
            str_addf(out, "[%llu]", (ull)start);
        else
            str_addf(out, "range(%llu-%llu)", (ull)start, (ull)end);
        break;
    case KIND_SUM:
        str_add(out, "sum(");
        format_amount(out, field_uint(resource, "sum"));
        str_add(out, ")");
        break;
    default:
        add_labels(out, resource, 0, field_len(resource, "labels"));
    }
}

void worker_resources_full(struct str *out, const hq_doc *resources)
{
    for (size_t i = 0; i < hq_doc_len(resources); i++) {
        str_addf(out, "%s: ", field_text(hq_doc_at(resources, i), "name"));
        add_full(out, hq_doc_at(resources, i));
        str_add(out, "\n");
    }
}

static json_t *labels_json(const hq_doc *resource, size_t from, size_t n)
{
    json_t *list = json_array();
    for (size_t i = from; i < from + n; i++)
        json_array_append_new(list, json_text(hq_doc_bytes(field_at(resource, "labels", i), NULL)));
    return list;
}

static json_t *groups_json(const hq_doc *resource)
{
    json_t *groups = json_array();
    size_t from = 0;
    for (size_t i = 0; i < field_len(resource, "group_sizes"); i++) {
        size_t n = (size_t)hq_doc_uint(field_at(resource, "group_sizes", i));
        json_array_append_new(groups, labels_json(resource, from, n));
        from += n;
    }
    return groups;
}

static json_t *resource_json(const hq_doc *resource)
{
    json_t *name = json_member(resource, "name");
    switch (field_uint(resource, "kind")) {
    case KIND_GROUPS:
        return json_pack("{s:s,s:o,s:o}", "kind", "groups", "name", name, "groups", groups_json(resource));
    case KIND_RANGE:
        return json_pack("{s:s,s:o,s:I,s:I}", "kind", "range", "name", name, "start",
                         (json_int_t)field_uint(resource, "start"), "end", (json_int_t)field_uint(resource, "end"));
    case KIND_SUM:
        return json_pack("{s:s,s:o,s:I}", "kind", "sum", "name", name, "size", (json_int_t)field_uint(resource, "sum"));
    default:
        return json_pack("{s:s,s:o,s:o}", "kind", "list", "name", name, "values",
                         labels_json(resource, 0, field_len(resource, "labels")));
    }
}

json_t *worker_resources_json(const hq_doc *resources)
{
    json_t *list = json_array();
    for (size_t i = 0; i < hq_doc_len(resources); i++)
        json_array_append_new(list, resource_json(hq_doc_at(resources, i)));
    return json_pack("{s:{s:[]},s:o}", "coupling", "weights", "resources", list);
}

/* ---- workers ---- */

static void add_duration(struct table *t, const char *key, uint64_t ms)
{
    struct str text = {0};
    format_exact_ms(&text, ms, "None");
    table_key(t, key, str_text(&text));
    str_free(&text);
}

static void add_last_task(struct table *t, const hq_doc *worker)
{
    const hq_doc *last = hq_doc_get(worker, "last");
    struct str text = {0};
    if (hq_doc_get_kind(last) == HQ_DOC_MAP) {
        str_addf(&text, "%llu@%llu; Time: \"", (ull)field_uint(last, "job"), (ull)field_uint(last, "task"));
        format_rfc3339(&text, (int64_t)field_uint(last, "at_ms") * NS_PER_MS);
        str_add(&text, "\"");
    }
    table_key(t, "Last task started", str_text(&text));
    str_free(&text);
}

static void add_runtime(struct table *t, const hq_doc *worker)
{
    struct str text = {0};
    str_addf(&text, "assigned tasks: %llu", (ull)field_uint(worker, "assigned"));
    if (field_uint(worker, "running") > 0)
        str_addf(&text, "; running tasks: %llu", (ull)field_uint(worker, "running"));
    table_key(t, "Runtime Info", str_text(&text));
    str_free(&text);
}

struct worker_view worker_view(const hq_doc *worker, bool with_runtime)
{
    return (struct worker_view){worker, field_uint(worker, "id"), field_uint(worker, "joined_ms"), with_runtime};
}

static void add_identity(struct table *t, const struct worker_view *v)
{
    const hq_doc *worker = v->doc;
    struct str started = {0};
    int end = (int)field_uint(worker, "end");
    table_add_styled(t, STYLE_BOLD, "Worker");
    table_addf(t, "%llu", (ull)v->id);
    table_add_styled(t, STYLE_BOLD, "State");
    table_add_styled(t, format_worker_style(end), format_worker_state(end));
    table_key(t, "Hostname", field_text(worker, "config.hostname"));
    str_add(&started, "\"");
    format_rfc3339(&started, (int64_t)v->joined_ms * NS_PER_MS);
    str_add(&started, "\"");
    table_key(t, "Started", started.p);
    table_key(t, "Data provider", field_text(worker, "config.listen_address"));
    table_key(t, "Working directory", field_text(worker, "config.work_dir"));
    str_free(&started);
}

void worker_print(const struct cli *cli, const struct worker_view *v)
{
    const hq_doc *worker = v->doc;
    struct table t;
    struct str resources = {0};
    table_init(&t, cli, NULL);
    add_identity(&t, v);
    add_duration(&t, "Heartbeat", field_uint(worker, "config.heartbeat_ms"));
    add_duration(&t, "Idle timeout", field_uint(worker, "idle_timeout_ms"));
    add_duration(&t, "Overview interval", field_uint(worker, "config.overview_interval_ms"));
    worker_resources_text(&resources, hq_doc_get(worker, "config.resources"), true);
    table_key(&t, "Resources", str_text(&resources));
    add_duration(&t, "Time Limit", field_uint(worker, "config.time_limit_ms"));
    table_add_styled(&t, STYLE_BOLD, "Process pid");
    table_addf(&t, "%llu", (ull)field_uint(worker, "config.pid"));
    table_key(&t, "Group", field_text(worker, "config.group"));
    table_key(&t, "Manager", worker_manager(worker));
    table_key(&t, "Manager Job ID", worker_manager_job_id(worker));
    add_last_task(&t, worker);
    if (v->with_runtime && field_uint(worker, "end") == HQ_WORKER_RUNNING)
        add_runtime(&t, worker);
    table_print(&t);
    table_free(&t);
    str_free(&resources);
}

static json_t *config_json(const hq_doc *worker)
{
    const hq_doc *config = hq_doc_get(worker, "config");
    json_t *o = json_object();
    json_object_set_new(o, "group", json_member(config, "group"));
    json_object_set_new(o, "heartbeat_interval", json_seconds(field_uint(config, "heartbeat_ms")));
    json_object_set_new(o, "hostname", json_member(config, "hostname"));
    json_object_set_new(o, "idle_timeout", json_seconds_or_null(field_uint(worker, "idle_timeout_ms")));
    json_object_set_new(o, "listen_address", json_member(config, "listen_address"));
    json_object_set_new(o, "min_utilization", json_real((double)field_uint(config, "min_utilization") / HQ_UNITS));
    json_object_set_new(o, "on_server_lost", json_string(lost_words[field_uint(config, "on_server_lost") % 5]));
    json_object_set_new(o, "resources", worker_resources_json(hq_doc_get(config, "resources")));
    json_object_set_new(o, "time_limit", json_seconds_or_null(field_uint(config, "time_limit_ms")));
    json_object_set_new(o, "work_dir", json_member(config, "work_dir"));
    return o;
}

static json_t *last_json(const hq_doc *last)
{
    if (hq_doc_get_kind(last) != HQ_DOC_MAP)
        return json_null();
    return json_pack("{s:{s:I,s:I},s:o}", "task_id", "job_id", (json_int_t)field_uint(last, "job"), "job_task_id",
                     (json_int_t)field_uint(last, "task"), "time", json_time_ms(field_uint(last, "at_ms")));
}

static json_t *runtime_json(const hq_doc *worker)
{
    return json_pack("{s:{s:I,s:b,s:I}}", "SingleNodeTasks", "assigned_tasks",
                     (json_int_t)field_uint(worker, "assigned"), "is_reserved", 0, "running_tasks",
                     (json_int_t)field_uint(worker, "running"));
}

json_t *worker_json(const struct worker_view *v)
{
    const hq_doc *worker = v->doc;
    const char *manager = managers_json[manager_of(worker)];
    uint64_t ended = field_uint(worker, "ended_ms");
    bool running = field_uint(worker, "end") == HQ_WORKER_RUNNING;
    json_t *o = json_object();
    json_t *allocation = manager ? json_pack("{s:o,s:s}", "id", json_member(worker, "config.manager_job_id"), "manager",
                                             manager)
                                 : json_null();
    json_object_set_new(o, "allocation", allocation);
    json_object_set_new(o, "configuration", config_json(worker));
    json_object_set_new(o, "ended", running ? json_null() : json_pack("{s:o}", "at", json_time_ms(ended)));
    json_object_set_new(o, "id", json_integer((json_int_t)v->id));
    json_object_set_new(o, "last_task_started", last_json(hq_doc_get(worker, "last")));
    json_object_set_new(o, "runtime_info", v->with_runtime && running ? runtime_json(worker) : json_null());
    json_object_set_new(o, "started", json_time_ms(v->joined_ms));
    return o;
}
