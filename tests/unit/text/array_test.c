/* SPDX-License-Identifier: MIT */
/* array_test.c - lib/text/array.c and lib/text/selector.c. */
#include "parse_case.h"

#include "base/limits.h"
#include "text/array.h"
#include "text/selector.h"

static int parse_array(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct text_array a;
    int rc = hqi_text_array_parse(&a, &b->mem, in, why);
    if (rc >= 0)
        hqi_text_array_print(a.ranges, a.n, &b->out);
    return rc;
}

static const struct parse_case arrays[] = {
    {"34", "34", NULL, 0},
    {"34-40", "34-40", NULL, 0},
    {"101-101", "101", NULL, 0},
    {"0-10:2", "0-10:2", NULL, 0},
    {"2-10:3", "2-8:3", NULL, 0},
    {"1,3, 5-8", "1,3,5-8", NULL, 0},
    {"1,2,3", "1,2,3", NULL, 0},
    {"5,1", "5,1", NULL, 0},
    {" 4 ", "4", NULL, 0},
    {"\t4\n,\t5", "4,5", NULL, 0},
    {"1-1_000", "1-1000", NULL, 0},
    {"1_,2___0", "1,20", NULL, 0},
    {"0-4:2,1", "0-4:2,1", NULL, 0},
    {"4294967295", "4294967295", NULL, 0},
    {"1-4294967295", "1-4294967295", NULL, 0},
    {"0000000000000000000007", "7", NULL, 0},
    {"100-99", NULL, "--- Invalid range\n", 0},
    {"1-5:0", NULL, "--- Invalid range\n", 0},
    {"1-5:5", NULL, "--- Invalid range\n", 0},
    {"3-3:1", NULL, "--- Invalid range\n", 0},
    {"7:2", NULL, "--- Invalid range\n", 0},
    {"0-10,5", NULL, "--- Ranges overlap\n", 0},
    {"3,3", NULL, "--- Ranges overlap\n", 0},
    {"0-100:10,5-50:5", NULL, "--- Ranges overlap\n", 0},
    {"1,5-3", NULL, "  1,5-3\n    |\n    --- Invalid range\n", 0},
    {"-5", NULL, "Unexpected token `-`", 0},
    {"_1", NULL, "Unexpected token `_`", 0},
    {"1-", NULL, "  1-\n    |\n    --- Unexpected end of input\n", 0},
    {"1,,2", NULL, "  1,,2\n    |\n    --- Unexpected token `,`\n", 0},
    {"1,", NULL, "  1,\n    |\n    --- Unexpected end of input\n", 0},
    {",1", NULL, "Unexpected token `,`", 0},
    {"1 2", NULL, "  1 2\n    |\n    --- Unexpected token `2`\n", 0},
    {"1 - 2", NULL, "Unexpected token `-`", 0},
    {"1--2", NULL, NULL, 0},
    {"1-2-3", NULL, NULL, 0},
    {"1-2:1:1", NULL, NULL, 0},
    {"1.5", NULL, NULL, 0},
    {"0x10", NULL, NULL, 0},
    {"all", NULL, NULL, 0},
    {"\xc3\xa9", NULL, "Unexpected token `\xc3\xa9`", 0},
    {"1,\xc3\xa9", NULL, "    |\n    --- Unexpected token `\xc3\xa9`", 0},
    {"4294967296", NULL, "Cannot parse as 4-byte unsigned integer", 0},
    {"1-99999999999999999999999999", NULL, "parse end, expected something else:", 0},
    {"1-4:4294967296", NULL, "parse step, expected something else:", 0},
    {"0-4294967295", NULL, "More than 4294967295 ids", HQ_ELIMIT},
    {"0-4294967294,4294967295", NULL, "4294967296 ids", HQ_ELIMIT},
};

static void parses_arrays(void **state)
{
    CHECK_CASES(arrays, parse_array);
}

/* Whole messages, as people know them. */
static const struct parse_case pictures[] = {
    {"3-1", NULL,
     "Unexpected end of input found while attempting to parse Integer range, expected something else:\n"
     "  3-1\n  |\n  --- Invalid range\n", 0},
    {"1-10:0", NULL,
     "Unexpected end of input found while attempting to parse Integer range, expected something else:\n"
     "  1-10:0\n  |\n  --- Invalid range\n", 0},
    {"a", NULL,
     "Unexpected token found while attempting to parse number, expected something else:\n"
     "  a\n  |\n  --- Unexpected token `a`\n", 0},
    {"-1", NULL,
     "Unexpected token found while attempting to parse number, expected something else:\n"
     "  -1\n  |\n  --- Unexpected token `-`\n", 0},
    {"12-x", NULL,
     "Unexpected token found while attempting to parse number, expected something else:\n"
     "  12-x\n     |\n     --- Unexpected token `x`\n", 0},
    {"1,1", NULL,
     "Unexpected end of input found, expected something else:\n"
     "  1,1\n  |\n  --- Ranges overlap\n", 0},
    {"1-3,2-5", NULL,
     "Unexpected end of input found, expected something else:\n"
     "  1-3,2-5\n  |\n  --- Ranges overlap\n", 0},
    {"", NULL,
     "Unexpected end of input found while attempting to parse number, expected something else:\n"
     "(the input was empty)", 0},
    {"4294967296", NULL,
     "Unexpected end of input found while attempting to parse start, expected something else:\n"
     "  4294967296\n  |\n  --- Cannot parse as 4-byte unsigned integer\n", 0},
};

