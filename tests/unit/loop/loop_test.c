/* SPDX-License-Identifier: MIT */
/* loop_test.c - the promise of loop.h: the fd is readable whenever a round would do work; nobody starves;
 * anything may be removed from within a round. Time is an input (run_at) but where the timerfd is the matter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "loop/loop.h"

struct probe {
    struct loop_source source;
    struct loop *loop;
    int backlog; /* pieces of work that ready() tells of */
    int runs;
    struct probe *victim; /* removed by this one's run */
};

struct alarm {
    struct loop_timer timer;
    struct loop *loop;
    uint64_t rearm; /* set to this by its own run, when not 0 */
    struct alarm *victim;
    char name;
    char *order; /* the names of alarms in the order in which they ran */
};

static bool probe_ready(struct loop_source *s)
{
    return hqi_container(s, struct probe, source)->backlog > 0;
}

/* Edge-like: the fd falls silent at once, one piece of work is done per run. */
static void probe_run(struct loop_source *s)
{
    struct probe *p = hqi_container(s, struct probe, source);
    uint64_t count;
    if (s->fd >= 0 && read(s->fd, &count, sizeof count) < 0)
        assert_int_equal(errno, EAGAIN);
    p->runs++;
    p->backlog -= p->backlog > 0;
    if (p->victim)
        hqi_loop_source_remove(p->loop, &p->victim->source);
}

static void alarm_run(struct loop_timer *t)
{
    struct alarm *a = hqi_container(t, struct alarm, timer);
    strncat(a->order, &a->name, 1);
    if (a->rearm)
        hqi_loop_timer_set(a->loop, t, a->rearm);
    if (a->victim)
        hqi_loop_timer_clear(a->loop, &a->victim->timer);
}

static struct probe probe(struct loop *l, int fd)
{
    return (struct probe){.source = {.fd = fd, .ready = probe_ready, .run = probe_run}, .loop = l};
}

static struct alarm alarm_named(struct loop *l, char name, char *order)
{
    return (struct alarm){.timer = {.run = alarm_run}, .loop = l, .name = name, .order = order};
}

static int event_fd(unsigned value)
{
    int fd = eventfd(value, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(fd >= 0);
    return fd;
}

static void signal_fd(int fd)
{
    assert_int_equal(write(fd, &(uint64_t){1}, sizeof(uint64_t)), sizeof(uint64_t));
}

static bool is_readable(struct loop *l, int timeout_ms)
{
    struct pollfd p = {.fd = hqi_loop_loop_fd(l), .events = POLLIN};
    return poll(&p, 1, timeout_ms) == 1;
}

static void run_until_silent(struct loop *l)
{
    for (int rounds = 0; is_readable(l, 0); rounds++) {
        assert_true(rounds < 1000);
        assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK);
    }
}

static struct loop *loop_new(void)
{
    struct loop *l;
    assert_int_equal(hqi_loop_loop_new(&l, &hqi_base_alloc_libc, NULL), HQ_OK);
    assert_false(is_readable(l, 0));
    return l;
}

static void new_fails_whole(void **state)
{
    struct failing f;
    struct loop *l;
    hq_error err;
    struct rlimit saved, none;
    failing_init(&f, 1);
    assert_int_equal(hqi_loop_loop_new(&l, &f.alloc, &err), HQ_ENOMEM);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
    int free_fd = event_fd(0);
    close(free_fd);
    for (int have = 0; have < 3; have++) { /* it needs three */
        failing_init(&f, 0);
        none = (struct rlimit){(rlim_t)(free_fd + have), saved.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        int rc = hqi_loop_loop_new(&l, &f.alloc, &err);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
        assert_int_equal(rc, HQ_ELIMIT);
        assert_non_null(strstr(err.text, "ulimit -n"));
        assert_int_equal(f.live, 0);
    }
    int again = event_fd(0);
    assert_int_equal(again, free_fd); /* nothing leaked */
    close(again);
    hqi_loop_loop_free(NULL);
}

static void fds_close_on_exec(void **state)
{
    int first = event_fd(0);
    close(first);
    struct loop *l = loop_new();
    for (int fd = first; fd < first + 3; fd++)
        assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    hqi_loop_loop_free(l);
    assert_int_equal(fcntl(first, F_GETFD), -1);
}

static void fd_source_runs(void **state)
{
    struct loop *l = loop_new();
    struct probe p = probe(l, event_fd(0));
    p.source.ready = NULL;
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_EINVAL);
    assert_false(is_readable(l, 0));
    signal_fd(p.source.fd);
    assert_true(is_readable(l, 0));
    run_until_silent(l);
    assert_int_equal(p.runs, 1);
    hqi_loop_source_remove(l, &p.source);
    hqi_loop_source_remove(l, &p.source);
    signal_fd(p.source.fd);
    assert_false(is_readable(l, 0));
    close(p.source.fd);
    hqi_loop_loop_free(l);
}

