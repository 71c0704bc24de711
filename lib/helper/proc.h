/* SPDX-License-Identifier: MIT */
/* proc.h - what /proc/PID/stat says. */
#ifndef HQI_HELPER_PROC_H
#define HQI_HELPER_PROC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct proc_stat {
    char state; /* 'Z' a zombie, 'X' dead */
    pid_t parent;
    uint64_t start_ticks; /* with the pid, the identity of a process */
};

bool hqi_helper_proc_stat(pid_t pid, struct proc_stat *ret); /* false: there is no such process */
/* SIGKILL to every descendant of `pid` that exists at the moment; how many were found. */
unsigned hqi_helper_proc_kill_descendants(pid_t pid);

#endif
