/* SPDX-License-Identifier: MIT */
/* columns.c - packing and unpacking columns, one pass each: these loops run once for every task of a busy
 * server, everything else here once for a batch. No value of a peer can overflow: sums wrap by definition. */
#include "wire/columns.h"

#include <string.h>

int32_t *hqi_wire_columns_differ32(struct encode *e, const uint32_t *v, size_t n)
{
    int32_t *out = hqi_wire_pb_array(e, n, sizeof *out);
    uint32_t last = 0;
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (int32_t)(v[i] - last);
        last = v[i];
    }
    return out;
}

int64_t *hqi_wire_columns_differ64(struct encode *e, const uint64_t *v, size_t n)
{
    int64_t *out = hqi_wire_pb_array(e, n, sizeof *out);
    uint64_t last = 0;
    for (size_t i = 0; out && i < n; i++) {
        out[i] = (int64_t)(v[i] - last);
        last = v[i];
    }
    return out;
}

static bool all_zero(const void *v, size_t size)
{
    const char *p = v;
    return size == 0 || (p[0] == 0 && memcmp(p, p + 1, size - 1) == 0);
}

uint32_t *hqi_wire_columns_wide8(struct encode *e, const uint8_t *v, size_t n)
{
    if (!v || all_zero(v, n))
        return NULL;
    uint32_t *out = hqi_wire_pb_array(e, n, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = v[i];
    return out;
}

uint32_t *hqi_wire_columns_wide16(struct encode *e, const uint16_t *v, size_t n)
{
    if (!v || all_zero(v, n * sizeof *v))
        return NULL;
    uint32_t *out = hqi_wire_pb_array(e, n, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = v[i];
    return out;
}

uint32_t *hqi_wire_columns_kept32(const uint32_t *v, size_t n)
{
    return v && !all_zero(v, n * sizeof *v) ? (uint32_t *)v : NULL; /* protobuf-c only reads it */
}

uint32_t *hqi_wire_columns_sum32(int32_t *v, size_t n)
{
    uint32_t *out = (uint32_t *)v, sum = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = sum += (uint32_t)v[i];
    return out;
}

uint64_t *hqi_wire_columns_sum64(int64_t *v, size_t n)
{
    uint64_t *out = (uint64_t *)v, sum = 0;
    for (size_t i = 0; i < n; i++)
        out[i] = sum += (uint64_t)v[i];
    return out;
}

bool hqi_wire_columns_length(struct decode *d, const char *field, size_t n_in, size_t n)
{
    return n_in == n ||
           hqi_wire_pb_fail(d, HQ_EPROTO, "%s has %zu values, the other columns have %zu", field, n_in, n);
}

bool hqi_wire_columns_narrow8(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                              uint32_t max, const uint8_t **ret)
{
    uint8_t *out = hqi_wire_pb_get(d, n, sizeof *out);
    if (!out || (n_in && !hqi_wire_columns_length(d, field, n_in, n)))
        return false;
    uint32_t largest = 0;
    for (size_t i = 0; i < n_in; i++) {
        largest = in[i] > largest ? in[i] : largest;
        out[i] = (uint8_t)in[i];
    }
    *ret = out;
    return hqi_wire_pb_within(d, field, largest, 0, max);
}

bool hqi_wire_columns_narrow16(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                               uint32_t max, const uint16_t **ret)
{
    uint16_t *out = hqi_wire_pb_get(d, n, sizeof *out);
    if (!out || (n_in && !hqi_wire_columns_length(d, field, n_in, n)))
        return false;
    uint32_t largest = 0;
    for (size_t i = 0; i < n_in; i++) {
        largest = in[i] > largest ? in[i] : largest;
        out[i] = (uint16_t)in[i];
    }
    *ret = out;
    return hqi_wire_pb_within(d, field, largest, 0, max);
}

bool hqi_wire_columns_filled32(struct decode *d, const char *field, const uint32_t *in, size_t n_in, size_t n,
                               const uint32_t **ret)
{
    *ret = n_in ? in : hqi_wire_pb_get(d, n, sizeof **ret);
    return *ret && (!n_in || hqi_wire_columns_length(d, field, n_in, n));
}

struct bytes *hqi_wire_columns_cut(struct decode *d, const char *field, const uint32_t *lengths, size_t n,
                                   ProtobufCBinaryData blob)
{
    struct bytes *out = hqi_wire_pb_get(d, n, sizeof *out);
    size_t at = 0;
    for (size_t i = 0; out && i < n; i++) {
        if (lengths[i] > blob.len - at) {
            hqi_wire_pb_fail(d, HQ_EPROTO, "%s: the lengths add up to more than the %zu bytes", field,
                             blob.len);
            return NULL;
        }
        out[i] = (struct bytes){lengths[i] ? (const char *)blob.data + at : "", lengths[i]};
        at += lengths[i];
    }
    if (out && at != blob.len) {
        hqi_wire_pb_fail(d, HQ_EPROTO, "%s: the lengths add up to %zu of %zu bytes", field, at, blob.len);
        return NULL;
    }
    return out;
}
