/* SPDX-License-Identifier: MIT */
/* run.c - `hq run`: the library, embedded. Server, client and (outside of allocations) worker live in this process and on
 * one context; the loop below is what any host program would write. */
#include "run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "allocation.h"
#include "fields.h"
#include "format.h"
#include "hqcore/tools.h"
#include "job_info.h"
#include "json.h"
#include "progress.h"
#include "session.h"
#include "signals.h"
#include "submit.h"

#define STOP_MS 8000 /* the library takes at most 5 s to kill tasks and say goodbye */
#define DRAW_MS 100  /* between two pictures of the progress bar */
#define LOOK_MS 10000 /* after the submit: tasks should have started by then, or somebody wants to know why not */


enum { TAG_SUBMIT = 1, TAG_WAIT, TAG_PROGRESS, TAG_LOOK, TAG_CANCEL };

struct run {
    struct cli *cli;
    hq_ctx *ctx;       /* owned, with all that lives on it */
    hq_server *server;
    hq_worker *worker; /* NULL in an allocation */
    hq_client *client;
    struct allocation allocation;
    hq_job_id job;
    bool bar, drawn;      /* a progress bar is wanted; there is one */
    int64_t draw_ns;      /* when to ask for the next picture of it; 0: asked */
    uint64_t change;      /* that the last one showed */
    int64_t look_ns;      /* when to see whether anything has started; 0: done */
    bool ended;           /* the job has */
    bool failed;          /* and it was reported why nothing more will come */
    bool server_stopped, worker_stopped;
    int signal;           /* that interrupted, or 0 */
};

/* ---- starting ---- */

static int start_server(struct run *r, hq_error *err)
{
    hq_server_options opt = {.size = sizeof opt};
    if (r->allocation.dir[0]) {
        opt.server_dir = r->allocation.dir;
        opt.bind = "0.0.0.0";
    }
    return hq_server_new(&r->server, r->ctx, &opt, err);
}

static int start_worker(struct run *r, const struct matches *m, hq_error *err)
{
    const struct match *given = args_get(m, "worker-resource");
    size_t n = given ? given->n : 0;
    const char **resources = mem_new(n + 1, sizeof(*resources));
    for (size_t i = 0; i < n; i++)
        resources[i] = given->values[i].text;
    hq_worker_options opt = {.size = sizeof opt,
                             .endpoint = hq_server_endpoint(r->server, HQ_PLANE_WORKER),
                             .secret = hq_server_secret(r->server, HQ_PLANE_WORKER),
                             .cpus = args_text(m, "worker-cpus"),
                             .resources = resources,
                             .detect = (uint32_t)args_number(m, "detect-resources", 0),
                             .no_hyper_threading = args_has(m, "no-hyper-threading"),
                             .task_files = r->cli->task_files,
                             .keep_affinity = 1};
    int rc = hq_worker_new(&r->worker, r->ctx, &opt, err);
    free(resources);
    return rc;
}

static int start_client(struct run *r, hq_error *err)
{
    hq_client_options opt = {.size = sizeof opt,
                             .endpoint = hq_server_endpoint(r->server, HQ_PLANE_CLIENT),
                             .secret = hq_server_secret(r->server, HQ_PLANE_CLIENT)};
    return hq_client_new(&r->client, r->ctx, &opt, err);
}

static bool submit(struct run *r, const struct matches *m)
{
    hq_error err;
    hq_submit *builder = hq_submit_new(r->ctx);
    bool ok = submit_fill(r->cli, m, builder);
    if (ok && hq_client_submit(r->client, builder, TAG_SUBMIT, &err) < 0) {
        out_fail(r->cli, NULL, "%s", err.text);
        ok = false;
    }
    hq_submit_free(builder);
    return ok;
}

/* The command line is looked at before any worker is started; workers start while the submit is on its way. */
static bool start(struct run *r, const struct matches *m)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD, 0};
    hq_ctx_options opt = session_ctx_options(r->cli, false);
    hq_error err;
    opt.log_level = log_most(&r->cli->log) == LOG_INFO ? LOG_WARN : log_most(&r->cli->log); /* INFO is for servers */
    if (allocation_here() && !allocation_make_dir(&r->allocation, r->cli))
        return false;
    if (hq_ctx_new(&r->ctx, &opt, &err) < 0 || start_server(r, &err) < 0 || start_client(r, &err) < 0) {
        out_fail(r->cli, NULL, "%s", err.text);
        return false;
    }
    if (!submit(r, m))
        return false;
    signals_catch(r->ctx, caught);
    if (r->allocation.dir[0])
        return allocation_start(&r->allocation, m);
    if (start_worker(r, m, &err) < 0) {
        out_fail(r->cli, NULL, "%s", err.text);
        return false;
    }
    return true;
}

/* ---- while it runs ---- */

