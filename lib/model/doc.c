/* SPDX-License-Identifier: MIT */
/* doc.c - looking up members of a tree of values. The trees are small: a walk, no index. */
#include "model/doc.h"

#include <string.h>

const struct hq_doc *hqi_model_doc_get(const struct hq_doc *d, const char *name)
{
    if (!d || d->kind != DOC_MAP)
        return NULL;
    for (uint32_t i = 0; i < d->n; i++)
        if (strcmp(d->v.child[i].name, name) == 0)
            return &d->v.child[i];
    return NULL;
}
