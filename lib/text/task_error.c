/* SPDX-License-Identifier: MIT */
/* task_error.c - from a stored code of 16 bits to its sentence: the server keeps codes, not sentences. */
#include "text/task_error.h"

#include <stddef.h>

#include "hqcore/types.h"
#include "model/spec.h"

/* By number, as on Linux, x86-64 and aarch64. */
static const char *const signals[] = {
    [1] = "SIGHUP",   [2] = "SIGINT",   [3] = "SIGQUIT",  [4] = "SIGILL",   [5] = "SIGTRAP",  [6] = "SIGABRT",
    [7] = "SIGBUS",   [8] = "SIGFPE",   [9] = "SIGKILL",  [10] = "SIGUSR1", [11] = "SIGSEGV", [12] = "SIGUSR2",
    [13] = "SIGPIPE", [14] = "SIGALRM", [15] = "SIGTERM", [17] = "SIGCHLD", [18] = "SIGCONT", [19] = "SIGSTOP",
};

const char *hqi_text_task_error_signal(int signal)
{
    size_t n = sizeof signals / sizeof *signals;
    return signal > 0 && (size_t)signal < n && signals[signal] ? signals[signal] : "unknown";
}

static void print_crash_limit(uint32_t limit, struct buf *out)
{
    if (limit == CRASH_NEVER_RESTART)
        hqi_base_buf_adds(out, "Task was running on a lost worker while never restart flag was set.");
    else
        hqi_base_buf_addf(out,
                          "Task was running on a worker that was lost; the task has occurred %u times in this situation "
                          "and limit was reached.",
                          limit);
}

static void print_exit(uint16_t code, struct buf *out)
{
    if (code < HQ_CODE_SIGNAL)
        hqi_base_buf_addf(out, "Program terminated with exit code %u.", code);
    else
        hqi_base_buf_addf(out, "Program terminated with exit code -1. Received signal %d (%s).", code - HQ_CODE_SIGNAL,
                          hqi_text_task_error_signal(code - HQ_CODE_SIGNAL));
}

void hqi_text_task_error_print(uint16_t code, struct bytes text, uint32_t crash_limit, struct buf *out)
{
    switch (code) {
    case 0:
        break;
    case HQ_CODE_TIME_LIMIT:
        hqi_base_buf_adds(out, "Time limit reached");
        break;
    case HQ_CODE_TEXT:
    case HQ_CODE_LAUNCH:
        hqi_base_buf_add(out, text.p, text.n);
        break;
    case HQ_CODE_CRASH_LIMIT:
        print_crash_limit(crash_limit, out);
        break;
    default:
        print_exit(code, out);
    }
}
