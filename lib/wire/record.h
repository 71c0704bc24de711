/* SPDX-License-Identifier: MIT */
/* wire/record.h - facts as bytes (record.proto): what a journal stores, one record per batch of facts. */
#ifndef HQI_WIRE_RECORD_H
#define HQI_WIRE_RECORD_H

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/fact.h"

void hqi_wire_record_encode(const struct fact *facts, uint32_t n, struct buf *out);
/* The same, with memory that is kept from one record to the next; what it held is forgotten. */
void hqi_wire_record_encode_in(struct arena *mem, const struct fact *facts, uint32_t n, struct buf *out);
/* An unknown kind of fact is HQ_EVERSION, unknown fields are ignored. Specs and configs are heap objects (allocator
 * `a`) that apply() takes; all else lives in `mem`. */
int hqi_wire_record_decode(struct fact **facts, uint32_t *n, struct bytes in, const struct alloc *a,
                           struct arena *mem, hq_error *err);
/* Frees the specs and configs that nobody took (those still non-NULL). */
void hqi_wire_record_drop(struct fact *facts, uint32_t n);

#endif
