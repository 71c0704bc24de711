/* SPDX-License-Identifier: MIT */
/* observe_test.c HQ-HELPER - looks at the node's load, with tools that are scripts of the test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "session.h"

#define TOOL_LIMIT_MS 10000u

static const char *program;
static char tools[64]; /* a directory, first on PATH */

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

static void observe(struct session *s, uint64_t interval_ms, bool nvidia, bool amd)
{
    const struct to_helper item = {.kind = TO_HELPER_OBSERVE, .u.observe = {interval_ms, nvidia, amd}};
    session_send(s, &item, 1);
}

/* The n-th answer, from 0. */
static const struct from_helper *wait_load(struct session *s, uint32_t n)
{
    for (;; session_wait_more(s)) {
        uint32_t seen = 0;
        for (uint32_t i = 0; i < s->n; i++)
            if (s->events[i].kind == FROM_HELPER_LOAD && seen++ == n)
                return &s->events[i];
    }
}

static void test_this_node(void **state)
{
    struct session *s = *state;
    uint64_t before_ns = hqi_base_clock_now().mono_ns;
    observe(s, 150, false, false);
    const struct node_load *l = wait_load(s, 1)->u.load.load;
    assert_true(hqi_base_clock_now().mono_ns - before_ns >= 300 * HQI_MS); /* the first one after one interval */
    assert_in_range(l->n_cpus, 1, 8192);
    assert_true(l->memory_free > 0 && l->memory_free <= l->memory_total);
    assert_true(l->utc_s + 60 > hqi_base_clock_now().utc_ms / 1000);
    assert_false(l->nvidia.known);
    assert_false(l->amd.known);
    assert_int_equal(wait_load(s, 0)->u.load.notes.n, 0);
}

static void test_a_busy_cpu(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"sh", "-c", "while :; do :; done", NULL};
    uint32_t most = 0;
    session_spec(s, 1, argv, NULL);
    uint64_t key = session_launch(s, 1, 0);
    session_wait(s, FROM_HELPER_STARTED, key);
    observe(s, 200, false, false);
    const struct node_load *l = wait_load(s, 0)->u.load.load;
    for (uint32_t i = 0; i < l->n_cpus; i++)
        most = l->cpus[i] > most ? l->cpus[i] : most;
    assert_true(most > 2000);
    session_send_key(s, TO_HELPER_KILL, key);
    session_wait_ended(s, key);
}

static void test_tools(void **state)
{
    struct session *s = *state;
    write_file(tools, "nvidia-smi", "#!/bin/sh\necho 'bus, 50 %, 1 MiB, 4 MiB'\n", 0700);
    write_file(tools, "rocm-smi", "#!/bin/sh\necho 'no driver' >&2\nexit 3\n", 0700);
    observe(s, 100, true, true);
    for (uint32_t i = 0; i < 3; i++) {
        const struct from_helper *e = wait_load(s, i);
        const struct node_load *l = e->u.load.load;
        assert_true(l->nvidia.known);
        assert_int_equal(l->nvidia.n, 1);
        assert_true(bytes_is(l->nvidia.items[0].id, "bus"));
        assert_int_equal(l->nvidia.items[0].busy, 5000);
        assert_int_equal(l->nvidia.items[0].memory, 2500);
        assert_false(l->amd.known);
        assert_true(bytes_is(e->u.load.notes, i > 0 ? "" /* said once */
                                                    : "WARN Overviews are without AMD GPUs as long as `rocm-smi` fails: no driver\n"));
    }
}

static void test_tools_that_are_missing(void **state)
{
    struct session *s = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/nvidia-smi", tools);
    unlink(path);
    snprintf(path, sizeof path, "%s/rocm-smi", tools);
    unlink(path);
    observe(s, 100, true, true);
    const struct from_helper *e = wait_load(s, 0);
    assert_false(e->u.load.load->nvidia.known);
    assert_non_null(memmem(e->u.load.notes.p, e->u.load.notes.n, "`nvidia-smi` fails: Cannot execute", 34));
    assert_non_null(memmem(e->u.load.notes.p, e->u.load.notes.n, "`rocm-smi` fails: Cannot execute", 32));
    assert_true(e->u.load.load->n_cpus > 0);
}

/* Tasks do not wait for it, and no second one is started. */
static void test_a_tool_that_hangs(void **state)
{
    struct session *s = *state;
    char script[200];
    const char *argv[] = {"true", NULL};
    snprintf(script, sizeof script, "#!/bin/sh\necho >> %s/started\nsleep 1000\n", s->dir);
    write_file(tools, "nvidia-smi", script, 0700);
    uint64_t before_ns = hqi_base_clock_now().mono_ns;
    observe(s, 100, true, false);
    session_read_pid(s, "started"); /* until there is a line */
    session_spec(s, 1, argv, NULL);
    assert_int_equal(session_wait_ended(s, session_launch(s, 1, 0))->code, 0);
    assert_null(session_find(s, FROM_HELPER_LOAD, 0));
    const struct from_helper *e = wait_load(s, 0);
    assert_true(hqi_base_clock_now().mono_ns - before_ns >= TOOL_LIMIT_MS * HQI_MS);
    assert_false(e->u.load.load->nvidia.known);
    assert_true(bytes_is(e->u.load.notes, "WARN Overviews are without NVIDIA GPUs as long as `nvidia-smi` fails: it takes too long, or was killed\n"));
    assert_string_equal(session_read(s, "started"), "\n");
}

static void test_no_more(void **state)
{
    struct session *s = *state;
    const char *argv[] = {"sleep", "0.4", NULL};
    observe(s, 100, false, false);
    wait_load(s, 0);
    observe(s, 0, false, false);
    session_spec(s, 1, argv, NULL);
    uint64_t key = session_launch(s, 1, 0);
    session_wait(s, FROM_HELPER_STARTED, key);
    uint32_t n = s->n;
    session_wait_ended(s, key);
    for (uint32_t i = n; i < s->n; i++)
        assert_int_not_equal(s->events[i].kind, FROM_HELPER_LOAD);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        CASE(test_this_node),
        CASE(test_a_busy_cpu),
        CASE(test_tools),
        CASE(test_tools_that_are_missing),
        CASE(test_a_tool_that_hangs),
        CASE(test_no_more),
#undef CASE
    };
    char path[4096];
    if (argc != 2)
        return 2;
    program = argv[1];
    snprintf(tools, sizeof tools, "/tmp/hq-tools-XXXXXX");
    if (!mkdtemp(tools))
        return 2;
    snprintf(path, sizeof path, "%s:%s", tools, getenv("PATH"));
    setenv("PATH", path, 1);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(path, sizeof path, "%s/nvidia-smi", tools);
    unlink(path);
    rmdir(tools);
    return rc;
}
