/* SPDX-License-Identifier: MIT */
/* task_paths.c - placeholders and joins, in the order cwd, then outputs.
 *
 * Promise: both passes together give what one pass with all values would give, so that a task runs in
 * the same place whether or not the server looked at its paths first. Therefore an output is joined to the
 * cwd as it will be, even where the cwd itself is still shown as typed. */
#include "text/task_paths.h"

#include <stdio.h>

#include "base/limits.h"
#include "text/placeholder.h"

#define NUMBER_BYTES 12 /* a 32-bit number */
#define MAX_VALUES 6

struct pass {
    struct arena *mem; /* borrowed */
    struct placeholder table[MAX_VALUES];
    uint32_t n;
    bool last;
    char job[NUMBER_BYTES], task[NUMBER_BYTES], instance[NUMBER_BYTES];
};

static void add(struct pass *p, const char *name, struct bytes value)
{
    p->table[p->n++] = (struct placeholder){name, value};
}

static void pass_init(struct pass *p, struct arena *mem, const struct path_values *values, bool last)
{
    *p = (struct pass){.mem = mem, .last = last};
    snprintf(p->job, sizeof p->job, "%u", values->job);
    snprintf(p->task, sizeof p->task, "%u", values->task);
    snprintf(p->instance, sizeof p->instance, "%u", values->instance);
    add(p, "JOB_ID", bytes_of(p->job));
    add(p, "SUBMIT_DIR", values->submit_dir);
    add(p, "SERVER_UID", values->server_uid);
    if (last) {
        add(p, "TASK_ID", bytes_of(p->task));
        add(p, "INSTANCE_ID", bytes_of(p->instance));
    }
}

struct bytes hqi_text_task_paths_join(struct arena *mem, struct bytes base, struct bytes path, bool *ok)
{
    if (path.n == 0)
        return base;
    if (path.p[0] == '/')
        return path;
    bool slash = base.n > 0 && base.p[base.n - 1] == '/';
    size_t head = base.n + !slash, n = head + path.n;
    char *p = hqi_base_arena_get(mem, n + 1);
    if (!p) {
        *ok = false;
        return (struct bytes){"", 0};
    }
    if (base.n > 0)
        memcpy(p, base.p, base.n);
    p[head - 1] = '/';
    memcpy(p + head, path.p, path.n);
    p[n] = '\0';
    return (struct bytes){p, n};
}

static int expand(struct pass *p, struct bytes in, struct bytes *ret)
{
    struct buf out;
    bool ok = true;
    hqi_base_buf_init(&out, p->mem->alloc);
    bool fits = hqi_text_placeholder_expand(in, p->table, p->n, HQI_MAX_STRING, &out);
    if (fits && !out.failed)
        *ret = hqi_base_arena_bytes(p->mem, hqi_base_buf_bytes(&out), &ok);
    int rc = !fits ? HQ_ELIMIT : out.failed || !ok ? HQ_ENOMEM : HQ_OK;
    hqi_base_buf_fini(&out);
    return rc;
}

/* The expanded path in *ret, shown relative while a placeholder is left; its place from `base` in *whole. */
static int resolve(struct pass *p, struct bytes base, struct bytes in, struct bytes *ret, struct bytes *whole)
{
    bool ok = true;
    int rc = expand(p, in, ret);
    if (rc < 0)
        return rc;
    *whole = hqi_text_task_paths_join(p->mem, base, *ret, &ok);
    if (!ok)
        return HQ_ENOMEM;
    if (p->last || !hqi_text_placeholder_has(*ret, NULL))
        *ret = *whole;
    return HQ_OK;
}

static int resolve_all(struct pass *p, struct task_paths *ret, const struct task_paths *from, struct bytes submit_dir)
{
    struct bytes cwd, whole;
    *ret = (struct task_paths){0};
    int rc = resolve(p, submit_dir, from->cwd, &ret->cwd, &cwd);
    if (rc < 0)
        return rc;
    add(p, "CWD", cwd);
    if (from->out.n > 0)
        rc = resolve(p, cwd, from->out, &ret->out, &whole);
    if (rc >= 0 && from->err.n > 0)
        rc = resolve(p, cwd, from->err, &ret->err, &whole);
    return rc;
}

int hqi_text_task_paths_at_submit(struct task_paths *ret, struct arena *mem, const struct task_paths *typed,
                                  const struct path_values *values)
{
    struct pass p;
    pass_init(&p, mem, values, false);
    return resolve_all(&p, ret, typed, values->submit_dir);
}

int hqi_text_task_paths_at_start(struct task_paths *ret, struct arena *mem, const struct task_paths *from,
                                 const struct path_values *values)
{
    struct pass p;
    pass_init(&p, mem, values, true);
    return resolve_all(&p, ret, from, values->submit_dir);
}
