/* SPDX-License-Identifier: MIT */
/* task_view.c - tasks of a job: read in pages, shown in tables and JSON. */
#include "task_view.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "json.h"
#include "submit_view.h"

#define ERROR_MAX 4096 /* of one task's error text; texts are kept up to 512 bytes */

/* ---- jobs ---- */

bool tasks_jobs(struct session *s, const char *selector, uint32_t **ids, size_t *n, uint32_t **missing,
                size_t *n_missing)
{
    hq_error err;
    *ids = *missing = NULL;
    *n = *n_missing = 0;
    const hq_event *e = session_reply(s, hq_tools_job_info(s->client, selector, 1, session_tag(s), &err), &err);
    if (!e)
        return false;
    const hq_doc *doc = e->u.reply.doc;
    *n = field_len(doc, "jobs");
    *n_missing = field_len(doc, "missing");
    *ids = mem_new(*n, sizeof(**ids));
    *missing = mem_new(*n_missing, sizeof(**missing));
    for (size_t i = 0; i < *n; i++)
        (*ids)[i] = (uint32_t)field_uint(field_at(doc, "jobs", i), "id");
    for (size_t i = 0; i < *n_missing; i++)
        (*missing)[i] = (uint32_t)hq_doc_uint(field_at(doc, "missing", i));
    return true;
}

bool job_view_open(struct job_view *v, struct session *s, uint32_t id, bool *gone)
{
    hq_error err;
    *v = (struct job_view){.id = id};
    int rc = hq_job_info(s->client, (hq_job_id){id}, &v->doc, &err);
    *gone = rc == HQ_ENOENT;
    if (rc < 0 && !*gone)
        out_fail(s->cli, NULL, "Error: %s", err.text);
    if (rc < 0)
        return false;
    return true;
}

void job_view_close(struct job_view *v)
{
    hq_doc_free(v->doc);
    v->doc = NULL;
}

const char *job_view_hostname(const struct job_view *v, uint32_t worker)
{
    if (worker == 0)
        return "";
    for (size_t i = 0; i < field_len(v->doc, "workers"); i++)
        if (field_uint(field_at(v->doc, "workers", i), "id") == worker)
            return field_text(field_at(v->doc, "workers", i), "hostname");
    return "N/A";
}

/* ---- rows ---- */

bool tasks_each(struct session *s, const struct job_view *v, const char *ids, uint32_t states, task_row_fn *row,
                void *user)
{
    uint64_t cursor = 0;
    do {
        hq_error err;
        hq_task_columns c = {.size = sizeof c};
        int rc = hq_tools_task_page(s->client, (hq_job_id){v->id}, ids, states, &cursor, &c, &err);
        if (rc < 0) {
            out_fail(s->cli, NULL, "Error: %s", err.text);
            return false;
        }
        for (size_t i = 0; i < c.count; i++) {
            struct task_row r = {.id = c.index[i], .state = c.state[i], .code = c.code[i], .start_ns = c.start_ns[i],
                                 .duration_ns = c.duration_ns[i], .worker = c.worker[i], .instance = c.instance[i],
                                 .error = c.error ? c.error[i] : NULL};
            row(user, v, &r);
        }
    } while (cursor != 0);
    return true;
}

void task_error_text(struct str *out, const struct job_view *v, const struct task_row *row)
{
    char text[ERROR_MAX];
    if (row->state != HQ_TASK_FAILED)
        return;
    uint32_t limit = (uint32_t)field_uint(submit_of(v->doc, row->id), "crash_limit");
    if (hq_tools_task_error(row->code, row->error, limit, text, sizeof text) >= 0)
        str_add(out, text);
}

bool task_has_paths(const struct task_row *row)
{
    return row->start_ns >= 0 && row->state != HQ_TASK_WAITING && row->state != HQ_TASK_ABORTED;
}

bool task_path(struct str *out, const struct session *s, const struct job_view *v, const struct task_row *row, int which)
{
    enum { STDIO_FILE = 1 };
    char path[PATH_MAX];
    const hq_doc *submit = submit_of(v->doc, row->id);
    const hq_doc *stdio = hq_doc_get(submit, which == VIEW_STDERR ? "stderr" : "stdout");
    if (!submit || (which != VIEW_CWD && field_uint(stdio, "kind") != STDIO_FILE))
        return false;
    int len = hq_tools_task_path(submit, which, (hq_job_id){v->id}, row->id, row->instance, s->server_uid, path,
                                 sizeof path);
    if (len < 0)
        return false;
    str_addn(out, path, (size_t)len);
    return true;
}

void task_makespan(struct str *out, const struct task_row *row)
{
    if (row->start_ns < 0)
        return;
    bool ended = row->duration_ns >= 0;
    if (ended || row->state == HQ_TASK_RUNNING)
        format_rough(out, ended ? row->duration_ns : format_now() - row->start_ns);
}

/* ---- JSON ---- */

static void set_path(json_t *task, const char *key, const struct session *s, const struct job_view *v,
                     const struct task_row *row, int which)
{
    struct str path = {0};
    bool any = task_path(&path, s, v, row, which);
    json_object_set_new(task, key, any ? json_bytes(str_text(&path), path.len) : json_null());
    str_free(&path);
}

json_t *task_json(const struct session *s, const struct job_view *v, const struct task_row *row)
{
    json_t *task = json_pack("{s:I,s:s}", "id", (json_int_t)row->id, "state", format_state_lower(row->state));
    bool ran = row->state == HQ_TASK_RUNNING || row->state == HQ_TASK_FINISHED || row->state == HQ_TASK_FAILED;
    if (task_has_paths(row)) {
        set_path(task, "cwd", s, v, row, VIEW_CWD);
        set_path(task, "stdout", s, v, row, VIEW_STDOUT);
        set_path(task, "stderr", s, v, row, VIEW_STDERR);
    }
    if (ran && row->start_ns >= 0) {
        json_object_set_new(task, "started_at", json_time(row->start_ns));
        json_object_set_new(task, "worker", json_integer((json_int_t)row->worker));
    }
    if (ran && row->start_ns >= 0 && row->duration_ns >= 0)
        json_object_set_new(task, "finished_at", json_time(row->start_ns + row->duration_ns));
    if (row->state == HQ_TASK_FAILED) {
        struct str error = {0};
        task_error_text(&error, v, row);
        json_object_set_new(task, "error", json_bytes(str_text(&error), error.len));
        str_free(&error);
    }
    return task;
}
