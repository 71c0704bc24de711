/* SPDX-License-Identifier: MIT */
/* stdio_spec.c - "none" | [PATH][":rm-if-finished"], at least one of the two. A path cannot hold a colon. */
#include "text/stdio_spec.h"

static int scan_mode(struct scan *s)
{
    static const char mode[] = "rm-if-finished";
    size_t i = 0;
    while (mode[i] != '\0' && scan_sees(s, mode[i])) {
        i++;
        s->at++;
    }
    if (mode[i] == '\0' && scan_at_end(s))
        return HQ_OK;
    const char next[] = {mode[i], '\0'};
    if (s->why)
        hqi_base_buf_adds(s->why, "Cannot parse stream: ");
    return hqi_text_scan_bad_token(s, (struct scan_want){mode, mode[i] ? next : "<end of input>"});
}

static struct bytes trim(struct bytes b)
{
    while (b.n > 0 && scan_is_space(b.p[0])) {
        b.p++;
        b.n--;
    }
    while (b.n > 0 && scan_is_space(b.p[b.n - 1]))
        b.n--;
    return b;
}

int hqi_text_stdio_spec_parse(struct stdio_spec *ret, struct arena *mem, struct bytes in, struct buf *why)
{
    struct scan s = scan_of(in, why);
    bool ok = true;
    *ret = (struct stdio_spec){.kind = STDIO_NONE};
    if (bytes_is(in, "none"))
        return HQ_OK;
    const char *colon = memchr(s.in.p, ':', s.in.n);
    struct bytes path = trim((struct bytes){s.in.p, colon ? (size_t)(colon - s.in.p) : s.in.n});
    ret->kind = STDIO_FILE;
    if (colon) {
        s.at = (size_t)(colon - s.in.p) + 1;
        int rc = scan_mode(&s);
        if (rc < 0)
            return rc;
        ret->rm_if_finished = true;
    } else if (path.n == 0) {
        if (why)
            hqi_base_buf_adds(why, "Cannot parse stream: ");
        return hqi_text_scan_note(&s, HQ_EINVAL, 0, NULL, "Input cannot be empty");
    }
    ret->path = hqi_base_arena_bytes(mem, path, &ok);
    return ok ? HQ_OK : HQ_ENOMEM;
}
