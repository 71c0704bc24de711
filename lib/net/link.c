/* SPDX-License-Identifier: MIT */
/* link.c - a DEALER socket and its session; see link.h for what is promised to workers and clients.
 *
 * Each connection has a socket of its own, which libzmq may connect once and never again: so nothing that was queued
 * for one connection can surface on the next, and HELLO may be queued at once, before the handshake. Back-off and
 * the choice among addresses are ours for the same reason. Early frames (session.proto) leave on one connection only:
 * were it cut unanswered, a second server could act on them again. Must never happen: a DATA frame given to libzmq before
 * WELCOME otherwise; a link touched after a callback has freed it (`doomed`). */
#include "net/link.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/error.h"
#include "net/address.h"
#include "net/endpoint.h"
#include "net/keys.h"
#include "net/pace.h"
#include "wire/version.h"

#ifndef HQI_NET_SOFTWARE
#define HQI_NET_SOFTWARE "hqcore"
#endif
#define TOKEN_BYTES 64u
#define FRAMES_PER_RUN 64u
#define FLUSH_BYTES (4u << 20)
#define CONNECT_MS 3000        /* per address */
#define FIRST_WAIT_MS 100u     /* before the second try; doubled each time */
#define LONGEST_WAIT_MS 2000u
#define DEFAULT_HEARTBEAT_MS 8000u /* of the transport, where the server's is not known yet */
#define MAX_REFUSALS 3u        /* handshakes that the server broke off: once may be its restart, thrice is the key */
#define REFUSAL_NS (2 * HQI_SEC) /* it breaks them off at once; a stopped server lets them time out */
#define BYE_LINGER_MS 250
#define BROKEN_NS (20 * HQI_MS) /* libzmq tells of the end just before it hands over the last frames */
#define NO_RECONNECT 1000000000 /* ms. Not -1: libzmq then throws away what came before the end */

static const char where[] = "net";

enum link_state { LINK_RESTING, LINK_GREETING, LINK_OPEN, LINK_ENDED };

struct link {
    struct link_options o; /* plane and secret are not kept */
    char *host;            /* owned; o.host is the same */
    uint8_t curve_secret[32], curve_public[32], server_public[32], proof[32];
    struct addresses addresses;
    unsigned at; /* the address in use */
    struct endpoint end;
    struct session session;
    struct pace pace;
    uint8_t token[TOKEN_BYTES];
    size_t token_n;
    struct loop_timer beat_timer, ack_timer, again_timer, broken_timer;
    struct loop_source probe; /* a connect that shall tell why another failed; owns its fd */
    struct arena scratch;
    struct buf out;
    uint64_t epoch;        /* of the last HELLO */
    uint64_t server_epoch; /* of the last WELCOME */
    uint64_t heartbeat_ns;
    uint64_t said;         /* the last frame left */
    uint64_t connected_ns; /* when TCP was; 0: not yet */
    unsigned tries;        /* since the last WELCOME, in rounds of all addresses */
    unsigned refusals;
    uint64_t early;        /* DATA frames that may have left before the connection was cut, unanswered */
    enum link_state state;
    bool greeted; /* HELLO is on its way */
    bool shaken;  /* the handshake succeeded: what libzmq was given may have left */
    bool speak; /* a frame must leave, be it an empty one */
    bool broken; /* libzmq said so; what came before may still be on its way to us */
    bool owing; /* ack_timer is set */
    bool forgotten;
    bool running, doomed;
    int sys; /* errno of the last try, or 0 */
    char trouble[sizeof((hq_error){0}.text)];
};

static uint64_t now_of(const struct link *l)
{
    return hqi_loop_loop_now(l->o.loop).mono_ns;
}

static bool is_live(const struct link *l)
{
    return !l->doomed && (l->state == LINK_GREETING || l->state == LINK_OPEN);
}

/* ---- connecting ---- */

