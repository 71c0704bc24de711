/* SPDX-License-Identifier: MIT */
/* task_error.h - why a task failed, in the words that people know. */
#ifndef HQI_TEXT_TASK_ERROR_H
#define HQI_TEXT_TASK_ERROR_H

#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

/* "SIGKILL"; "unknown" for the uncommon ones. Static. */
const char *hqi_text_task_error_signal(int signal);
/* `code` is an enum hq_task_code; `text` counts for HQ_CODE_TEXT and HQ_CODE_LAUNCH, `crash_limit` (as in
 * struct spec) for HQ_CODE_CRASH_LIMIT. Nothing is appended for code 0. */
void hqi_text_task_error_print(uint16_t code, struct bytes text, uint32_t crash_limit, struct buf *out);

#endif