static void ask_progress(struct run *r, uint64_t since, uint64_t tag)
{
    hq_error err;
    char job[16];
    snprintf(job, sizeof job, "%u", r->job.n);
    if (hq_tools_job_progress(r->client, job, since, tag, &err) < 0)
        r->bar = false;
}

/* What is due at a time. */
static void ask_what_is_due(struct run *r)
{
    int64_t now = format_now();
    if (r->draw_ns && now >= r->draw_ns) {
        r->draw_ns = 0;
        ask_progress(r, r->change, TAG_PROGRESS);
    }
    if (r->look_ns && now >= r->look_ns) {
        r->look_ns = 0;
        ask_progress(r, 0, TAG_LOOK);
    }
}

/* Of the wait for events, at most `longest` (-1: no limit). */
static int timeout_ms(const struct run *r, int longest)
{
    int64_t due = r->draw_ns && (!r->look_ns || r->draw_ns < r->look_ns) ? r->draw_ns : r->look_ns;
    int64_t left = (due - format_now()) / NS_PER_MS + 1;
    left = left > 0 ? left : 0;
    return due && (longest < 0 || left < longest) ? (int)left : longest;
}

static void warn_idle(const struct run *r, const hq_doc *job)
{
    uint64_t count[HQ_TASK_STATES];
    job_counts(job, count);
    if (!r->signal && count[HQ_TASK_WAITING] > 0 && count[HQ_TASK_WAITING] == field_uint(job, "stats.total"))
        out_log(r->cli, LOG_WARN,
                "No task has started in %d s: workers are still starting, or none of them has what the tasks ask for",
                LOOK_MS / 1000);
}

static void fail(struct run *r, const char *what, int code, const char *text)
{
    if (!r->failed)
        out_fail(r->cli, NULL, "%s%s", what, text && *text ? text : hq_strerror(code));
    r->failed = true;
}

static void on_reply(struct run *r, const hq_event *e)
{
    hq_error err;
    if (e->tag == TAG_LOOK && e->code == HQ_OK && !r->ended) {
        warn_idle(r, field_at(e->u.reply.doc, "jobs", 0));
    } else if (e->tag == TAG_PROGRESS && e->code == HQ_OK && r->bar && !r->ended) {
        progress_draw(r->cli, e->u.reply.doc);
        r->drawn = true;
        r->change = field_uint(e->u.reply.doc, "change");
        r->draw_ns = format_now() + DRAW_MS * NS_PER_MS;
    } else if (e->tag == TAG_SUBMIT && e->code == HQ_OK) {
        r->job = e->u.reply.job;
        if (hq_client_wait(r->client, r->job, TAG_WAIT, &err) < 0)
            fail(r, "", err.code, err.text);
        r->look_ns = format_now() + LOOK_MS * NS_PER_MS;
        if (r->bar)
            ask_progress(r, 0, TAG_PROGRESS);
    } else if ((e->tag == TAG_SUBMIT || e->tag == TAG_WAIT) && e->code != HQ_OK) {
        fail(r, "", e->code, e->text);
    } else if (e->tag == TAG_WAIT) {
        r->ended = true;
    }
}

static void on_event(struct run *r, const hq_event *e)
{
    bool of_worker = r->worker && e->source == hq_worker_source(r->worker);
    if (e->type == HQ_EVENT_REPLY) {
        on_reply(r, e);
    } else if (e->type == HQ_EVENT_STOPPED && of_worker) {
        r->worker_stopped = true;
        if (!r->ended && !r->signal)
            fail(r, "The worker has ended before the job: ", e->code ? e->code : HQ_ECLOSED, e->text);
    } else if (e->type == HQ_EVENT_STOPPED && e->source == hq_server_source(r->server)) {
        r->server_stopped = true;
    } else if (e->type == HQ_EVENT_CONNECTION && e->u.state == HQ_CONNECTION_REFUSED) {
        fail(r, "", e->code, e->text);
    }
}

/* The first interruption cancels the job, which then ends; the second leaves at once. */
static void on_signal(struct run *r, int signal)
{
    hq_error err;
    bool in_allocation = r->allocation.dir[0] != '\0';
    if (in_allocation && !r->ended && !r->failed && allocation_ended(&r->allocation)) {
        allocation_report(&r->allocation);
        r->failed = true;
    }
    if (signal == 0 || signal == SIGCHLD)
        return;
    if (r->signal || r->job.n == 0 || hq_client_cancel(r->client, r->job, "interrupted", TAG_CANCEL, &err) < 0)
        r->failed = true;
    r->signal = signal;
}

static void turn(struct run *r, int longest)
{
    hq_error err;
    const hq_event *e;
    int rc = hq_ctx_run(r->ctx, timeout_ms(r, longest), &err);
    ask_what_is_due(r);
    on_signal(r, signals_take());
    while (hq_ctx_next(r->ctx, &e) > 0)
        on_event(r, e);
    if (rc < 0 && rc != HQ_EINTR && rc != HQ_ETIMEDOUT)
        fail(r, "", rc, err.text);
}

