/* SPDX-License-Identifier: MIT */
/* resources.c - what the worker offers: definitions that were given win over what the helper has found. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "text/resource_def.h"
#include "worker/worker.h"

static const char where[] = "worker";

static const struct {
    const char *name;
    uint32_t bit;
} detectable[] = {
    {"cpus", HQ_DETECT_CPUS},
    {"mem", HQ_DETECT_MEM},
    {"gpus/nvidia", HQ_DETECT_NVIDIA},
    {"gpus/amd", HQ_DETECT_AMD},
};

struct assembly {
    struct resource_def items[2 * HQI_MAX_RESOURCES];
    uint32_t n, n_given;
};

static uint32_t detect_bits(const hq_worker_options *o)
{
    if (o->detect == 0)
        return HQ_DETECT_CPUS | HQ_DETECT_MEM | HQ_DETECT_NVIDIA | HQ_DETECT_AMD;
    return o->detect & HQ_DETECT_NONE ? 0 : o->detect;
}

static bool is_wanted(struct bytes name, uint32_t bits)
{
    for (size_t i = 0; i < sizeof detectable / sizeof *detectable; i++)
        if (bytes_is(name, detectable[i].name))
            return bits & detectable[i].bit;
    return true;
}

static bool has(const struct assembly *a, uint32_t n, struct bytes name)
{
    for (uint32_t i = 0; i < n; i++)
        if (bytes_equal(a->items[i].name, name))
            return true;
    return false;
}

/* ---- what was given ---- */

static int parse_one(struct hq_worker *w, struct assembly *a, const char *text, bool cpus, hq_error *err)
{
    struct buf why;
    struct resource_def *def = &a->items[a->n];
    if (a->n >= HQI_MAX_RESOURCES)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a worker has at most %u resources", HQI_MAX_RESOURCES);
    hqi_base_buf_init(&why, w->alloc);
    int r = cpus ? hqi_text_resource_def_parse_cpus(def, w->mem, bytes_of(text), &why)
                 : hqi_text_resource_def_parse(def, w->mem, bytes_of(text), &why);
    if (r == HQ_ENOMEM)
        hqi_base_error_nomem(err, where);
    else if (r < 0)
        hqi_base_error_set(err, r, where, "invalid resource '%s': %s", text, why.p ? why.p : hq_strerror(r));
    else
        a->n++;
    hqi_base_buf_fini(&why);
    return r;
}

static void note_gpu(struct hq_worker *w, struct bytes name)
{
    const char *kind = bytes_is(name, "gpus/nvidia") ? "nvidia" : bytes_is(name, "gpus/amd") ? "amd" : NULL;
    if (kind)
        hqi_base_log_write(w->log, LOG_INFO, where,
                           "Observing %s GPU usage because of manually passed resource `gpus/%s`", kind, kind);
}

static int take_given(struct hq_worker *w, struct assembly *a, const hq_worker_options *o, hq_error *err)
{
    int r = o->cpus ? parse_one(w, a, o->cpus, true, err) : HQ_OK;
    for (const char *const *text = o->resources; r >= 0 && text && *text; text++) {
        r = parse_one(w, a, *text, false, err);
        if (r >= 0 && o->cpus && bytes_is(a->items[a->n - 1].name, "cpus"))
            return hqi_base_error_set(err, HQ_EINVAL, where,
                                      "Parameters --cpus and --resource cpus=... cannot be combined");
        if (r >= 0)
            note_gpu(w, a->items[a->n - 1].name);
    }
    a->n_given = a->n;
    return r;
}

/* One resource for each function of the host. */
static int take_functions(struct hq_worker *w, struct assembly *a, const char *const *names, hq_error *err)
{
    for (; names && *names; names++) {
        struct resource_def *def = &a->items[a->n];
        if (a->n >= HQI_MAX_RESOURCES)
            return hqi_base_error_set(err, HQ_ELIMIT, where, "a worker has at most %u resources", HQI_MAX_RESOURCES);
        *def = (struct resource_def){.kind = RESOURCE_SUM, .sum = HQI_FUNCTION_SUM};
        def->name = bytes_of(hqi_base_arena_printf(w->mem, HQI_FUNCTION_PREFIX "%s", *names));
        if (!def->name.p)
            return hqi_base_error_nomem(err, where);
        if (!**names || !hqi_model_resource_name_ok(def->name))
            return hqi_base_error_set(err, HQ_EINVAL, where, "invalid function name '%s': expected letters, digits and '/'",
                                      *names);
        a->n++;
    }
    return HQ_OK;
}

static int check_cpus(const struct assembly *a, uint32_t bits, hq_error *err)
{
    for (uint32_t i = 0; i < a->n; i++) {
        if (!bytes_is(a->items[i].name, "cpus"))
            continue;
        if (a->items[i].kind == RESOURCE_SUM)
            return hqi_base_error_set(err, HQ_EINVAL, where,
                                      "Resource kind `sum` cannot be used with CPUs. CPUs must have identity");
        return HQ_OK;
    }
    if (!(bits & HQ_DETECT_CPUS))
        return hqi_base_error_set(err, HQ_EINVAL, where,
                                  "You have to specify --cpus explicitly when opting out of CPU automatic detection");
    return HQ_OK;
}

/* ---- what was found ---- */

static int detect(struct hq_worker *w, struct assembly *a, const hq_worker_options *o, uint32_t bits, hq_error *err)
{
    struct to_helper item = {.kind = TO_HELPER_HARDWARE};
    item.u.hardware.hyper_threading = !o->no_hyper_threading;
    int r = hqi_worker_helper_ask(w, &item, &w->answers.has_hardware, HARDWARE_MS, err);
    if (r < 0)
        return r;
    const struct resources *found = &w->answers.resources;
    if (w->answers.error.n > 0)
        return hqi_base_error_set(err, HQ_EINTERNAL, where, "the hardware could not be detected: %.*s",
                                  (int)w->answers.error.n, w->answers.error.p);
    hqi_worker_helper_log_notes(w, w->answers.notes);
    for (uint32_t i = 0; i < found->n && a->n < 2 * HQI_MAX_RESOURCES; i++)
        if (is_wanted(found->items[i].name, bits) && !has(a, a->n_given, found->items[i].name))
            a->items[a->n++] = found->items[i];
    return HQ_OK;
}

static bool needs_detection(const struct assembly *a, uint32_t bits)
{
    for (size_t i = 0; i < sizeof detectable / sizeof *detectable; i++)
        if (bits & detectable[i].bit && !has(a, a->n, bytes_of(detectable[i].name)))
            return true;
    return false;
}

int hqi_worker_resources_assemble(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    uint32_t bits = detect_bits(o);
    struct assembly *a = hqi_base_arena_zero(w->mem, 1, sizeof *a);
    if (!a)
        return hqi_base_error_nomem(err, where);
    int r = take_given(w, a, o, err);
    if (r >= 0)
        r = take_functions(w, a, o->functions, err);
    if (r >= 0)
        r = check_cpus(a, bits, err);
    if (r >= 0 && needs_detection(a, bits))
        r = detect(w, a, o, bits, err);
    if (r < 0)
        return r;
    hqi_model_resource_sort(a->items, a->n);
    const struct resources all = {a->items, a->n};
    r = hqi_model_resource_check(&all, err);
    if (r < 0)
        return r;
    return hqi_model_resource_copy(&w->config->resources, w->config->mem, &all) < 0 ? hqi_base_error_nomem(err, where)
                                                                                   : HQ_OK;
}
