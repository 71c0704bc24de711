/* SPDX-License-Identifier: MIT */
/* session_test.c - frame headers, HELLO, WELCOME, REFUSE. */
#include "same.h"

#include "base/limits.h"
#include "wire/version.h"

#define ROUNDS 50

static void header_layout(void **state)
{
    static const uint8_t expected[HQI_FRAME_HEADER] = {'h', 'q', 1, 4, 8, 7, 6, 5, 4, 3, 2, 1, 3, 0,
                                                       0,   0,   0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x80};
    struct frame f = {FRAME_DATA, 0x0102030405060708, 3, 0x8000000000000002, {0}}, back;
    uint8_t out[HQI_FRAME_HEADER + 3] = {0};
    hqi_wire_session_frame_header(out, &f);
    assert_memory_equal(out, expected, sizeof expected);
    memcpy(out + HQI_FRAME_HEADER, "xyz", 3);
    assert_int_equal(hqi_wire_session_frame_parse(&back, (struct bytes){(char *)out, sizeof out}, NULL),
                     HQ_OK);
    same_field(&f, &back, kind);
    same_field(&f, &back, session);
    same_field(&f, &back, number);
    same_field(&f, &back, ack);
    same_bytes(back.payload, bytes_of("xyz"));
}

static void bad_headers(void **state)
{
    static const struct {
        size_t n;
        uint8_t start[4];
        const char *text;
    } cases[] = {
        {0, {0}, "a frame of 0 bytes"},
        {HQI_FRAME_HEADER - 1, {'h', 'q', 1, 1}, "a frame of 27 bytes"},
        {HQI_FRAME_HEADER, {'h', 'q', 2, 1}, "a frame starts with 68 71 02"},
        {HQI_FRAME_HEADER, {'H', 'q', 1, 1}, "a frame starts with 48 71 01"},
        {HQI_FRAME_HEADER, {'h', 'q', 1, 0}, "a frame of the unknown kind 0"},
        {HQI_FRAME_HEADER, {'h', 'q', 1, 7}, "a frame of the unknown kind 7"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char in[HQI_FRAME_HEADER] = {0};
        struct frame f;
        hq_error err;
        memcpy(in, cases[i].start, 4);
        assert_int_equal(hqi_wire_session_frame_parse(&f, (struct bytes){in, cases[i].n}, &err), HQ_EPROTO);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
    }
}

static int decode_hello(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct hello h;
    return hqi_wire_session_decode_hello(&h, in, mem, err);
}

static int decode_welcome(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct welcome w;
    return hqi_wire_session_decode_welcome(&w, in, mem, err);
}

static int decode_refuse(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct refuse r;
    return hqi_wire_session_decode_refuse(&r, in, mem, err);
}

static void encode_hello(const void *value, struct buf *out)
{
    hqi_wire_session_encode_hello(value, out);
}

static void encode_welcome(const void *value, struct buf *out)
{
    hqi_wire_session_encode_welcome(value, out);
}

static void encode_refuse(const void *value, struct buf *out)
{
    hqi_wire_session_encode_refuse(value, out);
}

static void hello_round_trip(struct sample *s, struct buf *out)
{
    struct hello a = sample_hello(s), b;
    hqi_base_buf_clear(out);
    encode_hello(&a, out);
    assert_int_equal(hqi_wire_session_decode_hello(&b, hqi_base_buf_bytes(out), s->mem, NULL), HQ_OK);
    same_field(&a, &b, version);
    same_bytes(a.software, b.software);
    same_bytes(a.proof, b.proof);
    same_field(&a, &b, uid);
    same_field(&a, &b, epoch);
    same_field(&a, &b, session);
    same_field(&a, &b, received);
    same_bytes(a.token, b.token);
    same_field(&a, &b, early);
    hostile(hqi_base_buf_bytes(out), decode_hello);
    starved(&a, encode_hello);
}

static void welcome_round_trip(struct sample *s, struct buf *out)
{
    struct welcome a = sample_welcome(s), b;
    hqi_base_buf_clear(out);
    encode_welcome(&a, out);
    assert_int_equal(hqi_wire_session_decode_welcome(&b, hqi_base_buf_bytes(out), s->mem, NULL), HQ_OK);
    same_field(&a, &b, session);
    same_field(&a, &b, server_epoch);
    same_bytes(a.server_uid, b.server_uid);
    same_field(&a, &b, received);
    same_field(&a, &b, resumed);
    same_bytes(a.token, b.token);
    same_field(&a, &b, heartbeat_ms);
    same_field(&a, &b, durable);
    hostile(hqi_base_buf_bytes(out), decode_welcome);
    starved(&a, encode_welcome);
}

static void refuse_round_trip(struct sample *s, struct buf *out)
{
    struct refuse a = sample_refuse(s), b;
    hqi_base_buf_clear(out);
    encode_refuse(&a, out);
    assert_int_equal(hqi_wire_session_decode_refuse(&b, hqi_base_buf_bytes(out), s->mem, NULL), HQ_OK);
    same_field(&a, &b, code);
    same_bytes(a.text, b.text);
    hostile(hqi_base_buf_bytes(out), decode_refuse);
    starved(&a, encode_refuse);
}

static void round_trips(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct sample s = {seed, &mem};
        hello_round_trip(&s, &out);
        welcome_round_trip(&s, &out);
        refuse_round_trip(&s, &out);
        hqi_base_arena_clear(&mem);
    }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void hello_limits(void **state)
{
    char proof[33] = {0}, software[129];
    memset(software, 'x', sizeof software);
    const struct {
        struct hello h;
        int code;
        const char *text;
    } cases[] = {
        {{.version = HQI_WIRE_VERSION, .proof = {proof, 31}}, HQ_EPROTO, "Hello.proof (its length) is 31"},
        {{.version = HQI_WIRE_VERSION, .proof = {proof, 33}}, HQ_ELIMIT, "Hello.proof has 33 bytes"},
        {{.version = 9, .proof = {proof, 32}, .software = {software, 129}},
         HQ_ELIMIT,
         "Hello.software has 129 bytes"},
        {{.version = 9, .proof = {proof, 32}, .software = {proof, 1}},
         HQ_EPROTO,
         "Hello.software holds a zero byte"},
    };
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out;
        struct hello back;
        hq_error err;
        hqi_base_buf_init(&out, &hqi_base_alloc_libc);
        hqi_wire_session_encode_hello(&cases[i].h, &out);
        assert_int_equal(hqi_wire_session_decode_hello(&back, hqi_base_buf_bytes(&out), &mem, &err),
                         cases[i].code);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
        assert_int_equal(back.version, cases[i].h.version); /* the peer can be told */
        hqi_base_buf_fini(&out);
    }
    hqi_base_arena_fini(&mem);
}

static void long_hello_is_refused_unread(void **state)
{
    static const char zeros[HQI_MAX_HELLO + 1];
    struct hello h;
    hq_error err;
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_wire_session_decode_hello(&h, (struct bytes){zeros, sizeof zeros}, &mem, &err),
                     HQ_ELIMIT);
    assert_int_equal(mem.used, 0);
    hqi_base_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_layout),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(hello_limits),
        cmocka_unit_test(long_hello_is_refused_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
