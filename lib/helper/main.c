/* SPDX-License-Identifier: MIT */
/* main.c - hq-helper: starts and reaps the tasks of one worker, sees the hardware, runs commands of the site.
 *
 * Promise: when the worker's process is gone, in whatever way, no task and no descendant of a task is left, not even
 * one that made itself a daemon: this process is their subreaper. Without news it sleeps: no timer, no
 * polling. Single-threaded. Must never happen: a task that outlives both. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "helper/affinity.h"
#include "helper/child.h"
#include "helper/command.h"
#include "helper/fd.h"
#include "helper/inbox.h"
#include "helper/observe.h"
#include "helper/options.h"
#include "helper/outbox.h"
#include "helper/probe.h"
#include "helper/proc.h"
#include "helper/task.h"
#include "helper/watch.h"

#define COALESCE_NS (20 * HQI_MS) /* reports wait this long for others while work is staged */
#define CHECK_NS (5 * HQI_MS)     /* a child on its way to its exec is looked at again */
#define END_NS (5 * HQI_SEC)      /* from the request to end until the last descendant is killed */
#define SWEEP_MS 10

enum { EXIT_USAGE = 2 };

struct helper {
    struct options options;
    struct affinity affinity; /* as it was before the reset */
    struct loop *loop;
    struct inbox inbox;
    struct outbox outbox;
    struct watch watch;
    struct children children;
    struct spawner spawner;
    struct launches launches;
    struct tasks tasks;
    struct commands commands;
    struct probes probes;
    struct observer observer;
    struct loop_timer report; /* set while something waits to be reported */
    struct loop_timer end;    /* set while ending */
    uint64_t end_ns;
    bool report_due, ending, end_due;
};

/* ---- the first acts ---- */

static void reset_signals(void)
{
    sigset_t all;
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL); /* tasks inherit it; refused for two of them */
    sigfillset(&all);
    const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        sigdelset(&all, faults[i]);
    sigprocmask(SIG_SETMASK, &all, NULL); /* it ends with its worker, or by SIGKILL */
}

