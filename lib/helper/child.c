/* SPDX-License-Identifier: MIT */
/* child.c - one signalfd, one table of pids. A pid is signalled by its owner only while it is in the table, that
 * is before it is reaped: so it cannot have become another process's. */
#include "helper/child.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

static void on_signal(struct loop_source *s)
{
    struct children *all = hqi_container(s, struct children, source);
    struct signalfd_siginfo info;
    while (read(s->fd, &info, sizeof info) < 0 && errno == EINTR)
        ;
    hqi_helper_child_reap(all); /* one SIGCHLD may stand for many */
}

int hqi_helper_child_init(struct children *all, struct loop *loop, hq_error *err)
{
    hqi_base_map_init(&all->by_pid, &hqi_base_alloc_libc);
    sigemptyset(&all->mask);
    sigaddset(&all->mask, SIGCHLD);
    int fd = signalfd(-1, &all->mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return hqi_base_error_sys(err, errno, "helper", "cannot watch for children");
    all->source = (struct loop_source){.fd = fd, .run = on_signal};
    return hqi_loop_source_add(loop, &all->source, err);
}

bool hqi_helper_child_reserve(struct children *all)
{
    return hqi_base_map_reserve(&all->by_pid, 1);
}

void hqi_helper_child_add(struct children *all, struct child *c, pid_t pid)
{
    hqi_base_map_put(&all->by_pid, &c->by_pid, (uint64_t)pid);
}

bool hqi_helper_child_reap(struct children *all)
{
    for (;;) {
        struct rusage usage;
        int status;
        pid_t pid = wait4(-1, &status, WNOHANG, &usage);
        if (pid == 0)
            return true;
        if (pid < 0)
            return errno != ECHILD;
        struct map_node *node = hqi_base_map_take(&all->by_pid, (uint64_t)pid);
        if (!node)
            continue;
        struct child *c = hqi_container(node, struct child, by_pid);
        c->ended(c, status, &usage);
    }
}
