/* SPDX-License-Identifier: MIT */
/* stage.c - see stage.h. */
#include "stage.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- the server's side ---- */

static int on_open(void *user, struct peer *p, const struct hello *h, hq_error *err)
{
    struct stage *s = user;
    if (s->refuse) {
        *err = (hq_error){.code = s->refuse, .text = "the owner says no"};
        return s->refuse;
    }
    if (s->cut)
        proxy_cut(s->cut);
    if (s->mute)
        proxy_mute(s->mute);
    s->cut = s->mute = NULL;
    assert_true(s->n_fars < FARS);
    struct far *f = &s->fars[s->n_fars++];
    *f = (struct far){.peer = p, .uid = hqi_net_peer_uid(p), .id = hqi_net_peer_id(p)};
    assert_int_equal(f->uid, h->uid);
    assert_int_not_equal(f->id, 0);
    hqi_net_peer_set_user(p, f);
    return HQ_OK;
}

static uint32_t number_of(struct bytes payload)
{
    uint32_t k;
    assert_true(payload.n >= sizeof k);
    memcpy(&k, payload.p, sizeof k);
    return k;
}

static void on_data(void *user, struct peer *p, uint64_t number, struct bytes payload)
{
    struct far *f = hqi_net_peer_user(p);
    assert_int_equal(number_of(payload), ++f->got);
    assert_true(number > f->last);
    f->last = number;
    if (!f->hold)
        hqi_net_peer_safe(p, number);
    if (f->echo)
        far_send(f, payload.n);
}

static void on_lost(void *user, struct peer *p, enum peer_loss why, struct bytes text)
{
    struct far *f = hqi_net_peer_user(p);
    f->peer = NULL;
    f->loss = why;
    snprintf(f->text, sizeof f->text, "%.*s", (int)text.n, text.p ? text.p : "");
}

static void on_idle(void *user)
{
    ((struct stage *)user)->idles++;
}

static const struct router_ops router_ops = {on_open, on_data, on_lost, on_idle};

static void on_log(void *user, int level, const char *where, const char *text)
{
    struct stage *s = user;
    if (level > LOG_WARN)
        return;
    s->lines++;
    snprintf(s->line, sizeof s->line, "%s", text);
}

