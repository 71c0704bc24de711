/* SPDX-License-Identifier: MIT */
/* reserve.h - what reserve made and apply did not use. */
#ifndef HQI_STATE_RESERVE_H
#define HQI_STATE_RESERVE_H

#include "state/state.h"

void hqi_state_reserve_drop(struct state *st); /* frees all that is pending */

#endif
