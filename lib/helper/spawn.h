/* SPDX-License-Identifier: MIT */
/* spawn.h - starting a process without waiting for it, not even for its exec.
 *
 * A pad is what a child runs on until its exec: a stack, its plan, room for its argv and envp, and the place where it
 * says why it failed. The kernel clears `busy` when the child no longer uses this memory (after its exec or its
 * exit). So an open that hangs on a dead file system stops one task, and neither limits nor kills of others. */
#ifndef HQI_HELPER_SPAWN_H
#define HQI_HELPER_SPAWN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

/* Where a child failed. */
enum spawn_step {
    SPAWN_OK = 0,
    SPAWN_OUT_DIR, /* the directory of its stdout could not be made */
    SPAWN_ERR_DIR,
    SPAWN_CWD,    /* its working directory could not be made */
    SPAWN_STREAM, /* a file of its stdin, stdout or stderr could not be opened */
    SPAWN_EXEC
};

/* Everything is borrowed, and must stay until the pad is no longer busy. */
struct spawn_plan {
    const char *cwd;       /* made if missing; NULL: the helper's */
    const char *in;        /* opened for reading; NULL: /dev/null */
    const char *out, *err; /* created or truncated, with their directories; NULL: /dev/null */
    int out_fd, err_fd;    /* put in the place of out and err; -1: none */
    const char *path;      /* PATH of the child's environment; NULL: it has none */
};

struct pad {
    struct list link; /* of the spawner's free pads */
    struct spawn_plan plan;
    char **argv; /* owned; the real one starts at 1, [0] is for /bin/sh in front of a script without "#!" */
    char **envp; /* owned */
    uint32_t argv_room, envp_room;
    int busy;      /* cleared by the kernel */
    int step, sys; /* written by the child: enum spawn_step and errno */
    int parent;    /* pid of the helper */
    char *stack;   /* owned: a guard page, then PAD_STACK bytes */
    char scratch[PATH_MAX];
};

struct spawner {
    struct list free; /* owned pads */
    int pid;          /* of this process */
};

void hqi_helper_spawn_init(struct spawner *s);
/* A pad with room for n_argv arguments and n_envp variables (the NULLs not counted), its plan empty;
 * NULL: no memory. */
struct pad *hqi_helper_spawn_take_pad(struct spawner *s, uint32_t n_argv, uint32_t n_envp);
/* NULL is fine. Only of a pad that is not busy. */
void hqi_helper_spawn_give_pad(struct spawner *s, struct pad *pad);
/* Starts pad->argv + 1 as the leader of a session of its own. The pid, or -errno when there is no child. */
int hqi_helper_spawn_start(struct spawner *s, struct pad *pad);
bool hqi_helper_spawn_is_busy(const struct pad *pad);

#endif
