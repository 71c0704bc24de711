/* SPDX-License-Identifier: MIT */
/* router.c - the ROUTER socket of one plane: opening it, taking frames off it, telling whose they are.
 *
 * A frame counts for a session only if it comes over the session's own connection (routing id) and carries its id, or
 * none before the peer can know it;
 * libzmq makes the routing ids, and a peer that brings its own is not heard. Must never happen: garbage that costs
 * more than a line in the log, or a run without bound. */
#include "net/router.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "net/keys.h"
#include "net/peer.h"

#define FRAMES_PER_RUN 64u
#define UNBLOCK_PER_RUN 16u
#define BACKLOG 4096 /* with libzmq's 100, a thousand peers need thrice the time to connect */
#define HUSH_NS HQI_SEC
#define BYE_LINGER_MS 250

static const char where[] = "net";

/* ---- the log, and refusals ---- */

void hqi_net_router_complain(struct router *r, const struct origin *from, const char *what)
{
    uint64_t now = hqi_net_peer_now(r);
    if (now < r->hush_until) {
        r->hushed++;
        return;
    }
    char more[64] = "";
    bool known = from && from->address;
    if (r->hushed)
        snprintf(more, sizeof more, "; %llu more since the last such line", (unsigned long long)r->hushed);
    hqi_base_log_write(r->o.log, LOG_WARN, where, "%s plane: %s%s%s%s", r->o.plane, what, known ? ", from " : "",
                       known ? from->address : "", more);
    r->hush_until = now + HUSH_NS;
    r->hushed = 0;
}

void hqi_net_router_refuse(struct router *r, const struct origin *to, int code, const char *text)
{
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_REFUSE};
    const struct refuse reason = {.code = code, .text = bytes_of(text)};
    hqi_wire_session_frame_header(header, &f);
    hqi_base_buf_clear(&r->out);
    hqi_base_buf_add(&r->out, header, sizeof header);
    hqi_wire_session_encode_refuse(&reason, &r->out);
    if (!r->out.failed)
        hqi_net_endpoint_send(&r->end, (struct bytes){(const char *)to->rid, sizeof to->rid},
                              hqi_base_buf_bytes(&r->out));
}

/* ---- frames ---- */

static void take_numbered(struct peer *p, const struct origin *from, const struct frame *f);
static void take_bye(struct peer *p, const struct origin *from, const struct frame *f);
static void take_nonsense(struct peer *p, const struct origin *from, const struct frame *f);

static void (*const take[])(struct peer *, const struct origin *, const struct frame *) = {
    [FRAME_HELLO] = take_nonsense, /* a connection says it once */
    [FRAME_WELCOME] = take_nonsense,
    [FRAME_REFUSE] = take_nonsense,
    [FRAME_DATA] = take_numbered,
    [FRAME_ALIVE] = take_numbered,
    [FRAME_BYE] = take_bye,
};

static void end_broken(struct peer *p, const struct origin *from, const char *what)
{
    hqi_net_router_complain(p->router, from, what);
    hqi_net_router_refuse(p->router, from, HQ_EPROTO, what);
    hqi_net_peer_lose(p, PEER_BROKEN, bytes_of("it sent what makes no sense"));
}

static void take_nonsense(struct peer *p, const struct origin *from, const struct frame *f)
{
    end_broken(p, from, "a frame of a kind that has no place in a session");
}

static void take_numbered(struct peer *p, const struct origin *from, const struct frame *f)
{
    struct router *r = p->router;
    hq_error err;
    bool fresh;
    if (hqi_net_session_take(&p->session, f, &fresh, &err) < 0) {
        end_broken(p, from, err.text);
        return;
    }
    hqi_net_pace_acked(&p->pace, p->session.acked, hqi_net_peer_now(r));
    if (!fresh)
        return;
    hqi_net_pace_came(&p->pace, f->payload.n);
    r->o.ops->on_data(r->o.user, p, f->number, f->payload); /* may free p */
}

static void take_bye(struct peer *p, const struct origin *from, const struct frame *f)
{
    struct router *r = p->router;
    struct refuse reason;
    hqi_base_arena_clear(&r->scratch);
    if (hqi_wire_session_decode_refuse(&reason, f->payload, &r->scratch, NULL) < 0)
        reason.text = (struct bytes){0};
    hqi_net_peer_lose(p, PEER_BYE, reason.text);
}

