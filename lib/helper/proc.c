/* SPDX-License-Identifier: MIT */
/* proc.c - reading /proc. The kernel's lists of children (task/TID/children) are an option of its configuration;
 * the parent in each process's stat file is always there. */
#include "helper/proc.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "helper/fd.h"

struct relation {
    pid_t pid, parent;
    uint64_t start_ticks;
    bool doomed;
};

struct relations {
    struct relation *items; /* owned */
    size_t n, room;
};

bool hqi_helper_proc_stat(pid_t pid, struct proc_stat *ret)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (hqi_helper_fd_read_file(path, text, sizeof text) <= 0)
        return false;
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    int parent;
    if (!after_name ||
        sscanf(after_name,
               ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64,
               &ret->state, &parent, &ret->start_ticks) != 3)
        return false;
    ret->parent = parent;
    return true;
}

static bool relations_add(struct relations *all, struct relation r)
{
    if (all->n == all->room) {
        size_t room = all->room ? all->room * 2 : 256;
        struct relation *items = realloc(all->items, room * sizeof *items);
        if (!items)
            return false;
        all->items = items;
        all->room = room;
    }
    all->items[all->n++] = r;
    return true;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct relation *)a)->pid, y = ((const struct relation *)b)->pid;
    return (x > y) - (x < y);
}

static void relations_read(struct relations *all)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));) {
        struct proc_stat st;
        pid_t pid = (pid_t)atoi(d->d_name);
        if (pid > 0 && hqi_helper_proc_stat(pid, &st) && st.state != 'Z' &&
            !relations_add(all, (struct relation){pid, st.parent, st.start_ticks, false}))
            break;
    }
    closedir(dir);
    if (all->n)
        qsort(all->items, all->n, sizeof *all->items, by_pid);
}

static bool is_doomed(const struct relations *all, pid_t pid)
{
    struct relation key = {.pid = pid};
    struct relation *r = bsearch(&key, all->items, all->n, sizeof key, by_pid);
    return r && r->doomed;
}

/* It may have ended since it was seen, and its number may be another's by now. */
static void kill_exactly(const struct relation *r)
{
    struct proc_stat st;
    int fd = (int)syscall(SYS_pidfd_open, r->pid, 0);
    if (fd < 0 && errno == ENOSYS) {
        kill(r->pid, SIGKILL);
        return;
    }
    if (hqi_helper_proc_stat(r->pid, &st) && st.start_ticks == r->start_ticks)
        syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
    if (fd >= 0)
        close(fd);
}

unsigned hqi_helper_proc_kill_descendants(pid_t pid)
{
    struct relations all = {0};
    unsigned found = 0, before;
    relations_read(&all);
    do { /* one generation or more at a time */
        before = found;
        for (size_t i = 0; i < all.n; i++) {
            struct relation *r = &all.items[i];
            if (r->doomed || (r->parent != pid && !is_doomed(&all, r->parent)))
                continue;
            r->doomed = true;
            found++;
            kill_exactly(r);
        }
    } while (found > before);
    free(all.items);
    return found;
}
