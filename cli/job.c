/* SPDX-License-Identifier: MIT */
/* job.c - the commands below `hq job` that ask once and print the answer. */
#include "job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "choices.h"
#include "fields.h"
#include "format.h"
#include "job_cat.h"
#include "job_info.h"
#include "json.h"
#include "progress.h"
#include "submit.h"
#include "submit_view.h"
#include "table.h"
#include "task_view.h"

#define REASON_MAX 200 /* bytes of a cancel reason */

enum { OUTCOME_DONE = 1, OUTCOME_ALREADY = 3 }; /* OutcomeKind of client.proto */

typedef unsigned long long ull;

/* ---- list, summary ---- */

static const hq_doc *fetch_list(struct session *s, uint32_t states, bool all)
{
    hq_error err;
    const hq_event *e = session_reply(s, hq_tools_job_list(s->client, states, all, session_tag(s), &err), &err);
    return e ? e->u.reply.doc : NULL;
}

static bool list_table(const struct cli *cli, const hq_doc *doc, bool verbose)
{
    static const char *const headers[] = {"ID", "Name", "State", "Tasks", NULL};
    static const char *const verbose_headers[] = {"ID", "Name", "State", "Tasks", "Cancel Reason", NULL};
    struct table t;
    bool any_open = false;
    table_init(&t, cli, verbose ? verbose_headers : headers);
    t.right[0] = true;
    for (size_t i = 0; i < field_len(doc, "jobs"); i++) {
        const hq_doc *job = field_at(doc, "jobs", i);
        struct str name = {0};
        bool open = field_uint(job, "open") != 0;
        int state = (int)field_uint(job, "state");
        format_name(&name, field_text(job, "name"));
        table_addf(&t, "%s%llu", open ? "*" : "", (ull)field_uint(job, "id"));
        table_add(&t, str_text(&name));
        table_add_styled(&t, format_state_style(state), format_state(state));
        table_addf(&t, "%llu", (ull)field_uint(job, "stats.total"));
        if (verbose)
            table_add(&t, field_text(job, "cancel_reason"));
        any_open |= open;
        str_free(&name);
    }
    table_print(&t);
    table_free(&t);
    return any_open;
}

static void print_list(const struct cli *cli, const hq_doc *doc, bool verbose)
{
    uint64_t total = field_uint(doc, "total");
    if (list_table(cli, doc, verbose))
        puts("* = Open jobs");
    if (field_len(doc, "jobs") == total)
        return;
    if (total == 1)
        puts("There is 1 job in total. Use `--all` to display all jobs.");
    else
        printf("There are %llu jobs in total. Use `--all` to display all jobs.\n", (ull)total);
}

static int run_list(struct cli *cli, const struct matches *m)
{
    struct session s;
    const hq_doc *doc = NULL;
    if (session_open(&s, cli))
        doc = fetch_list(&s, args_set(m, "filter"), args_has(m, "all"));
    json_t *list = json_array();
    for (size_t i = 0; doc && i < field_len(doc, "jobs"); i++) {
        const hq_doc *job = field_at(doc, "jobs", i);
        if (cli->mode == OUT_JSON)
            json_array_append_new(list, job_json(job));
        else if (cli->mode == OUT_QUIET)
            printf("%llu %s\n", (ull)field_uint(job, "id"), format_state((int)field_uint(job, "state")));
    }
    if (doc && cli->mode == OUT_JSON)
        out_json(cli, json_incref(list));
    else if (doc && cli->mode == OUT_CLI)
        print_list(cli, doc, args_has(m, "verbose"));
    json_decref(list);
    session_close(&s);
    return doc ? 0 : 1;
}

static void print_summary(struct cli *cli, const uint64_t count[HQ_JOB_OPENED + 1])
{
    static const char *const headers[] = {"Status", "Count", NULL};
    static const int order[] = {HQ_TASK_RUNNING, HQ_TASK_WAITING, HQ_TASK_FINISHED,
                                HQ_TASK_FAILED,  HQ_TASK_ABORTED, HQ_TASK_CANCELED};
    struct table t;
    table_init(&t, cli, headers);
    t.right[1] = true;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        table_add_styled(&t, format_state_style(order[i]), format_state(order[i]));
        table_addf(&t, "%llu", (ull)count[order[i]]);
        if (cli->mode == OUT_QUIET)
            printf("%s %llu\n", format_state(order[i]), (ull)count[order[i]]);
    }
    if (cli->mode == OUT_CLI)
        table_print(&t);
    table_free(&t);
}

