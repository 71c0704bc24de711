/* SPDX-License-Identifier: MIT */
/* log.h - log lines: which are shown, and how. Users steer them as the reference is steered: with --debug, with RUST_LOG
 * (`warn`, `debug`, `info,server=debug`) and with RUST_LOG_STYLE. */
#ifndef CLI_LOG_H
#define CLI_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "str.h"

enum log_level { LOG_OFF = 0, LOG_ERROR = 3, LOG_WARN = 4, LOG_INFO = 6, LOG_DEBUG = 7 }; /* as hq_log.level */

#define LOG_TARGETS 16 /* that RUST_LOG may name; more are not looked at */

struct log_view {
    int level; /* of what no target says otherwise */
    struct log_target {
        const char *name; /* borrowed from RUST_LOG; a beginning of the places that it means */
        size_t len;
        int level;
    } targets[LOG_TARGETS];
    size_t n_targets;
    bool in_full; /* with milliseconds and place */
    bool color;
};

/* spec, style: the values of RUST_LOG and RUST_LOG_STYLE, or NULL; `spec` outlives the view. `terminal`: the lines go to one
 * that wants colours. */
void log_view_init(struct log_view *v, bool debug, const char *spec, const char *style, bool terminal);
bool log_shows(const struct log_view *v, int level, const char *where);
int log_most(const struct log_view *v); /* the largest level that may be shown */
void log_line(struct str *out, const struct log_view *v, int64_t now, int level, const char *where, const char *text);

#endif
