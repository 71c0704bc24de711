/* SPDX-License-Identifier: MIT */
/* reply.c - what a server answers: encoded from plain values, read back as columns (tasks) or as a tree (the rest).
 *
 * Promise to users: what a submit shows is bounded however large its command line is. */
#include "wire/reply.h"

#include <stdio.h>

#include "wire/client.pb-c.h"
#include "wire/columns.h"
#include "wire/config.h"
#include "wire/doc.h"
#include "wire/groups.h"
#include "wire/spec.h"

#define SHOWN_ARG_BYTES 256u /* longer arguments are shown by their length */
#define SHOWN_ARGS 128u
#define MAX_KIND COMMAND_LAST

/* ---- encoding: info ---- */

static Hqcore__ServerInfo *make_server(struct encode *e, const struct server_info *s)
{
    Hqcore__ServerInfo *m = hqi_wire_pb_message(e, &hqcore__server_info__descriptor);
    if (!m)
        return NULL;
    m->uid = hqi_wire_pb_bytes(s->uid);
    m->version = hqi_wire_pb_bytes(s->version);
    m->client_host = hqi_wire_pb_bytes(s->client_host);
    m->client_port = s->client_port;
    m->worker_host = hqi_wire_pb_bytes(s->worker_host);
    m->worker_port = s->worker_port;
    m->journal_path = hqi_wire_pb_bytes(s->journal_path);
    m->pid = s->pid;
    m->start_ms = s->start_ms;
    return m;
}

static Hqcore__Outcomes *make_outcomes(struct encode *e, const struct reply *r)
{
    Hqcore__Outcomes *m = hqi_wire_pb_message(e, &hqcore__outcomes__descriptor);
    if (!m)
        return NULL;
    m->forgotten = r->u.outcomes.forgotten;
    m->ignored = r->u.outcomes.ignored;
    m->n_ids = r->u.outcomes.n;
    m->ids = hqi_wire_pb_list(e, &hqcore__outcome__descriptor, m->n_ids);
    for (size_t i = 0; i < m->n_ids && !e->failed; i++) {
        const struct id_outcome *o = &r->u.outcomes.ids[i];
        m->ids[i]->id = o->id;
        m->ids[i]->outcome = (Hqcore__OutcomeKind)o->outcome;
        m->ids[i]->done = o->done;
        m->ids[i]->already = o->already;
    }
    return m;
}

static Hqcore__WorkerName **make_names(struct encode *e, const struct worker_name *v, uint32_t n)
{
    Hqcore__WorkerName **list = hqi_wire_pb_list(e, &hqcore__worker_name__descriptor, n);
    for (uint32_t i = 0; i < n && !e->failed; i++) {
        list[i]->id = v[i].id.n;
        list[i]->hostname = hqi_wire_pb_string(e, v[i].hostname);
    }
    return list;
}

/* ---- encoding: jobs ---- */

static Hqcore__IdList *make_ids(struct encode *e, const struct intset *s)
{
    Hqcore__IdList *m = hqi_wire_pb_message(e, &hqcore__id_list__descriptor);
    uint32_t n = s->n_ranges;
    uint32_t *first = hqi_wire_pb_array(e, n, sizeof *first), *count = hqi_wire_pb_array(e, n, sizeof *count);
    uint32_t *step = hqi_wire_pb_array(e, n, sizeof *step);
    if (e->failed)
        return NULL;
    for (uint32_t i = 0; i < n; i++) {
        first[i] = s->ranges[i].first;
        count[i] = s->ranges[i].count;
        step[i] = s->ranges[i].step;
    }
    m->first = first;
    m->count = count;
    m->step = step;
    m->n_first = m->n_count = m->n_step = n;
    return m;
}

static struct bytes shown_arg(struct encode *e, struct bytes arg)
{
    if (arg.n <= SHOWN_ARG_BYTES)
        return arg;
    char *text = hqi_base_arena_printf(&e->mem, "<%zu bytes>", arg.n);
    e->failed |= !text;
    return bytes_of(text);
}

