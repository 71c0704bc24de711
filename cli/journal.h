/* SPDX-License-Identifier: MIT */
/* journal.h - `hq journal`. */
#ifndef CLI_JOURNAL_H
#define CLI_JOURNAL_H

#include "args.h"

extern const struct command journal_commands[];

#endif
