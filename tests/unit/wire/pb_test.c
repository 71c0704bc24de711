/* SPDX-License-Identifier: MIT */
/* pb_test.c - the checks that every decoder stands on. */
#include "same.h"

#include "wire/columns.h"
#include "wire/pb.h"

static void utf8(void **state)
{
    static const struct {
        const char *s;
        bool valid;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\x7f", true},
        {"\xc2\x80", true},
        {"\xdf\xbf", true},
        {"\xe0\xa0\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xee\x80\x80", true},
        {"\xf0\x90\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},
        {"\x80", false},             /* continuation alone */
        {"a\xc2", false},            /* cut */
        {"\xe2\x82", false},         /* cut */
        {"\xf0\x9f\x9a", false},     /* cut */
        {"\xc0\x80", false},         /* overlong */
        {"\xc1\xbf", false},         /* overlong */
        {"\xe0\x9f\xbf", false},     /* overlong */
        {"\xf0\x8f\xbf\xbf", false}, /* overlong */
        {"\xed\xa0\x80", false},     /* surrogate */
        {"\xf4\x90\x80\x80", false}, /* beyond U+10FFFF */
        {"\xf5\x80\x80\x80", false},
        {"\xff", false},
        {"\xe2\x28\xa1", false}, /* bad second byte */
        {"\xe2\x82\x28", false}, /* bad third byte */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (hqi_wire_pb_utf8(cases[i].s, strlen(cases[i].s)) != cases[i].valid)
            fail_msg("case %zu", i);
}

/* Differences wrap: every pair of neighbours comes back, however far apart. */
static void differences(void **state)
{
    static const uint32_t narrow[] = {0, UINT32_MAX, 0, 1, 0x80000000, 0x7fffffff, UINT32_MAX - 1, 5};
    static const uint64_t wide[] = {0, UINT64_MAX, 0, 1, UINT64_C(1) << 63, (UINT64_C(1) << 63) - 1, 5};
    enum { NARROW = sizeof narrow / sizeof *narrow, WIDE = sizeof wide / sizeof *wide };
    struct buf out;
    struct encode e;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_pb_encode_init(&e, &out);
    assert_memory_equal(hqi_wire_columns_sum32(hqi_wire_columns_differ32(&e, narrow, NARROW), NARROW), narrow,
                        sizeof narrow);
    assert_memory_equal(hqi_wire_columns_sum64(hqi_wire_columns_differ64(&e, wide, WIDE), WIDE), wide,
                        sizeof wide);
    hqi_wire_pb_encode_finish(&e, NULL, &out);
    assert_true(out.failed); /* nothing to pack is a failure, too */
    hqi_base_buf_fini(&out);
}

static void cut_columns(void **state)
{
    static const struct {
        uint32_t lengths[3];
        size_t blob;
        bool good;
    } cases[] = {
        {{1, 0, 2}, 3, true},
        {{0, 0, 0}, 0, true},
        {{1, 0, 2}, 2, false},
        {{1, 0, 2}, 4, false},
        {{UINT32_MAX, UINT32_MAX, 2}, 0, false}, /* their sum wraps in 32 bits */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena mem;
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
        struct decode d = {.mem = &mem};
        ProtobufCBinaryData blob = {cases[i].blob, (uint8_t *)"abcd"};
        struct bytes *v = hqi_wire_columns_cut(&d, "M.f", cases[i].lengths, 3, blob);
        assert_true(!!v == cases[i].good);
        assert_int_equal(d.code, cases[i].good ? HQ_OK : HQ_EPROTO);
        if (cases[i].blob == 3) {
            same_bytes(v[0], bytes_of("a"));
            same_bytes(v[1], bytes_of(""));
            same_bytes(v[2], bytes_of("bc"));
        }
        hqi_base_arena_fini(&mem);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8),
        cmocka_unit_test(differences),
        cmocka_unit_test(cut_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
