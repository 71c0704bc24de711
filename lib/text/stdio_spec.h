/* SPDX-License-Identifier: MIT */
/* stdio_spec.h - where the output of a task goes: "none", "out.txt", "out.txt:rm-if-finished". */
#ifndef HQI_TEXT_STDIO_SPEC_H
#define HQI_TEXT_STDIO_SPEC_H

#include "base/arena.h"
#include "model/spec.h"
#include "text/scan.h"

/* A FILE with an empty path means the default path (":rm-if-finished" alone). */
int hqi_text_stdio_spec_parse(struct stdio_spec *ret, struct arena *mem, struct bytes in, struct buf *why);

#endif
