/* SPDX-License-Identifier: MIT */
/* helper_link.c - packets to and from one helper.
 *
 * Promise: send() takes all of its items or none, and never blocks; packets arrive in their order. What is too large for
 * the socket travels as a file (a memfd) passed along with one byte. A packet for which memory is short is delivered later,
 * and what comes behind it, the end of the helper too, waits for that: nothing that a helper has said is lost. The loop
 * watches an epoll fd of ours, so that the socket is watched for room only while something waits for it, and not at all
 * while a packet waits for memory. */
#include "tasks/helper_link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "tasks/helper_start.h"

#define PACKETS_PER_ROUND 16
#define PACKET_BYTES (64u << 10)  /* what a packet of several items is cut to */
#define DIRECT_BYTES (128u << 10) /* beyond it a single item goes as a file; below any system's default buffer */
#define SOCKET_BYTES (1 << 20)    /* asked for; the system's limit may be lower */
#define RETRY_NS (100 * HQI_MS)   /* memory comes back when other work ends, not in a loop */

static const char where[] = "tasks";

struct packet {
    struct list link;
    int fd; /* owned; the content instead of `bytes`; -1: none */
    size_t n;
    char bytes[];
};

struct helper_link {
    const struct alloc *alloc; /* borrowed */
    const struct log *log;     /* borrowed */
    struct loop *loop;         /* borrowed */
    const struct helper_link_ops *ops; /* borrowed */
    void *user;
    uint32_t index;
    int32_t pid;
    struct loop_source source; /* of the epoll fd */
    int socket, epoll;         /* owned; -1: none */
    struct list queue;         /* owned packets */
    bool watches_room;
    bool lost;
    struct arena mem; /* of the packet that is delivered */
    struct buf text;  /* of the packet that is made */
    char *in;         /* owned; HELPER_PACKET bytes */
    size_t n_in;      /* of the packet in it that is not delivered yet; 0: none */
    uint32_t n_taken; /* items of that */
    struct loop_timer retry;
};

/* ---- sending ---- */

static void packet_free(struct helper_link *l, struct packet *p)
{
    if (p->fd >= 0)
        close(p->fd);
    hqi_base_alloc_free(l->alloc, p);
}

static void free_packets(struct helper_link *l, struct list *packets)
{
    for (struct list *link; (link = list_pop_front(packets));)
        packet_free(l, hqi_container(link, struct packet, link));
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno != EINTR)
            return false;
        p += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return true;
}

static int put_in_file(struct helper_link *l, struct packet *p, hq_error *err)
{
    p->fd = memfd_create("packet", MFD_CLOEXEC);
    if (p->fd >= 0 && write_all(p->fd, l->text.p, l->text.n))
        return HQ_OK;
    return hqi_base_error_sys(err, errno, where, "cannot keep %zu bytes for the helper", l->text.n);
}

/* What is in l->text. */
static int add_packet(struct helper_link *l, struct list *packets, hq_error *err)
{
    bool direct = l->text.n <= DIRECT_BYTES;
    size_t n = direct ? l->text.n : 1;
    if (l->text.n > HQI_MAX_MESSAGE)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "a message of %zu bytes to the helper, at most %u are possible",
                                  l->text.n, HQI_MAX_MESSAGE);
    struct packet *p = hqi_base_alloc_get(l->alloc, sizeof *p + n);
    if (!p)
        return hqi_base_error_nomem(err, where);
    p->fd = -1;
    p->n = n;
    list_push_back(packets, &p->link);
    if (!direct) {
        p->bytes[0] = 0;
        return put_in_file(l, p, err);
    }
    memcpy(p->bytes, l->text.p, n);
    return HQ_OK;
}

/* Halves what is too long. */
static int make_packets(struct helper_link *l, const struct to_helper *items, uint32_t n, struct list *packets,
                        hq_error *err)
{
    hqi_base_buf_clear(&l->text);
    hqi_wire_helper_encode_to(items, n, &l->text);
    if (l->text.failed)
        return hqi_base_error_nomem(err, where);
    if (l->text.n <= PACKET_BYTES || n == 1)
        return add_packet(l, packets, err);
    int rc = make_packets(l, items, n / 2, packets, err);
    return rc < 0 ? rc : make_packets(l, items + n / 2, n - n / 2, packets, err);
}

static void watch_room(struct helper_link *l, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN | EPOLLOUT : EPOLLIN};
    if (l->watches_room != on && epoll_ctl(l->epoll, EPOLL_CTL_MOD, l->socket, &event) == 0)
        l->watches_room = on;
}

