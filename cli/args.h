/* SPDX-License-Identifier: MIT */
/* args.h - the tables that describe every command and option, and the parser that they drive.
 *
 * Help, manual pages and completions are made from the same tables, so an option that is not in a table does not
 * exist, and one that is works. The root command's options are global: they may be given at any level. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "str.h"

struct cli;
struct matches;

enum arg_kind {
    ARG_FLAG,    /* no value */
    ARG_COUNT,   /* no value, may be repeated */
    ARG_TEXT,    /* anything */
    ARG_PATH,    /* anything but the empty text */
    ARG_CHOICE,  /* one of `choices`; its number is the index */
    ARG_NUMBER,  /* a decimal number between min and max */
    ARG_GRAMMAR, /* what hq_tools_check says of `grammar` */
    ARG_CHECKED  /* what `check` says */
};

enum {
    ARG_REPEAT = 1,      /* may be given again, values accumulate */
    ARG_COMMAS = 2,      /* the value is a list of values */
    ARG_REQUIRED = 4,
    ARG_POSITIONAL = 8,
    ARG_TRAILING = 16,   /* positional, the last one: takes everything that follows its first word */
    ARG_BARE_ERROR = 32, /* the check's message stands alone */
    ARG_USAGE_ERROR = 64 /* the check's message is followed by the usage */
};

struct arg {
    const char *name; /* long option without dashes (NULL: `letter` only); a positional's: how the code asks for it */
    const char *value; /* name of its value, as in <VALUE>; NULL: it takes none */
    const char *help, *more; /* one line; what --help adds, or NULL */
    const char *fallback;    /* what holds without it, for help; or NULL */
    const char *env;         /* variable that gives the value when the command line does not */
    const char *const *choices; /* NULL-terminated */
    const char *conflicts[2];   /* names of options that exclude it */
    bool (*check)(const char *text, uint64_t *value, char *why, size_t room);
    int64_t min, max;
    int grammar;
    uint8_t kind, flags;
    char letter;
};

#define COMMAND_BLOCKS 4

struct command {
    const char *name, *about, *more; /* `more`: what --help adds, or NULL */
    const struct arg *args[COMMAND_BLOCKS]; /* tables that end with an empty row */
    const struct command *subs;             /* table that ends with an empty row, or NULL */
    int (*run)(struct cli *cli, const struct matches *m); /* returns the exit code */
};

#define ARGS_MAX 64  /* options of one command, globals included */
#define ARGS_DEPTH 4 /* hq, group, command, and one to spare */

/* All options of a command, in order, without the globals. Returns their number, at most ARGS_MAX. */
size_t command_args(const struct command *c, const struct arg **ret);
const struct command *command_find(const struct command *c, const char *name); /* a subcommand, or NULL */

struct arg_value {
    const char *text; /* borrowed from argv, the environment or the matches */
    uint64_t number;  /* of kinds that have one; negative numbers wrap */
};

struct match {
    const struct arg *arg;
    struct arg_value *values; /* owned */
    size_t n;
    bool from_env;
};

struct level { /* what was given to one command of the path */
    const struct command *cmd;
    struct match items[ARGS_MAX]; /* in the order of their first appearance */
    size_t n;
};

struct matches {
    struct level level[ARGS_DEPTH]; /* hq itself first */
    size_t depth;
    char **texts; /* owned: values cut from lists */
    size_t n_texts;
};

/* ARGS_RUN: call level[depth - 1].cmd->run. Otherwise `out` holds what to print, and the result is the exit code: 0 (on
 * stdout: help or version) or 2 (on stderr). The caller frees *ret with args_free in any case. */
#define ARGS_RUN (-1)
int args_parse(struct matches *ret, const struct command *root, int argc, char *const *argv, struct str *out);
void args_free(struct matches *m);

/* Options of the command that runs, or global ones. Asking for a name that is in no table is a bug and aborts. */
const struct match *args_get(const struct matches *m, const char *name); /* NULL: not given */
bool args_has(const struct matches *m, const char *name);
const char *args_text(const struct matches *m, const char *name); /* NULL: not given */
uint64_t args_number(const struct matches *m, const char *name, uint64_t fallback);
uint64_t args_limit(const struct matches *m, const char *name); /* milliseconds, at least 1; not given: 0, for no limit */
size_t args_count(const struct matches *m, const char *name); /* values; of a repeatable flag: how often */
uint32_t args_set(const struct matches *m, const char *name); /* ARG_CHOICE with commas: 1 << index of each */

#endif
