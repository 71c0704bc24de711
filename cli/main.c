/* SPDX-License-Identifier: MIT */
/* main.c - `hq`: reads the command line and calls the command that it names. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "commands.h"
#include "output.h"

/* A closed standard stream must not become a socket that results are printed into. Its place is taken by what can be
 * neither read (0) nor written (1, 2), so that using it still fails. */
static void hold_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

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
    hold_standard_streams();
    signal(SIGPIPE, SIG_DFL); /* a parent may ignore it; `hq job list | head -1` is to end silently */
    int rc = args_parse(&m, &commands_root, argc, argv, &text);
    if (rc != ARGS_RUN)
        fputs(str_text(&text), rc == 0 ? stdout : stderr);
    rc = rc == ARGS_RUN ? run(&m) : out_close(rc);
    str_free(&text);
    args_free(&m);
    return rc;
}
