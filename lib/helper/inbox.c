/* SPDX-License-Identifier: MIT */
/* inbox.c - packets of the worker, decoded and handed on item by item. A packet that is larger than the worker's
 * socket takes travels as a file (a memfd) passed along with one byte. */
#include "helper/inbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"

#define PACKETS_PER_ROUND 16 /* then children and timers have their turn */

static const char where[] = "helper";

static void take(struct inbox *in, struct bytes packet)
{
    struct to_helper *items;
    uint32_t n;
    if (hqi_wire_helper_decode_to(&items, &n, packet, &in->mem, &in->err) < 0) {
        in->closed = true;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        in->on_item(in->user, &items[i]);
    hqi_base_arena_clear(&in->mem);
}

static bool read_all(int fd, char *p, size_t n)
{
    for (size_t at = 0; at < n;) {
        ssize_t got = pread(fd, p + at, n - at, (off_t)at);
        if (got <= 0)
            return false;
        at += (size_t)got;
    }
    return true;
}

static void take_file(struct inbox *in, int fd)
{
    struct stat st;
    char *p = NULL;
    if (fstat(fd, &st) == 0 && st.st_size > 0 && st.st_size <= HQI_MAX_MESSAGE)
        p = malloc((size_t)st.st_size);
    if (p && read_all(fd, p, (size_t)st.st_size)) {
        take(in, (struct bytes){p, (size_t)st.st_size});
    } else {
        hqi_base_error_set(&in->err, HQ_EPROTO, where, "cannot read a packet that was passed as a file");
        in->closed = true;
    }
    free(p);
}

static int passed_file(struct msghdr *msg)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    int fd = -1;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(c), sizeof fd);
    return fd;
}

/* false: nothing more at the moment. */
static bool receive(struct inbox *in)
{
    char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(__alignof__(struct cmsghdr))));
    struct iovec iov = {in->packet, HELPER_PACKET};
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(in->source.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    int fd = n > 0 ? passed_file(&msg) : -1;
    if (fd >= 0) {
        take_file(in, fd);
        close(fd);
    } else if (n <= 0 || (msg.msg_flags & MSG_TRUNC)) {
        in->closed = true;
    } else {
        take(in, (struct bytes){in->packet, (size_t)n});
    }
    return !in->closed;
}

static void on_readable(struct loop_source *s)
{
    struct inbox *in = hqi_container(s, struct inbox, source);
    for (int i = 0; i < PACKETS_PER_ROUND && receive(in); i++)
        ;
}

int hqi_helper_inbox_init(struct inbox *in, struct loop *loop, int fd, hq_error *err)
{
    in->source = (struct loop_source){.fd = fd, .run = on_readable};
    hqi_base_arena_init(&in->mem, &hqi_base_alloc_libc);
    in->packet = malloc(HELPER_PACKET);
    if (!in->packet)
        return hqi_base_error_nomem(err, where);
    return hqi_loop_source_add(loop, &in->source, err);
}
