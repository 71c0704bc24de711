/* SPDX-License-Identifier: MIT */
/* submit.c - the builder of a submit, and sending it.
 *
 * Setters copy, check what they can, and remember the first error: so a caller checks once, at the end. */
#include "client/submit.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "model/name.h"
#include "net/keys.h"
#include "text/array.h"
#include "text/request.h"
#include "text/stdio_spec.h"

static const char where[] = "submit";

/* ---- life ---- */

hq_submit *hq_submit_new(hq_ctx *ctx)
{
    const uint64_t zero = 0;
    if (hqi_host_ctx_check(ctx, NULL) < 0)
        return NULL;
    hq_submit *s = hqi_base_alloc_zero(&ctx->alloc, 1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = ctx;
    s->max_fails = UINT32_MAX;
    s->crash_limit = CRASH_DEFAULT;
    hqi_base_buf_init(&s->env, &ctx->alloc);
    hqi_base_buf_init(&s->blob, &ctx->alloc);
    hqi_base_buf_init(&s->ends, &ctx->alloc);
    hqi_base_buf_add(&s->ends, &zero, sizeof zero);
    s->mem = hqi_base_arena_new(&ctx->alloc);
    if (!s->mem || s->ends.failed) {
        hq_submit_free(s);
        return NULL;
    }
    return s;
}

void hq_submit_free(hq_submit *s)
{
    if (!s)
        return;
    hqi_base_arena_free(s->mem);
    hqi_base_buf_fini(&s->env);
    hqi_base_buf_fini(&s->blob);
    hqi_base_buf_fini(&s->ends);
    hqi_base_alloc_free(&s->ctx->alloc, s);
}

/* ---- errors that stick ---- */

static bool is_good(const hq_submit *s)
{
    return s && s->failed.code == HQ_OK;
}

static void fail_nomem(hq_submit *s)
{
    hqi_base_error_nomem(&s->failed, where);
}

/* Of a grammar: its whole message. */
static void fail_text(hq_submit *s, int code, const char *what, const char *value, struct buf *why)
{
    if (code == HQ_ENOMEM)
        fail_nomem(s);
    else
        hqi_base_error_set(&s->failed, code, where, "invalid %s '%s': %s", what, value, why->p ? why->p : hq_strerror(code));
}

static struct bytes copy(hq_submit *s, struct bytes b)
{
    bool ok = true;
    struct bytes c = hqi_base_arena_bytes(s->mem, b, &ok);
    if (!ok)
        fail_nomem(s);
    return c;
}

static bool is_given(hq_submit *s, const void *p, const char *setter)
{
    if (!is_good(s))
        return false;
    if (!p)
        hqi_base_error_set(&s->failed, HQ_EINVAL, where, "hq_submit_set_%s was given NULL", setter);
    return p;
}

/* ---- what runs ---- */

void hq_submit_set_name(hq_submit *s, const char *name)
{
    if (!is_given(s, name, "name"))
        return;
    if (hqi_model_name_check(bytes_of(name), "job name", &s->failed) >= 0)
        s->name = copy(s, bytes_of(name));
}

void hq_submit_set_job(hq_submit *s, hq_job_id job)
{
    if (is_good(s))
        s->job = job;
}

void hq_submit_set_command(hq_submit *s, const char *const *argv)
{
    uint32_t n = 0;
    if (!is_given(s, argv, "command"))
        return;
    while (argv[n] && n <= HQI_MAX_ARGS)
        n++;
    if (n == 0 || n > HQI_MAX_ARGS) {
        hqi_base_error_set(&s->failed, HQ_EINVAL, where, "a command of %u arguments: expected 1 to %u", n, HQI_MAX_ARGS);
        return;
    }
    struct bytes *v = hqi_base_arena_get(s->mem, n * sizeof *v);
    if (!v) {
        fail_nomem(s);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        v[i] = copy(s, bytes_of(argv[i]));
    s->argv = v;
    s->n_argv = n;
}

/* Sent as a program of that name which needs a resource that only workers with the function have. */
void hq_submit_set_function(hq_submit *s, const char *name)
{
    const char *const argv[] = {name, NULL};
    char resource[HQI_MAX_RESOURCE_NAME + 1];
    if (!is_given(s, name, "function"))
        return;
    int n = snprintf(resource, sizeof resource, HQI_FUNCTION_PREFIX "%s", name);
    if (!*name || n < 0 || (size_t)n >= sizeof resource || !hqi_model_resource_name_ok(bytes_of(resource))) {
        hqi_base_error_set(&s->failed, HQ_EINVAL, where,
                           "invalid function name '%s': expected letters, digits and '/', at most %zu characters", name,
                           sizeof resource - sizeof HQI_FUNCTION_PREFIX);
        return;
    }
    hq_submit_set_command(s, argv);
    hq_submit_set_stdout(s, "none");
    hq_submit_set_stderr(s, "none");
    hq_submit_set_resource(s, resource, "1");
}

void hq_submit_set_env(hq_submit *s, const char *name, const char *value)
{
    if (!is_given(s, name, "env") || !is_given(s, value, "env"))
        return;
    struct env_var *have = (struct env_var *)(void *)s->env.p, v;
    for (size_t i = 0; i < s->env.n / sizeof v; i++)
        if (bytes_is(have[i].name, name)) {
            have[i].value = copy(s, bytes_of(value));
            return;
        }
    v = (struct env_var){copy(s, bytes_of(name)), copy(s, bytes_of(value))};
    hqi_base_buf_add(&s->env, &v, sizeof v);
    if (s->env.failed)
        fail_nomem(s);
}

void hq_submit_set_cwd(hq_submit *s, const char *path)
{
    if (is_given(s, path, "cwd"))
        s->cwd = copy(s, bytes_of(path));
}

static void set_stdio(hq_submit *s, struct stdio_spec *to, const char *text, const char *what)
{
    struct buf why;
    if (!is_given(s, text, what))
        return;
    hqi_base_buf_init(&why, &s->ctx->alloc);
    int r = hqi_text_stdio_spec_parse(to, s->mem, bytes_of(text), &why);
    if (r < 0)
        fail_text(s, r, what, text, &why);
    else
        to->path = copy(s, to->path); /* it may borrow from the text */
    hqi_base_buf_fini(&why);
}

void hq_submit_set_stdout(hq_submit *s, const char *stdio)
{
    set_stdio(s, s ? &s->out : NULL, stdio, "stdout");
}

void hq_submit_set_stderr(hq_submit *s, const char *stdio)
{
    set_stdio(s, s ? &s->err : NULL, stdio, "stderr");
}

void hq_submit_set_stdin(hq_submit *s, const void *data, size_t size)
{
    if (size == 0 && is_good(s))
        s->stdin_data = (struct bytes){0};
    else if (is_given(s, data, "stdin"))
        s->stdin_data = copy(s, (struct bytes){data, size});
}

/* ---- which tasks ---- */

void hq_submit_set_array(hq_submit *s, const char *ids)
{
    struct text_array array;
    struct buf why;
    if (!is_given(s, ids, "array"))
        return;
    hqi_base_buf_init(&why, &s->ctx->alloc);
    int r = hqi_text_array_parse(&array, s->mem, bytes_of(ids), &why);
    if (r < 0) {
        fail_text(s, r, "array", ids, &why);
    } else {
        s->ids = array.ids;
        s->has_ids = true;
    }
    hqi_base_buf_fini(&why);
}

/* No range at all is a job without tasks. */
void hq_submit_set_ranges(hq_submit *s, const hq_range *ids, size_t count)
{
    struct intset set = {0};
    if (count > 0 && !is_given(s, ids, "ranges"))
        return;
    if (!is_good(s))
        return;
    if (count > HQI_MAX_RANGES)
        hqi_base_error_set(&s->failed, HQ_ELIMIT, where, "%zu ranges of ids: at most %u", count, HQI_MAX_RANGES);
    else if (count == 0 || hqi_model_intset_make(&set, s->mem, ids, (uint32_t)count, &s->failed) >= 0) {
        s->ids = set;
        s->has_ids = true;
    }
}

void hq_submit_add_entry(hq_submit *s, const void *data, size_t size)
{
    if (size > 0 && !is_given(s, data, "entry"))
        return;
    if (!is_good(s))
        return;
    if (s->blob.n + size > HQI_MAX_SUBMIT_BYTES) {
        hqi_base_error_set(&s->failed, HQ_ELIMIT, where, "the entries of one submit are limited to %llu bytes",
                           HQI_MAX_SUBMIT_BYTES);
        return;
    }
    if (size > 0)
        hqi_base_buf_add(&s->blob, data, size);
    uint64_t end = s->blob.n;
    hqi_base_buf_add(&s->ends, &end, sizeof end);
    if (s->blob.failed || s->ends.failed)
        fail_nomem(s);
}

/* ---- what each needs ---- */

static void add_resource(hq_submit *s, const struct request_entry *e)
{
    uint32_t at = 0;
    int c = -1;
    while (at < s->n_resources && (c = bytes_compare(s->resources[at].name, e->name)) < 0)
        at++;
    if (at < s->n_resources && c == 0) {
        hqi_base_error_set(&s->failed, HQ_EINVAL, where, "Resource '%.*s' defined more than once", (int)e->name.n, e->name.p);
        return;
    }
    if (s->n_resources == HQI_MAX_RESOURCES - 1) { /* one for cpus, which may have to be added */
        hqi_base_error_set(&s->failed, HQ_ELIMIT, where, "a task asks for at most %u resources", HQI_MAX_RESOURCES - 1);
        return;
    }
    memmove(&s->resources[at + 1], &s->resources[at], (s->n_resources - at) * sizeof *e);
    s->resources[at] = *e;
    s->n_resources++;
}

void hq_submit_set_resource(hq_submit *s, const char *name, const char *amount)
{
    struct request_entry e = {0};
    struct buf why;
    if (!is_given(s, name, "resource") || !is_given(s, amount, "resource"))
        return;
    if (!hqi_model_resource_name_ok(bytes_of(name))) {
        hqi_base_error_set(&s->failed, HQ_EINVAL, where,
                           "invalid resource name '%s': expected a letter, then letters, digits and '/'", name);
        return;
    }
    hqi_base_buf_init(&why, &s->ctx->alloc);
    int r = hqi_text_request_parse_amount(&e, bytes_of(amount), &why);
    if (r < 0)
        fail_text(s, r, "amount", amount, &why);
    hqi_base_buf_fini(&why);
    if (r < 0)
        return;
    e.name = copy(s, bytes_of(name));
    if (is_good(s))
        add_resource(s, &e);
}

void hq_submit_set_priority(hq_submit *s, int32_t priority)
{
    if (is_good(s))
        s->priority = priority;
}

void hq_submit_set_time_limit(hq_submit *s, uint64_t ms)
{
    if (is_good(s))
        s->time_limit_ms = ms;
}

void hq_submit_set_time_request(hq_submit *s, uint64_t ms)
{
    if (is_good(s))
        s->time_request_ms = ms;
}

void hq_submit_set_max_fails(hq_submit *s, uint32_t n)
{
    if (is_good(s))
        s->max_fails = n;
}

void hq_submit_set_crash_limit(hq_submit *s, uint32_t n)
{
    if (is_good(s))
        s->crash_limit = n;
}

void hq_submit_set_pin(hq_submit *s, int pin)
{
    if (!is_good(s))
        return;
    if (pin < HQ_PIN_NONE || pin > HQ_PIN_OMP)
        hqi_base_error_set(&s->failed, HQ_EINVAL, where, "pin %d: expected one of enum hq_pin", pin);
    else
        s->pin = (uint8_t)pin;
}

void hq_submit_set_task_dir(hq_submit *s, int on)
{
    if (is_good(s))
        s->task_dir = on;
}

void hq_submit_set_events(hq_submit *s, int on)
{
    if (is_good(s))
        s->events = on;
}

/* ---- sending ---- */

static int check(const hq_client *c, const hq_submit *s, hq_error *err)
{
    int r = hqi_client_client_check(c, err);
    if (r < 0)
        return r;
    if (!s)
        return hqi_base_error_nomem(err, where);
    if (s->failed.code != HQ_OK && err)
        *err = s->failed;
    return s->failed.code;
}

static int send_message(struct request *r, const hq_submit *s, const struct submit_message *m, hq_error *err)
{
    struct spec spec = m->spec;
    struct command cmd = {.kind = COMMAND_SUBMIT};
    int code = HQ_OK;
    cmd.u.submit.job = s->job;
    cmd.u.submit.name = m->name;
    cmd.u.submit.max_fails = s->max_fails;
    cmd.u.submit.spec = &spec;
    cmd.u.submit.more = m->upload;
    cmd.u.submit.n_auto = m->n_auto;
    r->wants_events = s->events;
    if (hqi_net_keys_random(&cmd.key, sizeof cmd.key) < 0)
        code = hqi_base_error_set(err, HQ_ESYS, where, "no random numbers can be had");
    if (code >= 0 && m->upload)
        code = hqi_client_upload_new(&r->upload, r->client->alloc, &m->all, cmd.key, err);
    if (code < 0) {
        hqi_client_request_free(r);
        return code;
    }
    return hqi_client_request_send(r, &cmd, err);
}

static int submit(hq_client *c, const hq_submit *s, struct request *r, hq_error *err)
{
    struct arena mem;
    struct submit_message *m;
    hqi_base_arena_init(&mem, c->alloc);
    m = hqi_base_arena_zero(&mem, 1, sizeof *m);
    int code = m ? hqi_client_message_make(m, &mem, s, err) : hqi_base_error_nomem(err, where);
    if (code < 0)
        hqi_client_request_free(r);
    else
        code = send_message(r, s, m, err);
    hqi_base_arena_fini(&mem);
    return code;
}

int hq_client_submit(hq_client *c, const hq_submit *s, uint64_t tag, hq_error *err)
{
    int code = check(c, s, err);
    if (code < 0)
        return code;
    struct request *r = hqi_client_request_new(c, false, tag, err);
    return r ? submit(c, s, r, err) : HQ_ENOMEM;
}

static int submit_and_wait(hq_client *c, const hq_submit *s, hq_job_id *ret, hq_error *err)
{
    int code = check(c, s, err);
    if (code < 0)
        return code;
    struct request *r = hqi_client_request_new(c, true, 0, err);
    if (!r)
        return HQ_ENOMEM;
    code = submit(c, s, r, err);
    if (code < 0)
        return code;
    code = hqi_client_request_wait(r, -1, err);
    if (!r->done)
        return code;
    if (code >= 0 && ret)
        *ret = r->job;
    hqi_client_request_free(r);
    return code;
}

int hq_submit_array(hq_client *c, const char *ids, const char *const *argv, hq_submit *opt, hq_job_id *ret, hq_error *err)
{
    int code = hqi_client_client_check(c, err);
    if (code < 0)
        return code;
    hq_submit *s = opt ? opt : hq_submit_new(c->handle.ctx);
    hq_submit_set_command(s, argv);
    if (ids)
        hq_submit_set_array(s, ids);
    code = submit_and_wait(c, s, ret, err);
    if (!opt)
        hq_submit_free(s);
    return code;
}
