/* SPDX-License-Identifier: MIT */
/* crash_limit.h - how often a task may be lost with its worker: "never-restart", "unlimited", 1..65535. */
#ifndef HQI_TEXT_CRASH_LIMIT_H
#define HQI_TEXT_CRASH_LIMIT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* CRASH_NEVER_RESTART, CRASH_UNLIMITED (model/spec.h) or the number. */
int hqi_text_crash_limit_parse(uint32_t *limit, struct bytes in, struct buf *why);
void hqi_text_crash_limit_print(uint32_t limit, struct buf *out);

#endif
