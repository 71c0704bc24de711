/* SPDX-License-Identifier: MIT */
/* signals.c - the one place that installs handlers. The handler only notes the number and wakes the loop, both of
 * which a signal handler may do. */
#include "signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t noted;
static hq_ctx *volatile woken; /* borrowed from whoever called signals_catch */

static void on_signal(int signal)
{
    hq_ctx *ctx = woken;
    noted = signal;
    if (ctx)
        hq_ctx_wake(ctx);
}

void signals_catch(hq_ctx *ctx, const int *list)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;
    woken = ctx;
    sigemptyset(&set);
    for (; *list; list++) {
        sigaction(*list, &action, NULL);
        sigaddset(&set, *list);
    }
    sigprocmask(SIG_UNBLOCK, &set, NULL); /* a parent may have left them blocked */
    signal(SIGPIPE, SIG_IGN);              /* whoever reads our log may go; the work must not */
}

void signals_stop(void)
{
    woken = NULL;
}

int signals_take(void)
{
    int signal = noted;
    noted = 0;
    return signal;
}
