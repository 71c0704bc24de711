/* SPDX-License-Identifier: MIT */
/* amount.h - "4", "0.5", "1_000": amounts of a resource, in 1/10000. */
#ifndef HQI_TEXT_AMOUNT_H
#define HQI_TEXT_AMOUNT_H

#include <stdint.h>

#include "text/scan.h"

/* The whole input. Zero is fine. */
int hqi_text_amount_parse(uint64_t *amount, struct bytes in, struct buf *why);
/* From the cursor as far as it goes. `number`: how to complain where no number begins; `label` names
 * the construct when the amount itself is wrong. */
int hqi_text_amount_scan(struct scan *s, struct scan_want number, const char *label, uint64_t *amount);

#endif
