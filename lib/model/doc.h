/* SPDX-License-Identifier: MIT */
/* doc.h - a read-only tree of named values: what the library returns where a typed struct would be too much.
 * Built once, from a message and its descriptors, in one arena; then only read. */
#ifndef HQI_MODEL_DOC_H
#define HQI_MODEL_DOC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_UINT, DOC_DOUBLE, DOC_BYTES, DOC_LIST, DOC_MAP };

struct hq_doc { /* the tag is the public opaque type's */
    uint8_t kind;
    uint32_t n;          /* LIST, MAP: children; BYTES: length */
    const char *name;    /* in its map, static or in the arena; NULL in a list */
    union {
        bool b;
        int64_t i;
        uint64_t u;
        double d;
        const char *p;              /* BYTES, NUL-terminated behind n bytes */
        struct hq_doc *child;       /* LIST, MAP: array of n */
    } v;
    struct arena *mem; /* owned; root only */
};

/* MAP: the member, or NULL. */
const struct hq_doc *hqi_model_doc_get(const struct hq_doc *d, const char *name);

#endif
