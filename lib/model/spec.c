/* SPDX-License-Identifier: MIT */
/* spec.c - making, copying and checking what the tasks of one submit run.
 *
 * Promise, to the server: a spec that passed check() can be sent to a worker in one message, run, and
 * printed; a copy is deep and lives in one arena, or there is none. */
#include "model/spec.h"

#include "base/error.h"
#include "base/limits.h"
#include "model/name.h"
#include "model/unique.h"

#define WHERE "model"
#define MAX_CRASHES 65535u
#define SHOWN_BYTES 100u /* of a name in an error */
/* All strings of a spec, which travel to workers in one message: leaves room for its frame. */
#define MAX_SPEC_BYTES (HQI_MAX_MESSAGE - (1u << 20))

struct spec *hqi_model_spec_new(const struct alloc *a)
{
    struct arena *mem = hqi_base_arena_new(a);
    struct spec *s = mem ? hqi_base_arena_zero(mem, 1, sizeof *s) : NULL;
    if (!s) {
        hqi_base_arena_free(mem);
        return NULL;
    }
    s->mem = mem;
    s->ids.apart = true;
    return s;
}

void hqi_model_spec_free(struct spec *s)
{
    if (s)
        hqi_base_arena_free(s->mem);
}

/* ---- copying ---- */

static bool copy_argv(struct spec *s, const struct spec *from)
{
    bool ok = true;
    struct bytes *argv = hqi_base_arena_zero(s->mem, from->n_argv, sizeof *argv);
    for (uint32_t i = 0; argv && i < from->n_argv; i++)
        argv[i] = hqi_base_arena_bytes(s->mem, from->argv[i], &ok);
    s->argv = argv;
    return argv && ok;
}

static bool copy_env(struct spec *s, const struct spec *from)
{
    bool ok = true;
    struct env_var *env = hqi_base_arena_zero(s->mem, from->n_env, sizeof *env);
    for (uint32_t i = 0; env && i < from->n_env; i++) {
        env[i].name = hqi_base_arena_bytes(s->mem, from->env[i].name, &ok);
        env[i].value = hqi_base_arena_bytes(s->mem, from->env[i].value, &ok);
    }
    s->env = env;
    return env && ok;
}

static bool copy_paths(struct spec *s, const struct spec *from)
{
    bool ok = true;
    s->submit_dir = hqi_base_arena_bytes(s->mem, from->submit_dir, &ok);
    s->cwd = hqi_base_arena_bytes(s->mem, from->cwd, &ok);
    s->out.path = hqi_base_arena_bytes(s->mem, from->out.path, &ok);
    s->err.path = hqi_base_arena_bytes(s->mem, from->err.path, &ok);
    s->stdin_data = hqi_base_arena_bytes(s->mem, from->stdin_data, &ok);
    return ok;
}

static bool copy_entries(struct spec *s, const struct spec *from)
{
    const struct entries *e = &from->entries;
    bool ok = true;
    if (e->n == 0) {
        s->entries = (struct entries){0};
        return true;
    }
    uint64_t *offsets = hqi_base_arena_zero(s->mem, (size_t)e->n + 1, sizeof *offsets);
    if (!offsets)
        return false;
    memcpy(offsets, e->offsets, ((size_t)e->n + 1) * sizeof *offsets);
    s->entries.blob = hqi_base_arena_bytes(s->mem, (struct bytes){e->blob, (size_t)offsets[e->n]}, &ok).p;
    s->entries.offsets = offsets;
    return ok;
}

struct spec *hqi_model_spec_copy(const struct alloc *a, const struct spec *from)
{
    struct spec *s = hqi_model_spec_new(a);
    if (!s)
        return NULL;
    struct arena *mem = s->mem;
    *s = *from;
    s->mem = mem;
    if (hqi_model_intset_copy(&s->ids, mem, &from->ids) < 0)
        goto fail;
    if (!copy_argv(s, from) || !copy_env(s, from) || !copy_paths(s, from) || !copy_entries(s, from))
        goto fail;
    if (hqi_model_request_copy(&s->request, mem, &from->request) < 0)
        goto fail;
    return s;
fail:
    hqi_model_spec_free(s);
    return NULL;
}

/* ---- checking ---- */

static int check_argv(const struct spec *s, size_t *total, hq_error *err)
{
    if (s->n_argv == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "No command arguments");
    if (s->n_argv > HQI_MAX_ARGS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u command arguments, at most %u are allowed", s->n_argv,
                                  HQI_MAX_ARGS);
    for (uint32_t i = 0; i < s->n_argv; i++) {
        int rc = hqi_model_name_check_string(s->argv[i], HQI_MAX_STRING, "command argument", err);
        if (rc < 0)
            return rc;
        *total += s->argv[i].n;
    }
    return HQ_OK;
}

