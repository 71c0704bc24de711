/* SPDX-License-Identifier: MIT */
/* outcome.h - what a task ended with: its code, and the text that users see. */
#ifndef HQI_HELPER_OUTCOME_H
#define HQI_HELPER_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "helper/spawn.h"

struct outcome {
    uint16_t code;     /* enum hq_task_code */
    struct bytes text; /* in the arena that was given; of HQ_CODE_TEXT and HQ_CODE_LAUNCH */
};

/* It could not be started: pad->step and pad->sys say where and why. */
struct outcome hqi_helper_outcome_of_spawn(const struct pad *pad, bool rm_out, bool rm_err,
                                           struct arena *mem);
/* It ran; `status` as of wait(2). `dir`: its task directory, or NULL. */
struct outcome hqi_helper_outcome_of_exit(int status, bool timed_out, const char *dir, struct arena *mem);
struct outcome hqi_helper_outcome_of_taskdir(const char *below, int sys, struct arena *mem);
struct outcome hqi_helper_outcome_text(uint16_t code, struct arena *mem, const char *text);

#endif
