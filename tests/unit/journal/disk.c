/* SPDX-License-Identifier: MIT */
/* disk.c - see disk.h. */
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_FD 1000

static void check(bool holds)
{
    if (!holds) {
        fprintf(stderr, "disk.c: too many files for this test\n");
        abort();
    }
}

static struct disk *enter(void *user)
{
    struct disk *d = user;
    pthread_mutex_lock(&d->mutex);
    return d;
}

static bool fails(struct disk *d, int kind)
{
    d->calls++;
    if (d->fail_kind && d->fail_kind != kind)
        return false;
    d->kind_calls++;
    bool now = d->fail_at && (d->kind_calls == d->fail_at || (d->forever && d->kind_calls > d->fail_at));
    if (now) {
        d->hit = true;
        errno = d->fail_sys ? d->fail_sys : EIO;
    }
    return now;
}

static int leave(struct disk *d, int r, bool changed)
{
    int sys = errno;
    if (changed && d->on_call)
        d->on_call(d, d->user);
    pthread_mutex_unlock(&d->mutex);
    errno = sys;
    return r;
}

static struct disk_name *find(struct disk *d, const char *path, bool make)
{
    for (int i = 0; i < d->n_names; i++)
        if (strcmp(d->names[i].path, path) == 0)
            return &d->names[i];
    if (!make)
        return NULL;
    check(d->n_names < (int)DISK_NAMES && strlen(path) < sizeof d->names->path);
    struct disk_name *n = &d->names[d->n_names++];
    *n = (struct disk_name){.now = 0};
    strcpy(n->path, path);
    return n;
}

static struct disk_inode *inode_of(struct disk *d, int fd)
{
    check(fd >= FIRST_FD && fd < FIRST_FD + d->n_inodes);
    return &d->inodes[fd - FIRST_FD];
}

static bool is_linked(const struct disk *d, int inode)
{
    for (int i = 0; i < d->n_names; i++)
        if (d->names[i].now == inode + 1 || d->names[i].safe == inode + 1)
            return true;
    return false;
}

static int new_inode(struct disk *d)
{
    int at = 0;
    while (at < d->n_inodes && (d->inodes[at].open || is_linked(d, at)))
        at++;
    if (at < d->n_inodes) {
        free(d->inodes[at].now);
        free(d->inodes[at].safe);
    }
    check(at < (int)DISK_INODES);
    d->n_inodes += at == d->n_inodes;
    d->inodes[at] = (struct disk_inode){.n = 0};
    return at;
}

static int disk_open(void *user, const char *path, int flags)
{
    struct disk *d = enter(user);
    struct disk_name *n = find(d, path, flags & O_CREAT);
    if (fails(d, DISK_OPEN))
        return leave(d, -1, false);
    if (!n || (n->now && flags & O_EXCL) || (!n->now && !(flags & O_CREAT))) {
        errno = n && n->now ? EEXIST : ENOENT;
        return leave(d, -1, false);
    }
    bool made = !n->now;
    if (made)
        n->now = new_inode(d) + 1;
    if (flags & O_TRUNC)
        d->inodes[n->now - 1].n = 0;
    d->inodes[n->now - 1].open++;
    return leave(d, n->now - 1 + FIRST_FD, made || flags & O_TRUNC);
}

static int disk_close(void *user, int fd)
{
    struct disk *d = enter(user);
    check(inode_of(d, fd)->open-- > 0);
    return leave(d, 0, false);
}

static ssize_t disk_pread(void *user, int fd, void *p, size_t n, uint64_t offset)
{
    struct disk *d = enter(user);
    struct disk_inode *i = inode_of(d, fd);
    if (fails(d, DISK_READ))
        return leave(d, -1, false);
    if (offset >= i->n)
        return leave(d, 0, false);
    if (n > i->n - offset)
        n = (size_t)(i->n - offset);
    memcpy(p, i->now + offset, n);
    leave(d, 0, false);
    return (ssize_t)n;
}

static uint64_t used(const struct disk *d)
{
    uint64_t sum = 0;
    for (int i = 0; i < d->n_names; i++)
        sum += d->names[i].now ? d->inodes[d->names[i].now - 1].n : 0;
    return sum;
}

static ssize_t disk_pwrite(void *user, int fd, const void *p, size_t n, uint64_t offset)
{
    struct disk *d = enter(user);
    struct disk_inode *i = inode_of(d, fd);
    if (fails(d, DISK_WRITE))
        return leave(d, -1, false);
    if (d->write_max && n > d->write_max)
        n = (size_t)d->write_max;
    if (d->room) {
        uint64_t left = d->room > used(d) ? d->room - used(d) : 0;
        uint64_t grow = offset + n > i->n ? offset + n - i->n : 0;
        if (grow > left)
            n -= (size_t)(grow - left);
        if (n == 0 || n > grow + i->n) {
            errno = ENOSPC;
            d->hit = true;
            return leave(d, -1, false);
        }
    }
    if (offset + n > i->n) {
        i->now = realloc(i->now, (size_t)(offset + n));
        if (offset > i->n)
            memset(i->now + i->n, 0, (size_t)(offset - i->n));
        i->n = offset + n;
    }
    memcpy(i->now + offset, p, n);
    leave(d, 0, true);
    return (ssize_t)n;
}

