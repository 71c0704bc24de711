/* SPDX-License-Identifier: MIT */
/* children_test.c - the host's children are the host's: it reaps them as it likes, sees no other, and those that it never
 * lets exec do not keep its tasks alive. And fork: a child may free what it inherited, and start afresh. */
#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static const char *const true_argv[] = {"/bin/true", NULL};

#define CHILDREN 20

static void nap(void)
{
    const struct timespec t = {.tv_nsec = 2000000};
    nanosleep(&t, NULL);
}

/* ---- reaping ---- */

static volatile sig_atomic_t reaped[256], strangers, deaths;

static void reap_all(int sig)
{
    int before = errno, status;
    deaths++;
    while (waitpid(-1, &status, WNOHANG) > 0) {
        if (WIFEXITED(status) && WEXITSTATUS(status) > 0)
            reaped[WEXITSTATUS(status)]++;
        else
            strangers++;
    }
    errno = before;
}

static int count_reaped(void)
{
    int n = 0;
    for (int i = 1; i <= CHILDREN; i++)
        n += reaped[i];
    return n;
}

static void start_children(void)
{
    for (int i = 1; i <= CHILDREN; i++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(i);
        assert_true(pid > 0);
    }
}

static void test_a_host_that_reaps_everything(void **state)
{
    const struct sigaction action = {.sa_handler = reap_all, .sa_flags = SA_RESTART};
    struct sigaction before;
    struct rig r;
    sigaction(SIGCHLD, &action, &before);
    rig_open(&r);
    rig_worker(&r, "2");
    start_children();
    hq_submit *s = rig_submit(&r, "1-200", true_argv);
    must(hq_client_submit(r.client, s, 1, RIG_ERR));
    hq_submit_free(s);
    must(hq_client_wait(r.client, (hq_job_id){1}, 2, RIG_ERR));
    for (bool over = false; !over;) {
        const hq_event *e;
        hq_ctx_run(r.ctx, LONG_MS, NULL); /* HQ_EINTR: a child of the host has ended */
        while (!over && hq_ctx_next(r.ctx, &e) > 0)
            over = e->tag == 2;
    }
    while (count_reaped() < CHILDREN)
        nap();
    assert_int_equal(strangers, 0);
    int of_the_host = deaths;
    rig_free(&r); /* the helpers end, and nobody hears of it */
    nap();
    assert_int_equal(deaths, of_the_host);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    sigaction(SIGCHLD, &before, NULL);
    rig_close(&r);
}

static void test_nothing_to_wait_for(void **state)
{
    struct rig r;
    rig_open(&r);
    rig_worker(&r, "2");
    rig_run(&r, "1-20", true_argv, 20);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    rig_close(&r);
}

static void test_a_host_that_ignores_its_children(void **state)
{
    struct rig r;
    signal(SIGCHLD, SIG_IGN);
    rig_open(&r);
    rig_worker(&r, "2");
    static const char *const argv[] = {"/bin/sh", "-c", "/bin/true; exit 0", NULL}; /* it waits for a child of its own */
    rig_run(&r, "1-20", argv, 20);
    rig_free(&r);
    signal(SIGCHLD, SIG_DFL);
    rig_close(&r);
}

/* ---- children that never exec ---- */

/* Has it ended? A zombie has. */
static bool is_gone(pid_t pid)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (!f)
        return true;
    if (fscanf(f, "%*d %*s %c", &state) != 1)
        state = 'X';
    fclose(f);
    return state == 'Z' || state == 'X';
}

struct told {
    pid_t task, bystander;
};

/* A host with a running task and a forked child, which holds all its descriptors open; then it is killed. */
static void host_to_be_killed(int pipe)
{
    static const char *const argv[] = {"/bin/sh", "-c", "echo $$; exec sleep 600", NULL};
    struct told told = {0};
    struct rig r;
    hq_job_id job;
    char path[128];
    rig_open(&r);
    rig_worker(&r, "1");
    hq_submit *s = rig_submit(&r, NULL, argv);
    must(hq_submit_array(r.client, NULL, argv, s, &job, RIG_ERR));
    snprintf(path, sizeof path, "%s/job-%u/0.stdout", r.dir, job.n);
    while (told.task == 0) {
        hq_ctx_run(r.ctx, 5, NULL);
        FILE *f = fopen(path, "r");
        if (f && fscanf(f, "%d", &told.task) != 1)
            told.task = 0;
        if (f)
            fclose(f);
    }
    told.bystander = fork();
    if (told.bystander == 0) {
        alarm(LONG_MS / 1000); /* should the test fail to end it */
        for (;;)
            pause();
    }
    if (write(pipe, &told, sizeof told) == sizeof told)
        kill(getpid(), SIGKILL);
    _exit(1);
}

