/* SPDX-License-Identifier: MIT */
/* submit_warn.h - what may be wrong with a submit without being an error. */
#ifndef CLI_SUBMIT_WARN_H
#define CLI_SUBMIT_WARN_H

#include "output.h"

/* The options as typed; NULL: not given. */
struct submit_paths {
    const char *cwd, *out, *err;
    uint64_t n_ids; /* of --array; 0 without */
};
void submit_warn(struct cli *cli, const struct submit_paths *p);

#endif