static void stop_probe(struct link *l)
{
    if (l->probe.fd < 0)
        return;
    hqi_loop_source_remove(l->o.loop, &l->probe);
    close(l->probe.fd);
    l->probe.fd = -1;
}

static void set_trouble(struct link *l, const char *text)
{
    l->sys = 0;
    snprintf(l->trouble, sizeof l->trouble, "%s", text);
}

static void set_errno(struct link *l, int sys)
{
    l->sys = sys;
    if (sys)
        hqi_base_error_os_text(sys, l->trouble, sizeof l->trouble);
}

static void on_probe(struct loop_source *s)
{
    struct link *l = hqi_container(s, struct link, probe);
    int sys = hqi_net_address_verdict(s->fd);
    if (l->state == LINK_RESTING)
        set_errno(l, sys);
    stop_probe(l);
}

static void find_trouble(struct link *l)
{
    stop_probe(l);
    set_trouble(l, "no answer");
    int sys = hqi_net_address_probe(&l->addresses.list[l->at], &l->probe.fd);
    set_errno(l, sys);
    if (!sys && l->probe.fd >= 0 && hqi_loop_source_add(l->o.loop, &l->probe, NULL) < 0)
        stop_probe(l);
}

static void hang_up(struct link *l, enum link_state next, int linger_ms)
{
    hqi_net_endpoint_close(&l->end, linger_ms);
    hqi_loop_timer_clear(l->o.loop, &l->beat_timer);
    hqi_loop_timer_clear(l->o.loop, &l->ack_timer);
    hqi_loop_timer_clear(l->o.loop, &l->again_timer);
    hqi_loop_timer_clear(l->o.loop, &l->broken_timer);
    hqi_net_pace_cut(&l->pace);
    l->state = next;
    l->speak = l->owing = l->broken = false;
}

/* Half of the wait is drawn by lot, so that a thousand workers do not come back at once. */
static uint64_t wait_ns(unsigned tries)
{
    uint32_t random = 0;
    uint64_t ms = tries < 5 ? FIRST_WAIT_MS << tries : LONGEST_WAIT_MS;
    if (ms > LONGEST_WAIT_MS)
        ms = LONGEST_WAIT_MS;
    hqi_net_keys_random(&random, sizeof random); /* without: no jitter */
    return (ms / 2) * HQI_MS + random % ((ms / 2) * HQI_MS);
}

static void connect_later(struct link *l)
{
    uint64_t wait = 0;
    l->at = (l->at + 1) % l->addresses.n;
    if (l->at == 0)
        wait = wait_ns(l->tries++);
    hqi_base_log_write(l->o.log, LOG_DEBUG7, where, "%s:%u: %s; next try in %llu ms", l->host, l->o.port, l->trouble,
                       (unsigned long long)(wait / HQI_MS));
    hqi_loop_timer_set(l->o.loop, &l->again_timer, now_of(l) + wait);
}

/* Early frames of a connection that is gone: what cannot have left is still to be sent. */
static void settle_early(struct link *l)
{
    if (l->session.id || l->early)
        return;
    if (l->shaken)
        l->early = l->session.handed;
    else
        hqi_net_session_resume(&l->session, 0, NULL);
}

/* The connection is gone or came to nothing; `trouble` says why. May free l. */
static void cut(struct link *l)
{
    bool was_open = l->state == LINK_OPEN;
    hang_up(l, LINK_RESTING, 0);
    settle_early(l);
    connect_later(l);
    if (was_open)
        l->o.ops->on_drop(l->o.user);
}

/* For good. May free l. */
static void end(struct link *l, int code, const char *text)
{
    if (l->state == LINK_ENDED)
        return;
    hang_up(l, LINK_ENDED, 0);
    stop_probe(l);
    l->o.ops->on_end(l->o.user, code, text);
}