/* ---- the end ---- */

static void print_summary(struct run *r, const hq_doc *job)
{
    static const int order[] = {HQ_TASK_FINISHED, HQ_TASK_FAILED,  HQ_TASK_CANCELED,
                                HQ_TASK_ABORTED,  HQ_TASK_RUNNING, HQ_TASK_WAITING};
    uint64_t count[HQ_TASK_STATES], start = field_uint(job, "submitted_ms"), end = field_uint(job, "ended_ms");
    struct str line = {0};
    job_counts(job, count);
    format_count(&line, field_uint(job, "stats.total"), "task");
    for (size_t i = 0, shown = 0; i < sizeof order / sizeof *order; i++) {
        struct str part = {0};
        if (count[order[i]] == 0)
            continue;
        str_addf(&part, "%llu %s", (unsigned long long)count[order[i]], format_state(order[i]));
        str_add(&line, shown++ ? ", " : ": ");
        out_style(&line, r->cli, format_state_style(order[i]), part.p);
        str_free(&part);
    }
    str_add(&line, "; makespan ");
    format_rough(&line, end > start ? (int64_t)(end - start) * NS_PER_MS : 0);
    puts(line.p);
    job_print_failed(r->cli, job);
    str_free(&line);
}

static void print_json(struct run *r, const hq_doc *job)
{
    json_t *o = job_json(job);
    uint64_t start = field_uint(job, "submitted_ms"), end = field_uint(job, "ended_ms");
    json_object_set_new(o, "makespan", json_seconds(end > start ? end - start : 0));
    out_json(r->cli, o);
}

/* The exit code. */
static int conclude(struct run *r)
{
    hq_doc *job = NULL;
    hq_error err;
    if (r->drawn)
        progress_clear(r->cli);
    r->bar = false;
    r->draw_ns = r->look_ns = 0;
    if (r->job.n == 0 || hq_job_info(r->client, r->job, &job, &err) < 0)
        return 1;
    bool all = field_uint(job, "stats.finished") == field_uint(job, "stats.total");
    if (r->cli->mode == OUT_CLI)
        print_summary(r, job);
    else if (r->cli->mode == OUT_JSON && !r->cli->json_done)
        print_json(r, job);
    out_flush(r->cli);
    hq_doc_free(job);
    return all && !r->failed ? 0 : 1;
}

/* In an allocation the server tells the workers to stop. Here, a worker that was interrupted kills what it runs; one that
 * has nothing left to run needs no goodbye. */
static void stop(struct run *r)
{
    hq_error err;
    int64_t end = format_now() + STOP_MS * NS_PER_MS;
    bool with_worker = r->worker && !r->worker_stopped && (r->signal || r->failed);
    bool with_server = r->server && r->allocation.dir[0];
    if (with_worker)
        with_worker = hq_worker_stop(r->worker, HQ_WORKER_STOPPED, &err) >= 0;
    if (with_server)
        with_server = hq_server_stop(r->server, &err) >= 0;
    while ((with_worker && !r->worker_stopped) || (with_server && !r->server_stopped)) {
        int64_t left = (end - format_now()) / NS_PER_MS;
        if (left <= 0)
            break;
        turn(r, (int)left);
    }
}

int run_run(struct cli *cli, const struct matches *m)
{
    struct run r = {.cli = cli, .bar = cli->mode == OUT_CLI && isatty(STDOUT_FILENO)};
    int rc = 1;
    if (start(&r, m)) {
        while (!r.ended && !r.failed)
            turn(&r, -1);
        rc = conclude(&r);
    } else {
        on_signal(&r, signals_take());
    }
    if (r.ctx)
        stop(&r);
    signals_stop();
    hq_worker_free(r.worker);
    hq_client_free(r.client);
    hq_server_free(r.server);
    hq_ctx_free(r.ctx);
    allocation_end(&r.allocation);
    return r.signal ? 128 + r.signal : rc;
}

/* ---- table ---- */

const struct arg run_args[] = {
    {.name = "worker-cpus", .value = "WORKER_CPUS", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_CPUS,
     .fallback = "detected", .help = "Cpus of each worker, as in `4`, `2x8` or `[0,1,5]`"},
    {.name = "worker-resource", .value = "WORKER_RESOURCE", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_RESOURCE,
     .flags = ARG_REPEAT, .help = "Another resource of each worker, as in `gpus/nvidia=[0,1]`; may be repeated"},
    {.name = "detect-resources", .value = "DETECT_RESOURCES", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DETECT,
     .flags = ARG_USAGE_ERROR, .fallback = "all",
     .help = "What workers detect: `all`, `none`, or a list of cpus, mem, gpus/nvidia, gpus/amd"},
    {.name = "no-hyper-threading", .kind = ARG_FLAG, .help = "Workers use one cpu of each core only"},
    {0},
};
