/* SPDX-License-Identifier: MIT */
/* run.h - `hq run`: server, workers and submit in one command, gone when the tasks are. */
#ifndef CLI_RUN_H
#define CLI_RUN_H

#include "args.h"

#define RUN_ABOUT "Run a job to its end, with a server and workers of its own"
#define RUN_MORE \
    "Takes the options of `hq submit`. Tasks run on this node; in a Slurm allocation, on all of its nodes. Nothing " \
    "keeps running and nothing stays behind but the outputs of the tasks. Each run's job has the id 1, so give --stdout " \
    "and --stderr where several runs share a directory. Exits with 0 if every task finished, 1 if not, and 130 when " \
    "interrupted."

extern const struct arg run_args[];

int run_run(struct cli *cli, const struct matches *m);

#endif
