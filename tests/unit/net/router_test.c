/* SPDX-License-Identifier: MIT */
/* router_test.c - peers that do not mean well: no secret, half a handshake, garbage, replays, floods. Each costs a
 * line of the log at most, and a well-behaved peer beside them notices nothing. */
#include "stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "wire/session.h"
#include "wire/version.h"

/* ---- a peer that speaks the frames by hand ---- */

struct raw {
    struct stage *stage;
    void *zmq;
    uint8_t proof[32];
    struct welcome w; /* of the last WELCOME; token in `token` */
    char token[64];
    struct refuse r; /* of the last REFUSE; text in `text` */
    char text[600];
};

static void raw_open(struct raw *raw, struct stage *s, bool curve, const char *routing_id)
{
    uint8_t server_secret[32], server_public[32], secret[32], public[32];
    char endpoint[64];
    const int none = 0;
    *raw = (struct raw){.stage = s, .zmq = zmq_socket(s->zmq, ZMQ_DEALER)};
    assert_non_null(raw->zmq);
    zmq_setsockopt(raw->zmq, ZMQ_LINGER, &none, sizeof none);
    if (routing_id)
        zmq_setsockopt(raw->zmq, ZMQ_ROUTING_ID, routing_id, strlen(routing_id));
    if (curve) {
        hqi_net_keys_server(s->secret, "worker", server_secret, server_public);
        assert_int_equal(hqi_net_keys_pair(secret, public), HQ_OK);
        zmq_setsockopt(raw->zmq, ZMQ_CURVE_SERVERKEY, server_public, 32);
        zmq_setsockopt(raw->zmq, ZMQ_CURVE_SECRETKEY, secret, 32);
        zmq_setsockopt(raw->zmq, ZMQ_CURVE_PUBLICKEY, public, 32);
    }
    hqi_net_keys_proof(s->secret, raw->proof);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", s->options.port);
    assert_int_equal(zmq_connect(raw->zmq, endpoint), 0);
}

static void raw_close(struct raw *raw)
{
    zmq_close(raw->zmq);
}

static void raw_send(struct raw *raw, const void *p, size_t n)
{
    assert_int_equal(zmq_send(raw->zmq, p, n, ZMQ_DONTWAIT), (int)n);
}

static void raw_frame(struct raw *raw, struct frame f)
{
    char room[HQI_FRAME_HEADER + 8192];
    hqi_wire_session_frame_header((uint8_t *)room, &f);
    if (f.payload.n)
        memcpy(room + HQI_FRAME_HEADER, f.payload.p, f.payload.n);
    raw_send(raw, room, HQI_FRAME_HEADER + f.payload.n);
}

static struct hello raw_hello(const struct raw *raw)
{
    return (struct hello){.version = HQI_WIRE_VERSION,
                          .software = bytes_of("raw 9.9"),
                          .proof = {(const char *)raw->proof, 32},
                          .uid = (uint64_t)(uintptr_t)raw,
                          .epoch = 1};
}

static void raw_say(struct raw *raw, const struct hello *h)
{
    struct buf b;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    hqi_wire_session_encode_hello(h, &b);
    assert_false(b.failed);
    raw_frame(raw, (struct frame){.kind = FRAME_HELLO, .payload = hqi_base_buf_bytes(&b)});
    hqi_base_buf_fini(&b);
}

/* The kind of the next frame that comes within `ms`, or 0. */
static int raw_hear(struct raw *raw, unsigned ms)
{
    static char room[1 << 16];
    struct arena mem;
    struct frame f;
    uint64_t end = stage_ms() + ms;
    int n;
    while ((n = zmq_recv(raw->zmq, room, sizeof room, ZMQ_DONTWAIT)) < 0) {
        if (stage_ms() > end)
            return 0;
        stage_round(raw->stage, 2);
    }
    assert_int_equal(hqi_wire_session_frame_parse(&f, (struct bytes){room, (size_t)n}, NULL), HQ_OK);
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (f.kind == FRAME_WELCOME) {
        assert_int_equal(hqi_wire_session_decode_welcome(&raw->w, f.payload, &mem, NULL), HQ_OK);
        assert_true(raw->w.token.n >= 16 && raw->w.token.n <= sizeof raw->token);
        memcpy(raw->token, raw->w.token.p, raw->w.token.n);
        raw->w.token.p = raw->token;
    } else if (f.kind == FRAME_REFUSE) {
        assert_int_equal(hqi_wire_session_decode_refuse(&raw->r, f.payload, &mem, NULL), HQ_OK);
        assert_int_equal(f.session, 0);
        snprintf(raw->text, sizeof raw->text, "%.*s", (int)raw->r.text.n, raw->r.text.p);
    }
    hqi_base_arena_fini(&mem);
    return f.kind;
}

