/* SPDX-License-Identifier: MIT */
/* host.h - tasks that are functions of the host: which of them have run for so long that the server should know. */
#ifndef HQI_TASKS_HOST_H
#define HQI_TASKS_HOST_H

#include "tasks/book.h"

void hqi_tasks_host_tell(struct tasks *t); /* makes news of those */
uint64_t hqi_tasks_host_tell_ns(const struct tasks *t); /* when the next will be one, mono_ns; UINT64_MAX: none */

#endif
