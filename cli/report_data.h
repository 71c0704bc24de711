/* SPDX-License-Identifier: MIT */
/* report_data.h - what the events of a journal come to: how many workers ran, how much of them was in use, which tasks ended how.
 *
 * Events may be a little out of order in time: steps are put in order when they are read. Of two requests that read alike the tasks are
 * counted together. */
#ifndef CLI_REPORT_DATA_H
#define CLI_REPORT_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "hqcore.h"

struct report_step {
    int64_t ms;    /* since 1970 */
    double change; /* of the value */
    bool to_zero;  /* whatever it was */
};

struct report_trace {
    char *name; /* owned */
    struct report_step *steps; /* owned; ascending in time after report_sort */
    size_t n, room;
};

enum report_end { REPORT_FINISHED, REPORT_FAILED, REPORT_ENDS };

struct report_term { /* a request of tasks */
    char *text; /* owned */
    struct report_ends {
        uint64_t count;
        double *seconds; /* owned: how long those ran that had started */
        size_t n, room;
    } ends[REPORT_ENDS];
};

struct report;

/* Counts and durations are of ends from `from_ms` to `to_ms`; steps are of all events up to `to_ms`. */
struct report *report_new(int64_t from_ms, int64_t to_ms);
void report_free(struct report *r);
void report_add(struct report *r, const hq_doc *event); /* {event, time}, as hq_tools_journal_next gives it */
void report_sort(struct report *r);
const struct report_trace *report_traces(const struct report *r, size_t *n);
const struct report_term *report_terms(const struct report *r, size_t *n);

#endif
