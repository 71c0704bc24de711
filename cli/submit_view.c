/* SPDX-License-Identifier: MIT */
/* submit_view.c - what a submit asks for, as people and programs read it. */
#include "submit_view.h"

#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "json.h"

#define COMMAND_WIDTH 80
#define IDS_EXPAND_MAX (UINT64_C(1) << 22) /* ids with strides are listed one by one up to here, then as ranges */

enum { STDIO_FILE = 1, STDIO_NONE = 2 };   /* StdioKind of model.proto */
enum { POLICY_ALL = 6 };                   /* Policy */

static const struct {
    const char *text, *json;
} policies[] = {{"?", "?"},           {"compact", "Compact"}, {"compact!", "ForceCompact"}, {"tight", "Tight"},
                {"tight!", "ForceTight"}, {"scatter", "Scatter"}};

const char *submit_policy_text(const char *json)
{
    for (size_t i = 1; i < sizeof policies / sizeof *policies; i++)
        if (strcmp(policies[i].json, json) == 0)
            return policies[i].text;
    return policies[0].text;
}

static const char *const pins[] = {"none", "taskset", "omp"}, *const pins_json[] = {NULL, "taskset", "openmp"};

static uint64_t policy_of(const hq_doc *entry)
{
    uint64_t policy = field_uint(entry, "policy");
    return policy <= POLICY_ALL ? policy : 0;
}

static uint64_t weight_of(const hq_doc *variant)
{
    uint64_t weight = field_uint(variant, "weight");
    return weight ? weight : HQ_UNITS;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(field_text(*(const hq_doc *const *)a, "name"), field_text(*(const hq_doc *const *)b, "name"));
}

/* Members of a list of things that have a name, by name. The caller frees. */
static const hq_doc **sorted(const hq_doc *d, const char *path, size_t *n)
{
    *n = field_len(d, path);
    const hq_doc **list = mem_new(*n, sizeof(*list));
    for (size_t i = 0; i < *n; i++)
        list[i] = field_at(d, path, i);
    qsort(list, *n, sizeof(*list), by_name);
    return list;
}

static void add_entries(struct str *out, const hq_doc *variant)
{
    size_t n;
    const hq_doc **entries = sorted(variant, "entries", &n);
    for (size_t i = 0; i < n; i++) {
        uint64_t policy = policy_of(entries[i]);
        str_addf(out, "%s: ", field_text(entries[i], "name"));
        if (policy == POLICY_ALL) {
            str_add(out, "all\n");
            continue;
        }
        format_amount(out, field_uint(entries[i], "amount"));
        str_addf(out, " %s\n", policies[policy].text);
    }
    free(entries);
}

void submit_request_text(struct str *out, const hq_doc *submit)
{
    size_t n = field_len(submit, "request.variants");
    for (size_t i = 0; i < n; i++) {
        const hq_doc *variant = field_at(submit, "request.variants", i);
        uint64_t nodes = field_uint(variant, "n_nodes");
        if (n > 1)
            str_addf(out, "%s# Variant %zu\n", i ? "\n" : "", i + 1);
        if (nodes > 0) {
            str_addf(out, "nodes: %llu\n", (unsigned long long)nodes);
            continue;
        }
        add_entries(out, variant);
        if (weight_of(variant) != HQ_UNITS) {
            str_add(out, "[weight: ");
            format_amount(out, weight_of(variant));
            str_add(out, "]\n");
        }
    }
}

void submit_command_text(struct str *out, const hq_doc *submit)
{
    size_t n = field_len(submit, "argv");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            str_add(out, "\n");
        format_wrapped(out, hq_doc_bytes(field_at(submit, "argv", i), NULL), COMMAND_WIDTH);
    }
}

void submit_env_text(struct str *out, const hq_doc *submit)
{
    size_t n;
    const hq_doc **vars = sorted(submit, "env", &n);
    for (size_t i = 0; i < n; i++)
        if (strncmp(field_text(vars[i], "name"), "HQ_", 3) != 0)
            str_addf(out, "%s=%s\n", field_text(vars[i], "name"), field_text(vars[i], "value"));
    free(vars);
}

static uint64_t pin_of(const hq_doc *submit)
{
    uint64_t pin = field_uint(submit, "pin");
    return pin < sizeof pins / sizeof *pins ? pin : 0;
}

const char *submit_pin_text(const hq_doc *submit)
{
    return pins[pin_of(submit)];
}

void submit_crash_limit_text(struct str *out, const hq_doc *submit)
{
    uint64_t limit = field_uint(submit, "crash_limit");
    if (limit == HQ_CRASH_NEVER_RESTART)
        str_add(out, "never-restart");
    else if (limit == HQ_CRASH_UNLIMITED)
        str_add(out, "unlimited");
    else
        str_addf(out, "%llu", (unsigned long long)limit);
}

/* ---- paths ---- */

static const hq_doc *stdio_of(const hq_doc *submit, int which)
{
    return hq_doc_get(submit, which == VIEW_STDOUT ? "stdout" : "stderr");
}

const char *submit_path_text(const hq_doc *submit, int which)
{
    if (which == VIEW_CWD)
        return field_text(submit, "cwd");
    const hq_doc *stdio = stdio_of(submit, which);
    uint64_t kind = field_uint(stdio, "kind");
    return kind == STDIO_FILE ? field_text(stdio, "path") : kind == STDIO_NONE ? "<None>" : "<Stream>";
}

/* ---- JSON ---- */

