/* SPDX-License-Identifier: MIT */
/* progress.h - a bar that follows jobs until they have ended. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "session.h"

/* Follows the jobs of a selector; returns the exit code. `always`: show jobs that have ended, too, rather than say
 * that there is nothing to wait for. */
int progress_follow(struct session *s, const char *jobs, bool always);

/* The line that shows these jobs (Jobs of client.proto), without what clears the line before. */
void progress_line(struct str *out, const struct cli *cli, const hq_doc *jobs);

#endif
