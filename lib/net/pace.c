/* SPDX-License-Identifier: MIT */
/* pace.c - the round trip: the shortest seen lately. A mean would count the time that frames wait behind each other; work handed
 * out by that measure makes them wait longer, and so on without end. */
#include "net/pace.h"

#define SPAN_NS (5 * HQI_SEC) /* a way that has become longer is believed after one to two of them */

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
    if (!p->span_rtt_ns || now_ns - p->span_since_ns > SPAN_NS) {
        p->rtt_ns = p->span_rtt_ns;
        p->span_rtt_ns = took;
        p->span_since_ns = now_ns;
    }
    if (took < p->span_rtt_ns)
        p->span_rtt_ns = took;
    if (!p->rtt_ns || took < p->rtt_ns)
        p->rtt_ns = took;
}
