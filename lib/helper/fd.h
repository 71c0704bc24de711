/* SPDX-License-Identifier: MIT */
/* fd.h - descriptors: whole writes, starts of files, and letting go of what was inherited. */
#ifndef HQI_HELPER_FD_H
#define HQI_HELPER_FD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

bool hqi_helper_fd_write(int fd, struct bytes data); /* all of it, or false with errno */
/* The start of a file, NUL-terminated; its length, or -1. */
ssize_t hqi_helper_fd_read_file(const char *path, char *buf, size_t size);
/* Puts *a at 3 and *b at 4 (-1: there is none), both closed on exec; /dev/null at 0 to 2; closes all else. */
bool hqi_helper_fd_keep(int *a, int *b);
void hqi_helper_fd_close_from(int first);

#endif
