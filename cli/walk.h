/* SPDX-License-Identifier: MIT */
/* walk.h - every command of the table with its path, for what is generated from it. */
#ifndef CLI_WALK_H
#define CLI_WALK_H

#include "args.h"

typedef void walk_fn(void *user, const char *path, const struct command *cmd); /* path: "hq job list" */
void walk_commands(const struct command *root, walk_fn *fn, void *user);       /* a group comes before its members */

/* Does the value of the option name a file? */
bool walk_is_path(const struct arg *a);

#endif
