/* SPDX-License-Identifier: MIT */
/* env_pair.h - "KEY=VALUE": split at the first '='; without one the value is empty. */
#ifndef HQI_TEXT_ENV_PAIR_H
#define HQI_TEXT_ENV_PAIR_H

#include "base/buf.h"
#include "model/spec.h"

/* `ret` borrows from `in`. */
int hqi_text_env_pair_parse(struct env_var *ret, struct bytes in, struct buf *why);

#endif