static bool is_early(const struct peer *p, const struct frame *f)
{
    return p->unnamed && f->session == 0 && f->kind == FRAME_DATA;
}

/* Early frames get the id that their sender did not know. */
static bool belongs(struct peer *p, struct frame *f)
{
    if (is_early(p, f)) {
        f->session = p->session.id;
        return true;
    }
    bool named = f->session == p->session.id;
    p->unnamed &= !named;
    return named;
}

static struct peer *find_rid(struct router *r, const uint8_t rid[HQI_NET_RID_BYTES])
{
    struct map_node *n = hqi_base_map_get(&r->by_rid, hqi_net_peer_rid_key(rid));
    return n ? hqi_container(n, struct peer, by_rid) : NULL;
}

/* Its peer has proved that it has the key, whatever it says. */
static void note_greeting(struct router *r, int fd)
{
    if (fd >= 0 && (size_t)fd < r->silent.n)
        r->silent.p[fd] = 0;
}

/* Of a connection that has no session. */
static void on_strange_frame(struct router *r, const struct origin *from, struct bytes in)
{
    struct frame f;
    hq_error err;
    int rc = hqi_wire_session_frame_parse(&f, in, &err);
    hqi_net_router_drain_events(r); /* of its beginning */
    note_greeting(r, from->fd);
    if (rc == HQ_OK && f.kind == FRAME_DATA && f.session == 0) /* behind a hello that was refused */
        return;
    if (in.n > HQI_MAX_HELLO)
        rc = hqi_base_error_set(&err, HQ_ELIMIT, where, "a first message of %zu bytes, the limit is %u", in.n,
                                HQI_MAX_HELLO);
    if (rc < 0)
        hqi_net_router_complain(r, from, err.text);
    else
        hqi_net_greeting_take(r, from, &f);
}

static void on_frame(struct router *r, const struct origin *from, struct bytes in)
{
    struct peer *p = find_rid(r, from->rid);
    struct frame f;
    hq_error err;
    if (!p) {
        on_strange_frame(r, from, in);
    } else if (hqi_wire_session_frame_parse(&f, in, &err) < 0) {
        end_broken(p, from, err.text);
    } else if (is_early(p, &f) && !p->connected) {
        return; /* who waits for WELCOME sends it again; who has given up, because we were away, must not be served after all */
    } else if (f.kind != FRAME_HELLO && !belongs(p, &f)) {
        hqi_net_router_complain(r, from, "a frame of another peer's session");
    } else {
        hqi_net_peer_heard(p);
        take[f.kind](p, from, &f);
    }
}

static bool fill_origin(struct origin *o, zmq_msg_t *rid, zmq_msg_t *body)
{
    const uint8_t *bytes = zmq_msg_data(rid);
    o->fd = zmq_msg_get(body, ZMQ_SRCFD);
    o->address = zmq_msg_gets(body, "Peer-Address");
    if (zmq_msg_size(rid) != HQI_NET_RID_BYTES || bytes[0] != 0) /* made by the peer, not by libzmq */
        return false;
    memcpy(o->rid, bytes, HQI_NET_RID_BYTES);
    return true;
}

static void skip_parts(struct router *r, zmq_msg_t *body)
{
    while (zmq_msg_more(body) && hqi_net_endpoint_recv(&r->end, body))
        ;
}

/* False: nothing waits. */
static bool receive(struct router *r)
{
    zmq_msg_t rid, body;
    struct origin from = {.fd = -1};
    zmq_msg_init(&rid);
    if (!hqi_net_endpoint_recv(&r->end, &rid)) {
        zmq_msg_close(&rid);
        return false;
    }
    zmq_msg_init(&body);
    bool whole = zmq_msg_more(&rid) && hqi_net_endpoint_recv(&r->end, &body);
    bool single = whole && !zmq_msg_more(&body);
    if (!whole || !single)
        skip_parts(r, &body);
    if (!fill_origin(&from, &rid, &body))
        hqi_net_router_complain(r, &from, "a routing id of the peer's own making");
    else if (!single)
        hqi_net_router_complain(r, &from, "a message of several parts");
    else
        on_frame(r, &from, (struct bytes){zmq_msg_data(&body), zmq_msg_size(&body)});
    zmq_msg_close(&body);
    zmq_msg_close(&rid);
    return true;
}

/* ---- sources ---- */

