/* SPDX-License-Identifier: MIT */
/* spawn.c - clone with shared memory, and what the child does until its exec.
 *
 * Promise: the child touches only its pad and makes only raw system calls, so it can run beside its parent. It dies
 * with the helper from its first moments on (PDEATHSIG, and a look at its parent after that is set). Must never
 * happen: a task that starts with a signal blocked, or with a file of the helper open. */
#include "helper/spawn.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "helper/raw.h"

#define PAD_STACK 32768u /* the deepest path of the child needs less than 2 kB */
#define GUARD 65536u     /* the largest page size in use */
#define FAILED 127       /* exit status that nobody reads: pad->step tells */

/* The child's stack is not one that a sanitizer knows, and is left behind by an exec. */
#define IN_CHILD __attribute__((no_sanitize("address", "undefined"), noinline))

/* ---- in the child ---- */

IN_CHILD static long call(long nr, const void *a, long b, long c)
{
    return raw_call(nr, (long)a, b, c, 0);
}

IN_CHILD static long call_at(long nr, const char *path, long b, long c)
{
    return raw_call(nr, AT_FDCWD, (long)path, b, c);
}

IN_CHILD static bool is_dir(const char *path)
{
    long fd = call_at(SYS_openat, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    if (fd >= 0)
        raw_call(SYS_close, fd, 0, 0, 0);
    return fd >= 0;
}

/* mkdir -p; `path` is changed on the way, and as it was in the end. */
IN_CHILD static long make_dirs(char *path)
{
    long rc = call_at(SYS_mkdirat, path, 0777, 0);
    if (rc != -ENOENT)
        return rc == 0 || is_dir(path) ? 0 : rc;
    for (char *at = path + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char old = *at;
        *at = '\0';
        rc = call_at(SYS_mkdirat, path, 0777, 0);
        bool usable = rc == 0 || is_dir(path);
        *at = old;
        if (!usable)
            return rc;
        if (old == '\0')
            return 0;
    }
}

/* Appends to pad->scratch at n; the new length, or PATH_MAX when it is too long. */
IN_CHILD static size_t put(struct pad *pad, size_t n, const char *s, size_t len)
{
    if (len >= PATH_MAX || n >= PATH_MAX - len)
        return PATH_MAX;
    for (size_t i = 0; i < len; i++)
        pad->scratch[n + i] = s[i];
    pad->scratch[n + len] = '\0';
    return n + len;
}

IN_CHILD static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

/* The directory in which `file`, relative to the task's cwd, lies. */
IN_CHILD static long make_parent(struct pad *pad, const char *file)
{
    size_t n = 0, end = length(file);
    while (end > 0 && file[end - 1] != '/')
        end--;
    if (file[0] != '/' && pad->plan.cwd) {
        n = put(pad, n, pad->plan.cwd, length(pad->plan.cwd));
        n = put(pad, n, "/", 1);
    }
    n = put(pad, n, file, end);
    if (n >= PATH_MAX)
        return -ENAMETOOLONG;
    return n == 0 ? 0 : make_dirs(pad->scratch);
}

IN_CHILD static bool failed(struct pad *pad, int step, long rc)
{
    pad->step = step;
    pad->sys = (int)-rc;
    return false;
}

/* A missing directory is seen by the chdir that needs it, so what exists costs nothing. The directories of the
 * outputs come first: they often lie below, and whoever cannot make them has not started. */
IN_CHILD static bool make_cwd(struct pad *pad)
{
    const struct spawn_plan *plan = &pad->plan;
    long rc;
    if (plan->out && (rc = make_parent(pad, plan->out)) < 0)
        return failed(pad, SPAWN_OUT_DIR, rc);
    if (plan->err && (rc = make_parent(pad, plan->err)) < 0)
        return failed(pad, SPAWN_ERR_DIR, rc);
    if (put(pad, 0, plan->cwd, length(plan->cwd)) >= PATH_MAX)
        return failed(pad, SPAWN_CWD, -ENAMETOOLONG);
    rc = make_dirs(pad->scratch);
    return rc < 0 ? failed(pad, SPAWN_CWD, rc) : true;
}

IN_CHILD static bool enter_cwd(struct pad *pad)
{
    const char *cwd = pad->plan.cwd;
    if (!cwd)
        return true;
    long rc = call(SYS_chdir, cwd, 0, 0);
    if (rc == -ENOENT || rc == -ENOTDIR || rc == -ENAMETOOLONG) {
        if (!make_cwd(pad))
            return false;
        rc = call(SYS_chdir, cwd, 0, 0);
    }
    return rc < 0 ? failed(pad, SPAWN_EXEC, rc) : true;
}

/* Descriptors below `fd` are open, so that once it is closed the next open takes its number. */
IN_CHILD static long open_as(int fd, const char *path, long flags)
{
    raw_call(SYS_close, fd, 0, 0, 0);
    return call_at(SYS_openat, path, flags, 0666);
}

IN_CHILD static bool open_output(struct pad *pad, int fd, const char *path, int dir_step)
{
    /* Not blocking, so that a FIFO without reader is an error. */
    const long flags = O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY;
    if (!path)
        return true;
    long rc = open_as(fd, path, flags);
    if (rc < 0) {
        long made = make_parent(pad, path);
        if (made < 0)
            return failed(pad, dir_step, made);
        if (rc == -ENOENT || rc == -ENOTDIR)
            rc = open_as(fd, path, flags);
    }
    if (rc < 0)
        return failed(pad, SPAWN_STREAM, rc);
    raw_call(SYS_fcntl, fd, F_SETFL, 0, 0);
    return true;
}

IN_CHILD static bool open_files(struct pad *pad)
{
    const struct spawn_plan *plan = &pad->plan;
    long rc = plan->in ? open_as(STDIN_FILENO, plan->in, O_RDONLY) : 0;
    if (rc < 0)
        return failed(pad, SPAWN_STREAM, rc);
    if (plan->out_fd >= 0)
        raw_call(SYS_dup3, plan->out_fd, STDOUT_FILENO, 0, 0);
    if (plan->err_fd >= 0)
        raw_call(SYS_dup3, plan->err_fd, STDERR_FILENO, 0, 0);
    return open_output(pad, STDOUT_FILENO, plan->out, SPAWN_OUT_DIR) &&
           open_output(pad, STDERR_FILENO, plan->err, SPAWN_ERR_DIR);
}

/* As execvp does: what the kernel does not know is left to the shell. */
IN_CHILD static long exec_file(struct pad *pad, const char *file)
{
    long rc = call(SYS_execve, file, (long)(pad->argv + 1), (long)pad->envp);
    if (rc != -ENOEXEC)
        return rc;
    char *program = pad->argv[1];
    pad->argv[0] = (char *)"/bin/sh";
    pad->argv[1] = (char *)file;
    rc = call(SYS_execve, pad->argv[0], (long)pad->argv, (long)pad->envp);
    pad->argv[1] = program;
    return rc;
}

IN_CHILD static bool goes_on(long rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -EACCES || rc == -ESTALE || rc == -ENODEV ||
           rc == -ETIMEDOUT;
}

IN_CHILD static long exec_on_path(struct pad *pad, const char *name)
{
    const char *at = pad->plan.path ? pad->plan.path : "/bin:/usr/bin";
    bool denied = false;
    for (;; at++) {
        size_t dir = 0, n = 0;
        while (at[dir] && at[dir] != ':')
            dir++;
        if (dir > 0) /* an empty one is the working directory */
            n = put(pad, put(pad, 0, at, dir), "/", 1);
        if (put(pad, n, name, length(name)) < PATH_MAX) {
            long rc = exec_file(pad, pad->scratch);
            if (!goes_on(rc))
                return rc;
            denied = denied || rc == -EACCES;
        }
        at += dir;
        if (!*at)
            return denied ? -EACCES : -ENOENT;
    }
}

IN_CHILD static long exec_program(struct pad *pad)
{
    const char *name = pad->argv[1];
    for (const char *c = name; *c; c++)
        if (*c == '/')
            return exec_file(pad, name);
    return *name ? exec_on_path(pad, name) : -ENOENT;
}

IN_CHILD static int child(void *arg)
{
    struct pad *pad = arg;
    const uint64_t no_signals = 0;
    raw_call(SYS_setsid, 0, 0, 0, 0);
    raw_call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
    if (raw_call(SYS_getppid, 0, 0, 0, 0) != pad->parent) /* the helper died before that was set */
        raw_call(SYS_exit_group, FAILED, 0, 0, 0);
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&no_signals, 0, sizeof no_signals);
    if (enter_cwd(pad) && open_files(pad))
        failed(pad, SPAWN_EXEC, exec_program(pad));
    raw_call(SYS_exit_group, FAILED, 0, 0, 0);
    return FAILED;
}

