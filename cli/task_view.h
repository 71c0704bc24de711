/* SPDX-License-Identifier: MIT */
/* task_view.h - the tasks of a job, one by one, and what is shown of each. */
#ifndef CLI_TASK_VIEW_H
#define CLI_TASK_VIEW_H

#include <jansson.h>

#include "session.h"
#include "table.h"

struct job_view { /* what the rows of a job need; a doc of its own, so that it outlives further requests */
    hq_doc *doc; /* owned; JobInfo */
    uint32_t id;
};

struct task_row {
    uint32_t id;
    int state;
    int32_t code;
    int64_t start_ns, duration_ns; /* -1: not started, not ended */
    uint32_t worker, instance;
    const char *error; /* or NULL */
};

/* The jobs of a selector, in ascending order, with `missing` ids. Returns false: reported. Free both lists. */
bool tasks_jobs(struct session *s, const char *selector, uint32_t **ids, size_t *n, uint32_t **missing,
                size_t *n_missing);

/* False: reported, or (*gone) it does not exist. */
bool job_view_open(struct job_view *v, struct session *s, uint32_t id, bool *gone);
void job_view_close(struct job_view *v);
const char *job_view_hostname(const struct job_view *v, uint32_t worker); /* "N/A": unknown; "" for 0 */

/* Calls `row` for the tasks in `ids` (NULL: all) and `states` (0: all), ascending. False: reported. */
typedef void task_row_fn(void *user, const struct job_view *v, const struct task_row *row);
bool tasks_each(struct session *s, const struct job_view *v, const char *ids, uint32_t states, task_row_fn *row,
                void *user);

/* What the user sees of a failed task. */
void task_error_text(struct str *out, const struct job_view *v, const struct task_row *row);
/* Does it have paths to show: it was started, and not given up? */
bool task_has_paths(const struct task_row *row);
/* cwd, stdout or stderr of a task; false: none (discarded, or its submit is unknown). */
bool task_path(struct str *out, const struct session *s, const struct job_view *v, const struct task_row *row, int which);
void task_makespan(struct str *out, const struct task_row *row); /* empty: never started */
json_t *task_json(const struct session *s, const struct job_view *v, const struct task_row *row);

#endif
