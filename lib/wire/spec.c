/* SPDX-License-Identifier: MIT */
/* spec.c - specs to and from bytes.
 *
 * Promise: what was read has the shape of a spec (counts, enums, no NUL where the system would stop at one), in an
 * arena of its own, so that it outlives the message; hqi_model_spec_check says whether it also makes sense. */
#include "wire/spec.h"

#include <string.h>

#include "wire/columns.h"

/* ---- ids ---- */

Hqcore__IdRanges *hqi_wire_spec_make_ids(struct encode *e, const hq_range *v, uint32_t n)
{
    Hqcore__IdRanges *m = hqi_wire_pb_message(e, &hqcore__id_ranges__descriptor);
    int32_t *first = hqi_wire_pb_array(e, n, sizeof *first);
    uint32_t *count = hqi_wire_pb_array(e, n, sizeof *count), *step = hqi_wire_pb_array(e, n, sizeof *step);
    if (e->failed)
        return NULL;
    bool strides = false;
    for (uint32_t i = 0; i < n; i++) {
        first[i] = (int32_t)(v[i].first - (i ? v[i - 1].first : 0));
        count[i] = v[i].count;
        step[i] = v[i].step;
        strides |= v[i].step != 1;
    }
    m->first = first;
    m->count = count;
    m->step = step;
    m->n_first = m->n_count = n;
    m->n_step = strides ? n : 0;
    return m;
}

bool hqi_wire_spec_read_ids(struct decode *d, const char *field, const Hqcore__IdRanges *in,
                            const hq_range **ret, uint32_t *n_ret, uint32_t *count)
{
    *ret = NULL;
    *n_ret = *count = 0;
    if (!in || in->n_first == 0)
        return !in || hqi_wire_columns_length(d, field, in->n_count + in->n_step, 0);
    if (!hqi_wire_pb_count(d, field, in->n_first, HQI_MAX_RANGES) ||
        !hqi_wire_columns_length(d, field, in->n_count, in->n_first) ||
        (in->n_step && !hqi_wire_columns_length(d, field, in->n_step, in->n_first)))
        return false;
    hq_range *v = hqi_wire_pb_get(d, in->n_first, sizeof *v);
    uint32_t first = 0;
    uint64_t total = 0;
    for (size_t i = 0; v && i < in->n_first; i++) {
        uint32_t step = in->n_step ? in->step[i] : 1;
        first += (uint32_t)in->first[i];
        if (in->count[i] == 0 || step == 0 || (uint64_t)(in->count[i] - 1) * step > UINT32_MAX - first)
            return hqi_wire_pb_fail(d, HQ_EPROTO, "%s: %u ids from %u by %u", field, in->count[i], first,
                                    step);
        v[i] = (hq_range){first, in->count[i], step};
        total += in->count[i];
    }
    *ret = v;
    *n_ret = (uint32_t)in->n_first;
    *count = (uint32_t)total;
    return v && hqi_wire_pb_within(d, field, total, 0, UINT32_MAX);
}

bool hqi_wire_spec_read_set(struct decode *d, const char *field, const Hqcore__IdRanges *in,
                            struct arena *mem, struct intset *ret)
{
    const hq_range *v;
    uint32_t n, count;
    *ret = (struct intset){0};
    if (!hqi_wire_spec_read_ids(d, field, in, &v, &n, &count))
        return false;
    if (n == 0)
        return true;
    hq_error why;
    int rc = hqi_model_intset_make(ret, mem, v, n, &why);
    return rc == HQ_OK || hqi_wire_pb_fail(d, rc == HQ_EINVAL ? HQ_EPROTO : rc, "%s: %s", field, why.text);
}

/* ---- parts of a spec ---- */

Hqcore__EnvVar **hqi_wire_spec_make_env(struct encode *e, const struct env_var *v, uint32_t n)
{
    Hqcore__EnvVar **list = hqi_wire_pb_list(e, &hqcore__env_var__descriptor, n);
    for (uint32_t i = 0; i < n && !e->failed; i++) {
        list[i]->name = hqi_wire_pb_bytes(v[i].name);
        list[i]->value = hqi_wire_pb_bytes(v[i].value);
    }
    return list;
}

bool hqi_wire_spec_read_env(struct decode *d, const char *field, Hqcore__EnvVar **in, size_t n,
                            const struct env_var **ret, uint32_t *n_ret)
{
    if (!hqi_wire_pb_count(d, field, n, HQI_MAX_ARGS))
        return false;
    struct env_var *v = n ? hqi_wire_pb_get(d, n, sizeof *v) : NULL;
    for (size_t i = 0; i < n; i++)
        if (!v || !hqi_wire_pb_text(d, field, in[i]->name, HQI_MAX_STRING, &v[i].name) ||
            !hqi_wire_pb_text(d, field, in[i]->value, HQI_MAX_STRING, &v[i].value))
            return false;
    *ret = v;
    *n_ret = (uint32_t)n;
    return true;
}

