/* SPDX-License-Identifier: MIT */
/* walk.c - a walk over the command table. */
#include "walk.h"

static void walk(const char *prefix, const struct command *cmd, walk_fn *fn, void *user)
{
    struct str path = {0};
    str_addf(&path, "%s%s%s", prefix, *prefix ? " " : "", cmd->name);
    fn(user, path.p, cmd);
    for (const struct command *s = cmd->subs; s && s->name; s++)
        walk(path.p, s, fn, user);
    str_free(&path);
}

void walk_commands(const struct command *root, walk_fn *fn, void *user)
{
    walk("", root, fn, user);
}

bool walk_is_path(const struct arg *a)
{
    return a->kind == ARG_PATH;
}
