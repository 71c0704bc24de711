/* SPDX-License-Identifier: MIT */
/* fields.h - reading the trees that the library answers with (field names of client.proto). */
#ifndef CLI_FIELDS_H
#define CLI_FIELDS_H

#include <stdbool.h>

#include "hqcore.h"
#include "str.h"

static inline uint64_t field_uint(const hq_doc *d, const char *path)
{
    return hq_doc_uint(hq_doc_get(d, path));
}

static inline int64_t field_int(const hq_doc *d, const char *path)
{
    return hq_doc_int(hq_doc_get(d, path));
}

static inline const char *field_text(const hq_doc *d, const char *path)
{
    return hq_doc_bytes(hq_doc_get(d, path), NULL);
}

/* Some text is there, and it is not empty. */
static inline bool field_has_text(const hq_doc *d, const char *path)
{
    return field_text(d, path)[0] != '\0';
}

/* Members of a list; 0 when it is missing. */
static inline size_t field_len(const hq_doc *d, const char *path)
{
    return hq_doc_len(hq_doc_get(d, path));
}

static inline const hq_doc *field_at(const hq_doc *d, const char *path, size_t i)
{
    return hq_doc_at(hq_doc_get(d, path), i);
}

#endif
