/* SPDX-License-Identifier: MIT */
/* job_info.c - `hq job info`. */
#include "job_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "json.h"
#include "submit_view.h"
#include "task_view.h"

#define WORKERS_SHOWN 2
#define ERROR_MAX 4096 /* of one task's error text */

void job_counts(const hq_doc *job, uint64_t count[HQ_TASK_STATES])
{
    for (int state = 0; state < HQ_TASK_STATES; state++)
        count[state] = field_uint(hq_doc_get(job, "stats"), format_state_lower(state));
}

/* ---- table ---- */

/* A word for a single task, else a bar and the counts that are not zero. */
static void state_text(struct str *out, const struct cli *cli, const hq_doc *job)
{
    static const struct {
        int state;
        enum style style;
    } order[] = {
        {HQ_TASK_RUNNING, STYLE_YELLOW},   {HQ_TASK_FAILED, STYLE_RED},   {HQ_TASK_FINISHED, STYLE_GREEN},
        {HQ_TASK_CANCELED, STYLE_MAGENTA}, {HQ_TASK_WAITING, STYLE_CYAN}, {HQ_TASK_ABORTED, STYLE_BRIGHT_RED},
    };
    uint64_t count[HQ_TASK_STATES], total = field_uint(job, "stats.total");
    job_counts(job, count);
    if (total == 1) {
        int state = (int)field_uint(job, "state");
        out_style(out, cli, format_state_style(state), format_state(state));
        return;
    }
    format_bar(out, cli, count, total, BAR_WIDTH);
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        struct str line = {0};
        if (count[order[i].state] == 0)
            continue;
        str_addf(&line, "%s (%llu)", format_state(order[i].state), (unsigned long long)count[order[i].state]);
        str_add(out, "\n");
        out_style(out, cli, order[i].style, line.p);
        str_free(&line);
    }
}

static void workers_text(struct str *out, const hq_doc *job)
{
    size_t n = field_len(job, "workers");
    for (size_t i = 0; i < n && i < WORKERS_SHOWN; i++)
        str_addf(out, "%s%s", i ? "," : "", field_text(field_at(job, "workers", i), "hostname"));
    if (n > WORKERS_SHOWN)
        str_addf(out, ", … (%zu total)", n);
}

static void tasks_text(struct str *out, const hq_doc *job)
{
    struct str ids = {0};
    submit_ids_text(&ids, job, field_len(job, "submits") > 1);
    str_addf(out, "%llu", (unsigned long long)field_uint(job, "stats.total"));
    if (field_len(job, "submits") > 0)
        str_addf(out, "; Ids: %s", str_text(&ids));
    str_free(&ids);
}

typedef void text_fn(struct str *out, const hq_doc *doc);

static void add_text(struct table *t, const char *key, text_fn *fn, const hq_doc *doc)
{
    struct str text = {0};
    fn(&text, doc);
    table_key(t, key, str_text(&text));
    str_free(&text);
}

static void add_submit(struct table *t, const hq_doc *submit)
{
    struct str limit = {0};
    add_text(t, "Resources", submit_request_text, submit);
    table_key(t, "Pin", submit_pin_text(submit));
    table_add_styled(t, STYLE_BOLD, "Priority");
    table_addf(t, "%lld", (long long)field_int(submit, "priority"));
    add_text(t, "Command", submit_command_text, submit);
    table_key(t, "Stdout", submit_path_text(submit, VIEW_STDOUT));
    table_key(t, "Stderr", submit_path_text(submit, VIEW_STDERR));
    add_text(t, "Environment", submit_env_text, submit);
    table_key(t, "Working directory", submit_path_text(submit, VIEW_CWD));
    format_exact_ms(&limit, field_uint(submit, "time_limit_ms"), "None");
    table_key(t, "Task time limit", str_text(&limit));
    add_text(t, "Crash limit", submit_crash_limit_text, submit);
    str_free(&limit);
}

