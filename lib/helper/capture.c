/* SPDX-License-Identifier: MIT */
/* capture.c - see capture.h. */
#include "helper/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"

#define READS_PER_ROUND 16 /* of a child that writes without end */

/* false: nothing more at the moment, or ever. */
static bool read_some(struct capture *c, bool *closed)
{
    char bytes[16384];
    ssize_t n = read(c->source.fd, bytes, sizeof bytes);
    *closed = n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (n <= 0)
        return false;
    size_t room = c->limit - c->data.n;
    hqi_base_buf_add(&c->data, bytes, (size_t)n < room ? (size_t)n : room);
    return true;
}

static void on_readable(struct loop_source *s)
{
    struct capture *c = hqi_container(s, struct capture, source);
    bool closed = false;
    for (int i = 0; i < READS_PER_ROUND && read_some(c, &closed); i++)
        ;
    if (closed)
        hqi_loop_source_remove(c->loop, s);
}

int hqi_helper_capture_open(struct capture *c, struct loop *loop, size_t limit, int *write_end, hq_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return hqi_base_error_sys(err, errno, "helper", "cannot make a pipe");
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* our end only: the child's is a pipe as any other */
    *c = (struct capture){.source = {.fd = ends[0], .run = on_readable}, .loop = loop, .limit = limit};
    hqi_base_buf_init(&c->data, &hqi_base_alloc_libc);
    int rc = hqi_loop_source_add(loop, &c->source, err);
    if (rc < 0) {
        close(ends[1]);
        hqi_helper_capture_fini(c);
        return rc;
    }
    *write_end = ends[1];
    return HQ_OK;
}

void hqi_helper_capture_finish(struct capture *c)
{
    bool closed = false;
    for (int i = 0; c->loop && i < READS_PER_ROUND && read_some(c, &closed); i++)
        ;
}

void hqi_helper_capture_fini(struct capture *c)
{
    if (!c->loop)
        return;
    hqi_loop_source_remove(c->loop, &c->source);
    close(c->source.fd);
    hqi_base_buf_fini(&c->data);
    c->loop = NULL;
}
