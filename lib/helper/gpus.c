/* SPDX-License-Identifier: MIT */
/* gpus.c - which GPUs, by what their vendors' variables name or, where those are not set, by count.
 *
 * Promise: a GPU that the environment names is offered, whatever the CUDA runtime thinks of it; an empty variable
 * hides all of its kind, as it does from the programs that will run. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/cuda.h"
#include "helper/hardware.h"
#include "helper/fd.h"

static const struct gpu_kind {
    const char *variable, *resource;
} kinds[MAX_GPU_KINDS] = {
    {"CUDA_VISIBLE_DEVICES", "gpus/nvidia"},
    {"ROCR_VISIBLE_DEVICES", "gpus/amd"},
};
enum { NVIDIA, AMD };

static uint32_t count_commas(const char *text)
{
    uint32_t n = 0;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

/* The pieces between commas; 0 when one is empty. */
static uint32_t split(const char *text, struct bytes *labels)
{
    uint32_t n = 0;
    for (;; text++) {
        size_t length = strcspn(text, ",");
        if (length == 0)
            return 0;
        labels[n++] = (struct bytes){text, length};
        text += length;
        if (*text == '\0')
            return n;
    }
}

static int compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

/* -1: no memory. */
static int has_duplicates(const struct bytes *labels, uint32_t n, struct arena *mem)
{
    struct bytes *sorted = hqi_base_arena_get(mem, n * sizeof *sorted);
    if (!sorted)
        return -1;
    memcpy(sorted, labels, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    for (uint32_t i = 1; i < n; i++)
        if (bytes_equal(sorted[i - 1], sorted[i]))
            return 1;
    return 0;
}

/* 1: the variable names GPUs; 0: it does not; HQ_ENOMEM. */
static int named(struct resource_def *def, const struct gpu_kind *kind, const struct hardware_input *in,
                 struct hardware_output *out)
{
    const char *text = hqi_helper_hardware_getenv(in, kind->variable);
    if (!text || !*text)
        return 0;
    text = hqi_base_arena_printf(out->mem, "%s", text);
    struct bytes *labels =
        text ? hqi_base_arena_get(out->mem, (count_commas(text) + 1) * sizeof *labels) : NULL;
    if (!labels)
        return HQ_ENOMEM;
    uint32_t n = split(text, labels);
    if (n == 0)
        return 0;
    int twice = has_duplicates(labels, n, out->mem);
    if (twice < 0)
        return HQ_ENOMEM;
    if (twice) {
        hqi_base_buf_addf(&out->notes, "WARN %s contains duplicates (%s)\n", kind->variable, text);
        return 0;
    }
    hqi_base_buf_addf(&out->notes, "INFO Detected GPUs %s from `%s`\n", text, kind->variable);
    *def = (struct resource_def){
        .name = bytes_of(kind->resource), .kind = RESOURCE_LIST, .labels = labels, .n_labels = n};
    return 1;
}

static bool is_hidden(const struct gpu_kind *kind, const struct hardware_input *in)
{
    const char *text = hqi_helper_hardware_getenv(in, kind->variable);
    return text && !*text;
}

static int counted(struct resource_def *def, const struct gpu_kind *kind, uint32_t n)
{
    *def = (struct resource_def){
        .name = bytes_of(kind->resource), .kind = RESOURCE_RANGE, .start = 0, .end = n - 1};
    return 1;
}

static uint32_t count_entries(const char *root, const char *dir, bool (*counts)(const char *path))
{
    char path[4096];
    uint32_t n = 0;
    snprintf(path, sizeof path, "%s%s", root, dir);
    DIR *d = opendir(path);
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d));) {
        snprintf(path, sizeof path, "%s%s/%s", root, dir, e->d_name);
        n += e->d_name[0] != '.' && counts(path);
    }
    closedir(d);
    return n;
}

static bool any(const char *path)
{
    return true;
}

/* A node of the topology of AMD's driver with SIMD units is a GPU; the others are cpus. */
static bool has_simd(const char *node)
{
    char path[4352], text[4096];
    unsigned n;
    snprintf(path, sizeof path, "%s/properties", node);
    if (hqi_helper_fd_read_file(path, text, sizeof text) <= 0)
        return false;
    const char *line = strstr(text, "simd_count ");
    return line && sscanf(line, "simd_count %u", &n) == 1 && n > 0;
}

static int count_nvidia(struct resource_def *def, const struct hardware_input *in,
                        struct hardware_output *out, uint32_t by_runtime)
{
    if (by_runtime) {
        hqi_base_buf_addf(&out->notes, "INFO Detected %" PRIu32 " NVIDIA GPUs from the CUDA runtime\n",
                          by_runtime);
        return counted(def, &kinds[NVIDIA], by_runtime);
    }
    uint32_t n = count_entries(in->root, "/proc/driver/nvidia/gpus", any);
    if (n == 0)
        return 0;
    hqi_base_buf_addf(&out->notes, "INFO Detected %" PRIu32 " NVIDIA GPUs from procs\n", n);
    return counted(def, &kinds[NVIDIA], n);
}

static int count_amd(struct resource_def *def, const struct hardware_input *in, struct hardware_output *out)
{
    uint32_t n = count_entries(in->root, "/sys/class/kfd/kfd/topology/nodes", has_simd);
    if (n == 0)
        return 0;
    hqi_base_buf_addf(&out->notes, "INFO Detected %" PRIu32 " AMD GPUs from sysfs\n", n);
    return counted(def, &kinds[AMD], n);
}

int hqi_helper_gpus_detect(struct resource_def *defs, const struct hardware_input *in,
                           struct hardware_output *out)
{
    int n = 0, found;
    uint32_t of_nvidia = 0;
    for (unsigned i = 0; i < MAX_GPU_KINDS; i++) {
        if ((found = named(&defs[n], &kinds[i], in, out)) < 0)
            return found;
        if (found && i == NVIDIA)
            of_nvidia = defs[n].n_labels;
        n += found;
    }
    bool any_named = n > 0;
    uint32_t by_runtime = hqi_helper_cuda_describe(in->root, of_nvidia ? &defs[0] : NULL, out);
    if (!any_named && !is_hidden(&kinds[NVIDIA], in))
        n += count_nvidia(&defs[n], in, out, by_runtime);
    if (!hqi_helper_hardware_getenv(in, kinds[AMD].variable))
        n += count_amd(&defs[n], in, out);
    return n;
}
