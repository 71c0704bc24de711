/* SPDX-License-Identifier: MIT */
/* error_test.c - hq_error's texts, cuts and codes; the log's levels; the clock's units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"

static void set_fills_all(void **state)
{
    hq_error err = {.sys = 5};
    assert_int_equal(hqi_base_error_set(&err, HQ_ELIMIT, "text", "%d jobs, at most %d", 9, 8), HQ_ELIMIT);
    assert_int_equal(err.code, HQ_ELIMIT);
    assert_int_equal(err.sys, 0);
    assert_string_equal(err.where, "text");
    assert_string_equal(err.text, "9 jobs, at most 8");
    assert_int_equal(hqi_base_error_set(NULL, HQ_EINVAL, "text", "x"), HQ_EINVAL);
    assert_int_equal(hqi_base_error_nomem(&err, "net"), HQ_ENOMEM);
    assert_string_equal(err.text, hq_strerror(HQ_ENOMEM));
}

static void may_wrap_its_own_text(void **state)
{
    hq_error err;
    hqi_base_error_set(&err, HQ_EINVAL, "text", "inner");
    hqi_base_error_set(&err, err.code, err.where, "outer: %s", err.text);
    assert_string_equal(err.text, "outer: inner");
}

static void long_text_is_cut(void **state)
{
    char path[1000];
    hq_error err;
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    hqi_base_error_set(&err, HQ_EINVAL, "text", "%s", path);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(hqi_base_error_sys(&err, ENOENT, "serverdir", "%s", path), HQ_ESYS);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_string_equal(strchr(err.text, ':'), ": No such file or directory (os error 2)");
}

static void sys_tells_the_reason(void **state)
{
    hq_error err;
    char text[64];
    hqi_base_error_sys(&err, EACCES, "serverdir", "cannot open %s", "/x");
    assert_int_equal(err.sys, EACCES);
    assert_string_equal(err.text, "cannot open /x: Permission denied (os error 13)");
    assert_string_equal(hqi_base_error_os_text(ENOENT, text, sizeof text),
                        "No such file or directory (os error 2)");
    assert_string_equal(hqi_base_error_os_text(ENOENT, text, 8), "No such");
    assert_int_equal(hqi_base_error_sys(NULL, EIO, "x", "y"), HQ_ESYS);
}

static void every_code_has_its_text(void **state)
{
#define XX(name, value, text) assert_string_equal(hq_strerror(-(value)), text);
    HQ_ERROR_MAP(XX)
#undef XX
    assert_string_equal(hq_strerror(HQ_OK), "success");
    assert_string_equal(hq_strerror(1), "unknown error code");
    assert_string_equal(hq_strerror(INT32_MIN), "unknown error code");
}

struct sink {
    int records, level;
    char where[16], text[2048];
};

static void keep(void *user, int level, const char *where, const char *text)
{
    struct sink *s = user;
    s->records++;
    s->level = level;
    snprintf(s->where, sizeof s->where, "%s", where);
    snprintf(s->text, sizeof s->text, "%s", text);
}

static void log_filters_and_cuts(void **state)
{
    struct sink s = {0};
    struct log log = {keep, &s, LOG_INFO};
    char text[3000];
    hqi_base_log_write(&log, LOG_DEBUG7, "net", "no");
    assert_int_equal(s.records, 0);
    hqi_base_log_write(&log, LOG_WARN, "net", "peer %d", 3);
    assert_int_equal(s.level, LOG_WARN);
    assert_string_equal(s.where, "net");
    assert_string_equal(s.text, "peer 3");
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    hqi_base_log_write(&log, LOG_INFO, "net", "%s", text);
    assert_int_equal(strlen(s.text), 1023);
    assert_string_equal(s.text + 1020, "...");
    hqi_base_log_write(NULL, LOG_ERROR, "net", "x");
    hqi_base_log_write(&(struct log){.level = 7}, LOG_ERROR, "net", "x");
    assert_int_equal(s.records, 2);
}

static void clock_has_its_units(void **state)
{
    struct now a = hqi_base_clock_now(), b = hqi_base_clock_now();
    struct timespec mono;
    clock_gettime(CLOCK_MONOTONIC, &mono);
    assert_true(b.mono_ns >= a.mono_ns);
    assert_true((uint64_t)mono.tv_sec - b.mono_ns / HQI_SEC < 60);
    assert_true(a.utc_ms / 1000 <= (uint64_t)time(NULL));
    assert_true((uint64_t)time(NULL) - a.utc_ms / 1000 < 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_fills_all),           cmocka_unit_test(may_wrap_its_own_text),
        cmocka_unit_test(long_text_is_cut),        cmocka_unit_test(sys_tells_the_reason),
        cmocka_unit_test(every_code_has_its_text), cmocka_unit_test(log_filters_and_cuts),
        cmocka_unit_test(clock_has_its_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
