/* SPDX-License-Identifier: MIT */
/* fd.c - see fd.h. */
#include "helper/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define ABOVE 16        /* out of the way while 0 to 4 are filled */
#define MOST_FDS 65536u /* without close_range: that many are tried, at most */

bool hqi_helper_fd_write(int fd, struct bytes data)
{
    while (data.n > 0) {
        ssize_t n = write(fd, data.p, data.n);
        if (n < 0 && errno != EINTR)
            return false;
        data.p += n > 0 ? n : 0;
        data.n -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

ssize_t hqi_helper_fd_read_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -1;
    size_t n = 0;
    ssize_t got;
    while ((got = read(fd, buf + n, size - 1 - n)) > 0) /* /proc gives some files page by page */
        n += (size_t)got;
    close(fd);
    if (got < 0 && n == 0)
        return -1;
    buf[n] = '\0';
    return (ssize_t)n;
}

void hqi_helper_fd_close_from(int first)
{
    struct rlimit limit = {0};
    if (close_range((unsigned)first, UINT_MAX, 0) == 0)
        return;
    getrlimit(RLIMIT_NOFILE, &limit);
    int end = limit.rlim_cur < MOST_FDS ? (int)limit.rlim_cur : (int)MOST_FDS;
    for (int fd = first; fd < end; fd++)
        close(fd);
}

static bool move(int *fd, int to)
{
    if (*fd < 0)
        return true;
    *fd = dup3(*fd, to, O_CLOEXEC);
    return *fd >= 0;
}

bool hqi_helper_fd_keep(int *a, int *b)
{
    *a = fcntl(*a, F_DUPFD_CLOEXEC, ABOVE);
    if (*a < 0 || (*b >= 0 && (*b = fcntl(*b, F_DUPFD_CLOEXEC, ABOVE)) < 0))
        return false;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || dup2(null, ABOVE - 1) < 0) /* it may itself have become one of those filled below */
        return false;
    for (int fd = 0; fd < 3; fd++)
        if (dup2(ABOVE - 1, fd) < 0)
            return false;
    if (!move(a, 3) || !move(b, 4))
        return false;
    hqi_helper_fd_close_from(*b >= 0 ? 5 : 4);
    return true;
}