static int disk_sync(void *user, int fd)
{
    struct disk *d = enter(user);
    struct disk_inode *i = inode_of(d, fd);
    if (fails(d, DISK_SYNC)) {
        i->hole = i->hole_end ? i->hole : i->n_safe;
        i->hole_end = i->n;
        return leave(d, -1, false);
    }
    i->safe = realloc(i->safe, (size_t)i->n + 1);
    if (i->n)
        memcpy(i->safe, i->now, (size_t)i->n);
    if (i->hole_end > i->hole)
        memset(i->safe + i->hole, 0, (size_t)(i->hole_end - i->hole));
    i->n_safe = i->n;
    return leave(d, 0, true);
}

static int disk_truncate(void *user, int fd, uint64_t size)
{
    struct disk *d = enter(user);
    struct disk_inode *i = inode_of(d, fd);
    if (fails(d, DISK_TRUNCATE))
        return leave(d, -1, false);
    check(size <= i->n);
    i->n = size;
    return leave(d, 0, true);
}

static int disk_size(void *user, int fd, uint64_t *ret)
{
    struct disk *d = enter(user);
    *ret = inode_of(d, fd)->n;
    return leave(d, 0, false);
}

static int disk_is_at(void *user, int fd, const char *path)
{
    struct disk *d = enter(user);
    const struct disk_name *n = find(d, path, false);
    return leave(d, n && n->now == fd - FIRST_FD + 1, false);
}

static int disk_rename(void *user, const char *from, const char *to)
{
    struct disk *d = enter(user);
    struct disk_name *a = find(d, from, false), *b = find(d, to, true);
    if (fails(d, DISK_RENAME))
        return leave(d, -1, false);
    check(a && a->now);
    b->now = a->now;
    a->now = 0;
    return leave(d, 0, true);
}

static int disk_unlink(void *user, const char *path)
{
    struct disk *d = enter(user);
    struct disk_name *n = find(d, path, false);
    if (fails(d, DISK_UNLINK))
        return leave(d, -1, false);
    if (!n || !n->now) {
        errno = ENOENT;
        return leave(d, -1, false);
    }
    n->now = 0;
    return leave(d, 0, true);
}

static int disk_sync_dir(void *user, const char *path)
{
    struct disk *d = enter(user);
    if (fails(d, DISK_SYNC_DIR))
        return leave(d, -1, false);
    for (int i = 0; i < d->n_names; i++)
        d->names[i].safe = d->names[i].now;
    return leave(d, 0, true);
}

void disk_init(struct disk *d)
{
    *d = (struct disk){.io = {disk_open, disk_close, disk_pread, disk_pwrite, disk_sync, disk_truncate, disk_size,
                              disk_is_at, disk_rename, disk_unlink, disk_sync_dir, d}};
    pthread_mutex_init(&d->mutex, NULL);
}

void disk_fini(struct disk *d)
{
    for (int i = 0; i < d->n_inodes; i++) {
        free(d->inodes[i].now);
        free(d->inodes[i].safe);
    }
    pthread_mutex_destroy(&d->mutex);
}

void disk_put(struct disk *d, const char *path, struct bytes content)
{
    struct disk_name *n = find(d, path, true);
    if (!n->now)
        n->now = new_inode(d) + 1;
    n->safe = n->now;
    struct disk_inode *i = &d->inodes[n->now - 1];
    i->n = i->n_safe = content.n;
    i->now = realloc(i->now, content.n + 1);
    i->safe = realloc(i->safe, content.n + 1);
    if (content.n) {
        memcpy(i->now, content.p, content.n);
        memcpy(i->safe, content.p, content.n);
    }
}

struct bytes disk_get(struct disk *d, const char *path)
{
    struct disk_name *n = find(d, path, false);
    if (!n || !n->now)
        return (struct bytes){NULL, 0};
    struct disk_inode *i = &d->inodes[n->now - 1];
    return (struct bytes){i->now ? i->now : "", (size_t)i->n};
}

static uint64_t below(uint64_t *choice, uint64_t n)
{
    *choice = *choice * 6364136223846793005ull + 1442695040888963407ull;
    return n ? (*choice >> 33) % n : 0;
}

/* A file that was synced and then cut has its synced content, or is cut: never a mixture. */
static struct bytes left_of(const struct disk_inode *i, uint64_t *choice)
{
    uint64_t same = 0;
    while (same < i->n && same < i->n_safe && i->now[same] == i->safe[same])
        same++;
    if (same < i->n_safe && below(choice, 2))
        return (struct bytes){i->safe, (size_t)i->n_safe};
    uint64_t least = same < i->n_safe ? i->n : i->n_safe;
    return (struct bytes){i->now ? i->now : "", (size_t)(least + below(choice, i->n - least + 1))};
}

void disk_crashed(struct disk *ret, struct disk *d, bool power, uint64_t choice)
{
    disk_init(ret);
    bool dir_is_safe = power && below(&choice, 2);
    for (int k = 0; k < d->n_names; k++) {
        int inode = dir_is_safe ? d->names[k].safe : d->names[k].now;
        if (!inode)
            continue;
        struct disk_inode *i = &d->inodes[inode - 1];
        disk_put(ret, d->names[k].path, power ? left_of(i, &choice) : (struct bytes){i->now ? i->now : "", (size_t)i->n});
    }
}
