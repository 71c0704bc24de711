/* SPDX-License-Identifier: MIT */
/* wire/session.h - frames and the messages that open and close a session (session.proto).
 *
 * A frame is one ZeroMQ message: a fixed header, then a payload.
 *   bytes 0..3   "hq" 0x01 kind        kind: enum frame_kind
 *   bytes 4..11  session id            little-endian; 0 in HELLO and REFUSE, and in DATA sent before WELCOME came
 *   bytes 12..19 number                of a DATA frame in its direction, from 1; else 0
 *   bytes 20..27 acknowledgement       every DATA frame of the other direction up to this one is safe
 *   bytes 28..   payload */
#ifndef HQI_WIRE_SESSION_H
#define HQI_WIRE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "hqcore/error.h"

#define HQI_FRAME_HEADER 28u

enum frame_kind { /* sent: never renumbered */
    FRAME_HELLO = 1,   /* peer to server: struct hello */
    FRAME_WELCOME = 2, /* server to peer: struct welcome */
    FRAME_REFUSE = 3,  /* server to peer: struct refuse; also "unknown session: say HELLO again" */
    FRAME_DATA = 4,    /* payload of the layer above */
    FRAME_ALIVE = 5,   /* no payload: I am here, and my acknowledgement */
    FRAME_BYE = 6      /* struct refuse as reason: the session ends for good */
};

struct frame {
    uint8_t kind;
    uint64_t session, number, ack;
    struct bytes payload; /* borrowed */
};

void hqi_wire_session_frame_header(uint8_t out[HQI_FRAME_HEADER], const struct frame *f);
int hqi_wire_session_frame_parse(struct frame *ret, struct bytes in, hq_error *err); /* HQ_EPROTO */

struct hello {
    uint32_t version;     /* HQI_WIRE_VERSION */
    struct bytes software; /* "hqcore 0.1.0" */
    struct bytes proof;   /* 32 bytes: BLAKE2b(key = secret, "hq-proof") */
    uint64_t uid;         /* random, of this peer process (or of a worker that survives) */
    uint64_t epoch;       /* grows with each HELLO of this uid */
    uint64_t session;     /* resume this one; 0: a new one */
    uint64_t received;    /* resume: highest number received in order */
    struct bytes token;   /* resume: as given by WELCOME */
    uint64_t early;       /* DATA frames that may have left behind an earlier HELLO of this uid, never answered */
};

struct welcome {
    uint64_t session;
    uint64_t server_epoch;
    struct bytes server_uid;
    uint64_t received; /* resumed: highest number received in order; else 0 */
    bool resumed;
    struct bytes token;
    uint32_t heartbeat_ms; /* both sides say ALIVE at least that often */
    bool durable;          /* the server has a journal */
};

struct refuse {
    int32_t code; /* HQ_E* */
    struct bytes text;
};

/* Encoders append to `out` (sticky failure). Decoders borrow from `mem`: HQ_EPROTO, HQ_ENOMEM. */
void hqi_wire_session_encode_hello(const struct hello *h, struct buf *out);
void hqi_wire_session_encode_welcome(const struct welcome *w, struct buf *out);
void hqi_wire_session_encode_refuse(const struct refuse *r, struct buf *out);
int hqi_wire_session_decode_hello(struct hello *ret, struct bytes in, struct arena *mem, hq_error *err);
int hqi_wire_session_decode_welcome(struct welcome *ret, struct bytes in, struct arena *mem, hq_error *err);
int hqi_wire_session_decode_refuse(struct refuse *ret, struct bytes in, struct arena *mem, hq_error *err);

#endif
