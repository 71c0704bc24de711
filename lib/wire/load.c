/* SPDX-License-Identifier: MIT */
/* load.c - how busy a node is, to and from bytes. A cpu takes one or two of them. */
#include "wire/load.h"

static Hqcore__GpuLoads *make_gpus(struct encode *e, const struct gpu_loads *g)
{
    Hqcore__GpuLoads *m = g->known ? hqi_wire_pb_message(e, &hqcore__gpu_loads__descriptor) : NULL;
    if (!m)
        return NULL;
    m->n_gpus = g->n;
    m->gpus = hqi_wire_pb_list(e, &hqcore__gpu_load__descriptor, g->n);
    for (uint32_t i = 0; i < g->n && !e->failed; i++) {
        m->gpus[i]->id = hqi_wire_pb_bytes(g->items[i].id);
        m->gpus[i]->busy = g->items[i].busy;
        m->gpus[i]->memory = g->items[i].memory;
    }
    return m;
}

Hqcore__NodeLoad *hqi_wire_load_make(struct encode *e, const struct node_load *l)
{
    Hqcore__NodeLoad *m = hqi_wire_pb_message(e, &hqcore__node_load__descriptor);
    if (!m)
        return NULL;
    m->utc_s = l->utc_s;
    m->n_cpus = l->n_cpus;
    m->cpus = (uint32_t *)l->cpus; /* protobuf-c only reads it */
    m->memory_total = l->memory_total;
    m->memory_free = l->memory_free;
    m->rx_bytes = l->network.rx_bytes;
    m->tx_bytes = l->network.tx_bytes;
    m->rx_packets = l->network.rx_packets;
    m->tx_packets = l->network.tx_packets;
    m->rx_errors = l->network.rx_errors;
    m->tx_errors = l->network.tx_errors;
    m->nvidia = make_gpus(e, &l->nvidia);
    m->amd = make_gpus(e, &l->amd);
    return m;
}

static bool read_gpus(struct decode *d, const Hqcore__GpuLoads *in, struct gpu_loads *ret)
{
    *ret = (struct gpu_loads){.known = in};
    if (!in)
        return true;
    if (!hqi_wire_pb_count(d, "GpuLoads.gpus", in->n_gpus, HQI_MAX_LOAD_GPUS))
        return false;
    struct gpu_load *v = hqi_wire_pb_get(d, in->n_gpus, sizeof *v);
    for (size_t i = 0; v && i < in->n_gpus; i++) {
        v[i] = (struct gpu_load){.busy = in->gpus[i]->busy, .memory = in->gpus[i]->memory};
        if (!hqi_wire_pb_text(d, "GpuLoad.id", in->gpus[i]->id, HQI_MAX_GPU_ID, &v[i].id) ||
            !hqi_wire_pb_within(d, "GpuLoad.busy", v[i].busy, 0, HQI_LOAD_WHOLE) ||
            !hqi_wire_pb_within(d, "GpuLoad.memory", v[i].memory, 0, HQI_LOAD_WHOLE))
            return false;
    }
    ret->items = v;
    ret->n = (uint32_t)in->n_gpus;
    return v;
}

const struct node_load *hqi_wire_load_read(struct decode *d, const Hqcore__NodeLoad *in)
{
    if (!hqi_wire_pb_given(d, "load", in) || !hqi_wire_pb_count(d, "NodeLoad.cpus", in->n_cpus, HQI_MAX_LOAD_CPUS))
        return NULL;
    for (size_t i = 0; i < in->n_cpus; i++)
        if (!hqi_wire_pb_within(d, "NodeLoad.cpus", in->cpus[i], 0, HQI_LOAD_WHOLE))
            return NULL;
    struct node_load *l = hqi_wire_pb_get(d, 1, sizeof *l);
    if (!l)
        return NULL;
    *l = (struct node_load){
        .utc_s = in->utc_s,
        .cpus = in->cpus,
        .n_cpus = (uint32_t)in->n_cpus,
        .memory_total = in->memory_total,
        .memory_free = in->memory_free,
        .network = {in->rx_bytes, in->tx_bytes, in->rx_packets, in->tx_packets, in->rx_errors, in->tx_errors},
    };
    return read_gpus(d, in->nvidia, &l->nvidia) && read_gpus(d, in->amd, &l->amd) ? l : NULL;
}
