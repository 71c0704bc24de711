/* SPDX-License-Identifier: MIT */
/* log.c - formats one record for the host's callback; no allocation, no stream. */
#include "base/log.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 1024 /* a path of PATH_MAX is cut; an error text (240) with its context fits */

void hqi_base_log_write(const struct log *log, int level, const char *where, const char *fmt, ...)
{
    if (!log || !log->fn || level > log->level)
        return;
    char text[TEXT_BYTES];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    else if ((size_t)n >= sizeof text)
        memcpy(text + sizeof text - sizeof "...", "...", sizeof "...");
    log->fn(log->user, level, where, text);
}
