/* SPDX-License-Identifier: MIT */
/* task_error_test.c - lib/text/task_error.c. */
#include "parse_case.h"

#include "hqcore/types.h"
#include "model/spec.h"
#include "text/task_error.h"

static const struct {
    uint16_t code;
    const char *text;
    uint32_t crash_limit;
    const char *out;
} rows[] = {
    {0, "", 5, ""},
    {1, "", 5, "Program terminated with exit code 1."},
    {255, "", 5, "Program terminated with exit code 255."},
    {HQ_CODE_SIGNAL + 9, "", 5, "Program terminated with exit code -1. Received signal 9 (SIGKILL)."},
    {HQ_CODE_SIGNAL + 15, "", 5, "Program terminated with exit code -1. Received signal 15 (SIGTERM)."},
    {HQ_CODE_SIGNAL + 34, "", 5, "Program terminated with exit code -1. Received signal 34 (unknown)."},
    {HQ_CODE_TIME_LIMIT, "", 5, "Time limit reached"},
    {HQ_CODE_TEXT, "my words", 5, "my words"},
    {HQ_CODE_LAUNCH, "Cannot execute \"x\"", 5, "Cannot execute \"x\""},
    {HQ_CODE_CRASH_LIMIT, "", CRASH_NEVER_RESTART,
     "Task was running on a lost worker while never restart flag was set."},
    {HQ_CODE_CRASH_LIMIT, "", 5,
     "Task was running on a worker that was lost; the task has occurred 5 times in this situation and limit was reached."},
};

static void prints_sentences(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct parse_bench b;
        bench_init(&b);
        hqi_text_task_error_print(rows[i].code, bytes_of(rows[i].text), rows[i].crash_limit, &b.out);
        assert_string_equal(b.out.p ? b.out.p : "", rows[i].out);
        bench_fini(&b);
    }
}

static void names_signals(void **state)
{
    assert_string_equal(hqi_text_task_error_signal(1), "SIGHUP");
    assert_string_equal(hqi_text_task_error_signal(11), "SIGSEGV");
    assert_string_equal(hqi_text_task_error_signal(19), "SIGSTOP");
    assert_string_equal(hqi_text_task_error_signal(16), "unknown");
    assert_string_equal(hqi_text_task_error_signal(20), "unknown");
    assert_string_equal(hqi_text_task_error_signal(0), "unknown");
    assert_string_equal(hqi_text_task_error_signal(-1), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prints_sentences),
        cmocka_unit_test(names_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
