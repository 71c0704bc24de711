/* SPDX-License-Identifier: MIT */
/* sample.c - random values. Memory is not expected to run out here: a NULL ends the program in the test that meets it. */
#include "sample.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

/* ---- scalars ---- */

static uint64_t next(struct sample *s) /* splitmix64 */
{
    uint64_t z = s->seed += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint32_t sample_below(struct sample *s, uint32_t n)
{
    return (uint32_t)(next(s) % n);
}

bool sample_bool(struct sample *s)
{
    return next(s) & 1;
}

uint64_t sample_wide(struct sample *s)
{
    return next(s) >> sample_below(s, 64);
}

static void *get(struct sample *s, size_t n, size_t size)
{
    void *p = hqi_base_arena_zero(s->mem, n, size);
    if (!p)
        abort();
    return p;
}

struct bytes sample_blob(struct sample *s, uint32_t max)
{
    size_t n = sample_below(s, max + 1);
    char *p = get(s, n + 1, 1);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)next(s);
    return (struct bytes){p, n};
}

struct bytes sample_text(struct sample *s, uint32_t max)
{
    struct bytes b = sample_blob(s, max);
    for (size_t i = 0; i < b.n; i++)
        if (!b.p[i])
            ((char *)b.p)[i] = 1;
    return b;
}

struct bytes sample_name(struct sample *s)
{
    static const char *const names[] = {
        "", "a", "job-1", "\xc3\xa4\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x9a\x80 go", "x/y"};
    return bytes_of(names[sample_below(s, sizeof names / sizeof *names)]);
}

static struct bytes *texts(struct sample *s, uint32_t n)
{
    struct bytes *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = sample_text(s, 12);
    return v;
}

static struct env_var *env(struct sample *s, uint32_t n)
{
    struct env_var *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = (struct env_var){sample_text(s, 6), sample_text(s, 12)};
    return v;
}

/* ---- specs and configs ---- */

static struct intset ids(struct sample *s, uint32_t n)
{
    hq_range *v = get(s, n, sizeof *v);
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        v[i] = (hq_range){at + sample_below(s, 50), 1 + sample_below(s, 20), 1};
        if (v[i].count > 1 && sample_bool(s))
            v[i].step = 1 + sample_below(s, 1000);
        at = v[i].first + v[i].count * v[i].step;
    }
    struct intset set = {0};
    if (n && hqi_model_intset_make(&set, s->mem, v, n, NULL) < 0)
        abort();
    return set;
}

static struct stdio_spec stdio_of(struct sample *s)
{
    return (struct stdio_spec){(uint8_t)(STDIO_FILE + sample_below(s, 3)), sample_bool(s),
                               sample_text(s, 20)};
}

static struct resource_request request(struct sample *s)
{
    uint32_t n = 1 + sample_below(s, 3);
    struct request_variant *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t n_entries = sample_below(s, 4);
        struct request_entry *e = get(s, n_entries, sizeof *e);
        for (uint32_t k = 0; k < n_entries; k++)
            e[k] = (struct request_entry){sample_name(s), (uint8_t)(1 + sample_below(s, POLICY_ALL)),
                                          sample_wide(s)};
        v[i] = (struct request_variant){sample_below(s, 3), e, n_entries, sample_wide(s),
                                        (uint32_t)sample_wide(s)};
    }
    return (struct resource_request){v, n};
}

static struct entries entries(struct sample *s, uint32_t n)
{
    uint64_t *offsets = get(s, n + 1, sizeof *offsets);
    char *blob = get(s, n * 8 + 1, 1);
    for (uint32_t i = 0; i < n; i++) {
        struct bytes b = sample_blob(s, 8);
        memcpy(blob + offsets[i], b.p, b.n);
        offsets[i + 1] = offsets[i] + b.n;
    }
    return (struct entries){blob, offsets, n};
}

struct spec *sample_spec(struct sample *s, bool tasks)
{
    struct spec *r = get(s, 1, sizeof *r);
    r->n_argv = 1 + sample_below(s, 4);
    r->argv = texts(s, r->n_argv);
    r->n_env = sample_below(s, 4);
    r->env = env(s, r->n_env);
    r->submit_dir = sample_text(s, 20);
    r->cwd = sample_text(s, 20);
    r->out = stdio_of(s);
    r->err = stdio_of(s);
    r->stdin_data = sample_blob(s, 20);
    r->request = request(s);
    r->priority = (int32_t)sample_wide(s);
    r->crash_limit = (uint32_t)sample_wide(s);
    r->time_limit_ms = sample_wide(s);
    r->pin = (uint8_t)sample_below(s, 3);
    r->task_dir = sample_bool(s);
    if (tasks) {
        r->ids = ids(s, sample_below(s, 5));
        if (r->ids.count && sample_bool(s))
            r->entries = entries(s, r->ids.count);
    }
    return r;
}

