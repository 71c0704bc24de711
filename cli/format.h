/* SPDX-License-Identifier: MIT */
/* format.h - how values look in tables and sentences. Everything appends to a text. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <stdint.h>

#include "hqcore.h"
#include "output.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* "No such file or directory (os error 2)" */
#define ERRNO_MAX 256
const char *format_errno(int sys, char out[ERRNO_MAX]); /* returns out */

int64_t format_now(void); /* ns since 1970 */

void format_exact(struct str *out, uint64_t ns); /* "2h 5m 10s" */
void format_rough(struct str *out, int64_t ns);  /* "2h 5m": what a person wants to know */
void format_exact_ms(struct str *out, uint64_t ms, const char *zero); /* `zero` for 0 */

void format_amount(struct str *out, uint64_t units); /* "1.5" */
void format_mem(struct str *out, uint64_t units);    /* of MiB: "0.98 GiB" */

void format_utc(struct str *out, uint64_t ms);      /* "2026-01-31 09:15:00 UTC" */
void format_local(struct str *out, int64_t ns);     /* "31.01.2026 09:15:00" */
void format_rfc3339(struct str *out, int64_t ns);   /* "2026-01-31T09:15:00.123Z" */

void format_count(struct str *out, uint64_t n, const char *noun); /* "2 jobs" */
void format_name(struct str *out, const char *name);              /* of a job, shortened in the middle */
void format_wrapped(struct str *out, const char *text, size_t width); /* broken at spaces; no newline at the end */

/* What a terminal can show: control bytes become \xNN, invalid UTF-8 becomes U+FFFD. Newlines stay. */
void format_safe(struct str *out, const char *text, size_t len);
/* The same without touching control bytes: valid UTF-8. */
void format_utf8(struct str *out, const char *text, size_t len);
/* Columns that a line takes; escape sequences take none. */
size_t format_width(const char *text, size_t len);
/* As much of a line as fits into `width` columns, with all its escape sequences. */
void format_cut(struct str *out, const char *text, size_t width);

/* Of tasks and jobs: "RUNNING", "running", "Running"; and how it is coloured. */
const char *format_state(int state);
const char *format_state_lower(int state);
const char *format_state_title(int state);
enum style format_state_style(int state);
const char *format_worker_state(int end);
enum style format_worker_style(int end);

/* "[####....]" of the tasks in each state: `width` characters, at most BAR_WIDTH, between the brackets. */
#define BAR_WIDTH 40
void format_bar(struct str *out, const struct cli *cli, const uint64_t count[HQ_TASK_STATES], uint64_t total, size_t width);

/* Ranges of ids as text, in the order in which they are added; consecutive ids are merged. */
struct ids_text {
    struct str *out; /* borrowed */
    uint32_t first, last;
    bool open, any;
};
void format_ids_add(struct ids_text *t, uint32_t id);
void format_ids_end(struct ids_text *t);
void format_range(struct str *out, uint32_t first, uint32_t count, uint32_t step); /* "0-10:2"; a comma first */

#endif
