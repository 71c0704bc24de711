/* SPDX-License-Identifier: MIT */
/* session.c - frame headers, and the messages that open and close a session.
 *
 * Promise to net/: what a stranger sends here, before it has proved anything, costs a few kilobytes and is
 * refused with a reason. */
#include "wire/session.h"

#include "base/error.h"
#include "wire/pb.h"
#include "wire/session.pb-c.h"

#define MAX_SOFTWARE 128u
#define MAX_REASON 1024u
#define PROOF_BYTES 32u
/* These messages have no lists: unpacked they take their own size, a struct, and a slab of protobuf-c's. */
#define SESSION_BUDGET ((size_t)4 * HQI_MAX_HELLO + (256u << 10))

static const uint8_t magic[3] = {'h', 'q', 1};

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v |= (uint64_t)p[i] << (8 * i);
    return v;
}

void hqi_wire_session_frame_header(uint8_t out[HQI_FRAME_HEADER], const struct frame *f)
{
    memcpy(out, magic, sizeof magic);
    out[3] = f->kind;
    put64(out + 4, f->session);
    put64(out + 12, f->number);
    put64(out + 20, f->ack);
}

int hqi_wire_session_frame_parse(struct frame *ret, struct bytes in, hq_error *err)
{
    if (in.n < HQI_FRAME_HEADER)
        return hqi_base_error_set(err, HQ_EPROTO, "wire", "a frame of %zu bytes, its header alone has %u",
                                  in.n, HQI_FRAME_HEADER);
    const uint8_t *p = (const uint8_t *)in.p;
    if (memcmp(p, magic, sizeof magic) != 0)
        return hqi_base_error_set(err, HQ_EPROTO, "wire",
                                  "a frame starts with %02x %02x %02x, not with \"hq\" 01", p[0], p[1], p[2]);
    if (p[3] < FRAME_HELLO || p[3] > FRAME_BYE)
        return hqi_base_error_set(err, HQ_EPROTO, "wire", "a frame of the unknown kind %u", p[3]);
    *ret =
        (struct frame){.kind = p[3], .session = get64(p + 4), .number = get64(p + 12), .ack = get64(p + 20)};
    ret->payload = (struct bytes){in.p + HQI_FRAME_HEADER, in.n - HQI_FRAME_HEADER};
    return HQ_OK;
}

void hqi_wire_session_encode_hello(const struct hello *h, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__Hello m = HQCORE__HELLO__INIT;
    m.version = h->version;
    m.software = hqi_wire_pb_bytes(h->software);
    m.proof = hqi_wire_pb_bytes(h->proof);
    m.uid = h->uid;
    m.epoch = h->epoch;
    m.session = h->session;
    m.received = h->received;
    m.token = hqi_wire_pb_bytes(h->token);
    m.early = h->early;
    hqi_wire_pb_encode_finish(&e, &m, out);
}

int hqi_wire_session_decode_hello(struct hello *ret, struct bytes in, struct arena *mem, hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *ret = (struct hello){0};
    if (in.n > HQI_MAX_HELLO)
        return hqi_base_error_set(err, HQ_ELIMIT, "wire", "a Hello of %zu bytes, at most %u are allowed",
                                  in.n, HQI_MAX_HELLO);
    const Hqcore__Hello *m = hqi_wire_pb_unpack(&d, &hqcore__hello__descriptor, in, SESSION_BUDGET);
    if (!m)
        return d.code;
    ret->version = m->version; /* also when the rest fails: the peer is told the version that is expected */
    ret->uid = m->uid;
    ret->epoch = m->epoch;
    ret->session = m->session;
    ret->received = m->received;
    ret->early = m->early;
    if (hqi_wire_pb_text(&d, "Hello.software", m->software, MAX_SOFTWARE, &ret->software) &&
        hqi_wire_pb_blob(&d, "Hello.proof", m->proof, PROOF_BYTES, &ret->proof) &&
        hqi_wire_pb_within(&d, "Hello.proof (its length)", m->proof.len, PROOF_BYTES, PROOF_BYTES))
        hqi_wire_pb_blob(&d, "Hello.token", m->token, PB_SHORT, &ret->token);
    return d.code;
}

void hqi_wire_session_encode_welcome(const struct welcome *w, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__Welcome m = HQCORE__WELCOME__INIT;
    m.session = w->session;
    m.server_epoch = w->server_epoch;
    m.server_uid = hqi_wire_pb_bytes(w->server_uid);
    m.received = w->received;
    m.resumed = w->resumed;
    m.token = hqi_wire_pb_bytes(w->token);
    m.heartbeat_ms = w->heartbeat_ms;
    m.durable = w->durable;
    hqi_wire_pb_encode_finish(&e, &m, out);
}

int hqi_wire_session_decode_welcome(struct welcome *ret, struct bytes in, struct arena *mem, hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *ret = (struct welcome){0};
    const Hqcore__Welcome *m = hqi_wire_pb_unpack(&d, &hqcore__welcome__descriptor, in, SESSION_BUDGET);
    if (!m)
        return d.code;
    ret->session = m->session;
    ret->server_epoch = m->server_epoch;
    ret->received = m->received;
    ret->resumed = m->resumed;
    ret->heartbeat_ms = m->heartbeat_ms;
    ret->durable = m->durable;
    if (hqi_wire_pb_within(&d, "Welcome.session", m->session, 1, UINT64_MAX) &&
        hqi_wire_pb_within(&d, "Welcome.heartbeat_ms", m->heartbeat_ms, 1, UINT32_MAX) &&
        hqi_wire_pb_text(&d, "Welcome.server_uid", m->server_uid, PB_SHORT, &ret->server_uid))
        hqi_wire_pb_blob(&d, "Welcome.token", m->token, PB_SHORT, &ret->token);
    return d.code;
}

void hqi_wire_session_encode_refuse(const struct refuse *r, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__Refuse m = HQCORE__REFUSE__INIT;
    m.code = r->code;
    m.text = hqi_wire_pb_bytes(r->text);
    hqi_wire_pb_encode_finish(&e, &m, out);
}

int hqi_wire_session_decode_refuse(struct refuse *ret, struct bytes in, struct arena *mem, hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *ret = (struct refuse){0};
    const Hqcore__Refuse *m = hqi_wire_pb_unpack(&d, &hqcore__refuse__descriptor, in, SESSION_BUDGET);
    if (!m)
        return d.code;
    ret->code = m->code;
    hqi_wire_pb_text(&d, "Refuse.text", m->text, MAX_REASON, &ret->text);
    return d.code;
}