static void bad_fd_is_refused(void **state)
{
    struct loop *l = loop_new();
    struct probe p = probe(l, 9999);
    hq_error err;
    assert_int_equal(hqi_loop_source_add(l, &p.source, &err), HQ_ESYS);
    assert_int_equal(err.sys, EBADF);
    assert_false(p.source.linked);
    hqi_loop_source_remove(l, &p.source);
    hqi_loop_loop_free(l);
}

/* One edge, ten messages: as ZMQ_FD does it. A loop that trusts the fd sees one of them. */
static void silent_fd_with_backlog_keeps_the_loop_readable(void **state)
{
    const int fds[] = {event_fd(0), -1};
    for (size_t i = 0; i < 2; i++) {
        struct loop *l = loop_new();
        struct probe p = probe(l, fds[i]);
        assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
        run_until_silent(l);
        assert_int_equal(p.runs, 0);
        p.backlog = 10;
        if (p.source.fd >= 0)
            signal_fd(p.source.fd);
        else
            hqi_loop_loop_wake(l);
        run_until_silent(l);
        assert_int_equal(p.runs, 10);
        hqi_loop_source_remove(l, &p.source);
        hqi_loop_loop_free(l);
    }
    close(fds[0]);
}

static void source_ready_before_add_runs(void **state)
{
    struct loop *l = loop_new();
    struct probe p = probe(l, -1);
    p.backlog = 3;
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
    run_until_silent(l);
    assert_int_equal(p.runs, 3);
    hqi_loop_source_remove(l, &p.source);
    hqi_loop_loop_free(l);
}

static void wait_sees_a_silent_source(void **state)
{
    struct loop *l = loop_new();
    struct probe p = probe(l, -1);
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
    run_until_silent(l);
    assert_int_equal(hqi_loop_loop_wait(l, 0, NULL), 0);
    p.backlog = 1; /* nobody called wake */
    assert_int_equal(hqi_loop_loop_wait(l, -1, NULL), 1);
    hqi_loop_source_remove(l, &p.source);
    hqi_loop_loop_free(l);
}

static void busy_source_starves_nobody(void **state)
{
    enum { busy = 100, rounds = 7 }; /* more than one epoll_wait hands out */
    struct loop *l = loop_new();
    struct probe probes[busy + 2];
    for (int i = 0; i < busy + 2; i++) {
        probes[i] = probe(l, i < busy ? event_fd(0) : -1);
        probes[i].backlog = i == busy ? 0 : 1000;
        assert_int_equal(hqi_loop_source_add(l, &probes[i].source, NULL), HQ_OK);
        if (i < busy)
            signal_fd(probes[i].source.fd);
    }
    for (int i = 0; i < rounds; i++)
        assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK);
    for (int i = 0; i < busy + 2; i++) {
        assert_int_equal(probes[i].runs, i == busy ? 0 : rounds); /* once per round each */
        hqi_loop_source_remove(l, &probes[i].source);
        if (i < busy)
            close(probes[i].source.fd);
    }
    hqi_loop_loop_free(l);
}

/* Fds that stay readable, more of them than one epoll_wait hands out: all get their turn. */
static void level_triggered_fds_take_turns(void **state)
{
    enum { n = 200 };
    struct loop *l = loop_new();
    struct probe probes[n];
    for (int i = 0; i < n; i++) {
        int fd = eventfd(1000, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
        assert_true(fd >= 0);
        probes[i] = probe(l, fd);
        probes[i].source.ready = NULL;
        assert_int_equal(hqi_loop_source_add(l, &probes[i].source, NULL), HQ_OK);
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK);
    for (int i = 0; i < n; i++) {
        assert_in_range(probes[i].runs, 4, 8); /* 20 rounds of 64 over 200 */
        hqi_loop_source_remove(l, &probes[i].source);
        close(probes[i].source.fd);
    }
    hqi_loop_loop_free(l);
}

static void removal_inside_a_round(void **state)
{
    for (int i = 0; i < 9; i++) { /* which of three removes which, itself included */
        struct loop *l = loop_new();
        struct probe p[3];
        int killer = i / 3, victim = i % 3;
        for (int k = 0; k < 3; k++) {
            p[k] = probe(l, event_fd(1));
            assert_int_equal(hqi_loop_source_add(l, &p[k].source, NULL), HQ_OK);
        }
        p[killer].victim = &p[victim];
        assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK);
        for (int k = 0; k < 3; k++) /* the last one added runs first */
            assert_int_equal(p[k].runs, !(k == victim && victim < killer));
        assert_false(p[victim].source.linked);
        for (int k = 0; k < 3; k++) {
            hqi_loop_source_remove(l, &p[k].source);
            close(p[k].source.fd);
        }
        hqi_loop_loop_free(l);
    }
}