static void add_dates(struct table *t, const hq_doc *job, const hq_doc *only)
{
    struct str date = {0}, makespan = {0};
    uint64_t start = field_uint(job, "submitted_ms"), end = field_uint(job, "ended_ms");
    format_utc(&date, start);
    table_key(t, "Submission date", str_text(&date));
    if (only)
        table_key(t, "Submission directory", field_text(only, "submit_dir"));
    format_rough(&makespan, (end ? (int64_t)end * NS_PER_MS : format_now()) - (int64_t)start * NS_PER_MS);
    table_key(t, "Makespan", str_text(&makespan));
    str_free(&date);
    str_free(&makespan);
}

static void print_job(const struct cli *cli, const hq_doc *job)
{
    struct table t;
    struct str state = {0};
    const hq_doc *only = field_len(job, "submits") == 1 ? field_at(job, "submits", 0) : NULL;
    table_init(&t, cli, NULL);
    table_add_styled(&t, STYLE_BOLD, "ID");
    table_addf(&t, "%llu", (unsigned long long)field_uint(job, "id"));
    table_key(&t, "Name", field_text(job, "name"));
    state_text(&state, cli, job);
    table_add_styled(&t, STYLE_BOLD, "State");
    table_add_raw(&t, &state);
    table_key(&t, "Cancel Reason", field_text(job, "cancel_reason"));
    table_key(&t, "Session", field_uint(job, "open") ? "open" : "closed");
    add_text(&t, "Tasks", tasks_text, job);
    add_text(&t, "Workers", workers_text, job);
    if (only)
        add_submit(&t, only);
    add_dates(&t, job, only);
    table_print(&t);
    table_free(&t);
    str_free(&state);
}

static const char *hostname(const hq_doc *job, uint64_t worker)
{
    for (size_t i = 0; i < field_len(job, "workers"); i++)
        if (field_uint(field_at(job, "workers", i), "id") == worker)
            return field_text(field_at(job, "workers", i), "hostname");
    return worker ? "N/A" : "";
}

void job_print_failed(const struct cli *cli, const hq_doc *job)
{
    static const char *const headers[] = {"Task ID", "Worker", "Error", NULL};
    struct table t;
    size_t shown = field_len(job, "failed");
    uint64_t failed = field_uint(job, "stats.failed");
    if (failed == 0)
        return;
    table_init(&t, cli, headers);
    for (size_t i = 0; i < shown; i++) {
        char error[ERROR_MAX];
        const hq_doc *task = field_at(job, "failed", i);
        if (hq_tools_task_error((int)field_uint(task, "code"), field_text(task, "text"),
                                (uint32_t)field_uint(task, "crash_limit"), error, sizeof error) < 0)
            error[0] = '\0';
        table_addf(&t, "%llu", (unsigned long long)field_uint(task, "id"));
        table_add(&t, hostname(job, field_uint(task, "worker")));
        table_add_styled(&t, STYLE_RED, error);
    }
    table_print(&t);
    table_free(&t);
    if (shown < failed)
        printf("%llu tasks failed. (%zu shown)\n", (unsigned long long)failed, shown);
    else
        printf("%llu tasks failed.\n", (unsigned long long)failed);
}

/* ---- JSON ---- */

json_t *job_json(const hq_doc *job)
{
    uint64_t count[HQ_TASK_STATES];
    json_t *stats = json_object();
    job_counts(job, count);
    for (int state = 0; state < HQ_TASK_STATES; state++)
        json_object_set_new(stats, format_state_lower(state), json_integer((json_int_t)count[state]));
    return json_pack("{s:o,s:I,s:b,s:o,s:I,s:o}", "cancel_reason", json_member_or_null(job, "cancel_reason"), "id",
                     (json_int_t)field_uint(job, "id"), "is_open", (int)field_uint(job, "open"), "name",
                     json_member(job, "name"), "task_count", (json_int_t)field_uint(job, "stats.total"), "task_stats",
                     stats);
}

struct rows {
    struct session *s;
    json_t *list;
    int64_t last_end_ns; /* of them; the submission's time if none has ended */
};

