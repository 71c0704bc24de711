/* SPDX-License-Identifier: MIT */
/* host_test.c - what a host sees of itself before, while and after it holds a server, a worker and a client: nothing of its
 * process has changed but two threads and some descriptors, and those are gone at the end. */
#include "rig.h"

#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SIGNALS 65
#define ENV_BYTES 65536u

extern char **environ;

static const char *const true_argv[] = {"/bin/true", NULL};

/* ---- the process ---- */

struct process {
    struct sigaction actions[SIGNALS];
    bool blocked[SIGNALS];
    char cwd[4096], locale[64], env[ENV_BYTES];
    char **environ;
    mode_t umask;
    struct rlimit files;
    int priority;
};

static void copy_env(char *to, size_t room)
{
    for (char **v = environ; *v; v++) {
        size_t n = strlen(*v) + 1;
        assert_true(n <= room);
        memcpy(to, *v, n);
        to += n;
        room -= n;
    }
}

static void look(struct process *p)
{
    sigset_t mask;
    memset(p, 0, sizeof *p);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    for (int s = 1; s < SIGNALS; s++) {
        sigaction(s, NULL, &p->actions[s]);
        p->blocked[s] = sigismember(&mask, s) == 1;
    }
    assert_non_null(getcwd(p->cwd, sizeof p->cwd));
    snprintf(p->locale, sizeof p->locale, "%s", setlocale(LC_ALL, NULL));
    copy_env(p->env, sizeof p->env);
    p->environ = environ;
    p->umask = umask(0);
    umask(p->umask);
    getrlimit(RLIMIT_NOFILE, &p->files);
    p->priority = getpriority(PRIO_PROCESS, 0);
}

static void check_same(const struct process *a, const struct process *b)
{
    for (int s = 1; s < SIGNALS; s++) {
        assert_ptr_equal(a->actions[s].sa_handler, b->actions[s].sa_handler);
        assert_int_equal(a->actions[s].sa_flags, b->actions[s].sa_flags);
        assert_int_equal(a->blocked[s], b->blocked[s]);
    }
    assert_string_equal(a->cwd, b->cwd);
    assert_string_equal(a->locale, b->locale);
    assert_memory_equal(a->env, b->env, sizeof a->env);
    assert_ptr_equal(a->environ, b->environ);
    assert_int_equal(a->umask, b->umask);
    assert_memory_equal(&a->files, &b->files, sizeof a->files);
    assert_int_equal(a->priority, b->priority);
}

static void on_signal(int sig)
{
}

/* Settings that a library which "cleans up" would lose. */
static void be_particular(void)
{
    const struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER};
    sigset_t usr2;
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGHUP, SIG_IGN);
    sigemptyset(&usr2);
    sigaddset(&usr2, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &usr2, NULL);
    umask(027);
}

static void test_process_is_left_as_it_was(void **state)
{
    static struct process before, during, after;
    struct rig r;
    be_particular();
    look(&before);
    rig_open(&r);
    rig_worker(&r, "2");
    rig_run(&r, "1-50", true_argv, 50);
    look(&during);
    rig_free(&r);
    look(&after);
    check_same(&before, &during);
    check_same(&before, &after);
    rig_close(&r);
}

/* ---- threads ---- */

static uint64_t blocked_signals(const char *thread)
{
    char path[320], line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f))
        sscanf(line, "SigBlk: %llx", &mask);
    fclose(f);
    return mask;
}

static void check_threads_block_signals(void)
{
    const uint64_t unblockable = 1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
    char own[16];
    snprintf(own, sizeof own, "%d", (int)getpid());
    DIR *d = opendir("/proc/self/task");
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, own) != 0)
            assert_int_equal((blocked_signals(e->d_name) | unblockable) & 0x7fffffff, 0x7fffffff);
    closedir(d);
}

static void test_two_threads_per_context(void **state)
{
    int before = rig_count_threads();
    struct rig r, other;
    rig_open(&r);
    rig_worker(&r, "2");
    rig_run(&r, "1-50", true_argv, 50);
    assert_int_equal(rig_count_threads(), before + 2); /* whatever lives on it */
    check_threads_block_signals();
    rig_open(&other);
    assert_int_equal(rig_count_threads(), before + 4);
    rig_close(&other);
    rig_close(&r);
    assert_int_equal(rig_count_threads(), before);
}

/* ---- descriptors ---- */