static int run_summary(struct cli *cli, const struct matches *m)
{
    struct session s;
    uint64_t count[HQ_JOB_OPENED + 1] = {0};
    const hq_doc *doc = NULL;
    if (session_open(&s, cli))
        doc = fetch_list(&s, 0, true);
    for (size_t i = 0; doc && i < field_len(doc, "jobs"); i++) {
        uint64_t state = field_uint(field_at(doc, "jobs", i), "state");
        if (state <= HQ_JOB_OPENED)
            count[state]++;
    }
    if (doc && cli->mode == OUT_JSON) {
        json_t *sums = json_object();
        for (int state = 0; state <= HQ_JOB_OPENED; state++)
            if (state != HQ_JOB_OPENED || count[state] > 0)
                json_object_set_new(sums, format_state_title(state), json_integer((json_int_t)count[state]));
        out_json(cli, sums);
    } else if (doc) {
        print_summary(cli, count);
    }
    session_close(&s);
    return doc ? 0 : 1;
}

/* ---- open, close, cancel, forget ---- */

static int run_open(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    const char *name = args_text(m, "name");
    const hq_event *e = NULL;
    if (session_open(&s, cli) && submit_name_ok(cli, name)) {
        uint32_t max_fails = (uint32_t)args_number(m, "max-fails", UINT32_MAX);
        int sent = hq_tools_job_open(s.client, name ? name : "job", max_fails, session_tag(&s), &err);
        e = session_reply(&s, sent, &err);
    }
    if (e && cli->mode == OUT_JSON) {
        out_json(cli, json_pack("{s:I}", "id", (json_int_t)e->u.reply.job.n));
    } else if (e && cli->mode == OUT_QUIET) {
        printf("%u\n", e->u.reply.job.n);
    } else if (e) {
        struct str id = {0}, shown = {0};
        str_addf(&id, "%u", e->u.reply.job.n);
        out_style(&shown, cli, STYLE_GREEN, id.p);
        printf("Job %s is open.\n", shown.p);
        str_free(&id);
        str_free(&shown);
    }
    session_close(&s);
    return e ? 0 : 1;
}

static void log_close(const struct cli *cli, const hq_doc *outcome)
{
    ull id = field_uint(outcome, "id");
    if (field_uint(outcome, "outcome") == OUTCOME_DONE)
        out_log(cli, LOG_INFO, "Job %llu closed", id);
    else if (field_uint(outcome, "outcome") == OUTCOME_ALREADY)
        out_log(cli, LOG_ERROR, "Closing job %llu failed; job is already closed", id);
    else
        out_log(cli, LOG_ERROR, "Closing job %llu failed; job not found", id);
}

static void log_cancel(const struct cli *cli, const hq_doc *outcome)
{
    ull id = field_uint(outcome, "id");
    if (field_uint(outcome, "outcome") == OUTCOME_DONE)
        out_log(cli, LOG_INFO, "Job %llu canceled (%llu tasks canceled, %llu tasks already finished)", id,
                (ull)field_uint(outcome, "done"), (ull)field_uint(outcome, "already"));
    else if (field_uint(outcome, "outcome") == OUTCOME_ALREADY)
        out_log(cli, LOG_ERROR, "Canceling job %llu failed; all tasks are already finished", id);
    else
        out_log(cli, LOG_ERROR, "Canceling job %llu failed; job not found", id);
}

static int log_outcomes(struct session *s, int sent, const hq_error *err, const char *nothing,
                        void (*log)(const struct cli *, const hq_doc *))
{
    const hq_event *e = session_reply(s, sent, err);
    if (!e)
        return 1;
    size_t n = field_len(e->u.reply.doc, "ids");
    for (size_t i = 0; i < n; i++)
        log(s->cli, field_at(e->u.reply.doc, "ids", i));
    if (n == 0)
        out_log(s->cli, LOG_INFO, "%s", nothing);
    return 0;
}

static int run_close(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    int rc = 1;
    if (session_open(&s, cli)) {
        int sent = hq_tools_job_close(s.client, args_text(m, "SELECTOR"), session_tag(&s), &err);
        rc = log_outcomes(&s, sent, &err, "There is nothing to close", log_close);
    }
    session_close(&s);
    return rc;
}

