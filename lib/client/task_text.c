/* SPDX-License-Identifier: MIT */
/* task_text.c - what people are shown of tasks: where their output is, and why they failed. The same code as the worker's
 * and the server's, so that what is shown is what was done. */
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "hqcore/tools.h"
#include "text/placeholder.h"
#include "text/task_error.h"
#include "text/task_paths.h"

static int put(struct bytes from, char *out, size_t room)
{
    if (!out || from.n >= room || from.n > INT32_MAX)
        return HQ_ELIMIT;
    if (from.n > 0)
        memcpy(out, from.p, from.n);
    out[from.n] = '\0';
    return (int)from.n;
}

/* ---- placeholders ---- */

static bool was_seen(struct bytes in, size_t until, struct bytes name)
{
    size_t at = 0;
    struct bytes other;
    while (at < until && hqi_text_placeholder_next(in, &at, &other) && at < until)
        if (bytes_equal(other, name))
            return true;
    return false;
}

int hq_tools_placeholders(const char *path, int *has_task_id, char *names, size_t room)
{
    struct bytes in = bytes_of(path), name;
    size_t at = 0, used = 0;
    int n = 0;
    if (!path)
        return HQ_EINVAL;
    if (has_task_id)
        *has_task_id = hqi_text_placeholder_has(in, "TASK_ID");
    if (names && room > 0)
        names[0] = '\0';
    while (hqi_text_placeholder_next(in, &at, &name)) {
        if (hqi_text_placeholder_is_known(name) || was_seen(in, at, name))
            continue;
        const char *comma = n++ ? ", " : "";
        if (!names || used + strlen(comma) + name.n + 1 > room)
            continue;
        memcpy(names + used, comma, strlen(comma));
        memcpy(names + used + strlen(comma), name.p, name.n);
        used += strlen(comma) + name.n;
        names[used] = '\0';
    }
    return n;
}

/* ---- paths ---- */

static struct bytes bytes_at(const hq_doc *d, const char *path)
{
    struct bytes b = {0};
    b.p = hq_doc_bytes(hq_doc_get(d, path), &b.n);
    return b;
}

int hq_tools_task_path(const hq_doc *submit, int which, hq_job_id job, uint32_t task, uint32_t instance,
                       const char *server_uid, char *out, size_t room)
{
    const struct task_paths typed = {bytes_at(submit, "cwd"), bytes_at(submit, "stdout.path"), bytes_at(submit, "stderr.path")};
    const struct path_values values = {job.n, task, instance, bytes_at(submit, "submit_dir"), bytes_of(server_uid)};
    struct task_paths paths;
    struct arena mem;
    if (which < 0 || which > 2)
        return HQ_EINVAL;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    int r = hqi_text_task_paths_at_start(&paths, &mem, &typed, &values);
    if (r >= 0)
        r = put(which == 0 ? paths.cwd : which == 1 ? paths.out : paths.err, out, room);
    hqi_base_arena_fini(&mem);
    return r;
}

/* ---- errors ---- */

int hq_tools_task_error(int code, const char *text, uint32_t crash_limit, char *out, size_t room)
{
    struct buf b;
    if (code < 0 || code > UINT16_MAX)
        return HQ_EINVAL;
    hqi_base_buf_init(&b, &hqi_base_alloc_libc);
    hqi_text_task_error_print((uint16_t)code, bytes_of(text), crash_limit, &b);
    int r = b.failed ? HQ_ENOMEM : put(hqi_base_buf_bytes(&b), out, room);
    hqi_base_buf_fini(&b);
    return r;
}
