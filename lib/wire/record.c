/* SPDX-License-Identifier: MIT */
/* record.c - facts as bytes.
 *
 * Promise: what was encoded decodes to equal facts, by this version and every later one of the same journal
 * version. A fact of a kind that this version does not know is never skipped: state would drift. */
#include "wire/record.h"

#include "wire/columns.h"
#include "wire/config.h"
#include "wire/groups.h"
#include "wire/load.h"
#include "wire/record.pb-c.h"
#include "wire/spec.h"

/* A record comes from a file that only this server writes, checksummed: its size is that of an honest submit. */
#define RECORD_BUDGET SIZE_MAX
#define MAX_FAILS_NONE UINT32_MAX

/* ---- encoding, one function for each shape ---- */

static void make_server_start(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->server_start = hqi_wire_pb_message(e, &hqcore__server_start_fact__descriptor);
    if (!m->server_start)
        return;
    m->server_start->epoch = f->u.server_start.epoch;
    m->server_start->uid = hqi_wire_pb_bytes(f->u.server_start.uid);
}

static void make_server_stop(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->server_stop = hqi_wire_pb_message(e, &hqcore__server_stop_fact__descriptor);
}

static void make_job_open(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    Hqcore__JobOpenFact *b = m->job_open = hqi_wire_pb_message(e, &hqcore__job_open_fact__descriptor);
    if (!b)
        return;
    b->job = f->u.job_open.job.n;
    b->name = hqi_wire_pb_string(e, f->u.job_open.name);
    b->max_fails = f->u.job_open.max_fails;
    if (b->max_fails != MAX_FAILS_NONE)
        b->limit_case = HQCORE__JOB_OPEN_FACT__LIMIT_MAX_FAILS;
    b->key_a = f->u.job_open.key.a;
    b->key_b = f->u.job_open.key.b;
}

static void make_submit(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    Hqcore__SubmitFact *b = m->submit = hqi_wire_pb_message(e, &hqcore__submit_fact__descriptor);
    if (!b)
        return;
    b->job = f->u.submit.job.n;
    b->new_job = f->u.submit.new_job;
    b->name = hqi_wire_pb_string(e, f->u.submit.name);
    b->max_fails = f->u.submit.max_fails;
    if (b->max_fails != MAX_FAILS_NONE)
        b->limit_case = HQCORE__SUBMIT_FACT__LIMIT_MAX_FAILS;
    b->submit = f->u.submit.submit;
    b->spec = hqi_wire_spec_make(e, f->u.submit.spec, true);
    b->key_a = f->u.submit.key.a;
    b->key_b = f->u.submit.key.b;
}

static void make_job(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->job_close = hqi_wire_pb_message(e, &hqcore__job_fact__descriptor); /* or job_forget: one union */
    if (!m->job_close)
        return;
    m->job_close->job = f->u.job_close.job.n;
    m->job_close->key_a = f->u.job_close.key.a;
    m->job_close->key_b = f->u.job_close.key.b;
}

static void make_job_stop(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    Hqcore__JobStopFact *b = m->job_cancel = hqi_wire_pb_message(e, &hqcore__job_stop_fact__descriptor);
    if (!b)
        return;
    b->job = f->u.job_cancel.job.n;
    b->reason = hqi_wire_pb_bytes(f->u.job_cancel.reason);
    b->key_a = f->u.job_cancel.key.a;
    b->key_b = f->u.job_cancel.key.b;
    b->n_active = f->u.job_cancel.n_active;
    b->active = hqi_wire_pb_list(e, &hqcore__worker_tasks__descriptor, b->n_active);
    for (size_t i = 0; i < b->n_active && !e->failed; i++) {
        const struct worker_tasks *w = &f->u.job_cancel.active[i];
        b->active[i]->worker = w->worker.n;
        b->active[i]->n_groups = w->n_groups;
        b->active[i]->groups = hqi_wire_groups_make_tasks(e, w->groups, w->n_groups);
    }
}

static void make_worker_join(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->worker_join = hqi_wire_pb_message(e, &hqcore__worker_join_fact__descriptor);
    if (!m->worker_join)
        return;
    m->worker_join->worker = f->u.worker_join.worker.n;
    m->worker_join->config = hqi_wire_config_make(e, f->u.worker_join.config);
    m->worker_join->uid = f->u.worker_join.uid;
    m->worker_join->token = hqi_wire_pb_bytes(f->u.worker_join.token);
}