static bool is_ready(struct loop_source *s)
{
    struct router *r = hqi_container(s, struct router, end.data);
    return !list_empty(&r->dirty) || hqi_net_endpoint_has_more(&r->end);
}

static void on_run(struct loop_source *s)
{
    struct router *r = hqi_container(s, struct router, end.data);
    unsigned n = 0;
    r->running = true;
    hqi_net_peer_unblock(r, UNBLOCK_PER_RUN);
    while (n < FRAMES_PER_RUN && receive(r))
        n++;
    if (n && r->o.ops->on_idle)
        r->o.ops->on_idle(r->o.user);
    hqi_net_peer_flush(r);
    r->running = false;
}

/* libzmq's own event for this (HANDSHAKE_FAILED_PROTOCOL) is not asked for: with it the errno of a frame that cannot be
 * decrypted is lost, libzmq 4.3 takes that for a full pipe, keeps the dead connection, and aborts at its next heartbeat. */
static void on_accepted(struct router *r, size_t fd)
{
    static const char zeros[64];
    while (r->silent.n <= fd && !r->silent.failed)
        hqi_base_buf_add(&r->silent, zeros, sizeof zeros);
    if (fd < r->silent.n) /* else a line in the log will be missing */
        r->silent.p[fd] = 1;
}

static void on_disconnected(struct router *r, size_t fd)
{
    struct map_node *n = hqi_base_map_get(&r->by_fd, fd);
    if (fd < r->silent.n && r->silent.p[fd])
        hqi_net_router_complain(r, NULL, "a connection ended without a greeting (a wrong access key, or not one of our peers)");
    note_greeting(r, (int)fd);
    if (n)
        hqi_net_peer_drop(hqi_container(n, struct peer, by_fd));
}

void hqi_net_router_drain_events(struct router *r)
{
    struct endpoint_event e;
    while (hqi_net_endpoint_event(&r->end, &e)) {
        if (e.value < 0)
            continue;
        if (e.kind == ZMQ_EVENT_ACCEPTED)
            on_accepted(r, (size_t)e.value);
        else
            on_disconnected(r, (size_t)e.value);
    }
}

static void on_events(struct loop_source *s)
{
    hqi_net_router_drain_events(hqi_container(s, struct router, end.events));
}

/* ---- opening and closing ---- */

static int write_endpoint(char *out, size_t size, const struct router_options *o, bool *ipv6, hq_error *err)
{
    char host[INET6_ADDRSTRLEN] = "";
    struct in6_addr any;
    size_t n = strlen(o->bind);
    bool bracketed = n > 2 && o->bind[0] == '[' && o->bind[n - 1] == ']';
    if (bracketed)
        n -= 2;
    if (n < sizeof host)
        memcpy(host, o->bind + bracketed, n);
    *ipv6 = inet_pton(AF_INET6, host, &any) == 1;
    if (!*ipv6 && inet_pton(AF_INET, host, &any) != 1)
        return hqi_base_error_set(err, HQ_EINVAL, where,
                                  "cannot listen on \"%s\": a numeric address is needed, such as 127.0.0.1, 0.0.0.0 or [::]",
                                  o->bind);
    if (o->port)
        snprintf(out, size, *ipv6 ? "tcp://[%s]:%u" : "tcp://%s:%u", host, o->port);
    else
        snprintf(out, size, *ipv6 ? "tcp://[%s]:*" : "tcp://%s:*", host);
    return HQ_OK;
}

static int listen_on(struct router *r, hq_error *err)
{
    char name[96], text[160];
    size_t n = sizeof name;
    bool ipv6;
    int rc = write_endpoint(name, sizeof name, &r->o, &ipv6, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&r->end, ZMQ_IPV6, ipv6, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&r->end, ZMQ_BACKLOG, BACKLOG, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&r->end, ZMQ_ROUTER_MANDATORY, 1, err);
    if (rc < 0)
        return rc;
    if (zmq_bind(r->end.zmq, name) < 0) {
        snprintf(text, sizeof text, "cannot listen on %s", name);
        return hqi_net_endpoint_fail(err, text);
    }
    if (zmq_getsockopt(r->end.zmq, ZMQ_LAST_ENDPOINT, name, &n) < 0)
        return hqi_net_endpoint_fail(err, "cannot learn the port");
    const char *colon = strrchr(name, ':');
    r->port = colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
    return HQ_OK;
}

