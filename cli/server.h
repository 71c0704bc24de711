/* SPDX-License-Identifier: MIT */
/* server.h - `hq server`. */
#ifndef CLI_SERVER_H
#define CLI_SERVER_H

#include "args.h"

extern const struct command server_commands[];

#endif
