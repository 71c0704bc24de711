/* SPDX-License-Identifier: MIT */
/* net/pace.h - when an acknowledgement must leave by itself, and how long one takes to come: the arithmetic that both
 * ends of a session share. Pure: times are arguments. */
#ifndef HQI_NET_PACE_H
#define HQI_NET_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "net/session.h"

#define HQI_NET_ACK_NS (20 * HQI_MS) /* an acknowledgement waits that long for a DATA frame to ride on */
#define HQI_NET_ACK_FRAMES 64u       /* or until so many frames */
#define HQI_NET_ACK_BYTES (512u << 10) /* or bytes came since the last one left: keeps the other end's window open */

struct pace {
    uint64_t rtt_ns;    /* the shortest of the last two spans; 0: unknown */
    uint64_t span_rtt_ns, span_since_ns; /* the shortest of this span, and when it began; 0: none yet */
    uint64_t sample;    /* the frame that is being timed; 0: none */
    uint64_t sample_ns; /* when it was handed over */
    uint64_t frames, bytes; /* DATA that came since an acknowledgement left */
};

static inline void hqi_net_pace_came(struct pace *p, uint64_t bytes)
{
    p->frames++;
    p->bytes += bytes;
}
/* A frame left that carries s->safe. */
static inline void hqi_net_pace_told(struct pace *p)
{
    p->frames = p->bytes = 0;
}
/* An acknowledgement is owed, and: should it leave at once? */
static inline bool hqi_net_pace_owes(const struct session *s)
{
    return s->safe > s->told;
}
static inline bool hqi_net_pace_urgent(const struct pace *p, const struct session *s)
{
    return hqi_net_pace_owes(s) && (p->frames >= HQI_NET_ACK_FRAMES || p->bytes >= HQI_NET_ACK_BYTES);
}
/* One frame at a time is timed, from its hand-over to its acknowledgement. */
void hqi_net_pace_handed(struct pace *p, uint64_t number, uint64_t now_ns);
void hqi_net_pace_acked(struct pace *p, uint64_t acked, uint64_t now_ns);
/* The connection broke: what was being timed says nothing about the new one. */
static inline void hqi_net_pace_cut(struct pace *p)
{
    p->sample = 0;
}

#endif
