/* SPDX-License-Identifier: MIT */
/* cuda.c - see cuda.h. Of the runtime's interface only what has been the same since CUDA 10. */
#include "helper/cuda.h"

#include <ctype.h>
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/fd.h"

#define MIB 1048576u
#define NO_DEVICE 100 /* cudaErrorNoDevice: nothing to wonder about */

/* The start of cudaDeviceProp; the runtime fills in the whole of it, about 1 kB. */
struct device {
    char name[256];
    char uuid[16];
    char luid[8];
    unsigned luid_mask;
    size_t memory;
    char rest[16384];
};

struct runtime {
    int (*count)(int *n);
    int (*properties)(struct device *ret, int index);
    int (*bus_id)(char *ret, int size, int index);
    const char *(*error_text)(int error);
};

static void *open_library(void)
{
    static const char *const names[] = {"libcudart.so",      "libcudart.so.13",   "libcudart.so.12",
                                        "libcudart.so.11.0", "libcudart.so.10.2", "libcudart.so.10.1"};
    void *lib = NULL;
    for (size_t i = 0; !lib && i < sizeof names / sizeof *names; i++)
        lib = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    return lib;
}

static bool load(struct runtime *cuda)
{
    void *lib = open_library();
    if (!lib)
        return false;
    *(void **)&cuda->count = dlsym(lib, "cudaGetDeviceCount");
    *(void **)&cuda->properties = dlsym(lib, "cudaGetDeviceProperties");
    *(void **)&cuda->bus_id = dlsym(lib, "cudaDeviceGetPCIBusId");
    *(void **)&cuda->error_text = dlsym(lib, "cudaGetErrorString");
    return cuda->count && cuda->properties && cuda->bus_id && cuda->error_text;
}

/* -1: unknown, or the node has only one. */
static int numa_node(const char *root, const char *bus_id)
{
    char path[4096], text[32], id[32];
    size_t n = 0;
    for (; bus_id[n] && n < sizeof id - 1; n++)
        id[n] = (char)tolower((unsigned char)bus_id[n]);
    id[n] = '\0';
    snprintf(path, sizeof path, "%s/sys/bus/pci/devices/%s/numa_node", root, id);
    return hqi_helper_fd_read_file(path, text, sizeof text) > 0 ? atoi(text) : -1;
}

static void describe(const struct runtime *cuda, int index, struct bytes label, const char *root,
                     struct buf *out)
{
    struct device device = {0};
    char bus_id[32] = "";
    if (cuda->properties(&device, index) != 0)
        return;
    device.name[sizeof device.name - 1] = '\0';
    hqi_base_buf_adds(out, "gpus/nvidia ");
    hqi_base_buf_add(out, label.p, label.n);
    hqi_base_buf_addf(out, ": %s, %zu MiB", device.name, device.memory / MIB);
    if (cuda->bus_id(bus_id, sizeof bus_id, index) == 0) {
        bus_id[sizeof bus_id - 1] = '\0';
        int node = numa_node(root, bus_id);
        hqi_base_buf_addf(out, ", PCI %s", bus_id);
        if (node >= 0)
            hqi_base_buf_addf(out, ", NUMA node %d", node);
    }
    hqi_base_buf_addc(out, '\n');
}

uint32_t hqi_helper_cuda_describe(const char *root, const struct resource_def *named,
                                  struct hardware_output *out)
{
    struct runtime cuda;
    int n = 0;
    if (!load(&cuda))
        return 0;
    int rc = cuda.count(&n);
    if (rc != 0 && rc != NO_DEVICE)
        hqi_base_buf_addf(&out->notes, "DEBUG The CUDA runtime finds no GPUs: %s\n", cuda.error_text(rc));
    if (rc != 0 || n < 0)
        n = 0;
    if (named && (uint32_t)n != named->n_labels)
        hqi_base_buf_addf(&out->notes,
                          "WARN `CUDA_VISIBLE_DEVICES` names %" PRIu32
                          " GPUs, but the CUDA runtime finds %d\n",
                          named->n_labels, n);
    for (int i = 0; i < n; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        bool has_label = named && (uint32_t)i < named->n_labels;
        describe(&cuda, i, has_label ? named->labels[i] : bytes_of(number), root, &out->gpus);
    }
    return (uint32_t)n;
}
