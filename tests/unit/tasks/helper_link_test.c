/* SPDX-License-Identifier: MIT */
/* The real helper behind its link: it is invisible to its host, packets of any size arrive, and its end is noticed. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "rig.h"
#include "tasks/helper_link.h"
#include "tasks/helper_start.h"

#define PATIENCE_MS 20000 /* a loaded machine; nothing here waits for time to pass */

struct ends {
    struct loop *loop;
    struct failing mem;
    struct helper_link *link;
    uint32_t n_hello, n_started, n_ended, n_lost, n_failed;
    int32_t pid;      /* of the task started last */
    uint16_t code;    /* of the task ended last */
    char text[1024];  /* of the task ended last */
    struct tasks *tasks; /* hears too, if there is one */
    uint32_t scarce;     /* so many items are not taken when they come; then the next one is */
};

static volatile sig_atomic_t n_sigchld;

static void on_sigchld(int sig)
{
    n_sigchld++;
}

static uint32_t on_items(void *user, uint32_t index, const struct from_helper *items, uint32_t n)
{
    struct ends *e = user;
    struct now now = hqi_base_clock_now();
    assert_int_equal(index, 7);
    for (uint32_t i = 0; i < n; i++) {
        const struct from_helper *f = &items[i];
        if (e->scarce > 0 && f->kind == FROM_HELPER_ENDED && e->scarce--)
            return i;
        e->n_hello += f->kind == FROM_HELPER_HELLO;
        e->n_started += f->kind == FROM_HELPER_STARTED;
        e->n_ended += f->kind == FROM_HELPER_ENDED;
        if (f->kind == FROM_HELPER_STARTED)
            e->pid = f->u.started.pid;
        if (f->kind == FROM_HELPER_ENDED) {
            e->n_failed += f->u.ended.code != 0;
            e->code = f->u.ended.code;
            snprintf(e->text, sizeof e->text, "%.*s", (int)f->u.ended.text.n, f->u.ended.text.p);
        }
        if (e->tasks)
            assert_int_equal(hqi_tasks_on_helper(e->tasks, &now, 0, f, NULL), 0);
    }
    return n;
}

static void on_lost(void *user, uint32_t index)
{
    struct ends *e = user;
    e->n_lost++;
    hqi_tasks_helper_link_free(e->link);
    e->link = NULL;
}

static const struct helper_link_ops ops = {on_items, on_lost};

static struct helper_link_options options(struct ends *e)
{
    return (struct helper_link_options){.alloc = &e->mem.alloc, .loop = e->loop, .env = (const char *const *)environ,
                                        .work_dir = "/tmp", .index = 7, .ops = &ops, .user = e};
}

static void ends_init(struct ends *e)
{
    hq_error err = {0};
    memset(e, 0, sizeof *e);
    failing_init(&e->mem, 0);
    assert_int_equal(hqi_loop_loop_new(&e->loop, &hqi_base_alloc_libc, NULL), 0);
    struct helper_link_options o = options(e);
    if (hqi_tasks_helper_link_new(&e->link, &o, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(hqi_tasks_helper_link_wait(e->link, PATIENCE_MS, NULL), 0);
    assert_int_equal(e->n_hello, 1);
}

static void ends_fini(struct ends *e)
{
    hqi_tasks_helper_link_free(e->link);
    assert_int_equal(e->mem.live, 0);
    hqi_loop_loop_free(e->loop);
}

static void run_once(struct ends *e)
{
    int rc = hqi_loop_loop_wait(e->loop, PATIENCE_MS, NULL);
    assert_true(rc == 1 || rc == HQ_EINTR);
    assert_int_equal(hqi_loop_loop_run(e->loop, NULL), 0);
}

/* Runs the loop until *what has come to n. */
static void run_until(struct ends *e, const uint32_t *what, uint32_t n)
{
    uint64_t until = hqi_base_clock_now().mono_ns + PATIENCE_MS * HQI_MS;
    while (*what < n) {
        run_once(e);
        assert_true(e->n_lost == 0 || what == &e->n_lost);
        assert_true(hqi_base_clock_now().mono_ns < until);
    }
}

static struct to_helper spec_of(uint32_t number, const struct bytes *argv, uint32_t n_argv)
{
    return (struct to_helper){.kind = TO_HELPER_SPEC, .u.spec = {.spec = number, .argv = argv, .n_argv = n_argv}};
}

static struct to_helper launch_of(uint64_t key, uint64_t after, uint32_t spec)
{
    return (struct to_helper){.kind = TO_HELPER_LAUNCH,
                              .u.launch = {.key = key, .after = after, .spec = spec, .cwd = bytes_of("/tmp")}};
}

static void send(struct ends *e, const struct to_helper *items, uint32_t n)
{
    assert_int_equal(hqi_tasks_helper_link_send(e->link, items, n, NULL), 0);
}

/* 1 when the process has gone by then. */
static int wait_for_end(int32_t pid)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return errno == ESRCH;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, PATIENCE_MS);
    close(fd);
    return n;
}

/* ---- tests ---- */

