/* SPDX-License-Identifier: MIT */
/* io.c - the system's calls behind io.h. A call that a signal interrupted is made again. */
#include "journal/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static int system_open(void *user, const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600); /* a FIFO is refused, not waited for */
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static int system_close(void *user, int fd)
{
    return close(fd);
}

static ssize_t system_pread(void *user, int fd, void *p, size_t n, uint64_t offset)
{
    ssize_t r;
    do {
        r = pread(fd, p, n, (off_t)offset);
    } while (r < 0 && errno == EINTR);
    return r;
}

static ssize_t system_pwrite(void *user, int fd, const void *p, size_t n, uint64_t offset)
{
    ssize_t r;
    do {
        r = pwrite(fd, p, n, (off_t)offset);
    } while (r < 0 && errno == EINTR);
    return r;
}

static int system_sync(void *user, int fd)
{
    int r;
    do {
        r = fdatasync(fd);
    } while (r < 0 && errno == EINTR);
    return r;
}

static int system_truncate(void *user, int fd, uint64_t size)
{
    return ftruncate(fd, (off_t)size);
}

static int system_size(void *user, int fd, uint64_t *ret)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        return -1;
    }
    *ret = (uint64_t)st.st_size;
    return 0;
}

static int system_is_at(void *user, int fd, const char *path)
{
    struct stat mine, there;
    if (fstat(fd, &mine) < 0)
        return -1;
    if (stat(path, &there) < 0)
        return errno == ENOENT ? 0 : -1;
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
}

static int system_rename(void *user, const char *from, const char *to)
{
    return rename(from, to);
}

static int system_unlink(void *user, const char *path)
{
    return unlink(path);
}

static int system_sync_dir(void *user, const char *path)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) + (slash == path) : 1;
    if (n >= (int)sizeof dir) {
        errno = ENAMETOOLONG;
        return -1;
    }
    snprintf(dir, sizeof dir, "%.*s", n, slash ? path : ".");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int r = fsync(fd), sys = errno;
    close(fd);
    errno = sys;
    return r == 0 || sys == EINVAL ? 0 : -1; /* EINVAL: a file system that has no such thing */
}

const struct journal_io hqi_journal_io_system = {
    .open = system_open,
    .close = system_close,
    .pread = system_pread,
    .pwrite = system_pwrite,
    .sync = system_sync,
    .truncate = system_truncate,
    .size = system_size,
    .is_at = system_is_at,
    .rename = system_rename,
    .unlink = system_unlink,
    .sync_dir = system_sync_dir,
};

int hqi_journal_io_error(hq_error *err, int sys, const char *fmt, ...)
{
    char text[sizeof err->text];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    hqi_base_error_sys(err, sys, "journal", "%s", text);
    if (err)
        err->code = HQ_EJOURNAL;
    return HQ_EJOURNAL;
}