static void raw_join(struct raw *raw)
{
    const struct hello h = raw_hello(raw);
    raw_say(raw, &h);
    assert_int_equal(raw_hear(raw, 3000), FRAME_WELCOME);
    assert_false(raw->w.resumed);
    assert_int_not_equal(raw->w.session, 0);
}

static void raw_data(struct raw *raw, uint64_t session, uint64_t number, uint32_t k)
{
    raw_frame(raw, (struct frame){.kind = FRAME_DATA,
                                  .session = session,
                                  .number = number,
                                  .payload = {(const char *)&k, sizeof k}});
}

/* ---- the stage: a router, and a link that means well ---- */

struct scene {
    struct stage s;
    struct near good;
};

static int set_up(void **state)
{
    struct scene *c = malloc(sizeof *c);
    stage_init(&c->s);
    c->s.options.resume_ms = 300;
    stage_listen(&c->s);
    near_open(&c->good, &c->s);
    stage_far(&c->s, 0)->echo = true;
    *state = c;
    return 0;
}

static void assert_good(struct scene *c)
{
    near_send(&c->good, 100);
    UNTIL(&c->s, c->good.got == c->good.sent, 2000);
    assert_int_equal(c->good.drops, 0);
    assert_int_equal(c->good.code, 0);
}

static int tear_down(void **state)
{
    struct scene *c = *state;
    assert_good(c);
    near_free(&c->good);
    stage_fini(&c->s);
    free(c);
    return 0;
}

/* ---- before the handshake is done ---- */

static int tcp_open(struct stage *s)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(s->options.port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void test_tcp_garbage(void **state)
{
    struct scene *c = *state;
    static const char *const garbage[] = {"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                                          "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                          "\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL", "x", ""};
    char block[4096];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i * 7919 >> 3);
    for (size_t i = 0; i < 60; i++) {
        int fd = tcp_open(&c->s);
        const char *g = garbage[i % 5];
        send(fd, g, strlen(g), MSG_NOSIGNAL);
        if (i % 2)
            send(fd, block, sizeof block, MSG_NOSIGNAL);
        stage_round(&c->s, 1);
        close(fd);
    }
    stage_run_for(&c->s, 100);
    assert_int_equal(c->s.n_fars, 1);
    assert_in_range(c->s.lines, 1, 3); /* not 60 */
    assert_good(c);
}

static void test_no_curve(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, false, NULL);
    const struct hello h = raw_hello(&raw);
    raw_say(&raw, &h);
    assert_int_equal(raw_hear(&raw, 200), 0);
    assert_int_equal(c->s.n_fars, 1);
    assert_true(c->s.lines >= 1);
    raw_close(&raw);
}

/* ---- behind it, without a session ---- */

static void test_no_hello(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, true, NULL);
    assert_int_equal(raw_hear(&raw, 100), 0);
    assert_int_equal(c->s.n_fars, 1);
    assert_int_equal(c->s.lines, 0);
    raw_close(&raw);
}

static void test_first_messages(void **state)
{
    static char large[5000];
    static const struct {
        const char *what, *bytes;
        size_t n;
        const char *line;
    } cases[] = {
        {"empty", "", 0, "a frame of 0 bytes"},
        {"short", "hq\x01\x01", 4, "a frame of 4 bytes"},
        {"not ours", "GET / HTTP/1.1\r\nHost: a.b.c.d\r\n", 31, "starts with 47 45 54"},
        {"of an unknown kind", "hq\x01\x09nnnnnnnnnnnnnnnnnnnnnnnnnnnn", 32, "unknown kind 9"},
        {"5 kB", large, sizeof large, "a first message of 5000 bytes"},
        {"a welcome", "hq\x01\x02nnnnnnnnnnnnnnnnnnnnnnnnnnnn", 32, "only servers send"},
        {"a hello of garbage", "hq\x01\x01nnnnnnnnnnnnnnnnnnnnnnnn\xff\xff\xff\xff", 32, "Hello"},
    };
    struct scene *c = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw raw;
        unsigned before = c->s.lines;
        c->s.skew_ns += 2 * HQI_SEC; /* past the second in which no further line is written */
        raw_open(&raw, &c->s, true, NULL);
        raw_send(&raw, cases[i].bytes, cases[i].n);
        UNTIL(&c->s, c->s.lines > before, 3000);
        if (!strstr(c->s.line, cases[i].line) || !strstr(c->s.line, "worker plane") || !strstr(c->s.line, "127.0.0.1"))
            fail_msg("%s: %s", cases[i].what, c->s.line);
        raw_close(&raw);
    }
    assert_int_equal(c->s.n_fars, 1);
}