static void test_descriptors_are_closed_on_exec_and_at_the_end(void **state)
{
    enum { MOST = 1024 };
    bool had[MOST];
    int before = rig_count_fds(), fresh = 0;
    struct rig r;
    for (int fd = 0; fd < MOST; fd++)
        had[fd] = fcntl(fd, F_GETFD) >= 0;
    rig_open(&r);
    rig_worker(&r, "2");
    rig_run(&r, "1-50", true_argv, 50);
    for (int fd = 0; fd < MOST; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags < 0 || had[fd])
            continue;
        fresh++;
        assert_true(flags & FD_CLOEXEC);
    }
    assert_true(fresh > 0);
    rig_close(&r);
    assert_int_equal(rig_count_fds(), before);
}

/* ---- what is not heard ---- */

/* Does everything that could be worth a line: a refused key, a failing program, a server that goes without a goodbye. */
static void live_noisily(void)
{
    static const char *const nowhere[] = {"/nowhere/at-all", NULL};
    uint8_t secret[32] = {1};
    const hq_event *e;
    struct rig r;
    hq_client *stranger;
    rig_open(&r);
    rig_worker(&r, "1");
    rig_run(&r, "1-3", nowhere, 0);
    hq_client_options o = {.size = sizeof o, .endpoint = hq_server_endpoint(r.server, HQ_PLANE_CLIENT), .secret = secret};
    must(hq_client_new(&stranger, r.ctx, &o, RIG_ERR));
    must(hq_tools_server_info(stranger, 1, RIG_ERR));
    must(hq_ctx_wait(r.ctx, 1, LONG_MS, &e, RIG_ERR));
    assert_int_equal(e->code, HQ_EAUTH);
    hq_server_free(r.server);
    for (int type = 0; type != HQ_EVENT_STOPPED;) {
        must(hq_ctx_run(r.ctx, LONG_MS, RIG_ERR));
        while (hq_ctx_next(r.ctx, &e) > 0)
            type = e->type == HQ_EVENT_STOPPED ? e->type : type;
    }
    rig_close(&r);
}

static void test_nothing_is_printed(void **state)
{
    char path[] = "/tmp/hq-embed-XXXXXX";
    int file = mkstemp(path), out = dup(1), err = dup(2);
    struct stat said;
    assert_true(file >= 0 && out >= 0 && err >= 0);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    live_noisily();
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    assert_int_equal(fstat(file, &said), 0);
    assert_int_equal(said.st_size, 0);
    close(file);
    close(out);
    close(err);
    unlink(path);
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
    pipes++;
}

static pid_t pid_in(const struct rig *r, hq_job_id job)
{
    char path[128];
    int pid = 0;
    snprintf(path, sizeof path, "%s/job-%u/0.stdout", r->dir, job.n);
    FILE *f = fopen(path, "r");
    if (f && fscanf(f, "%d", &pid) != 1)
        pid = 0;
    if (f)
        fclose(f);
    return pid;
}

/* The worker writes to a helper that has died. */
static void test_no_sigpipe(void **state)
{
    static const char *const argv[] = {"/bin/sh", "-c", "[ $HQ_INSTANCE_ID = 0 ] || exit 0; echo $PPID; exec sleep 600", NULL};
    const struct sigaction action = {.sa_handler = on_pipe};
    struct sigaction old;
    struct rig r;
    hq_job_id job;
    pid_t helper;
    sigaction(SIGPIPE, &action, &old);
    rig_open(&r);
    rig_worker(&r, "1");
    hq_submit *s = rig_submit(&r, NULL, argv);
    must(hq_submit_array(r.client, NULL, argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    while ((helper = pid_in(&r, job)) == 0)
        hq_ctx_run(r.ctx, 5, NULL);
    assert_int_equal(kill(helper, SIGKILL), 0);
    must(hq_job_cancel(r.client, job, NULL, RIG_ERR)); /* at once: that the helper is dead is not known yet */
    rig_run(&r, "1-20", true_argv, 20);
    rig_close(&r);
    assert_int_equal(pipes, 0);
    sigaction(SIGPIPE, &old, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_is_left_as_it_was),
        cmocka_unit_test(test_two_threads_per_context),
        cmocka_unit_test(test_descriptors_are_closed_on_exec_and_at_the_end),
        cmocka_unit_test(test_nothing_is_printed),
        cmocka_unit_test(test_no_sigpipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
