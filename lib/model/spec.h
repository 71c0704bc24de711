/* SPDX-License-Identifier: MIT */
/* spec.h - what the tasks of one submit run, and how. Immutable once made; everything that it points to
 * lives in its own arena. argv, env, paths and entries are bytes; names are UTF-8. */
#ifndef HQI_MODEL_SPEC_H
#define HQI_MODEL_SPEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "model/intset.h"
#include "model/resource.h"

enum stdio_kind { STDIO_FILE = 1, STDIO_NONE = 2, STDIO_STREAM = 3 }; /* sent: never renumbered */
enum pin_mode { PIN_NONE = 0, PIN_TASKSET = 1, PIN_OMP = 2 };         /* sent: never renumbered */

#define CRASH_NEVER_RESTART 0u
#define CRASH_UNLIMITED UINT32_MAX
#define CRASH_DEFAULT 5u

struct stdio_spec {
    uint8_t kind;
    bool rm_if_finished; /* FILE: removed when the task finishes successfully */
    struct bytes path;   /* FILE: may hold placeholders; relative to the task's cwd */
};

struct env_var {
    struct bytes name, value;
};

/* One blob plus offsets: entry of ordinal i is blob[offsets[i]] .. blob[offsets[i + 1]]. n is 0 (no
 * entries) or the number of tasks. */
struct entries {
    const char *blob;
    const uint64_t *offsets; /* n + 1 of them */
    uint32_t n;
};

struct spec {
    struct arena *mem; /* owned */
    struct intset ids;
    const struct bytes *argv; /* n_argv >= 1 */
    uint32_t n_argv;
    const struct env_var *env; /* unique names */
    uint32_t n_env;
    struct bytes submit_dir; /* absolute, of the submitting client */
    struct bytes cwd;        /* may hold placeholders */
    struct stdio_spec out, err;
    struct bytes stdin_data;
    struct resource_request request;
    struct entries entries;
    int32_t priority;       /* larger is sooner */
    uint32_t crash_limit;   /* CRASH_*, or the number of crashes that fails the task */
    uint64_t time_limit_ms; /* 0: none */
    uint8_t pin;
    bool task_dir;
};

void hqi_model_spec_free(struct spec *s); /* NULL is fine: the spec itself lives in its arena */
struct spec *hqi_model_spec_new(const struct alloc *a); /* zeroed, with its arena; NULL: no memory */
struct spec *hqi_model_spec_copy(const struct alloc *a, const struct spec *from); /* deep; NULL: no memory */
static inline struct bytes spec_entry(const struct spec *s, uint32_t ordinal)
{
    if (s->entries.n == 0)
        return (struct bytes){0};
    uint64_t at = s->entries.offsets[ordinal];
    return (struct bytes){s->entries.blob + at, (size_t)(s->entries.offsets[ordinal + 1] - at)};
}
/* Everything a server checks before it takes a spec: ids, argv, names, request, entries, limits. */
int hqi_model_spec_check(const struct spec *s, hq_error *err);

#endif