static void test_several_parts_and_own_routing_id(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, true, NULL);
    zmq_send(raw.zmq, "hq", 2, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(raw.zmq, "hq", 2, ZMQ_SNDMORE | ZMQ_DONTWAIT);
    zmq_send(raw.zmq, "hq", 2, ZMQ_DONTWAIT);
    raw_join(&raw); /* what came before did not harm */
    assert_non_null(strstr(c->s.line, "several parts"));
    raw_close(&raw);
    c->s.skew_ns += 2 * HQI_SEC;
    raw_open(&raw, &c->s, true, "i am the server");
    const struct hello h = raw_hello(&raw);
    raw_say(&raw, &h);
    assert_int_equal(raw_hear(&raw, 200), 0);
    assert_non_null(strstr(c->s.line, "routing id"));
    raw_close(&raw);
}

static void test_wrong_proof(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, true, NULL);
    raw.proof[31] ^= 1;
    const struct hello h = raw_hello(&raw);
    raw_say(&raw, &h);
    assert_int_equal(raw_hear(&raw, 3000), FRAME_REFUSE);
    assert_int_equal(raw.r.code, HQ_EAUTH);
    assert_string_equal(raw.text, "the server does not accept this access key");
    assert_int_equal(c->s.n_fars, 1);
    assert_int_equal(c->s.lines, 1);
    raw_close(&raw);
}

static void test_wrong_version(void **state)
{
    static const uint32_t versions[] = {HQI_WIRE_VERSION + 1, 0, UINT32_MAX};
    struct scene *c = *state;
    for (size_t i = 0; i < 3; i++) {
        struct raw raw;
        char both[2][64];
        raw_open(&raw, &c->s, true, NULL);
        struct hello h = raw_hello(&raw);
        h.version = versions[i];
        if (i == 2)
            h.proof = (struct bytes){0}; /* of a version that proves otherwise */
        raw_say(&raw, &h);
        assert_int_equal(raw_hear(&raw, 3000), FRAME_REFUSE);
        assert_int_equal(raw.r.code, HQ_EVERSION);
        snprintf(both[0], sizeof both[0], "speaks version %d ", HQI_WIRE_VERSION);
        snprintf(both[1], sizeof both[1], "(raw 9.9) version %u;", versions[i]);
        if (!strstr(raw.text, both[0]) || (i < 2 && !strstr(raw.text, both[1])))
            fail_msg("%s", raw.text);
        raw_close(&raw);
    }
    assert_int_equal(c->s.n_fars, 1);
}

static void test_frames_of_unknown_sessions(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, true, NULL);
    raw_data(&raw, 4711, 1, 1);
    assert_int_equal(raw_hear(&raw, 3000), FRAME_REFUSE);
    assert_int_equal(raw.r.code, HQ_ECLOSED);
    assert_string_equal(raw.text, "unknown session");
    raw_frame(&raw, (struct frame){.kind = FRAME_ALIVE, .session = 4711});
    assert_int_equal(raw_hear(&raw, 3000), FRAME_REFUSE);
    struct hello h = raw_hello(&raw);
    h.session = 4711;
    h.token = bytes_of("0123456789abcdef");
    raw_say(&raw, &h);
    assert_int_equal(raw_hear(&raw, 3000), FRAME_REFUSE);
    assert_int_equal(raw.r.code, HQ_ECLOSED);
    raw_frame(&raw, (struct frame){.kind = FRAME_BYE, .session = 4711});
    assert_int_equal(raw_hear(&raw, 100), 0); /* a goodbye needs no answer */
    raw_close(&raw);
}

/* ---- with a session of its own ---- */

