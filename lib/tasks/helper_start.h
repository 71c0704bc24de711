/* SPDX-License-Identifier: MIT */
/* helper_start.h - finding the helper's executable, and starting it unseen by the host. */
#ifndef HQI_TASKS_HELPER_START_H
#define HQI_TASKS_HELPER_START_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "hqcore/error.h"

/* The path of hq-helper (free with `a`). HQ_ENOENT: text says where it was looked for. */
int hqi_tasks_helper_start_find(char **ret, const struct alloc *a, hq_error *err);

struct helper_start {
    const struct alloc *alloc;
    const char *path;
    const char *const *env; /* NULL-terminated */
    const char *work_dir;
    uint64_t nofile; /* 0: as inherited */
    bool keep_affinity; /* of the calling thread */
    int socket;      /* the helper's end */
};

/* Returns after its exec. The process is no child of this one: nobody here can or need wait for it. */
int hqi_tasks_helper_start_run(const struct helper_start *s, int32_t *pid, hq_error *err);

#endif
