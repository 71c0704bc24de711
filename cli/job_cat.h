/* SPDX-License-Identifier: MIT */
/* job_cat.h - `hq job cat`: prints what tasks have written. */
#ifndef CLI_JOB_CAT_H
#define CLI_JOB_CAT_H

#include "args.h"

int job_cat_run(struct cli *cli, const struct matches *m);
extern const struct arg job_cat_args[];

#endif
