/* SPDX-License-Identifier: MIT */
/* task.c - `hq task list` and `hq task info`. */
#include "task.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choices.h"
#include "fields.h"
#include "format.h"
#include "json.h"
#include "submit_view.h"
#include "task_view.h"

#define LIST_ERROR_MAX 16  /* bytes of an error that a list shows without -v */
#define INFO_ERROR_MAX 237 /* and `task info` */

struct listing {
    struct session *s;
    struct table table;
    json_t *rows; /* of the job at hand; borrowed */
    bool with_job, verbose, cut;
    size_t found; /* tasks of the job at hand */
};

/* The error, cut to `max` bytes (but not within a character) unless -v. */
static void add_error(struct listing *l, const struct job_view *v, const struct task_row *row, size_t max)
{
    struct str text = {0};
    task_error_text(&text, v, row);
    if (!l->verbose && text.len >= max) {
        while (max > 0 && ((unsigned char)text.p[max] & 0xc0) == 0x80)
            max--;
        text.len = max;
        str_add(&text, "...");
        l->cut = true;
    }
    table_add_styled(&l->table, STYLE_RED, str_text(&text));
    str_free(&text);
}

static void list_row(void *user, const struct job_view *v, const struct task_row *row)
{
    struct listing *l = user;
    struct str makespan = {0};
    if (l->rows) {
        json_array_append_new(l->rows, task_json(l->s, v, row));
        return;
    }
    if (l->with_job)
        table_addf(&l->table, "%u", v->id);
    table_addf(&l->table, "%u", row->id);
    table_add_styled(&l->table, format_state_style(row->state), format_state(row->state));
    table_add(&l->table, job_view_hostname(v, row->worker));
    task_makespan(&makespan, row);
    table_add(&l->table, str_text(&makespan));
    add_error(l, v, row, LIST_ERROR_MAX);
    str_free(&makespan);
}

static int list_jobs(struct listing *l, const struct matches *m, const uint32_t *jobs, size_t n, json_t *root)
{
    for (size_t i = 0; i < n; i++) {
        struct job_view v;
        bool gone, ok;
        char key[16];
        if (!job_view_open(&v, l->s, jobs[i], &gone)) {
            if (!gone)
                return 1;
            continue;
        }
        snprintf(key, sizeof key, "%u", jobs[i]);
        if (root) {
            l->rows = json_array();
            json_object_set_new(root, key, l->rows);
        }
        ok = tasks_each(l->s, &v, args_text(m, "tasks"), args_set(m, "task-status"), list_row, l);
        job_view_close(&v);
        if (!ok)
            return 1;
    }
    return 0;
}

static int print_list(struct listing *l, json_t *root)
{
    struct cli *cli = l->s->cli;
    if (root)
        out_json(cli, root);
    else if (cli->mode == OUT_CLI)
        table_print(&l->table);
    if (l->cut && cli->mode == OUT_CLI)
        out_log(cli, LOG_INFO, "An error message was truncated. Use -v to display the full error.");
    return 0;
}

static int run_list(struct cli *cli, const struct matches *m)
{
    static const char *const headers[] = {"Job ID", "Task ID", "State", "Worker", "Makespan", "Error", NULL};
    uint32_t *jobs, *missing;
    size_t n, n_missing;
    struct session s;
    struct listing l = {.s = &s, .verbose = args_has(m, "v")};
    if (!session_open(&s, cli) || !tasks_jobs(&s, args_text(m, "JOB_SELECTOR"), &jobs, &n, &missing, &n_missing)) {
        session_close(&s);
        return 1;
    }
    for (size_t i = 0; i < n_missing; i++)
        out_log(cli, LOG_WARN, "Job %u not found", missing[i]);
    l.with_job = n != 1;
    table_init(&l.table, cli, l.with_job ? headers : headers + 1);
    l.table.right[0] = true;
    l.table.right[1] = l.with_job;
    json_t *root = cli->mode == OUT_JSON ? json_object() : NULL;
    int rc = list_jobs(&l, m, jobs, n, root);
    if (rc == 0)
        print_list(&l, root);
    else
        json_decref(root);
    table_free(&l.table);
    free(jobs);
    free(missing);
    session_close(&s);
    return rc;
}

/* ---- info ---- */

typedef void text_fn(struct str *out, const hq_doc *submit);

static void add_text(struct table *t, const char *key, text_fn *fn, const hq_doc *submit)
{
    struct str text = {0};
    fn(&text, submit);
    table_key(t, key, str_text(&text));
    str_free(&text);
}

static void add_times(struct table *t, const struct task_row *row)
{
    struct str start = {0}, end = {0}, makespan = {0};
    if (row->start_ns >= 0)
        format_local(&start, row->start_ns);
    if (row->start_ns >= 0 && row->duration_ns >= 0)
        format_local(&end, row->start_ns + row->duration_ns);
    task_makespan(&makespan, row);
    table_key(t, "Start", str_text(&start));
    table_key(t, "End", str_text(&end));
    table_key(t, "Makespan", str_text(&makespan));
    str_free(&start);
    str_free(&end);
    str_free(&makespan);
}

static void add_path(struct listing *l, const char *key, const struct job_view *v, const struct task_row *row, int which)
{
    struct str text = {0};
    bool shown = task_has_paths(row);
    if (shown && !task_path(&text, l->s, v, row, which))
        str_add(&text, submit_path_text(submit_of(v->doc, row->id), which));
    table_key(&l->table, key, str_text(&text));
    str_free(&text);
}