static int run_cancel(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    int rc = 1;
    if (session_open(&s, cli)) {
        const char *jobs = args_text(m, "SELECTOR"), *reason = args_text(m, "reason");
        int sent = hq_tools_job_cancel(s.client, jobs, reason, session_tag(&s), &err);
        rc = log_outcomes(&s, sent, &err, "There is nothing to cancel", log_cancel);
    }
    session_close(&s);
    return rc;
}

/* The four terminal states, in the order in which they are offered. */
static const int forgettable[] = {HQ_TASK_FINISHED, HQ_TASK_FAILED, HQ_TASK_ABORTED, HQ_TASK_CANCELED};

static uint32_t forget_states(const struct matches *m)
{
    uint32_t chosen = args_set(m, "filter"), states = 0;
    for (size_t i = 0; i < sizeof forgettable / sizeof *forgettable; i++)
        if (chosen == 0 || chosen & UINT32_C(1) << i)
            states |= UINT32_C(1) << forgettable[i];
    return states;
}

static void log_forget(const struct cli *cli, const hq_doc *doc)
{
    struct str text = {0};
    uint64_t ignored = field_uint(doc, "ignored");
    format_count(&text, field_uint(doc, "forgotten"), "job");
    str_add(&text, " were forgotten");
    if (ignored > 0)
        str_addf(&text, ", %llu were ignored due to wrong state or invalid ID", (ull)ignored);
    out_log(cli, LOG_INFO, "%s", text.p);
    str_free(&text);
}

static int run_forget(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    const hq_event *e = NULL;
    if (session_open(&s, cli)) {
        int sent = hq_tools_job_forget(s.client, args_text(m, "SELECTOR"), forget_states(m), session_tag(&s), &err);
        e = session_reply(&s, sent, &err);
    }
    if (e)
        log_forget(cli, e->u.reply.doc);
    session_close(&s);
    return e ? 0 : 1;
}

/* ---- wait, progress ---- */

static int run_wait(struct cli *cli, const struct matches *m)
{
    struct session s;
    hq_error err;
    int rc = 1;
    if (session_open(&s, cli)) {
        s.may_close = true;
        int sent = hq_tools_job_wait(s.client, args_text(m, "SELECTOR"), args_has(m, "without-close"), session_tag(&s),
                                     &err);
        rc = session_reply(&s, sent, &err) || s.closed ? 0 : 1;
    }
    session_close(&s);
    return rc;
}

static int run_progress(struct cli *cli, const struct matches *m)
{
    struct session s;
    int rc = 1;
    if (session_open(&s, cli))
        rc = progress_follow(&s, args_text(m, "SELECTOR"), false);
    session_close(&s);
    return rc;
}

/* ---- task-ids ---- */

struct id_list {
    struct ids_text text;
    json_t *json;
};

static void add_id(void *user, const struct job_view *v, const struct task_row *row)
{
    struct id_list *ids = user;
    format_ids_add(&ids->text, row->id);
    json_array_append_new(ids->json, json_integer((json_int_t)row->id));
}

static bool job_ids(struct session *s, const struct matches *m, uint32_t id, struct str *out, json_t *json)
{
    struct job_view v;
    bool gone, ok = true;
    uint32_t states = args_set(m, "filter");
    if (!job_view_open(&v, s, id, &gone))
        return gone;
    if (states == 0 && s->cli->mode == OUT_CLI) {
        submit_ids_text(out, v.doc, true);
    } else {
        struct id_list ids = {.text = {.out = out}, .json = json};
        ok = tasks_each(s, &v, NULL, states, add_id, &ids);
        format_ids_end(&ids.text);
    }
    job_view_close(&v);
    return ok;
}

static int run_task_ids(struct cli *cli, const struct matches *m)
{
    struct session s;
    uint32_t *ids = NULL, *missing = NULL;
    size_t n = 0, n_missing = 0;
    json_t *root = json_object();
    bool ok = session_open(&s, cli) && tasks_jobs(&s, args_text(m, "SELECTOR"), &ids, &n, &missing, &n_missing);
    if (ok && n_missing > 0) {
        out_fail(cli, NULL, "Error: Job Id not found");
        ok = false;
    }
    for (size_t i = 0; ok && i < n; i++) {
        struct str text = {0}, key = {0};
        json_t *list = json_array();
        str_addf(&key, "%u", ids[i]);
        ok = job_ids(&s, m, ids[i], &text, list);
        json_object_set_new(root, key.p, list);
        if (ok && cli->mode == OUT_CLI)
            printf("%s%s%s\n", n > 1 ? key.p : "", n > 1 ? ": " : "", str_text(&text));
        str_free(&text);
        str_free(&key);
    }
    if (ok && cli->mode == OUT_JSON)
        out_json(cli, json_incref(root));
    json_decref(root);
    free(ids);
    free(missing);
    session_close(&s);
    return ok ? 0 : 1;
}

