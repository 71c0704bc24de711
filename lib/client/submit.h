/* SPDX-License-Identifier: MIT */
/* submit.h - what a builder has gathered, until it is sent. Private to this directory. */
#ifndef HQI_CLIENT_SUBMIT_H
#define HQI_CLIENT_SUBMIT_H

#include "base/buf.h"
#include "base/limits.h"
#include "client/client.h"
#include "model/spec.h"

struct hq_submit {
    hq_ctx *ctx;           /* borrowed */
    struct arena *mem;     /* owned: everything that pointers below point to */
    hq_error failed;       /* the first error; code HQ_OK: none */
    struct bytes name;     /* n 0: from the program */
    hq_job_id job;
    bool has_ids;          /* an array was given; it may be empty */
    struct intset ids;
    const struct bytes *argv;
    uint32_t n_argv;
    struct buf env;        /* of struct env_var */
    struct bytes cwd;      /* n 0: the default */
    struct stdio_spec out, err; /* kind 0: the default */
    struct bytes stdin_data;
    struct buf blob;       /* entries, one behind the other */
    struct buf ends;       /* uint64_t: 0, then the end of each */
    struct request_entry resources[HQI_MAX_RESOURCES];
    uint32_t n_resources;
    int32_t priority;
    uint64_t time_limit_ms, time_request_ms;
    uint32_t max_fails, crash_limit;
    uint8_t pin;
    bool task_dir, events;
};

/* What is sent: borrows from the builder, and from `mem` where something had to be made. */
struct submit_message {
    struct spec spec;
    struct resource_request request;
    struct request_variant variant;
    struct request_entry entries[HQI_MAX_RESOURCES];
    struct entries all; /* the entries; in spec, too, unless they are to be uploaded */
    struct bytes name;
    bool upload;
    uint32_t n_auto;
};

int hqi_client_message_make(struct submit_message *ret, struct arena *mem, const struct hq_submit *s, hq_error *err);

#endif
