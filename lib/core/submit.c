/* SPDX-License-Identifier: MIT */
/* submit.c - a submit: its checks, the numbering of its tasks, its paths, and entries that come in parts. Nothing of it is
 * visible before the one fact that holds all of it. A submit with a key that is known is answered as the first time. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "core/inner.h"
#include "model/name.h"
#include "text/task_paths.h"

static const char where[] = "submit";

/* ---- checks ---- */

/* What the scheduler cannot place yet is refused, never ignored. */
static int check_request(const struct resource_request *r, hq_error *err)
{
    if (r->n_variants > 1)
        return hqi_base_error_set(err, HQ_EINVAL, where, "Resource variants are not supported by this version; give one request");
    if (r->variants[0].n_nodes > 0)
        return hqi_base_error_set(err, HQ_EINVAL, where, "Multi-node tasks are not supported by this version; n_nodes must be 0");
    if (r->variants[0].weight != HQ_UNITS)
        return hqi_base_error_set(err, HQ_EINVAL, where, "Resource weights are not supported by this version; weight must be 1");
    return HQ_OK;
}

static int check_collision(const struct job *j, const struct spec *spec, hq_error *err)
{
    uint32_t common;
    if (!hqi_state_job_meets(j, &spec->ids, &common))
        return HQ_OK;
    return hqi_base_error_set(err, HQ_EEXIST, where, "Task %u already exists in job %u.", common, j->id.n);
}

static int check_job(struct core *c, hq_job_id id, hq_error *err)
{
    const struct job *j = hqi_state_job(c->state, id);
    if (!j)
        return hqi_base_error_set(err, HQ_ENOENT, where, "Job %u not found.", id.n);
    if (!j->open)
        return hqi_base_error_set(err, HQ_ESTATE, where, "Job %u is not opened.", id.n);
    return HQ_OK;
}

/* Tasks without ids: from 0, or behind the largest of the job. */
static int number_tasks(struct core *c, struct command *cmd, hq_error *err)
{
    struct spec *spec = cmd->u.submit.spec;
    const struct job *j = hqi_state_job(c->state, cmd->u.submit.job);
    uint32_t n = spec->entries.n ? spec->entries.n : cmd->u.submit.n_auto;
    bool any = false;
    uint32_t last = j ? hqi_state_job_max_id(j, &any) : 0;
    hq_range r = {any ? last + 1 : 0, n, 1};
    if (spec->ids.count > 0 || n == 0)
        return HQ_OK;
    if (any && last == UINT32_MAX)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "Job %u has a task with the largest possible id; give ids", j->id.n);
    return hqi_model_intset_make(&spec->ids, spec->mem, &r, 1, err);
}

/* ---- paths ---- */

static int fill_paths(struct core *c, struct spec *s, hq_job_id job, hq_error *err)
{
    struct task_paths typed = {s->cwd, s->out.path, s->err.path}, paths;
    struct path_values v = {.job = job.n, .submit_dir = s->submit_dir, .server_uid = bytes_of(c->uid)};
    int r = hqi_text_task_paths_at_submit(&paths, s->mem, &typed, &v);
    if (r < 0)
        return hqi_base_error_set(err, r, where, "The paths of the tasks could not be made: %s", hq_strerror(r));
    s->cwd = paths.cwd;
    s->out.path = paths.out;
    s->err.path = paths.err;
    return HQ_OK;
}

/* ---- the whole ---- */

