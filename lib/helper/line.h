/* SPDX-License-Identifier: MIT */
/* line.h - text of the kernel and of foreign programs, taken apart from the front: lines, words, numbers. Each takes what it
 * returns away from its input, and nothing when it returns false. */
#ifndef HQI_HELPER_LINE_H
#define HQI_HELPER_LINE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

bool hqi_helper_line_next(struct bytes *text, struct bytes *line); /* without its newline; false: that was all */
struct bytes hqi_helper_line_column(struct bytes *line, char separator); /* up to the next one, which goes too; trimmed */
bool hqi_helper_line_skip(struct bytes *line, const char *word);  /* it begins so */
/* Blanks, then digits; false: there are none, or it is above 2^64 - 1. */
bool hqi_helper_line_number(struct bytes *line, uint64_t *ret);
/* The same with a fraction, as in "12.5"; at most 10^15, so that sums and products stay exact enough. */
bool hqi_helper_line_decimal(struct bytes *line, double *ret);
struct bytes hqi_helper_line_trim(struct bytes b);

#endif