unsigned count_fds(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

void stage_init(struct stage *s)
{
    *s = (struct stage){.log = {on_log, s, LOG_INFO}};
    memset(s->secret, 0x5a, sizeof s->secret);
    assert_int_equal(hqi_loop_loop_new(&s->loop, &hqi_base_alloc_libc, NULL), HQ_OK);
    s->zmq = zmq_ctx_new();
    assert_non_null(s->zmq);
    s->options = (struct router_options){
        .alloc = &hqi_base_alloc_libc,
        .log = &s->log,
        .loop = s->loop,
        .zmq = s->zmq,
        .plane = "worker",
        .bind = "127.0.0.1",
        .secret = s->secret,
        .server_uid = bytes_of("aB3dE9"),
        .server_epoch = 7,
        .heartbeat_ms = 8000,
        .resume_ms = 5000,
        .stalled_ms = 300000,
        .silent_lost_ms = 3600000,
        .queue_bytes = 1 << 20,
        .ops = &router_ops,
        .user = s,
    };
}

void stage_listen(struct stage *s)
{
    hq_error err;
    if (hqi_net_router_new(&s->router, &s->options, &err) < 0)
        fail_msg("router: %s", err.text);
    s->options.port = hqi_net_router_port(s->router); /* a later one comes to the same place */
    assert_int_not_equal(s->options.port, 0);
}

void stage_fini(struct stage *s)
{
    hqi_net_router_free(s->router);
    hqi_loop_loop_free(s->loop);
    assert_int_equal(zmq_ctx_term(s->zmq), 0);
}

uint64_t stage_ms(void)
{
    return hqi_base_clock_now().mono_ns / HQI_MS;
}

void stage_round(struct stage *s, int wait_ms)
{
    assert_true(hqi_loop_loop_wait(s->loop, wait_ms, NULL) >= 0);
    struct now now = hqi_base_clock_now();
    now.mono_ns += s->skew_ns;
    assert_int_equal(hqi_loop_loop_run_at(s->loop, now, NULL), HQ_OK);
}

void stage_run_for(struct stage *s, unsigned ms)
{
    uint64_t end = stage_ms() + ms;
    while (stage_ms() < end)
        stage_round(s, 5);
}

struct far *stage_far(struct stage *s, unsigned i)
{
    assert_true(i < s->n_fars);
    return &s->fars[i];
}

static struct bytes numbered(char *room, size_t size, uint32_t k)
{
    memset(room, 'x', size);
    memcpy(room, &k, sizeof k);
    return (struct bytes){room, size};
}

void far_send(struct far *f, size_t size)
{
    char *room = malloc(size);
    assert_int_equal(hqi_net_peer_send(f->peer, numbered(room, size, ++f->sent), NULL), HQ_OK);
    free(room);
}

/* ---- links ---- */

static void link_open(void *user, const struct welcome *w)
{
    struct near *n = user;
    assert_true(hqi_net_link_connected(n->link));
    assert_true(bytes_is(w->server_uid, "aB3dE9"));
    assert_int_equal(w->server_epoch, 7);
    assert_true(w->resumed == (n->session != 0 || n->rejoins));
    if (n->session)
        assert_int_equal(w->session, n->session);
    n->session = w->session;
    n->opens++;
    n->resumes += w->resumed;
}

static void link_data(void *user, uint64_t number, struct bytes payload)
{
    struct near *n = user;
    assert_int_equal(number_of(payload), ++n->got);
    assert_true(number > n->last);
    n->last = number;
    if (!n->hold)
        hqi_net_link_safe(n->link, number);
    if (n->free_in_data)
        near_free(n);
}

static void link_drop(void *user)
{
    struct near *n = user;
    assert_false(hqi_net_link_connected(n->link));
    n->drops++;
}

static void link_end(void *user, int code, const char *text)
{
    struct near *n = user;
    assert_int_equal(n->code, 0); /* at most once */
    n->code = code;
    snprintf(n->text, sizeof n->text, "%s", text);
    if (n->free_in_end)
        near_free(n);
}

static void link_idle(void *user)
{
    ((struct near *)user)->idles++;
}

static const struct link_ops link_ops = {link_open, link_data, link_drop, link_end, link_idle};

struct link_options near_options(struct near *n, struct stage *s, const char *host, uint16_t port)
{
    *n = (struct near){.stage = s};
    return (struct link_options){
        .alloc = &hqi_base_alloc_libc,
        .log = &s->log,
        .loop = s->loop,
        .zmq = s->zmq,
        .plane = "worker",
        .host = host,
        .port = port,
        .secret = s->secret,
        .uid = (uint64_t)(uintptr_t)n,
        .ops = &link_ops,
        .user = n,
    };
}

void near_new(struct near *n, const struct link_options *o)
{
    hq_error err;
    if (hqi_net_link_new(&n->link, o, &err) < 0)
        fail_msg("link: %s", err.text);
}

void near_open(struct near *n, struct stage *s)
{
    const struct link_options o = near_options(n, s, "127.0.0.1", s->options.port);
    near_new(n, &o);
    UNTIL(s, n->opens == 1, 3000);
}

void near_send(struct near *n, size_t size)
{
    char *room = malloc(size);
    assert_int_equal(hqi_net_link_send(n->link, numbered(room, size, ++n->sent), NULL), HQ_OK);
    free(room);
}

void near_free(struct near *n)
{
    hqi_net_link_free(n->link);
    n->link = NULL;
}

/* ---- the relay ---- */

#define RELAYS 16

struct relay {
    struct loop_source source;
    struct proxy *proxy;
    int to;
    bool used;
};

struct proxy {
    struct loop *loop;
    struct loop_source listener;
    uint16_t port, upstream;
    unsigned connections;
    struct relay relays[2 * RELAYS]; /* i and i ^ 1 are the two directions of one */
};

static int dial(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    close(fd);
    return -1;
}

static void relay_close(struct relay *r)
{
    if (!r->used)
        return;
    hqi_loop_source_remove(r->proxy->loop, &r->source);
    close(r->source.fd);
    r->used = false;
}

static void relay_run(struct loop_source *s)
{
    struct relay *r = hqi_container(s, struct relay, source);
    char room[65536];
    ssize_t n = recv(s->fd, room, sizeof room, MSG_DONTWAIT);
    if (n > 0 && send(r->to, room, (size_t)n, MSG_NOSIGNAL) == n) /* blocks only libzmq's thread out, briefly */
        return;
    size_t i = (size_t)(r - r->proxy->relays);
    struct relay *other = &r->proxy->relays[i ^ 1];
    relay_close(r);
    relay_close(other);
}

static void relay_open(struct proxy *p, size_t i, int from, int to)
{
    struct relay *r = &p->relays[i];
    *r = (struct relay){.source = {.fd = from, .run = relay_run}, .proxy = p, .to = to, .used = true};
    assert_int_equal(hqi_loop_source_add(p->loop, &r->source, NULL), HQ_OK);
}

static void proxy_run(struct loop_source *s)
{
    struct proxy *p = hqi_container(s, struct proxy, listener);
    int a = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC), b = dial(p->upstream);
    if (a < 0 || b < 0) {
        close(a);
        close(b);
        return;
    }
    size_t i = 0;
    while (p->relays[i].used)
        i += 2;
    assert_true(i < 2 * RELAYS);
    p->connections++;
    relay_open(p, i, a, b);
    relay_open(p, i + 1, b, a);
}

struct proxy *proxy_new(struct stage *s, uint16_t upstream)
{
    struct proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    p->loop = s->loop;
    p->upstream = upstream;
    p->port = ntohs(a.sin_port);
    p->listener = (struct loop_source){.fd = fd, .run = proxy_run};
    assert_int_equal(hqi_loop_source_add(p->loop, &p->listener, NULL), HQ_OK);
    return p;
}

uint16_t proxy_port(const struct proxy *p)
{
    return p->port;
}

void proxy_cut(struct proxy *p)
{
    for (size_t i = 0; i < 2 * RELAYS; i++)
        relay_close(&p->relays[i]);
}

void proxy_mute(struct proxy *p)
{
    for (size_t i = 1; i < 2 * RELAYS; i += 2)
        hqi_loop_source_remove(p->loop, &p->relays[i].source);
}

unsigned proxy_connections(const struct proxy *p)
{
    return p->connections;
}

void proxy_free(struct proxy *p)
{
    proxy_cut(p);
    hqi_loop_source_remove(p->loop, &p->listener);
    close(p->listener.fd);
    free(p);
}

/* ---- other processes ---- */

pid_t child_start(const char *program, const struct stage *s, const char *mode, uint32_t heartbeat_ms)
{
    char port[8], beat[16], secret[65];
    snprintf(port, sizeof port, "%u", s->options.port);
    snprintf(beat, sizeof beat, "%u", heartbeat_ms);
    for (int i = 0; i < 32; i++)
        snprintf(secret + 2 * i, 3, "%02x", s->secret[i]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execl(program, program, port, secret, mode, beat, (char *)NULL);
        _exit(127);
    }
    return pid;
}

void child_end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
