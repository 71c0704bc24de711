/* SPDX-License-Identifier: MIT */
/* task.h - `hq task`. */
#ifndef CLI_TASK_H
#define CLI_TASK_H

#include "args.h"

extern const struct command task_commands[];

#endif