static void the_host_does_not_see_the_helper(void **state)
{
    struct ends e;
    struct sigaction action = {.sa_handler = on_sigchld}, before;
    const struct bytes argv[] = {bytes_of("true")};
    n_sigchld = 0;
    sigaction(SIGCHLD, &action, &before);
    ends_init(&e);
    const struct to_helper items[] = {spec_of(1, argv, 1), launch_of(1, 0, 1), launch_of(2, 1, 1)};
    send(&e, items, 3);
    run_until(&e, &e.n_ended, 2);
    assert_int_equal(e.n_failed, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    int32_t pid = hqi_tasks_helper_link_pid(e.link);
    assert_int_equal(kill(pid, 0), 0);
    ends_fini(&e);
    assert_int_equal(wait_for_end(pid), 1);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(n_sigchld, 0);
    sigaction(SIGCHLD, &before, NULL);
}

static void signals_of_the_host_stay_as_they_were(void **state)
{
    struct ends e;
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    ends_init(&e);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int sig = 1; sig < NSIG; sig++)
        assert_int_equal(sigismember(&before, sig), sigismember(&after, sig));
    ends_fini(&e);
}

/* The largest items travel as files, in order with the others. */
static void large_items_arrive(void **state)
{
    static char big[3000000];
    struct ends e;
    const struct bytes argv[] = {bytes_of("sh"), bytes_of("-c"), bytes_of("test $(wc -c) = 3000000")};
    memset(big, 'x', sizeof big);
    ends_init(&e);
    struct to_helper items[] = {spec_of(1, argv, 3), launch_of(1, 0, 1), spec_of(2, argv, 3), launch_of(2, 0, 2)};
    items[0].u.spec.stdin_data = (struct bytes){big, sizeof big};
    items[2].u.spec.stdin_data = (struct bytes){big, sizeof big};
    send(&e, items, 4);
    run_until(&e, &e.n_ended, 2);
    assert_int_equal(e.n_failed, 0);
    ends_fini(&e);
}

static void what_is_too_large_is_refused_as_a_whole(void **state)
{
    struct ends e;
    hq_error err = {0};
    const struct bytes argv[] = {bytes_of("true")};
    char *huge = calloc(1, HQI_MAX_MESSAGE);
    ends_init(&e);
    struct to_helper items[] = {spec_of(1, argv, 1), launch_of(1, 0, 1), spec_of(2, argv, 1)};
    items[2].u.spec.stdin_data = (struct bytes){huge, HQI_MAX_MESSAGE};
    assert_int_equal(hqi_tasks_helper_link_send(e.link, items, 3, &err), HQ_ELIMIT);
    items[2] = launch_of(2, 0, 1);
    send(&e, &items[2], 1); /* the spec has not come either */
    run_until(&e, &e.n_ended, 1);
    assert_int_equal(e.code, HQ_CODE_LAUNCH);
    ends_fini(&e);
    free(huge);
}

/* More than the socket takes: the rest waits for room and keeps its order. */
static void a_full_socket_delays_but_loses_nothing(void **state)
{
    enum { N = 400, VALUE = 16384 };
    static struct to_helper items[N + 1];
    static char value[VALUE];
    struct ends e;
    const struct env_var env = {bytes_of("BIG"), {value, VALUE}};
    const struct bytes argv[] = {bytes_of("true")};
    memset(value, 'v', sizeof value);
    ends_init(&e);
    items[0] = spec_of(1, argv, 1);
    for (uint32_t i = 1; i <= N; i++) {
        items[i] = launch_of(i, i - 1, 1);
        items[i].u.launch.env = &env;
        items[i].u.launch.n_env = 1;
    }
    send(&e, items, N + 1);
    run_until(&e, &e.n_ended, N);
    assert_int_equal(e.n_failed, 0);
    ends_fini(&e);
}

static void the_death_of_a_helper_is_noticed_once(void **state)
{
    struct ends e;
    const struct bytes argv[] = {bytes_of("sleep"), bytes_of("1000")};
    ends_init(&e);
    const struct to_helper items[] = {spec_of(1, argv, 2), launch_of(1, 0, 1)};
    send(&e, items, 2);
    run_until(&e, &e.n_started, 1);
    kill(hqi_tasks_helper_link_pid(e.link), SIGKILL);
    run_until(&e, &e.n_lost, 1);
    assert_int_equal(wait_for_end(e.pid), 1); /* its tasks go with it */
    assert_null(e.link);
    ends_fini(&e);
}

/* All is heard that it said, each once, and that it died only then. */
static void want_of_memory_only_delays(void **state)
{
    struct ends e;
    const struct bytes argv[] = {bytes_of("true")}, never[] = {bytes_of("sleep"), bytes_of("1000")};
    ends_init(&e);
    e.scarce = 2;
    const struct to_helper items[] = {spec_of(1, argv, 1),   launch_of(1, 0, 1), launch_of(2, 1, 1),
                                      spec_of(2, never, 2), launch_of(3, 2, 2)};
    send(&e, items, 5);
    run_until(&e, &e.n_started, 1);
    run_until(&e, &e.n_ended, 2);
    e.scarce = 3;
    kill(e.pid, SIGKILL);
    while (e.scarce == 3)
        run_once(&e);
    kill(hqi_tasks_helper_link_pid(e.link), SIGKILL);
    run_until(&e, &e.n_lost, 1);
    assert_int_equal(e.scarce, 0);
    assert_int_equal(e.n_ended, 3);
    assert_int_equal(e.n_started, 1);
    ends_fini(&e);
}

