/* SPDX-License-Identifier: MIT */
/* cpu_list.h - lists of numbers as sysfs prints them: "0-3,7,10-20\n". */
#ifndef HQI_TEXT_CPU_LIST_H
#define HQI_TEXT_CPU_LIST_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "hqcore/error.h"
#include "hqcore/types.h"

/* Ranges of step 1 in the order given, in `mem`. Spaces are allowed around each, a newline at the end.
 * HQ_EINVAL (an empty list too), HQ_ELIMIT for a number above HQI_MAX_INDICES, HQ_ENOMEM. */
int hqi_text_cpu_list_parse(const hq_range **ranges, uint32_t *n, struct arena *mem, struct bytes in);

#endif