static bool copy_options(struct router *r, const struct router_options *o)
{
    r->o = *o;
    r->plane = hqi_base_alloc_strdup(o->alloc, o->plane, strlen(o->plane));
    char *uid = hqi_base_alloc_strdup(o->alloc, o->server_uid.p, o->server_uid.n);
    r->uid = (struct bytes){uid, o->server_uid.n};
    memcpy(r->secret, o->secret, sizeof r->secret);
    r->o.plane = r->plane;
    r->o.server_uid = r->uid;
    r->o.secret = r->secret;
    r->o.bind = NULL; /* not ours to keep */
    return r->plane && uid;
}

static int open_socket(struct router *r, const char *bind, hq_error *err)
{
    uint8_t secret[32], public[32];
    hqi_net_keys_server(r->secret, r->plane, secret, public);
    const struct endpoint_options eo = {
        .loop = r->o.loop,
        .zmq = r->o.zmq,
        .type = ZMQ_ROUTER,
        .events = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED,
        .heartbeat_ms = r->o.heartbeat_ms,
        .curve_secret = secret,
        .ready = is_ready,
        .run = on_run,
        .on_event = on_events,
    };
    int rc = hqi_net_endpoint_open(&r->end, &eo, err);
    if (rc < 0)
        return rc;
    r->o.bind = bind;
    rc = listen_on(r, err);
    r->o.bind = NULL;
    return rc;
}

static void init_parts(struct router *r, const struct alloc *a)
{
    hqi_base_map_init(&r->by_id, a);
    hqi_base_map_init(&r->by_rid, a);
    hqi_base_map_init(&r->by_fd, a);
    hqi_base_map_init(&r->by_uid, a);
    list_init(&r->peers);
    list_init(&r->dirty);
    list_init(&r->blocked);
    list_init(&r->owing);
    hqi_base_arena_init(&r->scratch, a);
    hqi_base_buf_init(&r->out, a);
    hqi_base_buf_init(&r->silent, a);
    r->ack_timer.run = hqi_net_peer_on_ack_timer;
    r->retry_timer.run = hqi_net_peer_on_retry_timer;
}

int hqi_net_router_new(struct router **ret, const struct router_options *o, hq_error *err)
{
    struct router *r = hqi_base_alloc_zero(o->alloc, 1, sizeof *r);
    int rc = HQ_ENOMEM;
    if (!r)
        return hqi_base_error_nomem(err, where);
    init_parts(r, o->alloc);
    r->end.loop = o->loop;
    if (!copy_options(r, o)) {
        hqi_base_error_nomem(err, where);
        goto fail;
    }
    rc = open_socket(r, o->bind, err);
    if (rc < 0)
        goto fail;
    *ret = r;
    return HQ_OK;
fail:
    hqi_net_router_free(r);
    return rc;
}

static void release(struct router *r)
{
    const struct alloc *a = r->o.alloc;
    while (!list_empty(&r->peers))
        hqi_net_peer_free(hqi_container(r->peers.next, struct peer, link));
    hqi_loop_timer_clear(r->o.loop, &r->ack_timer);
    hqi_loop_timer_clear(r->o.loop, &r->retry_timer);
    hqi_base_map_fini(&r->by_id);
    hqi_base_map_fini(&r->by_rid);
    hqi_base_map_fini(&r->by_fd);
    hqi_base_map_fini(&r->by_uid);
    hqi_base_arena_fini(&r->scratch);
    hqi_base_buf_fini(&r->out);
    hqi_base_buf_fini(&r->silent);
    hqi_base_alloc_free(a, r->plane);
    hqi_base_alloc_free(a, (char *)r->uid.p);
    hqi_base_alloc_free(a, r);
}

void hqi_net_router_free(struct router *r)
{
    if (!r)
        return;
    hqi_net_endpoint_close(&r->end, r->said_bye ? BYE_LINGER_MS : 0);
    release(r);
}

void hqi_net_router_free_forked(struct router *r)
{
    if (!r)
        return;
    hqi_net_endpoint_forget(&r->end);
    release(r);
}

uint16_t hqi_net_router_port(const struct router *r)
{
    return r->port;
}

struct peer *hqi_net_router_find(struct router *r, uint64_t id)
{
    struct map_node *n = hqi_base_map_get(&r->by_id, id);
    return n ? hqi_container(n, struct peer, by_id) : NULL;
}