static struct resource_def resource(struct sample *s)
{
    struct resource_def r = {.name = sample_name(s), .kind = (uint8_t)(1 + sample_below(s, RESOURCE_SUM))};
    if (r.kind == RESOURCE_LIST || r.kind == RESOURCE_GROUPS) {
        r.n_labels = 1 + sample_below(s, 6);
        struct bytes *labels = get(s, r.n_labels, sizeof *labels);
        for (uint32_t i = 0; i < r.n_labels; i++)
            labels[i] = sample_name(s);
        r.labels = labels;
    }
    if (r.kind == RESOURCE_GROUPS) {
        uint32_t *sizes = get(s, r.n_labels, sizeof *sizes);
        for (uint32_t left = r.n_labels; left; left -= sizes[r.n_groups++])
            sizes[r.n_groups] = 1 + sample_below(s, left);
        r.group_sizes = sizes;
    }
    if (r.kind == RESOURCE_RANGE) {
        r.start = sample_below(s, 100);
        r.end = r.start + sample_below(s, 100);
    }
    if (r.kind == RESOURCE_SUM)
        r.sum = sample_wide(s);
    return r;
}

struct resources sample_resources(struct sample *s)
{
    uint32_t n = sample_below(s, 4);
    struct resource_def *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = resource(s);
    return (struct resources){v, n};
}

struct worker_config *sample_config(struct sample *s)
{
    struct worker_config *c = get(s, 1, sizeof *c);
    c->hostname = sample_name(s);
    c->group = sample_name(s);
    c->work_dir = sample_text(s, 20);
    c->listen_address = sample_text(s, 20);
    c->manager_job_id = sample_text(s, 8);
    c->manager = (uint8_t)sample_below(s, 3);
    c->on_server_lost = (uint8_t)(1 + sample_below(s, LOST_AS_SERVER));
    c->pid = (uint32_t)sample_wide(s);
    c->min_utilization = sample_below(s, 10001);
    c->heartbeat_ms = sample_wide(s);
    c->idle_timeout_ms = sample_wide(s);
    c->time_limit_ms = sample_wide(s);
    c->overview_interval_ms = sample_wide(s);
    c->resources = sample_resources(s);
    return c;
}

/* ---- groups of tasks ---- */

static uint32_t ordinal(struct sample *s)
{
    return (uint32_t)(next(s) >> 32 >> sample_below(s, 32)) % UINT32_MAX;
}

static const uint32_t *ordinals(struct sample *s, uint32_t n)
{
    uint32_t *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = ordinal(s);
    return v;
}

const struct task_group *sample_tasks(struct sample *s, uint32_t n, bool marks)
{
    struct task_group *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = sample_below(s, 5);
        struct ord_range *r = get(s, k, sizeof *r);
        for (uint32_t j = 0; j < k; j++)
            r[j] = (struct ord_range){ordinal(s) / 2, 1 + sample_below(s, 30)};
        v[i] = (struct task_group){1 + ordinal(s),          (uint32_t)sample_wide(s), r, k,
                                   marks && sample_bool(s), marks && sample_bool(s)};
    }
    return v;
}

static struct end_text *end_texts(struct sample *s, uint32_t rows, uint32_t *n)
{
    struct end_text *v = get(s, rows, sizeof *v);
    *n = 0;
    for (uint32_t i = 0; i < rows; i++)
        if (sample_below(s, 4) == 0)
            v[(*n)++] = (struct end_text){i, sample_blob(s, 30)};
    return v;
}

static struct end_group end_group(struct sample *s)
{
    uint32_t n = sample_below(s, 9);
    uint32_t *rows = get(s, n, sizeof *rows);
    uint64_t *start = get(s, n, sizeof *start), *duration = get(s, n, sizeof *duration);
    uint16_t *code = get(s, n, sizeof *code);
    uint8_t *variant = sample_bool(s) ? get(s, n, sizeof *variant) : NULL;
    bool good = sample_bool(s);
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = ordinal(s);
        start[i] = sample_wide(s);
        duration[i] = sample_wide(s);
        code[i] = good ? 0 : (uint16_t)sample_below(s, HQ_CODE_CRASH_LIMIT + 1);
        if (variant)
            variant[i] = (uint8_t)(1 + sample_below(s, HQI_MAX_VARIANTS - 1));
    }
    struct end_group g = {1 + ordinal(s), (uint32_t)sample_wide(s), n,    rows, start, duration,
                          code,           n ? variant : NULL,       NULL, 0};
    g.texts = end_texts(s, n, &g.n_texts);
    return g;
}

