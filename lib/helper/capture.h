/* SPDX-License-Identifier: MIT */
/* capture.h - what a child writes into a pipe, up to a limit; the rest is read and dropped, so that the child does
 * not block. */
#ifndef HQI_HELPER_CAPTURE_H
#define HQI_HELPER_CAPTURE_H

#include <stdbool.h>

#include "base/buf.h"
#include "loop/loop.h"

struct capture {
    struct loop_source source;
    struct loop *loop; /* borrowed; NULL: not open */
    struct buf data;
    size_t limit;
};

/* *write_end is the caller's to close, once the child has it. */
int hqi_helper_capture_open(struct capture *c, struct loop *loop, size_t limit, int *write_end,
                            hq_error *err);
/* The child has ended: reads what is there, without waiting for others that hold the pipe. */
void hqi_helper_capture_finish(struct capture *c);
void hqi_helper_capture_fini(struct capture *c); /* a zeroed one is fine */

#endif
