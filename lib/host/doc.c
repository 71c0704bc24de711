/* SPDX-License-Identifier: MIT */
/* doc.c - the public accessors of hq_doc. Each takes NULL and a node of any kind, so that a chain of calls
 * needs one check at its end. */
#include <string.h>

#include "hqcore.h"
#include "model/doc.h"

_Static_assert((int)HQ_DOC_NULL == DOC_NULL && (int)HQ_DOC_MAP == DOC_MAP && (int)HQ_DOC_BYTES == DOC_BYTES,
               "the public kinds are the private ones");

static bool is_parent(const hq_doc *d)
{
    return d && (d->kind == DOC_LIST || d->kind == DOC_MAP);
}

int hq_doc_get_kind(const hq_doc *d)
{
    return d ? d->kind : HQ_DOC_NULL;
}

size_t hq_doc_len(const hq_doc *d)
{
    return is_parent(d) || (d && d->kind == DOC_BYTES) ? d->n : 0;
}

const hq_doc *hq_doc_at(const hq_doc *d, size_t i)
{
    return is_parent(d) && i < d->n ? &d->v.child[i] : NULL;
}

static const hq_doc *member(const hq_doc *d, const char *name, size_t n)
{
    if (!d || d->kind != DOC_MAP)
        return NULL;
    for (uint32_t i = 0; i < d->n; i++) {
        const char *have = d->v.child[i].name;
        if (have && strncmp(have, name, n) == 0 && have[n] == '\0')
            return &d->v.child[i];
    }
    return NULL;
}

const hq_doc *hq_doc_get(const hq_doc *d, const char *path)
{
    while (d && path) {
        const char *dot = strchr(path, '.');
        d = member(d, path, dot ? (size_t)(dot - path) : strlen(path));
        path = dot ? dot + 1 : NULL;
    }
    return d;
}

const char *hq_doc_name(const hq_doc *d)
{
    return d ? d->name : NULL;
}

static uint64_t uint_of_double(double v)
{
    if (!(v > 0))
        return 0;
    return v < 18446744073709551616.0 ? (uint64_t)v : UINT64_MAX;
}

uint64_t hq_doc_uint(const hq_doc *d)
{
    switch (hq_doc_get_kind(d)) {
    case HQ_DOC_BOOL: return d->v.b;
    case HQ_DOC_INT: return d->v.i < 0 ? 0 : (uint64_t)d->v.i;
    case HQ_DOC_UINT: return d->v.u;
    case HQ_DOC_DOUBLE: return uint_of_double(d->v.d);
    default: return 0;
    }
}

int64_t hq_doc_int(const hq_doc *d)
{
    if (hq_doc_get_kind(d) == HQ_DOC_INT)
        return d->v.i;
    if (hq_doc_get_kind(d) == HQ_DOC_DOUBLE && d->v.d < 0)
        return d->v.d > -9223372036854775808.0 ? (int64_t)d->v.d : INT64_MIN;
    uint64_t u = hq_doc_uint(d);
    return u > INT64_MAX ? INT64_MAX : (int64_t)u;
}

double hq_doc_double(const hq_doc *d)
{
    switch (hq_doc_get_kind(d)) {
    case HQ_DOC_DOUBLE: return d->v.d;
    case HQ_DOC_INT: return (double)d->v.i;
    default: return (double)hq_doc_uint(d);
    }
}

const char *hq_doc_bytes(const hq_doc *d, size_t *size)
{
    bool has = d && d->kind == DOC_BYTES && d->v.p;
    if (size)
        *size = has ? d->n : 0;
    return has ? d->v.p : "";
}

void hq_doc_free(hq_doc *root)
{
    if (root)
        hqi_base_arena_free(root->mem);
}
