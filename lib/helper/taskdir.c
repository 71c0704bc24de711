/* SPDX-License-Identifier: MIT */
/* taskdir.c - see taskdir.h. Must never happen: something removed that lies outside of the directory, so symbolic
 * links are never followed. */
#include "helper/taskdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/fd.h"

#define INLINE_ENTRIES 64u /* removed in well below a millisecond */
#define MAX_DEPTH 1024u    /* one open descriptor each */

struct remover {
    struct child child;
    struct taskdirs *all; /* borrowed */
};

static int make_dirs(char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash || slash == path)
        return -1;
    *slash = '\0';
    int rc = make_dirs(path);
    *slash = '/';
    return rc < 0 ? rc : mkdir(path, 0777);
}

char *hqi_helper_taskdir_make(const struct taskdirs *all, struct arena *mem, int *sys)
{
    char *dir = hqi_base_arena_printf(mem, "%s/tXXXXXX", all->below);
    if (dir && mkdtemp(dir))
        return dir;
    *sys = dir ? errno : ENOMEM;
    if (*sys != ENOENT)
        return NULL;
    dir = hqi_base_arena_printf(mem, "%s", all->below);
    if (dir && make_dirs(dir) == 0 && (dir = hqi_base_arena_printf(mem, "%s/tXXXXXX", all->below)) &&
        mkdtemp(dir))
        return dir;
    *sys = dir ? errno : ENOMEM;
    return NULL;
}

/* Removes what is in the directory `fd`, which it takes over, and leaves what cannot be removed. false: the
 * budget did not suffice. */
static bool empty_dir(int fd, unsigned *budget, unsigned depth)
{
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return true;
    }
    for (struct dirent *d; (d = readdir(dir));) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if (*budget == 0)
            break;
        --*budget;
        if (unlinkat(dirfd(dir), d->d_name, 0) == 0)
            continue;
        int sub = depth < MAX_DEPTH
                      ? openat(dirfd(dir), d->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                      : -1;
        if (sub >= 0)
            empty_dir(sub, budget, depth + 1);
        unlinkat(dirfd(dir), d->d_name, AT_REMOVEDIR);
    }
    closedir(dir);
    return *budget > 0;
}

static bool remove_tree(const char *path, unsigned budget)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd < 0 || empty_dir(fd, &budget, 0);
    return rmdir(path) == 0 || done;
}

static void on_removed(struct child *c, int status, const struct rusage *usage)
{
    struct remover *r = hqi_container(c, struct remover, child);
    r->all->n_removing--;
    free(r);
}

void hqi_helper_taskdir_remove(struct taskdirs *all, const char *dir)
{
    if (remove_tree(dir, INLINE_ENTRIES))
        return;
    struct remover *r = hqi_helper_child_reserve(all->children) ? calloc(1, sizeof *r) : NULL;
    pid_t pid = r ? fork() : -1;
    if (pid == 0) {
        hqi_helper_fd_close_from(3); /* the worker's socket above all */
        remove_tree(dir, UINT_MAX);
        _exit(0);
    }
    if (pid < 0) {
        free(r);
        remove_tree(dir, UINT_MAX);
        return;
    }
    *r = (struct remover){.child.ended = on_removed, .all = all};
    hqi_helper_child_add(all->children, &r->child, pid);
    all->n_removing++;
}
