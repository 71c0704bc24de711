/* SPDX-License-Identifier: MIT */
/* allocation.h - workers on the nodes of the Slurm allocation that the command runs in. */
#ifndef CLI_ALLOCATION_H
#define CLI_ALLOCATION_H

#include <sys/types.h>

#include "output.h"

struct allocation {
    struct cli *cli;
    char dir[PATH_MAX]; /* made for this run, mode 0700; empty: none */
    pid_t srun;         /* 0: not running */
    int status;         /* of srun, once it has ended */
};

/* Is this an allocation whose nodes are to be reached by srun? Not so on the only node of one. */
bool allocation_here(void);

/* Makes the directory, in the current one. False: reported. */
bool allocation_make_dir(struct allocation *a, struct cli *cli);
/* Starts a worker on every node, which finds the server through the directory. False: reported. */
bool allocation_start(struct allocation *a, const struct matches *m);
bool allocation_ended(struct allocation *a); /* srun has: all workers are gone */
void allocation_report(struct allocation *a); /* why it has, with what the workers said last */
/* Waits for srun, which ends with its workers; kills it when that takes too long. Removes the directory. */
void allocation_end(struct allocation *a);

#endif
