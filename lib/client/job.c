/* SPDX-License-Identifier: MIT */
/* job.c - one job: waiting for it, cancelling it, asking after it; evented and blocking. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "client/client.h"
#include "client/select.h"
#include "host/tree.h"

static const char where[] = "client";

#define UNTIL_REPLY (-1) /* ms: the server answers at once, or the connection ends */

/* ---- asking about one job ---- */

static struct request *ask(hq_client *c, struct command *cmd, hq_job_id job, bool blocking, uint64_t tag, hq_error *err)
{
    struct one_id place;
    if (hqi_client_client_check(c, err) < 0)
        return NULL;
    struct request *r = hqi_client_request_new(c, blocking, tag, err);
    if (!r)
        return NULL;
    r->one = true;
    r->asked = job;
    hqi_client_select_one(&cmd->u.jobs.jobs, &place, job.n);
    return hqi_client_request_send(r, cmd, err) < 0 ? NULL : r;
}

static int ask_evented(hq_client *c, struct command *cmd, hq_job_id job, uint64_t tag, hq_error *err)
{
    hq_error why;
    if (ask(c, cmd, job, false, tag, &why))
        return HQ_OK;
    if (err)
        *err = why;
    return why.code;
}

/* The answered request in *ret, to be freed; on failure nothing. */
static int ask_and_wait(hq_client *c, struct command *cmd, hq_job_id job, int timeout_ms, struct request **ret, hq_error *err)
{
    hq_error why;
    struct request *r = ask(c, cmd, job, true, 0, &why);
    if (!r) {
        if (err)
            *err = why;
        return why.code;
    }
    int code = hqi_client_request_wait(r, timeout_ms, err);
    if (code < 0 && r->done)
        hqi_client_request_free(r);
    *ret = r;
    return code;
}

/* ---- cancelling ---- */

static int cancel_command(struct command *cmd, const char *reason, hq_error *err)
{
    *cmd = (struct command){.kind = COMMAND_JOB_CANCEL};
    cmd->u.jobs.reason = bytes_of(reason);
    if (cmd->u.jobs.reason.n > HQI_MAX_REASON)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a reason of %zu bytes: at most %u", cmd->u.jobs.reason.n,
                                  HQI_MAX_REASON);
    return HQ_OK;
}

int hq_client_cancel(hq_client *c, hq_job_id job, const char *reason, uint64_t tag, hq_error *err)
{
    struct command cmd;
    int code = cancel_command(&cmd, reason, err);
    return code < 0 ? code : ask_evented(c, &cmd, job, tag, err);
}

int hq_job_cancel(hq_client *c, hq_job_id job, const char *reason, hq_error *err)
{
    struct command cmd;
    struct request *r = NULL;
    int code = cancel_command(&cmd, reason, err);
    if (code >= 0)
        code = ask_and_wait(c, &cmd, job, UNTIL_REPLY, &r, err);
    if (code < 0)
        return code;
    uint64_t outcome = hq_doc_uint(hq_doc_get(hq_doc_at(hq_doc_get(r->doc, "ids"), 0), "outcome"));
    hqi_client_request_free(r);
    return outcome == OUTCOME_DONE;
}

/* ---- waiting ---- */

int hq_client_wait(hq_client *c, hq_job_id job, uint64_t tag, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_WAIT};
    return ask_evented(c, &cmd, job, tag, err);
}

int hq_job_wait(hq_client *c, hq_job_id job, int timeout_ms, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_WAIT};
    struct request *r = NULL;
    int code = ask_and_wait(c, &cmd, job, timeout_ms, &r, err);
    if (code >= 0)
        hqi_client_request_free(r);
    return code;
}

/* ---- asking ---- */

static const hq_doc *only_job(const struct request *r)
{
    return hq_doc_at(hq_doc_get(r->doc, "jobs"), 0);
}

static hq_job_status status_of(const hq_doc *job)
{
    const hq_doc *stats = hq_doc_get(job, "stats");
    return (hq_job_status){
        .state = (int32_t)hq_doc_int(hq_doc_get(job, "state")),
        .is_open = (int32_t)hq_doc_int(hq_doc_get(job, "open")),
        .total = hq_doc_uint(hq_doc_get(stats, "total")),
        .waiting = hq_doc_uint(hq_doc_get(stats, "waiting")),
        .running = hq_doc_uint(hq_doc_get(stats, "running")),
        .finished = hq_doc_uint(hq_doc_get(stats, "finished")),
        .failed = hq_doc_uint(hq_doc_get(stats, "failed")),
        .canceled = hq_doc_uint(hq_doc_get(stats, "canceled")),
        .aborted = hq_doc_uint(hq_doc_get(stats, "aborted")),
    };
}

int hq_job_progress(hq_client *c, hq_job_id job, hq_job_status *ret, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_PROGRESS};
    struct request *r = NULL;
    if (!ret || ret->size < sizeof ret->size)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_job_status.size is not set");
    int code = ask_and_wait(c, &cmd, job, UNTIL_REPLY, &r, err);
    if (code < 0)
        return code;
    hq_job_status status = status_of(only_job(r));
    status.size = ret->size;
    memcpy(ret, &status, ret->size < sizeof status ? ret->size : sizeof status);
    hqi_client_request_free(r);
    return HQ_OK;
}

int hq_job_info(hq_client *c, hq_job_id job, hq_doc **ret, hq_error *err)
{
    struct command cmd = {.kind = COMMAND_JOB_INFO};
    struct request *r = NULL;
    if (!ret)
        return hqi_base_error_set(err, HQ_EINVAL, where, "hq_job_info: ret is NULL");
    int code = ask_and_wait(c, &cmd, job, UNTIL_REPLY, &r, err);
    if (code < 0)
        return code;
    hq_doc *root = hqi_host_tree_root(r->mem, only_job(r));
    if (root)
        r->mem = NULL; /* the tree owns it now */
    hqi_client_request_free(r);
    if (!root)
        return hqi_base_error_nomem(err, where);
    *ret = root;
    return HQ_OK;
}
