/* SPDX-License-Identifier: MIT */
/* message.c - from what a builder has gathered to what is sent: the defaults, and which entry belongs to which task. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "client/submit.h"
#include "model/name.h"

static const char where[] = "submit";

#define INLINE_ENTRIES 65536u /* more, or more bytes than a part has, are uploaded */
#define PATH_BYTES 4096u

/* ---- defaults ---- */

/* The file name of the program; "job" where it has none, or none that is text. */
static struct bytes default_name(struct bytes program)
{
    const struct bytes fallback = bytes_of("job");
    size_t n = program.n;
    while (n > 0 && (program.p[n - 1] == '/' || (n > 1 && program.p[n - 1] == '.' && program.p[n - 2] == '/')))
        n--;
    size_t from = n;
    while (from > 0 && program.p[from - 1] != '/')
        from--;
    const struct bytes name = {program.p + from, n - from};
    if (name.n == 0 || bytes_is(name, ".") || bytes_is(name, "..") || hqi_model_name_check(name, "job name", NULL) < 0)
        return fallback;
    return name;
}

static struct stdio_spec stdio_or(const struct stdio_spec *given, const char *fallback)
{
    struct stdio_spec s = *given;
    if (s.kind == 0)
        s.kind = STDIO_FILE;
    if (s.kind == STDIO_FILE && s.path.n == 0)
        s.path = bytes_of(fallback);
    return s;
}

static int submit_dir(struct bytes *ret, struct arena *mem, hq_error *err)
{
    char path[PATH_BYTES];
    bool ok = true;
    if (!getcwd(path, sizeof path))
        return hqi_base_error_sys(err, errno, where, "the current directory cannot be found");
    *ret = hqi_base_arena_bytes(mem, bytes_of(path), &ok);
    return ok ? HQ_OK : hqi_base_error_nomem(err, where);
}

static void make_request(struct submit_message *m, const struct hq_submit *s)
{
    const struct request_entry cpu = {.name = bytes_of("cpus"), .policy = POLICY_COMPACT, .amount = HQ_UNITS};
    uint32_t n = 0;
    bool has_cpus = false;
    for (uint32_t i = 0; i < s->n_resources; i++)
        has_cpus = has_cpus || bytes_is(s->resources[i].name, "cpus");
    for (uint32_t i = 0; i < s->n_resources; i++) { /* by name */
        if (!has_cpus && bytes_compare(cpu.name, s->resources[i].name) < 0) {
            m->entries[n++] = cpu;
            has_cpus = true;
        }
        m->entries[n++] = s->resources[i];
    }
    if (!has_cpus)
        m->entries[n++] = cpu;
    m->variant = (struct request_variant){
        .entries = m->entries, .n_entries = n, .min_time_ms = s->time_request_ms, .weight = HQ_UNITS};
    m->request = (struct resource_request){&m->variant, 1};
    m->spec.request = m->request;
}

/* ---- tasks and entries ---- */

static uint32_t n_entries(const struct hq_submit *s)
{
    return (uint32_t)(s->ends.n / sizeof(uint64_t) - 1);
}

static struct entries given_entries(const struct hq_submit *s)
{
    return (struct entries){s->blob.p ? s->blob.p : "", (const uint64_t *)(const void *)s->ends.p, n_entries(s)};
}

static uint32_t below(const hq_range *r, uint32_t limit) /* ids of the range that are below */
{
    if (r->first >= limit)
        return 0;
    uint32_t n = (limit - 1 - r->first) / r->step + 1;
    return n < r->count ? n : r->count;
}

/* The ids that are below the number of entries; each has the entry of its index. */
static int select_ids(struct intset *ret, struct arena *mem, const struct hq_submit *s, hq_error *err)
{
    hq_range *v = hqi_base_arena_get(mem, (s->ids.n_ranges + 1u) * sizeof *v);
    uint32_t n = 0;
    if (!v)
        return hqi_base_error_nomem(err, where);
    for (uint32_t i = 0; i < s->ids.n_ranges; i++) {
        hq_range r = s->ids.ranges[i];
        r.count = below(&r, n_entries(s));
        if (r.count > 0)
            v[n++] = r;
    }
    *ret = (struct intset){0};
    return n == 0 ? HQ_OK : hqi_model_intset_make(ret, mem, v, n, err);
}

