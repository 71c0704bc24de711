/* SPDX-License-Identifier: MIT */
/* requests.c - the evented requests of hqcore/tools.h: each makes one command, and a request for its reply. */
#include "base/error.h"
#include "base/limits.h"
#include "client/client.h"
#include "client/journal.h"
#include "client/select.h"
#include "hqcore/tools.h"
#include "model/name.h"

static const char where[] = "client";

/* ---- sending ---- */

static int send_command(hq_client *c, struct command *cmd, uint64_t tag, hq_error *err)
{
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    struct request *r = hqi_client_request_new(c, false, tag, err);
    if (!r)
        return HQ_ENOMEM;
    return hqi_client_request_send(r, cmd, err);
}

/* With a selector, parsed into `to`, a member of cmd. */
static int send_selected(hq_client *c, struct command *cmd, struct selector *to, const char *text, uint64_t tag, hq_error *err)
{
    struct arena mem;
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    hqi_base_arena_init(&mem, c->alloc);
    code = hqi_client_select_parse(to, &mem, text, err);
    if (code >= 0)
        code = send_command(c, cmd, tag, err);
    hqi_base_arena_fini(&mem);
    return code;
}

static int send_jobs(hq_client *c, struct command *cmd, const char *jobs, uint64_t tag, hq_error *err)
{
    return send_selected(c, cmd, &cmd->u.jobs.jobs, jobs, tag, err);
}

/* ---- server ---- */

int hq_tools_server_info(hq_client *c, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_SERVER_INFO};
    return send_command(c, &cmd, tag, err);
}

int hq_tools_server_stop(hq_client *c, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_SERVER_STOP};
    return send_command(c, &cmd, tag, err);
}

int hq_tools_server_debug_dump(hq_client *c, const char *path, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_DEBUG_DUMP};
    cmd.u.path = bytes_of(path);
    if (cmd.u.path.n == 0 || cmd.u.path.n > HQI_MAX_PATH)
        return hqi_base_error_set(err, HQ_EINVAL, where, "a path of %zu bytes: expected 1 to %u", cmd.u.path.n, HQI_MAX_PATH);
    return send_command(c, &cmd, tag, err);
}

int hq_tools_journal_flush(hq_client *c, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOURNAL_FLUSH};
    return send_command(c, &cmd, tag, err);
}

int hq_tools_journal_prune(hq_client *c, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOURNAL_PRUNE};
    return send_command(c, &cmd, tag, err);
}

int hq_tools_journal_read(hq_client *c, const hq_journal *j, uint64_t tag, hq_error *err)
{
    struct command cmd;
    int code = hqi_client_journal_ask(j, &cmd, err);
    return code < 0 ? code : send_command(c, &cmd, tag, err);
}

/* ---- jobs ---- */

int hq_tools_job_open(hq_client *c, const char *name, uint32_t max_fails, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_OPEN};
    cmd.u.job_open.name = bytes_of(name ? name : "job");
    cmd.u.job_open.max_fails = max_fails;
    int code = hqi_model_name_check(cmd.u.job_open.name, "job name", err);
    if (code < 0)
        return code;
    return send_command(c, &cmd, tag, err);
}

int hq_tools_job_close(hq_client *c, const char *jobs, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_CLOSE};
    return send_jobs(c, &cmd, jobs, tag, err);
}

int hq_tools_job_cancel(hq_client *c, const char *jobs, const char *reason, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_CANCEL};
    cmd.u.jobs.reason = bytes_of(reason);
    if (cmd.u.jobs.reason.n > HQI_MAX_REASON)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a reason of %zu bytes: at most %u", cmd.u.jobs.reason.n,
                                  HQI_MAX_REASON);
    return send_jobs(c, &cmd, jobs, tag, err);
}

int hq_tools_job_forget(hq_client *c, const char *jobs, uint32_t states, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_FORGET};
    cmd.u.jobs.states = states;
    return send_jobs(c, &cmd, jobs, tag, err);
}

int hq_tools_job_info(hq_client *c, const char *jobs, int brief, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_INFO};
    cmd.u.jobs.brief = brief;
    return send_jobs(c, &cmd, jobs, tag, err);
}

int hq_tools_job_wait(hq_client *c, const char *jobs, int without_close, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_WAIT};
    cmd.u.jobs.without_close = without_close;
    return send_jobs(c, &cmd, jobs, tag, err);
}

int hq_tools_job_progress(hq_client *c, const char *jobs, uint64_t since, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_PROGRESS};
    cmd.u.jobs.since = since;
    return send_jobs(c, &cmd, jobs, tag, err);
}

/* ---- workers ---- */

int hq_tools_worker_stop(hq_client *c, const char *workers, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_WORKER_STOP};
    return send_selected(c, &cmd, &cmd.u.workers.workers, workers, tag, err);
}

int hq_tools_worker_wait(hq_client *c, uint32_t count, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_WORKER_WAIT};
    cmd.u.worker_wait.count = count;
    return send_command(c, &cmd, tag, err);
}

/* ---- lists, which come in pages ---- */

/* The request keeps the command, so that it can ask for the next page. */
static int send_paged(struct request *r, hq_error *err)
{
    struct command first = r->again;
    return hqi_client_request_send(r, &first, err);
}

int hq_tools_job_list(hq_client *c, uint32_t states, int all, uint64_t tag, hq_error *err)
{
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    struct request *r = hqi_client_request_new(c, false, tag, err);
    if (!r)
        return HQ_ENOMEM;
    r->again.kind = COMMAND_JOB_LIST;
    r->again.u.job_list.states = states;
    r->again.u.job_list.all = all;
    return send_paged(r, err);
}

int hq_tools_worker_list(hq_client *c, const char *workers, int offline_too, int details, uint64_t tag, hq_error *err)
{
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    struct request *r = hqi_client_request_new(c, false, tag, err);
    if (!r)
        return HQ_ENOMEM;
    r->mem = hqi_base_arena_new(c->alloc); /* of the selector; the pages will live there, too */
    r->again.kind = COMMAND_WORKER_LIST;
    r->again.u.workers.offline_too = offline_too;
    r->again.u.workers.details = details;
    code = r->mem ? hqi_client_select_parse(&r->again.u.workers.workers, r->mem, workers, err)
                  : hqi_base_error_nomem(err, where);
    if (code < 0) {
        hqi_client_request_free(r);
        return code;
    }
    return send_paged(r, err);
}