Hqcore__Stdio *hqi_wire_spec_make_stdio(struct encode *e, const struct stdio_spec *s)
{
    Hqcore__Stdio *m = hqi_wire_pb_message(e, &hqcore__stdio__descriptor);
    if (m) {
        m->kind = (Hqcore__StdioKind)s->kind;
        m->path = hqi_wire_pb_bytes(s->path);
        m->rm_if_finished = s->rm_if_finished;
    }
    return m;
}

static bool read_stdio(struct decode *d, const char *field, const Hqcore__Stdio *in, struct stdio_spec *ret)
{
    if (!hqi_wire_pb_given(d, field, in) ||
        !hqi_wire_pb_within(d, "Stdio.kind", (uint32_t)in->kind, STDIO_FILE, STDIO_STREAM))
        return false;
    ret->kind = (uint8_t)in->kind;
    ret->rm_if_finished = in->rm_if_finished;
    return hqi_wire_pb_text(d, field, in->path, HQI_MAX_STRING, &ret->path);
}

static void fill_variant(struct encode *e, Hqcore__RequestVariant *m, const struct request_variant *v)
{
    m->n_nodes = v->n_nodes;
    m->min_time_ms = v->min_time_ms;
    m->weight = v->weight;
    m->n_entries = v->n_entries;
    m->entries = hqi_wire_pb_list(e, &hqcore__request_entry__descriptor, v->n_entries);
    for (uint32_t i = 0; i < v->n_entries && !e->failed; i++) {
        m->entries[i]->name = hqi_wire_pb_string(e, v->entries[i].name);
        m->entries[i]->policy = (Hqcore__Policy)v->entries[i].policy;
        m->entries[i]->amount = v->entries[i].amount;
    }
}

Hqcore__ResourceRequest *hqi_wire_spec_make_request(struct encode *e, const struct resource_request *r)
{
    Hqcore__ResourceRequest *m = hqi_wire_pb_message(e, &hqcore__resource_request__descriptor);
    if (!m)
        return NULL;
    m->n_variants = r->n_variants;
    m->variants = hqi_wire_pb_list(e, &hqcore__request_variant__descriptor, r->n_variants);
    for (uint32_t i = 0; i < r->n_variants && !e->failed; i++)
        fill_variant(e, m->variants[i], &r->variants[i]);
    return m;
}

static bool read_variant(struct decode *d, const Hqcore__RequestVariant *in, struct request_variant *ret)
{
    if (!hqi_wire_pb_count(d, "RequestVariant.entries", in->n_entries, HQI_MAX_RESOURCES))
        return false;
    struct request_entry *v = hqi_wire_pb_get(d, in->n_entries, sizeof *v);
    for (size_t i = 0; i < in->n_entries; i++) {
        const Hqcore__RequestEntry *m = in->entries[i];
        if (!v || !hqi_wire_pb_name(d, "RequestEntry.name", m->name, HQI_MAX_RESOURCE_NAME, &v[i].name) ||
            !hqi_wire_pb_within(d, "RequestEntry.policy", (uint32_t)m->policy, POLICY_COMPACT, POLICY_ALL))
            return false;
        v[i].policy = (uint8_t)m->policy;
        v[i].amount = m->amount;
    }
    *ret = (struct request_variant){in->n_nodes, v, (uint32_t)in->n_entries, in->min_time_ms, in->weight};
    return v;
}

bool hqi_wire_spec_read_request(struct decode *d, const Hqcore__ResourceRequest *in, struct resource_request *ret)
{
    if (!hqi_wire_pb_given(d, "ResourceRequest", in) ||
        !hqi_wire_pb_count(d, "ResourceRequest.variants", in->n_variants, HQI_MAX_VARIANTS))
        return false;
    struct request_variant *v = hqi_wire_pb_get(d, in->n_variants, sizeof *v);
    for (size_t i = 0; i < in->n_variants; i++)
        if (!v || !read_variant(d, in->variants[i], &v[i]))
            return false;
    ret->variants = v;
    ret->n_variants = (uint32_t)in->n_variants;
    return v && hqi_wire_pb_within(d, "ResourceRequest.variants (their number)", in->n_variants, 1,
                                   HQI_MAX_VARIANTS);
}

static void fill_entries(struct encode *e, Hqcore__Spec *m, const struct entries *entries)
{
    uint32_t n = entries->n;
    uint32_t *lengths = hqi_wire_pb_array(e, n, sizeof *lengths);
    for (uint32_t i = 0; lengths && i < n; i++) {
        uint64_t length = entries->offsets[i + 1] - entries->offsets[i];
        e->failed |= length > UINT32_MAX;
        lengths[i] = (uint32_t)length;
    }
    if (!lengths)
        return;
    m->entry_lengths = lengths;
    m->n_entry_lengths = n;
    m->entries.data = (uint8_t *)entries->blob + entries->offsets[0];
    m->entries.len = (size_t)(entries->offsets[n] - entries->offsets[0]);
}

