/* SPDX-License-Identifier: MIT */
/* completion.h - completion scripts for shells, made from the command table. */
#ifndef CLI_COMPLETION_H
#define CLI_COMPLETION_H

#include "args.h"

enum shell { SHELL_BASH, SHELL_FISH, SHELL_ZSH };

void completion_script(struct str *out, enum shell shell, const struct command *root);

extern const struct arg completion_args[];
int completion_run(struct cli *cli, const struct matches *m);

#endif
