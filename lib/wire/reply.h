/* SPDX-License-Identifier: MIT */
/* reply.h - replies of client.proto; client.h says what they promise. Seen by lib/wire/ only. */
#ifndef HQI_WIRE_REPLY_H
#define HQI_WIRE_REPLY_H

#include "wire/client.h"

void hqi_wire_reply_encode(const struct reply *r, struct buf *out);
int hqi_wire_reply_decode(struct reply_view *ret, struct bytes in, struct arena *mem, hq_error *err);

#endif
