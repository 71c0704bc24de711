/* SPDX-License-Identifier: MIT */
/* manager.c - is this worker inside an allocation of Slurm or PBS, and how much time has that left?
 *
 * The answer about time is a courtesy: whatever goes wrong with it costs one warning, never the worker. */
#include "base/error.h"
#include "text/allocation.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define ASK_MS 10000
#define COMMANDS 2
#define ARGS 6

struct manager {
    uint8_t kind;
    const char *name;
    const char *id;    /* of the allocation */
    const char *argv[COMMANDS][ARGS]; /* the second where the first one fails */
    bool (*left)(struct bytes output, uint64_t *secs);
};

/* Torque's qstat has no JSON. */
static bool find_pbs(const struct hq_worker *w, struct manager *m)
{
    const char *id = hqi_worker_env_get(w, "PBS_JOBID");
    if (!hqi_worker_env_get(w, "PBS_ENVIRONMENT"))
        return false;
    *m = (struct manager){MANAGER_PBS, "PBS", id, {{"qstat", "-f", id, "-F", "json"}, {"qstat", "-f", id}},
                          hqi_text_allocation_pbs_left};
    return true;
}

static bool find_slurm(const struct hq_worker *w, struct manager *m)
{
    const char *id = hqi_worker_env_get(w, "SLURM_JOB_ID");
    if (!id)
        id = hqi_worker_env_get(w, "SLURM_JOBID");
    *m = (struct manager){MANAGER_SLURM, "SLURM", id, {{"scontrol", "show", "job", id}}, hqi_text_allocation_slurm_left};
    return id;
}

static int find(const struct hq_worker *w, int wanted, struct manager *m, hq_error *err)
{
    bool found = wanted != HQ_MANAGER_NONE && wanted != HQ_MANAGER_SLURM && find_pbs(w, m);
    if (!found && wanted == HQ_MANAGER_PBS)
        return hqi_base_error_set(err, HQ_EINVAL, where,
                                  "PBS_ENVIRONMENT not found. The process is not running under PBS");
    if (!found && (wanted == HQ_MANAGER_DETECT || wanted == HQ_MANAGER_SLURM))
        found = find_slurm(w, m);
    if (!found && wanted == HQ_MANAGER_SLURM)
        return hqi_base_error_set(err, HQ_EINVAL, where,
                                  "SLURM_JOB_ID/SLURM_JOBID not found. The process is not running under SLURM");
    if (found && !m->id)
        return hqi_base_error_set(err, HQ_EINVAL, where,
                                  "PBS_ENVIRONMENT is set but PBS_JOBID is not: set it, or use no manager");
    return found;
}

static int ask(struct hq_worker *w, const char *const *command, hq_error *err)
{
    struct bytes argv[ARGS];
    struct to_helper item = {.kind = TO_HELPER_COMMAND};
    while (command[item.u.command.n_argv]) {
        argv[item.u.command.n_argv] = bytes_of(command[item.u.command.n_argv]);
        item.u.command.n_argv++;
    }
    item.u.command.argv = argv;
    item.u.command.timeout_ms = ASK_MS;
    w->answers.has_command = false;
    return hqi_worker_helper_ask(w, &item, &w->answers.has_command, ASK_MS, err);
}

static bool ask_left(struct hq_worker *w, const struct manager *m, uint64_t *secs)
{
    for (int i = 0; i < COMMANDS && m->argv[i][0]; i++) {
        hq_error err;
        if (ask(w, m->argv[i], &err) < 0) {
            hqi_base_log_write(w->log, LOG_WARN, where, "The time that is left to this %s job is unknown: %s", m->name,
                               err.text);
            return false;
        }
        if (w->answers.status == 0)
            return m->left(w->answers.out, secs);
    }
    hqi_base_log_write(w->log, LOG_WARN, where, "The time that is left to this %s job is unknown: `%s` has failed", m->name,
                       m->argv[0][0]);
    return false;
}

int hqi_worker_manager_detect(struct hq_worker *w, const hq_worker_options *o, hq_error *err)
{
    struct manager m = {0};
    uint64_t secs;
    int found = find(w, o->manager, &m, err);
    if (found <= 0)
        return found;
    hqi_base_log_write(w->log, LOG_INFO, where, "%s environment detected", m.name);
    w->config->manager = m.kind;
    w->config->manager_job_id = bytes_of(m.id);
    if (!o->group)
        w->config->group = bytes_of(m.id);
    if (o->time_limit_ms == 0 && ask_left(w, &m, &secs))
        w->config->time_limit_ms = secs > 0 ? secs * 1000 : 1;
    return HQ_OK;
}