static void make_worker_back(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->worker_back = hqi_wire_pb_message(e, &hqcore__worker_back_fact__descriptor);
    if (!m->worker_back)
        return;
    m->worker_back->worker = f->u.worker_back.worker.n;
    m->worker_back->n_submits = f->u.worker_back.n_submits;
    m->worker_back->submits = (uint32_t *)f->u.worker_back.submits;
}

static void make_worker_end(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->worker_stop = hqi_wire_pb_message(e, &hqcore__worker_end_fact__descriptor); /* or worker_lost */
    if (!m->worker_stop)
        return;
    m->worker_stop->worker = f->u.worker_stop.worker.n;
    m->worker_stop->reason = f->u.worker_stop.reason;
    m->worker_stop->blameless = f->u.worker_stop.blameless;
}

static void make_tasks(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    Hqcore__TasksFact *b = m->handout = hqi_wire_pb_message(e, &hqcore__tasks_fact__descriptor);
    if (!b)
        return;
    b->worker = f->u.tasks.worker.n;
    b->block = f->u.tasks.block;
    b->n_groups = f->u.tasks.n_groups;
    b->groups = hqi_wire_groups_make_tasks(e, f->u.tasks.groups, f->u.tasks.n_groups);
}

static void make_started(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->started = hqi_wire_pb_message(e, &hqcore__started_fact__descriptor);
    if (!m->started)
        return;
    m->started->worker = f->u.started.worker.n;
    m->started->n_groups = f->u.started.n_groups;
    m->started->groups = hqi_wire_groups_make_starts(e, f->u.started.groups, f->u.started.n_groups);
}

static void make_ended(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->ended = hqi_wire_pb_message(e, &hqcore__ended_fact__descriptor);
    if (!m->ended)
        return;
    m->ended->worker = f->u.ended.worker.n;
    m->ended->n_groups = f->u.ended.n_groups;
    m->ended->groups = hqi_wire_groups_make_ends(e, f->u.ended.groups, f->u.ended.n_groups);
}

static void make_overview(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->overview = hqi_wire_pb_message(e, &hqcore__overview_fact__descriptor);
    if (!m->overview)
        return;
    m->overview->worker = f->u.overview.worker.n;
    m->overview->load = hqi_wire_load_make(e, f->u.overview.load);
}

static void make_class(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    m->request_class = hqi_wire_pb_message(e, &hqcore__class_fact__descriptor);
    if (m->request_class)
        m->request_class->request = hqi_wire_spec_make_request(e, f->u.class.request);
}

static void fill_trace(struct encode *e, Hqcore__WorkerTrace *m, const struct worker_trace *t)
{
    uint32_t n = t->n_classes;
    uint32_t *classes = hqi_wire_pb_array(e, n, sizeof *classes), *rates = hqi_wire_pb_array(e, n, sizeof *rates);
    uint32_t *blocked = hqi_wire_pb_array(e, n, sizeof *blocked);
    uint64_t *times = hqi_wire_pb_array(e, n, sizeof *times);
    m->worker = t->worker.n;
    m->has_last = t->has_last;
    m->last_job = t->last_task.job.n;
    m->last_task = t->last_task.index;
    m->last_ms = t->last_ms;
    m->idle_since_ms = t->idle_since_ms;
    for (uint32_t i = 0; i < n && !e->failed; i++) {
        classes[i] = t->classes[i].class;
        blocked[i] = t->classes[i].blocked;
        rates[i] = t->classes[i].rate_x16;
        times[i] = t->classes[i].rate_ms;
    }
    if (n == 0 || e->failed)
        return;
    m->n_classes = m->n_rates_ms = n;
    m->classes = classes;
    m->rates_ms = times;
    m->blocked = hqi_wire_columns_kept32(blocked, n);
    m->n_blocked = m->blocked ? n : 0;
    m->rates_x16 = hqi_wire_columns_kept32(rates, n);
    m->n_rates_x16 = m->rates_x16 ? n : 0;
}

static void make_remains(struct encode *e, Hqcore__Fact *m, const struct fact *f)
{
    Hqcore__RemainsFact *b = m->remains = hqi_wire_pb_message(e, &hqcore__remains_fact__descriptor);
    if (!b)
        return;
    b->jobs = f->u.remains.jobs;
    b->submits = f->u.remains.submits;
    b->workers = f->u.remains.workers;
    b->n_traces = f->u.remains.n_traces;
    b->traces = hqi_wire_pb_list(e, &hqcore__worker_trace__descriptor, b->n_traces);
    for (size_t i = 0; i < b->n_traces && !e->failed; i++)
        fill_trace(e, b->traces[i], &f->u.remains.traces[i]);
}