static void add_limits(struct table *t, const hq_doc *submit)
{
    struct str text = {0};
    format_exact_ms(&text, field_uint(submit, "time_limit_ms"), "None");
    table_key(t, "Time limit", str_text(&text));
    str_free(&text);
    add_text(t, "Resources", submit_request_text, submit);
    table_add_styled(t, STYLE_BOLD, "Priority");
    table_addf(t, "%lld", (long long)field_int(submit, "priority"));
    table_key(t, "Pin", submit_pin_text(submit));
    table_key(t, "Task dir", field_uint(submit, "task_dir") ? "yes" : "no");
    add_text(t, "Crash limit", submit_crash_limit_text, submit);
    table_key(t, "Dependencies", "");
}

static void info_row(void *user, const struct job_view *v, const struct task_row *row)
{
    struct listing *l = user;
    const hq_doc *submit = submit_of(v->doc, row->id);
    l->found++;
    if (l->rows) {
        json_array_append_new(l->rows, task_json(l->s, v, row));
        return;
    }
    if (l->s->cli->mode != OUT_CLI)
        return;
    table_init(&l->table, l->s->cli, NULL);
    table_add_styled(&l->table, STYLE_BOLD, "Task ID");
    table_addf(&l->table, "%u", row->id);
    table_add_styled(&l->table, STYLE_BOLD, "State");
    table_add_styled(&l->table, format_state_style(row->state), format_state(row->state));
    add_text(&l->table, "Command", submit_command_text, submit);
    add_text(&l->table, "Environment", submit_env_text, submit);
    table_key(&l->table, "Worker", job_view_hostname(v, row->worker));
    add_times(&l->table, row);
    add_path(l, "Workdir", v, row, VIEW_CWD);
    add_path(l, "Stdout", v, row, VIEW_STDOUT);
    add_path(l, "Stderr", v, row, VIEW_STDERR);
    add_limits(&l->table, submit);
    table_add_styled(&l->table, STYLE_BOLD, "Error");
    add_error(l, v, row, INFO_ERROR_MAX);
    table_print(&l->table);
    table_free(&l->table);
}

/* Warns about each id of `ids` that the job does not have. */
static void warn_missing(struct cli *cli, const struct job_view *v, const char *ids)
{
    struct id_cursor cursor = {.text = ids};
    uint32_t id;
    while (choices_next_id(&cursor, &id))
        if (!submit_of(v->doc, id))
            out_log(cli, LOG_WARN, "Task %u not found", id);
}

static int show_tasks(struct listing *l, const struct matches *m, uint32_t job)
{
    struct cli *cli = l->s->cli;
    struct job_view v;
    bool gone;
    const char *ids = args_text(m, "TASK_SELECTOR");
    json_t *rows = cli->mode == OUT_JSON ? json_array() : NULL;
    l->rows = rows;
    if (!job_view_open(&v, l->s, job, &gone)) {
        if (gone)
            out_log(cli, LOG_ERROR, "Cannot find job %u", job);
        json_decref(rows);
        return gone ? 0 : 1;
    }
    bool ok = tasks_each(l->s, &v, ids, 0, info_row, l);
    if (ok && rows)
        out_json(cli, rows);
    else
        json_decref(rows);
    if (ok)
        warn_missing(cli, &v, ids);
    if (ok && l->cut)
        out_log(cli, LOG_INFO, "An error message(s) was truncated. Use -v to display the full error(s).");
    job_view_close(&v);
    return ok ? 0 : 1;
}

static int run_info(struct cli *cli, const struct matches *m)
{
    uint32_t *jobs = NULL, *missing = NULL;
    size_t n, n_missing;
    struct session s;
    struct listing l = {.s = &s, .verbose = args_has(m, "v")};
    int rc = 1;
    if (session_open(&s, cli) && tasks_jobs(&s, args_text(m, "JOB_SELECTOR"), &jobs, &n, &missing, &n_missing)) {
        rc = 0;
        if (n == 1)
            rc = show_tasks(&l, m, jobs[0]);
        else if (n_missing == 1)
            out_log(cli, LOG_ERROR, "Cannot find job %u", missing[0]);
        else
            out_log(cli, LOG_ERROR, "No jobs were found");
    }
    free(jobs);
    free(missing);
    session_close(&s);
    return rc;
}

/* ---- table ---- */

static const struct arg list_args[] = {
    {.name = "JOB_SELECTOR", .value = "JOB_SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_SELECTOR_NOALL,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "Job(s) whose tasks are listed: ids like `1,3-5`, or `last`"},
    {.name = "tasks", .value = "TASKS", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_ARRAY,
     .help = "Only tasks with these ids"},
    {.name = "task-status", .value = "TASK_STATUS", .kind = ARG_CHOICE, .flags = ARG_REPEAT | ARG_COMMAS,
     .choices = choices_states, .help = "Only tasks in these states; a list with commas"},
    {.letter = 'v', .kind = ARG_COUNT, .flags = ARG_REPEAT, .help = "Show whole error messages"},
    {0},
};

static const struct arg info_args[] = {
    {.name = "JOB_SELECTOR", .value = "JOB_SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_SINGLE,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "The job: an id, or `last`"},
    {.name = "TASK_SELECTOR", .value = "TASK_SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_ARRAY,
     .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "The tasks: ids like `1,3-5`"},
    {.letter = 'v', .kind = ARG_COUNT, .flags = ARG_REPEAT, .help = "Show whole error messages"},
    {0},
};

const struct command task_commands[] = {
    {.name = "list", .about = "List the tasks of jobs", .args = {list_args}, .run = run_list},
    {.name = "info", .about = "Show everything about some tasks", .args = {info_args}, .run = run_info},
    {0},
};
