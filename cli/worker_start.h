/* SPDX-License-Identifier: MIT */
/* worker_start.h - `hq worker start`. */
#ifndef CLI_WORKER_START_H
#define CLI_WORKER_START_H

#include "args.h"

extern const struct arg worker_start_args[];

int worker_start_run(struct cli *cli, const struct matches *m);

#endif
