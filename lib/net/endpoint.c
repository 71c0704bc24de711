/* SPDX-License-Identifier: MIT */
/* endpoint.c - opening, watching and closing; see endpoint.h for what is promised.
 *
 * What libzmq itself queues is bounded per pipe and small, since every frame is kept in its session until it is acknowledged:
 * what a pipe does not take stays there, accounted. Must never happen: a call without ZMQ_DONTWAIT. */
#include "net/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "net/keys.h"
#include "wire/session.h"

#define PIPE_FRAMES 32               /* per peer towards it in libzmq; batches are 192 kB, so 6 MB at most of them */
/* And from it: more than its window ever holds. A pipe that is full makes libzmq 4.3 stop reading the connection, and
 * when that ends before reading goes on, libzmq aborts at the next heartbeat (zmq_assert in out_event). */
#define PIPE_FRAMES_IN 4096
#define HANDSHAKE_MS 30000           /* 1,000 peers at once need seconds; a silent one is thrown out after this */
#define BEATS_PER_HEARTBEAT 4        /* transport pings per heartbeat: one lost ping decides nothing */
#define MAX_TTL_MS 6553000           /* the wire has 16 bits of deciseconds */
#define MAX_HEARTBEAT_MS 1000000000u /* twice that still fits an int */

static const char where[] = "net";

int hqi_net_endpoint_fail(hq_error *err, const char *what)
{
    int sys = zmq_errno();
    if (sys == EMFILE || sys == ENFILE)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "%s: no file descriptors are left; raise `ulimit -n`", what);
    if (sys == ENOMEM)
        return hqi_base_error_nomem(err, where);
    if (sys >= ZMQ_HAUSNUMERO)
        return hqi_base_error_set(err, HQ_ESYS, where, "%s: %s", what, zmq_strerror(sys));
    return hqi_base_error_sys(err, sys, where, "%s", what);
}

int hqi_net_endpoint_room(const struct loop *l, hq_error *err)
{
    int fds[HQI_NET_FDS];
    unsigned n = 0;
    while (n < HQI_NET_FDS && (fds[n] = fcntl(hqi_loop_loop_fd(l), F_DUPFD_CLOEXEC, 0)) >= 0)
        n++;
    bool enough = n == HQI_NET_FDS;
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    if (enough)
        return HQ_OK;
    return hqi_base_error_set(err, HQ_ELIMIT, where,
                              "a connection needs %u file descriptors and %u are left; raise `ulimit -n`", HQI_NET_FDS, n);
}

int hqi_net_endpoint_set(struct endpoint *e, int option, int value, hq_error *err)
{
    if (zmq_setsockopt(e->zmq, option, &value, sizeof value) == 0)
        return HQ_OK;
    return hqi_net_endpoint_fail(err, "cannot set a socket option");
}

static int set_numbers(struct endpoint *e, uint32_t heartbeat_ms, hq_error *err)
{
    int beat = (int)(heartbeat_ms < MAX_HEARTBEAT_MS ? heartbeat_ms : MAX_HEARTBEAT_MS);
    const struct {
        int option, value;
    } table[] = {
        {ZMQ_LINGER, 0},
        {ZMQ_SNDHWM, PIPE_FRAMES},
        {ZMQ_RCVHWM, PIPE_FRAMES_IN},
        {ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS},
        {ZMQ_HEARTBEAT_IVL, beat / BEATS_PER_HEARTBEAT},
        {ZMQ_HEARTBEAT_TIMEOUT, 2 * beat},
        {ZMQ_HEARTBEAT_TTL, 2 * beat < MAX_TTL_MS ? 2 * beat : MAX_TTL_MS},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int rc = hqi_net_endpoint_set(e, table[i].option, table[i].value, err);
        if (rc < 0)
            return rc;
    }
    const int64_t largest = (int64_t)HQI_MAX_MESSAGE + HQI_FRAME_HEADER + 256; /* and what CURVE adds */
    if (zmq_setsockopt(e->zmq, ZMQ_MAXMSGSIZE, &largest, sizeof largest) < 0)
        return hqi_net_endpoint_fail(err, "cannot limit the size of messages");
    return HQ_OK;
}

