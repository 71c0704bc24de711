/* SPDX-License-Identifier: MIT */
/* affinity.c - see affinity.h. */
#include "helper/affinity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CPUS 1024u
#define MAX_CPUS 65536u

void hqi_helper_affinity_read(struct affinity *a)
{
    /* The kernel refuses a set that is too small for its number of processors. */
    for (unsigned cpus = FIRST_CPUS; cpus <= MAX_CPUS; cpus *= 2) {
        *a = (struct affinity){.set = CPU_ALLOC(cpus), .bytes = CPU_ALLOC_SIZE(cpus)};
        if (!a->set)
            return;
        CPU_ZERO_S(a->bytes, a->set);
        if (sched_getaffinity(0, a->bytes, a->set) == 0)
            return;
        bool too_small = errno == EINVAL;
        hqi_helper_affinity_fini(a);
        if (!too_small)
            return;
    }
}

void hqi_helper_affinity_fini(struct affinity *a)
{
    if (a->set)
        CPU_FREE(a->set);
    a->set = NULL;
}

bool hqi_helper_affinity_has(const struct affinity *a, unsigned cpu)
{
    return !a->set || CPU_ISSET_S(cpu, a->bytes, a->set);
}

unsigned hqi_helper_affinity_count(const struct affinity *a)
{
    long n = a->set ? CPU_COUNT_S(a->bytes, a->set) : sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

void hqi_helper_affinity_widen(void)
{
    size_t bytes = CPU_ALLOC_SIZE(MAX_CPUS);
    cpu_set_t *all = CPU_ALLOC(MAX_CPUS);
    if (!all)
        return;
    memset(all, 0xff, bytes);
    sched_setaffinity(0, bytes, all); /* the kernel takes the part that is allowed */
    CPU_FREE(all);
}
