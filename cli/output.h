/* SPDX-License-Identifier: MIT */
/* output.h - where results, log lines and errors go, in each output mode.
 *
 * stdout takes the result of a command, stderr log lines and (but for json) errors. In json mode exactly one value is
 * printed: when a command ends without having printed any, an empty object is. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>
#include <limits.h>

#include "args.h"
#include "log.h"

enum out_mode { OUT_CLI, OUT_JSON, OUT_QUIET };

enum style {
    STYLE_NONE,
    STYLE_BOLD,
    STYLE_RED,
    STYLE_GREEN,
    STYLE_YELLOW,
    STYLE_BLUE,
    STYLE_MAGENTA,
    STYLE_CYAN,
    STYLE_BRIGHT_RED
};

struct cli { /* what all commands share */
    enum out_mode mode;
    bool color;
    struct log_view log;
    bool json_done;             /* a value was printed */
    int write_errno;            /* why stdout could not be written; 0: it could */
    bool serves;                /* the command's work is not what it prints: it may go on, and end well, without stdout */
    uint64_t task_files;        /* the limit of open files as it was, for tasks; 0: it was not raised */
    char server_dir[PATH_MAX];  /* absolute */
    char default_dir[PATH_MAX]; /* what server_dir is when nobody says anything */
};

/* Takes the global options. False when the current directory or the home directory cannot be told; reported. */
bool out_init(struct cli *cli, const struct matches *m);
/* The end of a command. Gives the exit code: rc, or 1 when what was printed could not be written. */
int out_end(struct cli *cli, int rc);
int out_close(int rc); /* the same where there was no command to run */
void out_flush(struct cli *cli);

void out_log(const struct cli *cli, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a record of the library: `where` may steer whether it shows. */
void out_log_record(const struct cli *cli, int level, const char *where, const char *text);

/* Report why the command fails; return 1. `cause` may be NULL. */
int out_fail(struct cli *cli, const char *cause, const char *format, ...) __attribute__((format(printf, 3, 4)));

void out_json(struct cli *cli, json_t *value); /* takes value */

/* `text` in the style; plain when colours are off. */
void out_style(struct str *out, const struct cli *cli, enum style style, const char *text);

#endif
