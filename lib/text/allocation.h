/* SPDX-License-Identifier: MIT */
/* allocation.h - what Slurm and PBS print about a job, and how much of its time is left.
 *
 * All times in seconds; false means: not there, unlimited, or not understood. */
#ifndef HQI_TEXT_ALLOCATION_H
#define HQI_TEXT_ALLOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* [D-][[HH:]MM:]SS */
bool hqi_text_allocation_time(struct bytes in, uint64_t *secs);
/* The value of KEY=VALUE in the output of `scontrol show job`: words separated by blanks and newlines. */
bool hqi_text_allocation_scontrol(struct bytes output, const char *key, struct bytes *value);
/* TimeLimit - RunTime */
bool hqi_text_allocation_slurm_left(struct bytes output, uint64_t *secs);
/* The value of a line "    key = value" in the output of `qstat -f`. */
bool hqi_text_allocation_qstat(struct bytes output, const char *key, struct bytes *value);
/* Resource_List.walltime - resources_used.walltime (0 where it is missing), of `qstat -f` with or without `-F json` */
bool hqi_text_allocation_pbs_left(struct bytes output, uint64_t *secs);

#endif