static int check_env_var(const struct env_var *v, hq_error *err)
{
    if (v->name.n > 0 && memchr(v->name.p, '=', v->name.n))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the name of an environment variable contains `=`");
    int rc = hqi_model_name_check_string(v->name, HQI_MAX_STRING, "name of an environment variable", err);
    return rc < 0 ? rc : hqi_model_name_check_string(v->value, HQI_MAX_STRING, "value of an environment variable", err);
}

static int check_env(const struct spec *s, size_t *total, hq_error *err)
{
    struct bytes twice;
    if (s->n_env > HQI_MAX_ARGS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u environment variables, at most %u are allowed", s->n_env,
                                  HQI_MAX_ARGS);
    for (uint32_t i = 0; i < s->n_env; i++) {
        int rc = check_env_var(&s->env[i], err);
        if (rc < 0)
            return rc;
        *total += s->env[i].name.n + s->env[i].value.n;
    }
    int rc = s->n_env ? hqi_model_unique_check(&s->env[0].name, sizeof *s->env, s->n_env, &twice) : HQ_OK;
    if (rc == HQ_EINVAL)
        return hqi_base_error_set(err, rc, WHERE, "the environment variable %.*s is given twice",
                                  (int)(twice.n < SHOWN_BYTES ? twice.n : SHOWN_BYTES), twice.p);
    return rc < 0 ? hqi_base_error_set(err, rc, WHERE, "too many environment variables with names alike") : HQ_OK;
}

static int check_stdio(const struct stdio_spec *io, const char *what, size_t *total, hq_error *err)
{
    if (io->kind < STDIO_FILE || io->kind > STDIO_STREAM)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s has the unknown kind %u", what, io->kind);
    if (io->kind == STDIO_FILE && io->path.n == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the %s is empty", what);
    *total += io->path.n;
    return hqi_model_name_check_string(io->path, HQI_MAX_STRING, what, err);
}

static int check_paths(const struct spec *s, size_t *total, hq_error *err)
{
    if (s->submit_dir.n == 0 || s->submit_dir.p[0] != '/')
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the submit directory is not an absolute path");
    int rc = hqi_model_name_check_string(s->submit_dir, HQI_MAX_STRING, "submit directory", err);
    if (rc >= 0)
        rc = hqi_model_name_check_string(s->cwd, HQI_MAX_STRING, "working directory", err);
    if (rc >= 0)
        rc = check_stdio(&s->out, "stdout path", total, err);
    if (rc >= 0)
        rc = check_stdio(&s->err, "stderr path", total, err);
    *total += s->submit_dir.n + s->cwd.n;
    return rc;
}

static int check_entries(const struct spec *s, hq_error *err)
{
    const struct entries *e = &s->entries;
    if (e->n == 0)
        return HQ_OK;
    if (e->n != s->ids.count)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "%u entries for %u tasks", e->n, s->ids.count);
    if (e->offsets[0] != 0 || e->offsets[e->n] > HQI_MAX_SUBMIT_BYTES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%llu bytes of entries, at most %llu are allowed",
                                  (unsigned long long)e->offsets[e->n], (unsigned long long)HQI_MAX_SUBMIT_BYTES);
    for (uint32_t i = 0; i < e->n; i++) {
        if (e->offsets[i] > e->offsets[i + 1])
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "entry %u ends before it begins", i);
        if (e->offsets[i + 1] - e->offsets[i] > HQI_MAX_STRING)
            return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "entry %u has %llu bytes, at most %u are allowed", i,
                                      (unsigned long long)(e->offsets[i + 1] - e->offsets[i]), HQI_MAX_STRING);
    }
    return HQ_OK;
}

static int check_numbers(const struct spec *s, hq_error *err)
{
    if (s->crash_limit > MAX_CRASHES && s->crash_limit != CRASH_UNLIMITED)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "the crash limit %u is above %u", s->crash_limit, MAX_CRASHES);
    if (s->time_limit_ms > HQI_MAX_DURATION_MS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "a time limit of %llu ms, at most %llu ms are allowed",
                                  (unsigned long long)s->time_limit_ms, (unsigned long long)HQI_MAX_DURATION_MS);
    if (s->pin > PIN_OMP)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "unknown pin mode %u", s->pin);
    return HQ_OK;
}

int hqi_model_spec_check(const struct spec *s, hq_error *err)
{
    size_t total = s->stdin_data.n;
    int rc = check_numbers(s, err);
    if (rc >= 0)
        rc = check_argv(s, &total, err);
    if (rc >= 0)
        rc = check_env(s, &total, err);
    if (rc >= 0)
        rc = check_paths(s, &total, err);
    if (rc >= 0)
        rc = hqi_model_request_check(&s->request, err);
    if (rc >= 0)
        rc = check_entries(s, err);
    if (rc >= 0 && total > MAX_SPEC_BYTES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE,
                                  "command, environment, paths and stdin have %zu bytes, at most %u are allowed", total,
                                  MAX_SPEC_BYTES);
    return rc;
}