/* The helper itself needs no more descriptors than a few and one per launch with standard input. */
static void set_file_limit(unsigned long soft)
{
    struct rlimit limit;
    if (soft == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* Away from everything that ties it to the host: session, descriptors, signals, processors. */
static bool detach(struct helper *h)
{
    setsid(); /* fails only where it has happened already */
    reset_signals();
    if (!hqi_helper_fd_keep(&h->options.socket, &h->options.worker_fd) ||
        prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return false;
    set_file_limit(h->options.nofile);
    hqi_helper_affinity_read(&h->affinity);
    if (!h->options.keep_affinity)
        hqi_helper_affinity_widen();
    return chdir("/") == 0;
}

/* ---- what the worker says ---- */

static void on_end(struct loop_timer *t)
{
    hqi_container(t, struct helper, end)->end_due = true;
}

static void begin_end(struct helper *h)
{
    if (h->ending)
        return;
    h->ending = true;
    hqi_helper_observe_set(&h->observer, &(struct helper_observe){0});
    hqi_helper_task_kill_all(&h->tasks);
    h->end_ns = hqi_base_clock_now().mono_ns + END_NS;
    hqi_loop_timer_set(h->loop, &h->end, h->end_ns);
}

static void on_item(void *user, const struct to_helper *item)
{
    struct helper *h = user;
    switch (item->kind) {
    case TO_HELPER_SPEC:
        hqi_helper_launch_add(&h->launches, &item->u.spec);
        break;
    case TO_HELPER_DROP:
        hqi_helper_launch_drop(&h->launches, item->u.drop);
        break;
    case TO_HELPER_LAUNCH:
        if (!hqi_helper_task_launch(&h->tasks, &item->u.launch))
            h->inbox.closed =
                hqi_base_error_set(&h->inbox.err, HQ_EPROTO, "hq-helper", "a key was used again");
        break;
    case TO_HELPER_UNSTAGE:
        hqi_helper_task_unstage(&h->tasks, item->u.key);
        break;
    case TO_HELPER_KILL:
        hqi_helper_task_kill(&h->tasks, item->u.key);
        break;
    case TO_HELPER_HARDWARE:
        hqi_helper_probe_start(&h->probes, item->u.hardware.hyper_threading);
        break;
    case TO_HELPER_COMMAND:
        hqi_helper_command_run(&h->commands, item->u.command.tag, item->u.command.argv,
                               item->u.command.n_argv, item->u.command.timeout_ms);
        break;
    case TO_HELPER_OBSERVE:
        if (!h->ending)
            hqi_helper_observe_set(&h->observer, &item->u.observe);
        break;
    case TO_HELPER_END:
        begin_end(h);
        break;
    }
}

/* ---- what the worker is told ---- */

static void on_report(struct loop_timer *t)
{
    hqi_container(t, struct helper, report)->report_due = true;
}

static void report(struct helper *h)
{
    uint64_t now_ns = hqi_base_clock_now().mono_ns;
    if (h->outbox.n == 0 && list_empty(&h->tasks.fresh))
        return;
    if (!h->report_due && !h->outbox.urgent && h->tasks.n_staged > 0) {
        if (!h->report.node.linked)
            hqi_loop_timer_set(h->loop, &h->report, now_ns + COALESCE_NS);
        return;
    }
    h->report_due = false;
    hqi_loop_timer_clear(h->loop, &h->report);
    bool more = hqi_helper_task_announce(&h->tasks);
    hqi_helper_outbox_flush(&h->outbox, now_ns);
    if (more)
        hqi_loop_timer_set(h->loop, &h->report, now_ns + CHECK_NS);
    else if (h->outbox.n > 0) /* the worker does not read */
        hqi_loop_timer_set(h->loop, &h->report, now_ns + COALESCE_NS);
}

/* ---- the end ---- */

/* Kills until nobody is left: a descendant has living ancestors up to us, or is our child. */
static void sweep(uint64_t until_ns)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec pause = {.tv_nsec = SWEEP_MS * (long)HQI_MS};
    do {
        hqi_helper_proc_kill_descendants(getpid());
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        sigtimedwait(&child, NULL, &pause);
    } while (hqi_base_clock_now().mono_ns < until_ns);
}

/* The last reports, to a worker that may be slow to read them. */
static void report_last(struct helper *h, uint64_t until_ns)
{
    uint64_t now_ns = hqi_base_clock_now().mono_ns;
    hqi_helper_outbox_flush(&h->outbox, now_ns);
    while (h->outbox.n > 0 && !h->outbox.broken && now_ns < until_ns) {
        struct pollfd p = {.fd = h->options.socket, .events = POLLOUT};
        poll(&p, 1, SWEEP_MS);
        now_ns = hqi_base_clock_now().mono_ns;
        hqi_helper_outbox_flush(&h->outbox, now_ns);
    }
}

static bool is_over(const struct helper *h)
{
    bool calm = h->tasks.n_running == 0 && h->tasks.dirs.n_removing == 0;
    return h->inbox.closed || h->watch.gone || h->outbox.broken || h->end_due || (h->ending && calm);
}

/* ---- the middle ---- */

static int init(struct helper *h, hq_error *err)
{
    int rc = hqi_loop_loop_new(&h->loop, &hqi_base_alloc_libc, err);
    if (rc < 0)
        return rc;
    h->report.run = on_report;
    h->end.run = on_end;
    hqi_helper_spawn_init(&h->spawner);
    hqi_helper_launch_init(&h->launches, environ);
    hqi_helper_outbox_init(&h->outbox, h->options.socket);
    h->tasks = (struct tasks){.loop = h->loop,
                              .spawner = &h->spawner,
                              .children = &h->children,
                              .outbox = &h->outbox,
                              .launches = &h->launches,
                              .dirs = {.below = h->options.work_dir, .children = &h->children}};
    hqi_helper_task_init(&h->tasks);
    h->commands = (struct commands){h->loop, &h->spawner, &h->children, &h->outbox, environ};
    h->probes = (struct probes){h->loop, &h->children, &h->outbox, &h->affinity, environ};
    hqi_helper_observe_init(&h->observer, h->loop, &h->commands, &h->outbox);
    hqi_helper_watch_init(&h->watch, h->loop, h->options.worker, h->options.worker_fd);
    h->inbox.on_item = on_item;
    h->inbox.user = h;
    if ((rc = hqi_helper_inbox_init(&h->inbox, h->loop, h->options.socket, err)) < 0)
        return rc;
    return hqi_helper_child_init(&h->children, h->loop, err);
}

static int serve(struct helper *h, hq_error *err)
{
    struct from_helper *hello = hqi_helper_outbox_add(&h->outbox, FROM_HELPER_HELLO, 0);
    hello->u.hello.build = bytes_of(HQI_HELPER_BUILD);
    hello->u.hello.pid = getpid();
    for (report(h); !is_over(h); report(h)) {
        int rc = hqi_loop_loop_wait(h->loop, -1, err);
        if (rc < 0 && rc != HQ_EINTR)
            return rc;
        if ((rc = hqi_loop_loop_run(h->loop, err)) < 0)
            return rc;
    }
    return h->inbox.err.code;
}

int main(int argc, char **argv)
{
    static struct helper h; /* as all that it owns: as long as the process */
    hq_error err;
    prctl(PR_SET_NAME, "hq-helper"); /* started through an open descriptor, it would be called by its number in ps */
    if (hqi_helper_options_parse(&h.options, argc, argv, &err) < 0)
        return EXIT_USAGE;
    if (!detach(&h) || init(&h, &err) < 0)
        return EXIT_FAILURE;
    int rc = serve(&h, &err);
    if (h.ending)
        report_last(&h, h.end_ns);
    sweep(h.ending ? h.end_ns : hqi_base_clock_now().mono_ns + END_NS);
    return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