static void add_from_run(struct loop_source *s)
{
    struct probe *p = hqi_container(s, struct probe, source);
    p->runs++;
    p->backlog = 0;
    p->victim->backlog = 5;
    assert_int_equal(hqi_loop_source_add(p->loop, &p->victim->source, NULL), HQ_OK);
}

static void addition_inside_a_round_waits_for_the_next(void **state)
{
    struct loop *l = loop_new();
    struct probe first = probe(l, -1), second = probe(l, -1);
    first.source.run = add_from_run;
    first.backlog = 1;
    first.victim = &second;
    assert_int_equal(hqi_loop_source_add(l, &first.source, NULL), HQ_OK);
    assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK);
    assert_int_equal(second.runs, 0);
    run_until_silent(l);
    assert_int_equal(first.runs, 1);
    assert_int_equal(second.runs, 5);
    hqi_loop_source_remove(l, &first.source);
    hqi_loop_source_remove(l, &second.source);
    hqi_loop_loop_free(l);
}

static void run_the_loop(struct loop_source *s)
{
    struct probe *p = hqi_container(s, struct probe, source);
    p->backlog = 0;
    p->runs += hqi_loop_loop_run(p->loop, NULL) == HQ_ESTATE;
}

static void nested_round_is_refused(void **state)
{
    struct loop *l = loop_new();
    struct probe p = probe(l, -1);
    p.source.run = run_the_loop;
    p.backlog = 1;
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
    run_until_silent(l);
    assert_int_equal(p.runs, 1);
    hqi_loop_source_remove(l, &p.source);
    hqi_loop_loop_free(l);
}

static void run_at(struct loop *l, uint64_t mono_ns)
{
    struct now now = {.mono_ns = mono_ns, .utc_ms = 1};
    assert_int_equal(hqi_loop_loop_run_at(l, now, NULL), HQ_OK);
    assert_int_equal(hqi_loop_loop_now(l).mono_ns, mono_ns);
}

static void timers_run_in_order_of_time(void **state)
{
    char order[16] = "";
    struct loop *l = loop_new();
    struct alarm a = alarm_named(l, 'a', order), b = alarm_named(l, 'b', order),
                 c = alarm_named(l, 'c', order);
    hqi_loop_timer_set(l, &a.timer, 300);
    hqi_loop_timer_set(l, &b.timer, 100);
    hqi_loop_timer_set(l, &c.timer, 100);
    run_at(l, 99);
    assert_string_equal(order, "");
    run_at(l, 100);
    assert_string_equal(order, "bc");
    run_at(l, 299);
    assert_string_equal(order, "bc");
    hqi_loop_timer_set(l, &a.timer, 400); /* moved */
    run_at(l, 399);
    assert_string_equal(order, "bc");
    run_at(l, 1000);
    assert_string_equal(order, "bca");
    run_at(l, 2000);
    assert_string_equal(order, "bca");
    hqi_loop_loop_free(l);
}

static void timers_change_inside_a_round(void **state)
{
    char order[16] = "";
    struct loop *l = loop_new();
    struct alarm a = alarm_named(l, 'a', order), b = alarm_named(l, 'b', order),
                 c = alarm_named(l, 'c', order);
    a.rearm = 1; /* always in the past: it must not keep the others away, nor the round going on */
    b.victim = &c;
    hqi_loop_timer_set(l, &a.timer, 10);
    hqi_loop_timer_set(l, &b.timer, 20);
    hqi_loop_timer_set(l, &c.timer, 30);
    run_at(l, 100);
    assert_string_equal(order, "ab");
    hqi_loop_timer_set(l, &c.timer, 150);
    run_at(l, 200);
    assert_string_equal(order, "abac");
    hqi_loop_timer_clear(l, &a.timer);
    hqi_loop_timer_clear(l, &a.timer);
    run_at(l, 300);
    assert_string_equal(order, "abac");
    hqi_loop_loop_free(l);
}

