/* SPDX-License-Identifier: MIT */
/* placeholder.h - "%{NAME}" in paths.
 *
 * A placeholder is "%{", a name without '%', '{' or '}', and "}"; every other '%' stands for itself.
 * A name without a value stays as it was typed. Values are not searched for placeholders in the same pass. */
#ifndef HQI_TEXT_PLACEHOLDER_H
#define HQI_TEXT_PLACEHOLDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/bytes.h"

struct placeholder {
    const char *name;
    struct bytes value;
};

/* The next placeholder at or behind *at: its name, and *at behind it. false: there are no more. */
bool hqi_text_placeholder_next(struct bytes in, size_t *at, struct bytes *name);
/* One of JOB_ID, TASK_ID, INSTANCE_ID, SUBMIT_DIR, CWD, SERVER_UID. */
bool hqi_text_placeholder_is_known(struct bytes name);
bool hqi_text_placeholder_has(struct bytes in, const char *name); /* NULL: any */
/* Appends `in` with the names of `table` replaced. false: that is more than `max` bytes; then what was
 * appended is of no use. */
bool hqi_text_placeholder_expand(struct bytes in, const struct placeholder *table, uint32_t n, size_t max, struct buf *out);

#endif
