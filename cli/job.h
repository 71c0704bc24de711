/* SPDX-License-Identifier: MIT */
/* job.h - `hq job`. */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include "args.h"

extern const struct command job_commands[];

#endif
