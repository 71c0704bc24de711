/* SPDX-License-Identifier: MIT */
/* compaction.h - what compacting a run's journal must not change. Apart from sim.h: both have a disk. */
#ifndef TESTS_SIM_COMPACTION_H
#define TESTS_SIM_COMPACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct compaction {
    struct bytes (*record)(void *user, uint32_t i, uint64_t *position);
    void *user;
    uint32_t n;
    uint64_t digest; /* of the state behind the last record */
    char why[300];
};

/* Writes the records as a journal, in memory, compacts it, and restores; then prunes it, and restores. false: `why`. */
bool compaction_holds(struct compaction *c);

#endif