static struct end_group *ends(struct sample *s, uint32_t n)
{
    struct end_group *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = end_group(s);
    return v;
}

static struct start_group *starts(struct sample *s, uint32_t n)
{
    struct start_group *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++) {
        struct end_group g = end_group(s);
        v[i] = (struct start_group){g.submit, g.instance, g.n, g.ordinals, g.start_ms, g.variant};
    }
    return v;
}

/* ---- messages ---- */

struct hello sample_hello(struct sample *s)
{
    char *proof = get(s, 32, 1);
    memset(proof, (int)sample_below(s, 256), 32);
    return (struct hello){(uint32_t)sample_wide(s), sample_text(s, 20), {proof, 32},    sample_wide(s),
                          sample_wide(s),           sample_wide(s),     sample_wide(s), sample_blob(s, 32),
                          sample_wide(s)};
}

struct welcome sample_welcome(struct sample *s)
{
    return (struct welcome){
        1 + sample_wide(s) / 2, sample_wide(s),     sample_text(s, 10),         sample_wide(s),
        sample_bool(s),         sample_blob(s, 32), 1 + sample_below(s, 100000), sample_bool(s)};
}

struct refuse sample_refuse(struct sample *s)
{
    return (struct refuse){-(int32_t)sample_below(s, 18), sample_text(s, 60)};
}

struct report sample_report(struct sample *s)
{
    struct report r = {.n_started = sample_below(s, 3),
                       .n_ended = sample_below(s, 3),
                       .n_returned = sample_below(s, 3),
                       .n_rejected = sample_below(s, 3),
                       .n_crashed = sample_below(s, 3)};
    struct start_group *started = starts(s, r.n_started);
    struct end_group *ended = ends(s, r.n_ended);
    struct report_start *a = get(s, r.n_started, sizeof *a);
    struct report_end *b = get(s, r.n_ended, sizeof *b);
    for (uint32_t i = 0; i < r.n_started; i++)
        a[i] = (struct report_start){started[i].submit,   started[i].instance, started[i].n,
                                     started[i].ordinals, started[i].start_ms, started[i].variant};
    for (uint32_t i = 0; i < r.n_ended; i++)
        b[i] = (struct report_end){ended[i].submit,   ended[i].instance,    ended[i].n,    ended[i].ordinals,
                                   ended[i].start_ms, ended[i].duration_ms, ended[i].code, ended[i].variant,
                                   ended[i].texts,    ended[i].n_texts};
    r.started = a;
    r.ended = b;
    r.returned = sample_tasks(s, r.n_returned, false);
    r.rejected = sample_tasks(s, r.n_rejected, false);
    r.crashed = sample_tasks(s, r.n_crashed, false);
    return r;
}

static struct gpu_loads gpu_loads(struct sample *s)
{
    struct gpu_loads g = {.known = sample_bool(s)};
    g.n = g.known ? sample_below(s, 3) : 0;
    struct gpu_load *v = get(s, g.n, sizeof *v);
    for (uint32_t i = 0; i < g.n; i++)
        v[i] = (struct gpu_load){sample_text(s, 16), sample_below(s, HQI_LOAD_WHOLE + 1), sample_below(s, HQI_LOAD_WHOLE + 1)};
    g.items = v;
    return g;
}

struct node_load *sample_load(struct sample *s)
{
    struct node_load *l = get(s, 1, sizeof *l);
    uint32_t n = sample_below(s, 4), *cpus = get(s, n, sizeof *cpus);
    for (uint32_t i = 0; i < n; i++)
        cpus[i] = sample_below(s, HQI_LOAD_WHOLE + 1);
    *l = (struct node_load){sample_wide(s), cpus, n, sample_wide(s), sample_wide(s),
                            {sample_wide(s), sample_wide(s), sample_wide(s), sample_wide(s), sample_wide(s), sample_wide(s)},
                            {0}, {0}};
    l->nvidia = gpu_loads(s);
    l->amd = gpu_loads(s);
    return l;
}

static void fill_register(struct sample *s, struct from_worker *m)
{
    m->u.hello.config = sample_config(s);
    if (sample_bool(s))
        return;
    struct attach *a = get(s, 1, sizeof *a);
    a->worker.n = 1 + ordinal(s);
    a->token = sample_blob(s, 16);
    a->server_uid = sample_text(s, 6);
    a->epoch = sample_wide(s);
    a->n_submits = sample_below(s, 3);
    a->submits = ordinals(s, a->n_submits);
    a->n_waiting = sample_below(s, 3);
    a->waiting = sample_tasks(s, a->n_waiting, false);
    a->news = sample_report(s);
    m->u.hello.attach = a;
}

