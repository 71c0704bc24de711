/* SPDX-License-Identifier: MIT */
/* journal/lock.h - one server per journal: a file beside it, PATH.lock.
 *
 * Promise: of the servers that open one journal on one node exactly one gets it, whether they are processes or threads of
 * one process; one on another node gets it when the file system's locks say so, and then the former owner notices at its next
 * check. The lock of a dead process is taken over, even if forked children of it live.
 *
 * How: an fcntl record lock (not inherited by children), and the file's content: host, boot, pid and start time of the owner,
 * and a random token. The content settles what the record lock cannot: two handles in one process, locks local to a node, and
 * locks dropped because somebody in the process closed another descriptor of the file. */
#ifndef HQI_JOURNAL_LOCK_H
#define HQI_JOURNAL_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "hqcore/error.h"

struct lock_owner {
    char host[65]; /* HOST_NAME_MAX and a NUL */
    char boot[40]; /* of that run of the host's kernel: pids mean nothing in another one */
    uint32_t pid;
    uint64_t start; /* of the process, in clock ticks since boot: pids are used again */
    uint64_t token;
};

struct lock {
    int fd; /* owned; -1: not held */
    char *path; /* borrowed */
    struct lock_owner owner;
    bool taken_over; /* from an owner on another host, or an earlier boot, that did not give it up: it might still write */
};

/* HQ_EEXIST: somebody has it, the text says who; HQ_EJOURNAL: the file cannot be made. Waits 2 s at most, for others that are
 * opening it at this moment. `path` stays borrowed. */
int hqi_journal_lock_take(struct lock *l, char *path, hq_error *err);
/* Do we still have it? HQ_EEXIST: no, the text says who has. Cheap: before every sync. */
int hqi_journal_lock_check(struct lock *l, hq_error *err);
void hqi_journal_lock_give(struct lock *l);        /* and removes the file, if it is ours still */
void hqi_journal_lock_give_forked(struct lock *l); /* in a forked child: only closes */

#endif
