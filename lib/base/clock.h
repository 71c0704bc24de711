/* SPDX-License-Identifier: MIT */
/* clock.h - time as an input: read once per tick, then passed on. */
#ifndef HQI_BASE_CLOCK_H
#define HQI_BASE_CLOCK_H

#include <stdint.h>

struct now {
    uint64_t mono_ns; /* CLOCK_MONOTONIC (CLOCK_BOOTTIME semantics not needed) */
    uint64_t utc_ms;  /* milliseconds since 1970, UTC */
};

struct now hqi_base_clock_now(void);

#define HQI_MS 1000000ull     /* nanoseconds */
#define HQI_SEC 1000000000ull /* nanoseconds */

#endif
