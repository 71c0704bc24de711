/* SPDX-License-Identifier: MIT */
/* worker_start.c - `hq worker start`: a worker in the foreground. */
#include "worker_start.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "format.h"
#include "session.h"
#include "signals.h"
#include "worker_view.h"

static const char *const managers[] = {"detect", "none", "pbs", "slurm", NULL};       /* by enum hq_manager */
static const char *const on_lost[] = {"stop", "finish-running", "wait", NULL}; /* by enum hq_on_server_lost, from 1 */

/* ---- before it connects ---- */

static int fail_dir(struct cli *cli)
{
    struct str cause = {0};
    str_addf(&cause, "Error: \"%s\" is not a directory", cli->server_dir);
    int rc = out_fail(cli, cause.p, "Cannot load server directory");
    str_free(&cause);
    return rc;
}

static int fail_access(struct cli *cli, const char *cause)
{
    char dir[PATH_MAX];
    return out_fail(cli, cause, "Cannot load access record from \"%s/access.json\"", session_dir(cli, dir));
}

static int fail_version(struct cli *cli, const hq_error *err)
{
    struct str cause = {0};
    str_addf(&cause, "Version error: %s", err->text);
    int rc = fail_access(cli, cause.p);
    str_free(&cause);
    return rc;
}

static int fail(struct cli *cli, const hq_error *err)
{
    char why[ERRNO_MAX];
    if (strcmp(err->where, "serverdir") != 0)
        return out_fail(cli, NULL, "%s", err->text);
    if (err->code == HQ_ENOENT)
        return fail_dir(cli);
    if (err->code == HQ_EVERSION)
        return fail_version(cli, err);
    return fail_access(cli, err->code == HQ_ESYS && err->sys ? format_errno(err->sys, why) : err->text);
}

/* The values of a repeated option, NULL-terminated. The caller frees the array. */
static const char **texts(const struct matches *m, const char *name)
{
    const struct match *match = args_get(m, name);
    const char **list = mem_new((match ? match->n : 0) + 1, sizeof(*list));
    for (size_t i = 0; match && i < match->n; i++)
        list[i] = match->values[i].text;
    return list;
}

static int make_worker(hq_worker **ret, hq_ctx *ctx, struct cli *cli, const struct matches *m, hq_error *err)
{
    const char **resources = texts(m, "resource");
    hq_worker_options opt = {.size = sizeof opt,
                             .server_dir = cli->server_dir,
                             .cpus = args_text(m, "cpus"),
                             .resources = resources,
                             .detect = (uint32_t)args_number(m, "detect-resources", 0),
                             .no_hyper_threading = args_has(m, "no-hyper-threading"),
                             .group = args_text(m, "group"),
                             .hostname = args_text(m, "hostname"),
                             .work_dir = args_text(m, "work-dir"),
                             .manager = (int)args_number(m, "manager", HQ_MANAGER_DETECT),
                             .on_server_lost = args_has(m, "on-server-lost") ? HQ_LOST_STOP + (int)args_number(m, "on-server-lost", 0)
                                                                             : HQ_LOST_DEFAULT,
                             .idle_timeout_ms = args_limit(m, "idle-timeout"),
                             .time_limit_ms = args_limit(m, "time-limit"),
                             .heartbeat_ms = args_limit(m, "heartbeat"),
                             .overview_interval_ms = args_number(m, "overview-interval", 0),
                             .min_utilization = (double)args_number(m, "min-utilization", 0) / HQ_UNITS,
                             .task_files = cli->task_files,
                             .keep_affinity = 1};
    int rc = hq_worker_new(ret, ctx, &opt, err);
    free(resources);
    return rc;
}

/* ---- while it runs ---- */

static void announce(struct cli *cli, const hq_worker *w)
{
    const struct worker_view view = {hq_tools_worker_info(w), hq_worker_get_id(w).n, (uint64_t)(format_now() / NS_PER_MS),
                                     false};
    if (cli->mode == OUT_JSON) {
        json_t *list = json_array();
        json_array_append_new(list, worker_json(&view));
        out_json(cli, list);
    } else if (cli->mode == OUT_CLI) {
        worker_print(cli, &view);
    }
    out_flush(cli);
}

/* The library logs how it goes; what is left is to obey signals and to tell how it ended. */
static int work(struct cli *cli, hq_ctx *ctx, hq_worker *w)
{
    bool stopping = false;
    for (;;) {
        hq_error err;
        const hq_event *e;
        int rc = hq_ctx_run(ctx, -1, &err);
        if (rc < 0 && rc != HQ_EINTR && rc != HQ_ETIMEDOUT)
            return out_fail(cli, NULL, "%s", err.text);
        if (signals_take() && !stopping)
            stopping = hq_worker_stop(w, HQ_WORKER_CONNECTION_LOST, &err) >= 0;
        while (hq_ctx_next(ctx, &e) > 0) {
            if (e->type == HQ_EVENT_WORKER && e->u.worker.state == HQ_WORKER_RUNNING)
                announce(cli, w);
            if (e->type != HQ_EVENT_STOPPED)
                continue;
            if (e->code == HQ_OK || stopping)
                return 0;
            return out_fail(cli, NULL, "%s", e->text && *e->text ? e->text : hq_strerror(e->code));
        }
    }
}

