/* SPDX-License-Identifier: MIT */
/* request.h - what a task asks for: "4 scatter", "0.5", "all", "gpus/nvidia = 1 tight!". */
#ifndef HQI_TEXT_REQUEST_H
#define HQI_TEXT_REQUEST_H

#include "base/arena.h"
#include "model/resource.h"
#include "text/scan.h"

/* The amount and policy; ret->name is left as it is. */
int hqi_text_request_parse_amount(struct request_entry *ret, struct bytes in, struct buf *why);
/* With its name, copied to `mem`. HQ_ELIMIT: a name of more than HQI_MAX_RESOURCE_NAME bytes. */
int hqi_text_request_parse(struct request_entry *ret, struct arena *mem, struct bytes in, struct buf *why);

#endif
