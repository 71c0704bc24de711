/* SPDX-License-Identifier: MIT */
/* crash_limit.c - the two words and the number. 0 is refused, because two readings of it are possible. */
#include "text/crash_limit.h"

#include "model/spec.h"
#include "text/integer.h"

static const char *fault_name(enum integer_fault fault)
{
    return fault == INTEGER_EMPTY ? "Empty" : fault == INTEGER_OVERFLOW ? "PosOverflow" : "InvalidDigit";
}

static int parse_number(uint32_t *limit, struct bytes in, struct buf *why)
{
    uint64_t n;
    enum integer_fault fault = hqi_text_integer_parse(in, UINT16_MAX, &n);
    if (fault == INTEGER_OK && n > 0) {
        *limit = (uint32_t)n;
        return HQ_OK;
    }
    if (why && fault == INTEGER_OK)
        hqi_base_buf_adds(why, "Crash limit cannot be 0. Use `never-restart` or `unlimited` instead.");
    else if (why)
        hqi_base_buf_addf(why, "Invalid crash limit: ParseIntError { kind: %s }", fault_name(fault));
    return HQ_EINVAL;
}

int hqi_text_crash_limit_parse(uint32_t *limit, struct bytes in, struct buf *why)
{
    if (bytes_is(in, "never-restart"))
        *limit = CRASH_NEVER_RESTART;
    else if (bytes_is(in, "unlimited"))
        *limit = CRASH_UNLIMITED;
    else
        return parse_number(limit, in, why);
    return HQ_OK;
}

void hqi_text_crash_limit_print(uint32_t limit, struct buf *out)
{
    if (limit == CRASH_NEVER_RESTART)
        hqi_base_buf_adds(out, "never-restart");
    else if (limit == CRASH_UNLIMITED)
        hqi_base_buf_adds(out, "unlimited");
    else
        hqi_base_buf_addf(out, "%u", limit);
}
