/* SPDX-License-Identifier: MIT */
/* submit.h - `hq submit`: from command line to hq_submit. */
#ifndef CLI_SUBMIT_H
#define CLI_SUBMIT_H

#include "args.h"
#include "hqcore.h"

#define SUBMIT_ABOUT "Submit a job: one program, run once or as an array of tasks"
#define SUBMIT_MORE \
    "Options stand before the command; everything behind its first word belongs to it. Paths may hold placeholders: " \
    "%{JOB_ID}, %{TASK_ID}, %{INSTANCE_ID}, %{SUBMIT_DIR}, %{CWD}, %{SERVER_UID}."

extern const struct arg submit_task_args[];    /* what tasks run, and how */
extern const struct arg submit_args[];         /* what else `hq submit` takes */
extern const struct arg submit_command_args[]; /* the command */

int submit_run(struct cli *cli, const struct matches *m);

/* Fills the builder from submit_task_args and the command. False: reported. */
bool submit_fill(struct cli *cli, const struct matches *m, hq_submit *submit);
bool submit_name_ok(struct cli *cli, const char *name); /* NULL is; false: reported */

#endif
