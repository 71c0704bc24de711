/* SPDX-License-Identifier: MIT */
/* task_paths.h - the paths of a task, from what was typed to what is opened, in two passes.
 *
 * The server fills in what is the same for all tasks of a submit, so that people see it; the worker the
 * rest. A relative cwd is meant from the submit directory, a relative output from the cwd. */
#ifndef HQI_TEXT_TASK_PATHS_H
#define HQI_TEXT_TASK_PATHS_H

#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "hqcore/error.h"

struct task_paths {
    struct bytes cwd, out, err; /* out, err: empty where there is no file */
};

struct path_values {
    uint32_t job, task, instance; /* at_submit needs job only */
    struct bytes submit_dir;      /* absolute */
    struct bytes server_uid;
};

/* JOB_ID, SUBMIT_DIR, SERVER_UID, and CWD in outputs. What has no placeholder left is absolute then; what has
 * one is left relative. HQ_ENOMEM, or HQ_ELIMIT for a path beyond HQI_MAX_STRING. */
int hqi_text_task_paths_at_submit(struct task_paths *ret, struct arena *mem, const struct task_paths *typed,
                                  const struct path_values *values);
/* All six. Every path is absolute afterwards; unknown placeholders are part of its name. */
int hqi_text_task_paths_at_start(struct task_paths *ret, struct arena *mem, const struct task_paths *from,
                                 const struct path_values *values);
/* `path` seen from `base`; an absolute path is returned as it is. */
struct bytes hqi_text_task_paths_join(struct arena *mem, struct bytes base, struct bytes path, bool *ok);

#endif
