/* SPDX-License-Identifier: MIT */
/* submit_view.h - what a submit asks for, as text and as JSON: SubmitInfo of client.proto. */
#ifndef CLI_SUBMIT_VIEW_H
#define CLI_SUBMIT_VIEW_H

#include <jansson.h>

#include "fields.h"
#include "hqcore.h"

enum { VIEW_CWD, VIEW_STDOUT, VIEW_STDERR }; /* as `which` of hq_tools_task_path */

void submit_request_text(struct str *out, const hq_doc *submit); /* "cpus: 2 compact" and more lines */
void submit_command_text(struct str *out, const hq_doc *submit); /* an argument a line */
void submit_env_text(struct str *out, const hq_doc *submit);     /* sorted, without HQ_* */
const char *submit_policy_text(const char *json); /* "compact!" of "ForceCompact", as events have it */
const char *submit_pin_text(const hq_doc *submit);
void submit_crash_limit_text(struct str *out, const hq_doc *submit);

/* A path as it is known before any of the tasks starts: the placeholders of a task stay. "<None>" where there is no
 * file. */
const char *submit_path_text(const hq_doc *submit, int which);

json_t *submit_json(const hq_doc *submit); /* {"array": ...} */

/* Does the submit have this task? */
bool submit_has(const hq_doc *submit, uint32_t task);
/* That submit of a job (JobInfo), or NULL. */
const hq_doc *submit_of(const hq_doc *job, uint32_t task);
/* Ids of all tasks of a job: as they were given, or merged where there are several submits. */
void submit_ids_text(struct str *out, const hq_doc *job, bool merge);

#endif
