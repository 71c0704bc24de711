/* SPDX-License-Identifier: MIT */
/* usage.h - usage lines, and the wording of everything that can be wrong with a command line. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "args.h"

/* "--name <NAME>", "-v", "<COMMANDS>..." */
void usage_label(struct str *out, const struct arg *a);
/* "hq job list" */
void usage_path(struct str *out, const struct matches *m);
/* "Usage: hq job list [OPTIONS]"; with `used` options: what a correct line with them looks like. */
void usage_line(struct str *out, const struct matches *m, const struct arg *const *used, size_t n);

/* Each appends a whole message and returns 2, the exit code. */
int usage_unknown_option(struct str *out, const struct matches *m, const char *option, const char *similar,
                         const char *similar_sub, bool as_value, const struct arg *const *used, size_t n);
int usage_unknown_word(struct str *out, const struct matches *m, const char *word, bool after_dashes);
int usage_no_subcommand(struct str *out, const struct matches *m);
int usage_missing(struct str *out, const struct matches *m, const struct arg *const *missing, size_t n_missing,
                  const struct arg *const *used, size_t n);
int usage_repeated(struct str *out, const struct matches *m, const struct arg *a);
int usage_conflict(struct str *out, const struct matches *m, const struct arg *a, const struct arg *const *with,
                   size_t n_with, const struct arg *const *used, size_t n);
int usage_no_value(struct str *out, const struct arg *a);
int usage_surplus_value(struct str *out, const struct matches *m, const struct arg *a, const char *value,
                        const struct arg *const *used, size_t n);
int usage_bad_choice(struct str *out, const struct arg *a, const char *value, const char *const *choices);
int usage_bad_value(struct str *out, const struct matches *m, const struct arg *a, const char *value, const char *why);

#endif
