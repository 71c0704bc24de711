/* SPDX-License-Identifier: MIT */
/* cpus.c - processing units by NUMA node, as hwloc sees them. Labels are the numbers of the operating system: they
 * go into `taskset -c`. Must never happen: a cpu that this process may not use. */
#include <hwloc.h>
#include <stdlib.h>

#include "helper/hardware.h"

/* The list in the making. */
struct cpu_list {
    struct bytes *labels; /* all in the arena */
    uint32_t *group_sizes;
    uint32_t n_labels, n_groups;
};

static int first(hwloc_const_bitmap_t set) /* -1: it is empty */
{
    return hwloc_bitmap_first(set);
}

static int next(hwloc_const_bitmap_t set, int cpu)
{
    return hwloc_bitmap_next(set, cpu);
}

static bool is_in(hwloc_const_bitmap_t set, int cpu)
{
    return hwloc_bitmap_isset(set, (unsigned)cpu);
}

static int range_of(struct resource_def *def, const struct hardware_input *in)
{
    def->kind = RESOURCE_RANGE;
    def->start = 0;
    def->end = hqi_helper_affinity_count(in->affinity) - 1;
    return 1;
}

static hwloc_topology_t load(const struct hardware_input *in)
{
    hwloc_topology_t topology;
    if (hwloc_topology_init(&topology) < 0)
        return NULL;
    bool ok = in->synthetic ? hwloc_topology_set_synthetic(topology, in->synthetic) == 0
                            : hwloc_topology_set_flags(topology, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) == 0;
    if (ok && hwloc_topology_load(topology) == 0)
        return topology;
    hwloc_topology_destroy(topology);
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    unsigned x = (*(const hwloc_obj_t *)a)->os_index, y = (*(const hwloc_obj_t *)b)->os_index;
    return (x > y) - (x < y);
}

static hwloc_obj_t *nodes_of(hwloc_topology_t topology, struct arena *mem, uint32_t *n)
{
    int count = hwloc_get_nbobjs_by_type(topology, HWLOC_OBJ_NUMANODE);
    *n = count > 0 ? (uint32_t)count : 0;
    hwloc_obj_t *nodes = hqi_base_arena_get(mem, *n * sizeof(hwloc_obj_t));
    for (uint32_t i = 0; nodes && i < *n; i++)
        nodes[i] = hwloc_get_obj_by_type(topology, HWLOC_OBJ_NUMANODE, i);
    if (nodes)
        qsort(nodes, *n, sizeof *nodes, by_number);
    return nodes;
}

/* Leaves the first usable cpu of each core. */
static void keep_one_per_core(hwloc_topology_t topology, hwloc_bitmap_t usable)
{
    for (hwloc_obj_t core = NULL; (core = hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core));) {
        bool taken = false;
        for (int cpu = first(core->cpuset); cpu >= 0; cpu = next(core->cpuset, cpu)) {
            if (!is_in(usable, cpu))
                continue;
            if (taken)
                hwloc_bitmap_clr(usable, (unsigned)cpu);
            taken = true;
        }
    }
}

static void add_numbers(struct buf *b, hwloc_const_bitmap_t set)
{
    hqi_base_buf_addc(b, '[');
    for (int cpu = first(set); cpu >= 0; cpu = next(set, cpu))
        hqi_base_buf_addf(b, "%s%d", cpu == first(set) ? "" : ", ", cpu);
    hqi_base_buf_addc(b, ']');
}

/* Drops from `usable`, which holds all cpus, those that this process may not use. */
static void apply_affinity(hwloc_bitmap_t usable, const struct hardware_input *in, struct buf *notes)
{
    hwloc_bitmap_t all = hwloc_bitmap_dup(usable);
    if (!all)
        return;
    for (int cpu = first(all); cpu >= 0; cpu = next(all, cpu))
        if (!hqi_helper_affinity_has(in->affinity, (unsigned)cpu))
            hwloc_bitmap_clr(usable, (unsigned)cpu);
    if (!hwloc_bitmap_isequal(all, usable)) {
        hqi_base_buf_adds(notes, "INFO Some cores were filtered by a CPU mask. All cores: ");
        add_numbers(notes, all);
        hqi_base_buf_adds(notes, ". Allowed cores: ");
        add_numbers(notes, usable);
        hqi_base_buf_adds(notes, ".\n");
    }
    hwloc_bitmap_free(all);
}

/* Moves the cpus of `set` from `usable` into a group of their own. */
static bool add_group(struct cpu_list *list, hwloc_bitmap_t usable, hwloc_const_bitmap_t set,
                      struct arena *mem)
{
    uint32_t before = list->n_labels;
    for (int cpu = first(set); cpu >= 0; cpu = next(set, cpu)) {
        if (!is_in(usable, cpu))
            continue;
        char *label = hqi_base_arena_printf(mem, "%d", cpu);
        if (!label)
            return false;
        list->labels[list->n_labels++] = bytes_of(label);
    }
    hwloc_bitmap_andnot(usable, usable, set);
    if (list->n_labels > before)
        list->group_sizes[list->n_groups++] = list->n_labels - before;
    return true;
}

/* Memory without cpus has a node, too, and two kinds of memory may lie at the same cpus: each cpu belongs to the
 * first node that has it. What lies at none is a group of its own. */
static bool fill(struct cpu_list *list, hwloc_topology_t topology, hwloc_bitmap_t usable, struct arena *mem)
{
    uint32_t n_nodes, n_cpus = (uint32_t)hwloc_bitmap_weight(usable);
    hwloc_obj_t *nodes = nodes_of(topology, mem, &n_nodes);
    list->labels = hqi_base_arena_get(mem, n_cpus * sizeof *list->labels);
    list->group_sizes = hqi_base_arena_get(mem, (n_nodes + 1) * sizeof *list->group_sizes);
    if (!nodes || !list->labels || !list->group_sizes)
        return false;
    for (uint32_t i = 0; i < n_nodes; i++)
        if (!add_group(list, usable, nodes[i]->cpuset, mem))
            return false;
    return add_group(list, usable, hwloc_topology_get_topology_cpuset(topology), mem);
}

int hqi_helper_cpus_detect(struct resource_def *def, const struct hardware_input *in,
                           struct hardware_output *out)
{
    struct cpu_list list = {0};
    def->name = bytes_of("cpus");
    hwloc_topology_t topology = load(in);
    if (!topology) {
        hqi_base_buf_adds(&out->notes,
                          "WARN The topology of this node cannot be read; its cpus are only counted\n");
        return range_of(def, in);
    }
    hwloc_bitmap_t usable = hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(topology));
    if (usable)
        apply_affinity(usable, in, &out->notes);
    if (usable && !in->hyper_threading)
        keep_one_per_core(topology, usable);
    bool ok = usable && fill(&list, topology, usable, out->mem);
    hwloc_bitmap_free(usable);
    hwloc_topology_destroy(topology);
    if (!ok)
        return HQ_ENOMEM;
    if (list.n_labels == 0)
        return range_of(def, in);
    def->kind = list.n_groups > 1 ? RESOURCE_GROUPS : RESOURCE_LIST;
    def->labels = list.labels;
    def->n_labels = list.n_labels;
    if (list.n_groups > 1) {
        def->group_sizes = list.group_sizes;
        def->n_groups = list.n_groups;
    }
    return 1;
}
