/* SPDX-License-Identifier: MIT */
/* remains.h - FACT_CLASS and FACT_REMAINS: what stands in a compacted journal for facts that it has no more. */
#ifndef HQI_STATE_REMAINS_H
#define HQI_STATE_REMAINS_H

#include "state/state.h"

int hqi_state_remains_check_class(const struct state *st, const struct fact *f, hq_error *err);
bool hqi_state_remains_reserve_class(struct state *st, const struct fact *f);
void hqi_state_remains_apply_class(struct state *st, struct fact *f);

int hqi_state_remains_check(const struct state *st, const struct fact *f, hq_error *err);
bool hqi_state_remains_reserve(struct state *st, const struct fact *f);
void hqi_state_remains_apply(struct state *st, struct fact *f);

#endif