static void closing_the_link_ends_the_tasks(void **state)
{
    struct ends e;
    const struct bytes argv[] = {bytes_of("sleep"), bytes_of("1000")};
    ends_init(&e);
    const struct to_helper items[] = {spec_of(1, argv, 2), launch_of(1, 0, 1)};
    send(&e, items, 2);
    run_until(&e, &e.n_started, 1);
    int32_t pid = e.pid;
    ends_fini(&e);
    assert_int_equal(wait_for_end(pid), 1);
}

static void waiting_has_an_end(void **state)
{
    struct ends e;
    ends_init(&e);
    assert_int_equal(hqi_tasks_helper_link_wait(e.link, 1, NULL), HQ_ETIMEDOUT);
    kill(hqi_tasks_helper_link_pid(e.link), SIGKILL);
    assert_int_equal(hqi_tasks_helper_link_wait(e.link, PATIENCE_MS, NULL), HQ_ECLOSED);
    assert_int_equal(e.n_lost, 0);
    ends_fini(&e);
}

static void what_cannot_be_started_is_named(void **state)
{
    struct ends e = {0};
    hq_error err = {0};
    failing_init(&e.mem, 0);
    assert_int_equal(hqi_loop_loop_new(&e.loop, &hqi_base_alloc_libc, NULL), 0);
    struct helper_link_options o = options(&e);
    o.path = "/nowhere/hq-helper";
    assert_int_equal(hqi_tasks_helper_link_new(&e.link, &o, &err), HQ_ESYS);
    assert_int_equal(err.sys, ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/hq-helper"));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    ends_fini(&e);
}

static void no_memory_leaves_no_process(void **state)
{
    struct ends e;
    for (size_t i = 1;; i++) {
        memset(&e, 0, sizeof e);
        failing_init(&e.mem, i);
        assert_int_equal(hqi_loop_loop_new(&e.loop, &hqi_base_alloc_libc, NULL), 0);
        struct helper_link_options o = options(&e);
        int rc = hqi_tasks_helper_link_new(&e.link, &o, NULL);
        assert_int_equal(rc, e.mem.hit ? HQ_ENOMEM : 0);
        ends_fini(&e);
        if (!e.mem.hit)
            return;
    }
}

/* The pure worker and a real helper: every task once, chains and all. */
static void a_worker_runs_its_tasks(void **state)
{
    enum { N = 300 };
    struct ends e;
    struct rig r;
    struct report report;
    uint32_t n = 0;
    ends_init(&e);
    rig_init(&r, "cpus=2", 1);
    e.tasks = r.tasks;
    struct spec *s = rig_spec("cpus=1", 0);
    s->cwd = s->submit_dir = bytes_of("/tmp");
    assert_int_equal(rig_give(&r, 1, s), 0);
    ((struct bytes *)s->argv)[0] = bytes_of("true"); /* the helper has not been told yet */
    rig_assign(&r, 1, 0, N);
    while (n < N) {
        const struct to_helper *items;
        for (uint32_t k; (k = hqi_tasks_take_helper(r.tasks, 0, &items)) > 0;)
            send(&e, items, k);
        run_until(&e, &e.n_ended, e.n_ended + 1);
        r.now = hqi_base_clock_now();
        while (hqi_tasks_take_report(r.tasks, &r.now, &report))
            for (uint32_t i = 0; i < report.n_ended; i++)
                n += report.ended[i].n;
    }
    assert_int_equal(e.n_failed, 0);
    assert_int_equal(n, N);
    rig_fini(&r);
    ends_fini(&e);
}

#define SKIPPED 77 /* to meson */

int main(void)
{
    hq_error err = {0};
    char *path = NULL;
    if (hqi_tasks_helper_start_find(&path, &hqi_base_alloc_libc, &err) == HQ_ENOENT) {
        print_message("skipped: %s\n", err.text);
        return SKIPPED;
    }
    free(path);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_does_not_see_the_helper),
        cmocka_unit_test(signals_of_the_host_stay_as_they_were),
        cmocka_unit_test(large_items_arrive),
        cmocka_unit_test(what_is_too_large_is_refused_as_a_whole),
        cmocka_unit_test(a_full_socket_delays_but_loses_nothing),
        cmocka_unit_test(the_death_of_a_helper_is_noticed_once),
        cmocka_unit_test(want_of_memory_only_delays),
        cmocka_unit_test(closing_the_link_ends_the_tasks),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(what_cannot_be_started_is_named),
        cmocka_unit_test(no_memory_leaves_no_process),
        cmocka_unit_test(a_worker_runs_its_tasks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
