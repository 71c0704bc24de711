/* SPDX-License-Identifier: MIT */
/* peer.c - one peer of a router: sending to it, its deadlines, its end.
 *
 * Promise: a full pipe parks its peer and holds up no other; each peer has one timer, so that an idle server wakes up
 * for heartbeats only; whoever is judged has had his input read first, and gets new windows where this process
 * itself was late. Must never happen: a callback that leaves a freed peer in use (on_data and on_lost are the last
 * things that touch theirs). */
#include "net/peer.h"

#include <string.h>

#include "base/error.h"
#include "net/keys.h"

#define TURN_BYTES (256u << 10) /* before the next peer has its turn */
#define FLUSH_BYTES (4u << 20)  /* before input is looked at again: a few milliseconds of copying */
#define FRAME_COST 1024u        /* of the smallest frame, in the same coin */
#define RETRY_NS (50 * HQI_MS) /* for full pipes, if libzmq's signal of room went by unseen */
#define LATE_NS HQI_SEC      /* a timer that fires later than this says that we, not the peer, were away */
#define PUT_OFF_NS (10 * HQI_MS)
#define RETURN_NS (2 * HQI_MS) /* a handshake and a resumption take half of it here, on a slow machine */
#define MAX_PUT_OFF 200u     /* 2 s: input that never ends shall not make the dead immortal */

static const char where[] = "net";

/* ---- life ---- */

static struct peer *peer_of_turn(struct list *turn)
{
    return hqi_container(turn, struct peer, turn);
}

static int draw_id(struct peer *p)
{
    uint64_t id;
    do {
        if (hqi_net_keys_random(&id, sizeof id) < 0)
            return HQ_ESYS;
    } while (id == 0 || hqi_base_map_get(&p->router->by_id, id));
    p->session.id = id;
    return hqi_net_keys_random(p->token, sizeof p->token);
}

static void on_timer(struct loop_timer *t);

int hqi_net_peer_new(struct peer **ret, struct router *r, uint64_t uid, uint64_t epoch, hq_error *err)
{
    if (!hqi_base_map_reserve(&r->by_id, 1) || !hqi_base_map_reserve(&r->by_rid, 1) ||
        !hqi_base_map_reserve(&r->by_fd, 1) || !hqi_base_map_reserve(&r->by_uid, 1))
        return hqi_base_error_nomem(err, where);
    struct peer *p = hqi_base_alloc_zero(r->o.alloc, 1, sizeof *p);
    if (!p)
        return hqi_base_error_nomem(err, where);
    p->router = r;
    p->uid = uid;
    p->epoch = epoch;
    p->fd = -1;
    p->unnamed = true;
    p->heartbeat_ns = r->o.heartbeat_ms * HQI_MS;
    p->timer.run = on_timer;
    list_init(&p->link);
    list_init(&p->turn);
    list_init(&p->owing);
    hqi_net_session_init(&p->session, r->o.alloc, 0);
    if (draw_id(p) < 0) {
        hqi_base_alloc_free(r->o.alloc, p);
        return hqi_base_error_set(err, HQ_ESYS, where, "cannot get random bytes");
    }
    hqi_base_map_put(&r->by_id, &p->by_id, p->session.id);
    list_push_back(&r->peers, &p->link);
    *ret = p;
    return HQ_OK;
}

static void leave_connection(struct peer *p)
{
    p->router->n_away -= p->away;
    p->away = false;
    if (p->fd >= 0)
        hqi_base_map_take(&p->router->by_fd, (uint32_t)p->fd);
    p->fd = -1;
    p->connected = p->speak = false;
    list_unlink(&p->turn);
    list_unlink(&p->owing);
    hqi_net_pace_cut(&p->pace);
}

static void leave_rid(struct peer *p)
{
    if (p->by_rid.key) /* else never attached */
        hqi_base_map_take(&p->router->by_rid, p->by_rid.key);
}

/* A session of the same uid that began later stays the one that counts. */
static void become_latest(struct peer *p)
{
    struct map *m = &p->router->by_uid;
    struct map_node *n = hqi_base_map_get(m, p->uid);
    if (n && hqi_container(n, struct peer, by_uid)->epoch >= p->epoch)
        return;
    hqi_base_map_take(m, p->uid);
    hqi_base_map_put(m, &p->by_uid, p->uid);
}

static void leave_uid(struct peer *p)
{
    if (hqi_base_map_get(&p->router->by_uid, p->uid) == &p->by_uid)
        hqi_base_map_take(&p->router->by_uid, p->uid);
}

