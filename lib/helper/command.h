/* SPDX-License-Identifier: MIT */
/* command.h - short commands of the site (scontrol, qstat, nvidia-smi): what they print is their answer. */
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

/* `status` is an exit code; -1: could not run (`err` says why), timed out, or killed by a signal. The outputs are borrowed. */
struct command_end {
    void (*run)(void *user, int32_t status, struct bytes out, struct bytes err);
    void *user;
};

/* Calls end.run once, perhaps before it returns; not before the process has ended: one that cannot be killed takes as long as it
 * likes. timeout_ms 0: none. */
void hqi_helper_command_start(struct commands *all, const struct bytes *argv, uint32_t n_argv, uint64_t timeout_ms,
                              struct command_end end);
/* For the worker: COMMAND of that tag is the answer, in any case. */
void hqi_helper_command_run(struct commands *all, uint64_t tag, const struct bytes *argv, uint32_t n_argv,
                            uint64_t timeout_ms);

#endif