static void test_frames_of_another_session(void **state)
{
    struct scene *c = *state;
    struct raw a, stranger;
    raw_open(&a, &c->s, true, NULL);
    raw_join(&a);
    raw_open(&stranger, &c->s, true, NULL);
    uint64_t victim = stage_far(&c->s, 0)->id;
    for (uint64_t k = 1; k < 20; k++) {
        raw_data(&a, victim, k, (uint32_t)k);
        raw_data(&stranger, victim, k, (uint32_t)k);
        raw_frame(&a, (struct frame){.kind = FRAME_BYE, .session = victim});
        raw_frame(&stranger, (struct frame){.kind = FRAME_BYE, .session = victim});
    }
    assert_int_equal(raw_hear(&stranger, 3000), FRAME_REFUSE);
    raw_data(&a, a.w.session, 1, 1);
    UNTIL(&c->s, stage_far(&c->s, 1)->got == 1, 2000); /* its own session lives on */
    assert_int_equal(stage_far(&c->s, 0)->got, 0);
    assert_non_null(stage_far(&c->s, 0)->peer);
    assert_in_range(c->s.lines, 1, 2);
    raw_close(&a);
    raw_close(&stranger);
}

static void test_early_frames(void **state)
{
    struct scene *c = *state;
    struct raw a, again, late;
    raw_open(&a, &c->s, true, NULL);
    struct hello h = raw_hello(&a);
    h.epoch = 5;
    raw_say(&a, &h);
    raw_data(&a, 0, 1, 1);
    assert_int_equal(raw_hear(&a, 3000), FRAME_WELCOME);
    UNTIL(&c->s, stage_far(&c->s, 1)->got == 1, 2000);
    raw_open(&late, &c->s, true, NULL);
    h.early = 1;
    raw_say(&late, &h); /* of the same epoch */
    assert_int_equal(raw_hear(&late, 100), 0);
    raw_open(&again, &c->s, true, NULL);
    h.epoch = 6;
    raw_say(&again, &h);
    assert_int_equal(raw_hear(&again, 3000), FRAME_WELCOME);
    assert_true(again.w.resumed);
    assert_int_equal(again.w.received, 1);
    assert_int_equal(again.w.session, stage_far(&c->s, 1)->id);
    raw_data(&again, again.w.session, 2, 2);
    raw_data(&again, 0, 3, 3); /* it knows the id now */
    UNTIL(&c->s, c->s.lines == 1, 2000);
    assert_non_null(strstr(c->s.line, "a frame of another peer's session"));
    assert_int_equal(stage_far(&c->s, 1)->got, 2);
    h.epoch = 7;
    raw_close(&late);
    raw_open(&late, &c->s, true, NULL);
    raw_say(&late, &h); /* nor is there one any more whose WELCOME can have gone astray */
    assert_int_equal(raw_hear(&late, 3000), FRAME_WELCOME);
    assert_false(late.w.resumed);
    raw_close(&a);
    raw_close(&again);
    raw_close(&late);
}

/* The server was busy, and its peer had told its user meanwhile that it could not be reached. */
static void test_early_frames_of_whoever_has_given_up(void **state)
{
    struct scene *c = *state;
    struct raw a;
    raw_open(&a, &c->s, true, NULL);
    const struct hello h = raw_hello(&a);
    raw_say(&a, &h);
    raw_data(&a, 0, 1, 1);
    poll(NULL, 0, 100); /* libzmq's threads bring it in, and then the end */
    raw_close(&a);
    poll(NULL, 0, 100);
    UNTIL(&c->s, c->s.n_fars == 2, 2000);
    stage_run_for(&c->s, 50);
    assert_int_equal(stage_far(&c->s, 1)->got, 0);
    raw_open(&a, &c->s, true, NULL); /* had it not given up: */
    struct hello again = h;
    again.epoch++;
    again.early = 1;
    raw_say(&a, &again);
    assert_int_equal(raw_hear(&a, 3000), FRAME_WELCOME);
    assert_true(a.w.resumed);
    assert_int_equal(a.w.received, 0);
    raw_data(&a, a.w.session, 1, 1);
    UNTIL(&c->s, stage_far(&c->s, 1)->got == 1, 2000);
    raw_close(&a);
}

