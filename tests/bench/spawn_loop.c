/* SPDX-License-Identifier: MIT */
/* spawn_loop.c - the bare loop that the launch of tasks is compared with: posix_spawn, wait, again.
 *
 *     spawn_loop TASKS PARALLEL [--files DIR] ARGV...
 *
 * Runs ARGV TASKS times, PARALLEL at a time, with /dev/null as its standard files or, with --files, with two fresh
 * output files each in DIR (TASK.stdout, TASK.stderr). Prints tasks per second, and the processor time of this
 * process and its children per task in microseconds. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_seconds(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void add_output(posix_spawn_file_actions_t *actions, int fd, const char *dir, long task,
                       const char *suffix)
{
    char path[4096];
    if (dir)
        snprintf(path, sizeof path, "%s/%ld.%s", dir, task, suffix);
    else
        strcpy(path, "/dev/null");
    posix_spawn_file_actions_addopen(actions, fd, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
}

static int start(char **argv, const char *dir, long task)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    add_output(&actions, STDOUT_FILENO, dir, task, "stdout");
    add_output(&actions, STDERR_FILENO, dir, task, "stderr");
    int rc = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (rc != 0)
        fprintf(stderr, "spawn_loop: %s: %s\n", argv[0], strerror(rc));
    return rc;
}

int main(int argc, char **argv)
{
    const char *dir = NULL;
    long tasks = argc > 3 ? atol(argv[1]) : 0, parallel = argc > 3 ? atol(argv[2]) : 0;
    char **command = argv + 3;
    if (argc > 5 && strcmp(argv[3], "--files") == 0) {
        dir = argv[4];
        command = argv + 5;
    }
    if (tasks <= 0 || parallel <= 0) {
        fprintf(stderr, "usage: spawn_loop TASKS PARALLEL [--files DIR] ARGV...\n");
        return 2;
    }
    double before = seconds();
    long started = 0, ended = 0, failed = 0;
    for (; ended < tasks; ended++) {
        for (; started < tasks && started - ended < parallel; started++)
            if (start(command, dir, started) != 0)
                return 1;
        int status;
        if (wait(&status) < 0)
            return 1;
        failed += status != 0;
    }
    double took = seconds() - before;
    printf("%.0f tasks/s, own cpu %.1f us/task, children's cpu %.1f us/task, %ld failed\n",
           (double)tasks / took, cpu_seconds(RUSAGE_SELF) * 1e6 / (double)tasks,
           cpu_seconds(RUSAGE_CHILDREN) * 1e6 / (double)tasks, failed);
    return 0;
}