/* ---- table ---- */

static bool check_reason(const char *text, uint64_t *value, char *why, size_t room)
{
    size_t len = strlen(text);
    if (len > REASON_MAX)
        snprintf(why, room, "Cancel reason must be shorter than %d you entered %zu.", REASON_MAX, len);
    return len <= REASON_MAX;
}

static const char *const forget_choices[] = {"finished", "failed", "aborted", "canceled", NULL};

#define SELECTOR \
    { \
        .name = "SELECTOR", .value = "SELECTOR", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_SELECTOR, \
        .flags = ARG_POSITIONAL | ARG_REQUIRED, .help = "The job(s): ids like `1,3-5`, `last` or `all`" \
    }

static const struct arg selector_args[] = {SELECTOR, {0}};

static const struct arg list_args[] = {
    {.name = "all", .kind = ARG_FLAG, .conflicts = {"filter"}, .help = "List all jobs, also those that have ended"},
    {.name = "filter", .value = "FILTER", .kind = ARG_CHOICE, .flags = ARG_REPEAT | ARG_COMMAS,
     .choices = choices_states, .help = "List jobs in these states; a list with commas"},
    {.name = "verbose", .kind = ARG_FLAG, .help = "Show more columns"},
    {0},
};

static const struct arg cancel_args[] = {
    SELECTOR,
    {.name = "reason", .value = "REASON", .kind = ARG_CHECKED, .check = check_reason,
     .help = "Why, kept with the job: at most 200 bytes"},
    {0},
};

static const struct arg forget_args[] = {
    SELECTOR,
    {.name = "filter", .value = "FILTER", .kind = ARG_CHOICE, .flags = ARG_REPEAT | ARG_COMMAS,
     .choices = forget_choices, .help = "Forget jobs in these states only; a list with commas"},
    {0},
};

static const struct arg wait_args[] = {
    SELECTOR,
    {.name = "without-close", .kind = ARG_FLAG, .help = "Do not wait for open jobs to be closed"},
    {0},
};

static const struct arg task_ids_args[] = {
    SELECTOR,
    {.name = "filter", .value = "FILTER", .kind = ARG_CHOICE, .flags = ARG_REPEAT | ARG_COMMAS,
     .choices = choices_states, .help = "Only tasks in these states; a list with commas"},
    {0},
};

static const struct arg open_args[] = {
    {.name = "name", .value = "NAME", .kind = ARG_TEXT, .fallback = "job", .help = "Name of the job"},
    {.name = "max-fails", .value = "MAX_FAILS", .kind = ARG_NUMBER, .max = UINT32_MAX,
     .help = "Give up what is left of the job once more tasks than that have failed"},
    {0},
};

const struct command job_commands[] = {
    {.name = "list", .about = "List jobs", .more = "Without options: those that wait, run or are open.",
     .args = {list_args}, .run = run_list},
    {.name = "summary", .about = "Count the jobs in each state", .run = run_summary},
    {.name = "info", .about = "Show everything about some jobs", .args = {selector_args}, .run = job_info_run},
    {.name = "cancel", .about = "Cancel jobs", .more = "Tasks that wait never start; those that run are killed.",
     .args = {cancel_args}, .run = run_cancel},
    {.name = "forget", .about = "Remove ended jobs from the server's memory", .args = {forget_args},
     .run = run_forget},
    {.name = "cat", .about = "Print the output of tasks", .args = {job_cat_args}, .run = job_cat_run},
    {.name = "submit", .about = SUBMIT_ABOUT, .more = SUBMIT_MORE,
     .args = {submit_task_args, submit_args, submit_command_args}, .run = submit_run},
    {.name = "wait", .about = "Wait until jobs have ended", .args = {wait_args}, .run = run_wait},
    {.name = "progress", .about = "Follow jobs with a progress bar until they have ended", .args = {selector_args},
     .run = run_progress},
    {.name = "task-ids", .about = "Print the task ids of jobs, as --array takes them", .args = {task_ids_args},
     .run = run_task_ids},
    {.name = "open", .about = "Make a job that tasks can be added to until it is closed", .args = {open_args},
     .run = run_open},
    {.name = "close", .about = "Close open jobs", .args = {selector_args}, .run = run_close},
    {0},
};
