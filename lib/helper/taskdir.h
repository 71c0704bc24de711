/* SPDX-License-Identifier: MIT */
/* taskdir.h - the private directory of a task: made below the worker's, removed with all that is in it. */
#ifndef HQI_HELPER_TASKDIR_H
#define HQI_HELPER_TASKDIR_H

#include "base/arena.h"
#include "helper/child.h"

struct taskdirs {
    const char *below;         /* borrowed; made on demand */
    struct children *children; /* borrowed */
    unsigned n_removing;       /* directories that a child of ours is removing */
};

/* "<below>/tXXXXXX", in `mem`; NULL with *sys set. */
char *hqi_helper_taskdir_make(const struct taskdirs *all, struct arena *mem, int *sys);
/* A large one is removed by a child process, so that nobody waits for it. */
void hqi_helper_taskdir_remove(struct taskdirs *all, const char *dir);

#endif
