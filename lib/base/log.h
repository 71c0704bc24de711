/* SPDX-License-Identifier: MIT */
/* log.h - the log sink of one hq_ctx. A function either logs or returns an error, never both.
 * Levels as syslog(3): 3 error, 4 warning, 6 info, 7 debug. */
#ifndef HQI_BASE_LOG_H
#define HQI_BASE_LOG_H

#include <stdint.h>

enum { LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG7 = 7 };

struct log {
    void (*fn)(void *user, int level, const char *where, const char *text); /* NULL: silent */
    void *user;
    int level; /* records above it are dropped */
};

/* Formats into a fixed buffer (longer text is cut); `log` may be NULL. */
void hqi_base_log_write(const struct log *log, int level, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

#endif