static void add_row(void *user, const struct job_view *v, const struct task_row *row)
{
    struct rows *rows = user;
    if (row->duration_ns >= 0 && row->start_ns + row->duration_ns > rows->last_end_ns)
        rows->last_end_ns = row->start_ns + row->duration_ns;
    json_array_append_new(rows->list, task_json(rows->s, v, row));
}

/* Of an open job that has nothing to do: when the last of its tasks ended. */
static json_t *finished_at(const hq_doc *job, int64_t last_end_ns)
{
    uint64_t count[HQ_TASK_STATES], end = field_uint(job, "ended_ms");
    job_counts(job, count);
    if (end)
        return json_time_ms(end);
    return count[HQ_TASK_WAITING] + count[HQ_TASK_RUNNING] > 0 ? json_null() : json_time(last_end_ns);
}

static bool detail_json(struct session *s, uint32_t id, json_t *list)
{
    struct job_view v;
    bool gone;
    if (!job_view_open(&v, s, id, &gone))
        return gone;
    uint64_t start = field_uint(v.doc, "submitted_ms");
    struct rows rows = {s, json_array(), (int64_t)start * NS_PER_MS};
    json_t *submits = json_array(), *job = json_object();
    const hq_doc *max_fails = hq_doc_get(v.doc, "max_fails");
    for (size_t i = 0; i < field_len(v.doc, "submits"); i++)
        json_array_append_new(submits, submit_json(field_at(v.doc, "submits", i)));
    json_object_set_new(job, "info", job_json(v.doc));
    json_object_set_new(job, "max_fails", hq_doc_get_kind(max_fails) == HQ_DOC_NULL
                                              ? json_null()
                                              : json_integer((json_int_t)hq_doc_uint(max_fails)));
    json_object_set_new(job, "started_at", json_time_ms(start));
    json_object_set_new(job, "submits", submits);
    json_object_set_new(job, "tasks", rows.list);
    json_array_append_new(list, job);
    bool ok = tasks_each(s, &v, NULL, 0, add_row, &rows);
    json_object_set_new(job, "finished_at", finished_at(v.doc, rows.last_end_ns));
    job_view_close(&v);
    return ok;
}

static int print_json(struct session *s, const char *selector)
{
    uint32_t *ids, *missing;
    size_t n, n_missing, i = 0;
    json_t *list = json_array();
    bool ok = tasks_jobs(s, selector, &ids, &n, &missing, &n_missing);
    while (ok && i < n)
        ok = detail_json(s, ids[i++], list);
    for (i = 0; i < n_missing; i++)
        out_log(s->cli, LOG_ERROR, "Job %u not found", missing[i]);
    if (ok)
        out_json(s->cli, list);
    else
        json_decref(list);
    free(ids);
    free(missing);
    return ok ? 0 : 1;
}

static bool detail_table(struct session *s, uint32_t id)
{
    struct job_view v;
    bool gone;
    if (!job_view_open(&v, s, id, &gone))
        return gone;
    print_job(s->cli, v.doc);
    job_print_failed(s->cli, v.doc);
    job_view_close(&v);
    return true;
}

static int print_tables(struct session *s, const char *selector)
{
    uint32_t *ids, *missing;
    size_t n, n_missing, i;
    bool ok = tasks_jobs(s, selector, &ids, &n, &missing, &n_missing);
    for (i = 0; i < n_missing; i++)
        out_log(s->cli, LOG_ERROR, "Job %u not found", missing[i]);
    for (i = 0; ok && s->cli->mode == OUT_CLI && i < n; i++)
        ok = detail_table(s, ids[i]);
    free(ids);
    free(missing);
    return ok ? 0 : 1;
}

int job_info_run(struct cli *cli, const struct matches *m)
{
    struct session s;
    int rc = 1;
    if (session_open(&s, cli))
        rc = (cli->mode == OUT_JSON ? print_json : print_tables)(&s, args_text(m, "SELECTOR"));
    session_close(&s);
    return rc;
}