struct from_worker sample_from_worker(struct sample *s, uint8_t kind)
{
    struct from_worker m = {.kind = kind};
    if (kind == FROM_WORKER_REGISTER)
        fill_register(s, &m);
    else if (kind == FROM_WORKER_REPORT)
        m.u.report = sample_report(s);
    else if (kind == FROM_WORKER_OVERVIEW)
        m.u.overview = sample_load(s);
    else
        m.u.ending = (uint8_t)(1 + sample_below(s, HQ_WORKER_TIME_LIMIT));
    return m;
}

static struct assign_group assign_group(struct sample *s)
{
    const struct task_group *t = sample_tasks(s, 1, false);
    struct assign_group g = {t->submit, t->instance, t->ranges, t->n_ranges, NULL, 0, NULL, 0};
    hq_range *r = get(s, t->n_ranges, sizeof *r);
    uint32_t total = 0;
    for (uint32_t i = 0; i < t->n_ranges; i++) {
        r[i] = (hq_range){sample_below(s, 1u << 20), t->ranges[i].count, 1 + sample_below(s, 3)};
        total += r[i].count;
    }
    g.ids = r;
    g.n_ids = t->n_ranges;
    if (total && sample_bool(s)) {
        g.entries = texts(s, total);
        g.n_entries = total;
    }
    return g;
}

struct to_worker_batch sample_to_worker(struct sample *s)
{
    struct to_worker *v = get(s, 6, sizeof *v);
    v[0].kind = TO_WORKER_SPEC;
    v[0].u.spec.submit = 1 + ordinal(s);
    v[0].u.spec.job.n = 1 + ordinal(s);
    v[0].u.spec.server_uid = sample_text(s, 6);
    v[0].u.spec.spec = sample_spec(s, false);
    v[1].kind = TO_WORKER_ASSIGN;
    v[1].u.assign.n_groups = sample_below(s, 4);
    struct assign_group *groups = get(s, v[1].u.assign.n_groups, sizeof *groups);
    for (uint32_t i = 0; i < v[1].u.assign.n_groups; i++)
        groups[i] = assign_group(s);
    v[1].u.assign.groups = groups;
    for (uint32_t i = 2; i < 4; i++) {
        v[i].kind = i == 2 ? TO_WORKER_RETRACT : TO_WORKER_CANCEL;
        v[i].u.tasks.n_groups = sample_below(s, 3);
        v[i].u.tasks.groups = sample_tasks(s, v[i].u.tasks.n_groups, false);
    }
    v[4].kind = TO_WORKER_DROP;
    v[4].u.drop.submit = 1 + ordinal(s);
    v[5].kind = TO_WORKER_STOP;
    v[5].u.stop.reason = (uint8_t)(1 + sample_below(s, HQ_WORKER_TIME_LIMIT));
    struct to_worker_batch b = {.has_registered = sample_bool(s), .items = v, .n = 6};
    if (b.has_registered)
        b.registered = (struct registered){{1 + ordinal(s)}, sample_text(s, 6), sample_wide(s)};
    return b;
}

struct to_helper *sample_to_helper(struct sample *s, uint32_t *n)
{
    struct to_helper *v = get(s, 9, sizeof *v);
    *n = 9;
    for (uint32_t i = 0; i < *n; i++)
        v[i].kind = (uint8_t)(TO_HELPER_SPEC + i);
    v[0].u.spec =
        (struct helper_spec){ordinal(s),         texts(s, 3),        1 + sample_below(s, 3), env(s, 2),
                             sample_below(s, 3), sample_blob(s, 30), sample_wide(s),         sample_bool(s)};
    v[1].u.drop = ordinal(s);
    v[2].u.launch = (struct helper_launch){1 + sample_wide(s) / 2,
                                           sample_wide(s),
                                           ordinal(s),
                                           env(s, 2),
                                           2,
                                           texts(s, 3),
                                           sample_below(s, 4),
                                           sample_text(s, 9),
                                           sample_text(s, 9),
                                           sample_text(s, 9),
                                           sample_bool(s),
                                           sample_bool(s)};
    v[3].u.key = sample_wide(s);
    v[4].u.key = sample_wide(s);
    v[5].u.hardware.hyper_threading = sample_bool(s);
    v[6].u.command.tag = sample_wide(s);
    v[6].u.command.argv = texts(s, 3);
    v[6].u.command.n_argv = 1 + sample_below(s, 3);
    v[6].u.command.timeout_ms = sample_wide(s);
    v[8].u.observe.interval_ms = sample_wide(s);
    v[8].u.observe.nvidia = sample_bool(s);
    v[8].u.observe.amd = sample_bool(s);
    return v;
}

