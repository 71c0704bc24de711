/* SPDX-License-Identifier: MIT */
/* config.h - WorkerConfig and Resource of model.proto, to and from the model. Seen by lib/wire/ only. */
#ifndef HQI_WIRE_CONFIG_H
#define HQI_WIRE_CONFIG_H

#include "model/config.h"
#include "wire/model.pb-c.h"
#include "wire/pb.h"

Hqcore__WorkerConfig *hqi_wire_config_make(struct encode *e,
                                           const struct worker_config *c); /* NULL: failed */
/* A heap object of its own; NULL: failed, or `in` is missing. */
struct worker_config *hqi_wire_config_read(struct decode *d, const Hqcore__WorkerConfig *in);

Hqcore__Resource **hqi_wire_config_make_resources(struct encode *e, const struct resources *r);
bool hqi_wire_config_read_resources(struct decode *d, Hqcore__Resource **in, size_t n, struct resources *ret);

#endif
