/* SPDX-License-Identifier: MIT */
/* gpu_tool.c - see gpu_tool.h. */
#include "helper/gpu_tool.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/limits.h"
#include "helper/line.h"

static const char where[] = "helper";

static int too_many(const char *tool, hq_error *err)
{
    return hqi_base_error_set(err, HQ_ELIMIT, where, "`%s` lists more than %u GPUs", tool, HQI_MAX_LOAD_GPUS);
}

static bool take_id(struct gpu_load *g, struct arena *mem, struct bytes id)
{
    bool ok = true;
    id.n = id.n < HQI_MAX_GPU_ID ? id.n : HQI_MAX_GPU_ID;
    g->id = hqi_base_arena_bytes(mem, id, &ok);
    for (size_t i = 0; i < g->id.n; i++)
        if ((unsigned char)id.p[i] < ' ' || id.p[i] == 0x7f)
            ((char *)g->id.p)[i] = '?'; /* made here */
    return ok;
}

static uint32_t share_of(double part, double whole)
{
    if (!(part > 0 && whole > 0))
        return 0;
    return part >= whole ? HQI_LOAD_WHOLE : (uint32_t)(part / whole * HQI_LOAD_WHOLE + 0.5);
}

/* "45 %", "45", "0.5": of 100. */
static uint32_t percent(struct bytes text)
{
    double value;
    return hqi_helper_line_decimal(&text, &value) ? share_of(value, 100) : 0;
}

/* ---- nvidia-smi: one line for each GPU, in CSV ---- */

/* "1024 MiB", in KiB; 0: not understood. */
static double memory(struct bytes text)
{
    static const struct {
        const char *name;
        double kib;
    } units[] = {{"KiB", 1}, {"MiB", 1024}, {"GiB", 1048576}};
    double value;
    if (!hqi_helper_line_decimal(&text, &value))
        return 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (bytes_is(hqi_helper_line_trim(text), units[i].name))
            return value * units[i].kib;
    return 0;
}

static bool read_line(struct gpu_load *g, struct arena *mem, struct bytes line)
{
    if (!take_id(g, mem, hqi_helper_line_column(&line, ',')))
        return false;
    g->busy = percent(hqi_helper_line_column(&line, ','));
    double used = memory(hqi_helper_line_column(&line, ','));
    g->memory = share_of(used, memory(hqi_helper_line_column(&line, ',')));
    return true;
}

static int read_nvidia(struct gpu_loads *ret, struct arena *mem, struct bytes output, hq_error *err)
{
    struct gpu_load *v = hqi_base_arena_zero(mem, HQI_MAX_LOAD_GPUS, sizeof *v);
    uint32_t n = 0;
    for (struct bytes line; v && hqi_helper_line_next(&output, &line);) {
        if (hqi_helper_line_trim(line).n == 0)
            continue;
        if (n == HQI_MAX_LOAD_GPUS)
            return too_many("nvidia-smi", err);
        if (!read_line(&v[n++], mem, line))
            v = NULL;
    }
    *ret = (struct gpu_loads){true, v, n};
    return v ? HQ_OK : hqi_base_error_nomem(err, where);
}

/* ---- rocm-smi: a JSON object {card: {property: text}} ---- */

static struct bytes text_of(const json_t *card, const char *const *names)
{
    for (; *names; names++) {
        const json_t *value = json_object_get(card, *names);
        if (json_is_string(value))
            return (struct bytes){json_string_value(value), json_string_length(value)};
    }
    return (struct bytes){0};
}

static bool read_card(struct gpu_load *g, struct arena *mem, const json_t *card)
{
    static const char *const bus[] = {"PCI Bus", NULL}, *const busy[] = {"GPU use (%)", NULL};
    static const char *const used[] = {"GPU memory use (%)", "GPU Memory Allocated (VRAM%)", NULL}; /* the latter since 6.0 */
    g->busy = percent(text_of(card, busy));
    g->memory = percent(text_of(card, used));
    return take_id(g, mem, text_of(card, bus));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What else there is ("system": the driver's version) is no GPU. */
static uint32_t list_cards(json_t *root, const char **names)
{
    const char *name;
    json_t *card;
    uint32_t n = 0;
    json_object_foreach(root, name, card)
        if (json_is_object(card) && strncmp(name, "card", 4) == 0) {
            if (n == HQI_MAX_LOAD_GPUS)
                return n + 1;
            names[n++] = name;
        }
    qsort(names, n, sizeof *names, by_name);
    return n;
}

static int read_cards(struct gpu_loads *ret, struct arena *mem, json_t *root, hq_error *err)
{
    const char *names[HQI_MAX_LOAD_GPUS];
    uint32_t n = list_cards(root, names);
    if (n > HQI_MAX_LOAD_GPUS)
        return too_many("rocm-smi", err);
    struct gpu_load *v = hqi_base_arena_zero(mem, n + 1u, sizeof *v);
    for (uint32_t i = 0; v && i < n; i++)
        if (!read_card(&v[i], mem, json_object_get(root, names[i])))
            v = NULL;
    *ret = (struct gpu_loads){true, v, n};
    return v ? HQ_OK : hqi_base_error_nomem(err, where);
}

static int read_amd(struct gpu_loads *ret, struct arena *mem, struct bytes output, hq_error *err)
{
    json_error_t why;
    json_t *root = json_loadb(output.n ? output.p : "", output.n, JSON_REJECT_DUPLICATES, &why);
    int r = json_is_object(root) ? read_cards(ret, mem, root, err)
                                 : hqi_base_error_set(err, HQ_EINVAL, where, "`rocm-smi` does not print a JSON object");
    json_decref(root);
    return r;
}

const struct gpu_tool hqi_helper_gpu_tools[GPU_FAMILIES] = {
    [GPU_NVIDIA] = {"NVIDIA",
                    {"nvidia-smi", "--format=csv,noheader",
                     "--query-gpu=pci.bus_id,utilization.gpu,memory.used,memory.total", NULL},
                    read_nvidia},
    [GPU_AMD] = {"AMD", {"rocm-smi", "--json", "--showuse", "--showbus", "--showmemuse", NULL}, read_amd},
};
