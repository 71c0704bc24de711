/* SPDX-License-Identifier: MIT */
/* orphans.c - what a helper that died has left: processes in the sessions of its tasks.
 *
 * Promise: they are killed before the task is started elsewhere. Must never happen: a signal to a process of somebody else.
 * The number of a session is not given to a process while the session has members, so if there is a process of that
 * number which is not the task's own, the session is empty. Descendants that have made sessions of their own
 * are out of reach here: their helper alone could follow them. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/worker.h"

#define SESSION_FIELD 4u /* of /proc/PID/stat, counted from the state, which follows the name */
#define START_FIELD 20u
#define STAT_BYTES 1024u

struct leader { /* of a session, which has its number */
    int32_t pid;
    uint64_t start_ticks;
};

struct sessions {
    const struct alloc *alloc; /* borrowed */
    struct leader *v;         /* owned */
    uint32_t n, room;
};

struct stat_line {
    int32_t session;
    uint64_t start_ticks;
};

/* False: there is no such process. */
static bool read_stat(const char *pid, struct stat_line *ret)
{
    char path[64] = "/proc/", text[STAT_BYTES + 1];
    if (strlen(pid) > 20)
        return false;
    strcat(strcat(path, pid), "/stat");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, STAT_BYTES) : -1;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
    char *at = strrchr(text, ')'); /* the name may hold anything */
    *ret = (struct stat_line){0};
    for (unsigned field = 0; at && field < START_FIELD; field++) {
        at = strchr(at + 1, ' ');
        if (at && field + 1 == SESSION_FIELD)
            ret->session = (int32_t)strtol(at, NULL, 10);
        if (at && field + 1 == START_FIELD)
            ret->start_ticks = strtoull(at, NULL, 10);
    }
    return at != NULL;
}

static void note(void *user, int32_t pid, uint64_t start_ticks)
{
    struct sessions *all = user;
    if (all->n < all->room)
        all->v[all->n++] = (struct leader){pid, start_ticks};
}

static void count(void *user, int32_t pid, uint64_t start_ticks)
{
    ((struct sessions *)user)->room++;
}

static bool is_over(const struct leader *s)
{
    char pid[16];
    struct stat_line line;
    snprintf(pid, sizeof pid, "%d", (int)s->pid);
    return read_stat(pid, &line) && line.start_ticks != s->start_ticks;
}

static bool has(const struct sessions *all, int32_t session)
{
    for (uint32_t i = 0; i < all->n; i++)
        if (all->v[i].pid == session)
            return true;
    return false;
}

static void drop_over(struct sessions *all)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < all->n; i++)
        if (!is_over(&all->v[i]))
            all->v[n++] = all->v[i];
    all->n = n;
}

static void kill_members(const struct sessions *all)
{
    DIR *dir = opendir("/proc");
    if (!dir)
        return;
    for (struct dirent *d; (d = readdir(dir));) {
        struct stat_line line;
        int pid = atoi(d->d_name);
        if (pid > 0 && read_stat(d->d_name, &line) && has(all, line.session))
            kill(pid, SIGKILL);
    }
    closedir(dir);
}

void hqi_worker_orphans_kill(struct hq_worker *w, uint32_t helper)
{
    struct sessions all = {.alloc = w->alloc};
    hqi_tasks_each_process(w->tasks, helper, count, &all);
    all.v = all.room ? hqi_base_alloc_zero(w->alloc, all.room, sizeof *all.v) : NULL;
    if (!all.v)
        return;
    hqi_tasks_each_process(w->tasks, helper, note, &all);
    drop_over(&all);
    kill_members(&all);
    hqi_base_alloc_free(w->alloc, all.v);
}
