/* SPDX-License-Identifier: MIT */
/* loop_test.c - one descriptor to poll, level-triggered, with the timers inside: under poll, select and epoll. */
#include "burst.h"

#include <sys/epoll.h>
#include <sys/select.h>
#include <time.h>

static void test_poll(void **state)
{
    struct burst b;
    burst_open(&b);
    while (!b.done) {
        struct pollfd p[] = {{hq_ctx_fd(b.ctx[0]), POLLIN, 0}, {hq_ctx_fd(b.ctx[1]), POLLIN, 0}};
        assert_true(poll(p, 2, LONG_MS) > 0);
        for (int i = 0; i < 2; i++)
            if (p[i].revents)
                burst_on_readable(&b, i);
    }
    burst_close(&b);
}

static void test_select(void **state)
{
    struct burst b;
    burst_open(&b);
    while (!b.done) {
        struct timeval t = {.tv_sec = LONG_MS / 1000};
        fd_set set;
        int fd[] = {hq_ctx_fd(b.ctx[0]), hq_ctx_fd(b.ctx[1])};
        FD_ZERO(&set);
        FD_SET(fd[0], &set);
        FD_SET(fd[1], &set);
        assert_true(select((fd[0] > fd[1] ? fd[0] : fd[1]) + 1, &set, NULL, NULL, &t) > 0);
        for (int i = 0; i < 2; i++)
            if (FD_ISSET(fd[i], &set))
                burst_on_readable(&b, i);
    }
    burst_close(&b);
}

static void test_epoll(void **state)
{
    struct burst b;
    struct epoll_event e;
    int ep = epoll_create1(EPOLL_CLOEXEC);
    burst_open(&b);
    for (int i = 0; i < 2; i++) {
        e = (struct epoll_event){.events = EPOLLIN, .data.u32 = (uint32_t)i};
        assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, hq_ctx_fd(b.ctx[i]), &e), 0);
    }
    while (!b.done) {
        assert_int_equal(epoll_wait(ep, &e, 1, LONG_MS), 1);
        burst_on_readable(&b, (int)e.data.u32);
    }
    close(ep);
    burst_close(&b);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* poll() with no time-out, and nothing but a time limit that must be noticed. */
static void test_timers_are_inside(void **state)
{
    struct rig r;
    const hq_event *e;
    rig_open(&r);
    hq_worker_options o = {.size = sizeof o, .cpus = "1", .detect = HQ_DETECT_CPUS, .manager = HQ_MANAGER_NONE};
    o.work_dir = r.dir;
    o.endpoint = hq_server_endpoint(r.server, HQ_PLANE_WORKER);
    o.secret = hq_server_secret(r.server, HQ_PLANE_WORKER);
    o.time_limit_ms = 300;
    double start = seconds();
    must(hq_worker_new(&r.worker, r.ctx, &o, RIG_ERR));
    for (int stopped = 0; !stopped;) {
        assert_true(burst_is_readable(r.ctx, LONG_MS));
        must(hq_ctx_dispatch(r.ctx, RIG_ERR));
        while (hq_ctx_next(r.ctx, &e) > 0)
            stopped = stopped || e->type == HQ_EVENT_STOPPED;
    }
    assert_true(seconds() - start >= 0.25);
    rig_close(&r);
}

/* A descriptor that is readable for nothing makes the host spin. */
static void test_idle_is_idle(void **state)
{
    enum { WHILE_MS = 500, MOST = 20 };
    struct rig r;
    int n = 0;
    rig_open(&r);
    rig_worker(&r, "1");
    static const char *const argv[] = {"/bin/true", NULL};
    rig_run(&r, "1-10", argv, 10);
    double start = seconds();
    for (double left; (left = start + WHILE_MS / 1e3 - seconds()) > 0;)
        if (burst_is_readable(r.ctx, (int)(left * 1e3) + 1)) {
            must(hq_ctx_dispatch(r.ctx, RIG_ERR));
            n++;
        }
    assert_true(n <= MOST);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poll),
        cmocka_unit_test(test_select),
        cmocka_unit_test(test_epoll),
        cmocka_unit_test(test_timers_are_inside),
        cmocka_unit_test(test_idle_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