static void due_timer_makes_the_fd_readable(void **state)
{
    char order[16] = "";
    struct loop *l = loop_new();
    struct alarm a = alarm_named(l, 'a', order), b = alarm_named(l, 'b', order);
    uint64_t start = hqi_loop_loop_refresh(l).mono_ns;
    hqi_loop_timer_set(l, &b.timer, start + 3600 * HQI_SEC);
    assert_false(is_readable(l, 0));
    hqi_loop_timer_set(l, &a.timer, start + 5 * HQI_MS); /* earlier than what the timerfd is set to */
    assert_int_equal(hqi_loop_loop_wait(l, 10000, NULL), 1);
    run_until_silent(l);
    assert_string_equal(order, "a");
    assert_true(hqi_loop_loop_now(l).mono_ns >= start + 5 * HQI_MS);
    hqi_loop_timer_set(l, &a.timer, 0); /* long past */
    assert_true(is_readable(l, 0));
    run_until_silent(l);
    assert_string_equal(order, "aa");
    hqi_loop_timer_set(l, &a.timer, 1);
    hqi_loop_timer_clear(l, &a.timer); /* one idle round, then silence */
    run_until_silent(l);
    assert_string_equal(order, "aa");
    hqi_loop_timer_set(l, &a.timer, UINT64_MAX);
    assert_false(is_readable(l, 0));
    hqi_loop_loop_free(l);
}

static void *wake_later(void *loop)
{
    hqi_loop_loop_wake(loop);
    return NULL;
}

static void wake_from_another_thread(void **state)
{
    struct loop *l = loop_new();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, l), 0);
    assert_int_equal(hqi_loop_loop_wait(l, -1, NULL), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 3; i++)
        hqi_loop_loop_wake(l);
    assert_int_equal(hqi_loop_loop_run(l, NULL), HQ_OK); /* many wakes, one round */
    assert_int_equal(hqi_loop_loop_wait(l, 0, NULL), 0);
    hqi_loop_loop_free(l);
}

static void on_signal(int sig)
{
}

static void wait_tells_of_signals(void **state)
{
    struct loop *l = loop_new();
    struct sigaction act = {.sa_handler = on_signal}, old;
    struct itimerval soon = {.it_value = {0, 1000}, .it_interval = {0, 1000}}, off = {0};
    hq_error err;
    assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
    assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
    int rc = hqi_loop_loop_wait(l, -1, &err);
    assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &old, NULL), 0);
    assert_int_equal(rc, HQ_EINTR);
    hqi_loop_loop_free(l);
}

/* Frees the loop in a forked child; the parent's must go on seeing its source. */
static void forked_free_leaves_the_parent_alone(void **state)
{
    char order[16] = "";
    struct loop *l = loop_new();
    struct probe p = probe(l, event_fd(0));
    struct alarm a = alarm_named(l, 'a', order);
    int status;
    p.source.ready = NULL;
    assert_int_equal(hqi_loop_source_add(l, &p.source, NULL), HQ_OK);
    hqi_loop_timer_set(l, &a.timer, UINT64_MAX);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hqi_loop_loop_free_forked(l);
        hqi_loop_source_remove(l, &p.source); /* by then `l` is gone: neither may touch it */
        hqi_loop_timer_clear(l, &a.timer);
        _exit(p.source.linked || a.timer.node.linked);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    signal_fd(p.source.fd);
    run_until_silent(l);
    assert_int_equal(p.runs, 1);
    hqi_loop_source_remove(l, &p.source);
    close(p.source.fd);
    hqi_loop_timer_clear(l, &a.timer);
    hqi_loop_loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_fails_whole),
        cmocka_unit_test(fds_close_on_exec),
        cmocka_unit_test(fd_source_runs),
        cmocka_unit_test(bad_fd_is_refused),
        cmocka_unit_test(silent_fd_with_backlog_keeps_the_loop_readable),
        cmocka_unit_test(source_ready_before_add_runs),
        cmocka_unit_test(wait_sees_a_silent_source),
        cmocka_unit_test(busy_source_starves_nobody),
        cmocka_unit_test(level_triggered_fds_take_turns),
        cmocka_unit_test(removal_inside_a_round),
        cmocka_unit_test(addition_inside_a_round_waits_for_the_next),
        cmocka_unit_test(nested_round_is_refused),
        cmocka_unit_test(timers_run_in_order_of_time),
        cmocka_unit_test(timers_change_inside_a_round),
        cmocka_unit_test(due_timer_makes_the_fd_readable),
        cmocka_unit_test(wake_from_another_thread),
        cmocka_unit_test(wait_tells_of_signals),
        cmocka_unit_test(forked_free_leaves_the_parent_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