/* ---- decoding ---- */

static bool read_job_id(struct decode *d, uint32_t job, hq_job_id *ret)
{
    ret->n = job;
    return hqi_wire_pb_within(d, "job", job, 1, UINT32_MAX);
}

static bool read_worker_id(struct decode *d, uint32_t worker, hq_worker_id *ret)
{
    ret->n = worker;
    return hqi_wire_pb_within(d, "worker", worker, 1, UINT32_MAX);
}

static bool read_server_start(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    f->u.server_start.epoch = m->server_start->epoch;
    return hqi_wire_pb_text(d, "ServerStartFact.uid", m->server_start->uid, PB_SHORT, &f->u.server_start.uid);
}

static bool read_server_stop(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    return true;
}

static bool read_job_open(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__JobOpenFact *b = m->job_open;
    f->u.job_open.max_fails = b->limit_case ? b->max_fails : MAX_FAILS_NONE;
    f->u.job_open.key = (struct key){b->key_a, b->key_b};
    return read_job_id(d, b->job, &f->u.job_open.job) &&
           hqi_wire_pb_name(d, "JobOpenFact.name", b->name, HQI_MAX_NAME, &f->u.job_open.name);
}

static bool read_submit(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__SubmitFact *b = m->submit;
    f->u.submit.new_job = b->new_job;
    f->u.submit.max_fails = b->limit_case ? b->max_fails : MAX_FAILS_NONE;
    f->u.submit.submit = b->submit;
    f->u.submit.key = (struct key){b->key_a, b->key_b};
    if (!read_job_id(d, b->job, &f->u.submit.job) ||
        !hqi_wire_pb_within(d, "SubmitFact.submit", b->submit, 1, UINT32_MAX) ||
        !hqi_wire_pb_name(d, "SubmitFact.name", b->name, HQI_MAX_NAME, &f->u.submit.name))
        return false;
    f->u.submit.spec = hqi_wire_spec_read(d, b->spec, true);
    return f->u.submit.spec;
}

static bool read_job(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    f->u.job_close.key = (struct key){m->job_close->key_a, m->job_close->key_b};
    return read_job_id(d, m->job_close->job, &f->u.job_close.job);
}

static bool read_job_stop(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__JobStopFact *b = m->job_cancel;
    f->u.job_cancel.key = (struct key){b->key_a, b->key_b};
    if (!read_job_id(d, b->job, &f->u.job_cancel.job) ||
        !hqi_wire_pb_blob(d, "JobStopFact.reason", b->reason, HQI_MAX_STRING, &f->u.job_cancel.reason))
        return false;
    struct worker_tasks *v = hqi_wire_pb_get(d, b->n_active, sizeof *v);
    for (size_t i = 0; v && i < b->n_active; i++)
        if (!read_worker_id(d, b->active[i]->worker, &v[i].worker) ||
            !hqi_wire_groups_read_tasks(d, b->active[i]->groups, b->active[i]->n_groups, &v[i].groups,
                                        &v[i].n_groups))
            return false;
    f->u.job_cancel.active = v;
    f->u.job_cancel.n_active = (uint32_t)b->n_active;
    return v;
}

static bool read_worker_join(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    f->u.worker_join.uid = m->worker_join->uid;
    if (!read_worker_id(d, m->worker_join->worker, &f->u.worker_join.worker) ||
        !hqi_wire_pb_blob(d, "WorkerJoinFact.token", m->worker_join->token, HQI_TOKEN_BYTES, &f->u.worker_join.token))
        return false;
    f->u.worker_join.config = hqi_wire_config_read(d, m->worker_join->config);
    return f->u.worker_join.config;
}

static bool read_worker_back(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__WorkerBackFact *b = m->worker_back;
    f->u.worker_back.submits = b->submits; /* lives as long as the message: in the arena */
    f->u.worker_back.n_submits = (uint32_t)b->n_submits;
    return read_worker_id(d, b->worker, &f->u.worker_back.worker);
}

