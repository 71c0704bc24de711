/* SPDX-License-Identifier: MIT */
/* duration.h - lengths of time, in milliseconds. What is finer is rounded up, so that no positive
 * time becomes 0. HQ_ELIMIT above HQI_MAX_DURATION_MS. */
#ifndef HQI_TEXT_DURATION_H
#define HQI_TEXT_DURATION_H

#include <stdint.h>

#include "text/scan.h"

/* "90", "1:30", "01:00:00" (fields of any size), else as parse_human. */
int hqi_text_duration_parse(uint64_t *ms, struct bytes in, struct buf *why);
/* "2h 5m 10s", "500ms", "1week 2days", "0". Numbers need a unit. */
int hqi_text_duration_parse_human(uint64_t *ms, struct bytes in, struct buf *why);

#endif
