/* SPDX-License-Identifier: MIT */
/* script.h - what the head of a script says about how to run it. */
#ifndef CLI_SCRIPT_H
#define CLI_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "str.h"

struct words {
    char **p; /* owned, as is each of them */
    size_t n;
};
void words_free(struct words *w);
/* Splits at spaces and tabs; "..." groups. False: a quote is not closed. */
bool words_split(struct words *w, const char *text, size_t len);

/* Does the command start with a script whose head is read? */
bool script_is(const char *command);
/* The interpreter that line 1 names goes to *shebang. False: `why` says what is wrong. */
bool script_read(const char *path, struct words *shebang, struct str *why);
/* The same for a head that is in memory. */
bool script_parse(const char *head, size_t len, struct words *shebang, struct str *why);

#endif
