/* SPDX-License-Identifier: MIT */
/* link.c - the peer's side of a session: connecting, greeting, resuming, giving up; and what both sides do to keep a
 * session going. The numbering and the keeping of frames are those of lib/net/session.c. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire/version.h"

#define ACK_NS (8 * HQI_MS)
#define GIVE_UP_NS (6 * HQI_SEC)

/* ---- both ends ---- */

static void send_plain(struct sim *s, struct session_end *e, int direction, const struct frame *f)
{
    uint8_t header[HQI_FRAME_HEADER];
    hqi_wire_session_frame_header(header, f);
    net_send(s, e->conn, direction, (struct bytes){(const char *)header, sizeof header});
    e->said = s->now;
}

void end_flush(struct sim *s, struct session_end *e, int direction)
{
    struct bytes frame;
    if (!e->conn)
        return;
    while (hqi_net_session_next(&e->session, &frame)) {
        net_send(s, e->conn, direction, frame);
        hqi_net_session_moved(&e->session);
        e->said = s->now;
    }
    bool owes = e->session.safe > e->session.told;
    if (!owes)
        e->ack_at = NEVER;
    else if (e->ack_at == NEVER)
        e->ack_at = s->now + sim_below(s, ACK_NS);
    if (e->ack_at > s->now && e->said + BEAT_NS > s->now)
        return;
    send_plain(s, e, direction, &(struct frame){.kind = FRAME_ALIVE, .session = e->session.id, .ack = e->session.safe});
    e->session.told = e->session.safe;
    e->ack_at = NEVER;
}

uint64_t end_next(const struct session_end *e)
{
    if (!e->conn)
        return NEVER;
    return sim_least(sim_least(e->ack_at, e->said + BEAT_NS), e->heard + SILENT_NS);
}

/* ---- the peer's end ---- */

void link_init(struct sim *s, struct peer *p, bool is_worker, void *owner)
{
    memset(p, 0, sizeof *p);
    hqi_net_session_init(&p->end.session, &hqi_base_alloc_libc, 0);
    p->is_worker = is_worker;
    p->owner = owner;
    p->uid = sim_random(s) | 1;
    p->end.ack_at = NEVER;
    p->retry_at = s->now;
    p->give_up_at = NEVER; /* the first time it tries for as long as it takes */
}

static void leave(struct peer *p)
{
    if (p->end.conn)
        p->end.conn->peer = NULL;
    p->end.conn = NULL;
}

void link_fini(struct peer *p)
{
    leave(p);
    hqi_net_session_fini(&p->end.session);
}

