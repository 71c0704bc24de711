/* SPDX-License-Identifier: MIT */
/* error.c - filling hq_error, and the texts of its codes.
 *
 * Promise: never allocates; text is always NUL-terminated. Text is formatted aside before it is
 * stored, so that an argument may be the very record being written ("cannot start: %s", err->text). */
#include "base/error.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(void *) != 8 || sizeof(hq_error) == 256, "the layout of hq_error is frozen");
_Static_assert(sizeof(void *) != 8 || offsetof(hq_error, text) == 16, "the layout of hq_error is frozen");

#define TEXT_BYTES sizeof(((hq_error *)NULL)->text)

const char *hq_strerror(int code)
{
    switch (code) {
    case HQ_OK:
        return "success";
#define XX(name, value, text) \
    case HQ_##name:           \
        return text;
        HQ_ERROR_MAP(XX)
#undef XX
    }
    return "unknown error code";
}

static void format(char text[TEXT_BYTES], const char *fmt, va_list ap)
{
    memset(text, 0, TEXT_BYTES);
    if (vsnprintf(text, TEXT_BYTES, fmt, ap) < 0)
        text[0] = '\0';
}

static int store(hq_error *err, int code, int sys, const char *where, const char text[TEXT_BYTES])
{
    *err = (hq_error){.code = code, .sys = sys, .where = where};
    memcpy(err->text, text, TEXT_BYTES);
    return code;
}

int hqi_base_error_set(hq_error *err, int code, const char *where, const char *fmt, ...)
{
    char text[TEXT_BYTES];
    va_list ap;
    if (!err)
        return code;
    va_start(ap, fmt);
    format(text, fmt, ap);
    va_end(ap);
    return store(err, code, 0, where, text);
}

int hqi_base_error_sys(hq_error *err, int sys, const char *where, const char *fmt, ...)
{
    char text[TEXT_BYTES], os[96];
    va_list ap;
    if (!err)
        return HQ_ESYS;
    va_start(ap, fmt);
    format(text, fmt, ap);
    va_end(ap);
    hqi_base_error_os_text(sys, os, sizeof os);
    size_t room = TEXT_BYTES - strlen(os) - sizeof ": "; /* a long text is cut, the reason never */
    size_t n = strnlen(text, room);
    memcpy(text + n, ": ", 2);
    memcpy(text + n + 2, os, strlen(os) + 1);
    return store(err, HQ_ESYS, sys, where, text);
}

int hqi_base_error_nomem(hq_error *err, const char *where)
{
    return hqi_base_error_set(err, HQ_ENOMEM, where, "out of memory");
}

const char *hqi_base_error_os_text(int sys, char *buf, unsigned size)
{
    char room[64];
    snprintf(buf, size, "%s (os error %d)", strerror_r(sys, room, sizeof room), sys);
    return buf;
}
