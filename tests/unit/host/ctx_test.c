/* SPDX-License-Identifier: MIT */
/* The context by itself: options, waiting and waking, fork, limits, memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../failing_alloc.h"
#include "host/event.h"

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static hq_ctx *make(void)
{
    hq_ctx *ctx = NULL;
    assert_int_equal(hq_ctx_new(&ctx, NULL, NULL), HQ_OK);
    return ctx;
}

/* ---- options ---- */

static void test_options_of_other_sizes(void **state)
{
    struct {
        hq_ctx_options o;
        char tail[16];
    } larger = {.o = {.size = sizeof larger, .max_events = 5}};
    struct {
        size_t size;
    } smaller = {sizeof smaller};
    hq_ctx_options known, none = {0};
    hq_error err;
    assert_int_equal(hqi_host_ctx_options(&known, sizeof known, &larger, "x", &err), HQ_OK);
    assert_int_equal(known.max_events, 5);
    larger.tail[15] = 1;
    assert_int_equal(hqi_host_ctx_options(&known, sizeof known, &larger, "x", &err), HQ_EINVAL);
    known.max_events = 9;
    assert_int_equal(hqi_host_ctx_options(&known, sizeof known, &smaller, "x", &err), HQ_OK);
    assert_int_equal(known.max_events, 0);
    assert_int_equal(hqi_host_ctx_options(&known, sizeof known, &none, "hq_ctx_options", &err), HQ_EINVAL);
    assert_string_equal(err.text, "hq_ctx_options.size is 0: set it to sizeof(hq_ctx_options)");
    assert_int_equal(hqi_host_ctx_options(&known, sizeof known, NULL, "x", &err), HQ_OK);
}

static void test_misuse(void **state)
{
    const hq_event *e;
    assert_int_equal(hq_ctx_new(NULL, NULL, NULL), HQ_EINVAL);
    assert_int_equal(hq_ctx_dispatch(NULL, NULL), HQ_EINVAL);
    assert_int_equal(hq_ctx_run(NULL, 0, NULL), HQ_EINVAL);
    assert_int_equal(hq_ctx_next(NULL, &e), HQ_EINVAL);
    assert_int_equal(hq_ctx_fd(NULL), -1);
    hq_ctx_wake(NULL);
    hq_ctx_free(NULL);
}

/* ---- logs ---- */

struct logged {
    hq_ctx *ctx;
    int lines, back;
};

static void on_log(void *user, const hq_log *rec)
{
    struct logged *l = user;
    l->lines++;
    l->back = l->ctx ? hq_ctx_dispatch(l->ctx, NULL) : 0;
    assert_string_equal(rec->where, "here");
    assert_string_equal(rec->text, "n is 7");
}

static void test_log_callback_may_not_call_back(void **state)
{
    struct logged l = {0};
    hq_ctx_options o = {.size = sizeof o, .log = on_log, .user = &l, .log_level = 4};
    assert_int_equal(hq_ctx_new(&l.ctx, &o, NULL), HQ_OK);
    hqi_base_log_write(&l.ctx->log, 6, "here", "n is %d", 7);
    assert_int_equal(l.lines, 0);
    hqi_base_log_write(&l.ctx->log, 4, "here", "n is %d", 7);
    assert_int_equal(l.lines, 1);
    assert_int_equal(l.back, HQ_ESTATE);
    hq_ctx_free(l.ctx);
}

/* ---- waiting ---- */

static void *wake_soon(void *ctx)
{
    hq_ctx_wake(ctx);
    return NULL;
}

static void test_wake_ends_run(void **state)
{
    hq_ctx *ctx = make();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, wake_soon, ctx), 0);
    assert_int_equal(hq_ctx_run(ctx, -1, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(hq_ctx_run(ctx, 0, NULL), HQ_ETIMEDOUT);
    struct pollfd p = {.fd = hq_ctx_fd(ctx), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 0), 0);
    hq_ctx_wake(ctx);
    assert_int_equal(poll(&p, 1, 0), 1);
    assert_int_equal(hq_ctx_dispatch(ctx, NULL), 0);
    assert_int_equal(poll(&p, 1, 0), 0);
    hq_ctx_free(ctx);
}

static void on_alarm(int sig)
{
}

static void test_signal_interrupts(void **state)
{
    hq_ctx *ctx = make();
    const struct sigaction action = {.sa_handler = on_alarm};
    struct sigaction before;
    const struct itimerval every = {{0, 2000}, {0, 2000}}; /* again, should the first come before the wait */
    const struct itimerval never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, &before);
    setitimer(ITIMER_REAL, &every, NULL);
    assert_int_equal(hq_ctx_run(ctx, -1, NULL), HQ_EINTR);
    const hq_event *e;
    assert_int_equal(hq_ctx_wait(ctx, 1, -1, &e, NULL), HQ_EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &before, NULL);
    hq_ctx_free(ctx);
}