static bool read_entries(struct decode *d, const Hqcore__Spec *in, struct entries *ret)
{
    size_t n = in->n_entry_lengths;
    uint64_t *offsets = hqi_wire_pb_get(d, n + 1, sizeof *offsets);
    if (!offsets || !hqi_wire_pb_count(d, "Spec.entry_lengths", n, UINT32_MAX - 1))
        return false;
    for (size_t i = 0; i < n; i++)
        offsets[i + 1] = offsets[i] + in->entry_lengths[i];
    if (offsets[n] != in->entries.len)
        return hqi_wire_pb_fail(d, HQ_EPROTO, "Spec.entry_lengths add up to %llu of %zu bytes",
                                (unsigned long long)offsets[n], in->entries.len);
    if (n)
        *ret = (struct entries){in->entries.len ? (const char *)in->entries.data : "", offsets, (uint32_t)n};
    return true;
}

/* ---- the whole ---- */

Hqcore__Spec *hqi_wire_spec_make(struct encode *e, const struct spec *s, bool tasks)
{
    Hqcore__Spec *m = hqi_wire_pb_message(e, &hqcore__spec__descriptor);
    if (!m)
        return NULL;
    m->n_argv = s->n_argv;
    m->argv = hqi_wire_pb_bytes_list(e, s->argv, s->n_argv);
    m->n_env = s->n_env;
    m->env = hqi_wire_spec_make_env(e, s->env, s->n_env);
    m->submit_dir = hqi_wire_pb_bytes(s->submit_dir);
    m->cwd = hqi_wire_pb_bytes(s->cwd);
    m->stdout = hqi_wire_spec_make_stdio(e, &s->out);
    m->stderr = hqi_wire_spec_make_stdio(e, &s->err);
    m->stdin_data = hqi_wire_pb_bytes(s->stdin_data);
    m->request = hqi_wire_spec_make_request(e, &s->request);
    m->priority = s->priority;
    m->crash_limit = s->crash_limit;
    m->time_limit_ms = s->time_limit_ms;
    m->pin = (Hqcore__Pin)s->pin;
    m->task_dir = s->task_dir;
    if (tasks) {
        m->ids = s->ids.count ? hqi_wire_spec_make_ids(e, s->ids.ranges, s->ids.n_ranges) : NULL;
        fill_entries(e, m, &s->entries);
    }
    return m;
}

static bool read_into(struct decode *d, const Hqcore__Spec *in, bool tasks, struct spec *s)
{
    if (!hqi_wire_pb_texts(d, "Spec.argv", in->argv, in->n_argv, HQI_MAX_ARGS, &s->argv, &s->n_argv) ||
        !hqi_wire_pb_within(d, "Spec.argv (their number)", in->n_argv, 1, HQI_MAX_ARGS) ||
        !hqi_wire_spec_read_env(d, "Spec.env", in->env, in->n_env, &s->env, &s->n_env) ||
        !hqi_wire_pb_text(d, "Spec.submit_dir", in->submit_dir, HQI_MAX_STRING, &s->submit_dir) ||
        !hqi_wire_pb_text(d, "Spec.cwd", in->cwd, HQI_MAX_STRING, &s->cwd) ||
        !read_stdio(d, "Spec.stdout", in->stdout, &s->out) ||
        !read_stdio(d, "Spec.stderr", in->stderr, &s->err) ||
        !hqi_wire_pb_blob(d, "Spec.stdin_data", in->stdin_data, HQI_MAX_MESSAGE, &s->stdin_data) ||
        !hqi_wire_spec_read_request(d, in->request, &s->request) ||
        !hqi_wire_pb_within(d, "Spec.pin", (uint32_t)in->pin, PIN_NONE, PIN_OMP))
        return false;
    s->priority = in->priority;
    s->crash_limit = in->crash_limit;
    s->time_limit_ms = in->time_limit_ms;
    s->pin = (uint8_t)in->pin;
    s->task_dir = in->task_dir;
    return !tasks || (hqi_wire_spec_read_set(d, "Spec.ids", in->ids, d->mem, &s->ids) &&
                      read_entries(d, in, &s->entries));
}

struct spec *hqi_wire_spec_read(struct decode *d, const Hqcore__Spec *in, bool tasks)
{
    struct spec seen = {0}, *copy;
    if (!hqi_wire_pb_given(d, "spec", in) || !read_into(d, in, tasks, &seen))
        return NULL;
    copy = hqi_model_spec_copy(d->alloc, &seen);
    if (!copy)
        hqi_wire_pb_fail(d, HQ_ENOMEM, "out of memory for a spec");
    return copy;
}
