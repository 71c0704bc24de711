/* SPDX-License-Identifier: MIT */
/* json.c - JSON values. */
#include "json.h"

#include <string.h>

#include "format.h"

json_t *json_bytes(const char *text, size_t len)
{
    struct str clean = {0};
    format_utf8(&clean, text, len);
    json_t *value = json_stringn(str_text(&clean), clean.len);
    str_free(&clean);
    return value;
}

json_t *json_text(const char *text)
{
    return json_bytes(text, strlen(text));
}

json_t *json_member(const hq_doc *d, const char *path)
{
    size_t len = 0;
    const char *text = hq_doc_bytes(hq_doc_get(d, path), &len);
    return json_bytes(text, len);
}

json_t *json_member_or_null(const hq_doc *d, const char *path)
{
    size_t len = 0;
    const char *text = hq_doc_bytes(hq_doc_get(d, path), &len);
    return len ? json_bytes(text, len) : json_null();
}

json_t *json_time(int64_t ns)
{
    struct str text = {0};
    format_rfc3339(&text, ns);
    json_t *value = json_string(str_text(&text));
    str_free(&text);
    return value;
}

json_t *json_time_ms(uint64_t ms)
{
    return json_time((int64_t)ms * NS_PER_MS);
}

json_t *json_seconds(uint64_t ms)
{
    return json_real((double)ms / 1000);
}

json_t *json_seconds_or_null(uint64_t ms)
{
    return ms ? json_seconds(ms) : json_null();
}
