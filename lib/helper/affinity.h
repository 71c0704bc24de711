/* SPDX-License-Identifier: MIT */
/* affinity.h - the processors that a process may use; any number of them. */
#ifndef HQI_HELPER_AFFINITY_H
#define HQI_HELPER_AFFINITY_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

struct affinity {
    cpu_set_t *set; /* owned; NULL: unknown, so all */
    size_t bytes;
};

void hqi_helper_affinity_read(struct affinity *a); /* of this thread */
void hqi_helper_affinity_fini(struct affinity *a);
bool hqi_helper_affinity_has(const struct affinity *a, unsigned cpu);
unsigned hqi_helper_affinity_count(const struct affinity *a); /* at least 1 */
void hqi_helper_affinity_widen(void); /* this thread may use whatever its cpuset has */

#endif
