/* SPDX-License-Identifier: MIT */
/* cancel.h - giving up all of a job that has not ended. */
#ifndef HQI_STATE_CANCEL_H
#define HQI_STATE_CANCEL_H

#include "state/state.h"

void hqi_state_cancel_apply_cancel(struct state *st, struct fact *f);
void hqi_state_cancel_apply_abort(struct state *st, struct fact *f);

#endif