static int make_fact(struct core *c, const struct now *now, struct command *cmd, struct fact *f, hq_error *err)
{
    struct spec *spec = cmd->u.submit.spec;
    const struct job *j = hqi_state_job(c->state, cmd->u.submit.job);
    bool new_job = cmd->u.submit.job.n == 0;
    int r = number_tasks(c, cmd, err);
    if (r >= 0 && new_job)
        r = hqi_model_name_check(cmd->u.submit.name, "job name", err);
    if (r >= 0)
        r = hqi_model_spec_check(spec, err);
    if (r >= 0)
        r = check_request(&spec->request, err);
    if (r >= 0 && j)
        r = check_collision(j, spec, err);
    if (r >= 0 && !new_job)
        r = check_job(c, cmd->u.submit.job, err);
    if (r < 0)
        return r;
    if ((new_job && c->state->n_jobs >= HQI_MAX_JOBS) || c->state->n_submits >= HQI_MAX_JOBS)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "The server has given out all of its %u job ids", HQI_MAX_JOBS);
    *f = (struct fact){.kind = FACT_SUBMIT, .utc_ms = now->utc_ms};
    f->u.submit.job.n = new_job ? c->state->n_jobs + 1 : cmd->u.submit.job.n;
    f->u.submit.new_job = new_job;
    f->u.submit.name = cmd->u.submit.name;
    f->u.submit.max_fails = cmd->u.submit.max_fails;
    f->u.submit.submit = c->state->n_submits + 1;
    f->u.submit.key = cmd->key;
    f->u.submit.spec = spec;
    return fill_paths(c, spec, f->u.submit.job, err);
}

static void reply_job(struct core *c, uint64_t client, const struct command *cmd, hq_job_id job)
{
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    if (r)
        r->u.job.job = job;
    else
        hqi_core_no_memory(c, client, cmd);
}

/* `asked` is the command to answer: the submit itself, or its last part. */
static void commit_submit(struct core *c, const struct now *now, uint64_t client, struct command *cmd,
                          const struct command *asked)
{
    hq_error err;
    struct fact f;
    struct reply *r = hqi_core_reply(c, client, asked->id, asked->kind);
    if (!r) {
        hqi_core_no_memory(c, client, asked);
        return;
    }
    if (make_fact(c, now, cmd, &f, &err) < 0 || hqi_core_commit(c, &f, 1, &err) < 0) {
        hqi_core_reply_fail(c, r, err.code, err.text);
        return;
    }
    r->u.job.job = f.u.submit.job;
    cmd->u.submit.spec = NULL;
}

/* ---- parts ---- */

void hqi_core_upload_drop(struct core *c, struct upload *u)
{
    list_unlink(&u->link);
    c->n_uploads--;
    hqi_model_spec_free(u->cmd.u.submit.spec);
    hqi_base_buf_fini(&u->blob);
    hqi_base_buf_fini(&u->offsets);
    hqi_base_alloc_free(c->alloc, (char *)u->cmd.u.submit.name.p);
    hqi_base_alloc_free(c->alloc, u);
}

static void upload_touch(struct upload *u, const struct now *now)
{
    u->deadline_ns = now->mono_ns + HQI_UPLOAD_TIMEOUT_S * HQI_SEC;
}

/* False: no memory, and that was said. */
static bool reply_credit(struct core *c, uint64_t client, const struct command *cmd)
{
    struct reply *r = hqi_core_reply(c, client, cmd->id, cmd->kind);
    if (!r) {
        hqi_core_no_memory(c, client, cmd);
        return false;
    }
    r->more = true;
    r->u.part.credit = HQI_PART_BYTES;
    return true;
}

static struct upload *upload_find(struct core *c, uint64_t client, struct key key)
{
    list_for(it, &c->uploads) {
        struct upload *u = hqi_container(it, struct upload, link);
        if (u->client == client && u->cmd.key.a == key.a && u->cmd.key.b == key.b)
            return u;
    }
    return NULL;
}

static void upload_begin(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct upload *again = upload_find(c, client, cmd->key);
    if (again)
        hqi_core_upload_drop(c, again);
    if (c->n_uploads >= HQI_MAX_UPLOADS) {
        hqi_core_reply_error(c, client, cmd, HQ_ELIMIT, "The server has too many submits in the making; try again later");
        return;
    }
    struct upload *u = hqi_base_alloc_zero(c->alloc, 1, sizeof *u);
    char *name = u ? hqi_base_alloc_strdup(c->alloc, cmd->u.submit.name.p, cmd->u.submit.name.n) : NULL;
    if (!name || !reply_credit(c, client, cmd)) {
        if (!name)
            hqi_core_no_memory(c, client, cmd);
        hqi_base_alloc_free(c->alloc, name);
        hqi_base_alloc_free(c->alloc, u);
        return;
    }
    u->client = client;
    u->id = cmd->id;
    u->cmd = *cmd;
    u->cmd.u.submit.name.p = name;
    cmd->u.submit.spec = NULL;
    hqi_base_buf_init(&u->blob, c->alloc);
    hqi_base_buf_init(&u->offsets, c->alloc);
    upload_touch(u, now);
    list_push_back(&c->uploads, &u->link);
    c->n_uploads++;
}

