/* SPDX-License-Identifier: MIT */
/* hardware_test.c - detection on machines that are described, not present: topologies as hwloc's synthetic strings,
 * trees of /proc and /sys below a temporary directory, a stand-in for the CUDA runtime (on LD_LIBRARY_PATH). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper/hardware.h"

struct machine {
    const char *name;
    const char *topology;
    const char *mask; /* cpus that may be used, one after the other: "1101"; NULL: all */
    bool no_hyper_threading;
    const char *environment[4];
    const char *files[6]; /* "PATH=CONTENT" below the root */
    const char *gpus;     /* of the stand-in; NULL: none */
    /* what is found: */
    const char *resources, *notes, *gpu_lines;
};

#define ONE_CPU "pack:1 core:1 pu:1", NULL, false
#define MEMINFO "proc/meminfo=MemTotal:        2048 kB\nMemFree: 1 kB\n"
#define MEM_NOTE "INFO Detected 2097152B of memory (2.00 MiB)\n"

/* clang-format off: one machine, one paragraph */
static const struct machine machines[] = {
    {"one NUMA node is a list",
     "pack:1 core:4 pu:1",
     NULL,
     false,
     {NULL},
     {NULL},
     NULL,
     "cpus=[0,1,2,3]",
     "WARN The memory of this node cannot be read from /proc/meminfo\n",
     ""},
    {"several are groups",
     "numa:2 core:2 pu:2",
     NULL,
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[[0,1,2,3],[4,5,6,7]] mem=20000",
     MEM_NOTE,
     ""},
    {"labels are the system's",
     "numa:2(indexes=1,0) core:2 pu:2(indexes=0,4,2,6,1,5,3,7)",
     NULL,
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[[1,3,5,7],[0,2,4,6]] mem=20000",
     MEM_NOTE,
     ""},
    {"one cpu per core",
     "numa:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)",
     NULL,
     true,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[[0,1],[2,3]] mem=20000",
     MEM_NOTE,
     ""},
    {"a mask",
     "numa:2 core:2 pu:2",
     "10110001",
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[[0,2,3],[7]] mem=20000",
     "INFO Some cores were filtered by a CPU mask. All cores: [0, 1, 2, 3, 4, 5, 6, 7]. Allowed cores: "
     "[0, 2, 3, 7].\n" MEM_NOTE,
     ""},
    {"a mask that leaves one node",
     "numa:2 core:2 pu:2",
     "0000110",
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[4,5] mem=20000",
     "INFO Some cores were filtered by a CPU mask. All cores: [0, 1, 2, 3, 4, 5, 6, 7]. Allowed cores: [4, "
     "5].\n" MEM_NOTE,
     ""},
    {"one usable cpu per core",
     "numa:1 core:2 pu:2",
     "0111",
     true,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[1,2] mem=20000",
     "INFO Some cores were filtered by a CPU mask. All cores: [0, 1, 2, 3]. Allowed cores: [1, 2, "
     "3].\n" MEM_NOTE,
     ""},
    {"two memories at the same cpus",
     "pack:2 [numa] [numa] core:2 pu:1",
     NULL,
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=[[0,1],[2,3]] mem=20000",
     MEM_NOTE,
     ""},
    {"an unreadable topology",
     "nonsense",
     "1101",
     false,
     {NULL},
     {MEMINFO},
     NULL,
     "cpus=0-2 mem=20000",
     "WARN The topology of this node cannot be read; its cpus are only counted\n" MEM_NOTE,
     ""},

    {"memory, rounded down",
     ONE_CPU,
     {NULL},
     {"proc/meminfo=Other: 1 kB\nMemTotal: 24684084 kB\n"},
     NULL,
     "cpus=[0] mem=241055507",
     "INFO Detected 25276502016B of memory (23.54 GiB)\n",
     ""},
    {"memory given by Slurm",
     ONE_CPU,
     {"SLURM_JOB_ID=1", "SLURM_MEM_PER_NODE=100"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=1000000",
     "",
     ""},
    {"the older name",
     ONE_CPU,
     {"SLURM_JOBID=1", "SLURM_MEM_PER_NODE=7"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=70000",
     "",
     ""},
    {"all memory by Slurm",
     ONE_CPU,
     {"SLURM_JOB_ID=1", "SLURM_MEM_PER_NODE=0"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=20000",
     MEM_NOTE,
     ""},
    {"not in a job of Slurm",
     ONE_CPU,
     {"SLURM_MEM_PER_NODE=100"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=20000",
     MEM_NOTE,
     ""},

    {"GPUs by name",
     ONE_CPU,
     {"CUDA_VISIBLE_DEVICES=0,GPU-f3", "ROCR_VISIBLE_DEVICES=4"},
     {MEMINFO},
     NULL,
     "cpus=[0] gpus/nvidia=[0,GPU-f3] gpus/amd=[4] mem=20000",
     "INFO Detected GPUs 0,GPU-f3 from `CUDA_VISIBLE_DEVICES`\nINFO Detected GPUs 4 from "
     "`ROCR_VISIBLE_DEVICES`\n"
     "WARN `CUDA_VISIBLE_DEVICES` names 2 GPUs, but the CUDA runtime finds 0\n" MEM_NOTE,
     ""},
    {"GPUs by name, described",
     ONE_CPU,
     {"CUDA_VISIBLE_DEVICES=2,3"},
     {MEMINFO, "sys/bus/pci/devices/0000:1a:00.0/numa_node=1\n",
      "sys/bus/pci/devices/0000:1b:00.0/numa_node=-1\n"},
     "2",
     "cpus=[0] gpus/nvidia=[2,3] mem=20000",
     "INFO Detected GPUs 2,3 from `CUDA_VISIBLE_DEVICES`\n" MEM_NOTE,
     "gpus/nvidia 2: Stand-in 0, 1024 MiB, PCI 0000:1A:00.0, NUMA node 1\n"
     "gpus/nvidia 3: Stand-in 1, 2048 MiB, PCI 0000:1B:00.0\n"},
    {"duplicates",
     ONE_CPU,
     {"CUDA_VISIBLE_DEVICES=0,1,0"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=20000",
     "WARN CUDA_VISIBLE_DEVICES contains duplicates (0,1,0)\n" MEM_NOTE,
     ""},
    {"an empty piece",
     ONE_CPU,
     {"CUDA_VISIBLE_DEVICES=0,,1", "ROCR_VISIBLE_DEVICES=1,"},
     {MEMINFO},
     NULL,
     "cpus=[0] mem=20000",
     MEM_NOTE,
     ""},
    {"hidden",
     ONE_CPU,
     {"CUDA_VISIBLE_DEVICES=", "ROCR_VISIBLE_DEVICES="},
     {MEMINFO, "proc/driver/nvidia/gpus/0000:01:00.0=",
      "sys/class/kfd/kfd/topology/nodes/1/properties=simd_count 8\n"},
     NULL,
     "cpus=[0] mem=20000",
     MEM_NOTE,
     ""},
    {"counted by the runtime",
     ONE_CPU,
     {NULL},
     {MEMINFO, "proc/driver/nvidia/gpus/0000:01:00.0="},
     "2",
     "cpus=[0] gpus/nvidia=0-1 mem=20000",
     "INFO Detected 2 NVIDIA GPUs from the CUDA runtime\n" MEM_NOTE,
     "gpus/nvidia 0: Stand-in 0, 1024 MiB, PCI 0000:1A:00.0\ngpus/nvidia 1: Stand-in 1, 2048 MiB, PCI "
     "0000:1B:00.0\n"},
    {"counted in procfs",
     ONE_CPU,
     {NULL},
     {MEMINFO, "proc/driver/nvidia/gpus/0000:01:00.0=", "proc/driver/nvidia/gpus/0000:02:00.0="},
     "-1",
     "cpus=[0] gpus/nvidia=0-1 mem=20000",
     "DEBUG The CUDA runtime finds no GPUs: CUDA driver version is insufficient\n"
     "INFO Detected 2 NVIDIA GPUs from procs\n" MEM_NOTE,
     ""},
    {"AMD's named, NVIDIA's not counted",
     ONE_CPU,
     {"ROCR_VISIBLE_DEVICES=0"},
     {MEMINFO, "proc/driver/nvidia/gpus/0000:01:00.0="},
     NULL,
     "cpus=[0] gpus/amd=[0] mem=20000",
     "INFO Detected GPUs 0 from `ROCR_VISIBLE_DEVICES`\n" MEM_NOTE,
     ""},
    {"AMD's counted",
     ONE_CPU,
     {NULL},
     {MEMINFO, "sys/class/kfd/kfd/topology/nodes/0/properties=cpu_cores_count 64\nsimd_count 0\n",
      "sys/class/kfd/kfd/topology/nodes/1/properties=cpu_cores_count 0\nsimd_count 440\n",
      "sys/class/kfd/kfd/topology/nodes/2/properties=simd_count 440\n"},
     NULL,
     "cpus=[0] gpus/amd=0-1 mem=20000",
     "INFO Detected 2 AMD GPUs from sysfs\n" MEM_NOTE,
     ""},
};
/* clang-format on */

/* ---- building a machine ---- */

static void write_at(const char *root, const char *file)
{
    char path[512];
    const char *content = strchr(file, '=');
    snprintf(path, sizeof path, "%s/%.*s", root, (int)(content - file), file);
    for (char *slash = strchr(path + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(content + 1, f);
    fclose(f);
}

static void set_mask(struct affinity *a, const char *mask)
{
    *a = (struct affinity){0};
    if (!mask)
        return;
    *a = (struct affinity){.set = CPU_ALLOC(1024), .bytes = CPU_ALLOC_SIZE(1024)};
    CPU_ZERO_S(a->bytes, a->set);
    for (unsigned i = 0; mask[i]; i++)
        if (mask[i] == '1')
            CPU_SET_S(i, a->bytes, a->set);
}

/* ---- reading the result ---- */

static void add_labels(struct buf *b, const struct resource_def *def, uint32_t from, uint32_t n)
{
    hqi_base_buf_addc(b, '[');
    for (uint32_t i = from; i < from + n; i++)
        hqi_base_buf_addf(b, "%s%.*s", i == from ? "" : ",", (int)def->labels[i].n, def->labels[i].p);
    hqi_base_buf_addc(b, ']');
}

static void add_def(struct buf *b, const struct resource_def *def)
{
    uint32_t at = 0;
    hqi_base_buf_addf(b, "%s%.*s=", b->n ? " " : "", (int)def->name.n, def->name.p);
    switch (def->kind) {
    case RESOURCE_LIST:
        add_labels(b, def, 0, def->n_labels);
        break;
    case RESOURCE_RANGE:
        hqi_base_buf_addf(b, "%u-%u", def->start, def->end);
        break;
    case RESOURCE_SUM:
        hqi_base_buf_addf(b, "%llu", (unsigned long long)def->sum);
        break;
    case RESOURCE_GROUPS:
        hqi_base_buf_addc(b, '[');
        for (uint32_t g = 0; g < def->n_groups; at += def->group_sizes[g++]) {
            hqi_base_buf_adds(b, g ? "," : "");
            add_labels(b, def, at, def->group_sizes[g]);
        }
        hqi_base_buf_addc(b, ']');
        assert_int_equal(at, def->n_labels);
        break;
    default:
        fail_msg("kind %d", def->kind);
    }
}

static void assert_bytes(const char *what, struct bytes got, const char *expected)
{
    if (!bytes_is(got, expected))
        fail_msg("%s:\n  found    \"%.*s\"\n  expected \"%s\"", what, (int)got.n, got.p ? got.p : "",
                 expected);
}

static void check(const struct machine *m)
{
    char root[] = "/tmp/hq-hardware-test-XXXXXX", command[64];
    struct affinity affinity;
    struct arena mem;
    struct buf resources;
    struct helper_hardware h;
    assert_non_null(mkdtemp(root));
    for (int i = 0; i < 6 && m->files[i]; i++)
        write_at(root, m->files[i]);
    set_mask(&affinity, m->mask);
    setenv("STAND_IN_GPUS", m->gpus ? m->gpus : "0", 1);
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&resources, &hqi_base_alloc_libc);

    const struct hardware_input in = {.root = root,
                                      .synthetic = m->topology,
                                      .affinity = &affinity,
                                      .environment = (char *const *)m->environment,
                                      .hyper_threading = !m->no_hyper_threading};
    hqi_helper_hardware_detect(&h, &in, &mem);
    for (uint32_t i = 0; i < h.resources.n; i++)
        add_def(&resources, &h.resources.items[i]);
    print_message("  %s\n", m->name);
    assert_bytes("error", h.error, "");
    assert_bytes("resources", hqi_base_buf_bytes(&resources), m->resources);
    assert_bytes("notes", h.notes, m->notes);
    assert_bytes("gpus", h.gpus, m->gpu_lines);

    hqi_base_buf_fini(&resources);
    hqi_base_arena_fini(&mem);
    hqi_helper_affinity_fini(&affinity);
    snprintf(command, sizeof command, "rm -r %s", root);
    assert_int_equal(system(command), 0);
}

static void test_machines(void **state)
{
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
        check(&machines[i]);
}

/* Memory runs out after N allocations: either the whole answer, or an error. */
struct failing {
    unsigned left;
};

static void *failing_realloc(void *user, void *p, size_t size)
{
    struct failing *f = user;
    if (size > 0 && f->left-- == 0) {
        f->left = 0;
        return NULL;
    }
    return hqi_base_alloc_libc.fn(hqi_base_alloc_libc.user, p, size);
}

static void test_without_memory(void **state)
{
    const char *environment[] = {"CUDA_VISIBLE_DEVICES=0,1", NULL};
    struct affinity affinity = {0};
    const struct hardware_input in = {.root = "/nonexistent",
                                      .synthetic = "numa:8 core:16 pu:2",
                                      .affinity = &affinity,
                                      .environment = (char *const *)environment,
                                      .hyper_threading = true};
    unsigned n = 0;
    for (bool whole = false; !whole; n++) {
        struct failing failing = {n};
        const struct alloc alloc = {failing_realloc, &failing};
        struct arena mem;
        struct helper_hardware h;
        hqi_base_arena_init(&mem, &alloc);
        hqi_helper_hardware_detect(&h, &in, &mem);
        whole = h.error.n == 0;
        if (whole) {
            assert_int_equal(h.resources.n, 2);
            assert_int_equal(h.resources.items[0].n_labels, 8 * 16 * 2);
        } else {
            assert_true(bytes_is(h.error, "out of memory"));
            assert_int_equal(h.resources.n, 0);
        }
        hqi_base_arena_fini(&mem);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machines),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
