/* SPDX-License-Identifier: MIT */
/* disk.h - a disk in memory behind journal_io: it counts its calls, fails the one that a test names, and after any of them shows
 * what `kill -9` or a lost node would leave.
 *
 * A sync that fails drops what it should have synced, and the next one succeeds without it, as Linux does.
 *
 * Killing a process leaves what was written. Losing the node leaves what was synced, of each file any prefix of the rest, and of
 * the directory what was synced or any later state of it. */
#ifndef TESTS_JOURNAL_DISK_H
#define TESTS_JOURNAL_DISK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "journal/io.h"

#define DISK_INODES 64u
#define DISK_NAMES 8u

enum disk_call { DISK_OPEN = 1, DISK_READ, DISK_WRITE, DISK_SYNC, DISK_TRUNCATE, DISK_RENAME, DISK_UNLINK, DISK_SYNC_DIR };

struct disk_inode {
    char *now, *safe; /* owned */
    uint64_t n, n_safe;
    int open; /* descriptors */
    uint64_t hole, hole_end; /* what a failed sync has dropped: written, never on the disk */
};

struct disk_name {
    char path[64];
    int now, safe; /* inodes + 1; 0: there is no file of that name */
};

struct disk {
    struct journal_io io;
    pthread_mutex_t mutex;
    struct disk_inode inodes[DISK_INODES];
    int n_inodes;
    struct disk_name names[DISK_NAMES];
    int n_names;
    uint64_t calls;       /* that may change or fail something, all kinds */
    uint64_t fail_at;     /* this one fails; 0: none */
    bool forever;         /* and all after it */
    int fail_kind;        /* only calls of this kind are counted by fail_at; 0: all */
    uint64_t kind_calls;
    int fail_sys;         /* errno */
    uint64_t room;        /* bytes of all linked files together; 0: no end. Beyond it ENOSPC, what fits is written */
    uint64_t write_max;   /* bytes of one write; 0: all */
    bool hit;
    void (*on_call)(struct disk *d, void *user); /* after each that changed something; NULL: none */
    void *user;
};

void disk_init(struct disk *d);
void disk_fini(struct disk *d);
/* The state after a crash, on a disk of its own. `power`: the node; `choice` picks among what may be left. */
void disk_crashed(struct disk *ret, struct disk *d, bool power, uint64_t choice);
void disk_put(struct disk *d, const char *path, struct bytes content); /* written and synced */
struct bytes disk_get(struct disk *d, const char *path);               /* borrowed; p NULL: no such file */

#endif
