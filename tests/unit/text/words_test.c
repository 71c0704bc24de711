/* SPDX-License-Identifier: MIT */
/* words_test.c - the small grammars: lib/text/{crash_limit,detect,env_pair,integer}.c. */
#include "parse_case.h"

#include "text/crash_limit.h"
#include "text/detect.h"
#include "text/env_pair.h"
#include "text/integer.h"

static int parse_crash(struct parse_bench *b, struct bytes in, struct buf *why)
{
    uint32_t limit;
    int rc = hqi_text_crash_limit_parse(&limit, in, why);
    if (rc >= 0)
        hqi_text_crash_limit_print(limit, &b->out);
    return rc;
}

static const struct parse_case crashes[] = {
    {"1", "1", NULL, 0},
    {"65535", "65535", NULL, 0},
    {"+7", "7", NULL, 0},
    {"never-restart", "never-restart", NULL, 0},
    {"unlimited", "unlimited", NULL, 0},
    {"0", NULL, "Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.", 0},
    {"65536", NULL, "Invalid crash limit: ParseIntError { kind: PosOverflow }", 0},
    {"99999999999999999999999", NULL, "PosOverflow", 0},
    {"99999999999999999999999x", NULL, "InvalidDigit", 0},
    {"-1", NULL, "Invalid crash limit: ParseIntError { kind: InvalidDigit }", 0},
    {"+", NULL, "InvalidDigit", 0},
    {"never", NULL, "InvalidDigit", 0},
    {"1_0", NULL, "InvalidDigit", 0},
    {"", NULL, "Invalid crash limit: ParseIntError { kind: Empty }", 0},
};

static int parse_detect(struct parse_bench *b, struct bytes in, struct buf *why)
{
    uint32_t bits;
    int rc = hqi_text_detect_parse(&bits, in, why);
    if (rc >= 0)
        hqi_base_buf_addf(&b->out, "%u", bits);
    return rc;
}

static const struct parse_case detects[] = {
    {"all", "15", NULL, 0},
    {"none", "0", NULL, 0},
    {"cpus", "1", NULL, 0},
    {"cpus,mem", "3", NULL, 0},
    {"gpus/amd,gpus/nvidia", "12", NULL, 0},
    {"mem,mem", "2", NULL, 0},
    {"", NULL, "invalid variant: ", 0},
    {"cpus,", NULL, "invalid variant: ", 0},
    {",cpus", NULL, "invalid variant: ", 0},
    {"cpus, mem", NULL, "invalid variant:  mem", 0},
    {"all,cpus", NULL, "invalid variant: all", 0},
    {"gpus", NULL, "invalid variant: gpus", 0},
};

static int parse_env(struct parse_bench *b, struct bytes in, struct buf *why)
{
    struct env_var v;
    int rc = hqi_text_env_pair_parse(&v, in, why);
    if (rc >= 0)
        hqi_base_buf_addf(&b->out, "<%.*s><%.*s>", (int)v.name.n, v.name.p, (int)v.value.n, v.value.p);
    return rc;
}

static const struct parse_case envs[] = {
    {"A=1", "<A><1>", NULL, 0},
    {"A=1=2", "<A><1=2>", NULL, 0},
    {"A=", "<A><>", NULL, 0},
    {"A", "<A><>", NULL, 0},
    {"=x", "<><x>", NULL, 0},
    {"=", "<><>", NULL, 0},
    {" A = 1 ", "< A >< 1 >", NULL, 0},
    {"", NULL, "Environment variable cannot be empty", 0},
};

static void parses_small_grammars(void **state)
{
    CHECK_CASES(crashes, parse_crash);
    CHECK_CASES(detects, parse_detect);
    CHECK_CASES(envs, parse_env);
}

static const struct {
    const char *in;
    uint64_t max;
    enum integer_fault fault;
    uint64_t value;
} integers[] = {
    {"0", UINT64_MAX, INTEGER_OK, 0},
    {"18446744073709551615", UINT64_MAX, INTEGER_OK, UINT64_MAX},
    {"18446744073709551616", UINT64_MAX, INTEGER_OVERFLOW, 0},
    {"255", 255, INTEGER_OK, 255},
    {"256", 255, INTEGER_OVERFLOW, 0},
    {"000000000000000000000000255", 255, INTEGER_OK, 255},
    {"5", 3, INTEGER_OVERFLOW, 0},
    {" 1", 9, INTEGER_DIGIT, 0},
    {"-0", 9, INTEGER_DIGIT, 0},
    {"", 9, INTEGER_EMPTY, 0},
};

static void parses_integers(void **state)
{
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        uint64_t value = 0;
        enum integer_fault fault = hqi_text_integer_parse(bytes_of(integers[i].in), integers[i].max, &value);
        assert_int_equal(fault, integers[i].fault);
        if (fault == INTEGER_OK)
            assert_int_equal(value, integers[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parses_small_grammars),
        cmocka_unit_test(parses_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
