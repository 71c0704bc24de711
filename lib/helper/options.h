/* SPDX-License-Identifier: MIT */
/* options.h - the command line of hq-helper, written by the worker that starts it:
 *
 *     hq-helper --worker PID --work-dir DIR [--socket FD] [--worker-fd FD] [--nofile N] [--keep-affinity]
 *
 * --worker PID      the worker's process: when it is gone, so are all tasks
 * --work-dir DIR    task directories are made below it; absolute, made on demand
 * --socket FD       the helper's end of the socketpair (3)
 * --worker-fd FD    a pidfd of the worker's process (the helper opens one)
 * --nofile N        soft limit of open files for the tasks (what was inherited)
 * --keep-affinity   tasks may use the processors that the helper was started on (all that its cpuset has)
 *
 * Its environment is the one that tasks start from. */
#ifndef HQI_HELPER_OPTIONS_H
#define HQI_HELPER_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>

#include "hqcore/error.h"

struct options {
    pid_t worker;
    int worker_fd, socket;
    const char *work_dir; /* borrowed from argv */
    unsigned long nofile; /* 0: as inherited */
    bool keep_affinity;
};

int hqi_helper_options_parse(struct options *ret, int argc, char *const *argv, hq_error *err);

#endif
