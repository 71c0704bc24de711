/* SPDX-License-Identifier: MIT */
/* entries_test.c - JSON values as one line of text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "entries.h"

static void test_compact(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"1", "1"},
        {"-7", "-7"},
        {"1.10", "1.1"},
        {"1e300", "1e300"},
        {"1.5e-7", "1.5e-7"},
        {"0.1", "0.1"},
        {"2.0", "2.0"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"0.0", "0.0"},
        {"-0.0", "-0.0"},
        {"-2.50", "-2.5"},
        {"1234.5", "1234.5"},
        {"120e3", "120000.0"},
        {"1e15", "1000000000000000.0"},
        {"1234567890123456.5", "1234567890123456.5"},
        {"1e16", "1e16"},
        {"123456789012345680000.0", "1.2345678901234568e20"},
        {"-1.25e-5", "-0.0000125"},
        {"1e-5", "0.00001"},
        {"1e-6", "1e-6"},
        {"null", "null"},
        {"true", "true"},
        {"\"x\"", "\"x\""},
        {"\"a\\nb\\u00e9\"", "\"a\\nb\xc3\xa9\""},
        {"[1, 2]", "[1,2]"},
        {"[]", "[]"},
        {"{}", "{}"},
        {"{\"b\": 1, \"a\": [ {\"z\": null, \"c\": 2} ]}", "{\"a\":[{\"c\":2,\"z\":null}],\"b\":1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_error_t error;
        struct str out = {0};
        json_t *value = json_loads(cases[i].text, JSON_DECODE_ANY, &error);
        assert_non_null(value);
        assert_true(entries_compact(&out, value));
        assert_string_equal(str_text(&out), cases[i].want);
        json_decref(value);
        str_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_compact)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