static int say_hello(struct link *l, hq_error *err)
{
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_HELLO};
    uint64_t now = now_of(l);
    l->epoch = now > l->epoch ? now : l->epoch + 1; /* grows over links of the same uid, too */
    const struct hello h = {
        .version = HQI_WIRE_VERSION,
        .software = bytes_of(HQI_NET_SOFTWARE),
        .proof = {(const char *)l->proof, sizeof l->proof},
        .uid = l->o.uid,
        .epoch = l->epoch,
        .session = l->session.id,
        .received = l->session.received,
        .token = {(const char *)l->token, l->token_n},
        .early = l->early,
    };
    hqi_wire_session_frame_header(header, &f);
    hqi_base_buf_clear(&l->out);
    hqi_base_buf_add(&l->out, header, sizeof header);
    hqi_wire_session_encode_hello(&h, &l->out);
    if (l->out.failed)
        return hqi_base_error_nomem(err, where);
    /* Else memory is short for a moment, and the next round tries again. */
    l->greeted = hqi_net_endpoint_send(&l->end, (struct bytes){0}, hqi_base_buf_bytes(&l->out)) == SENT_OK;
    return HQ_OK;
}

/* ---- sending ---- */

/* DATA may be given to libzmq. */
static bool may_speak(const struct link *l)
{
    bool early = l->state == LINK_GREETING && l->greeted && l->o.early && !l->session.id && !l->early;
    return early || l->state == LINK_OPEN;
}

static bool wants_to_send(const struct link *l)
{
    if (l->broken)
        return false;
    if (l->state == LINK_GREETING && !l->greeted)
        return true;
    return may_speak(l) && (l->speak || l->session.next != &l->session.queue);
}

static void left(struct link *l)
{
    l->said = now_of(l);
    l->speak = false;
    hqi_net_pace_told(&l->pace);
}

static bool transmit(struct link *l, struct bytes frame)
{
    return hqi_net_endpoint_send(&l->end, (struct bytes){0}, frame) == SENT_OK; /* a broken one shows as an event */
}

static void flush(struct link *l, size_t most)
{
    struct bytes frame;
    size_t n = 0;
    while (n < most && hqi_net_session_next(&l->session, &frame)) {
        if (!transmit(l, frame))
            return;
        n += frame.n;
        hqi_net_session_moved(&l->session);
        hqi_net_pace_handed(&l->pace, l->session.handed, now_of(l));
        left(l);
    }
    if (!l->speak)
        return;
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_ALIVE, .session = l->session.id, .ack = l->session.safe};
    hqi_wire_session_frame_header(header, &f);
    if (!transmit(l, (struct bytes){(const char *)header, sizeof header}))
        return;
    l->session.told = l->session.safe;
    left(l);
}

static void turn(struct link *l, bool now)
{
    l->speak |= now;
    if (may_speak(l) && !l->running)
        hqi_loop_loop_wake(l->o.loop);
}

static void on_beat(struct loop_timer *t)
{
    struct link *l = hqi_container(t, struct link, beat_timer);
    uint64_t now = now_of(l);
    if (now >= l->said + l->heartbeat_ns) {
        l->said = now; /* asked for: it may have to wait for room */
        turn(l, true);
    }
    hqi_loop_timer_set(l->o.loop, t, l->said + l->heartbeat_ns);
}

static void on_ack(struct loop_timer *t)
{
    struct link *l = hqi_container(t, struct link, ack_timer);
    l->owing = false;
    if (hqi_net_pace_owes(&l->session)) /* else it rode on a DATA frame */
        turn(l, true);
}

/* ---- frames ---- */

static void take_welcome(struct link *l, const struct frame *f);
static void take_refuse(struct link *l, const struct frame *f);
static void take_numbered(struct link *l, const struct frame *f);
static void take_bye(struct link *l, const struct frame *f);
static void take_nonsense(struct link *l, const struct frame *f);

