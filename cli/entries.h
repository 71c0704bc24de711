/* SPDX-License-Identifier: MIT */
/* entries.h - files that give one task per line, or per element of a JSON array. */
#ifndef CLI_ENTRIES_H
#define CLI_ENTRIES_H

#include "hqcore.h"
#include "output.h"

struct blob { /* a file's bytes */
    char *p;
    size_t len, mapped; /* mapped: length to unmap; 0: p is owned memory */
};
bool blob_read(struct blob *b, const char *path, int *sys); /* regular files are mapped, others read to their end */
bool blob_drain(struct blob *b, int fd, int *sys);          /* all that fd gives */
void blob_free(struct blob *b);

/* Each adds the file's entries to the submit; false: reported. */
bool entries_from_lines(struct cli *cli, hq_submit *submit, const char *path);
bool entries_from_json(struct cli *cli, hq_submit *submit, const char *path);

/* Appends a JSON value as one line: no spaces, keys sorted. False: no such value (a number out of range). */
bool entries_compact(struct str *out, const json_t *value);

#endif