/* The one before was never answered either, and never had any frames. */
static void test_early_frames_are_in_the_latest_session(void **state)
{
    struct scene *c = *state;
    struct raw first, second, third;
    raw_open(&first, &c->s, true, NULL);
    struct hello h = raw_hello(&first);
    raw_say(&first, &h);
    assert_int_equal(raw_hear(&first, 3000), FRAME_WELCOME);
    raw_open(&second, &c->s, true, NULL);
    h.epoch = 2;
    raw_say(&second, &h);
    raw_data(&second, 0, 1, 1);
    assert_int_equal(raw_hear(&second, 3000), FRAME_WELCOME);
    UNTIL(&c->s, stage_far(&c->s, 2)->got == 1, 2000);
    raw_open(&third, &c->s, true, NULL);
    h.epoch = 3;
    h.early = 1;
    raw_say(&third, &h);
    assert_int_equal(raw_hear(&third, 3000), FRAME_WELCOME);
    assert_true(third.w.resumed);
    assert_int_equal(third.w.received, 1);
    assert_int_equal(third.w.session, stage_far(&c->s, 2)->id);
    raw_close(&first);
    raw_close(&second);
    raw_close(&third);
}

/* Else what left behind it, and has been sent again in the session that goes on, would be acted on twice. */
static void test_a_late_hello_begins_no_session(void **state)
{
    struct scene *c = *state;
    struct raw first, late, third;
    raw_open(&first, &c->s, true, NULL);
    struct hello h = raw_hello(&first), second = h;
    raw_say(&first, &h);
    assert_int_equal(raw_hear(&first, 3000), FRAME_WELCOME);
    raw_open(&third, &c->s, true, NULL);
    h.epoch = 3;
    h.early = 1;
    raw_say(&third, &h);
    assert_int_equal(raw_hear(&third, 3000), FRAME_WELCOME);
    assert_true(third.w.resumed);
    assert_int_equal(third.w.received, 0);
    raw_data(&third, third.w.session, 1, 1);
    raw_open(&late, &c->s, true, NULL);
    second.epoch = 2;
    raw_say(&late, &second);
    raw_data(&late, 0, 1, 1);
    assert_int_equal(raw_hear(&late, 100), 0);
    UNTIL(&c->s, stage_far(&c->s, 1)->got == 1, 2000);
    assert_int_equal(c->s.n_fars, 2);
    raw_close(&first);
    raw_close(&late);
    raw_close(&third);
}

static void test_resume_needs_the_token(void **state)
{
    struct scene *c = *state;
    struct raw a, thief;
    raw_open(&a, &c->s, true, NULL);
    raw_join(&a);
    raw_open(&thief, &c->s, true, NULL);
    for (int i = 0; i < 4; i++) {
        struct hello h = raw_hello(&a);
        h.session = a.w.session;
        h.epoch = 2;
        h.token = a.w.token;
        if (i == 0)
            h.token = bytes_of("0123456789abcdef");
        else if (i == 1)
            h.token.n = 0;
        else if (i == 2)
            h.token.n--;
        else
            h.uid++;
        raw_say(&thief, &h);
        assert_int_equal(raw_hear(&thief, 3000), FRAME_REFUSE);
        assert_int_equal(thief.r.code, HQ_EAUTH);
    }
    raw_data(&a, a.w.session, 1, 1);
    UNTIL(&c->s, stage_far(&c->s, 1)->got == 1, 2000);
    raw_close(&a);
    raw_close(&thief);
}

static void test_resume(void **state)
{
    struct scene *c = *state;
    struct raw a, b;
    raw_open(&a, &c->s, true, NULL);
    raw_join(&a);
    struct far *f = stage_far(&c->s, 1);
    raw_data(&a, a.w.session, 1, 1);
    raw_data(&a, a.w.session, 2, 2);
    far_send(f, 8);
    far_send(f, 8);
    assert_int_equal(raw_hear(&a, 3000), FRAME_DATA);
    UNTIL(&c->s, f->got == 2, 2000);
    struct hello h = raw_hello(&a);
    h.session = a.w.session;
    h.token = a.w.token;
    h.received = 1;

    raw_open(&b, &c->s, true, NULL); /* while the old connection still stands */
    raw_say(&b, &h);
    assert_int_equal(raw_hear(&b, 200), 0); /* not newer than what is known: out of an old connection */
    h.epoch = 2;
    raw_say(&b, &h);
    assert_int_equal(raw_hear(&b, 3000), FRAME_WELCOME);
    assert_true(b.w.resumed);
    assert_int_equal(b.w.received, 2);
    assert_int_equal(raw_hear(&b, 3000), FRAME_DATA); /* the second, again */

    raw_data(&a, a.w.session, 3, 3); /* the old connection counts no more */
    while (raw_hear(&a, 3000) != FRAME_REFUSE)
        ;
    assert_int_equal(f->got, 2);
    raw_data(&b, a.w.session, 3, 3);
    UNTIL(&c->s, f->got == 3, 2000);
    raw_close(&a);
    raw_close(&b);
}

