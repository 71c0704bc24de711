/* SPDX-License-Identifier: MIT */
/* helper_start.c - a clone that clones.
 *
 * Promise, to the host: its waitpid(-1) and its SIGCHLD handler see nothing of this, its atfork handlers do not run, its
 * pages are not copied. An exec gives a process the exit signal SIGCHLD, whatever it was cloned with; so the one that
 * execs is the child of an intermediate one that was cloned without a signal and exits at once. Both
 * run on this process's memory while the calling thread is suspended, with all signals blocked, so that no handler of the
 * host runs twice. */
#include "tasks/helper_start.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"

#ifndef HQI_LIBEXECDIR
#define HQI_LIBEXECDIR "/usr/local/libexec"
#endif

#define STACK_BYTES 65536u /* of each of the two; execve's own needs are small */
#define NUMBER_BYTES 24
#define MAX_PATH (2 * PATH_MAX)
#define MAX_ARGS 12

static const char where[] = "tasks";

/* ---- finding ---- */

/* From the directory of the library, or of the program that holds this code: installed, then build directories. */
static const char *const places[] = {
    "../libexec/hqcore/hq-helper", "../../libexec/hqcore/hq-helper", /* lib/ and lib/<machine>/ */
    "hq-helper",
    "helper/hq-helper",
    "../lib/helper/hq-helper",
    "../../lib/helper/hq-helper",
    "../../../lib/helper/hq-helper",
};

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* `file` is what holds this code; true: *ret is the helper. */
static bool find_beside(const char *file, struct buf *path)
{
    const char *slash = strrchr(file, '/');
    for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
        hqi_base_buf_clear(path);
        hqi_base_buf_addf(path, "%.*s/%s", (int)(slash - file), file, places[i]);
        if (is_program(path->p))
            return true;
    }
    return false;
}

static bool find_installed(struct buf *path)
{
    hqi_base_buf_clear(path);
    hqi_base_buf_adds(path, HQI_LIBEXECDIR "/hqcore/hq-helper");
    return is_program(path->p);
}

int hqi_tasks_helper_start_find(char **ret, const struct alloc *a, hq_error *err)
{
    char program[PATH_MAX];
    Dl_info info = {0};
    struct buf path;
    hqi_base_buf_init(&path, a);
    if (!hqi_base_buf_reserve(&path, MAX_PATH)) /* else a failure could pass for a place without helper */
        return hqi_base_error_nomem(err, where);
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = '\0';
    bool has_library = dladdr(where, &info) != 0 && info.dli_fname && info.dli_fname[0] == '/';
    bool found = (has_library && find_beside(info.dli_fname, &path)) || find_beside(program, &path) ||
                 find_installed(&path);
    *ret = found ? hqi_base_buf_take(&path, NULL) : NULL;
    hqi_base_buf_fini(&path);
    if (*ret)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_ENOENT, where,
                              "hq-helper was not found beside %s, in its ../libexec/hqcore, nor in %s/hqcore; name its path",
                              has_library ? info.dli_fname : program, HQI_LIBEXECDIR);
}

/* ---- starting ---- */

struct plan { /* on the memory that all three share */
    const char *path;
    char *const *argv;
    char *const *env;
    int fds[2]; /* what stays open; -1: none */
    char *stack;
    pid_t pid; /* of the helper */
    int sys;   /* errno of what failed */
};

static int exec_helper(void *arg)
{
    struct plan *p = arg;
    for (int i = 0; i < 2; i++)
        if (p->fds[i] >= 0)
            fcntl(p->fds[i], F_SETFD, 0); /* this process has a table of its own */
    execve(p->path, p->argv, p->env);
    p->sys = errno;
    return 0;
}

static int clone_helper(void *arg)
{
    struct plan *p = arg;
    p->pid = clone(exec_helper, p->stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, p);
    if (p->pid < 0)
        p->sys = errno;
    return 0;
}

/* Suspended until the intermediate process has gone, and that until the helper's exec. */
static void run_plan(struct plan *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t between = clone(clone_helper, p->stack + 2 * STACK_BYTES, CLONE_VM | CLONE_VFORK, p);
    if (between < 0)
        p->sys = errno;
    else
        while (waitpid(between, NULL, __WCLONE) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int plan_error(const struct helper_start *s, int sys, hq_error *err)
{
    if (sys == EAGAIN)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "no more processes can be started; raise `ulimit -u`");
    if (sys == ENOENT)
        return hqi_base_error_sys(err, sys, where, "cannot start the helper '%s'; was it moved?", s->path);
    return hqi_base_error_sys(err, sys, where, "cannot start the helper '%s'", s->path);
}

int hqi_tasks_helper_start_run(const struct helper_start *s, int32_t *pid, hq_error *err)
{
    char worker[NUMBER_BYTES], socket[NUMBER_BYTES], worker_fd[NUMBER_BYTES], nofile[NUMBER_BYTES];
    const char *argv[MAX_ARGS + 1] = {"hq-helper", "--worker", worker, "--work-dir", s->work_dir, "--socket", socket};
    int n = 7, pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0); /* close-on-exec */
    snprintf(worker, sizeof worker, "%d", (int)getpid());
    snprintf(socket, sizeof socket, "%d", s->socket);
    if (pidfd >= 0) { /* else the helper finds another way to watch us */
        snprintf(worker_fd, sizeof worker_fd, "%d", pidfd);
        argv[n++] = "--worker-fd";
        argv[n++] = worker_fd;
    }
    if (s->nofile > 0) {
        snprintf(nofile, sizeof nofile, "%llu", (unsigned long long)s->nofile);
        argv[n++] = "--nofile";
        argv[n++] = nofile;
    }
    if (s->keep_affinity)
        argv[n++] = "--keep-affinity";
    struct plan p = {.path = s->path, .argv = (char *const *)argv, .env = (char *const *)s->env,
                     .fds = {s->socket, pidfd}, .stack = hqi_base_alloc_get(s->alloc, 2 * STACK_BYTES)};
    if (p.stack)
        run_plan(&p);
    hqi_base_alloc_free(s->alloc, p.stack);
    if (pidfd >= 0)
        close(pidfd);
    if (!p.stack)
        return hqi_base_error_nomem(err, where);
    if (p.sys != 0)
        return plan_error(s, p.sys, err);
    *pid = p.pid;
    return HQ_OK;
}