/* By state: what may come when. */
static void (*const take[2][FRAME_BYE + 1])(struct link *, const struct frame *) = {
    {[FRAME_HELLO] = take_nonsense,
     [FRAME_WELCOME] = take_welcome,
     [FRAME_REFUSE] = take_refuse,
     [FRAME_DATA] = take_nonsense,
     [FRAME_ALIVE] = take_nonsense,
     [FRAME_BYE] = take_nonsense},
    {[FRAME_HELLO] = take_nonsense,
     [FRAME_WELCOME] = take_nonsense,
     [FRAME_REFUSE] = take_refuse,
     [FRAME_DATA] = take_numbered,
     [FRAME_ALIVE] = take_numbered,
     [FRAME_BYE] = take_bye},
};

static void take_nonsense(struct link *l, const struct frame *f)
{
    char text[96];
    snprintf(text, sizeof text, "the server sent a frame of kind %u out of place", f->kind);
    end(l, HQ_EPROTO, text);
}

/* The code and text of a REFUSE or BYE; text is cut to `size`. */
static int read_reason(struct link *l, const struct frame *f, char *text, size_t size)
{
    struct refuse r;
    hqi_base_arena_clear(&l->scratch);
    if (hqi_wire_session_decode_refuse(&r, f->payload, &l->scratch, NULL) < 0)
        r.text = (struct bytes){0};
    snprintf(text, size, "%.*s", (int)r.text.n, r.text.p ? r.text.p : "");
    return r.code;
}

static void take_refuse(struct link *l, const struct frame *f)
{
    char text[512];
    int code = read_reason(l, f, text, sizeof text);
    l->forgotten = l->session.id && code == HQ_ECLOSED;
    end(l, code < 0 ? code : HQ_EPROTO, text);
}

static void take_bye(struct link *l, const struct frame *f)
{
    char text[512];
    int code = read_reason(l, f, text, sizeof text);
    end(l, code < 0 ? code : HQ_ECLOSED, text[0] ? text : "the server said goodbye");
}

static void take_numbered(struct link *l, const struct frame *f)
{
    hq_error err;
    bool fresh;
    if (hqi_net_session_take(&l->session, f, &fresh, &err) < 0) {
        end(l, HQ_EPROTO, err.text);
        return;
    }
    hqi_net_pace_acked(&l->pace, l->session.acked, now_of(l));
    if (!fresh)
        return;
    hqi_net_pace_came(&l->pace, f->payload.n);
    l->o.ops->on_data(l->o.user, f->number, f->payload);
}

static int join(struct link *l, const struct welcome *w, hq_error *err)
{
    bool had = l->session.id || l->early;
    l->forgotten = had && (!w->resumed || (l->session.id && w->session != l->session.id));
    if (l->forgotten)
        return hqi_base_error_set(err, HQ_ECLOSED, where, "the server has forgotten this session");
    if (!had && w->resumed)
        return hqi_base_error_set(err, HQ_EPROTO, where, "the server resumed a session that never was");
    if (w->token.n > sizeof l->token)
        return hqi_base_error_set(err, HQ_EPROTO, where, "the server gave a token of %zu bytes, the limit is %u",
                                  w->token.n, TOKEN_BYTES);
    if (w->token.n)
        memcpy(l->token, w->token.p, w->token.n);
    l->token_n = w->token.n;
    l->session.id = w->session;
    l->early = 0;
    l->server_epoch = w->server_epoch;
    return w->resumed ? hqi_net_session_resume(&l->session, w->received, err) : HQ_OK;
}

