/* SPDX-License-Identifier: MIT */
/* columns.h - columns of numbers as they travel: differences modulo 2^32 or 2^64, left out when each value is 0,
 * wide on the wire and narrow in the model. Seen by lib/wire/ only. */
#ifndef HQI_WIRE_COLUMNS_H
#define HQI_WIRE_COLUMNS_H

#include "wire/pb.h"

/* Encoding: NULL when failed, when n is 0, and (wide_*, kept) when each value is 0: the column is left out. */
int32_t *hqi_wire_columns_differ32(struct encode *e, const uint32_t *v, size_t n);
int64_t *hqi_wire_columns_differ64(struct encode *e, const uint64_t *v, size_t n);
uint32_t *hqi_wire_columns_wide8(struct encode *e, const uint8_t *v, size_t n); /* v may be NULL: each is 0 */
uint32_t *hqi_wire_columns_wide16(struct encode *e, const uint16_t *v, size_t n);
uint32_t *hqi_wire_columns_kept32(const uint32_t *v, size_t n); /* v itself, or NULL */

/* Decoding. The sums replace the differences where they stand. */
uint32_t *hqi_wire_columns_sum32(int32_t *v, size_t n);
uint64_t *hqi_wire_columns_sum64(int64_t *v, size_t n);
/* A column of `n_in` values that must be `n`, or 0 where it was left out: then zeros. */
bool hqi_wire_columns_narrow8(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                              uint32_t max, const uint8_t **ret);
bool hqi_wire_columns_narrow16(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                               uint32_t max, const uint16_t **ret);
bool hqi_wire_columns_filled32(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                               const uint32_t **ret);
bool hqi_wire_columns_length(struct decode *d, const char *field, size_t n_in, size_t n); /* n_in must be n */

/* Byte strings as lengths and one blob. */
struct bytes *hqi_wire_columns_cut(struct decode *d, const char *field, const uint32_t *lengths, size_t n,
                                   ProtobufCBinaryData blob); /* NULL: failed; n >= 1 */

#endif