static void fill_submit(struct encode *e, Hqcore__SubmitInfo *m, const struct submit_info *info)
{
    const struct spec *s = info->spec;
    m->submit = info->submit;
    m->at_ms = info->at_ms;
    m->ids = make_ids(e, &s->ids);
    m->n_args = s->n_argv;
    m->n_argv = s->n_argv < SHOWN_ARGS ? s->n_argv : SHOWN_ARGS;
    m->argv = hqi_wire_pb_array(e, m->n_argv, sizeof *m->argv);
    for (size_t i = 0; i < m->n_argv && !e->failed; i++)
        m->argv[i] = hqi_wire_pb_bytes(shown_arg(e, s->argv[i]));
    m->n_env = s->n_env;
    m->env = hqi_wire_spec_make_env(e, s->env, s->n_env);
    m->submit_dir = hqi_wire_pb_bytes(s->submit_dir);
    m->cwd = hqi_wire_pb_bytes(s->cwd);
    m->stdout = hqi_wire_spec_make_stdio(e, &s->out);
    m->stderr = hqi_wire_spec_make_stdio(e, &s->err);
    m->request = hqi_wire_spec_make_request(e, &s->request);
    m->priority = s->priority;
    m->crash_limit = s->crash_limit;
    m->time_limit_ms = s->time_limit_ms;
    m->pin = (Hqcore__Pin)s->pin;
    m->task_dir = s->task_dir;
    m->n_entries = s->entries.n;
    m->stdin_bytes = (uint32_t)s->stdin_data.n;
}

static Hqcore__JobStats *make_stats(struct encode *e, const struct job_stats *s)
{
    Hqcore__JobStats *m = hqi_wire_pb_message(e, &hqcore__job_stats__descriptor);
    if (!m)
        return NULL;
    m->total = s->total;
    m->waiting = s->count[HQ_TASK_WAITING];
    m->running = s->count[HQ_TASK_RUNNING];
    m->finished = s->count[HQ_TASK_FINISHED];
    m->failed = s->count[HQ_TASK_FAILED];
    m->canceled = s->count[HQ_TASK_CANCELED];
    m->aborted = s->count[HQ_TASK_ABORTED];
    return m;
}

static void fill_details(struct encode *e, Hqcore__JobInfo *m, const struct job_info *j)
{
    m->n_submits = j->n_submits;
    m->submits = hqi_wire_pb_list(e, &hqcore__submit_info__descriptor, j->n_submits);
    for (uint32_t i = 0; i < j->n_submits && !e->failed; i++)
        fill_submit(e, m->submits[i], &j->submits[i]);
    m->n_workers = j->n_workers;
    m->workers = make_names(e, j->workers, j->n_workers);
    m->n_failed = j->n_failed;
    m->failed = hqi_wire_pb_list(e, &hqcore__failed_task__descriptor, j->n_failed);
    for (uint32_t i = 0; i < j->n_failed && !e->failed; i++) {
        const struct failed_task *t = &j->failed[i];
        m->failed[i]->id = t->id;
        m->failed[i]->worker = t->worker.n;
        m->failed[i]->code = t->code;
        m->failed[i]->text = hqi_wire_pb_bytes(t->text);
        m->failed[i]->crash_limit = t->crash_limit;
    }
}

static void fill_job(struct encode *e, Hqcore__JobInfo *m, const struct job_info *j)
{
    m->id = j->id.n;
    m->name = hqi_wire_pb_string(e, j->name);
    m->state = j->state;
    m->open = j->open;
    m->max_fails = j->max_fails;
    if (j->max_fails != UINT32_MAX)
        m->limit_case = HQCORE__JOB_INFO__LIMIT_MAX_FAILS;
    m->cancel_reason = hqi_wire_pb_bytes(j->cancel_reason);
    m->stats = make_stats(e, &j->stats);
    m->submitted_ms = j->submitted_ms;
    m->ended_ms = j->ended_ms;
    m->change = j->change;
    fill_details(e, m, j);
}

static Hqcore__Jobs *make_jobs(struct encode *e, const struct reply *r)
{
    Hqcore__Jobs *m = hqi_wire_pb_message(e, &hqcore__jobs__descriptor);
    if (!m)
        return NULL;
    m->next = r->u.jobs.next;
    m->total = r->u.jobs.total;
    m->change = r->u.jobs.change;
    m->n_missing = r->u.jobs.n_missing;
    m->missing = (uint32_t *)r->u.jobs.missing; /* protobuf-c only reads it */
    m->n_jobs = r->u.jobs.n;
    m->jobs = hqi_wire_pb_list(e, &hqcore__job_info__descriptor, m->n_jobs);
    for (size_t i = 0; i < m->n_jobs && !e->failed; i++)
        fill_job(e, m->jobs[i], &r->u.jobs.jobs[i]);
    return m;
}

/* ---- encoding: workers ---- */