static void take_welcome(struct link *l, const struct frame *f)
{
    struct welcome w;
    hq_error err;
    hqi_base_arena_clear(&l->scratch);
    int rc = hqi_wire_session_decode_welcome(&w, f->payload, &l->scratch, &err);
    if (rc == HQ_ENOMEM) { /* it may be better next time; the session waits */
        set_trouble(l, err.text);
        cut(l);
        return;
    }
    if (rc == HQ_OK)
        rc = join(l, &w, &err);
    if (rc < 0) {
        end(l, rc, err.text);
        return;
    }
    stop_probe(l);
    l->state = LINK_OPEN;
    l->tries = l->refusals = 0;
    set_trouble(l, "");
    l->heartbeat_ns = (l->o.heartbeat_ms ? l->o.heartbeat_ms : w.heartbeat_ms) * HQI_MS;
    l->said = now_of(l);
    l->speak = hqi_net_pace_owes(&l->session);
    hqi_loop_timer_set(l->o.loop, &l->beat_timer, l->said + l->heartbeat_ns);
    l->o.ops->on_open(l->o.user, &w);
}

static void on_frame(struct link *l, struct bytes in)
{
    struct frame f;
    hq_error err;
    l->shaken = true; /* its event may come later */
    if (hqi_wire_session_frame_parse(&f, in, &err) < 0)
        end(l, HQ_EPROTO, err.text);
    else
        take[l->state == LINK_OPEN][f.kind](l, &f);
}

/* False: nothing waits. */
static bool receive(struct link *l)
{
    zmq_msg_t m;
    zmq_msg_init(&m);
    bool came = hqi_net_endpoint_recv(&l->end, &m);
    if (came && zmq_msg_more(&m))
        end(l, HQ_EPROTO, "the server sent a message of several parts");
    else if (came)
        on_frame(l, (struct bytes){zmq_msg_data(&m), zmq_msg_size(&m)});
    zmq_msg_close(&m);
    return came;
}

/* ---- sources ---- */

static void leave(struct link *l)
{
    l->running = false;
    if (l->doomed)
        hqi_net_link_free(l);
}

static bool is_ready(struct loop_source *s)
{
    struct link *l = hqi_container(s, struct link, end.data);
    bool can_send = wants_to_send(l) && hqi_net_endpoint_writable(&l->end); /* first: it may take the edge of what came in */
    return can_send || hqi_net_endpoint_has_more(&l->end);
}

static unsigned drain(struct link *l, unsigned most)
{
    unsigned n = 0;
    while (n < most && is_live(l) && receive(l))
        n++;
    if (n && !l->doomed && l->o.ops->on_idle)
        l->o.ops->on_idle(l->o.user);
    return n;
}

static int connect_now(struct link *l, hq_error *err);

static void on_run(struct loop_source *s)
{
    struct link *l = hqi_container(s, struct link, end.data);
    l->running = true;
    drain(l, FRAMES_PER_RUN);
    if (is_live(l) && wants_to_send(l)) {
        if (may_speak(l))
            flush(l, FLUSH_BYTES);
        else
            say_hello(l, NULL);
    }
    leave(l);
}

/* The last frame before the end may be a goodbye. */
static void on_broken(struct loop_timer *t)
{
    struct link *l = hqi_container(t, struct link, broken_timer);
    l->running = true;
    drain(l, UINT32_MAX); /* libzmq holds a few dozen frames */
    if (is_live(l)) {
        set_trouble(l, "the connection broke");
        cut(l);
    }
    leave(l);
}

static void on_again(struct loop_timer *t)
{
    struct link *l = hqi_container(t, struct link, again_timer);
    hq_error err;
    if (connect_now(l, &err) == HQ_OK)
        return;
    hang_up(l, LINK_RESTING, 0);
    set_trouble(l, err.text);
    connect_later(l);
}

static void on_handshake_failed(struct link *l)
{
    char text[240];
    if (l->connected_ns && now_of(l) - l->connected_ns < REFUSAL_NS)
        l->refusals++;
    set_trouble(l, "the server broke off the handshake");
    if (l->refusals < MAX_REFUSALS) {
        cut(l);
        return;
    }
    snprintf(text, sizeof text, "the server at %s:%u does not accept this access key", l->host, l->o.port);
    end(l, HQ_EAUTH, text);
}