static bool read_worker_end(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    f->u.worker_stop.reason = (uint8_t)m->worker_stop->reason;
    f->u.worker_stop.blameless = m->worker_stop->blameless;
    return read_worker_id(d, m->worker_stop->worker, &f->u.worker_stop.worker) &&
           hqi_wire_pb_within(d, "WorkerEndFact.reason", m->worker_stop->reason, HQ_WORKER_STOPPED,
                              HQ_WORKER_TIME_LIMIT);
}

static bool read_tasks(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__TasksFact *b = m->handout;
    f->u.tasks.block = b->block;
    return read_worker_id(d, b->worker, &f->u.tasks.worker) &&
           hqi_wire_groups_read_tasks(d, b->groups, b->n_groups, &f->u.tasks.groups, &f->u.tasks.n_groups);
}

static bool read_started(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__StartedFact *b = m->started;
    return read_worker_id(d, b->worker, &f->u.started.worker) &&
           hqi_wire_groups_read_starts(d, b->groups, b->n_groups, &f->u.started.groups,
                                       &f->u.started.n_groups);
}

static bool read_ended(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__EndedFact *b = m->ended;
    return read_worker_id(d, b->worker, &f->u.ended.worker) &&
           hqi_wire_groups_read_ends(d, b->groups, b->n_groups, &f->u.ended.groups, &f->u.ended.n_groups);
}

static bool read_overview(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    f->u.overview.load = hqi_wire_load_read(d, m->overview->load);
    return f->u.overview.load && read_worker_id(d, m->overview->worker, &f->u.overview.worker);
}

static bool read_class(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    struct resource_request *r = hqi_wire_pb_get(d, 1, sizeof *r);
    f->u.class.request = r;
    return r && hqi_wire_spec_read_request(d, m->request_class->request, r);
}

static bool read_trace(struct decode *d, const Hqcore__WorkerTrace *m, struct worker_trace *ret)
{
    size_t n = m->n_classes;
    const uint32_t *rates;
    const uint8_t *blocked;
    struct class_trace *v = hqi_wire_pb_get(d, n, sizeof *v);
    if (!v || !read_worker_id(d, m->worker, &ret->worker) ||
        !hqi_wire_columns_length(d, "WorkerTrace.rates_ms", m->n_rates_ms, n) ||
        !hqi_wire_columns_narrow8(d, "WorkerTrace.blocked", m->blocked, m->n_blocked, n, 1, &blocked) ||
        !hqi_wire_columns_filled32(d, "WorkerTrace.rates_x16", m->rates_x16, m->n_rates_x16, n, &rates))
        return false;
    for (size_t i = 0; i < n; i++)
        v[i] = (struct class_trace){m->classes[i], blocked[i], rates[i], m->rates_ms[i]};
    ret->has_last = m->has_last;
    ret->last_task = (hq_task_id){{m->last_job}, m->last_task};
    ret->last_ms = m->last_ms;
    ret->idle_since_ms = m->idle_since_ms;
    ret->classes = v;
    ret->n_classes = (uint32_t)n;
    return true;
}

static bool read_remains(struct decode *d, const Hqcore__Fact *m, struct fact *f)
{
    const Hqcore__RemainsFact *b = m->remains;
    struct worker_trace *v = hqi_wire_pb_get(d, b->n_traces, sizeof *v);
    for (size_t i = 0; v && i < b->n_traces; i++)
        if (!read_trace(d, b->traces[i], &v[i]))
            return false;
    f->u.remains.jobs = b->jobs;
    f->u.remains.submits = b->submits;
    f->u.remains.workers = b->workers;
    f->u.remains.traces = v;
    f->u.remains.n_traces = (uint32_t)b->n_traces;
    return v;
}

