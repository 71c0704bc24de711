/* SPDX-License-Identifier: MIT */
/* options_test.c - the command line of hq-helper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "helper/options.h"

static int parse(struct options *o, const char *const *args, hq_error *err)
{
    char *argv[16] = {(char *)"hq-helper"};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = (char *)args[argc - 1];
    return hqi_helper_options_parse(o, argc, argv, err);
}

static void test_all_and_defaults(void **state)
{
    static const char *const all[] = {"--worker",    "12", "--work-dir", "/w",   "--socket",        "7",
                                      "--worker-fd", "8",  "--nofile",   "1024", "--keep-affinity", NULL};
    static const char *const few[] = {"--work-dir", "/w", "--worker", "12", NULL};
    struct options o;
    assert_int_equal(parse(&o, all, NULL), 0);
    assert_int_equal(o.worker, 12);
    assert_string_equal(o.work_dir, "/w");
    assert_int_equal(o.socket, 7);
    assert_int_equal(o.worker_fd, 8);
    assert_int_equal(o.nofile, 1024);
    assert_true(o.keep_affinity);
    assert_int_equal(parse(&o, few, NULL), 0);
    assert_int_equal(o.socket, 3);
    assert_int_equal(o.worker_fd, -1);
    assert_int_equal(o.nofile, 0);
    assert_false(o.keep_affinity);
}

static void test_refused(void **state)
{
    static const struct {
        const char *args[6];
        const char *text;
    } cases[] = {
        {{NULL}, "--worker and --work-dir are required"},
        {{"--worker", "1", NULL}, "--worker and --work-dir are required"},
        {{"--work-dir", "/w", "--worker", "0", NULL}, "--worker and --work-dir are required"},
        {{"--work-dir", "w", NULL}, "--work-dir takes an absolute path, not \"w\""},
        {{"--worker", "x", NULL}, "--worker takes a number of at most 2147483647, not \"x\""},
        {{"--worker", "-1", NULL}, "--worker takes a number of at most 2147483647, not \"-1\""},
        {{"--socket", "3x", NULL}, "--socket takes a number of at most 2147483647, not \"3x\""},
        {{"--worker", NULL}, "--worker lacks its value"},
        {{"--other", NULL}, "unknown option \"--other\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options o;
        hq_error err;
        assert_int_equal(parse(&o, cases[i].args, &err), HQ_EINVAL);
        assert_string_equal(err.text, cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_and_defaults),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