static int set_keys(struct endpoint *e, const struct endpoint_options *o, hq_error *err)
{
    if (zmq_setsockopt(e->zmq, ZMQ_CURVE_SECRETKEY, o->curve_secret, 32) < 0)
        return hqi_net_endpoint_fail(err, "cannot use CURVE (was libzmq built with libsodium?)");
    if (!o->server_public)
        return hqi_net_endpoint_set(e, ZMQ_CURVE_SERVER, 1, err);
    if (zmq_setsockopt(e->zmq, ZMQ_CURVE_PUBLICKEY, o->curve_public, 32) < 0 ||
        zmq_setsockopt(e->zmq, ZMQ_CURVE_SERVERKEY, o->server_public, 32) < 0)
        return hqi_net_endpoint_fail(err, "cannot use CURVE");
    return HQ_OK;
}

/* The name must be new: that of a closed monitor stays taken until libzmq has reaped it. */
static int open_monitor(struct endpoint *e, const struct endpoint_options *o, hq_error *err)
{
    uint64_t random;
    char name[40];
    const int none = 0;
    if (hqi_net_keys_random(&random, sizeof random) < 0)
        return hqi_base_error_sys(err, errno, where, "cannot get random bytes");
    snprintf(name, sizeof name, "inproc://hq-%016llx", (unsigned long long)random);
    if (zmq_socket_monitor(e->zmq, name, o->events) < 0)
        return hqi_net_endpoint_fail(err, "cannot watch a socket");
    e->monitor = zmq_socket(o->zmq, ZMQ_PAIR);
    if (!e->monitor || zmq_setsockopt(e->monitor, ZMQ_LINGER, &none, sizeof none) < 0 ||
        zmq_setsockopt(e->monitor, ZMQ_RCVHWM, &none, sizeof none) < 0 || zmq_connect(e->monitor, name) < 0)
        return hqi_net_endpoint_fail(err, "cannot watch a socket");
    return HQ_OK;
}

/* Which of the events there are. The question itself takes the edge of what has come in, whatever it is about. */
static int ask(void *zmq, bool *silent)
{
    int events = 0;
    size_t n = sizeof events;
    if (!zmq || zmq_getsockopt(zmq, ZMQ_EVENTS, &events, &n) < 0)
        events = 0;
    *silent = !(events & ZMQ_POLLIN);
    return events;
}

/* Each question is a system call or two. */
static bool has_more(void *zmq, bool *silent)
{
    return !*silent && (ask(zmq, silent) & ZMQ_POLLIN);
}

static bool events_ready(struct loop_source *s)
{
    struct endpoint *e = hqi_container(s, struct endpoint, events);
    return has_more(e->monitor, &e->events_silent);
}

static int watch(struct endpoint *e, void *zmq, struct loop_source *s, hq_error *err)
{
    size_t n = sizeof s->fd;
    if (zmq_getsockopt(zmq, ZMQ_FD, &s->fd, &n) < 0)
        return hqi_net_endpoint_fail(err, "cannot watch a socket");
    return hqi_loop_source_add(e->loop, s, err);
}

static int open_parts(struct endpoint *e, const struct endpoint_options *o, hq_error *err)
{
    int rc = hqi_net_endpoint_room(o->loop, err);
    if (rc < 0)
        return rc;
    e->zmq = zmq_socket(o->zmq, o->type);
    if (!e->zmq)
        return hqi_net_endpoint_fail(err, "cannot make a socket");
    rc = set_numbers(e, o->heartbeat_ms, err);
    if (rc == HQ_OK)
        rc = set_keys(e, o, err);
    if (rc == HQ_OK)
        rc = open_monitor(e, o, err);
    if (rc == HQ_OK)
        rc = watch(e, e->zmq, &e->data, err);
    if (rc == HQ_OK)
        rc = watch(e, e->monitor, &e->events, err);
    return rc;
}

