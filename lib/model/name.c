/* SPDX-License-Identifier: MIT */
/* name.c - what makes a name or a string fit to be taken from a peer.
 *
 * Promise: a name that passed can be printed in a table and put into JSON as it is. Errors show a name
 * only where it is known to be clean. */
#include "model/name.h"

#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

#define WHERE "model"

/* Length of the well-formed sequence at p, 0 if there is none. */
static size_t sequence(const unsigned char *p, size_t n)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
    if (len == 0 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) /* overlong, surrogate */
        return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) /* overlong, above U+10FFFF */
        return 0;
    return len;
}

bool hqi_model_name_is_utf8(struct bytes b)
{
    for (size_t at = 0, len; at < b.n; at += len) {
        len = sequence((const unsigned char *)b.p + at, b.n - at);
        if (len == 0)
            return false;
    }
    return true;
}

int hqi_model_name_check(struct bytes name, const char *what, hq_error *err)
{
    if (name.n > HQI_MAX_NAME)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "the %s has %zu bytes, at most %u are allowed", what, name.n,
                                  HQI_MAX_NAME);
    if (!hqi_model_name_is_utf8(name))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s is not valid UTF-8", what);
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '\0' || name.p[i] == '\n' || name.p[i] == '\t')
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s contains a newline, a tab or a NUL byte", what);
    return HQ_OK;
}

int hqi_model_name_check_string(struct bytes s, size_t max, const char *what, hq_error *err)
{
    if (s.n > max)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "the %s has %zu bytes, at most %zu are allowed", what, s.n, max);
    if (s.n > 0 && memchr(s.p, '\0', s.n))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s contains a NUL byte", what);
    return HQ_OK;
}
