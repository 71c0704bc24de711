/* SPDX-License-Identifier: MIT */
/* job_cat.c - `hq job cat`. Files are read where the command runs: on a cluster, from the shared file system. */
#include "job_cat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "choices.h"
#include "fields.h"
#include "format.h"
#include "submit_view.h"
#include "task_view.h"

#define COPY_SIZE 65536

static const char *const streams[] = {"stdout", "stderr", NULL};

struct cat {
    struct session *s;
    int which; /* VIEW_STDOUT or VIEW_STDERR */
    bool headers;
    size_t found;
};

static bool copy_file(int fd)
{
    static char buffer[COPY_SIZE];
    ssize_t n;
    while ((n = read(fd, buffer, sizeof buffer)) > 0)
        if (fwrite(buffer, 1, (size_t)n, stdout) != (size_t)n)
            return true; /* told once, at the end */
    return n == 0;
}

static void cat_row(void *user, const struct job_view *v, const struct task_row *row)
{
    struct cat *c = user;
    struct cli *cli = c->s->cli;
    struct str path = {0};
    char why[ERRNO_MAX];
    c->found++;
    if (c->headers)
        printf("# Job %u, task %u\n", v->id, row->id);
    if (!task_has_paths(row) || !task_path(&path, c->s, v, row, c->which)) {
        out_log(cli, LOG_WARN, "Task %u has no `%s` stream associated with it", row->id, streams[c->which - VIEW_STDOUT]);
        str_free(&path);
        return;
    }
    int fd = open(str_text(&path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        out_log(cli, LOG_WARN, "File at `%s` cannot be opened: %s", str_text(&path), format_errno(errno, why));
    else if (!copy_file(fd))
        out_log(cli, LOG_WARN, "File at `%s` cannot be read: %s", str_text(&path), format_errno(errno, why));
    if (fd >= 0)
        close(fd);
    str_free(&path);
}

static void warn_missing(struct cli *cli, const struct job_view *v, const char *ids)
{
    struct id_cursor cursor = {.text = ids};
    uint32_t id;
    while (choices_next_id(&cursor, &id))
        if (!submit_of(v->doc, id))
            out_log(cli, LOG_WARN, "Task %u of job %u not found", id, v->id);
}

static bool cat_job(struct cat *c, const struct matches *m, uint32_t id)
{
    struct job_view v;
    bool gone;
    const char *tasks = args_text(m, "tasks");
    if (!job_view_open(&v, c->s, id, &gone)) {
        if (gone)
            out_log(c->s->cli, LOG_ERROR, "Job %u was not found", id);
        return gone;
    }
    if (tasks)
        warn_missing(c->s->cli, &v, tasks);
    c->found = 0;
    bool ok = tasks_each(c->s, &v, tasks, args_set(m, "task-status"), cat_row, c);
    if (ok && c->found == 0)
        out_log(c->s->cli, LOG_WARN, "No tasks were selected for job %u, there is nothing to print", id);
    job_view_close(&v);
    return ok;
}

int job_cat_run(struct cli *cli, const struct matches *m)
{
    uint32_t *ids = NULL, *missing = NULL;
    size_t n = 0, n_missing = 0, i = 0;
    struct session s;
    struct cat c = {.s = &s, .which = VIEW_STDOUT + (int)args_number(m, "STREAM", 0),
                    .headers = args_has(m, "print-task-header")};
    bool ok = session_open(&s, cli);
    if (ok && cli->mode == OUT_JSON) {
        out_fail(cli, NULL, "JSON output mode doesn't support job output");
        ok = false;
    }
    ok = ok && tasks_jobs(&s, args_text(m, "JOB_SELECTOR"), &ids, &n, &missing, &n_missing);
    while (ok && i < n)
        ok = cat_job(&c, m, ids[i++]);
    for (i = 0; ok && i < n_missing; i++)
        out_log(cli, LOG_ERROR, "Job %u was not found", missing[i]);
    if (ok && n + n_missing == 0)
        out_log(cli, LOG_ERROR, "No jobs were found");
    free(ids);
    free(missing);
    session_close(&s);
    return ok ? 0 : 1;
}

const struct arg job_cat_args[] = {
    {.name = "JOB_SELECTOR", .value = "JOB_SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_SELECTOR_NOALL,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "Job(s) whose outputs are printed: ids like `1,3-5`, or `last`"},
    {.name = "STREAM", .value = "STREAM", .kind = ARG_CHOICE, .choices = streams,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "Which of the two outputs"},
    {.name = "tasks", .value = "TASKS", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_ARRAY,
     .help = "Only tasks with these ids"},
    {.name = "task-status", .value = "TASK_STATUS", .kind = ARG_CHOICE, .flags = ARG_REPEAT | ARG_COMMAS,
     .choices = choices_states, .help = "Only tasks in these states; a list with commas"},
    {.name = "print-task-header", .kind = ARG_FLAG, .help = "Print a line before the output of each task"},
    {0},
};
