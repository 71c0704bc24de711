/* SPDX-License-Identifier: MIT */
/* wire/worker.h - messages between a server and its workers (worker.proto). */
#ifndef HQI_WIRE_WORKER_H
#define HQI_WIRE_WORKER_H

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/load.h"
#include "model/report.h"

/* Worker to server: one of these per DATA frame. */
enum from_worker_kind { FROM_WORKER_REGISTER = 1, FROM_WORKER_REPORT = 2, FROM_WORKER_ENDING = 3, FROM_WORKER_OVERVIEW = 4 };

struct from_worker {
    uint8_t kind;
    union {
        struct {
            struct worker_config *config; /* decoded: the caller takes it */
            const struct attach *attach;  /* NULL: it was never registered before */
        } hello; /* REGISTER */
        struct report report;
        uint8_t ending; /* enum hq_worker_end: the worker ends by itself, for this reason; nothing follows */
        const struct node_load *overview;
    } u;
};

/* Server to worker: one batch per DATA frame. `registered` comes first in a session, once. */
struct registered {
    hq_worker_id worker;
    struct bytes server_uid;
    uint64_t idle_timeout_ms; /* of the server; 0: none */
    struct bytes token;       /* HQI_TOKEN_BYTES, or empty */
    bool durable;             /* the server has a journal */
};

struct to_worker_batch {
    bool has_registered;
    struct registered registered;
    const struct to_worker *items;
    uint32_t n;
};

/* Encoders append; failures are sticky in `out`. Columns are delta-coded packed scalars. */
void hqi_wire_worker_encode_from(const struct from_worker *m, struct buf *out);
void hqi_wire_worker_encode_to(const struct to_worker_batch *m, struct buf *out);
/* Decoders: everything lives in `mem`, but config and each TO_WORKER_SPEC's spec are heap objects of their own that the
 * caller takes (free with hqi_model_*_free). Counts and ranges are checked; HQ_EPROTO, HQ_ELIMIT, HQ_ENOMEM. */
int hqi_wire_worker_decode_from(struct from_worker *ret, struct bytes in, const struct alloc *a, struct arena *mem,
                                hq_error *err);
int hqi_wire_worker_decode_to(struct to_worker_batch *ret, struct bytes in, const struct alloc *a, struct arena *mem,
                              hq_error *err);

#endif
