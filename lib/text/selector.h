/* SPDX-License-Identifier: MIT */
/* selector.h - which jobs, tasks or workers a command is about. */
#ifndef HQI_TEXT_SELECTOR_H
#define HQI_TEXT_SELECTOR_H

#include "base/arena.h"
#include "model/command.h"
#include "text/scan.h"

/* "last", "all" (not when `no_all`) or an array of ids. HQ_ELIMIT: more than HQI_MAX_SELECT ids. */
int hqi_text_selector_parse(struct selector *ret, struct arena *mem, struct bytes in, bool no_all, struct buf *why);
/* "last" or one plain number. */
int hqi_text_selector_parse_single(struct selector *ret, struct arena *mem, struct bytes in, struct buf *why);

#endif