static void fill_worker(struct encode *e, Hqcore__WorkerInfo *m, const struct worker_info *w)
{
    m->id = w->id.n;
    m->end = (Hqcore__WorkerEnd)w->end;
    m->config = hqi_wire_config_make(e, w->config);
    m->idle_timeout_ms = w->idle_timeout_ms;
    m->joined_ms = w->joined_ms;
    m->ended_ms = w->ended_ms;
    m->assigned = w->assigned;
    m->running = w->running;
    if (!w->has_last)
        return;
    m->last = hqi_wire_pb_message(e, &hqcore__last_task__descriptor);
    if (m->last) {
        m->last->job = w->last_task.job.n;
        m->last->task = w->last_task.index;
        m->last->at_ms = w->last_ms;
    }
}

static Hqcore__Workers *make_workers(struct encode *e, const struct reply *r)
{
    Hqcore__Workers *m = hqi_wire_pb_message(e, &hqcore__workers__descriptor);
    if (!m)
        return NULL;
    m->next = r->u.workers.next;
    m->n_missing = r->u.workers.n_missing;
    m->missing = (uint32_t *)r->u.workers.missing;
    m->n_workers = r->u.workers.n;
    m->workers = hqi_wire_pb_list(e, &hqcore__worker_info__descriptor, m->n_workers);
    for (size_t i = 0; i < m->n_workers && !e->failed; i++)
        fill_worker(e, m->workers[i], &r->u.workers.workers[i]);
    return m;
}

/* ---- encoding: tasks ---- */

static uint64_t *plus_one(struct encode *e, const int64_t *v, uint32_t n)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < n; i++)
        any |= (uint64_t)v[i] + 1;
    uint64_t *out = any ? hqi_wire_pb_array(e, n, sizeof *out) : NULL;
    for (uint32_t i = 0; out && i < n; i++)
        out[i] = (uint64_t)v[i] + 1;
    return out;
}

static Hqcore__TaskPage *make_page(struct encode *e, const struct task_page *p)
{
    Hqcore__TaskPage *m = hqi_wire_pb_message(e, &hqcore__task_page__descriptor);
    if (!m)
        return NULL;
    m->n_ids = m->n_starts_ms = p->n;
    m->ids = hqi_wire_columns_differ32(e, p->ids, p->n);
    m->starts_ms = hqi_wire_columns_differ64(e, (const uint64_t *)p->start_ms, p->n);
    m->states = hqi_wire_columns_wide8(e, p->state, p->n);
    m->n_states = m->states ? p->n : 0;
    m->codes = hqi_wire_columns_wide16(e, p->code, p->n);
    m->n_codes = m->codes ? p->n : 0;
    m->durations_ms = plus_one(e, p->duration_ms, p->n);
    m->n_durations_ms = m->durations_ms ? p->n : 0;
    m->workers = hqi_wire_columns_kept32(p->worker, p->n);
    m->n_workers = m->workers ? p->n : 0;
    m->instances = hqi_wire_columns_kept32(p->instance, p->n);
    m->n_instances = m->instances ? p->n : 0;
    m->n_text_rows = m->n_texts = p->n_texts;
    hqi_wire_groups_make_texts(e, p->texts, p->n_texts, &m->text_rows, &m->texts);
    m->next = p->next;
    m->n_names = p->n_workers;
    m->names = make_names(e, p->workers, p->n_workers);
    return m;
}

/* ---- encoding: the reply ---- */

static Hqcore__JournalPage *make_journal(struct encode *e, const struct reply *r)
{
    Hqcore__JournalPage *m = hqi_wire_pb_message(e, &hqcore__journal_page__descriptor);
    if (!m)
        return NULL;
    m->file = r->u.journal.at.file;
    m->offset = r->u.journal.at.offset;
    m->position = r->u.journal.position;
    m->data = hqi_wire_pb_bytes(r->u.journal.data);
    m->restated = r->u.journal.restated;
    return m;
}

