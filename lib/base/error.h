/* SPDX-License-Identifier: MIT */
/* base/error.h - filling the public hq_error. Each returns the code, so that callers can
 * `return hqi_base_error_set(err, HQ_EINVAL, "text", "...")`. */
#ifndef HQI_BASE_ERROR_H
#define HQI_BASE_ERROR_H

#include "hqcore/error.h"

/* `err` may be NULL. `where` is static. */
int hqi_base_error_set(hq_error *err, int code, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* HQ_ESYS with errno `sys`; ": <text> (os error N)" is appended to the message. */
int hqi_base_error_sys(hq_error *err, int sys, const char *where, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int hqi_base_error_nomem(hq_error *err, const char *where); /* HQ_ENOMEM */
/* "No such file or directory (os error 2)" into buf; returns buf. */
const char *hqi_base_error_os_text(int sys, char *buf, unsigned size);

#endif
