/* SPDX-License-Identifier: MIT */
/* format_test.c - values as people read them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "format.h"

static void check(struct str *out, const char *want)
{
    assert_string_equal(str_text(out), want);
    str_free(out);
}

static void test_exact(void **state)
{
    static const struct {
        uint64_t ns;
        const char *want;
    } cases[] = {
        {0, "0s"},
        {UINT64_C(3600000000000), "1h"},
        {UINT64_C(7510000000000), "2h 5m 10s"},
        {UINT64_C(93600000000000), "1day 2h"},
        {UINT64_C(172800000000000), "2days"},
        {UINT64_C(8000000000), "8s"},
        {UINT64_C(1003000000), "1s 3ms"},
        {500000000, "500ms"},
        {1234567, "1ms 234µs 567ns"},
        {UINT64_C(31557600000000000) + UINT64_C(2630016000000000), "1year 1month"},
        {2 * UINT64_C(31557600000000000), "2years"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_exact(&out, cases[i].ns);
        check(&out, cases[i].want);
    }
}

static void test_rough(void **state)
{
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {INT64_C(11111000000000), "3h 5m"}, {INT64_C(123400000000), "2m 3s"}, {1500000000, "1s 500ms"},
        {999999, "0s"},                     {12345678, "12ms"},               {-1, "Invalid duration"},
        {INT64_C(60000000000), "1m"},       {INT64_C(3600000000000), "1h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_rough(&out, cases[i].ns);
        check(&out, cases[i].want);
    }
}

static void test_amounts(void **state)
{
    static const struct {
        uint64_t units;
        const char *amount, *mem;
    } cases[] = {
        {20000, "2", "2.00 MiB"},       {5000, "0.5", "0.50 MiB"},        {10001, "1.0001", "1.00 MiB"},
        {0, "0", "0.00 MiB"},           {10000000, "1000", "0.98 GiB"},   {5119999, "511.9999", "512.00 MiB"},
        {5120000, "512", "0.50 GiB"},   {12300, "1.23", "1.23 MiB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_amount(&out, cases[i].units);
        check(&out, cases[i].amount);
        format_mem(&out, cases[i].units);
        check(&out, cases[i].mem);
    }
}

static void test_times(void **state)
{
    static const struct {
        int64_t ns;
        const char *want;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},
        {INT64_C(1769850900000000000), "2026-01-31T09:15:00Z"},
        {INT64_C(1769850900123000000), "2026-01-31T09:15:00.123Z"},
        {INT64_C(1769850900123456000), "2026-01-31T09:15:00.123456Z"},
        {INT64_C(1769850900123456789), "2026-01-31T09:15:00.123456789Z"},
        {INT64_C(1769850900000000001), "2026-01-31T09:15:00.000000001Z"},
    };
    struct str out = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        format_rfc3339(&out, cases[i].ns);
        check(&out, cases[i].want);
    }
    format_utc(&out, 1769850900499);
    check(&out, "2026-01-31 09:15:00 UTC");
    format_utc(&out, 1769850900500);
    check(&out, "2026-01-31 09:15:01 UTC");
    setenv("TZ", "UTC-2", 1);
    tzset();
    format_local(&out, INT64_C(1769850900123000000));
    check(&out, "31.01.2026 11:15:00");
}

static void test_words(void **state)
{
    struct str out = {0};
    format_count(&out, 0, "job");
    check(&out, "0 jobs");
    format_count(&out, 1, "job");
    check(&out, "1 job");
    format_count(&out, 2, "job");
    check(&out, "2 jobs");
    format_name(&out, "01234567890123456789012345678901234567890123456789");
    check(&out, "01234567890123456789012345678901234567890123456789");
    format_name(&out, "012345678901234567890123456789012345678901234567890123456789");
    check(&out, "012345678901234567890123...78901234567890123456789");
}

static void test_wrapped(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"short", "short"},
        {"0123456789", "0123456789"},
        {"01234567890123", "0123456789\n0123"},
        {"abc def ghi jkl", "abc def\nghi jkl"},
        {"0123456789 x", "0123456789\nx"},
        {"ab\ncd", "ab\ncd"},
        {"ééééééééééé", "éééééééééé\né"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_wrapped(&out, cases[i].text, 10);
        check(&out, cases[i].want);
    }
}

static void test_safe(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *safe, *utf8;
    } cases[] = {
        {"plain", 5, "plain", "plain"},
        {"a\x1b[31mb", 7, "a\\x1b[31mb", "a\x1b[31mb"},
        {"a\nb\tc", 5, "a\nb\\x09c", "a\nb\tc"},
        {"\xc3\xa9", 2, "\xc3\xa9", "\xc3\xa9"},
        {"\xc3", 1, "\xef\xbf\xbd", "\xef\xbf\xbd"},
        {"\xff\x41", 2, "\xef\xbf\xbd" "A", "\xef\xbf\xbd" "A"},
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},             /* overlong */
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* surrogate */
        {"\xc2\x9b", 2, "\\x9b", "\xc2\x9b"},                                                 /* a terminal's CSI */
        {"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_safe(&out, cases[i].text, cases[i].len);
        check(&out, cases[i].safe);
        format_utf8(&out, cases[i].text, cases[i].len);
        check(&out, cases[i].utf8);
    }
}