struct from_helper *sample_from_helper(struct sample *s, uint32_t *n)
{
    struct from_helper *v = get(s, 7, sizeof *v);
    *n = 7;
    for (uint32_t i = 0; i < *n; i++)
        v[i].kind = (uint8_t)(FROM_HELPER_HELLO + i);
    v[0].u.hello.build = sample_text(s, 20);
    v[0].u.hello.pid = (int32_t)sample_below(s, 1u << 22);
    v[1].u.started = (struct helper_started){sample_wide(s), sample_wide(s),
                                             (int32_t)sample_below(s, 1u << 22), sample_wide(s)};
    v[2].u.ended =
        (struct helper_ended){sample_wide(s),     sample_wide(s),
                              sample_wide(s),     (uint16_t)sample_below(s, HQ_CODE_CRASH_LIMIT + 1),
                              sample_blob(s, 30), sample_wide(s),
                              sample_wide(s),     sample_wide(s)};
    v[3].u.key = sample_wide(s);
    v[4].u.hardware = (struct helper_hardware){sample_resources(s), sample_text(s, 30), sample_text(s, 30),
                                               sample_text(s, 30)};
    v[5].u.command.tag = sample_wide(s);
    v[5].u.command.status = (int32_t)sample_below(s, 257) - 1;
    v[5].u.command.out = sample_blob(s, 30);
    v[5].u.command.err = sample_blob(s, 30);
    v[6].u.load.load = sample_load(s);
    v[6].u.load.notes = sample_text(s, 30);
    return v;
}

/* ---- facts ---- */

static void fill_submit(struct sample *s, struct fact *f)
{
    f->u.submit.job.n = 1 + ordinal(s);
    f->u.submit.new_job = sample_bool(s);
    f->u.submit.name = sample_name(s);
    f->u.submit.max_fails = sample_bool(s) ? UINT32_MAX : sample_below(s, 3);
    f->u.submit.submit = 1 + ordinal(s);
    f->u.submit.spec = sample_spec(s, true);
    f->u.submit.key = (struct key){sample_wide(s), sample_wide(s)};
}

static void fill_job_stop(struct sample *s, struct fact *f)
{
    uint32_t n = sample_below(s, 3);
    struct worker_tasks *w = get(s, n, sizeof *w);
    for (uint32_t i = 0; i < n; i++) {
        w[i].worker.n = 1 + ordinal(s);
        w[i].n_groups = sample_below(s, 3);
        w[i].groups = sample_tasks(s, w[i].n_groups, false);
    }
    f->u.job_cancel.job.n = 1 + ordinal(s);
    f->u.job_cancel.reason = sample_blob(s, 20);
    f->u.job_cancel.active = w;
    f->u.job_cancel.n_active = n;
}

static void fill_class(struct sample *s, struct fact *f)
{
    struct resource_request *r = get(s, 1, sizeof *r);
    *r = request(s);
    f->u.class.request = r;
}

static void fill_remains(struct sample *s, struct fact *f)
{
    struct worker_trace *v = get(s, 3, sizeof *v);
    for (uint32_t i = 0; i < 3; i++) {
        struct class_trace *classes = get(s, i, sizeof *classes);
        for (uint32_t k = 0; k < i; k++)
            classes[k] = (struct class_trace){ordinal(s), sample_bool(s), sample_below(s, 100), sample_wide(s)};
        v[i] = (struct worker_trace){{1 + ordinal(s)}, sample_bool(s), {{ordinal(s)}, ordinal(s)}, sample_wide(s),
                                     sample_wide(s), classes, i};
    }
    f->u.remains.jobs = ordinal(s);
    f->u.remains.submits = ordinal(s);
    f->u.remains.workers = ordinal(s);
    f->u.remains.traces = v;
    f->u.remains.n_traces = 3;
}

