/* SPDX-License-Identifier: MIT */
/* pace.c - the round trip, smoothed as TCP does: an eighth of each new sample. */
#include "net/pace.h"

#define SMOOTHING 8

void hqi_net_pace_handed(struct pace *p, uint64_t number, uint64_t now_ns)
{
    if (p->sample)
        return;
    p->sample = number;
    p->sample_ns = now_ns;
}

void hqi_net_pace_acked(struct pace *p, uint64_t acked, uint64_t now_ns)
{
    if (!p->sample || acked < p->sample)
        return;
    p->sample = 0;
    uint64_t took = now_ns > p->sample_ns ? now_ns - p->sample_ns : 1; /* 0 means unknown */
    if (!p->rtt_ns)
        p->rtt_ns = took;
    else if (took > p->rtt_ns)
        p->rtt_ns += (took - p->rtt_ns) / SMOOTHING;
    else
        p->rtt_ns -= (p->rtt_ns - took) / SMOOTHING;
}
