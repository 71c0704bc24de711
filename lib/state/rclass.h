/* SPDX-License-Identifier: MIT */
/* rclass.h - classes of equal requests, and the ids of resource names. */
#ifndef HQI_STATE_RCLASS_H
#define HQI_STATE_RCLASS_H

#include "state/state.h"

#define RESOURCE_UNKNOWN UINT32_MAX /* no worker has it */

/* ---- names of resources ---- */

uint32_t hqi_state_rclass_resource(const struct state *st, struct bytes name); /* id or RESOURCE_UNKNOWN */
/* Keeps a copy in st->pending for apply, if the name is new. */
bool hqi_state_rclass_resource_reserve(struct state *st, struct bytes name);
uint32_t hqi_state_rclass_resource_link(struct state *st, struct bytes name); /* the id, given now if it is new */

/* ---- classes ---- */

struct rclass *hqi_state_rclass_find(const struct state *st, const struct resource_request *r); /* or NULL */
/* Not linked; makes room for it, and its names pending. NULL: no memory. */
struct rclass *hqi_state_rclass_new(struct state *st, const struct resource_request *r);
void hqi_state_rclass_link(struct state *st, struct rclass *c); /* takes it, gives it its id */
void hqi_state_rclass_free(const struct state *st, struct rclass *c);

#endif