void hqi_core_submit(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    const struct job *old = hqi_state_job_by_key(c->state, cmd->key);
    if (old)
        reply_job(c, client, cmd, old->id);
    else if (!cmd->u.submit.spec)
        hqi_core_reply_error(c, client, cmd, HQ_EPROTO, "Received an invalid message: a submit without a spec");
    else if (cmd->u.submit.more)
        upload_begin(c, now, client, cmd);
    else
        commit_submit(c, now, client, cmd, cmd);
}

static int append_part(struct upload *u, const struct command *cmd, hq_error *err)
{
    uint64_t at = u->blob.n, sum = 0;
    for (uint32_t i = 0; i < cmd->u.part.n; i++) {
        uint64_t start = at + sum;
        hqi_base_buf_add(&u->offsets, &start, sizeof start);
        sum += cmd->u.part.lengths[i];
    }
    if (sum != cmd->u.part.blob.n)
        return hqi_base_error_set(err, HQ_EPROTO, where, "Received an invalid message: a part whose lengths do not add up");
    if (at + sum > HQI_MAX_SUBMIT_BYTES || u->offsets.n / sizeof at > UINT32_MAX - 1)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "The entries of one submit are limited to %llu bytes", HQI_MAX_SUBMIT_BYTES);
    hqi_base_buf_add(&u->blob, cmd->u.part.blob.p, cmd->u.part.blob.n);
    return u->blob.failed || u->offsets.failed ? hqi_base_error_nomem(err, where) : HQ_OK;
}

/* The collected entries move into the spec's own arena. */
static int finish_upload(struct upload *u, hq_error *err)
{
    struct spec *s = u->cmd.u.submit.spec;
    uint64_t end = u->blob.n;
    bool ok = true;
    hqi_base_buf_add(&u->offsets, &end, sizeof end);
    struct bytes blob = hqi_base_arena_bytes(s->mem, hqi_base_buf_bytes(&u->blob), &ok);
    uint64_t *offsets = hqi_base_arena_get(s->mem, u->offsets.n);
    if (!ok || !offsets || u->offsets.failed)
        return hqi_base_error_nomem(err, where);
    memcpy(offsets, u->offsets.p, u->offsets.n);
    s->entries = (struct entries){blob.p, offsets, (uint32_t)(u->offsets.n / sizeof *offsets - 1)};
    return HQ_OK;
}

static void take_part(struct core *c, uint64_t client, struct command *cmd, struct upload *u, const struct now *now)
{
    hq_error err;
    upload_touch(u, now);
    if (append_part(u, cmd, &err) < 0 || (cmd->u.part.last && finish_upload(u, &err) < 0)) {
        hqi_core_reply_error(c, client, cmd, err.code, err.text);
        hqi_core_upload_drop(c, u);
    } else if (cmd->u.part.last) {
        commit_submit(c, now, client, &u->cmd, cmd);
        hqi_core_upload_drop(c, u);
    } else if (!reply_credit(c, client, cmd)) {
        hqi_core_upload_drop(c, u);
    }
}

/* The submit may have been committed meanwhile, when the client sent it again in another session. */
void hqi_core_submit_part(struct core *c, const struct now *now, uint64_t client, struct command *cmd)
{
    struct upload *u = upload_find(c, client, cmd->key);
    const struct job *old = hqi_state_job_by_key(c->state, cmd->key);
    if (old) {
        reply_job(c, client, cmd, old->id);
        if (u)
            hqi_core_upload_drop(c, u);
    } else if (u) {
        take_part(c, client, cmd, u, now);
    } else {
        hqi_core_reply_error(c, client, cmd, HQ_ENOENT, "There is no submit in the making with this key; it may have timed out");
    }
}