/* ---- events ---- */

static void free_nothing(struct handle *h)
{
    hqi_host_ctx_remove(h);
}

static const struct handle_ops ops = {free_nothing, free_nothing};

static void push(struct handle *h, uint64_t tag, const char *text)
{
    struct event *e = hqi_host_event_new(h, HQ_EVENT_REPLY);
    e->pub.tag = tag;
    hqi_host_event_set_text(e, HQ_EINVAL, bytes_of(text));
    hqi_host_event_push(h->ctx, e);
}

static void test_events_in_order_and_by_tag(void **state)
{
    hq_ctx *ctx = make();
    struct handle a = {0}, b = {0};
    const hq_event *e;
    hqi_host_ctx_add(ctx, &a, &ops);
    hqi_host_ctx_add(ctx, &b, &ops);
    assert_int_not_equal(a.source, b.source);
    for (uint64_t tag = 1; tag <= 4; tag++)
        push(tag == 2 ? &b : &a, tag, "why");
    assert_int_equal(hq_ctx_wait(ctx, 3, 0, &e, NULL), HQ_OK);
    assert_int_equal(e->tag, 3);
    assert_int_equal(hq_ctx_next(ctx, &e), 1);
    assert_int_equal(e->tag, 1);
    assert_int_equal(e->source, a.source);
    assert_int_equal(e->code, HQ_EINVAL);
    assert_string_equal(e->text, "why");
    hqi_host_ctx_remove(&b); /* drops what is queued of it */
    assert_int_equal(hq_ctx_next(ctx, &e), 1);
    assert_int_equal(e->tag, 4);
    assert_int_equal(hq_ctx_next(ctx, &e), 0);
    assert_int_equal(hq_ctx_wait(ctx, 9, 0, &e, NULL), HQ_ETIMEDOUT);
    hq_ctx_free(ctx);
}

static void test_room_for_events_is_limited(void **state)
{
    hq_ctx_options o = {.size = sizeof o, .max_events = 2};
    hq_ctx *ctx;
    struct handle h = {0};
    assert_int_equal(hq_ctx_new(&ctx, &o, NULL), HQ_OK);
    hqi_host_ctx_add(ctx, &h, &ops);
    push(&h, 1, "");
    assert_true(hqi_host_event_room(ctx));
    push(&h, 2, "");
    assert_false(hqi_host_event_room(ctx));
    push(&h, 3, ""); /* a reserved one does not ask */
    assert_int_equal(hq_ctx_dispatch(ctx, NULL), 3);
    hq_ctx_free(ctx);
}

static void test_long_texts_are_cut(void **state)
{
    hq_ctx *ctx = make();
    struct handle h = {0};
    char text[2 * HQI_EVENT_TEXT];
    const hq_event *e;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    hqi_host_ctx_add(ctx, &h, &ops);
    push(&h, 1, text);
    assert_int_equal(hq_ctx_next(ctx, &e), 1);
    assert_int_equal(strlen(e->text), HQI_EVENT_TEXT - 1);
    hq_ctx_free(ctx);
}

/* ---- the process ---- */

static void test_threads_and_fds_go_with_the_ctx(void **state)
{
    int fds = count_entries("/proc/self/fd"), threads = count_entries("/proc/self/task");
    hq_ctx *ctx = make();
    void *zmq, *same;
    assert_int_equal(count_entries("/proc/self/task"), threads); /* none before a socket is wanted */
    assert_int_equal(hqi_host_ctx_zmq(ctx, &zmq, NULL), HQ_OK);
    assert_int_equal(hqi_host_ctx_zmq(ctx, &same, NULL), HQ_OK);
    assert_ptr_equal(zmq, same);
    assert_int_equal(count_entries("/proc/self/task"), threads + 2);
    hq_ctx_free(ctx);
    assert_int_equal(count_entries("/proc/self/fd"), fds);
}

/* A line of /proc's status of a thread of this process, behind its name. */
static const char *status_of(const char *thread, const char *name, char text[4096])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(text, 1, 4095, f);
    fclose(f);
    text[n] = '\0';
    const char *line = strstr(text, name);
    assert_non_null(line);
    return line + strlen(name);
}

static uint64_t blocked_in(const char *thread)
{
    char text[4096];
    return strtoull(status_of(thread, "SigBlk:", text), NULL, 16);
}

