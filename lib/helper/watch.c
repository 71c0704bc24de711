/* SPDX-License-Identifier: MIT */
/* watch.c - see watch.h. */
#include "helper/watch.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "helper/proc.h"

#define POLL_NS HQI_SEC

static bool lives(const struct watch *w)
{
    struct proc_stat st;
    return hqi_helper_proc_stat(w->pid, &st) && st.start_ticks == w->start_ticks && st.state != 'Z' &&
           st.state != 'X';
}

static void on_exit_of_worker(struct loop_source *s)
{
    struct watch *w = hqi_container(s, struct watch, source);
    w->gone = true;
    hqi_loop_source_remove(w->loop, s);
}

static void on_timer(struct loop_timer *t)
{
    struct watch *w = hqi_container(t, struct watch, timer);
    w->gone = !lives(w);
    hqi_loop_timer_set(w->loop, t, hqi_base_clock_now().mono_ns + POLL_NS);
}

void hqi_helper_watch_init(struct watch *w, struct loop *loop, pid_t pid, int pidfd)
{
    struct proc_stat st = {0};
    if (pidfd < 0)
        pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    *w = (struct watch){
        .source = {.fd = pidfd, .run = on_exit_of_worker}, .timer.run = on_timer, .loop = loop, .pid = pid};
    if (pidfd >= 0)
        fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    if (pidfd >= 0 && hqi_loop_source_add(loop, &w->source, NULL) == HQ_OK)
        return;
    w->gone = !hqi_helper_proc_stat(pid, &st);
    w->start_ticks = st.start_ticks;
    hqi_loop_timer_set(loop, &w->timer, hqi_base_clock_now().mono_ns + POLL_NS);
}
