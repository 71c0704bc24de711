/* SPDX-License-Identifier: MIT */
/* name.h - names that people and JSON documents see: checked where they enter. */
#ifndef HQI_MODEL_NAME_H
#define HQI_MODEL_NAME_H

#include <stdbool.h>

#include "base/bytes.h"
#include "hqcore/error.h"

bool hqi_model_name_is_utf8(struct bytes b); /* no overlong forms, no surrogates; NUL counts as text */
/* At most HQI_MAX_NAME bytes of UTF-8, no NUL, newline or tab. `what` names it in the error: "job name". */
int hqi_model_name_check(struct bytes name, const char *what, hq_error *err);
/* A byte string that goes to the operating system: at most `max` bytes, no NUL. */
int hqi_model_name_check_string(struct bytes s, size_t max, const char *what, hq_error *err);

#endif
