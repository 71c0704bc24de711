/* SPDX-License-Identifier: MIT */
/* env.c - the environment of a worker: read once, when it is made, and from then on this copy.
 *
 * Tasks do not see the variables of an MPI rank or of a Slurm step that the worker itself may be: a program that
 * they start would take itself for a part of that rank or step, and wait for its peers or for its launcher. */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "worker/worker.h"

static const char where[] = "worker";

#define MAX_VARIABLES 65536u /* the kernel's limit on an environment is far below */

/* Prefixes of names that tasks do not see. */
static const char *const hidden_prefixes[] = {
    "OMPI_", "PMIX_", "PMI_",      /* Open MPI, and the process managers of MPI */
    "SLURM_STEP_", "SLURM_SRUN_COMM_", /* the step's own ids, nodes, resources; srun's sockets */
    "SLURM_PMIX_", "SLURM_PMI_",
};

/* Names that tasks do not see: a task's place within its Slurm step. */
static const char *const hidden[] = {
    "SLURM_STEPID", "SLURM_STEPMGR", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_TASK_PID", "SLURM_GTIDS",
    "SLURM_LAUNCH_NODE_IPADDR", "SLURM_TASK_EPILOG", "SLURM_TASK_PROLOG", "SLURM_CPU_BIND", "SLURM_CPU_BIND_LIST",
    "SLURM_CPU_BIND_TYPE", "SLURM_CPU_BIND_VERBOSE", "SLURM_UMASK", "SLURM_PRIO_PROCESS", "SLURM_DISTRIBUTION",
};

static bool is_hidden(const char *variable)
{
    size_t n = strcspn(variable, "=");
    for (size_t i = 0; i < sizeof hidden_prefixes / sizeof *hidden_prefixes; i++)
        if (strncmp(variable, hidden_prefixes[i], strlen(hidden_prefixes[i])) == 0)
            return true;
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (n == strlen(hidden[i]) && memcmp(variable, hidden[i], n) == 0)
            return true;
    return false;
}

int hqi_worker_env_copy(struct hq_worker *w, const char *const *env, hq_error *err)
{
    const char *const *from = env ? env : (const char *const *)environ;
    uint32_t n = 0, n_task = 0;
    bool ok = true;
    while (from && from[n] && n < MAX_VARIABLES)
        n++;
    w->env = hqi_base_arena_zero(w->mem, n + 1u, sizeof *w->env);
    w->task_env = hqi_base_arena_zero(w->mem, n + 1u, sizeof *w->task_env);
    if (!w->env || !w->task_env)
        return hqi_base_error_nomem(err, where);
    for (uint32_t i = 0; i < n; i++) {
        w->env[i] = hqi_base_arena_bytes(w->mem, bytes_of(from[i]), &ok).p;
        if (!ok)
            return hqi_base_error_nomem(err, where);
        if (!is_hidden(w->env[i]))
            w->task_env[n_task++] = w->env[i];
    }
    return HQ_OK;
}

const char *hqi_worker_env_get(const struct hq_worker *w, const char *name)
{
    size_t n = strlen(name);
    for (const char **v = w->env; *v; v++)
        if (strncmp(*v, name, n) == 0 && (*v)[n] == '=')
            return *v + n + 1;
    return NULL;
}
