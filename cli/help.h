/* SPDX-License-Identifier: MIT */
/* help.h - what -h, --help and --version print, made from the tables. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "args.h"

/* Of the command at the end of m's path. Global options show in the long form only. */
void help_print(struct str *out, const struct matches *m, const struct command *root, bool is_long);
int help_version(struct str *out); /* returns 0 */

#endif
