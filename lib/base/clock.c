/* SPDX-License-Identifier: MIT */
/* clock.c - the only place that asks the system for the time. */
#include "base/clock.h"

#include <time.h>

struct now hqi_base_clock_now(void)
{
    struct timespec mono, utc;
    clock_gettime(CLOCK_MONOTONIC, &mono); /* neither can fail: the clocks exist since Linux 2.6 */
    clock_gettime(CLOCK_REALTIME, &utc);
    uint64_t utc_s = utc.tv_sec > 0 ? (uint64_t)utc.tv_sec : 0;
    return (struct now){
        .mono_ns = (uint64_t)mono.tv_sec * HQI_SEC + (uint64_t)mono.tv_nsec,
        .utc_ms = utc_s * 1000 + (uint64_t)utc.tv_nsec / HQI_MS,
    };
}