/* What answers which command; NOT_SET: nothing beside the code. */
static const uint8_t bodies[MAX_KIND + 1] = {
    [COMMAND_SERVER_INFO] = HQCORE__REPLY__BODY_SERVER_INFO,
    [COMMAND_SERVER_STOP] = HQCORE__REPLY__BODY__NOT_SET,
    [COMMAND_SUBMIT] = HQCORE__REPLY__BODY_JOB,
    [COMMAND_SUBMIT_PART] = HQCORE__REPLY__BODY_JOB,
    [COMMAND_JOB_OPEN] = HQCORE__REPLY__BODY_JOB,
    [COMMAND_JOB_CLOSE] = HQCORE__REPLY__BODY_OUTCOMES,
    [COMMAND_JOB_CANCEL] = HQCORE__REPLY__BODY_OUTCOMES,
    [COMMAND_JOB_FORGET] = HQCORE__REPLY__BODY_OUTCOMES,
    [COMMAND_JOB_LIST] = HQCORE__REPLY__BODY_JOBS,
    [COMMAND_JOB_INFO] = HQCORE__REPLY__BODY_JOBS,
    [COMMAND_JOB_WAIT] = HQCORE__REPLY__BODY_JOBS,
    [COMMAND_JOB_PROGRESS] = HQCORE__REPLY__BODY_JOBS,
    [COMMAND_TASK_PAGE] = HQCORE__REPLY__BODY_TASKS,
    [COMMAND_WORKER_LIST] = HQCORE__REPLY__BODY_WORKERS,
    [COMMAND_WORKER_STOP] = HQCORE__REPLY__BODY_OUTCOMES,
    [COMMAND_WORKER_WAIT] = HQCORE__REPLY__BODY_WORKERS,
    [COMMAND_DEBUG_DUMP] = HQCORE__REPLY__BODY__NOT_SET,
    [COMMAND_JOURNAL_FLUSH] = HQCORE__REPLY__BODY__NOT_SET,
    [COMMAND_JOURNAL_PRUNE] = HQCORE__REPLY__BODY__NOT_SET,
    [COMMAND_JOURNAL_READ] = HQCORE__REPLY__BODY_JOURNAL,
};

static bool may_be_credit(uint8_t kind)
{
    return kind == COMMAND_SUBMIT || kind == COMMAND_SUBMIT_PART;
}

static void fill_body(struct encode *e, Hqcore__Reply *m, const struct reply *r)
{
    m->body_case = (Hqcore__Reply__BodyCase)bodies[r->kind];
    if (may_be_credit(r->kind) && r->more)
        m->body_case = HQCORE__REPLY__BODY_CREDIT;
    switch (m->body_case) {
    case HQCORE__REPLY__BODY_SERVER_INFO:
        m->server_info = make_server(e, &r->u.server);
        break;
    case HQCORE__REPLY__BODY_JOB:
        m->job = hqi_wire_pb_message(e, &hqcore__job_made__descriptor);
        if (m->job)
            m->job->job = r->u.job.job.n;
        break;
    case HQCORE__REPLY__BODY_CREDIT:
        m->credit = hqi_wire_pb_message(e, &hqcore__credit__descriptor);
        if (m->credit)
            m->credit->bytes = r->u.part.credit;
        break;
    case HQCORE__REPLY__BODY_OUTCOMES:
        m->outcomes = make_outcomes(e, r);
        break;
    case HQCORE__REPLY__BODY_JOBS:
        m->jobs = make_jobs(e, r);
        break;
    case HQCORE__REPLY__BODY_TASKS:
        m->tasks = make_page(e, &r->u.tasks);
        break;
    case HQCORE__REPLY__BODY_WORKERS:
        m->workers = make_workers(e, r);
        break;
    case HQCORE__REPLY__BODY_JOURNAL:
        m->journal = make_journal(e, r);
        break;
    default:
        break;
    }
}

void hqi_wire_reply_encode(const struct reply *r, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__Reply m = HQCORE__REPLY__INIT;
    m.id = r->id;
    m.code = r->code;
    m.text = hqi_wire_pb_bytes(bytes_of(r->text));
    m.kind = r->kind;
    if (r->code == HQ_OK)
        fill_body(&e, &m, r);
    hqi_wire_pb_encode_finish(&e, &m, out);
}

/* ---- decoding ---- */

static bool read_names(struct decode *d, Hqcore__WorkerName **in, size_t n, struct task_page *ret)
{
    struct worker_name *v = hqi_wire_pb_get(d, n, sizeof *v);
    for (size_t i = 0; v && i < n; i++) {
        v[i].id.n = in[i]->id;
        if (!hqi_wire_pb_name(d, "WorkerName.hostname", in[i]->hostname, HQI_MAX_NAME, &v[i].hostname))
            return false;
    }
    ret->workers = v;
    ret->n_workers = (uint32_t)n;
    return v;
}

static bool read_durations(struct decode *d, const Hqcore__TaskPage *in, size_t n, const int64_t **ret)
{
    int64_t *v = hqi_wire_pb_get(d, n, sizeof *v);
    if (!v ||
        (in->n_durations_ms && !hqi_wire_columns_length(d, "TaskPage.durations_ms", in->n_durations_ms, n)))
        return false;
    for (size_t i = 0; i < n; i++)
        v[i] = in->n_durations_ms ? (int64_t)(in->durations_ms[i] - 1) : -1;
    *ret = v;
    return true;
}