static void draws_pictures(void **state)
{
    for (size_t i = 0; i < sizeof pictures / sizeof *pictures; i++) {
        struct parse_bench b;
        struct selector sel;
        bench_init(&b);
        assert_int_equal(parse_array(&b, bytes_of(pictures[i].in), &b.why), HQ_EINVAL);
        assert_string_equal(b.why.p, pictures[i].why);
        hqi_base_buf_clear(&b.why);
        assert_int_equal(hqi_text_selector_parse(&sel, &b.mem, bytes_of(pictures[i].in), false, &b.why), HQ_EINVAL);
        assert_string_equal(b.why.p, pictures[i].why);
        bench_fini(&b);
    }
}

static void print_selector(const struct selector *sel, struct buf *out)
{
    if (sel->kind == SELECT_IDS)
        hqi_model_intset_text(&sel->ids, out);
    else
        hqi_base_buf_adds(out, sel->kind == SELECT_ALL ? "ALL" : "LAST");
}

static int parse_any(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct selector sel;
    int rc = hqi_text_selector_parse(&sel, &b->mem, in, false, why);
    if (rc >= 0)
        print_selector(&sel, &b->out);
    return rc;
}

static int parse_no_all(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct selector sel;
    int rc = hqi_text_selector_parse(&sel, &b->mem, in, true, why);
    if (rc >= 0)
        print_selector(&sel, &b->out);
    return rc;
}

static int parse_single(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct selector sel;
    int rc = hqi_text_selector_parse_single(&sel, &b->mem, in, why);
    if (rc >= 0)
        print_selector(&sel, &b->out);
    return rc;
}

static const struct parse_case any[] = {
    {"last", "LAST", NULL, 0},
    {"all", "ALL", NULL, 0},
    {"3,1-2", "1-2,3", NULL, 0},
    {"All", NULL, "Unexpected token `A`", 0},
    {" all", NULL, NULL, 0},
    {"lastly", NULL, NULL, 0},
    {"1-1000000", "1-1000000", NULL, 0},
    {"1-1000001", NULL, "1000001 ids selected, at most 1000000 are allowed", HQ_ELIMIT},
};
static const struct parse_case no_all[] = {
    {"last", "LAST", NULL, 0},
    {"7", "7", NULL, 0},
    {"all", NULL, "Unexpected token `a`", 0},
};
static const struct parse_case single[] = {
    {"last", "LAST", NULL, 0},
    {"7", "7", NULL, 0},
    {"4294967295", "4294967295", NULL, 0},
    {"4294967296", NULL, "number too large to fit in target type", 0},
    {"1_0", NULL, "invalid digit found in string", 0},
    {"1-2", NULL, "invalid digit found in string", 0},
    {"all", NULL, "invalid digit found in string", 0},
    {"", NULL, "cannot parse integer from empty string", 0},
};

static void parses_selectors(void **state)
{
    CHECK_CASES(any, parse_any);
    CHECK_CASES(no_all, parse_no_all);
    CHECK_CASES(single, parse_single);
}

static void takes_many_ranges(void **state)
{
    struct parse_bench b;
    struct text_array a;
    struct buf in;
    bench_init(&b);
    hqi_base_buf_init(&in, &hqi_base_alloc_libc);
    for (uint32_t i = 0; i < HQI_MAX_RANGES; i++)
        hqi_base_buf_addf(&in, i ? ",%u" : "%u", 2 * i);
    assert_int_equal(hqi_text_array_parse(&a, &b.mem, hqi_base_buf_bytes(&in), &b.why), HQ_OK);
    assert_int_equal(a.n, HQI_MAX_RANGES);
    assert_int_equal(a.ids.count, HQI_MAX_RANGES);
    hqi_base_buf_adds(&in, ",1");
    assert_int_equal(hqi_text_array_parse(&a, &b.mem, hqi_base_buf_bytes(&in), &b.why), HQ_ELIMIT);
    assert_true(b.why.n < 3000);
    hqi_base_buf_fini(&in);
    bench_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_arrays),
        cmocka_unit_test(draws_pictures),
        cmocka_unit_test(parses_selectors),
        cmocka_unit_test(takes_many_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
