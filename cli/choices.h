/* SPDX-License-Identifier: MIT */
/* choices.h - the words that several commands accept, and lists of ids that were checked before. */
#ifndef CLI_CHOICES_H
#define CLI_CHOICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const char *const choices_states[]; /* by enum hq_task_state, then "opened" */

/* Walks an array text ("1,3-10:2") that the library has accepted. */
struct id_cursor {
    const char *text;
    uint32_t next, step;
    uint64_t left; /* of the range at hand */
};
bool choices_next_id(struct id_cursor *c, uint32_t *ret);
uint64_t choices_count_ids(const char *text);

#endif