int hqi_net_endpoint_open(struct endpoint *e, const struct endpoint_options *o, hq_error *err)
{
    *e = (struct endpoint){
        .loop = o->loop,
        .data = {.fd = -1, .ready = o->ready, .run = o->run},
        .events = {.fd = -1, .ready = events_ready, .run = o->on_event},
    };
    int rc = open_parts(e, o, err);
    if (rc < 0)
        hqi_net_endpoint_close(e, 0);
    return rc;
}

void hqi_net_endpoint_close(struct endpoint *e, int linger_ms)
{
    hqi_loop_source_remove(e->loop, &e->data);
    hqi_loop_source_remove(e->loop, &e->events);
    if (e->zmq) {
        zmq_socket_monitor(e->zmq, NULL, 0);
        zmq_setsockopt(e->zmq, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    }
    if (e->monitor)
        zmq_close(e->monitor);
    if (e->zmq)
        zmq_close(e->zmq);
    e->zmq = e->monitor = NULL;
}

void hqi_net_endpoint_forget(struct endpoint *e)
{
    e->zmq = e->monitor = NULL;
}

bool hqi_net_endpoint_readable(struct endpoint *e)
{
    return ask(e->zmq, &e->data_silent) & ZMQ_POLLIN;
}

bool hqi_net_endpoint_has_more(struct endpoint *e)
{
    return has_more(e->zmq, &e->data_silent);
}

bool hqi_net_endpoint_recv(struct endpoint *e, zmq_msg_t *part)
{
    bool came = e->zmq && zmq_msg_recv(part, e->zmq, ZMQ_DONTWAIT) >= 0;
    e->data_silent = !came && e->zmq && zmq_errno() == EAGAIN;
    return came;
}

bool hqi_net_endpoint_writable(struct endpoint *e)
{
    return ask(e->zmq, &e->data_silent) & ZMQ_POLLOUT;
}

enum sent hqi_net_endpoint_send(struct endpoint *e, struct bytes to, struct bytes frame)
{
    zmq_msg_t m;
    if (!e->zmq)
        return SENT_GONE;
    e->data_silent = false; /* sending takes the edge of what has come in */
    if (zmq_msg_init_size(&m, frame.n) < 0) /* before the routing id leaves: half a message cannot be taken back */
        return SENT_FULL;
    memcpy(zmq_msg_data(&m), frame.p, frame.n);
    bool ok = to.n == 0 || zmq_send(e->zmq, to.p, to.n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;
    if (ok && zmq_msg_send(&m, e->zmq, ZMQ_DONTWAIT) >= 0)
        return SENT_OK;
    enum sent result = zmq_errno() == EAGAIN || zmq_errno() == EINTR ? SENT_FULL : SENT_GONE;
    zmq_msg_close(&m);
    return result;
}

bool hqi_net_endpoint_event(struct endpoint *e, struct endpoint_event *ret)
{
    char head[6], address[256];
    e->events_silent = false;
    if (!e->monitor || zmq_recv(e->monitor, head, sizeof head, ZMQ_DONTWAIT) != (int)sizeof head)
        return false;
    memcpy(&ret->kind, head, sizeof ret->kind);
    memcpy(&ret->value, head + sizeof ret->kind, sizeof ret->value);
    zmq_recv(e->monitor, address, sizeof address, ZMQ_DONTWAIT); /* parts come together */
    return true;
}

bool hqi_net_endpoint_quiet(int fd, uint64_t *quiet_ns)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    memset(&info, 0, sizeof info);
    if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) < 0 ||
        n < offsetof(struct tcp_info, tcpi_last_data_recv) + sizeof info.tcpi_last_data_recv)
        return false;
    *quiet_ns = info.tcpi_last_data_recv * HQI_MS;
    return true;
}
