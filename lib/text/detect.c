/* SPDX-License-Identifier: MIT */
/* detect.c - a comma list without spaces; `all` and `none` stand alone. */
#include "text/detect.h"

#include "hqcore/error.h"

static const struct {
    const char *name;
    uint32_t bit;
} kinds[] = {{"cpus", DETECT_CPUS}, {"mem", DETECT_MEM}, {"gpus/nvidia", DETECT_NVIDIA}, {"gpus/amd", DETECT_AMD}};

static uint32_t bit_of(struct bytes name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (bytes_is(name, kinds[i].name))
            return kinds[i].bit;
    return 0;
}

int hqi_text_detect_parse(uint32_t *bits, struct bytes in, struct buf *why)
{
    uint32_t found = 0;
    *bits = bytes_is(in, "all") ? DETECT_ALL : 0;
    if (*bits || bytes_is(in, "none"))
        return HQ_OK;
    for (size_t at = 0; at <= in.n;) {
        const char *comma = at < in.n ? memchr(in.p + at, ',', in.n - at) : NULL;
        const struct bytes name = {at < in.n ? in.p + at : "", comma ? (size_t)(comma - in.p) - at : in.n - at};
        uint32_t bit = bit_of(name);
        if (bit == 0) {
            if (why) {
                hqi_base_buf_adds(why, "invalid variant: ");
                hqi_base_buf_add(why, name.p, name.n);
            }
            return HQ_EINVAL;
        }
        found |= bit;
        at += name.n + 1;
    }
    *bits = found;
    return HQ_OK;
}
