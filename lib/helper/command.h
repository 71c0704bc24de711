/* SPDX-License-Identifier: MIT */
/* command.h - short commands of the site (scontrol, qstat), run for the worker: their outputs are its answer. */
#ifndef HQI_HELPER_COMMAND_H
#define HQI_HELPER_COMMAND_H

#include <stdint.h>

#include "helper/child.h"
#include "helper/outbox.h"
#include "helper/spawn.h"

struct commands {
    struct loop *loop; /* borrowed, as all of these */
    struct spawner *spawner;
    struct children *children;
    struct outbox *outbox;
    char *const *environment;
};

/* Answers in any case: what cannot be run has status -1 and the reason as its stderr. timeout_ms 0: none. */
void hqi_helper_command_run(struct commands *all, uint64_t tag, const struct bytes *argv, uint32_t n_argv,
                            uint64_t timeout_ms);

#endif