static void test_width(void **state)
{
    static const struct {
        const char *text;
        size_t want;
    } cases[] = {
        {"", 0}, {"abc", 3}, {"\x1b[31mabc\x1b[0m", 3}, {"…", 1}, {"é", 1}, {"日本", 4}, {"\xff", 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(format_width(cases[i].text, strlen(cases[i].text)), cases[i].want);
}

static void test_cut(void **state)
{
    static const struct {
        const char *text;
        size_t width;
        const char *want;
    } cases[] = {
        {"", 5, ""}, {"abc", 3, "abc"}, {"abc", 2, "ab"}, {"abc", 0, ""}, {"\x1b[31mabc\x1b[0md", 2, "\x1b[31mab\x1b[0m"},
        {"éé", 1, "é"}, {"a日本", 2, "a"}, {"日a", 1, ""}, {"\xff\xff", 1, "\xff"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_cut(&out, cases[i].text, cases[i].width);
        assert_string_equal(str_text(&out), cases[i].want);
        str_free(&out);
    }
}

static void test_bar(void **state)
{
    static const struct {
        uint64_t count[HQ_TASK_STATES], total;
        const char *want;
    } cases[] = {
        {{0}, 0, "[........................................]"},
        {{10}, 10, "[........................................]"},
        {{0, 0, 10}, 10, "[########################################]"},
        {{9, 0, 1}, 10, "[####....................................]"},
        {{99, 0, 1}, 100, "[#.......................................]"},
        {{0, 1, 33, 33, 33}, 100, "[########################################]"},
    };
    const struct cli cli = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        format_bar(&out, &cli, cases[i].count, cases[i].total, BAR_WIDTH);
        check(&out, cases[i].want);
    }
}

static void test_narrow_bar(void **state)
{
    const struct cli cli = {0};
    const uint64_t count[HQ_TASK_STATES] = {[HQ_TASK_FINISHED] = 1, [HQ_TASK_WAITING] = 2};
    struct str out = {0};
    format_bar(&out, &cli, count, 3, 6);
    check(&out, "[##....]");
}

static void test_bar_colors(void **state)
{
    const struct cli cli = {.color = true};
    const uint64_t count[HQ_TASK_STATES] = {[HQ_TASK_FINISHED] = 20, [HQ_TASK_CANCELED] = 20};
    struct str out = {0};
    format_bar(&out, &cli, count, 40, BAR_WIDTH);
    check(&out, "[\x1b[35m####################\x1b[0m\x1b[32m####################\x1b[0m]");
}

static void test_ids(void **state)
{
    static const struct {
        uint32_t ids[6];
        size_t n;
        const char *want;
    } cases[] = {
        {{0}, 0, ""},
        {{5}, 1, "5"},
        {{0, 1, 2, 5}, 4, "0-2,5"},
        {{1, 2, 10, 15, 20}, 5, "1-2,10,15,20"},
        {{UINT32_MAX - 1, UINT32_MAX}, 2, "4294967294-4294967295"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        struct ids_text t = {.out = &out};
        for (size_t j = 0; j < cases[i].n; j++)
            format_ids_add(&t, cases[i].ids[j]);
        format_ids_end(&t);
        check(&out, cases[i].want);
    }
}

static void test_ranges(void **state)
{
    struct str out = {0};
    format_range(&out, 5, 1, 1);
    format_range(&out, 1, 4, 1);
    format_range(&out, 0, 6, 2);
    check(&out, "5,1-4,0-10:2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),   cmocka_unit_test(test_rough), cmocka_unit_test(test_amounts),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_words), cmocka_unit_test(test_wrapped),
        cmocka_unit_test(test_safe),    cmocka_unit_test(test_width), cmocka_unit_test(test_cut), cmocka_unit_test(test_narrow_bar), cmocka_unit_test(test_bar),
        cmocka_unit_test(test_bar_colors), cmocka_unit_test(test_ids), cmocka_unit_test(test_ranges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