static json_t *variant_json(const hq_doc *variant)
{
    size_t n;
    const hq_doc **entries = sorted(variant, "entries", &n);
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        uint64_t policy = policy_of(entries[i]);
        json_t *request = policy == POLICY_ALL
                              ? json_string("All")
                              : json_pack("{s:I}", policies[policy].json, (json_int_t)field_uint(entries[i], "amount"));
        json_array_append_new(list, json_pack("{s:o,s:o}", "request", request, "resource",
                                              json_member(entries[i], "name")));
    }
    free(entries);
    return json_pack("{s:o,s:I,s:o,s:I}", "min_time", json_seconds(field_uint(variant, "min_time_ms")), "n_nodes",
                     (json_int_t)field_uint(variant, "n_nodes"), "resources", list, "weight",
                     (json_int_t)weight_of(variant));
}

static json_t *path_json(const hq_doc *submit, int which)
{
    uint64_t kind = field_uint(stdio_of(submit, which), "kind");
    if (which != VIEW_CWD && kind != STDIO_FILE)
        return kind == STDIO_NONE ? json_null() : json_string("<pipe>");
    return json_text(submit_path_text(submit, which));
}

static json_t *program_json(const hq_doc *submit)
{
    json_t *args = json_array(), *env = json_object();
    for (size_t i = 0; i < field_len(submit, "argv"); i++) {
        size_t len;
        const char *arg = hq_doc_bytes(field_at(submit, "argv", i), &len);
        json_array_append_new(args, json_bytes(arg, len));
    }
    for (size_t i = 0; i < field_len(submit, "env"); i++) {
        const hq_doc *var = field_at(submit, "env", i);
        json_t *name = json_member(var, "name");
        json_object_set_new(env, json_string_value(name), json_member(var, "value"));
        json_decref(name);
    }
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "args", args, "cwd", path_json(submit, VIEW_CWD), "env", env, "stderr",
                     path_json(submit, VIEW_STDERR), "stdout", path_json(submit, VIEW_STDOUT));
}

static json_t *crash_limit_json(const hq_doc *submit)
{
    uint64_t limit = field_uint(submit, "crash_limit");
    if (limit == HQ_CRASH_NEVER_RESTART)
        return json_string("never-restart");
    return limit == HQ_CRASH_UNLIMITED ? json_string("unlimited") : json_integer((json_int_t)limit);
}

json_t *submit_json(const hq_doc *submit)
{
    const char *pin = pins_json[pin_of(submit)];
    json_t *variants = json_array(), *desc = json_object();
    for (size_t i = 0; i < field_len(submit, "request.variants"); i++)
        json_array_append_new(variants, variant_json(field_at(submit, "request.variants", i)));
    json_object_set_new(desc, "crash_limit", crash_limit_json(submit));
    json_object_set_new(desc, "pin_mode", pin ? json_string(pin) : json_null());
    json_object_set_new(desc, "priority", json_integer(field_int(submit, "priority")));
    json_object_set_new(desc, "program", program_json(submit));
    json_object_set_new(desc, "resources", variants);
    json_object_set_new(desc, "task_dir", json_boolean(field_uint(submit, "task_dir")));
    json_object_set_new(desc, "time_limit", json_seconds_or_null(field_uint(submit, "time_limit_ms")));
    return json_pack("{s:o}", "array", desc);
}

/* ---- ids ---- */

struct range {
    uint32_t first, count, step;
};

static struct range range_at(const hq_doc *submit, size_t i)
{
    uint32_t step = (uint32_t)hq_doc_uint(field_at(submit, "ids.step", i));
    return (struct range){(uint32_t)hq_doc_uint(field_at(submit, "ids.first", i)),
                          (uint32_t)hq_doc_uint(field_at(submit, "ids.count", i)), step ? step : 1};
}

bool submit_has(const hq_doc *submit, uint32_t task)
{
    for (size_t i = 0; i < field_len(submit, "ids.first"); i++) {
        struct range r = range_at(submit, i);
        if (task >= r.first && (task - r.first) % r.step == 0 && (task - r.first) / r.step < r.count)
            return true;
    }
    return false;
}

const hq_doc *submit_of(const hq_doc *job, uint32_t task)
{
    for (size_t i = 0; i < field_len(job, "submits"); i++)
        if (submit_has(field_at(job, "submits", i), task))
            return field_at(job, "submits", i);
    return NULL;
}

static int by_first(const void *a, const void *b)
{
    const struct range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* All ranges of a job, strides resolved where that stays bounded. The caller frees. */
static struct range *ranges_of(const hq_doc *job, bool expand, size_t *ret_n)
{
    size_t n = 0, room = 0;
    struct range *list = NULL;
    for (size_t i = 0; i < field_len(job, "submits"); i++) {
        const hq_doc *submit = field_at(job, "submits", i);
        for (size_t j = 0; j < field_len(submit, "ids.first"); j++) {
            struct range r = range_at(submit, j);
            size_t parts = expand && r.step > 1 ? r.count : 1;
            if (n + parts > room)
                list = mem_grow(list, room = 2 * (n + parts), sizeof(*list));
            for (size_t k = 0; k < parts; k++)
                list[n++] = parts > 1 ? (struct range){r.first + (uint32_t)k * r.step, 1, 1} : r;
        }
    }
    *ret_n = n;
    return list;
}

void submit_ids_text(struct str *out, const hq_doc *job, bool merge)
{
    size_t n;
    struct range *list = ranges_of(job, merge && field_uint(job, "stats.total") <= IDS_EXPAND_MAX, &n);
    if (merge && n > 0)
        qsort(list, n, sizeof(*list), by_first);
    for (size_t i = 0; i < n;) {
        struct range r = list[i++];
        while (merge && r.step == 1 && i < n && list[i].step == 1 && list[i].first - r.first == r.count)
            r.count += list[i++].count;
        format_range(out, r.first, r.count, r.step);
    }
    free(list);
}