static void leave_all(struct peer *p)
{
    leave_connection(p);
    leave_rid(p);
    leave_uid(p);
    hqi_base_map_take(&p->router->by_id, p->session.id);
    list_unlink(&p->link);
    hqi_loop_timer_clear(p->router->o.loop, &p->timer);
}

static void release(struct peer *p)
{
    const struct alloc *a = p->router->o.alloc;
    hqi_net_session_fini(&p->session);
    hqi_base_alloc_free(a, p);
}

void hqi_net_peer_free(struct peer *p)
{
    leave_all(p);
    release(p);
}

void hqi_net_peer_lose(struct peer *p, enum peer_loss why, struct bytes text)
{
    struct router *r = p->router;
    leave_all(p);
    r->o.ops->on_lost(r->o.user, p, why, text);
    release(p);
}

/* ---- deadlines ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t window(const struct peer *p)
{
    return 2 * p->heartbeat_ns;
}

static uint64_t beat(const struct router *r)
{
    return r->o.heartbeat_ms * HQI_MS;
}

static uint64_t next_deadline(const struct peer *p)
{
    const struct router_options *o = &p->router->o;
    if (!p->connected)
        return p->lost_at;
    uint64_t at = earlier(p->said + beat(p->router), p->alive + window(p));
    if (o->stalled_ms && !p->stalled)
        at = earlier(at, p->heard + o->stalled_ms * HQI_MS);
    if (o->silent_lost_ms)
        at = earlier(at, p->heard + o->silent_lost_ms * HQI_MS);
    return at;
}

static void rearm(struct peer *p, uint64_t at)
{
    p->due = at;
    hqi_loop_timer_set(p->router->o.loop, &p->timer, at);
}

/* We were away ourselves: nothing that did not happen meanwhile says anything about the peer. */
static void forgive_if_late(struct peer *p, uint64_t now)
{
    if (now <= p->due + LATE_NS)
        return;
    p->heard = p->alive = now;
    p->lost_at = now + p->router->o.resume_ms * HQI_MS;
}

static bool must_wait_for_input(struct peer *p, uint64_t now)
{
    if (p->put_off >= MAX_PUT_OFF || !hqi_net_endpoint_readable(&p->router->end))
        return false;
    p->put_off++;
    rearm(p, now + PUT_OFF_NS);
    return true;
}

/* A stopped process keeps its TCP connection, and a computing one says nothing to us; only the transport's heartbeats,
 * which libzmq's own thread answers, tell them apart. libzmq's time-out is one for all peers and its
 * own; the age of the last byte serves each peer's own heartbeat. */
static bool is_transport_silent(struct peer *p, uint64_t now)
{
    if (now < p->alive + window(p))
        return false;
    hqi_net_router_drain_events(p->router); /* or p->fd may be someone else's by now */
    if (!p->connected)
        return false;
    uint64_t quiet;
    if (!hqi_net_endpoint_quiet(p->fd, &quiet))
        quiet = 0; /* not known: libzmq's time-out will tell */
    if (quiet < now && now - quiet > p->alive)
        p->alive = now - quiet;
    return now >= p->alive + window(p);
}

/* Those that were dropped together come back together, and wait for one another in the handshake. */
static uint64_t lost_at(const struct peer *p)
{
    return p->loss == PEER_DROPPED ? p->lost_at + p->router->n_away * RETURN_NS : p->lost_at;
}

static void judge_dropped(struct peer *p, uint64_t now)
{
    uint64_t at = lost_at(p);
    if (now < at)
        rearm(p, at);
    else if (!must_wait_for_input(p, now))
        hqi_net_peer_lose(p, p->loss,
                          bytes_of(p->loss == PEER_SILENT ? "its heartbeats ended" : "its connection broke"));
}

static void judge_connected(struct peer *p, uint64_t now)
{
    const struct router_options *o = &p->router->o;
    bool silent = is_transport_silent(p, now);
    bool mute = o->silent_lost_ms && now >= p->heard + o->silent_lost_ms * HQI_MS;
    if (silent || mute) {
        if (!must_wait_for_input(p, now))
            hqi_net_peer_lose(p, PEER_SILENT,
                              bytes_of(silent ? "its heartbeats ended" : "it was connected, but silent for too long"));
        return;
    }
    p->stalled = o->stalled_ms && now >= p->heard + o->stalled_ms * HQI_MS;
    if (p->connected && now >= p->said + beat(p->router)) {
        p->said = now; /* asked for: it may have to wait for room */
        hqi_net_peer_turn(p, true);
    }
    rearm(p, next_deadline(p));
}

