/* SPDX-License-Identifier: MIT */
/* resource_def.h - what a worker declares: "gpus=[[0,1],[2,3]]", "mem=sum(1024)", "cpus=2x4".
 *
 * The results are well-formed, but still to be checked as a set (hqi_model_resource_check): emptiness of a
 * sum, labels that repeat in another group, `cpus` as a sum. */
#ifndef HQI_TEXT_RESOURCE_DEF_H
#define HQI_TEXT_RESOURCE_DEF_H

#include "base/arena.h"
#include "model/resource.h"
#include "text/scan.h"

/* HQ_ELIMIT: more labels than the model compares (65536), or a name that is too long. */
int hqi_text_resource_def_parse(struct resource_def *ret, struct arena *mem, struct bytes in, struct buf *why);
/* The value of --cpus: a count N (indices 0..N-1; 0 gives an empty sum, which no worker may have) or a
 * definition without its name; the result is named "cpus". */
int hqi_text_resource_def_parse_cpus(struct resource_def *ret, struct arena *mem, struct bytes in, struct buf *why);

#endif