static void fill_fact(struct sample *s, struct fact *f)
{
    switch (f->kind) {
    case FACT_SERVER_START:
        f->u.server_start.epoch = sample_wide(s);
        f->u.server_start.uid = sample_text(s, 6);
        break;
    case FACT_JOB_OPEN:
        f->u.job_open.job.n = 1 + ordinal(s);
        f->u.job_open.name = sample_name(s);
        f->u.job_open.max_fails = sample_bool(s) ? UINT32_MAX : sample_below(s, 3);
        f->u.job_open.key = (struct key){sample_wide(s), sample_wide(s)};
        break;
    case FACT_SUBMIT:
        fill_submit(s, f);
        break;
    case FACT_JOB_CLOSE:
    case FACT_JOB_FORGET:
        f->u.job_close.job.n = 1 + ordinal(s);
        f->u.job_close.key = (struct key){sample_wide(s), sample_wide(s)};
        break;
    case FACT_JOB_CANCEL:
    case FACT_JOB_ABORT:
        fill_job_stop(s, f);
        f->u.job_cancel.key = (struct key){sample_wide(s), sample_wide(s)};
        break;
    case FACT_WORKER_JOIN:
        f->u.worker_join.worker.n = 1 + ordinal(s);
        f->u.worker_join.config = sample_config(s);
        f->u.worker_join.uid = sample_wide(s);
        f->u.worker_join.token = sample_bool(s) ? sample_blob(s, 0) : (struct bytes){"0123456789\0abcde", HQI_TOKEN_BYTES};
        break;
    case FACT_WORKER_BACK:
        f->u.worker_back.worker.n = 1 + ordinal(s);
        f->u.worker_back.n_submits = sample_below(s, 3);
        f->u.worker_back.submits = ordinals(s, f->u.worker_back.n_submits);
        break;
    case FACT_WORKER_STOP:
    case FACT_WORKER_LOST:
        f->u.worker_stop.worker.n = 1 + ordinal(s);
        f->u.worker_stop.reason = (uint8_t)(1 + sample_below(s, HQ_WORKER_TIME_LIMIT));
        f->u.worker_stop.blameless = sample_bool(s);
        break;
    case FACT_STARTED:
        f->u.started.worker.n = 1 + ordinal(s);
        f->u.started.n_groups = sample_below(s, 3);
        f->u.started.groups = starts(s, f->u.started.n_groups);
        break;
    case FACT_ENDED:
        f->u.ended.worker.n = 1 + ordinal(s);
        f->u.ended.n_groups = sample_below(s, 3);
        f->u.ended.groups = ends(s, f->u.ended.n_groups);
        break;
    case FACT_CLASS:
        fill_class(s, f);
        break;
    case FACT_OVERVIEW:
        f->u.overview.worker.n = 1 + ordinal(s);
        f->u.overview.load = sample_load(s);
        break;
    case FACT_REMAINS:
        fill_remains(s, f);
        break;
    default:
        f->u.tasks.worker.n = 1 + ordinal(s);
        f->u.tasks.block = sample_bool(s);
        f->u.tasks.n_groups = sample_below(s, 3);
        f->u.tasks.groups = sample_tasks(s, f->u.tasks.n_groups, true);
    }
}

struct fact *sample_facts(struct sample *s, uint32_t *n)
{
    *n = FACT_REFUSED;
    struct fact *v = get(s, *n, sizeof *v);
    for (uint32_t i = 0; i < *n; i++) {
        v[i].kind = (uint8_t)(i + 1);
        v[i].utc_ms = sample_wide(s);
        if (v[i].kind != FACT_SERVER_STOP) /* that has no fields */
            fill_fact(s, &v[i]);
    }
    return v;
}

/* ---- commands ---- */

static struct selector selector(struct sample *s)
{
    struct selector r = {.kind = (uint8_t)(1 + sample_below(s, 3))};
    if (r.kind == SELECT_IDS)
        r.ids = ids(s, 1 + sample_below(s, 4));
    return r;
}

static void fill_part(struct sample *s, struct command *c)
{
    struct bytes blob = sample_blob(s, 50);
    uint32_t *lengths = get(s, 3, sizeof *lengths);
    lengths[0] = (uint32_t)blob.n / 2;
    lengths[2] = (uint32_t)(blob.n - lengths[0]);
    c->u.part.lengths = lengths;
    c->u.part.n = 3;
    c->u.part.blob = blob;
    c->u.part.last = sample_bool(s);
}

