/* SPDX-License-Identifier: MIT */
/* allocation.c - pure readers of scontrol's and qstat's text.
 *
 * Promise: the output of a foreign program is searched once, never trusted; anything odd is `false`. */
#include "text/allocation.h"

#include <jansson.h>

#define MAX_FIELD UINT32_MAX /* of a time: sums of such fields stay inside 64 bits */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool read_field(struct bytes in, size_t *at, uint64_t *field)
{
    size_t from = *at;
    for (*field = 0; *at < in.n && in.p[*at] >= '0' && in.p[*at] <= '9'; ++*at) {
        *field = *field * 10 + (uint64_t)(in.p[*at] - '0');
        if (*field > MAX_FIELD)
            return false;
    }
    return *at > from;
}

bool hqi_text_allocation_time(struct bytes in, uint64_t *secs)
{
    uint64_t field, days = 0, sum = 0;
    size_t at = 0;
    if (!read_field(in, &at, &field))
        return false;
    if (at < in.n && in.p[at] == '-') {
        days = field;
        at++;
        if (!read_field(in, &at, &field))
            return false;
    }
    sum = field;
    for (int colons = 0; at < in.n; colons++) {
        if (colons == 2 || in.p[at++] != ':' || !read_field(in, &at, &field))
            return false;
        sum = sum * 60 + field;
    }
    *secs = days * 86400 + sum;
    return true;
}

bool hqi_text_allocation_scontrol(struct bytes output, const char *key, struct bytes *value)
{
    size_t key_n = strlen(key);
    for (size_t at = 0, end; at < output.n; at = end + 1) {
        for (end = at; end < output.n && !is_blank(output.p[end]); end++)
            ;
        if (end - at > key_n && output.p[at + key_n] == '=' && memcmp(output.p + at, key, key_n) == 0) {
            *value = (struct bytes){output.p + at + key_n + 1, end - at - key_n - 1};
            return true;
        }
    }
    return false;
}

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && is_blank(b.p[0])) {
        b.p++;
        b.n--;
    }
    while (b.n > 0 && is_blank(b.p[b.n - 1]))
        b.n--;
    return b;
}

bool hqi_text_allocation_qstat(struct bytes output, const char *key, struct bytes *value)
{
    for (size_t at = 0, n; at < output.n; at += n + 1) {
        const char *newline = memchr(output.p + at, '\n', output.n - at);
        n = newline ? (size_t)(newline - output.p) - at : output.n - at;
        const char *equals = memchr(output.p + at, '=', n);
        if (!equals)
            continue;
        size_t key_n = (size_t)(equals - output.p) - at;
        if (bytes_is(trim((struct bytes){output.p + at, key_n}), key)) {
            *value = trim((struct bytes){equals + 1, n - key_n - 1});
            return true;
        }
    }
    return false;
}

static bool difference(struct bytes limit, struct bytes used, uint64_t *secs)
{
    uint64_t all, gone = 0;
    if (!hqi_text_allocation_time(limit, &all) || (used.n > 0 && !hqi_text_allocation_time(used, &gone)) || gone > all)
        return false;
    *secs = all - gone;
    return true;
}

bool hqi_text_allocation_slurm_left(struct bytes output, uint64_t *secs)
{
    struct bytes limit, used;
    return hqi_text_allocation_scontrol(output, "TimeLimit", &limit) &&
           hqi_text_allocation_scontrol(output, "RunTime", &used) && used.n > 0 && difference(limit, used, secs);
}

/* {"Jobs": {"ID": {"Resource_List": {"walltime": "HH:MM:SS"}, "resources_used": {...}}}}, of the one job asked for. */
static bool json_left(struct bytes output, uint64_t *secs)
{
    json_t *root = json_loadb(output.p, output.n, 0, NULL);
    json_t *job = json_object_iter_value(json_object_iter(json_object_get(root, "Jobs")));
    const char *limit = json_string_value(json_object_get(json_object_get(job, "Resource_List"), "walltime"));
    const char *used = json_string_value(json_object_get(json_object_get(job, "resources_used"), "walltime"));
    bool known = limit && difference(bytes_of(limit), bytes_of(used), secs);
    json_decref(root);
    return known;
}

bool hqi_text_allocation_pbs_left(struct bytes output, uint64_t *secs)
{
    struct bytes limit, used;
    output = trim(output);
    if (output.n > 0 && output.p[0] == '{')
        return json_left(output, secs);
    if (!hqi_text_allocation_qstat(output, "Resource_List.walltime", &limit))
        return false;
    if (!hqi_text_allocation_qstat(output, "resources_used.walltime", &used))
        used = (struct bytes){0};
    return difference(limit, used, secs);
}
