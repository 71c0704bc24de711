/* SPDX-License-Identifier: MIT */
/* lock.c - see lock.h.
 *
 * Taking is guarded by a lock of the open file description on another byte (it excludes threads too), held only while it is
 * decided who owns the file: a child forked meanwhile cannot keep it. The file goes when it is given up; whoever waited for it has
 * an unlinked file then, sees that, and starts again. */
#include "journal/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "journal/io.h"

static const char where[] = "journal";

#define OWNER_BYTE 0
#define GUARD_BYTE 1
#define PAUSE_NS 10000000 /* between tries to get the guard, which together take 2 s; it is held for microseconds */
#define TRIES 200u
#define CONTENT_BYTES 256u
#define FORMAT "hqcore-journal-lock 1 host %s boot %s pid %u start %llu token %016llx\n"
#define SCAN "hqcore-journal-lock 1 host %64s boot %39s pid %u start %llu token %16llx"

/* ---- who is who ---- */

static size_t read_small(const char *path, char *p, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, p, room - 1) : -1;
    if (fd >= 0)
        close(fd);
    p[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* The 22nd field of /proc/PID/stat; the 2nd may hold anything, but nothing behind its last ')'; the 3rd is the state. 0: no
 * such process, or one that has ended and that its parent has not asked for. */
static uint64_t start_of(uint32_t pid)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "/proc/%u/stat", pid);
    read_small(path, text, sizeof text);
    char *p = strrchr(text, ')');
    if (p && (p[1] == '\0' || strchr("ZXx", p[2])))
        return 0;
    for (unsigned field = 2; p && field < 22; field++)
        p = strchr(p + 1, ' ');
    return p ? strtoull(p, NULL, 10) : 0;
}

static int describe_self(struct lock_owner *o, hq_error *err)
{
    *o = (struct lock_owner){.pid = (uint32_t)getpid()};
    o->start = start_of(o->pid);
    if (gethostname(o->host, sizeof o->host - 1) < 0 || o->host[0] == '\0')
        snprintf(o->host, sizeof o->host, "localhost");
    if (read_small("/proc/sys/kernel/random/boot_id", o->boot, sizeof o->boot) == 0)
        snprintf(o->boot, sizeof o->boot, "unknown");
    o->boot[strcspn(o->boot, "\n")] = '\0';
    if (getrandom(&o->token, sizeof o->token, 0) != (ssize_t)sizeof o->token)
        return hqi_journal_io_error(err, errno, "no random numbers can be had");
    return HQ_OK;
}

static bool is_same_node(const struct lock_owner *a, const struct lock_owner *b)
{
    return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}

static bool lives_here(const struct lock_owner *o, const struct lock_owner *self)
{
    return is_same_node(o, self) && start_of(o->pid) == o->start;
}

/* false: nobody, or nothing that we wrote. */
static bool read_owner(int fd, struct lock_owner *o)
{
    char text[CONTENT_BYTES];
    unsigned long long start, token;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    *o = (struct lock_owner){.pid = 0};
    if (n <= 0)
        return false;
    text[n] = '\0';
    if (sscanf(text, SCAN, o->host, o->boot, &o->pid, &start, &token) != 5)
        return false;
    o->start = start;
    o->token = token;
    return true;
}

static int write_owner(int fd, const struct lock_owner *o, hq_error *err)
{
    char text[CONTENT_BYTES];
    int n = snprintf(text, sizeof text, FORMAT, o->host, o->boot, o->pid, (unsigned long long)o->start,
                     (unsigned long long)o->token);
    if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0)
        return hqi_journal_io_error(err, errno, "cannot write its lock file");
    return HQ_OK;
}

static int in_use(const struct lock_owner *o, hq_error *err)
{
    if (o->pid == 0)
        return hqi_base_error_set(err, HQ_EEXIST, where, "in use by another server");
    return hqi_base_error_set(err, HQ_EEXIST, where, "in use by the server with pid %u on %s; stop that one first", o->pid,
                              o->host);
}

/* ---- record locks ---- */

static int set_lock(int fd, int command, short type, off_t byte)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, command, &lock);
}

static bool is_refusal(int sys)
{
    return sys == EAGAIN || sys == EACCES;
}

/* A file system without locks refuses nobody: the content decides alone. */
static bool owned_by_other(int fd)
{
    return set_lock(fd, F_SETLK, F_WRLCK, OWNER_BYTE) < 0 && is_refusal(errno);
}

static bool guard(int fd)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    for (unsigned i = 0; i < TRIES; i++) {
        if (set_lock(fd, F_OFD_SETLK, F_WRLCK, GUARD_BYTE) == 0 || !is_refusal(errno))
            return true;
        nanosleep(&pause, NULL);
    }
    return false;
}

static bool is_linked(int fd, const char *path)
{
    struct stat mine, there;
    return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_dev == there.st_dev &&
           mine.st_ino == there.st_ino;
}

/* ---- taking, keeping, giving up ---- */

static int settle(struct lock *l, hq_error *err)
{
    struct lock_owner there;
    bool other = owned_by_other(l->fd), named = read_owner(l->fd, &there);
    if (other || (named && lives_here(&there, &l->owner)))
        return in_use(&there, err);
    l->taken_over = named && !is_same_node(&there, &l->owner);
    return write_owner(l->fd, &l->owner, err);
}

static int try_take(struct lock *l, hq_error *err)
{
    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
    if (l->fd < 0)
        return hqi_journal_io_error(err, errno, "cannot create its lock file %s", l->path);
    if (!guard(l->fd))
        return in_use(&(struct lock_owner){.pid = 0}, err);
    int r = is_linked(l->fd, l->path) ? settle(l, err) : HQ_EAGAIN;
    set_lock(l->fd, F_OFD_SETLK, F_UNLCK, GUARD_BYTE);
    return r;
}

int hqi_journal_lock_take(struct lock *l, char *path, hq_error *err)
{
    *l = (struct lock){.fd = -1, .path = path};
    int r = describe_self(&l->owner, err);
    if (r < 0)
        return r;
    do {
        r = try_take(l, err);
        if (r < 0)
            hqi_journal_lock_give_forked(l);
    } while (r == HQ_EAGAIN);
    return r;
}

int hqi_journal_lock_check(struct lock *l, hq_error *err)
{
    struct lock_owner there;
    bool other = owned_by_other(l->fd); /* takes it again where a close in this process has dropped it */
    if (!other && read_owner(l->fd, &there) && there.token == l->owner.token)
        return HQ_OK;
    read_owner(l->fd, &there);
    return in_use(&there, err);
}

void hqi_journal_lock_give_forked(struct lock *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

void hqi_journal_lock_give(struct lock *l)
{
    if (l->fd >= 0 && hqi_journal_lock_check(l, NULL) == HQ_OK && is_linked(l->fd, l->path))
        unlink(l->path);
    hqi_journal_lock_give_forked(l);
}
