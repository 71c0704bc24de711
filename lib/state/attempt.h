/* SPDX-License-Identifier: MIT */
/* attempt.h - tasks that are handed out: from the queue to a worker, and from there to their end or back. */
#ifndef HQI_STATE_ATTEMPT_H
#define HQI_STATE_ATTEMPT_H

#include "state/state.h"

struct outcome {
    uint8_t state; /* a terminal one */
    uint8_t variant;
    uint16_t code;
    bool started; /* else start and duration do not count */
    uint64_t start_ms, duration_ms;
    struct bytes text; /* borrowed */
};

/* Ends an attempt, and its task, for good. `wc` is what its worker has of its class. */
void hqi_state_attempt_settle(struct state *st, struct piece *p, struct wclass *wc, const struct outcome *o,
                              uint64_t utc_ms);

void hqi_state_attempt_apply_handout(struct state *st, struct fact *f);
void hqi_state_attempt_apply_retract(struct state *st, struct fact *f);
void hqi_state_attempt_apply_return(struct state *st, struct fact *f);
void hqi_state_attempt_apply_started(struct state *st, struct fact *f);
void hqi_state_attempt_apply_ended(struct state *st, struct fact *f);
void hqi_state_attempt_apply_adopt(struct state *st, struct fact *f);
void hqi_state_attempt_apply_refused(struct state *st, struct fact *f);
void hqi_state_attempt_apply_crashed(struct state *st, struct fact *f);
void hqi_state_attempt_apply_lost(struct state *st, struct fact *f);

#endif
