/* SPDX-License-Identifier: MIT */
/* detect.h - which resources a worker looks for: "all", "none", "cpus,mem,gpus/nvidia,gpus/amd". */
#ifndef HQI_TEXT_DETECT_H
#define HQI_TEXT_DETECT_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

enum detect_bits { DETECT_CPUS = 1, DETECT_MEM = 2, DETECT_NVIDIA = 4, DETECT_AMD = 8, DETECT_ALL = 15 };

int hqi_text_detect_parse(uint32_t *bits, struct bytes in, struct buf *why);

#endif
