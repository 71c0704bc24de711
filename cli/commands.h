/* SPDX-License-Identifier: MIT */
/* commands.h - the root of the command table. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "args.h"

extern const struct command commands_root;

#endif
