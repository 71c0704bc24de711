/* SPDX-License-Identifier: MIT */
/* placeholder.c - finding and replacing "%{NAME}" in one pass over the text; linear, whatever it holds. */
#include "text/placeholder.h"

#include <string.h>

static const char *const known[] = {"JOB_ID", "TASK_ID", "INSTANCE_ID", "SUBMIT_DIR", "CWD", "SERVER_UID"};

bool hqi_text_placeholder_next(struct bytes in, size_t *at, struct bytes *name)
{
    size_t i = *at;
    while (i + 1 < in.n) {
        if (in.p[i] != '%' || in.p[i + 1] != '{') {
            i++;
            continue;
        }
        size_t from = i + 2;
        for (i = from; i < in.n && in.p[i] != '%' && in.p[i] != '{' && in.p[i] != '}'; i++)
            ;
        if (i < in.n && in.p[i] == '}') {
            *name = (struct bytes){in.p + from, i - from};
            *at = i + 1;
            return true;
        }
    }
    *at = in.n;
    return false;
}

bool hqi_text_placeholder_is_known(struct bytes name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (bytes_is(name, known[i]))
            return true;
    return false;
}

bool hqi_text_placeholder_has(struct bytes in, const char *name)
{
    struct bytes found;
    for (size_t at = 0; hqi_text_placeholder_next(in, &at, &found);)
        if (!name || bytes_is(found, name))
            return true;
    return false;
}

static const struct placeholder *look_up(const struct placeholder *table, uint32_t n, struct bytes name)
{
    for (uint32_t i = 0; i < n; i++)
        if (bytes_is(name, table[i].name))
            return &table[i];
    return NULL;
}

/* Asked before each append: a short text can name a long value a million times. */
static bool append(struct buf *out, size_t end, const char *p, size_t n)
{
    if (out->n > end || n > end - out->n)
        return false;
    hqi_base_buf_add(out, p, n);
    return true;
}

bool hqi_text_placeholder_expand(struct bytes in, const struct placeholder *table, uint32_t n, size_t max, struct buf *out)
{
    size_t at = 0, done = 0, end = out->n + max;
    struct bytes name;
    while (hqi_text_placeholder_next(in, &at, &name)) {
        const struct placeholder *p = look_up(table, n, name);
        if (!p)
            continue;
        size_t begin = (size_t)(name.p - in.p) - 2; /* of "%{" */
        if (!append(out, end, in.p + done, begin - done) || !append(out, end, p->value.p, p->value.n))
            return false;
        done = at;
    }
    return in.n == done || append(out, end, in.p + done, in.n - done);
}
