/* SPDX-License-Identifier: MIT */
/* json.h - JSON values from what the library hands out. Each returns a new reference. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "hqcore.h"

json_t *json_bytes(const char *text, size_t len); /* invalid UTF-8 becomes U+FFFD */
json_t *json_text(const char *text);
json_t *json_member(const hq_doc *d, const char *path);       /* of bytes or text */
json_t *json_member_or_null(const hq_doc *d, const char *path); /* null when missing or empty */
json_t *json_time(int64_t ns);
json_t *json_time_ms(uint64_t ms);
json_t *json_seconds(uint64_t ms);
json_t *json_seconds_or_null(uint64_t ms); /* 0: null */

#endif
