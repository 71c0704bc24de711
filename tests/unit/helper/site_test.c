/* SPDX-License-Identifier: MIT */
/* site_test.c HQ-HELPER - commands of the site, and the hardware of this node. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "helper/affinity.h"
#include "session.h"

static const char *program;

static int setup(void **state)
{
    struct session *s = malloc(sizeof *s);
    session_start(s, program);
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct session *s = *state;
    assert_int_equal(session_end(s), 0);
    session_remove(s);
    free(s);
    return 0;
}

static const struct from_helper *run(struct session *s, uint64_t tag, const char *const *argv,
                                     uint64_t timeout_ms)
{
    struct bytes args[8];
    struct to_helper item = {.kind = TO_HELPER_COMMAND,
                             .u.command = {.tag = tag, .argv = args, .timeout_ms = timeout_ms}};
    for (; argv[item.u.command.n_argv]; item.u.command.n_argv++)
        args[item.u.command.n_argv] = bytes_of(argv[item.u.command.n_argv]);
    session_send(s, &item, 1);
    return session_wait(s, FROM_HELPER_COMMAND, tag);
}

static void test_command(void **state)
{
    static const struct {
        const char *script;
        int32_t status;
        const char *out, *err;
    } cases[] = {
        {"echo out; echo err >&2; exit 3", 3, "out\n", "err\n"},
        {"true", 0, "", ""},
        {"kill -9 $$", -1, "", ""},
        {"sleep 1000 & echo early", 0, "early\n", ""}, /* holds the pipe: nobody waits for it */
    };
    struct session *s = *state;
    for (uint64_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *argv[] = {"sh", "-c", cases[i].script, NULL};
        const struct from_helper *e = run(s, 10 + i, argv, 10000);
        assert_int_equal(e->u.command.status, cases[i].status);
        assert_true(bytes_is(e->u.command.out, cases[i].out));
        assert_true(bytes_is(e->u.command.err, cases[i].err));
    }
}

static void test_command_that_is_missing(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"nonexistent-scontrol", "show", NULL};
    const struct from_helper *e = run(s, 1, argv, 0);
    assert_int_equal(e->u.command.status, -1);
    const char *text = "Cannot execute \"nonexistent-scontrol show\": No such file or directory (os error 2)";
    assert_true(e->u.command.err.n >= strlen(text) && memcmp(e->u.command.err.p, text, strlen(text)) == 0);
}

static void test_command_that_takes_too_long(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"sh", "-c", "echo before; sleep 1000", NULL};
    uint64_t before_ns = hqi_base_clock_now().mono_ns;
    const struct from_helper *e = run(s, 1, argv, 300);
    assert_int_equal(e->u.command.status, -1);
    assert_true(bytes_is(e->u.command.out, "before\n"));
    assert_in_range((hqi_base_clock_now().mono_ns - before_ns) / HQI_MS, 300, 5000);
}

static void test_command_that_says_too_much(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"sh", "-c", "head -c 1000000 /dev/zero | tee /dev/stderr", NULL};
    const struct from_helper *e = run(s, 1, argv, 20000);
    assert_int_equal(e->u.command.status, 0);
    assert_int_equal(e->u.command.out.n, 65536);
    assert_int_equal(e->u.command.err.n, 65536);
}

static void test_hardware(void **state)
{
    struct session *s = *state;
    struct affinity affinity;
    struct to_helper item = {.kind = TO_HELPER_HARDWARE, .u.hardware.hyper_threading = true};
    session_send(s, &item, 1);
    const struct helper_hardware *h = &session_wait(s, FROM_HELPER_HARDWARE, 0)->u.hardware;
    assert_int_equal(h->error.n, 0);
    assert_int_equal(h->resources.n, 3);
    assert_true(bytes_is(h->resources.items[0].name, "cpus"));
    hqi_helper_affinity_read(&affinity);
    assert_int_equal(hqi_model_resource_total(&h->resources.items[0]),
                     hqi_helper_affinity_count(&affinity) * (uint64_t)HQ_UNITS);
    hqi_helper_affinity_fini(&affinity);
    assert_true(bytes_is(h->resources.items[1].name, "gpus/nvidia")); /* those of the stand-in */
    assert_int_equal(h->resources.items[1].end, 1);
    assert_non_null(memmem(h->gpus.p, h->gpus.n, "gpus/nvidia 1: Stand-in 1", 25));
    const struct resource_def *last = &h->resources.items[2];
    assert_true(bytes_is(last->name, "mem"));
    assert_int_equal(last->kind, RESOURCE_SUM);
    assert_true(last->sum > 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_command),
        CASE(test_command_that_is_missing),
        CASE(test_command_that_takes_too_long),
        CASE(test_command_that_says_too_much),
        CASE(test_hardware),
#undef CASE
    };
    if (argc != 2)
        return 2;
    program = argv[1];
    setenv("STAND_IN_GPUS", "2", 1);
    unsetenv("CUDA_VISIBLE_DEVICES");
    setenv("ROCR_VISIBLE_DEVICES", "", 1);
    unsetenv("SLURM_JOB_ID");
    unsetenv("SLURM_JOBID");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
