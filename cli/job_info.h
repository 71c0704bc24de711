/* SPDX-License-Identifier: MIT */
/* job_info.h - what is shown of a job. */
#ifndef CLI_JOB_INFO_H
#define CLI_JOB_INFO_H

#include <jansson.h>

#include "args.h"
#include "hqcore.h"
#include "output.h"

int job_info_run(struct cli *cli, const struct matches *m); /* `hq job info` */

/* The counts of a job's tasks by state (JobStats). */
void job_counts(const hq_doc *job, uint64_t count[HQ_TASK_STATES]);
json_t *job_json(const hq_doc *job); /* as `job list` shows it */
/* The first failed tasks of a job and how many there are; nothing when there are none. */
void job_print_failed(const struct cli *cli, const hq_doc *job);

#endif
