/* SPDX-License-Identifier: MIT */
/* task_paths_test.c - lib/text/task_paths.c: each pass, and that two make one. */
#include "parse_case.h"

#include "../failing_alloc.h"
#include "text/task_paths.h"


static const struct {
    const char *submit_dir;
    struct {
        const char *cwd, *out;
    } typed, submitted, started;
} rows[] = {
    {"/foo", {"%{SUBMIT_DIR}/%{SERVER_UID}/%{JOB_ID}-%{TASK_ID}", "%{CWD}/out"},
     {"/foo/testHQ/5-%{TASK_ID}", "/foo/testHQ/5-%{TASK_ID}/out"},
     {"/foo/testHQ/5-10", "/foo/testHQ/5-10/out"}},
    {"/foo", {"%{SERVER_UID}-%{TASK_ID}-%{INSTANCE_ID}", "%{JOB_ID}/stdout"},
     {"testHQ-%{TASK_ID}-%{INSTANCE_ID}", "/foo/testHQ-%{TASK_ID}-%{INSTANCE_ID}/5/stdout"},
     {"/foo/testHQ-10-6", "/foo/testHQ-10-6/5/stdout"}},
    {"/foo", {"%{SUBMIT_DIR}", "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout"},
     {"/foo", "/foo/job-5/%{TASK_ID}.stdout"},
     {"/foo", "/foo/job-5/10.stdout"}},
    {"/foo", {"bar", "out"}, {"/foo/bar", "/foo/bar/out"}, {"/foo/bar", "/foo/bar/out"}},
    {"/foo", {"bar", "%{TASK_ID}"}, {"/foo/bar", "%{TASK_ID}"}, {"/foo/bar", "/foo/bar/10"}},
    {"/foo", {"x-%{TASK_ID}", "%{CWD}/out"}, {"x-%{TASK_ID}", "/foo/x-%{TASK_ID}/out"}, {"/foo/x-10", "/foo/x-10/out"}},
    {"/foo", {"/abs", "/out"}, {"/abs", "/out"}, {"/abs", "/out"}},
    {"/", {"", "out"}, {"/", "/out"}, {"/", "/out"}},
    {"/foo", {"%{WHAT}", "%{TASK_ID}"}, {"%{WHAT}", "%{TASK_ID}"}, {"/foo/%{WHAT}", "/foo/%{WHAT}/10"}},
    {"/foo", {"50%", "%{JOB_ID}%"}, {"/foo/50%", "/foo/50%/5%"}, {"/foo/50%", "/foo/50%/5%"}},
    {"/foo", {"", ""}, {"/foo", ""}, {"/foo", ""}},
};

static bool same(struct bytes found, const char *expected)
{
    return bytes_is(found, expected);
}

static void resolves_in_two_passes(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena mem;
        const struct path_values v = {5, 10, 6, bytes_of(rows[i].submit_dir), bytes_of("testHQ")};
        const struct task_paths typed = {bytes_of(rows[i].typed.cwd), bytes_of(rows[i].typed.out), bytes_of(rows[i].typed.out)};
        struct task_paths first, second, only;
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
        assert_int_equal(hqi_text_task_paths_at_submit(&first, &mem, &typed, &v), HQ_OK);
        assert_int_equal(hqi_text_task_paths_at_start(&second, &mem, &first, &v), HQ_OK);
        assert_int_equal(hqi_text_task_paths_at_start(&only, &mem, &typed, &v), HQ_OK);
        if (!same(first.cwd, rows[i].submitted.cwd) || !same(first.out, rows[i].submitted.out))
            fail_msg("row %zu, submitted: %.*s %.*s", i, (int)first.cwd.n, first.cwd.p, (int)first.out.n, first.out.p);
        if (!same(second.cwd, rows[i].started.cwd) || !same(second.out, rows[i].started.out))
            fail_msg("row %zu, started: %.*s %.*s", i, (int)second.cwd.n, second.cwd.p, (int)second.out.n, second.out.p);
        assert_true(bytes_equal(second.cwd, only.cwd));
        assert_true(bytes_equal(second.out, only.out));
        assert_true(bytes_equal(second.out, second.err));
        hqi_base_arena_fini(&mem);
    }
}

static void limits_length(void **state)
{
    char *out = malloc(40 << 10); /* 40 kB that name a path of 4 kB some 5,000 times */
    char cwd[4096];
    struct arena mem;
    struct task_paths paths;
    for (size_t i = 0; i + 6 <= 40 << 10; i += 6)
        memcpy(out + i, "%{CWD}", 6);
    memset(cwd, '/', sizeof cwd);
    const struct path_values v = {5, 10, 6, bytes_of("/foo"), bytes_of("testHQ")};
    const struct task_paths typed = {{cwd, sizeof cwd}, {out, 40 << 10}, {"x", 1}};
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_text_task_paths_at_start(&paths, &mem, &typed, &v), HQ_ELIMIT);
    hqi_base_arena_fini(&mem);
    free(out);
}

static void survives_failing_memory(void **state)
{
    const struct path_values v = {5, 10, 6, bytes_of("/foo"), bytes_of("testHQ")};
    const struct task_paths typed = {bytes_of("a"), bytes_of("%{JOB_ID}"), bytes_of("b")};
    for (size_t at = 1;; at++) {
        struct failing f;
        struct arena mem;
        struct task_paths paths;
        failing_init(&f, at);
        hqi_base_arena_init(&mem, &f.alloc);
        int rc = hqi_text_task_paths_at_submit(&paths, &mem, &typed, &v);
        hqi_base_arena_fini(&mem);
        assert_int_equal(rc, f.hit ? HQ_ENOMEM : HQ_OK);
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolves_in_two_passes),
        cmocka_unit_test(limits_length),
        cmocka_unit_test(survives_failing_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
