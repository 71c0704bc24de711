/* SPDX-License-Identifier: MIT */
/* pb.h - the ground that every codec of this directory stands on: protobuf-c over our memory, and the checks of
 * what a peer sent. Seen by lib/wire/ only.
 *
 * Both ways a context carries a sticky failure, so that a codec reads as a list of fields. */
#ifndef HQI_WIRE_PB_H
#define HQI_WIRE_PB_H

#include <stdbool.h>
#include <stdint.h>

#include <protobuf-c/protobuf-c.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "hqcore/error.h"

/* What one unpacked message may take of memory. Two bytes on the wire can become a hundred here, so the limit on
 * messages alone would let a peer claim gigabytes; the largest honest message (10^6 outcomes) needs 150 MB. */
#define PB_BUDGET ((size_t)256 << 20)
/* Tokens, uids and other short bytes of this protocol. */
#define PB_SHORT 64u

/* ---- model to bytes ---- */

struct encode {
    struct arena mem; /* the messages in the making */
    bool failed;
};

void hqi_wire_pb_encode_init(struct encode *e, const struct buf *out);
/* Packs `message` unless something failed before (then `out` is marked as failed), and frees what was made. */
void hqi_wire_pb_encode_finish(struct encode *e, const void *message, struct buf *out);
/* The same for whoever encodes again and again: `mem` is kept from one to the next, and so is `out`, which gets room() bytes: they are
 * found without a look at each number. */
void hqi_wire_pb_encode_init_kept(struct encode *e, struct arena *mem);
void hqi_wire_pb_encode_finish_kept(struct encode *e, const void *message, struct arena *mem, struct buf *out);
size_t hqi_wire_pb_room(const void *message); /* at least what it takes when packed; from 1 MiB on just that */
void *hqi_wire_pb_message(struct encode *e, const ProtobufCMessageDescriptor *d); /* NULL: failed */
void *hqi_wire_pb_array(struct encode *e, size_t n, size_t size); /* uninitialised; NULL: failed, or n is 0 */
void *hqi_wire_pb_list(struct encode *e, const ProtobufCMessageDescriptor *d,
                       size_t n); /* n pointers to messages; ditto */
char *hqi_wire_pb_string(struct encode *e, struct bytes b);
ProtobufCBinaryData *hqi_wire_pb_bytes_list(struct encode *e, const struct bytes *v, size_t n);

static inline ProtobufCBinaryData hqi_wire_pb_bytes(struct bytes b)
{
    return (ProtobufCBinaryData){b.n, (uint8_t *)b.p}; /* protobuf-c only reads it */
}

/* ---- bytes to model ---- */

struct decode {
    const struct alloc *alloc; /* of specs and configs; may be NULL where none occur */
    struct arena *mem;
    hq_error *err;
    int code; /* HQ_OK, or why it failed */
};

/* Every block of an unpacked message is followed by a NUL: its bytes fields are strings too. NULL: failed. */
void *hqi_wire_pb_unpack(struct decode *d, const ProtobufCMessageDescriptor *desc, struct bytes in,
                         size_t budget);
bool hqi_wire_pb_fail(struct decode *d, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));                      /* false */
void *hqi_wire_pb_get(struct decode *d, size_t n, size_t size); /* zeroed, in d->mem; NULL: failed */

/* Checks; `field` is "Message.field". Each returns false after hqi_wire_pb_fail. */
bool hqi_wire_pb_name(struct decode *d, const char *field, const char *in, size_t max,
                      struct bytes *ret); /* UTF-8 */
bool hqi_wire_pb_text(struct decode *d, const char *field, ProtobufCBinaryData in, size_t max,
                      struct bytes *ret); /* no NUL */
bool hqi_wire_pb_blob(struct decode *d, const char *field, ProtobufCBinaryData in, size_t max,
                      struct bytes *ret);
bool hqi_wire_pb_texts(struct decode *d, const char *field, const ProtobufCBinaryData *in, size_t n,
                       size_t max_n, const struct bytes **ret, uint32_t *n_ret);
bool hqi_wire_pb_within(struct decode *d, const char *field, uint64_t value, uint64_t min, uint64_t max);
bool hqi_wire_pb_count(struct decode *d, const char *field, size_t n, size_t max); /* HQ_ELIMIT */
bool hqi_wire_pb_given(struct decode *d, const char *field,
                       const void *message); /* a submessage that must be there */
bool hqi_wire_pb_utf8(const char *s, size_t n);

#endif
