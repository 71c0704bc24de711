/* SPDX-License-Identifier: MIT */
/* env_pair.c - one environment variable. An empty key is taken as it is: what it does is the shell's matter. */
#include "text/env_pair.h"

int hqi_text_env_pair_parse(struct env_var *ret, struct bytes in, struct buf *why)
{
    if (in.n == 0) {
        if (why)
            hqi_base_buf_adds(why, "Environment variable cannot be empty");
        return HQ_EINVAL;
    }
    const char *equals = memchr(in.p, '=', in.n);
    size_t n = equals ? (size_t)(equals - in.p) : in.n;
    ret->name = (struct bytes){in.p, n};
    ret->value = equals ? (struct bytes){in.p + n + 1, in.n - n - 1} : (struct bytes){"", 0};
    return HQ_OK;
}
