/* SPDX-License-Identifier: MIT */
/* load.h - NodeLoad of model.proto, to and from the model. Seen by lib/wire/ only. */
#ifndef HQI_WIRE_LOAD_H
#define HQI_WIRE_LOAD_H

#include "model/load.h"
#include "wire/model.pb-c.h"
#include "wire/pb.h"

Hqcore__NodeLoad *hqi_wire_load_make(struct encode *e, const struct node_load *l); /* NULL: failed */
/* In d->mem, and as long as the message; NULL: failed, or `in` is missing. */
const struct node_load *hqi_wire_load_read(struct decode *d, const Hqcore__NodeLoad *in);

#endif