static const struct {
    void (*make)(struct encode *e, Hqcore__Fact *m, const struct fact *f);
    bool (*read)(struct decode *d, const Hqcore__Fact *m, struct fact *f);
} shapes[] = {
    [FACT_SERVER_START] = {make_server_start, read_server_start},
    [FACT_JOB_OPEN] = {make_job_open, read_job_open},
    [FACT_SUBMIT] = {make_submit, read_submit},
    [FACT_JOB_CLOSE] = {make_job, read_job},
    [FACT_JOB_CANCEL] = {make_job_stop, read_job_stop},
    [FACT_JOB_ABORT] = {make_job_stop, read_job_stop},
    [FACT_JOB_FORGET] = {make_job, read_job},
    [FACT_WORKER_JOIN] = {make_worker_join, read_worker_join},
    [FACT_WORKER_STOP] = {make_worker_end, read_worker_end},
    [FACT_WORKER_LOST] = {make_worker_end, read_worker_end},
    [FACT_HANDOUT] = {make_tasks, read_tasks},
    [FACT_RETRACT] = {make_tasks, read_tasks},
    [FACT_RETURN] = {make_tasks, read_tasks},
    [FACT_STARTED] = {make_started, read_started},
    [FACT_ENDED] = {make_ended, read_ended},
    [FACT_CRASHED] = {make_tasks, read_tasks},
    [FACT_CLASS] = {make_class, read_class},
    [FACT_REMAINS] = {make_remains, read_remains},
    [FACT_WORKER_BACK] = {make_worker_back, read_worker_back},
    [FACT_ADOPT] = {make_tasks, read_tasks},
    [FACT_OVERVIEW] = {make_overview, read_overview},
    [FACT_SERVER_STOP] = {make_server_stop, read_server_stop},
    [FACT_REFUSED] = {make_tasks, read_tasks},
};
#define KNOWN_KINDS (sizeof shapes / sizeof *shapes)

/* ---- records ---- */

void hqi_wire_record_encode_in(struct arena *mem, const struct fact *facts, uint32_t n, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init_kept(&e, mem);
    Hqcore__Record pb = HQCORE__RECORD__INIT;
    pb.n_facts = n;
    pb.facts = hqi_wire_pb_list(&e, &hqcore__fact__descriptor, n);
    for (uint32_t i = 0; i < n && !e.failed; i++) {
        pb.facts[i]->utc_ms = facts[i].utc_ms;
        pb.facts[i]->kind = facts[i].kind;
        pb.facts[i]->body_case = (Hqcore__Fact__BodyCase)facts[i].kind;
        shapes[facts[i].kind].make(&e, pb.facts[i], &facts[i]);
    }
    hqi_wire_pb_encode_finish_kept(&e, &pb, mem, out);
}

void hqi_wire_record_encode(const struct fact *facts, uint32_t n, struct buf *out)
{
    struct arena mem;
    hqi_base_arena_init(&mem, out->alloc);
    hqi_wire_record_encode_in(&mem, facts, n, out);
    hqi_base_arena_fini(&mem);
}

static bool read_fact(struct decode *d, const Hqcore__Fact *in, struct fact *f)
{
    if (in->kind >= KNOWN_KINDS)
        return hqi_wire_pb_fail(d, HQ_EVERSION,
                                "a fact of kind %u, this version knows 1 to %zu: use a newer one", in->kind,
                                KNOWN_KINDS - 1);
    if (in->kind == 0 || in->kind != (uint32_t)in->body_case)
        return hqi_wire_pb_fail(d, HQ_EPROTO, "Fact.kind is %u, Fact.body %u", in->kind,
                                (unsigned)in->body_case);
    f->kind = (uint8_t)in->kind;
    f->utc_ms = in->utc_ms;
    return shapes[f->kind].read(d, in, f);
}

int hqi_wire_record_decode(struct fact **facts, uint32_t *n, struct bytes in, const struct alloc *a,
                           struct arena *mem, hq_error *err)
{
    struct decode d = {.alloc = a, .mem = mem, .err = err};
    *facts = NULL;
    *n = 0;
    const Hqcore__Record *m = hqi_wire_pb_unpack(&d, &hqcore__record__descriptor, in, RECORD_BUDGET);
    if (!m)
        return d.code;
    struct fact *v = hqi_wire_pb_get(&d, m->n_facts, sizeof *v);
    for (size_t i = 0; v && i < m->n_facts; i++)
        if (!read_fact(&d, m->facts[i], &v[i])) {
            hqi_wire_record_drop(v, (uint32_t)i);
            return d.code;
        }
    *facts = v;
    *n = v ? (uint32_t)m->n_facts : 0;
    return d.code;
}

void hqi_wire_record_drop(struct fact *facts, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (facts[i].kind == FACT_SUBMIT) {
            hqi_model_spec_free(facts[i].u.submit.spec);
            facts[i].u.submit.spec = NULL;
        } else if (facts[i].kind == FACT_WORKER_JOIN) {
            hqi_model_config_free(facts[i].u.worker_join.config);
            facts[i].u.worker_join.config = NULL;
        }
}