static bool read_page(struct decode *d, const Hqcore__TaskPage *in, struct task_page *ret)
{
    size_t n = in->n_ids;
    if (!hqi_wire_pb_count(d, "TaskPage.ids", n, HQI_MAX_PAGE) ||
        !hqi_wire_columns_length(d, "TaskPage.starts_ms", in->n_starts_ms, n) ||
        !hqi_wire_columns_narrow8(d, "TaskPage.states", in->states, in->n_states, n, HQ_TASK_STATES - 1,
                                  &ret->state) ||
        !hqi_wire_columns_narrow16(d, "TaskPage.codes", in->codes, in->n_codes, n, HQ_CODE_CRASH_LIMIT,
                                   &ret->code) ||
        !read_durations(d, in, n, &ret->duration_ms) ||
        !hqi_wire_columns_filled32(d, "TaskPage.workers", in->workers, in->n_workers, n, &ret->worker) ||
        !hqi_wire_columns_filled32(d, "TaskPage.instances", in->instances, in->n_instances, n,
                                   &ret->instance) ||
        !hqi_wire_groups_read_texts(d, in->text_rows, in->n_text_rows, in->texts, in->n_texts, (uint32_t)n,
                                    &ret->texts, &ret->n_texts))
        return false;
    ret->n = (uint32_t)n;
    ret->ids = hqi_wire_columns_sum32(in->ids, n);
    ret->start_ms = (const int64_t *)hqi_wire_columns_sum64(in->starts_ms, n);
    ret->next = in->next;
    return read_names(d, in->names, in->n_names, ret);
}

static bool make_doc(struct decode *d, const ProtobufCMessage *m, struct reply_view *ret)
{
    ret->doc = hqi_wire_doc_make(d, m, PB_BUDGET);
    return ret->doc;
}

static bool read_body(struct decode *d, const Hqcore__Reply *m, struct reply_view *ret)
{
    switch (m->body_case) {
    case HQCORE__REPLY__BODY_SERVER_INFO:
        return make_doc(d, &m->server_info->base, ret);
    case HQCORE__REPLY__BODY_JOB:
        ret->job.n = m->job->job;
        return hqi_wire_pb_within(d, "JobMade.job", m->job->job, 1, UINT32_MAX);
    case HQCORE__REPLY__BODY_CREDIT:
        ret->credit = m->credit->bytes;
        return true;
    case HQCORE__REPLY__BODY_OUTCOMES:
        return make_doc(d, &m->outcomes->base, ret);
    case HQCORE__REPLY__BODY_JOBS:
        ret->change = m->jobs->change;
        ret->next = m->jobs->next;
        return make_doc(d, &m->jobs->base, ret);
    case HQCORE__REPLY__BODY_TASKS:
        return read_page(d, m->tasks, &ret->tasks);
    case HQCORE__REPLY__BODY_WORKERS:
        ret->next = m->workers->next;
        return make_doc(d, &m->workers->base, ret);
    case HQCORE__REPLY__BODY_JOURNAL:
        return make_doc(d, &m->journal->base, ret);
    default:
        return true;
    }
}

static bool body_fits(struct decode *d, const Hqcore__Reply *m)
{
    bool credit = may_be_credit((uint8_t)m->kind) && m->body_case == HQCORE__REPLY__BODY_CREDIT;
    uint8_t expected = m->code == HQ_OK ? bodies[m->kind] : HQCORE__REPLY__BODY__NOT_SET;
    return credit || (uint8_t)m->body_case == expected ||
           hqi_wire_pb_fail(d, HQ_EPROTO, "Reply.body %u does not answer a request of kind %u",
                            (unsigned)m->body_case, m->kind);
}

int hqi_wire_reply_decode(struct reply_view *ret, struct bytes in, struct arena *mem, hq_error *err)
{
    struct decode d = {.mem = mem, .err = err};
    *ret = (struct reply_view){0};
    const Hqcore__Reply *m = hqi_wire_pb_unpack(&d, &hqcore__reply__descriptor, in, PB_BUDGET);
    if (!m)
        return d.code;
    ret->id = m->id;
    ret->code = m->code;
    ret->kind = (uint8_t)m->kind;
    if (hqi_wire_pb_text(&d, "Reply.text", m->text, HQI_MAX_STRING, &ret->text) &&
        hqi_wire_pb_within(&d, "Reply.kind", m->kind, 1, MAX_KIND) && body_fits(&d, m))
        read_body(&d, m, ret);
    return d.code;
}
