/* SPDX-License-Identifier: MIT */
/* tree.c - see tree.h. */
#include "host/tree.h"

struct hq_doc *hqi_host_tree_root(struct arena *mem, const struct hq_doc *d)
{
    struct hq_doc *root = d ? hqi_base_arena_get(mem, sizeof *root) : NULL;
    if (!root)
        return NULL;
    *root = *d;
    root->name = NULL;
    root->mem = mem;
    return root;
}