static uint64_t total_bytes(const struct intset *ids, const struct entries *from)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < ids->n_ranges; i++)
        for (uint32_t k = 0; k < ids->ranges[i].count; k++) {
            uint32_t id = ids->ranges[i].first + k * ids->ranges[i].step;
            bytes += from->offsets[id + 1] - from->offsets[id];
        }
    return bytes;
}

static int select_entries(struct entries *ret, struct arena *mem, const struct intset *ids, const struct entries *from,
                          hq_error *err)
{
    char *blob = hqi_base_arena_get(mem, total_bytes(ids, from) + 1);
    uint64_t *offsets = hqi_base_arena_get(mem, (ids->count + (size_t)1) * sizeof *offsets);
    uint64_t at = 0;
    uint32_t n = 0;
    if (!blob || !offsets)
        return hqi_base_error_nomem(err, where);
    for (uint32_t i = 0; i < ids->n_ranges; i++)
        for (uint32_t k = 0; k < ids->ranges[i].count; k++) {
            uint32_t id = ids->ranges[i].first + k * ids->ranges[i].step;
            uint64_t size = from->offsets[id + 1] - from->offsets[id];
            offsets[n++] = at;
            memcpy(blob + at, from->blob + from->offsets[id], size);
            at += size;
        }
    offsets[n] = at;
    *ret = (struct entries){blob, offsets, n};
    return HQ_OK;
}

/* No array, no entries: one task. Entries only: as many as there are. Both: the ids that have an entry. */
static int make_tasks(struct submit_message *m, struct arena *mem, const struct hq_submit *s, hq_error *err)
{
    struct entries given = given_entries(s);
    int r = HQ_OK;
    m->n_auto = s->has_ids ? 0 : 1;
    if (s->has_ids)
        m->spec.ids = s->ids;
    if (given.n == 0)
        return HQ_OK;
    if (!s->has_ids)
        m->all = given;
    else
        r = select_ids(&m->spec.ids, mem, s, err);
    if (r >= 0 && s->has_ids && m->spec.ids.count > 0)
        r = select_entries(&m->all, mem, &m->spec.ids, &given, err);
    if (r < 0 || m->all.n == 0)
        return r;
    m->upload = m->all.n > INLINE_ENTRIES || m->all.offsets[m->all.n] > HQI_PART_BYTES;
    if (!m->upload)
        m->spec.entries = m->all;
    return HQ_OK;
}

int hqi_client_message_make(struct submit_message *m, struct arena *mem, const struct hq_submit *s, hq_error *err)
{
    struct spec *spec = &m->spec;
    if (s->n_argv == 0)
        return hqi_base_error_set(err, HQ_EINVAL, where, "the submit has no command: call hq_submit_set_command");
    spec->argv = s->argv;
    spec->n_argv = s->n_argv;
    spec->env = (const struct env_var *)(const void *)s->env.p;
    spec->n_env = (uint32_t)(s->env.n / sizeof *spec->env);
    spec->cwd = s->cwd.n ? s->cwd : bytes_of("%{SUBMIT_DIR}");
    spec->out = stdio_or(&s->out, "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stdout");
    spec->err = stdio_or(&s->err, "%{CWD}/job-%{JOB_ID}/%{TASK_ID}.stderr");
    spec->stdin_data = s->stdin_data;
    spec->priority = s->priority;
    spec->crash_limit = s->crash_limit;
    spec->time_limit_ms = s->time_limit_ms;
    spec->pin = s->pin;
    spec->task_dir = s->task_dir;
    m->name = s->name.n ? s->name : default_name(s->argv[0]);
    make_request(m, s);
    int r = submit_dir(&spec->submit_dir, mem, err);
    return r < 0 ? r : make_tasks(m, mem, s, err);
}
