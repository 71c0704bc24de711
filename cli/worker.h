/* SPDX-License-Identifier: MIT */
/* worker.h - `hq worker`. */
#ifndef CLI_WORKER_H
#define CLI_WORKER_H

#include "args.h"

extern const struct command worker_commands[];

#endif
