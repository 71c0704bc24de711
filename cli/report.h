/* SPDX-License-Identifier: MIT */
/* report.h - `hq journal report`. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "args.h"

int report_run(struct cli *cli, const struct matches *m);

#endif
