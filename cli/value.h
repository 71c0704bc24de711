/* SPDX-License-Identifier: MIT */
/* value.h - is this text a value of that option? */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include "args.h"

#define VALUE_WHY_MAX 4096 /* of a message, picture included; longer input is cut in it */

enum value_verdict { VALUE_GOOD, VALUE_EMPTY, VALUE_NO_CHOICE, VALUE_BAD };

/* VALUE_BAD: `why` says so. *number is set for kinds that have one. */
enum value_verdict value_check(const struct arg *a, const char *text, uint64_t *number, char *why, size_t room);

#endif