static void test_forked_children_keep_no_task_alive(void **state)
{
    struct told told = {0};
    int ends[2], status;
    assert_int_equal(pipe(ends), 0);
    pid_t host = fork();
    if (host == 0)
        host_to_be_killed(ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    close(ends[0]);
    assert_int_equal(waitpid(host, &status, 0), host);
    assert_true(WIFSIGNALED(status));
    for (int i = 0; !is_gone(told.task); i++) {
        assert_true(i < LONG_MS / 2);
        nap();
    }
    assert_false(is_gone(told.bystander));
    kill(told.bystander, SIGKILL);
}

/* ---- fork ---- */

/* The exit status of a child that does `what`; fd: that of the ctx. */
static int in_child(bool (*what)(struct rig *r, int fd), struct rig *r, int fd)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(what(r, fd) ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static bool all_calls_refuse(struct rig *r, int fd)
{
    const hq_event *e;
    hq_worker *w;
    hq_server *server;
    hq_client *c;
    hq_doc *doc;
    hq_job_id job = {1};
    hq_job_status status = {.size = sizeof status};
    hq_task_columns columns = {.size = sizeof columns};
    uint64_t cursor = 0;
    const int codes[] = {
        hq_ctx_dispatch(r->ctx, NULL),
        hq_ctx_run(r->ctx, 0, NULL),
        hq_ctx_next(r->ctx, &e),
        hq_ctx_wait(r->ctx, 1, 0, &e, NULL),
        hq_server_new(&server, r->ctx, NULL, NULL),
        hq_server_stop(r->server, NULL),
        hq_worker_new(&w, r->ctx, NULL, NULL),
        hq_worker_stop(r->worker, HQ_WORKER_STOPPED, NULL),
        hq_client_new(&c, r->ctx, NULL, NULL),
        hq_client_wait(r->client, job, 1, NULL),
        hq_client_cancel(r->client, job, NULL, 1, NULL),
        hq_client_tasks(r->client, job, 0, 1, NULL),
        hq_submit_array(r->client, "1-3", true_argv, NULL, &job, NULL),
        hq_job_wait(r->client, job, 0, NULL),
        hq_job_progress(r->client, job, &status, NULL),
        hq_job_cancel(r->client, job, NULL, NULL),
        hq_job_info(r->client, job, &doc, NULL),
        hq_job_tasks(r->client, job, &cursor, &columns, NULL),
    };
    bool ok = hq_ctx_fd(r->ctx) == -1 && hq_submit_new(r->ctx) == NULL;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        ok = ok && codes[i] == HQ_EFORK;
    hq_ctx_wake(r->ctx);
    return ok;
}

/* Descriptors that no part of libzmq has: of timers, of the helpers' sockets and executable. */
static int count_ours(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    for (struct dirent *e; (e = readdir(d));) {
        char path[320], target[320];
        int domain = 0;
        socklen_t size = sizeof domain;
        snprintf(path, sizeof path, "/proc/self/fd/%s", e->d_name);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        getsockopt(atoi(e->d_name), SOL_SOCKET, SO_DOMAIN, &domain, &size);
        n += strstr(target, "timerfd") || strstr(target, "hq-helper") || domain == AF_UNIX;
    }
    closedir(d);
    return n;
}

static bool free_closes_ours(struct rig *r, int fd)
{
    hq_client_free(r->client);
    hq_worker_free(r->worker);
    hq_ctx_free(r->ctx); /* and the server */
    return count_ours() == 0 && fcntl(fd, F_GETFD) < 0;
}

static bool starts_afresh(struct rig *r, int fd)
{
    struct rig own;
    hq_ctx_free(r->ctx);
    rig_open(&own);
    rig_worker(&own, "1");
    rig_run(&own, "1-3", true_argv, 3);
    rig_close(&own);
    return true;
}

static bool just_exits(struct rig *r, int fd)
{
    exit(0); /* with all that libraries do then */
}

static bool dies_in_a_grandchild(struct rig *r, int fd)
{
    int status = in_child(free_closes_ours, r, fd);
    return status == 0 && all_calls_refuse(r, fd);
}

static void test_fork_in_the_middle(void **state)
{
    static bool (*const acts[])(struct rig *r, int fd) = {all_calls_refuse, free_closes_ours, starts_afresh, just_exits,
                                                      dies_in_a_grandchild};
    int fds = rig_count_fds();
    struct rig r;
    hq_job_id job;
    rig_open(&r);
    rig_worker(&r, "2");
    assert_true(count_ours() > 3);
    hq_submit *s = rig_submit(&r, "1-1000", true_argv);
    must(hq_submit_array(r.client, NULL, true_argv, s, &job, RIG_ERR));
    hq_submit_free(s);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        for (int k = 0; k < 5; k++)
            hq_ctx_run(r.ctx, 5, NULL); /* tasks start and end meanwhile */
        assert_int_equal(in_child(acts[i], &r, hq_ctx_fd(r.ctx)), 0);
    }
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR)); /* and the parent has noticed nothing */
    assert_int_equal(rig_status(&r, job).finished, 1000);
    rig_close(&r);
    assert_int_equal(rig_count_fds(), fds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_host_that_reaps_everything),
        cmocka_unit_test(test_nothing_to_wait_for),
        cmocka_unit_test(test_a_host_that_ignores_its_children),
        cmocka_unit_test(test_forked_children_keep_no_task_alive),
        cmocka_unit_test(test_fork_in_the_middle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
