/* SPDX-License-Identifier: MIT */
/* greeting.c - frames from connections that have no session: a hello opens one or resumes one, all else is turned away.
 *
 * Promise: nothing is kept of a peer before version and proof are right; each refusal says why. Must never happen: a session
 * handed to whoever does not know its token, or, where no token can have arrived, its peer's random uid; one moved back to an
 * older connection by a late hello. */
#include <sodium.h>

#include "base/error.h"
#include "net/keys.h"
#include "net/peer.h"
#include "wire/version.h"

static struct bytes rid_bytes(const struct origin *o)
{
    return (struct bytes){(const char *)o->rid, sizeof o->rid};
}

static bool build_welcome(struct peer *p, bool resumed)
{
    struct router *r = p->router;
    uint8_t header[HQI_FRAME_HEADER];
    const struct frame f = {.kind = FRAME_WELCOME, .session = p->session.id};
    const struct welcome w = {
        .session = p->session.id,
        .server_epoch = r->o.server_epoch,
        .server_uid = r->o.server_uid,
        .received = p->session.received,
        .resumed = resumed,
        .token = {(const char *)p->token, sizeof p->token},
        .heartbeat_ms = r->o.heartbeat_ms,
        .durable = r->o.durable,
    };
    hqi_wire_session_frame_header(header, &f);
    hqi_base_buf_clear(&r->out);
    hqi_base_buf_add(&r->out, header, sizeof header);
    hqi_wire_session_encode_welcome(&w, &r->out);
    return !r->out.failed;
}

/* A peer that cannot be told is as good as dropped: it will come again. */
static void welcome(struct peer *p, const struct origin *from, bool resumed)
{
    struct router *r = p->router;
    hqi_net_peer_attach(p, from);
    if (!build_welcome(p, resumed) ||
        hqi_net_endpoint_send(&r->end, rid_bytes(from), hqi_base_buf_bytes(&r->out)) != SENT_OK) {
        hqi_net_peer_drop(p);
        return;
    }
    hqi_net_peer_turn(p, hqi_net_pace_owes(&p->session));
}

static void open_session(struct router *r, const struct origin *from, const struct hello *h)
{
    struct peer *p;
    hq_error err;
    int rc = hqi_net_peer_new(&p, r, h->uid, h->epoch, &err);
    if (rc < 0) {
        hqi_net_router_refuse(r, from, rc, err.text);
        return;
    }
    err.text[0] = '\0';
    rc = r->o.ops->on_open(r->o.user, p, h, &err);
    if (rc < 0) {
        hqi_net_peer_free(p);
        hqi_net_router_refuse(r, from, rc, err.text[0] ? err.text : hq_strerror(rc));
        return;
    }
    welcome(p, from, false);
}

static bool knows_token(const struct peer *p, const struct hello *h)
{
    return h->uid == p->uid && h->token.n == sizeof p->token &&
           sodium_memcmp(h->token.p, p->token, sizeof p->token) == 0;
}

static void go_on(struct router *r, const struct origin *from, const struct hello *h, struct peer *p)
{
    hq_error err;
    if (h->epoch <= p->epoch) {
        return; /* from a connection that the peer has given up already */
    } else if (hqi_net_session_resume(&p->session, h->received, &err) < 0) {
        hqi_net_router_refuse(r, from, HQ_EPROTO, err.text);
        hqi_net_peer_lose(p, PEER_BROKEN, bytes_of("it resumed with an impossible count"));
    } else {
        p->epoch = h->epoch;
        welcome(p, from, true);
    }
}

static void resume_session(struct router *r, const struct origin *from, const struct hello *h)
{
    struct peer *p = hqi_net_router_find(r, h->session);
    if (!p) {
        hqi_net_router_refuse(r, from, HQ_ECLOSED, "unknown session");
    } else if (!knows_token(p, h)) {
        hqi_net_router_complain(r, from, "a hello for a session that is not the peer's");
        hqi_net_router_refuse(r, from, HQ_EAUTH, "this session belongs to another peer");
    } else {
        p->unnamed = false;
        go_on(r, from, h, p);
    }
}

static struct peer *find_latest(struct router *r, uint64_t uid)
{
    struct map_node *n = hqi_base_map_get(&r->by_uid, uid);
    return n ? hqi_container(n, struct peer, by_uid) : NULL;
}

/* Early frames left behind the last HELLO before this one that had any: only the latest session can have them, and it does if its
 * WELCOME may have gone astray. A HELLO that comes after a later one must not begin a session, or they are acted on again there. */
static void begin_session(struct router *r, const struct origin *from, const struct hello *h)
{
    struct peer *p = find_latest(r, h->uid);
    if (p && h->epoch <= p->epoch)
        return; /* from a connection that the peer has given up already */
    if (p && p->unnamed && h->early)
        go_on(r, from, h, p);
    else
        open_session(r, from, h);
}

static void refuse_version(struct router *r, const struct origin *from, const struct hello *h)
{
    hq_error err;
    hqi_base_error_set(&err, HQ_EVERSION, "net",
                       "the server speaks version %d of the protocol and the peer (%.*s) version %u; use the same release "
                       "on both sides",
                       HQI_WIRE_VERSION, (int)(h->software.n < 64 ? h->software.n : 64),
                       h->software.p ? h->software.p : "", h->version);
    hqi_net_router_refuse(r, from, HQ_EVERSION, err.text);
}

static void take_hello(struct router *r, const struct origin *from, struct bytes payload)
{
    struct hello h;
    hq_error err;
    int rc = hqi_wire_session_decode_hello(&h, payload, &r->scratch, &err);
    if ((rc == HQ_OK || h.version != 0) && h.version != HQI_WIRE_VERSION) { /* it may not even parse */
        hqi_net_router_complain(r, from, "a hello of another protocol version");
        refuse_version(r, from, &h);
    } else if (rc < 0) {
        hqi_net_router_complain(r, from, err.text);
        hqi_net_router_refuse(r, from, rc, err.text);
    } else if (!hqi_net_keys_proof_ok(r->secret, h.proof.p, h.proof.n)) {
        hqi_net_router_complain(r, from, "a hello with a wrong proof");
        hqi_net_router_refuse(r, from, HQ_EAUTH, "the server does not accept this access key");
    } else if (h.session) {
        resume_session(r, from, &h);
    } else {
        begin_session(r, from, &h);
    }
}

void hqi_net_greeting_take(struct router *r, const struct origin *from, const struct frame *f)
{
    switch (f->kind) {
    case FRAME_HELLO:
        hqi_net_router_drain_events(r); /* what is known of from->fd must not be of an earlier connection */
        hqi_base_arena_clear(&r->scratch);
        take_hello(r, from, f->payload);
        break;
    case FRAME_DATA:
    case FRAME_ALIVE:
        hqi_net_router_refuse(r, from, HQ_ECLOSED, "unknown session");
        hqi_net_router_complain(r, from, "a frame of an unknown session");
        break;
    case FRAME_BYE: /* crossed with the end of its session */
        break;
    default:
        hqi_net_router_complain(r, from, "a frame that only servers send");
    }
}
