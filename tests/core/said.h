/* SPDX-License-Identifier: MIT */
/* said.h - an entry of the core's outbox as one line of text, for people and for comparing. */
#ifndef TESTS_CORE_SAID_H
#define TESTS_CORE_SAID_H

#include "base/buf.h"
#include "core/core.h"

void said_out(const struct out *o, struct buf *text);

#endif
