/* SPDX-License-Identifier: MIT */
/* run.c - sim_run SEED... | --seeds FROM-TO [--jobs N] | --trace SEED
 *
 * Prints one line for each seed that fails, and exits 1 if any did. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

static int usage(void)
{
    fprintf(stderr, "usage: sim_run SEED... | --seeds FROM-TO [--jobs N] | --trace SEED\n");
    return 2;
}

static int run_share(uint64_t from, uint64_t to, uint64_t step)
{
    int failed = 0;
    for (uint64_t seed = from; seed <= to; seed += step)
        failed |= !sim_run(seed, false);
    return failed;
}

/* Each process takes every n-th seed. */
static int run_seeds(uint64_t from, uint64_t to, uint64_t jobs)
{
    int failed = 0;
    for (uint64_t i = 0; i < jobs; i++) {
        fflush(stdout);
        pid_t pid = fork();
        if (pid < 0) {
            fprintf(stderr, "fork: %s\n", strerror(errno));
            return 1;
        }
        if (pid == 0) {
            int share = run_share(from + i, to, jobs);
            fflush(stdout);
            _exit(share);
        }
    }
    for (int status; wait(&status) > 0;) {
        if (WIFSIGNALED(status))
            printf("a simulation was ended by signal %d\n", WTERMSIG(status));
        failed |= !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    unsigned long long from, to;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    if (argc < 2)
        return usage();
    if (strcmp(argv[1], "--trace") == 0)
        return argc == 3 ? !sim_run(strtoull(argv[2], NULL, 10), true) : usage();
    if (strcmp(argv[1], "--seeds") == 0) {
        if (argc < 3 || sscanf(argv[2], "%llu-%llu", &from, &to) != 2 || from > to)
            return usage();
        if (argc == 5 && strcmp(argv[3], "--jobs") == 0)
            cpus = atol(argv[4]);
        return run_seeds(from, to, cpus > 0 ? (uint64_t)cpus : 1);
    }
    for (int i = 1; i < argc; i++)
        failed |= !sim_run(strtoull(argv[i], NULL, 10), false);
    return failed;
}