static void say_hello(struct sim *s, struct peer *p)
{
    static const char proof[32];
    uint8_t header[HQI_FRAME_HEADER];
    struct buf out;
    const struct hello h = {.version = HQI_WIRE_VERSION, .software = bytes_of("sim"), .proof = {proof, sizeof proof},
                            .uid = p->uid, .epoch = ++p->epoch, .session = p->end.session.id,
                            .received = p->end.session.received, .token = bytes_of(p->is_worker ? "w" : "c")};
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_session_frame_header(header, &(struct frame){.kind = FRAME_HELLO});
    hqi_base_buf_add(&out, header, sizeof header);
    hqi_wire_session_encode_hello(&h, &out);
    net_send(s, p->end.conn, TO_SERVER, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void go_down(struct sim *s, struct peer *p)
{
    leave(p);
    if (p->state == LINK_UP)
        p->give_up_at = s->now + GIVE_UP_NS;
    p->state = LINK_DOWN;
    p->retry_at = s->now + sim_about(s, 60 * HQI_MS);
}

static void end_link(struct sim *s, struct peer *p)
{
    leave(p);
    p->state = LINK_OVER;
    if (p->is_worker)
        worker_on_over(s, p);
    else
        client_on_over(s, p);
}

static bool is_silent(const struct sim *s, const struct peer *p)
{
    uint64_t since = p->state == LINK_UP ? p->end.heard : p->greeted_at;
    return s->now >= since + SILENT_NS;
}

void link_step(struct sim *s, struct peer *p)
{
    if (p->state == LINK_OVER)
        return;
    if (p->state == LINK_DOWN && s->now >= p->give_up_at) {
        end_link(s, p);
        return;
    }
    if (p->state == LINK_DOWN && s->now >= p->retry_at) {
        p->end.conn = net_connect(s, p);
        p->state = LINK_GREETING;
        p->greeted_at = s->now;
        say_hello(s, p);
    }
    if ((p->state == LINK_UP || p->state == LINK_GREETING) && is_silent(s, p))
        go_down(s, p);
    if (p->state == LINK_UP)
        end_flush(s, &p->end, TO_SERVER);
}

uint64_t link_next(const struct peer *p)
{
    if (p->state == LINK_DOWN)
        return sim_least(p->retry_at, p->give_up_at);
    if (p->state == LINK_GREETING)
        return p->greeted_at + SILENT_NS;
    return p->state == LINK_UP ? end_next(&p->end) : NEVER;
}

bool link_send(struct sim *s, struct peer *p, struct bytes payload)
{
    return p->state != LINK_OVER && hqi_net_session_push(&p->end.session, payload, NULL) == HQ_OK;
}

void link_bye(struct sim *s, struct peer *p)
{
    if (p->state == LINK_UP) {
        end_flush(s, &p->end, TO_SERVER);
        send_plain(s, &p->end, TO_SERVER, &(struct frame){.kind = FRAME_BYE, .session = p->end.session.id});
    }
    leave(p);
    p->state = LINK_OVER;
}

static void on_welcome(struct sim *s, struct peer *p, struct bytes payload)
{
    struct arena mem;
    struct welcome w;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_session_decode_welcome(&w, payload, &mem, &err) < 0)
        sim_fail(s, "a WELCOME cannot be read: %s", err.text);
    bool fresh = !w.resumed;
    if (fresh) {
        hqi_net_session_fini(&p->end.session);
        p->end.session.id = w.session;
    } else if (hqi_net_session_resume(&p->end.session, w.received, &err) < 0) {
        sim_fail(s, "a session cannot be resumed: %s", err.text);
    }
    uint64_t server_epoch = w.server_epoch;
    hqi_base_arena_fini(&mem);
    p->state = LINK_UP;
    p->server_epoch = server_epoch;
    p->give_up_at = NEVER;
    p->end.heard = p->end.said = s->now;
    p->end.ack_at = NEVER;
    if (fresh && p->is_worker)
        worker_on_open(s, p);
    else if (fresh)
        client_on_open(s, p);
}

static void on_frame(struct sim *s, struct peer *p, const struct frame *f)
{
    bool fresh;
    hq_error err;
    if (hqi_net_session_take(&p->end.session, f, &fresh, &err) < 0) {
        sim_fail(s, "a peer cannot take what its server sent: %s", err.text);
        return;
    }
    p->end.heard = s->now;
    if (fresh && p->is_worker)
        worker_on_data(s, p, f->number, f->payload);
    else if (fresh)
        client_on_data(s, p, f->number, f->payload);
}

void link_on_frame(struct sim *s, struct peer *p, struct conn *c, struct bytes frame)
{
    struct frame f;
    if (c != p->end.conn || hqi_wire_session_frame_parse(&f, frame, NULL) < 0)
        return;
    if (p->state == LINK_GREETING && f.kind == FRAME_WELCOME)
        on_welcome(s, p, f.payload);
    else if (f.kind == FRAME_REFUSE || f.kind == FRAME_BYE)
        end_link(s, p);
    else if (p->state == LINK_UP && f.session == p->end.session.id)
        on_frame(s, p, &f);
}

void link_on_drop(struct sim *s, struct peer *p, struct conn *c)
{
    if (c == p->end.conn)
        go_down(s, p);
}