int worker_start_run(struct cli *cli, const struct matches *m)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGTSTP, 0};
    hq_ctx_options opt = session_ctx_options(cli, false);
    hq_ctx *ctx = NULL;
    hq_worker *w = NULL;
    hq_error err;
    int rc;
    cli->serves = true;
    out_log(cli, LOG_INFO, "HyperQueue %s", hq_tools_version());
    if (hq_ctx_new(&ctx, &opt, &err) < 0 || make_worker(&w, ctx, cli, m, &err) < 0) {
        rc = fail(cli, &err);
    } else {
        signals_catch(ctx, caught);
        rc = work(cli, ctx, w);
        signals_stop();
    }
    hq_worker_free(w);
    hq_ctx_free(ctx);
    return rc;
}

/* ---- table ---- */

/* In 1/10000. */
static bool check_utilization(const char *text, uint64_t *value, char *why, size_t room)
{
    char *end;
    double share = strtod(text, &end);
    bool is_number = *text != '\0' && !isspace((unsigned char)*text) && *end == '\0';
    bool is_share = share >= 0 && share <= 1;
    *value = is_number && is_share ? (uint64_t)(share * HQ_UNITS + 0.5) : 0;
    if (!is_number)
        snprintf(why, room, "invalid float literal");
    else if (!is_share)
        snprintf(why, room, "Minimal utilization has to be in the interval [0.0, 1.0].");
    return is_number && is_share;
}

const struct arg worker_start_args[] = {
    {.name = "cpus", .value = "CPUS", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_CPUS, .fallback = "detected",
     .help = "Cpus to offer, as in `4`, `2x8` (two groups of eight) or `[0,1,5]`"},
    {.name = "resource", .value = "RESOURCE", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_RESOURCE, .flags = ARG_REPEAT,
     .help = "Another resource, as in `gpus/nvidia=[0,1]`, `fpga=range(0-3)` or `mem=sum(1000)`; may be repeated"},
    {.name = "group", .value = "GROUP", .kind = ARG_TEXT, .fallback = "the allocation's id, or `default`",
     .help = "Group that the worker belongs to"},
    {.name = "detect-resources", .value = "DETECT_RESOURCES", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DETECT,
     .flags = ARG_USAGE_ERROR, .fallback = "all",
     .help = "What to detect: `all`, `none`, or a list of cpus, mem, gpus/nvidia, gpus/amd"},
    {.name = "no-hyper-threading", .kind = ARG_FLAG, .help = "Offer one cpu of each core only"},
    {.name = "idle-timeout", .value = "IDLE_TIMEOUT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .help = "Stop when there was nothing to do for so long"},
    {.name = "overview-interval", .value = "OVERVIEW_INTERVAL", .kind = ARG_GRAMMAR,
     .grammar = HQ_GRAMMAR_DURATION_HUMAN, .fallback = "0s",
     .help = "How often the journal is told how busy the node is (cpus, memory, network, GPUs), as in `10s`; `0s`: never"},
    {.name = "min-utilization", .value = "MIN_UTILIZATION", .kind = ARG_CHECKED, .check = check_utilization,
     .fallback = "0", .help = "Stay idle unless this share of the cpus, from 0 to 1, would be in use"},
    {.name = "heartbeat", .value = "HEARTBEAT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION, .fallback = "8s",
     .help = "How often server and worker show that they live"},
    {.name = "time-limit", .value = "TIME_LIMIT", .kind = ARG_GRAMMAR, .grammar = HQ_GRAMMAR_DURATION,
     .fallback = "what is left of the allocation", .help = "Stop after so long"},
    {.name = "manager", .value = "MANAGER", .kind = ARG_CHOICE, .choices = managers, .fallback = "detect",
     .help = "Manager of the allocation that the worker runs in"},
    {.name = "hostname", .value = "HOSTNAME", .kind = ARG_TEXT, .fallback = "the local host name",
     .help = "Name that the worker goes by"},
    {.name = "on-server-lost", .value = "ON_SERVER_LOST", .kind = ARG_CHOICE, .choices = on_lost,
     .fallback = "`wait` where the server has a journal, else `stop`",
     .help = "What to do when the server is lost: end at once, end when running tasks have, or go on and look for it"},
    {.name = "retract-check-interval", .value = "RETRACT_CHECK_INTERVAL", .kind = ARG_GRAMMAR,
     .grammar = HQ_GRAMMAR_DURATION, .fallback = "30s",
     .help = "Accepted for old scripts: surplus tasks are taken back as soon as another worker is idle"},
    {.name = "work-dir", .value = "WORK_DIR", .kind = ARG_PATH, .help = "Directory for the worker's own files",
     .fallback = "one of its own below TMPDIR"},
    {0},
};
