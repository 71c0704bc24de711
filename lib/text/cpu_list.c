/* SPDX-License-Identifier: MIT */
/* cpu_list.c - a few numbers that the kernel wrote; still, none is trusted. */
#include "text/cpu_list.h"

#include "base/limits.h"
#include "text/scan.h"

static int scan_range(struct scan *s, hq_range *ret)
{
    static const struct scan_want none = {0};
    uint32_t first, last;
    hqi_text_scan_space(s);
    if (hqi_text_scan_number(s, none, NULL, &first) < 0)
        return HQ_EINVAL;
    last = first;
    if (hqi_text_scan_take(s, '-') && hqi_text_scan_number(s, none, NULL, &last) < 0)
        return HQ_EINVAL;
    if (last < first)
        return HQ_EINVAL;
    if (last > HQI_MAX_INDICES)
        return HQ_ELIMIT;
    hqi_text_scan_space(s);
    *ret = (hq_range){.first = first, .count = last - first + 1, .step = 1};
    return HQ_OK;
}

int hqi_text_cpu_list_parse(const hq_range **ranges, uint32_t *n, struct arena *mem, struct bytes in)
{
    struct scan s = scan_of(in, NULL);
    size_t room = 1;
    for (size_t i = 0; i < in.n; i++)
        room += in.p[i] == ',';
    if (room > HQI_MAX_INDICES)
        return HQ_ELIMIT;
    hq_range *v = hqi_base_arena_zero(mem, room, sizeof *v);
    if (!v)
        return HQ_ENOMEM;
    for (*n = 0;;) {
        int rc = scan_range(&s, &v[*n]);
        if (rc < 0)
            return rc;
        ++*n;
        if (scan_at_end(&s))
            break;
        if (!hqi_text_scan_take(&s, ','))
            return HQ_EINVAL;
    }
    *ranges = v;
    return HQ_OK;
}