static void on_timer(struct loop_timer *t)
{
    struct peer *p = hqi_container(t, struct peer, timer);
    uint64_t now = hqi_net_peer_now(p->router);
    forgive_if_late(p, now);
    if (p->connected)
        judge_connected(p, now);
    else
        judge_dropped(p, now);
}

void hqi_net_peer_heard(struct peer *p)
{
    p->heard = p->alive = hqi_net_peer_now(p->router);
    p->stalled = false;
    p->put_off = 0;
}

void hqi_net_peer_attach(struct peer *p, const struct origin *from)
{
    leave_connection(p);
    leave_rid(p);
    memcpy(p->rid, from->rid, sizeof p->rid);
    hqi_base_map_put(&p->router->by_rid, &p->by_rid, hqi_net_peer_rid_key(p->rid));
    become_latest(p);
    if (from->fd >= 0 && !hqi_base_map_get(&p->router->by_fd, (uint32_t)from->fd)) {
        p->fd = from->fd;
        hqi_base_map_put(&p->router->by_fd, &p->by_fd, (uint32_t)p->fd);
    }
    p->connected = true;
    hqi_net_peer_heard(p);
    p->said = p->heard;
    rearm(p, next_deadline(p));
}

/* Silence before the drop was the transport's time-out at work: it has waited already. */
void hqi_net_peer_drop(struct peer *p)
{
    if (!p->connected)
        return;
    uint64_t now = hqi_net_peer_now(p->router), own = beat(p->router);
    uint64_t shortest = 2 * earlier(own, p->heartbeat_ns);
    leave_connection(p);
    p->away = true;
    p->router->n_away++;
    p->loss = PEER_DROPPED;
    p->lost_at = now + p->router->o.resume_ms * HQI_MS;
    forgive_if_late(p, now);
    if (now - p->alive >= shortest - shortest / 8) { /* an eighth: we read frames later than they come */
        p->loss = PEER_SILENT;
        p->lost_at = p->alive + window(p) > now ? p->alive + window(p) : now;
    }
    rearm(p, p->lost_at);
}

/* ---- sending ---- */

void hqi_net_peer_turn(struct peer *p, bool now)
{
    struct router *r = p->router;
    p->speak |= now;
    if (!p->connected || !list_empty(&p->turn)) /* resumed, unblocked or in line already */
        return;
    list_push_back(&r->dirty, &p->turn);
    if (!r->running)
        hqi_loop_loop_wake(r->o.loop);
}

static void left(struct peer *p)
{
    p->said = hqi_net_peer_now(p->router);
    p->speak = false;
    hqi_net_pace_told(&p->pace);
}

/* False: it cannot take more now, and is parked or dropped. */
static bool transmit(struct peer *p, struct bytes frame)
{
    struct router *r = p->router;
    enum sent sent = hqi_net_endpoint_send(&r->end, (struct bytes){(const char *)p->rid, sizeof p->rid}, frame);
    if (sent == SENT_OK)
        return true;
    if (sent == SENT_GONE) {
        hqi_net_peer_drop(p);
        return false;
    }
    if (list_empty(&r->blocked))
        hqi_loop_timer_set(r->o.loop, &r->retry_timer, hqi_net_peer_now(r) + RETRY_NS);
    list_unlink(&p->turn);
    list_push_back(&r->blocked, &p->turn);
    return false;
}

/* What it cost; 0: nothing left, or nothing to send. */
static size_t transmit_next(struct peer *p)
{
    struct bytes frame;
    if (!hqi_net_session_next(&p->session, &frame) || !transmit(p, frame))
        return 0;
    hqi_net_session_moved(&p->session);
    hqi_net_pace_handed(&p->pace, p->session.handed, hqi_net_peer_now(p->router));
    left(p);
    return frame.n + FRAME_COST;
}

static void transmit_alive(struct peer *p)
{
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_ALIVE, .session = p->session.id, .ack = p->session.safe};
    hqi_wire_session_frame_header(header, &f);
    if (!transmit(p, (struct bytes){(const char *)header, sizeof header}))
        return;
    p->session.told = p->session.safe;
    left(p);
}

