/* SPDX-License-Identifier: MIT */
/* value.c - the checks of option values that need no grammar of the library, and the call of those that do. */
#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hqcore/tools.h"

static enum value_verdict check_choice(const struct arg *a, const char *text, uint64_t *number)
{
    for (size_t i = 0; a->choices[i]; i++) {
        if (strcmp(a->choices[i], text) != 0)
            continue;
        *number = i;
        return VALUE_GOOD;
    }
    return VALUE_NO_CHOICE;
}

static const char *number_flaw(const char *text)
{
    const char *digits = text + (*text == '-' || *text == '+');
    if (*text == '\0')
        return "cannot parse integer from empty string";
    return *digits == '\0' || digits[strspn(digits, "0123456789")] != '\0' ? "invalid digit found in string" : NULL;
}

static enum value_verdict check_number(const struct arg *a, const char *text, uint64_t *number, char *why, size_t room)
{
    const char *flaw = number_flaw(text);
    errno = 0;
    long long value = flaw ? 0 : strtoll(text, NULL, 10);
    if (!flaw && errno == ERANGE)
        flaw = *text == '-' ? "number too small to fit in target type" : "number too large to fit in target type";
    if (flaw) {
        snprintf(why, room, "%s", flaw);
        return VALUE_BAD;
    }
    if (value < a->min || value > a->max) {
        snprintf(why, room, "%lld is not in %" PRId64 "..=%" PRId64, value, a->min, a->max);
        return VALUE_BAD;
    }
    *number = (uint64_t)value;
    return VALUE_GOOD;
}

enum value_verdict value_check(const struct arg *a, const char *text, uint64_t *number, char *why, size_t room)
{
    why[0] = '\0';
    switch ((enum arg_kind)a->kind) {
    case ARG_PATH:
        return *text ? VALUE_GOOD : VALUE_EMPTY;
    case ARG_CHOICE:
        return check_choice(a, text, number);
    case ARG_NUMBER:
        return check_number(a, text, number, why, room);
    case ARG_GRAMMAR:
        return hq_tools_check(a->grammar, text, number, why, room) < 0 ? VALUE_BAD : VALUE_GOOD;
    case ARG_CHECKED:
        return a->check(text, number, why, room) ? VALUE_GOOD : VALUE_BAD;
    case ARG_FLAG:
    case ARG_COUNT:
    case ARG_TEXT:
        break;
    }
    return VALUE_GOOD;
}