static unsigned count_busy_threads(void)
{
    char own[16], text[4096];
    unsigned n = 0;
    snprintf(own, sizeof own, "%d", (int)getpid());
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, own) != 0)
            n += status_of(e->d_name, "State:\t", text)[0] != 'S';
    closedir(d);
    return n;
}

static void test_signals_are_blocked_in_our_threads_only(void **state)
{
    hq_ctx *ctx = make();
    void *zmq;
    char own[16];
    sigset_t before, after;
    const uint64_t wanted = 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1) | 1ull << (SIGCHLD - 1);
    memset(&before, 0, sizeof before);
    memset(&after, 0, sizeof after);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(hqi_host_ctx_zmq(ctx, &zmq, NULL), HQ_OK);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_memory_equal(&before, &after, sizeof before);
    snprintf(own, sizeof own, "%d", (int)getpid());
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.' && strcmp(e->d_name, own) != 0)
            assert_int_equal(blocked_in(e->d_name) & wanted, wanted);
    closedir(d);
    hq_ctx_free(ctx);
}

static void test_no_fds_is_a_limit_not_an_abort(void **state)
{
    struct rlimit before, few;
    void *zmq;
    hq_error err;
    hq_ctx *ctx = make();
    getrlimit(RLIMIT_NOFILE, &before);
    few = before;
    few.rlim_cur = (rlim_t)hq_ctx_fd(ctx) + 6;
    setrlimit(RLIMIT_NOFILE, &few);
    assert_int_equal(hqi_host_ctx_zmq(ctx, &zmq, &err), HQ_ELIMIT);
    assert_non_null(strstr(err.text, "file descriptors"));
    few.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &few);
    hq_ctx *other;
    assert_int_equal(hq_ctx_new(&other, NULL, &err), HQ_ELIMIT);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(hqi_host_ctx_zmq(ctx, &zmq, &err), HQ_OK);
    hq_ctx_free(ctx);
}

static void test_fork(void **state)
{
    hq_ctx *ctx = make();
    struct handle h = {0};
    void *zmq;
    int status;
    hqi_host_ctx_add(ctx, &h, &ops);
    push(&h, 1, "");
    assert_int_equal(hqi_host_ctx_zmq(ctx, &zmq, NULL), HQ_OK);
    while (count_busy_threads() > 0) /* AddressSanitizer's allocator stays locked in the child of a fork that meets a thread in it */
        sched_yield();
    pid_t pid = fork();
    if (pid == 0) {
        const hq_event *e;
        bool ok = hq_ctx_dispatch(ctx, NULL) == HQ_EFORK && hq_ctx_next(ctx, &e) == HQ_EFORK &&
                  hq_ctx_run(ctx, 0, NULL) == HQ_EFORK && hq_ctx_wait(ctx, 1, 0, &e, NULL) == HQ_EFORK &&
                  hq_ctx_fd(ctx) == -1;
        hq_ctx_wake(ctx);
        hq_ctx_free(ctx);
        hq_ctx *own = NULL;
        ok = ok && hq_ctx_new(&own, NULL, NULL) == HQ_OK && hqi_host_ctx_zmq(own, &zmq, NULL) == HQ_OK;
        hq_ctx_free(own);
        _exit(ok ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    const hq_event *e;
    assert_int_equal(hq_ctx_dispatch(ctx, NULL), 1);
    assert_int_equal(hq_ctx_next(ctx, &e), 1);
    hq_ctx_free(ctx);
}

static void test_each_allocation_may_fail(void **state)
{
    for (size_t i = 1;; i++) {
        struct failing f;
        hq_ctx *ctx;
        failing_init(&f, i);
        hq_ctx_options o = {.size = sizeof o, .alloc = f.alloc.fn, .user = f.alloc.user};
        int r = hq_ctx_new(&ctx, &o, NULL);
        assert_int_equal(r, f.hit ? HQ_ENOMEM : HQ_OK);
        if (r == HQ_OK)
            hq_ctx_free(ctx);
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_of_other_sizes),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_log_callback_may_not_call_back),
        cmocka_unit_test(test_wake_ends_run),
        cmocka_unit_test(test_signal_interrupts),
        cmocka_unit_test(test_events_in_order_and_by_tag),
        cmocka_unit_test(test_room_for_events_is_limited),
        cmocka_unit_test(test_long_texts_are_cut),
        cmocka_unit_test(test_threads_and_fds_go_with_the_ctx),
        cmocka_unit_test(test_signals_are_blocked_in_our_threads_only),
        cmocka_unit_test(test_no_fds_is_a_limit_not_an_abort),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
