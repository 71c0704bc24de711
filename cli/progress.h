/* SPDX-License-Identifier: MIT */
/* progress.h - a bar that follows jobs until they have ended. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include "session.h"

/* Follows the jobs of a selector; returns the exit code. `always`: show jobs that have ended, too, rather than say
 * that there is nothing to wait for. */
int progress_follow(struct session *s, const char *jobs, bool always);

/* Shows these jobs (Jobs of client.proto) in a line, in place of the one before; clearing takes it away. */
void progress_draw(struct cli *cli, const hq_doc *jobs);
void progress_clear(struct cli *cli);

/* The line, for a terminal of so many columns. What it is longer than that the bar gives first, then its own end: a line that
 * wraps could not be cleared. */
void progress_line(struct str *out, const struct cli *cli, const hq_doc *jobs, size_t columns);

#endif
