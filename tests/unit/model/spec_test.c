/* SPDX-License-Identifier: MIT */
/* spec_test.c - lib/model/spec.c: each rule broken alone, and copies under failing memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/limits.h"
#include "hqcore/types.h"
#include "model/spec.h"

#define B(text) ((struct bytes){text, sizeof(text) - 1})

static const hq_range ids[] = {{1, 2, 1}};
static const uint32_t before[] = {0};
static const struct bytes argv[] = {{"echo", 4}, {"", 0}};
static const struct env_var env[] = {{{"A", 1}, {"1", 1}}, {{"", 0}, {"x", 1}}};
static const struct env_var env_twice[] = {{{"A", 1}, {"1", 1}}, {{"A", 1}, {"x", 1}}};
static const struct env_var env_sign[] = {{{"A=", 2}, {"1", 1}}};
static const struct bytes argv_nul[] = {{"a\0b", 3}};
static const struct request_entry one_cpu[] = {{{"cpus", 4}, POLICY_COMPACT, 10000}};
static const struct request_variant variant[] = {{.entries = one_cpu, .n_entries = 1, .weight = HQ_UNITS}};
static const uint64_t offsets[] = {0, 3, 5}, crossed[] = {0, 6, 5}, late[] = {1, 3, 5};

static struct spec good(void)
{
    return (struct spec){
        .ids = {.ranges = ids, .before = before, .n_ranges = 1, .count = 2, .apart = true},
        .argv = argv,
        .n_argv = 2,
        .env = env,
        .n_env = 2,
        .submit_dir = B("/home/me"),
        .cwd = B("%{SUBMIT_DIR}"),
        .out = {.kind = STDIO_FILE, .path = B("out")},
        .err = {.kind = STDIO_NONE},
        .stdin_data = B("in\0put"),
        .request = {variant, 1},
        .entries = {"abcde", offsets, 2},
        .crash_limit = CRASH_DEFAULT,
        .priority = -3,
    };
}

static void no_ids(struct spec *s) { s->ids = (struct intset){0}; }
static void no_argv(struct spec *s) { s->n_argv = 0; }
static void nul_argv(struct spec *s) { s->argv = argv_nul, s->n_argv = 1; }
static void many_argv(struct spec *s) { s->n_argv = HQI_MAX_ARGS + 1u; }
static void many_env(struct spec *s) { s->n_env = HQI_MAX_ARGS + 1u; }
static void twice_env(struct spec *s) { s->env = env_twice; }
static void sign_env(struct spec *s) { s->env = env_sign, s->n_env = 1; }
static void relative_dir(struct spec *s) { s->submit_dir = B("me"); }
static void no_dir(struct spec *s) { s->submit_dir = B(""); }
static void nul_cwd(struct spec *s) { s->cwd = B("a\0b"); }
static void no_path(struct spec *s) { s->out.path = B(""); }
static void nul_path(struct spec *s) { s->out.path = B("a\0"); }
static void odd_stdio(struct spec *s) { s->err.kind = 4; }
static void odd_pin(struct spec *s) { s->pin = 3; }
static void big_crash(struct spec *s) { s->crash_limit = 65536; }
static void long_limit(struct spec *s) { s->time_limit_ms = UINT64_MAX; }
static void big_stdin(struct spec *s) { s->stdin_data.n = HQI_MAX_MESSAGE; }
static void no_request(struct spec *s) { s->request.n_variants = 0; }
static void few_entries(struct spec *s) { s->entries.n = 1; }
static void crossed_entries(struct spec *s) { s->entries.offsets = crossed; }
static void late_entries(struct spec *s) { s->entries.offsets = late; }
static void fine(struct spec *s) {}
static void no_entries(struct spec *s) { s->entries = (struct entries){0}; }
static void never(struct spec *s) { s->crash_limit = CRASH_NEVER_RESTART; }
static void forever(struct spec *s) { s->crash_limit = CRASH_UNLIMITED; }

static const struct {
    void (*change)(struct spec *s);
    int rc;
    const char *text;
} rules[] = {
    {fine, HQ_OK, NULL},
    {no_entries, HQ_OK, NULL},
    {never, HQ_OK, NULL},
    {forever, HQ_OK, NULL},
    {no_ids, HQ_EINVAL, "2 entries for 0 tasks"},
    {no_argv, HQ_EINVAL, "No command arguments"},
    {nul_argv, HQ_EINVAL, "the command argument contains a NUL byte"},
    {many_argv, HQ_ELIMIT, "65537 command arguments, at most 65536 are allowed"},
    {many_env, HQ_ELIMIT, "65537 environment variables, at most 65536 are allowed"},
    {twice_env, HQ_EINVAL, "the environment variable A is given twice"},
    {sign_env, HQ_EINVAL, "the name of an environment variable contains `=`"},
    {relative_dir, HQ_EINVAL, "the submit directory is not an absolute path"},
    {no_dir, HQ_EINVAL, "the submit directory is not an absolute path"},
    {nul_cwd, HQ_EINVAL, "the working directory contains a NUL byte"},
    {no_path, HQ_EINVAL, "the stdout path is empty"},
    {nul_path, HQ_EINVAL, "the stdout path contains a NUL byte"},
    {odd_stdio, HQ_EINVAL, "the stderr path has the unknown kind 4"},
    {odd_pin, HQ_EINVAL, "unknown pin mode 3"},
    {big_crash, HQ_EINVAL, "the crash limit 65536 is above 65535"},
    {long_limit, HQ_ELIMIT, NULL},
    {big_stdin, HQ_ELIMIT, NULL},
    {no_request, HQ_EINVAL, NULL},
    {few_entries, HQ_EINVAL, "1 entries for 2 tasks"},
    {crossed_entries, HQ_EINVAL, "entry 1 ends before it begins"},
    {late_entries, HQ_ELIMIT, NULL},
};

static void checks_each_rule(void **state)
{
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct spec s = good();
        hq_error err = {0};
        rules[i].change(&s);
        int rc = hqi_model_spec_check(&s, &err);
        if (rc != rules[i].rc || (rules[i].text && strcmp(err.text, rules[i].text) != 0))
            fail_msg("row %zu: rc %d, %s", i, rc, err.text);
    }
}

static void copies_deeply(void **state)
{
    struct spec from = good();
    struct spec *s = hqi_model_spec_copy(&hqi_base_alloc_libc, &from);
    assert_non_null(s);
    assert_int_equal(hqi_model_spec_check(s, NULL), HQ_OK);
    assert_int_equal(s->priority, -3);
    assert_ptr_not_equal(s->argv, from.argv);
    assert_ptr_not_equal(s->argv[0].p, from.argv[0].p);
    assert_true(bytes_is(s->argv[0], "echo"));
    assert_true(bytes_is(s->env[0].value, "1"));
    assert_true(bytes_equal(s->stdin_data, from.stdin_data));
    assert_true(bytes_is(spec_entry(s, 0), "abc"));
    assert_true(bytes_is(spec_entry(s, 1), "de"));
    assert_true(hqi_model_request_equal(&s->request, &from.request));
    assert_int_equal(hqi_model_intset_rank(&s->ids, 2), 1);
    hqi_model_spec_free(s);
    hqi_model_spec_free(NULL);
}

static void survives_failing_memory(void **state)
{
    struct spec from = good();
    char *big = calloc(1, 5000);
    struct bytes args[] = {{big, 5000}, {big, 5000}};
    from.argv = args;
    from.stdin_data = (struct bytes){big, 5000};
    for (unsigned at = 1;; at++) {
        struct failing f;
        failing_init(&f, at);
        struct spec *s = hqi_model_spec_copy(&f.alloc, &from);
        bool done = s != NULL;
        hqi_model_spec_free(s);
        assert_int_equal(f.live, 0);
        if (done) {
            assert_true(at > 3);
            break;
        }
    }
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checks_each_rule),
        cmocka_unit_test(copies_deeply),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