static void test_broken_peers(void **state)
{
    struct scene *c = *state;
    static const struct {
        const char *what;
        struct frame f; /* session: filled in */
        const char *garbage;
    } cases[] = {
        {"a gap", {.kind = FRAME_DATA, .number = 2, .payload = {"xxxx", 4}}, NULL},
        {"no number", {.kind = FRAME_DATA, .number = 0, .payload = {"xxxx", 4}}, NULL},
        {"an acknowledgement of nothing", {.kind = FRAME_ALIVE, .ack = 1}, NULL},
        {"a welcome", {.kind = FRAME_WELCOME}, NULL},
        {"a refusal", {.kind = FRAME_REFUSE}, NULL},
        {"a second hello", {.kind = FRAME_HELLO}, NULL},
        {"garbage", {0}, "this is no frame at all, not even nearly"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct raw raw;
        raw_open(&raw, &c->s, true, NULL);
        raw_join(&raw);
        struct far *f = stage_far(&c->s, c->s.n_fars - 1);
        struct frame frame = cases[i].f;
        frame.session = raw.w.session;
        if (cases[i].garbage)
            raw_send(&raw, cases[i].garbage, strlen(cases[i].garbage));
        else
            raw_frame(&raw, frame);
        UNTIL(&c->s, f->loss, 2000);
        if (f->loss != PEER_BROKEN || f->got != 0 || f->peer)
            fail_msg("%s: lost for reason %d", cases[i].what, f->loss);
        assert_int_equal(raw_hear(&raw, 2000), FRAME_REFUSE);
        assert_int_equal(raw.r.code, HQ_EPROTO);
        assert_null(hqi_net_router_find(c->s.router, f->id));
        raw_close(&raw);
    }
}

static void test_impossible_resume(void **state)
{
    struct scene *c = *state;
    struct raw a, b;
    raw_open(&a, &c->s, true, NULL);
    raw_join(&a);
    raw_open(&b, &c->s, true, NULL);
    struct hello h = raw_hello(&a);
    h.session = a.w.session;
    h.token = a.w.token;
    h.epoch = 2;
    h.received = 5; /* nothing was ever sent to it */
    raw_say(&b, &h);
    assert_int_equal(raw_hear(&b, 3000), FRAME_REFUSE);
    assert_int_equal(b.r.code, HQ_EPROTO);
    assert_int_equal(stage_far(&c->s, 1)->loss, PEER_BROKEN);
    raw_close(&a);
    raw_close(&b);
}

/* A message that is larger than the limit: libzmq cuts the connection before it is in memory. */
static void test_too_large(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    raw_open(&raw, &c->s, true, NULL);
    raw_join(&raw);
    size_t n = HQI_MAX_MESSAGE + 4096;
    char *large = calloc(1, n);
    raw_send(&raw, large, n);
    free(large);
    UNTIL(&c->s, stage_far(&c->s, 1)->loss, 8000);
    assert_int_equal(stage_far(&c->s, 1)->loss, PEER_DROPPED);
    raw_close(&raw);
}

/* Several at once, beside 5,000 frames of garbage. */
static void test_flood(void **state)
{
    struct scene *c = *state;
    struct raw raw;
    unsigned before = c->s.lines;
    raw_open(&raw, &c->s, true, NULL);
    for (int i = 0; i < 5000; i++) {
        if (zmq_send(raw.zmq, "garbage garbage garbage garbage", 31, ZMQ_DONTWAIT) < 0)
            stage_round(&c->s, 1);
        if (i % 500 == 0)
            near_send(&c->good, 100);
    }
    UNTIL(&c->s, c->good.got == c->good.sent, 3000);
    assert_in_range(c->s.lines - before, 1, 4);
    assert_int_equal(c->s.n_fars, 1);
    raw_close(&raw);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_tcp_garbage),
        T(test_no_curve),
        T(test_no_hello),
        T(test_first_messages),
        T(test_several_parts_and_own_routing_id),
        T(test_wrong_proof),
        T(test_wrong_version),
        T(test_frames_of_unknown_sessions),
        T(test_frames_of_another_session),
        T(test_early_frames),
        T(test_early_frames_of_whoever_has_given_up),
        T(test_early_frames_are_in_the_latest_session),
        T(test_a_late_hello_begins_no_session),
        T(test_resume_needs_the_token),
        T(test_resume),
        T(test_broken_peers),
        T(test_impossible_resume),
        T(test_too_large),
        T(test_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