struct command sample_command(struct sample *s, uint8_t kind)
{
    struct command c = {.id = sample_wide(s), .kind = kind, .key = {sample_wide(s), sample_wide(s)}};
    switch (kind) {
    case COMMAND_SERVER_INFO:
    case COMMAND_SERVER_STOP:
        break;
    case COMMAND_SUBMIT:
        c.u.submit.job.n = sample_below(s, 3);
        c.u.submit.name = sample_name(s);
        c.u.submit.max_fails = sample_bool(s) ? UINT32_MAX : sample_below(s, 3);
        c.u.submit.spec = sample_spec(s, true);
        c.u.submit.more = sample_bool(s);
        c.u.submit.n_auto = ordinal(s);
        break;
    case COMMAND_SUBMIT_PART:
        fill_part(s, &c);
        break;
    case COMMAND_JOB_OPEN:
        c.u.job_open.name = sample_name(s);
        c.u.job_open.max_fails = sample_bool(s) ? UINT32_MAX : sample_below(s, 3);
        break;
    case COMMAND_JOB_LIST:
        c.u.job_list.states = sample_below(s, 128);
        c.u.job_list.all = sample_bool(s);
        c.u.job_list.from = ordinal(s);
        break;
    case COMMAND_TASK_PAGE:
        c.u.task_page.job.n = ordinal(s);
        c.u.task_page.cursor = sample_wide(s);
        c.u.task_page.states = sample_below(s, 128);
        c.u.task_page.limit = ordinal(s);
        c.u.task_page.ids = ids(s, sample_below(s, 4));
        break;
    case COMMAND_WORKER_LIST:
    case COMMAND_WORKER_STOP:
        c.u.workers.workers = selector(s);
        c.u.workers.offline_too = sample_bool(s);
        c.u.workers.details = sample_bool(s);
        c.u.workers.from = ordinal(s);
        break;
    case COMMAND_WORKER_WAIT:
        c.u.worker_wait.count = ordinal(s);
        break;
    case COMMAND_JOURNAL_FLUSH:
    case COMMAND_JOURNAL_PRUNE:
        break;
    case COMMAND_JOURNAL_READ:
        c.u.journal_read.at = (struct journal_place){(uint32_t)sample_wide(s), sample_wide(s)};
        c.u.journal_read.wait = sample_bool(s);
        break;
    case COMMAND_DEBUG_DUMP:
        c.u.path = sample_text(s, 40);
        break;
    default:
        c.u.jobs.jobs = selector(s);
        c.u.jobs.reason = sample_text(s, 40);
        c.u.jobs.states = sample_below(s, 128);
        c.u.jobs.without_close = sample_bool(s);
        c.u.jobs.brief = sample_bool(s);
        c.u.jobs.since = sample_wide(s);
    }
    return c;
}

/* ---- replies ---- */

static struct worker_name *names(struct sample *s, uint32_t n)
{
    struct worker_name *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = (struct worker_name){{1 + ordinal(s)}, sample_name(s)};
    return v;
}

static uint32_t *numbers(struct sample *s, uint32_t n)
{
    uint32_t *v = get(s, n, sizeof *v);
    for (uint32_t i = 0; i < n; i++)
        v[i] = ordinal(s);
    return v;
}

static struct job_info job_info(struct sample *s)
{
    struct job_info j = {.id = {1 + ordinal(s)},
                         .name = sample_name(s),
                         .cancel_reason = sample_text(s, 20),
                         .open = sample_bool(s),
                         .state = (uint8_t)sample_below(s, HQ_JOB_OPENED + 1),
                         .max_fails = sample_bool(s) ? UINT32_MAX : sample_below(s, 3),
                         .submitted_ms = sample_wide(s),
                         .ended_ms = sample_wide(s),
                         .change = sample_wide(s)};
    for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
        j.stats.total += j.stats.count[i] = sample_below(s, 1000);
    struct submit_info *submits = get(s, 2, sizeof *submits);
    for (j.n_submits = 0; j.n_submits < 2; j.n_submits++)
        submits[j.n_submits] = (struct submit_info){1 + ordinal(s), sample_spec(s, true), sample_wide(s)};
    struct failed_task *failed = get(s, 2, sizeof *failed);
    for (j.n_failed = 0; j.n_failed < 2; j.n_failed++)
        failed[j.n_failed] = (struct failed_task){
            ordinal(s), {ordinal(s)}, (uint16_t)sample_below(s, 516), sample_blob(s, 20), ordinal(s)};
    j.submits = submits;
    j.failed = failed;
    j.n_workers = sample_below(s, 3);
    j.workers = names(s, j.n_workers);
    return j;
}

static struct task_page page(struct sample *s)
{
    struct task_page p = {.n = sample_below(s, 9), .next = sample_wide(s), .n_workers = sample_below(s, 3)};
    bool fresh = sample_bool(s); /* nothing has started: most columns are left out */
    uint8_t *state = get(s, p.n, sizeof *state);
    uint16_t *code = get(s, p.n, sizeof *code);
    int64_t *start = get(s, p.n, sizeof *start), *duration = get(s, p.n, sizeof *duration);
    uint32_t *worker = get(s, p.n, sizeof *worker), *instance = get(s, p.n, sizeof *instance);
    for (uint32_t i = 0; i < p.n; i++) {
        state[i] = fresh ? 0 : (uint8_t)sample_below(s, HQ_TASK_STATES);
        code[i] = fresh ? 0 : (uint16_t)sample_below(s, HQ_CODE_CRASH_LIMIT + 1);
        start[i] = fresh || sample_bool(s) ? -1 : (int64_t)(sample_wide(s) / 2);
        duration[i] = fresh || sample_bool(s) ? -1 : (int64_t)(sample_wide(s) / 2);
        worker[i] = fresh ? 0 : ordinal(s);
        instance[i] = fresh ? 0 : ordinal(s);
    }
    p.ids = numbers(s, p.n);
    p.state = state;
    p.code = code;
    p.start_ms = start;
    p.duration_ms = duration;
    p.worker = worker;
    p.instance = instance;
    p.texts = end_texts(s, p.n, &p.n_texts);
    p.workers = names(s, p.n_workers);
    return p;
}