static ssize_t send_packet(const struct helper_link *l, const struct packet *p)
{
    char control[CMSG_SPACE(sizeof p->fd)] __attribute__((aligned(__alignof__(struct cmsghdr)))) = {0};
    struct iovec iov = {(void *)p->bytes, p->n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (p->fd >= 0) {
        msg.msg_control = control;
        msg.msg_controllen = sizeof control;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof p->fd)};
        memcpy(CMSG_DATA(c), &p->fd, sizeof p->fd);
    }
    return sendmsg(l->socket, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool is_full(int sys)
{
    return sys == EAGAIN || sys == ENOBUFS || sys == ENOMEM || sys == EINTR || sys == ETOOMANYREFS;
}

static void flush(struct helper_link *l)
{
    while (!list_empty(&l->queue)) {
        struct packet *p = hqi_container(l->queue.next, struct packet, link);
        if (send_packet(l, p) < 0 && is_full(errno))
            break;
        list_unlink(&p->link); /* sent, or nobody is there any more: then the end of file says so */
        packet_free(l, p);
    }
    watch_room(l, !list_empty(&l->queue));
}

int hqi_tasks_helper_link_send(struct helper_link *l, const struct to_helper *items, uint32_t n, hq_error *err)
{
    struct list packets;
    list_init(&packets);
    int rc = n > 0 && !l->lost ? make_packets(l, items, n, &packets, err) : HQ_OK;
    if (rc < 0) {
        free_packets(l, &packets);
        return rc;
    }
    for (struct list *link; (link = list_pop_front(&packets));)
        list_push_back(&l->queue, link);
    if (!l->watches_room)
        flush(l);
    return HQ_OK;
}

/* ---- receiving ---- */

enum received { RECEIVED_NOTHING, RECEIVED_PACKET, RECEIVED_END, RECEIVED_LATER };

/* What is in l->in, but for the items that were taken before. */
static enum received deliver(struct helper_link *l)
{
    struct from_helper *items;
    hq_error err;
    uint32_t n;
    int rc = hqi_wire_helper_decode_from(&items, &n, (struct bytes){l->in, l->n_in}, &l->mem, &err);
    if (rc >= 0)
        l->n_taken += l->ops->on_items(l->user, l->index, items + l->n_taken, n - l->n_taken);
    hqi_base_arena_clear(&l->mem);
    if (rc == HQ_ENOMEM || (rc >= 0 && l->n_taken < n))
        return RECEIVED_LATER;
    l->n_in = l->n_taken = 0;
    if (rc >= 0)
        return RECEIVED_PACKET;
    hqi_base_log_write(l->log, LOG_ERROR, where, "helper %d cannot be understood: %s", l->pid, err.text);
    return RECEIVED_END;
}

static enum received receive(struct helper_link *l)
{
    if (l->n_in > 0)
        return deliver(l);
    ssize_t size = recv(l->socket, l->in, HELPER_PACKET, MSG_DONTWAIT | MSG_TRUNC);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return RECEIVED_NOTHING;
    if (size <= 0)
        return RECEIVED_END;
    if (size > (ssize_t)HELPER_PACKET) {
        hqi_base_log_write(l->log, LOG_ERROR, where, "helper %d cannot be understood: a packet of %zd bytes", l->pid, size);
        return RECEIVED_END;
    }
    l->n_in = (size_t)size;
    return deliver(l);
}

static void receive_later(struct helper_link *l)
{
    epoll_ctl(l->epoll, EPOLL_CTL_DEL, l->socket, NULL);
    hqi_loop_timer_set(l->loop, &l->retry, hqi_loop_loop_now(l->loop).mono_ns + RETRY_NS);
}

static void receive_some(struct helper_link *l)
{
    enum received got = RECEIVED_PACKET;
    for (int i = 0; i < PACKETS_PER_ROUND && got == RECEIVED_PACKET; i++)
        got = receive(l);
    if (got == RECEIVED_LATER)
        receive_later(l);
    if (got != RECEIVED_END)
        return;
    l->lost = true;
    hqi_loop_source_remove(l->loop, &l->source);
    free_packets(l, &l->queue);
    l->ops->on_lost(l->user, l->index); /* may free the link */
}

static void on_event(struct loop_source *s)
{
    struct helper_link *l = hqi_container(s, struct helper_link, source);
    if (l->watches_room)
        flush(l);
    receive_some(l);
}

static void on_retry(struct loop_timer *t)
{
    struct helper_link *l = hqi_container(t, struct helper_link, retry);
    l->watches_room = !list_empty(&l->queue);
    struct epoll_event event = {.events = l->watches_room ? EPOLLIN | EPOLLOUT : EPOLLIN};
    if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->socket, &event) == 0)
        receive_some(l);
    else
        hqi_loop_timer_set(l->loop, &l->retry, hqi_loop_loop_now(l->loop).mono_ns + RETRY_NS);
}

