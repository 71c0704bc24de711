/* SPDX-License-Identifier: MIT */
/* request_test.c - lib/text/request.c and lib/text/amount.c. */
#include "parse_case.h"

#include "hqcore/types.h"
#include "text/amount.h"
#include "text/request.h"

static int parse_amount(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct request_entry e = {0};
    int rc = hqi_text_request_parse_amount(&e, in, why);
    if (rc >= 0)
        hqi_model_request_entry_text(&e, &b->out);
    return rc;
}

static int parse(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct request_entry e = {0};
    int rc = hqi_text_request_parse(&e, &b->mem, in, why);
    if (rc < 0)
        return rc;
    const struct request_variant v = {.entries = &e, .n_entries = 1, .weight = HQ_UNITS};
    const struct resource_request r = {&v, 1};
    assert_int_equal(hqi_model_request_check(&r, NULL), HQ_OK);
    hqi_base_buf_add(&b->out, e.name.p, e.name.n);
    hqi_base_buf_adds(&b->out, "=");
    hqi_model_request_entry_text(&e, &b->out);
    return rc;
}

static int parse_plain(struct parse_bench *b, struct bytes in, struct buf *why)
{
    uint64_t amount;
    int rc = hqi_text_amount_parse(&amount, in, why);
    if (rc >= 0)
        hqi_base_buf_addf(&b->out, "%llu", (unsigned long long)amount);
    return rc;
}

static const struct parse_case amounts[] = {
    {"all", "all", NULL, 0},
    {"8", "8 compact", NULL, 0},
    {"8 compact", "8 compact", NULL, 0},
    {"8compact", "8 compact", NULL, 0},
    {" 8  tight", "8 tight", NULL, 0},
    {"8 ", "8 compact", NULL, 0},
    {"8 compact!", "8 compact!", NULL, 0},
    {"8 tight", "8 tight", NULL, 0},
    {"8 tight!", "8 tight!", NULL, 0},
    {"8 scatter", "8 scatter", NULL, 0},
    {"0.5", "0.5 compact", NULL, 0},
    {"2.0001", "2.0001 compact", NULL, 0},
    {"5_000 compact", "5000 compact", NULL, 0},
    {"0.5 compact!", "0.5 compact!", NULL, 0},
    {"4294967295.9999", "4294967295.9999 compact", NULL, 0},
    {"0", NULL,
     "Unexpected end of input found, expected something else:\n  0\n  |\n  --- Zero resources cannot be requested\n", 0},
    {"0.0", NULL, "Zero resources cannot be requested", 0},
    {"0.00001", NULL,
     "Unexpected end of input found, expected something else:\n  0.00001\n  |\n  --- Resource precision exceeded\n", 0},
    {"1.00001", NULL, "Resource precision exceeded", 0},
    {"4294967296", NULL, "Cannot parse as 4-byte unsigned integer", 0},
    {"-1", NULL,
     "Unexpected token found while attempting to parse number, expected all:\n  -1\n  |\n  --- Unexpected token `-`\n", 0},
    {"abc", NULL, "Unexpected token found, expected all:\n  abc\n  |\n  --- Unexpected token `abc`\n", 0},
    {"ALL", NULL, "Unexpected token `ALL`", 0},
    {"all ", NULL, "Unexpected token `all`", 0},
    {"x", NULL, NULL, 0},
    {"1 foo", NULL, "Unexpected token `f`", 0},
    {"1 compact ", NULL, NULL, 0},
    {"1 scatter!", NULL, "Unexpected token `!`", 0},
    {"1 compactx", NULL, NULL, 0},
    {"1.", NULL, "Unexpected end of input", 0},
    {"1.x", NULL, NULL, 0},
    {".5", NULL, NULL, 0},
    {"", NULL, "(the input was empty)", 0},
};

static const struct parse_case requests[] = {
    {"gpus/nvidia=1", "gpus/nvidia=1 compact", NULL, 0},
    {"a = 3 scatter", "a=3 scatter", NULL, 0},
    {"x1=all", "x1=all", NULL, 0},
    {"gpus=1 tight", "gpus=1 tight", NULL, 0},
    {"1a=1", NULL, "expected identifier:\n  1a=1\n  |\n  --- Unexpected token `1`\n", 0},
    {"a_b=1", NULL, "Unexpected token `_`", 0},
    {"a-b=1", NULL, "Unexpected token `-`", 0},
    {" a=1", NULL, NULL, 0},
    {"=1", NULL, NULL, 0},
    {"a", NULL, NULL, 0},
    {"a=", NULL, "  a=\n    |\n    --- Unexpected end of input\n", 0},
    {"aa=0", NULL, "     |\n     --- Zero resources cannot be requested\n", 0},
    {"gpus", NULL,
     "Unexpected end of input found, expected =:\n  gpus\n      |\n      --- Unexpected end of input\n", 0},
    {"gpus=1 foo", NULL,
     "Unexpected token found, expected <end of input> or c or s or t:\n"
     "  gpus=1 foo\n         |\n         --- Unexpected token `f`\n", 0},
    {"gpus=1 force-tight", NULL,
     "Unexpected token found, expected <end of input> or c or s or t:\n"
     "  gpus=1 force-tight\n         |\n         --- Unexpected token `f`\n", 0},
    {"mem=sum(3)", NULL,
     "Unexpected token found, expected all:\n  mem=sum(3)\n      |\n      --- Unexpected token `sum`\n", 0},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=1",
     NULL, "Resource names have at most 128 characters", HQ_ELIMIT},
};

static const struct parse_case plain[] = {
    {"100.9", "1009000", NULL, 0},
    {"0.346", "3460", NULL, 0},
    {"0", "0", NULL, 0},
    {"1_3000_2000", "1300020000000", NULL, 0},
    {"0.12345", NULL, "Resource precision exceeded", 0},
    {"3.", NULL, NULL, 0},
    {"1x", NULL, NULL, 0},
    {"", NULL, NULL, 0},
};

static void parses_amounts(void **state)
{
    CHECK_CASES(plain, parse_plain);
    CHECK_CASES(amounts, parse_amount);
}

static void parses_requests(void **state)
{
    CHECK_CASES(requests, parse);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_amounts),
        cmocka_unit_test(parses_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
