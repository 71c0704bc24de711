/* SPDX-License-Identifier: MIT */
/* session.h - a helper under test, driven through its socket as a worker would. */
#ifndef TESTS_HELPER_SESSION_H
#define TESTS_HELPER_SESSION_H

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/buf.h"
#include "wire/helper.h"

struct session {
    const char *program; /* hq-helper */
    pid_t pid;           /* of the helper */
    int fd;
    char dir[64];               /* a fresh directory, removed at the end; work_dir is DIR/work */
    char fifo[80];              /* DIR/fifo: a task that reads it waits for session_release */
    struct arena mem;           /* what the events point to */
    struct from_helper *events; /* all so far, in order of arrival */
    uint32_t n;
    uint64_t next_key;
    struct buf packet;
};

void session_start(struct session *s, const char *program);
/* Sends END, takes the events up to end of file; the exit status of the helper. */
int session_end(struct session *s);
void session_remove(struct session *s); /* the directory */

/* `argv` ends with NULL. Options may be NULL. */
void session_spec(struct session *s, uint32_t number, const char *const *argv,
                  const struct helper_spec *more);
void session_shell(struct session *s, uint32_t number, const char *script); /* cwd of its tasks is DIR */
/* A launch of spec `number` in DIR, without outputs. */
struct helper_launch session_launch_of(struct session *s, uint32_t number, uint64_t after);
uint64_t session_send_launch(struct session *s, const struct helper_launch *l);
uint64_t session_launch(struct session *s, uint32_t number, uint64_t after); /* the key */
void session_send(struct session *s, const struct to_helper *items, uint32_t n);
void session_send_key(struct session *s, uint8_t kind, uint64_t key);

/* Wait for that event, 20 s at most; it stays in the events. */
const struct from_helper *session_wait(struct session *s, uint8_t kind, uint64_t key);
const struct helper_ended *session_wait_ended(struct session *s, uint64_t key);
void session_wait_more(struct session *s); /* for any packet */
/* Among what has arrived. NULL: not there. */
const struct from_helper *session_find(const struct session *s, uint8_t kind, uint64_t key);

/* Wait until somebody reads DIR/fifo, and let it go on. */
void session_release(struct session *s);

void write_file(const char *dir, const char *name, const char *text, mode_t mode);
/* The content of DIR/NAME, NUL-terminated; fails the test when there is none. In s->mem. */
const char *session_read(struct session *s, const char *name);
char *session_path(struct session *s, const char *name);
/* Waits until a file has a line, at most 20 s: tasks write their pids so. */
long session_read_pid(struct session *s, const char *name);
/* The process is gone, or a zombie; at most `ms` from now. */
int is_gone_within(pid_t pid, unsigned ms);

#endif
