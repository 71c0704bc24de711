/* SPDX-License-Identifier: MIT */
/* integer.c - decimal digits to a number, or the reason why not. Never wraps. */
#include "text/integer.h"

enum integer_fault hqi_text_integer_parse(struct bytes in, uint64_t max, uint64_t *ret)
{
    size_t at = in.n > 0 && in.p[0] == '+' ? 1 : 0;
    uint64_t value = 0;
    if (in.n == 0)
        return INTEGER_EMPTY;
    if (at == in.n)
        return INTEGER_DIGIT;
    enum integer_fault fault = INTEGER_OK;
    for (; at < in.n; at++) {
        if (in.p[at] < '0' || in.p[at] > '9')
            return INTEGER_DIGIT;
        uint64_t digit = (uint64_t)(in.p[at] - '0');
        if (fault == INTEGER_OK && (digit > max || value > (max - digit) / 10))
            fault = INTEGER_OVERFLOW;
        else if (fault == INTEGER_OK)
            value = value * 10 + digit;
    }
    *ret = value;
    return fault;
}

const char *hqi_text_integer_fault_text(enum integer_fault fault)
{
    switch (fault) {
    case INTEGER_OK:
        break;
    case INTEGER_EMPTY:
        return "cannot parse integer from empty string";
    case INTEGER_DIGIT:
        return "invalid digit found in string";
    case INTEGER_OVERFLOW:
        return "number too large to fit in target type";
    }
    return "";
}
