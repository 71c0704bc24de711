/* SPDX-License-Identifier: MIT */
/* tree.h - making a tree that a host may own out of one that lives in an arena. */
#ifndef HQI_HOST_TREE_H
#define HQI_HOST_TREE_H

#include "model/doc.h"

/* A copy of node `d` (its children are shared), which owns `mem`, where it and `d` live: hq_doc_free frees that. NULL: no
 * memory, or `d` is NULL; then `mem` is still the caller's. */
struct hq_doc *hqi_host_tree_root(struct arena *mem, const struct hq_doc *d);

#endif
