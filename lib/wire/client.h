/* SPDX-License-Identifier: MIT */
/* wire/client.h - commands and replies between clients and a server (client.proto). */
#ifndef HQI_WIRE_CLIENT_H
#define HQI_WIRE_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/error.h"
#include "model/command.h"
#include "model/doc.h"
#include "model/reply.h"

/* Appends; failures are sticky in `out`. */
void hqi_wire_client_encode_command(const struct command *c, struct buf *out);
void hqi_wire_client_encode_reply(const struct reply *r, struct buf *out);

/* All that *ret points to lives in `mem`, but for a submit's spec, which is a heap object of its own
 * (allocator `a`) that the caller takes. Checks limits and shapes, not meaning. HQ_EPROTO, HQ_ELIMIT, HQ_ENOMEM;
 * on failure ret->id is still set when it could be read, so that the peer can be answered. */
int hqi_wire_client_decode_command(struct command *ret, struct bytes in, const struct alloc *a, struct arena *mem,
                                   hq_error *err);

/* What a client reads from a reply: typed where it is hot, a tree for the rest. */
struct reply_view {
    uint64_t id;
    int32_t code;
    struct bytes text;
    uint8_t kind;
    hq_job_id job;            /* submit, job_open */
    uint64_t credit;          /* submit, part */
    uint64_t change;          /* jobs */
    uint32_t next;            /* jobs, workers: next page */
    struct task_page tasks;   /* task_page: columns decoded into `mem` */
    const struct hq_doc *doc; /* the body of any other kind as a tree: field names of client.proto; NULL if none */
};
int hqi_wire_client_decode_reply(struct reply_view *ret, struct bytes in, struct arena *mem, hq_error *err);

#endif
