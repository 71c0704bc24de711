/* SPDX-License-Identifier: MIT */
/* main.c - `hq`: reads the command line and calls the command that it names. */
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "commands.h"
#include "output.h"

/* A server holds a socket for each of its peers; whatever the administrator allows is wanted. */
static void raise_file_limit(struct cli *cli)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
        return;
    cli->task_files = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static int run(const struct matches *m)
{
    struct cli cli;
    if (!out_init(&cli, m))
        return 1;
    raise_file_limit(&cli);
    return out_end(&cli, m->level[m->depth - 1].cmd->run(&cli, m));
}

int main(int argc, char **argv)
{
    struct matches m;
    struct str text = {0};
    signal(SIGPIPE, SIG_DFL); /* a parent may ignore it; `hq job list | head -1` is to end silently */
    int rc = args_parse(&m, &commands_root, argc, argv, &text);
    if (rc == ARGS_RUN)
        rc = run(&m);
    else
        fputs(str_text(&text), rc == 0 ? stdout : stderr);
    str_free(&text);
    args_free(&m);
    return rc;
}