static void on_event(struct link *l, uint16_t kind)
{
    switch (kind) {
    case ZMQ_EVENT_CONNECTED:
        l->connected_ns = now_of(l);
        set_trouble(l, "no answer");
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        l->shaken = true;
        break;
    case ZMQ_EVENT_CLOSED:
        find_trouble(l);
        cut(l);
        break;
    case ZMQ_EVENT_DISCONNECTED:
        l->broken = true;
        hqi_loop_timer_set(l->o.loop, &l->broken_timer, now_of(l) + BROKEN_NS);
        break;
    default:
        on_handshake_failed(l);
    }
}

static void on_events(struct loop_source *s)
{
    struct link *l = hqi_container(s, struct link, end.events);
    struct endpoint_event e;
    l->running = true;
    while (is_live(l) && hqi_net_endpoint_event(&l->end, &e))
        on_event(l, e.kind);
    leave(l);
}

/* ---- opening and closing ---- */

static int open_socket(struct link *l, hq_error *err)
{
    const struct endpoint_options eo = {
        .loop = l->o.loop,
        .zmq = l->o.zmq,
        .type = ZMQ_DEALER,
        .events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                  ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, /* PROTOCOL: see router.c */
        .heartbeat_ms = l->o.heartbeat_ms ? l->o.heartbeat_ms : DEFAULT_HEARTBEAT_MS,
        .curve_secret = l->curve_secret,
        .curve_public = l->curve_public,
        .server_public = l->server_public,
        .ready = is_ready,
        .run = on_run,
        .on_event = on_events,
    };
    return hqi_net_endpoint_open(&l->end, &eo, err);
}

static int connect_now(struct link *l, hq_error *err)
{
    char name[80];
    const struct address *a = &l->addresses.list[l->at];
    int rc = open_socket(l, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&l->end, ZMQ_RECONNECT_IVL, NO_RECONNECT, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&l->end, ZMQ_CONNECT_TIMEOUT, CONNECT_MS, err);
    if (rc == HQ_OK)
        rc = hqi_net_endpoint_set(&l->end, ZMQ_IPV6, a->at.any.sa_family == AF_INET6, err);
    if (rc < 0)
        return rc;
    hqi_net_address_endpoint(a, name, sizeof name);
    if (zmq_connect(l->end.zmq, name) < 0)
        return hqi_net_endpoint_fail(err, "cannot connect");
    l->connected_ns = 0;
    l->shaken = false;
    l->state = LINK_GREETING;
    return say_hello(l, err);
}

static int fill(struct link *l, const struct link_options *o, hq_error *err)
{
    uint8_t server_secret[32];
    l->host = hqi_base_alloc_strdup(o->alloc, o->host, strlen(o->host));
    if (!l->host)
        return hqi_base_error_nomem(err, where);
    l->o.host = l->host;
    hqi_net_keys_server(o->secret, o->plane, server_secret, l->server_public);
    hqi_net_keys_proof(o->secret, l->proof);
    if (hqi_net_keys_pair(l->curve_secret, l->curve_public) < 0)
        return hqi_base_error_set(err, HQ_ESYS, where, "cannot get random bytes");
    int rc = hqi_net_address_resolve(&l->addresses, l->host, o->port, err);
    return rc < 0 ? rc : connect_now(l, err);
}

int hqi_net_link_new(struct link **ret, const struct link_options *o, hq_error *err)
{
    struct link *l = hqi_base_alloc_zero(o->alloc, 1, sizeof *l);
    if (!l)
        return hqi_base_error_nomem(err, where);
    l->o = *o;
    l->o.plane = NULL;
    l->o.secret = NULL;
    l->end.loop = o->loop;
    l->probe = (struct loop_source){.fd = -1, .run = on_probe};
    l->beat_timer.run = on_beat;
    l->ack_timer.run = on_ack;
    l->again_timer.run = on_again;
    l->broken_timer.run = on_broken;
    hqi_net_session_init(&l->session, o->alloc, 0);
    hqi_base_arena_init(&l->scratch, o->alloc);
    hqi_base_buf_init(&l->out, o->alloc);
    int rc = fill(l, o, err);
    if (rc < 0) {
        hqi_net_link_free(l);
        return rc;
    }
    *ret = l;
    return HQ_OK;
}