/* ---- in the helper ---- */

static void pad_free(struct pad *pad)
{
    if (!pad)
        return;
    if (pad->stack)
        munmap(pad->stack, GUARD + PAD_STACK);
    free(pad->argv);
    free(pad->envp);
    free(pad);
}

static struct pad *pad_new(void)
{
    struct pad *pad = calloc(1, sizeof *pad);
    if (!pad)
        return NULL;
    void *p = mmap(NULL, GUARD + PAD_STACK, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pad->stack = p == MAP_FAILED ? NULL : p;
    if (!pad->stack || mprotect(pad->stack + GUARD, PAD_STACK, PROT_READ | PROT_WRITE) < 0) {
        pad_free(pad);
        return NULL;
    }
    list_init(&pad->link);
    return pad;
}

static bool room(char ***array, uint32_t *have, uint32_t need)
{
    if (need <= *have)
        return true;
    char **p = realloc(*array, need * sizeof *p);
    if (!p)
        return false;
    *array = p;
    *have = need;
    return true;
}

void hqi_helper_spawn_init(struct spawner *s)
{
    list_init(&s->free);
    s->pid = getpid();
}

struct pad *hqi_helper_spawn_take_pad(struct spawner *s, uint32_t n_argv, uint32_t n_envp)
{
    struct list *link = list_pop_front(&s->free);
    struct pad *pad = link ? hqi_container(link, struct pad, link) : pad_new();
    if (!pad)
        return NULL;
    if (!room(&pad->argv, &pad->argv_room, n_argv + 2) || !room(&pad->envp, &pad->envp_room, n_envp + 1)) {
        hqi_helper_spawn_give_pad(s, pad);
        return NULL;
    }
    pad->plan = (struct spawn_plan){.out_fd = -1, .err_fd = -1};
    pad->step = SPAWN_OK;
    pad->sys = 0;
    return pad;
}

void hqi_helper_spawn_give_pad(struct spawner *s, struct pad *pad)
{
    if (pad)
        list_push_front(&s->free, &pad->link); /* the warmest first */
}

int hqi_helper_spawn_start(struct spawner *s, struct pad *pad)
{
    const int flags = CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD | (RAW_CONCURRENT ? 0 : CLONE_VFORK);
    pad->busy = 1;
    pad->parent = s->pid;
    int pid = clone(child, pad->stack + GUARD + PAD_STACK, flags, pad, NULL, NULL, &pad->busy);
    if (pid >= 0)
        return pid;
    pad->busy = 0;
    return -errno;
}

bool hqi_helper_spawn_is_busy(const struct pad *pad)
{
    return __atomic_load_n(&pad->busy, __ATOMIC_ACQUIRE) != 0;
}
