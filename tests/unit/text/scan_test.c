/* SPDX-License-Identifier: MIT */
/* scan_test.c - the picture for long and odd input, and every grammar on garbage. */
#include "parse_case.h"

#include "text/array.h"
#include "text/resource_def.h"
#include "text/scan.h"
#include "text/stdio_spec.h"

static size_t line(const char *text, unsigned number, const char **from)
{
    for (; number > 0; number--)
        text = strchr(text, '\n') + 1;
    *from = text;
    return strcspn(text, "\n");
}

/* The character under the mark of the picture in `why`. */
static char marked(const char *why)
{
    const char *shown, *mark;
    size_t n = line(why, 1, &shown), column = line(why, 2, &mark) - 1;
    assert_int_equal(mark[column], '|');
    assert_true(column < n);
    return shown[column];
}

static void cuts_long_input(void **state)
{
    static const size_t places[] = {0, 1, 1499, 1500, 1501, 1999, 2000, 5000, 9998, 9999};
    char *in = malloc(10000);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct parse_bench b;
        bench_init(&b);
        memset(in, '1', 10000);
        in[places[i]] = 'x';
        struct scan s = scan_of((struct bytes){in, 10000}, &b.why);
        s.at = places[i];
        assert_int_equal(hqi_text_scan_bad_token(&s, (struct scan_want){0}), HQ_EINVAL);
        assert_true(b.why.n < 2000 + 2 * 1600 + 200);
        assert_int_equal(marked(b.why.p), 'x');
        bench_fini(&b);
    }
    free(in);
}

static void counts_characters(void **state)
{
    struct parse_bench b;
    struct scan s;
    bench_init(&b);
    s = scan_of(bytes_of("\xc3\xa9\xe2\x82\xacx"), &b.why);
    s.at = 5;
    hqi_text_scan_bad_token(&s, (struct scan_want){"thing", "y"});
    assert_string_equal(b.why.p, "Unexpected token found while attempting to parse thing, expected y:\n"
                                 "  \xc3\xa9\xe2\x82\xacx\n    |\n    --- Unexpected token `x`\n");
    bench_fini(&b);
}

static void never_splits_a_character(void **state)
{
    struct parse_bench b;
    char *in = malloc(9000);
    for (size_t i = 0; i < 3000; i++)
        memcpy(in + 3 * i, "\xe2\x82\xac", 3);
    bench_init(&b);
    struct scan s = scan_of((struct bytes){in, 9000}, &b.why);
    s.at = 4500;
    hqi_text_scan_bad_token(&s, (struct scan_want){0});
    const char *shown;
    size_t n = line(b.why.p, 1, &shown);
    assert_memory_equal(shown, "  ...\xe2\x82\xac", 8);
    assert_memory_equal(shown + n - 6, "\xe2\x82\xac...", 6);
    bench_fini(&b);
    free(in);
}

static void survives_garbage(void **state)
{
    uint64_t seed = 7;
    static const char alphabet[] = "0123456789,-:_ []x()\"=.rangesumcpuall!\xc3\xa9";
    for (int round = 0; round < 20000; round++) {
        struct parse_bench b;
        char in[24];
        size_t n = (size_t)round % sizeof in;
        struct text_array a;
        struct resource_def d;
        struct stdio_spec io;
        bench_init(&b);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 6364136223846793005ull + 1442695040888963407ull;
            in[i] = alphabet[(seed >> 33) % (sizeof alphabet)]; /* the closing NUL too */
        }
        const struct bytes bytes = {in, n};
        int rc = hqi_text_array_parse(&a, &b.mem, bytes, &b.why);
        assert_int_equal(rc == HQ_OK, b.why.n == 0);
        hqi_base_buf_clear(&b.why);
        rc = hqi_text_resource_def_parse(&d, &b.mem, bytes, &b.why);
        assert_int_equal(rc == HQ_OK, b.why.n == 0);
        hqi_base_buf_clear(&b.why);
        rc = hqi_text_resource_def_parse_cpus(&d, &b.mem, bytes, &b.why);
        assert_int_equal(rc == HQ_OK, b.why.n == 0);
        hqi_base_buf_clear(&b.why);
        rc = hqi_text_stdio_spec_parse(&io, &b.mem, bytes, &b.why);
        assert_int_equal(rc == HQ_OK, b.why.n == 0);
        bench_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cuts_long_input),
        cmocka_unit_test(counts_characters),
        cmocka_unit_test(never_splits_a_character),
        cmocka_unit_test(survives_garbage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
