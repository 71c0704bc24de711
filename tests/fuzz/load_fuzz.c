/* SPDX-License-Identifier: MIT */
/* load_fuzz.c - all readers of a node's load on the same bytes: files of /proc, nvidia-smi, rocm-smi.
 *
 * What they make of them must be what a packet may hold: the worker ends a helper that sends anything else. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "helper/gpu_tool.h"
#include "helper/load.h"
#include "wire/helper.h"

static void must(int holds)
{
    if (!holds)
        abort();
}

static void read_all(struct node_load *l, struct arena *mem, struct bytes in)
{
    static struct cpu_ticks ticks[HQI_MAX_LOAD_CPUS];
    static uint32_t shares[HQI_MAX_LOAD_CPUS];
    struct gpu_loads *const gpus[GPU_FAMILIES] = {&l->nvidia, &l->amd};
    hq_error err = {0};
    l->n_cpus = hqi_helper_load_cpus(ticks, in);
    hqi_helper_load_shares(shares, ticks, l->n_cpus, ticks + l->n_cpus / 2, l->n_cpus / 2);
    l->cpus = shares;
    if (hqi_helper_load_memory(l, in))
        must(l->memory_total % 1024 == 0 && l->memory_free % 1024 == 0);
    hqi_helper_load_network(&l->network, in);
    for (int i = 0; i < GPU_FAMILIES; i++) {
        int rc = hqi_helper_gpu_tools[i].read(gpus[i], mem, in, &err);
        must(rc == HQ_OK ? gpus[i]->known : (rc == HQ_EINVAL || rc == HQ_ELIMIT) && err.code == rc && err.text[0]);
        if (rc < 0)
            *gpus[i] = (struct gpu_loads){.known = false};
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct node_load l = {0};
    const struct from_helper item = {.kind = FROM_HELPER_LOAD, .u.load.load = &l};
    struct from_helper *back;
    struct arena mem;
    struct buf packet;
    uint32_t n;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&packet, &hqi_base_alloc_libc);
    read_all(&l, &mem, (struct bytes){(const char *)data, size});
    hqi_wire_helper_encode_from(&item, 1, &packet);
    must(!packet.failed && hqi_wire_helper_decode_from(&back, &n, hqi_base_buf_bytes(&packet), &mem, NULL) == HQ_OK && n == 1);
    hqi_base_buf_fini(&packet);
    hqi_base_arena_fini(&mem);
    return 0;
}

size_t fuzz_sample(uint64_t seed, uint8_t *out, size_t room)
{
    static const char *const samples[] = {
        "cpu  400 0 200 800 10 0 0 0 0 0\ncpu0 100 0 100 300 0 0 0 0 0 0\ncpu1 10 20 30 40 50 60 70 80 90 100\nintr 1234\n",
        "MemTotal:  2048 kB\nMemFree:  1 kB\nMemAvailable:  1024 kB\n",
        "  face |bytes\n    lo: 100 10 1 0 0 0 0 0 200 20 2 0 0 0\n  eth0:1000 100 10 0 0 0 0 0 2000 200 20 0 0 0 0 0\n",
        "00000000:01:00.0, 45 %, 1024 MiB, 4 GiB\n00000000:02:00.0, [N/A], 12.5 KiB, 80 GiB\n",
        "{\"card0\": {\"GPU use (%)\": \"7\", \"GPU memory use (%)\": \"50.5\", \"PCI Bus\": \"0000:C1:00.0\"}, \"card1\": {}}",
    };
    const char *text = samples[seed % (sizeof samples / sizeof *samples)];
    size_t n = strlen(text);
    if (n > room)
        return 0;
    memcpy(out, text, n);
    return n;
}
