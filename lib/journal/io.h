/* SPDX-License-Identifier: MIT */
/* journal/io.h - all calls by which the journal touches a disk, so that tests can make each of them fail. Each is as the system
 * call of that name: -1 and errno. They are called in the owner's thread before start() and after stop(), between them in the writer's. */
#ifndef HQI_JOURNAL_IO_H
#define HQI_JOURNAL_IO_H

#include <stdint.h>
#include <sys/types.h>

#include "hqcore/error.h"

struct journal_io {
    int (*open)(void *user, const char *path, int flags); /* O_CLOEXEC is added; new files are 0600 */
    int (*close)(void *user, int fd);
    ssize_t (*pread)(void *user, int fd, void *p, size_t n, uint64_t offset);
    ssize_t (*pwrite)(void *user, int fd, const void *p, size_t n, uint64_t offset);
    int (*sync)(void *user, int fd); /* fdatasync */
    int (*truncate)(void *user, int fd, uint64_t size);
    int (*size)(void *user, int fd, uint64_t *ret); /* EISDIR: it is a directory */
    int (*is_at)(void *user, int fd, const char *path); /* 1: the file of that name is this one; 0: it is not, or there is none */
    int (*rename)(void *user, const char *from, const char *to);
    int (*unlink)(void *user, const char *path);
    int (*sync_dir)(void *user, const char *path); /* the directory that holds `path` */
    void *user;
};

extern const struct journal_io hqi_journal_io_system;

/* HQ_EJOURNAL, "<text>: No space left on device (os error 28)". */
int hqi_journal_io_error(hq_error *err, int sys, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