static void fill_outcomes(struct sample *s, struct reply *r)
{
    struct id_outcome *v = get(s, 3, sizeof *v);
    for (uint32_t i = 0; i < 3; i++)
        v[i] = (struct id_outcome){ordinal(s), (uint8_t)(1 + sample_below(s, 4)), sample_wide(s),
                                   sample_wide(s)};
    r->u.outcomes.ids = v;
    r->u.outcomes.n = 3;
    r->u.outcomes.forgotten = ordinal(s);
    r->u.outcomes.ignored = ordinal(s);
}

static void fill_jobs(struct sample *s, struct reply *r)
{
    struct job_info *v = get(s, 2, sizeof *v);
    for (uint32_t i = 0; i < 2; i++)
        v[i] = job_info(s);
    r->u.jobs.jobs = v;
    r->u.jobs.n = 2;
    r->u.jobs.next = ordinal(s);
    r->u.jobs.total = sample_wide(s);
    r->u.jobs.n_missing = sample_below(s, 3);
    r->u.jobs.missing = numbers(s, r->u.jobs.n_missing);
    r->u.jobs.change = sample_wide(s);
}

static void fill_workers(struct sample *s, struct reply *r)
{
    struct worker_info *v = get(s, 2, sizeof *v);
    for (uint32_t i = 0; i < 2; i++)
        v[i] = (struct worker_info){{1 + ordinal(s)}, (uint8_t)sample_below(s, 6),
                                    sample_config(s), sample_wide(s),
                                    sample_wide(s),   sample_wide(s),
                                    i == 0,           {{1 + ordinal(s)}, ordinal(s)},
                                    sample_wide(s),   ordinal(s),
                                    ordinal(s)};
    r->u.workers.workers = v;
    r->u.workers.n = 2;
    r->u.workers.next = ordinal(s);
    r->u.workers.n_missing = sample_below(s, 3);
    r->u.workers.missing = numbers(s, r->u.workers.n_missing);
}

struct reply sample_reply(struct sample *s, uint8_t kind)
{
    struct reply r = {.id = sample_wide(s), .kind = kind};
    switch (kind) {
    case COMMAND_SERVER_INFO:
        r.u.server = (struct server_info){sample_text(s, 6),      sample_text(s, 9), sample_text(s, 9),
                                          sample_text(s, 9),      sample_text(s, 9), sample_below(s, 65536),
                                          sample_below(s, 65536), ordinal(s),        sample_wide(s)};
        break;
    case COMMAND_SUBMIT:
    case COMMAND_SUBMIT_PART:
        r.more = sample_bool(s);
        if (r.more)
            r.u.part.credit = sample_wide(s);
        else
            r.u.job.job.n = 1 + ordinal(s);
        break;
    case COMMAND_JOB_OPEN:
        r.u.job.job.n = 1 + ordinal(s);
        break;
    case COMMAND_JOB_CLOSE:
    case COMMAND_JOB_CANCEL:
    case COMMAND_JOB_FORGET:
    case COMMAND_WORKER_STOP:
        fill_outcomes(s, &r);
        break;
    case COMMAND_JOB_LIST:
    case COMMAND_JOB_INFO:
    case COMMAND_JOB_WAIT:
    case COMMAND_JOB_PROGRESS:
        fill_jobs(s, &r);
        break;
    case COMMAND_TASK_PAGE:
        r.u.tasks = page(s);
        break;
    case COMMAND_WORKER_LIST:
    case COMMAND_WORKER_WAIT:
        fill_workers(s, &r);
        break;
    case COMMAND_JOURNAL_READ:
        r.u.journal.at = (struct journal_place){(uint32_t)sample_wide(s), sample_wide(s)};
        r.u.journal.data = sample_blob(s, 200);
        r.u.journal.position = sample_wide(s);
        r.u.journal.restated = sample_wide(s);
        break;
    default:
        r.code = HQ_ESTATE;
        r.text = "not now";
    }
    return r;
}