static size_t take_turn(struct peer *p)
{
    size_t n = 0, cost;
    list_unlink(&p->turn);
    while (n < TURN_BYTES && (cost = transmit_next(p)))
        n += cost;
    if (!p->connected || !list_empty(&p->turn)) /* dropped or parked */
        return n + FRAME_COST;
    if (n >= TURN_BYTES)
        list_push_back(&p->router->dirty, &p->turn);
    else if (p->speak)
        transmit_alive(p);
    return n + FRAME_COST;
}

void hqi_net_peer_flush(struct router *r)
{
    size_t n = 0;
    while (n < FLUSH_BYTES && !list_empty(&r->dirty))
        n += take_turn(peer_of_turn(r->dirty.next));
}

void hqi_net_peer_unblock(struct router *r, unsigned most)
{
    struct list *turn;
    while (most-- > 0 && (turn = list_pop_front(&r->blocked)))
        list_push_back(&r->dirty, turn);
}

void hqi_net_peer_on_retry_timer(struct loop_timer *t)
{
    struct router *r = hqi_container(t, struct router, retry_timer);
    hqi_net_peer_unblock(r, UINT32_MAX);
}

void hqi_net_peer_on_ack_timer(struct loop_timer *t)
{
    struct router *r = hqi_container(t, struct router, ack_timer);
    struct list *link;
    while ((link = list_pop_front(&r->owing))) {
        struct peer *p = hqi_container(link, struct peer, owing);
        if (hqi_net_pace_owes(&p->session)) /* else it rode on a DATA frame */
            hqi_net_peer_turn(p, true);
    }
}

/* ---- what the owner calls: router.h ---- */

uint64_t hqi_net_peer_id(const struct peer *p)
{
    return p->session.id;
}

uint64_t hqi_net_peer_uid(const struct peer *p)
{
    return p->uid;
}

void hqi_net_peer_set_user(struct peer *p, void *user)
{
    p->user = user;
}

void *hqi_net_peer_user(const struct peer *p)
{
    return p->user;
}

void hqi_net_peer_set_heartbeat(struct peer *p, uint32_t ms)
{
    if (ms == 0)
        return;
    p->heartbeat_ns = ms * HQI_MS;
    if (p->connected)
        rearm(p, next_deadline(p));
}

bool hqi_net_peer_stalled(const struct peer *p)
{
    return p->stalled;
}

bool hqi_net_peer_full(const struct peer *p)
{
    return p->session.bytes >= p->router->o.queue_bytes;
}

uint64_t hqi_net_peer_queued(const struct peer *p)
{
    return p->session.bytes;
}

uint64_t hqi_net_peer_rtt_ns(const struct peer *p)
{
    return p->pace.rtt_ns;
}

int hqi_net_peer_send(struct peer *p, struct bytes payload, hq_error *err)
{
    int rc = hqi_net_session_push(&p->session, payload, err);
    if (rc == HQ_OK)
        hqi_net_peer_turn(p, false);
    return rc;
}

void hqi_net_peer_safe(struct peer *p, uint64_t number)
{
    struct router *r = p->router;
    struct session *s = &p->session;
    hqi_net_session_set_safe(s, number < s->received ? number : s->received);
    if (!p->connected || !hqi_net_pace_owes(s))
        return;
    if (hqi_net_pace_urgent(&p->pace, s)) {
        hqi_net_peer_turn(p, true);
    } else if (list_empty(&p->owing)) {
        if (list_empty(&r->owing))
            hqi_loop_timer_set(r->o.loop, &r->ack_timer, hqi_net_peer_now(r) + HQI_NET_ACK_NS);
        list_push_back(&r->owing, &p->owing);
    }
}

bool hqi_net_peer_idle(const struct peer *p)
{
    return list_empty(&p->session.queue);
}

void hqi_net_peer_bye(struct peer *p, int32_t code, const char *text)
{
    struct router *r = p->router;
    const struct frame f = {.kind = FRAME_BYE, .session = p->session.id, .ack = p->session.safe};
    const struct refuse reason = {.code = code, .text = bytes_of(text)};
    uint8_t header[HQI_FRAME_HEADER];
    while (p->connected && transmit_next(p) > 0) /* libzmq's pipe takes a few dozen at most */
        ;
    hqi_wire_session_frame_header(header, &f);
    hqi_base_buf_clear(&r->out);
    hqi_base_buf_add(&r->out, header, sizeof header);
    hqi_wire_session_encode_refuse(&reason, &r->out);
    if (p->connected && !r->out.failed && transmit(p, hqi_base_buf_bytes(&r->out)))
        r->said_bye = true;
    hqi_net_peer_free(p);
}
