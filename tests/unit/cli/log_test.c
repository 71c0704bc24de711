/* SPDX-License-Identifier: MIT */
/* log_test.c - which log lines are shown, and how they look. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "log.h"

static void test_levels(void **state)
{
    static const struct {
        bool debug;
        const char *spec;
        int hq, server, most; /* the largest level shown of each, and of all */
        bool in_full;
    } cases[] = {
        {false, NULL, LOG_INFO, LOG_INFO, LOG_INFO, false},
        {true, NULL, LOG_DEBUG, LOG_DEBUG, LOG_DEBUG, true},
        {false, "", LOG_INFO, LOG_INFO, LOG_INFO, false},
        {false, "debug", LOG_DEBUG, LOG_DEBUG, LOG_DEBUG, true},
        {false, "trace", LOG_DEBUG, LOG_DEBUG, LOG_DEBUG, false},
        {false, "WARN", LOG_WARN, LOG_WARN, LOG_WARN, false},
        {true, "warn", LOG_WARN, LOG_WARN, LOG_WARN, true},
        {false, "off", LOG_OFF, LOG_OFF, LOG_OFF, false},
        {false, "server=debug", LOG_INFO, LOG_DEBUG, LOG_DEBUG, true},
        {false, "server=error", LOG_INFO, LOG_ERROR, LOG_INFO, false},
        {false, "server", LOG_INFO, LOG_DEBUG, LOG_DEBUG, false},
        {false, "ser=warn,error,server=info", LOG_ERROR, LOG_INFO, LOG_INFO, false},
        {false, "server=info,ser=warn", LOG_INFO, LOG_INFO, LOG_INFO, false},
        {false, "server=info,server=warn", LOG_INFO, LOG_WARN, LOG_INFO, false},
        {false, "hyperqueue=warn", LOG_WARN, LOG_WARN, LOG_WARN, false},
        {false, "tako=debug", LOG_DEBUG, LOG_DEBUG, LOG_DEBUG, true},
        {false, "server=nonsense,=,,/x,error", LOG_INFO, LOG_INFO, LOG_INFO, false},
        {false, "error/debug", LOG_ERROR, LOG_ERROR, LOG_ERROR, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_view v;
        log_view_init(&v, cases[i].debug, cases[i].spec, NULL, false);
        for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
            assert_int_equal(log_shows(&v, level, "hq"), level <= cases[i].hq);
            assert_int_equal(log_shows(&v, level, "server"), level <= cases[i].server);
        }
        assert_int_equal(log_most(&v), cases[i].most);
        assert_int_equal(v.in_full, cases[i].in_full);
    }
}

static void test_more_targets_than_there_is_room_for(void **state)
{
    struct str spec = {0};
    struct log_view v;
    for (int i = 0; i < 100; i++)
        str_addf(&spec, "t%d=warn,", i);
    str_add(&spec, "error");
    log_view_init(&v, false, spec.p, NULL, false);
    assert_int_equal(v.n_targets, LOG_TARGETS);
    assert_int_equal(v.level, LOG_ERROR);
    str_free(&spec);
}

static void test_colors(void **state)
{
    static const struct {
        const char *style;
        bool terminal, want;
    } cases[] = {
        {NULL, true, true},     {NULL, false, false},    {"auto", true, true},    {"auto", false, false},
        {"always", false, true}, {"never", true, false}, {"nonsense", true, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct log_view v;
        log_view_init(&v, false, NULL, cases[i].style, cases[i].terminal);
        assert_int_equal(v.color, cases[i].want);
    }
}

static void test_lines(void **state)
{
    static const int64_t now = INT64_C(1769850900123456789);
    static const struct {
        struct log_view view;
        int level;
        const char *want;
    } cases[] = {
        {{0}, LOG_INFO, "2026-01-31T09:15:00Z INFO text\n"},
        {{0}, LOG_ERROR, "2026-01-31T09:15:00Z ERROR text\n"},
        {{0}, 0, "2026-01-31T09:15:00Z ERROR text\n"},
        {{0}, 5, "2026-01-31T09:15:00Z INFO text\n"},
        {{.color = true}, LOG_WARN, "\x1b[30m2026-01-31T09:15:00Z\x1b[0m \x1b[1;33mWARN\x1b[0m text\n"},
        {{.in_full = true}, LOG_WARN, "[2026-01-31T09:15:00.123Z WARN  server] text\n"},
        {{.in_full = true, .color = true}, LOG_DEBUG, "[2026-01-31T09:15:00.123Z DEBUG server] text\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str out = {0};
        log_line(&out, &cases[i].view, now, cases[i].level, "server", "text");
        assert_string_equal(out.p, cases[i].want);
        str_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_more_targets_than_there_is_room_for),
        cmocka_unit_test(test_colors),
        cmocka_unit_test(test_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
