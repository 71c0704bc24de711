/* SPDX-License-Identifier: MIT */
/** @file
 * The error codes and the caller-owned error record.
 *
 * Every int function of libhqcore returns >= 0 on success or one of the negative
 * HQ_E* codes below. A function that can say more takes `hq_error *err` as its
 * last argument: it may be NULL, is written only on failure, and never allocates.
 * Codes are never renumbered. */
#ifndef HQCORE_ERROR_H
#define HQCORE_ERROR_H

#include <stdint.h>

#ifndef HQ_API
/** What the library exports. */
#define HQ_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** All codes: XX(name, number, text). */
#define HQ_ERROR_MAP(XX)                                   \
    XX(EINVAL, 1, "invalid argument")                      \
    XX(ENOMEM, 2, "out of memory")                         \
    XX(ENOENT, 3, "no such job, task or worker")           \
    XX(ESTATE, 4, "not possible in this state")            \
    XX(EAUTH, 5, "peer not authorised")                    \
    XX(EPROTO, 6, "malformed or unexpected message")       \
    XX(EVERSION, 7, "peer or journal version unsupported") \
    XX(ELIMIT, 8, "a configured limit was exceeded")       \
    XX(EJOURNAL, 9, "journal corrupt or unwritable")       \
    XX(ETIMEDOUT, 10, "timed out")                         \
    XX(EFORK, 11, "used in a forked child")                \
    XX(ESYS, 12, "system call failed, see err->sys")       \
    XX(EINTERNAL, 13, "internal error, handle is dead")    \
    XX(EINTR, 14, "interrupted by a signal")               \
    XX(EAGAIN, 15, "not now, try again")                   \
    XX(EEXIST, 16, "exists already")                       \
    XX(ECLOSED, 17, "connection closed")

/** HQ_OK, and what went wrong: HQ_EINVAL, HQ_ENOMEM, ... as HQ_ERROR_MAP lists them, negative. */
enum {
    HQ_OK = 0,
#define XX(name, value, text) HQ_##name = -(value),
    HQ_ERROR_MAP(XX)
#undef XX
};

/** Caller-owned, usually on the stack. The layout is frozen at 256 bytes (LP64). */
typedef struct hq_error {
    int32_t code;      /**< HQ_E* */
    int32_t sys;       /**< errno when code is HQ_ESYS or HQ_EJOURNAL, else 0. */
    const char *where; /**< Static string: the layer, e.g. "serverdir". */
    char text[240];    /**< Names the value, what was expected and what to do; NUL-terminated. */
} hq_error;

/** The text of a code, e.g. hq_strerror(HQ_EAUTH). Static string, never NULL. Any thread. */
HQ_API const char *hq_strerror(int code);

#ifdef __cplusplus
}
#endif
#endif
