/* SPDX-License-Identifier: MIT */
/* allocation.c - one srun that starts one worker per node. */
#include "allocation.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "format.h"

#define LOG_NAME "workers.log"
#define TAIL_MAX 2048        /* of that log, shown when the workers are gone */
#define END_MS 10000         /* for srun to end by itself, then again after SIGTERM */
#define POLL_NS 20000000
#define FDS_OF_NFTW 8

extern char **environ;

static const char *env_or(const char *name, const char *otherwise)
{
    const char *value = getenv(name);
    return value && *value ? value : otherwise;
}

static const char *node_count(void)
{
    return env_or("SLURM_JOB_NUM_NODES", env_or("SLURM_NNODES", "1"));
}

/* A step already has its share of the nodes. SLURMD_NODENAME is set where slurmd started us: on a node of the
 * allocation, and not in the shell of salloc. */
bool allocation_here(void)
{
    if (!getenv("SLURM_JOB_ID") || getenv("SLURM_STEP_ID"))
        return false;
    return strcmp(node_count(), "1") != 0 || !getenv("SLURMD_NODENAME");
}

bool allocation_make_dir(struct allocation *a, struct cli *cli)
{
    char cwd[PATH_MAX - 32], why[ERRNO_MAX];
    *a = (struct allocation){.cli = cli};
    if (getcwd(cwd, sizeof cwd)) {
        snprintf(a->dir, sizeof a->dir, "%s/.hq-run-XXXXXX", cwd);
        if (mkdtemp(a->dir))
            return true;
    }
    a->dir[0] = '\0';
    out_fail(cli, format_errno(errno, why), "Cannot make a directory for the workers' access file");
    return false;
}

/* ---- srun ---- */

struct argv {
    char **p; /* owned, as is each of them; NULL-terminated */
    size_t n;
};

static void add(struct argv *argv, const char *text_before, const char *value)
{
    struct str text = {0};
    str_addf(&text, "%s%s", text_before, value);
    argv->p = mem_grow(argv->p, argv->n + 2, sizeof(*argv->p));
    argv->p[argv->n++] = text.p;
    argv->p[argv->n] = NULL;
}

static void add_given(struct argv *argv, const struct matches *m, const char *name, const char *option)
{
    const struct match *match = args_get(m, name);
    for (size_t i = 0; match && i < match->n; i++)
        add(argv, option, match->values[i].text);
}

/* The step shares the allocation with other steps and is bound to nothing: the worker divides its nodes itself. */
static void make_argv(struct argv *argv, const struct allocation *a, const struct matches *m, const char *self)
{
    *argv = (struct argv){0};
    add(argv, "srun", "");
    add(argv, "--overlap", "");
    add(argv, "--nodes=", node_count());
    add(argv, "--ntasks=", node_count());
    add(argv, "--ntasks-per-node=1", "");
    add(argv, "--cpu-bind=none", "");
    if (getenv("SLURM_CPUS_PER_TASK"))
        add(argv, "--cpus-per-task=", getenv("SLURM_CPUS_PER_TASK"));
    add(argv, self, "");
    add(argv, "--server-dir=", a->dir);
    add(argv, "--output-mode=quiet", "");
    add(argv, "worker", "");
    add(argv, "start", "");
    add_given(argv, m, "worker-cpus", "--cpus=");
    add_given(argv, m, "worker-resource", "--resource=");
    add_given(argv, m, "detect-resources", "--detect-resources=");
    if (args_has(m, "no-hyper-threading"))
        add(argv, "--no-hyper-threading", "");
}

static void free_argv(struct argv *argv)
{
    for (size_t i = 0; i < argv->n; i++)
        free(argv->p[i]);
    free(argv->p);
}

/* In a process group of its own: Ctrl-C is for us, who then tell the workers. */
static int spawn(pid_t *pid, char *const *argv, const char *log)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    int sys = posix_spawnp(pid, argv[0], &actions, &attr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    return sys;
}

bool allocation_start(struct allocation *a, const struct matches *m)
{
    char self[PATH_MAX], why[ERRNO_MAX];
    struct str log = {0};
    struct argv argv;
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    str_addf(&log, "%s/" LOG_NAME, a->dir);
    make_argv(&argv, a, m, self);
    int sys = len > 0 ? spawn(&a->srun, argv.p, log.p) : errno;
    free_argv(&argv);
    str_free(&log);
    if (sys) {
        a->srun = 0;
        out_fail(a->cli, format_errno(sys, why), "Cannot start workers with srun");
    }
    return sys == 0;
}

bool allocation_ended(struct allocation *a)
{
    if (a->srun > 0 && waitpid(a->srun, &a->status, WNOHANG) == a->srun)
        a->srun = 0;
    return a->srun == 0;
}

void allocation_report(struct allocation *a)
{
    char tail[TAIL_MAX + 1];
    struct str log = {0};
    size_t len = 0;
    str_addf(&log, "%s/" LOG_NAME, a->dir);
    FILE *f = fopen(log.p, "re");
    if (f && fseek(f, 0, SEEK_END) == 0) {
        long size = ftell(f);
        fseek(f, size > TAIL_MAX ? size - TAIL_MAX : 0, SEEK_SET);
        len = fread(tail, 1, TAIL_MAX, f);
    }
    if (f)
        fclose(f);
    while (len > 0 && tail[len - 1] == '\n')
        len--;
    tail[len] = '\0';
    int code = WIFEXITED(a->status) ? WEXITSTATUS(a->status) : 128 + WTERMSIG(a->status);
    out_fail(a->cli, len ? tail : NULL, "The workers have ended before the job: srun ended with exit code %d", code);
    str_free(&log);
}

/* ---- the end ---- */

static bool await(struct allocation *a)
{
    int64_t end = format_now() + END_MS * NS_PER_MS;
    while (!allocation_ended(a) && format_now() < end)
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    return a->srun == 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    remove(path);
    return 0;
}

void allocation_end(struct allocation *a)
{
    if (a->srun > 0 && !await(a)) {
        kill(-a->srun, SIGTERM);
        if (!await(a)) {
            kill(-a->srun, SIGKILL);
            waitpid(a->srun, &a->status, 0);
        }
    }
    a->srun = 0;
    if (a->dir[0])
        nftw(a->dir, remove_entry, FDS_OF_NFTW, FTW_DEPTH | FTW_PHYS);
    a->dir[0] = '\0';
}