int hqi_tasks_helper_link_wait(struct helper_link *l, int timeout_ms, hq_error *err)
{
    struct pollfd p = {.fd = l->socket, .events = POLLIN};
    int n = poll(&p, 1, timeout_ms);
    if (n < 0 && errno == EINTR)
        return hqi_base_error_set(err, HQ_EINTR, where, "interrupted while waiting for a helper");
    if (n < 0)
        return hqi_base_error_sys(err, errno, where, "cannot wait for a helper");
    if (n == 0)
        return hqi_base_error_set(err, HQ_ETIMEDOUT, where, "no word from helper %d in %d ms", l->pid, timeout_ms);
    enum received got = receive(l);
    if (got == RECEIVED_END)
        return hqi_base_error_set(err, HQ_ECLOSED, where, "helper %d has ended", l->pid);
    return got == RECEIVED_LATER ? hqi_base_error_nomem(err, where) : HQ_OK;
}

/* ---- making ---- */

static int connect_pair(struct helper_link *l, int *other, hq_error *err)
{
    int pair[2], size = SOCKET_BYTES;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return hqi_base_error_sys(err, errno, where, "cannot make a socket for a helper");
    l->socket = pair[0];
    *other = pair[1];
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size); /* as much as it will */
    return HQ_OK;
}

static int watch(struct helper_link *l, hq_error *err)
{
    struct epoll_event event = {.events = EPOLLIN};
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->socket, &event) < 0)
        return hqi_base_error_sys(err, errno, where, "cannot watch the socket of a helper");
    l->retry.run = on_retry;
    l->source = (struct loop_source){.fd = l->epoll, .run = on_event};
    return hqi_loop_source_add(l->loop, &l->source, err);
}

static int start(struct helper_link *l, const struct helper_link_options *o, int socket, hq_error *err)
{
    char *found = NULL;
    int rc = o->path ? HQ_OK : hqi_tasks_helper_start_find(&found, l->alloc, err);
    const struct helper_start s = {.alloc = l->alloc, .path = o->path ? o->path : found, .env = o->env,
                                   .work_dir = o->work_dir, .nofile = o->nofile, .socket = socket,
                                   .keep_affinity = o->keep_affinity};
    if (rc == HQ_OK)
        rc = hqi_tasks_helper_start_run(&s, &l->pid, err);
    hqi_base_alloc_free(l->alloc, found);
    return rc;
}

static struct helper_link *link_new(const struct helper_link_options *o)
{
    struct helper_link *l = hqi_base_alloc_zero(o->alloc, 1, sizeof *l);
    if (!l)
        return NULL;
    l->alloc = o->alloc;
    l->log = o->log;
    l->loop = o->loop;
    l->ops = o->ops;
    l->user = o->user;
    l->index = o->index;
    l->socket = l->epoll = -1;
    list_init(&l->queue);
    hqi_base_arena_init(&l->mem, o->alloc);
    hqi_base_buf_init(&l->text, o->alloc);
    l->in = hqi_base_alloc_get(o->alloc, HELPER_PACKET);
    return l;
}

/* Running out of descriptors has its own code: the host can do something about it. */
static int limit_error(int rc, hq_error *err)
{
    if (rc != HQ_ESYS || !err || (err->sys != EMFILE && err->sys != ENFILE))
        return rc;
    return hqi_base_error_set(err, HQ_ELIMIT, where, "a helper needs 4 file descriptors, and they are used up; raise "
                                                     "`ulimit -n`");
}

int hqi_tasks_helper_link_new(struct helper_link **ret, const struct helper_link_options *o, hq_error *err)
{
    int other = -1;
    struct helper_link *l = link_new(o);
    int rc = l && l->in ? connect_pair(l, &other, err) : hqi_base_error_nomem(err, where);
    if (rc == HQ_OK)
        rc = watch(l, err);
    if (rc == HQ_OK)
        rc = start(l, o, other, err);
    if (other >= 0)
        close(other);
    if (rc < 0) {
        hqi_tasks_helper_link_free(l);
        return limit_error(rc, err);
    }
    *ret = l;
    return HQ_OK;
}

void hqi_tasks_helper_link_free(struct helper_link *l)
{
    if (!l)
        return;
    hqi_loop_timer_clear(l->loop, &l->retry);
    hqi_loop_source_remove(l->loop, &l->source);
    hqi_tasks_helper_link_free_forked(l);
}

/* In a forked child the loop, freed before, has forgotten the source, and must not be touched. */
void hqi_tasks_helper_link_free_forked(struct helper_link *l)
{
    if (!l)
        return;
    if (l->epoll >= 0)
        close(l->epoll);
    if (l->socket >= 0)
        close(l->socket);
    free_packets(l, &l->queue);
    hqi_base_arena_fini(&l->mem);
    hqi_base_buf_fini(&l->text);
    hqi_base_alloc_free(l->alloc, l->in);
    hqi_base_alloc_free(l->alloc, l);
}

int32_t hqi_tasks_helper_link_pid(const struct helper_link *l)
{
    return l->pid;
}
