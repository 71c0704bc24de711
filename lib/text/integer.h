/* SPDX-License-Identifier: MIT */
/* integer.h - plain decimal integers: no underscores, no spaces, a leading '+' is fine. */
#ifndef HQI_TEXT_INTEGER_H
#define HQI_TEXT_INTEGER_H

#include <stdint.h>

#include "base/bytes.h"

enum integer_fault { INTEGER_OK = 0, INTEGER_EMPTY, INTEGER_DIGIT, INTEGER_OVERFLOW };

enum integer_fault hqi_text_integer_parse(struct bytes in, uint64_t max, uint64_t *ret);
/* "invalid digit found in string", ... */
const char *hqi_text_integer_fault_text(enum integer_fault fault);

#endif