static void release(struct link *l)
{
    const struct alloc *a = l->o.alloc;
    hqi_net_session_fini(&l->session);
    hqi_base_arena_fini(&l->scratch);
    hqi_base_buf_fini(&l->out);
    hqi_base_alloc_free(a, l->host);
    hqi_base_alloc_free(a, l);
}

void hqi_net_link_free(struct link *l)
{
    if (!l)
        return;
    l->doomed = true;
    if (l->running) /* from a callback: the run that called it ends it */
        return;
    hang_up(l, LINK_ENDED, 0);
    stop_probe(l);
    release(l);
}

void hqi_net_link_free_forked(struct link *l)
{
    if (!l)
        return;
    hqi_net_endpoint_forget(&l->end);
    if (l->probe.fd >= 0)
        close(l->probe.fd);
    release(l);
}

int hqi_net_link_send(struct link *l, struct bytes payload, hq_error *err)
{
    if (l->state == LINK_ENDED)
        return hqi_base_error_set(err, HQ_ECLOSED, where, "the session with %s:%u has ended", l->host, l->o.port);
    int rc = hqi_net_session_push(&l->session, payload, err);
    if (rc == HQ_OK)
        turn(l, false);
    return rc;
}

void hqi_net_link_safe(struct link *l, uint64_t number)
{
    struct session *s = &l->session;
    hqi_net_session_set_safe(s, number < s->received ? number : s->received);
    if (l->state != LINK_OPEN || !hqi_net_pace_owes(s))
        return;
    if (hqi_net_pace_urgent(&l->pace, s)) {
        turn(l, true);
    } else if (!l->owing) {
        l->owing = true;
        hqi_loop_timer_set(l->o.loop, &l->ack_timer, now_of(l) + HQI_NET_ACK_NS);
    }
}

void hqi_net_link_each_unacked(const struct link *l, hqi_net_session_fn *fn, void *user)
{
    hqi_net_session_each(&l->session, fn, user);
}

uint64_t hqi_net_link_unacked_bytes(const struct link *l)
{
    return l->session.bytes;
}

bool hqi_net_link_forgotten(const struct link *l)
{
    return l->forgotten;
}

uint64_t hqi_net_link_server_epoch(const struct link *l)
{
    return l->server_epoch;
}

bool hqi_net_link_connected(const struct link *l)
{
    return l->state == LINK_OPEN;
}

int hqi_net_link_errno(const struct link *l)
{
    return l->sys;
}

const char *hqi_net_link_trouble(const struct link *l)
{
    return l->trouble;
}

unsigned hqi_net_link_rounds(const struct link *l)
{
    return l->tries;
}

void hqi_net_link_bye(struct link *l, int32_t code, const char *text)
{
    const struct frame f = {.kind = FRAME_BYE, .session = l->session.id, .ack = l->session.safe};
    const struct refuse reason = {.code = code, .text = bytes_of(text)};
    uint8_t header[HQI_FRAME_HEADER];
    if (l->state == LINK_OPEN) {
        flush(l, SIZE_MAX);
        hqi_wire_session_frame_header(header, &f);
        hqi_base_buf_clear(&l->out);
        hqi_base_buf_add(&l->out, header, sizeof header);
        hqi_wire_session_encode_refuse(&reason, &l->out);
        if (!l->out.failed)
            transmit(l, hqi_base_buf_bytes(&l->out));
    }
    hang_up(l, LINK_ENDED, BYE_LINGER_MS);
    stop_probe(l);
}
