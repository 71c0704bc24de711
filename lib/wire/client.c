/* SPDX-License-Identifier: MIT */
/* client.c - what clients ask of a server.
 *
 * Promise to the server: a command that decodes has the shape that its kind demands; one that does not can still
 * be answered when its id can be found. */
#include "wire/client.h"

#include "wire/client.pb-c.h"
#include "wire/reply.h"
#include "wire/spec.h"

#define ALL_STATES ((1u << (HQ_JOB_OPENED + 1)) - 1)
#define ID_FIELD 30u /* of Request */

/* ---- encoding ---- */

static Hqcore__Selector *make_selector(struct encode *e, const struct selector *s)
{
    Hqcore__Selector *m = hqi_wire_pb_message(e, &hqcore__selector__descriptor);
    if (!m)
        return NULL;
    m->kind = (Hqcore__SelectKind)s->kind;
    if (s->kind == SELECT_IDS)
        m->ids = hqi_wire_spec_make_ids(e, s->ids.ranges, s->ids.n_ranges);
    return m;
}

static void make_nothing(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    m->server_info = hqi_wire_pb_message(e, &hqcore__nothing__descriptor); /* or server_stop: one union */
}

static void make_submit(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__Submit *b = m->submit = hqi_wire_pb_message(e, &hqcore__submit__descriptor);
    if (!b)
        return;
    b->job = c->u.submit.job.n;
    b->name = hqi_wire_pb_string(e, c->u.submit.name);
    b->max_fails = c->u.submit.max_fails;
    if (b->max_fails != UINT32_MAX)
        b->limit_case = HQCORE__SUBMIT__LIMIT_MAX_FAILS;
    b->spec = hqi_wire_spec_make(e, c->u.submit.spec, true);
    b->more = c->u.submit.more;
    b->n_auto = c->u.submit.n_auto;
}

static void make_part(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__SubmitPart *b = m->submit_part = hqi_wire_pb_message(e, &hqcore__submit_part__descriptor);
    if (!b)
        return;
    b->n_lengths = c->u.part.n;
    b->lengths = (uint32_t *)c->u.part.lengths; /* protobuf-c only reads it */
    b->blob = hqi_wire_pb_bytes(c->u.part.blob);
    b->last = c->u.part.last;
}

static void make_job_open(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__JobOpen *b = m->job_open = hqi_wire_pb_message(e, &hqcore__job_open__descriptor);
    if (!b)
        return;
    b->name = hqi_wire_pb_string(e, c->u.job_open.name);
    b->max_fails = c->u.job_open.max_fails;
    if (b->max_fails != UINT32_MAX)
        b->limit_case = HQCORE__JOB_OPEN__LIMIT_MAX_FAILS;
}

static void make_jobs(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__JobSelect *b = m->job_close =
        hqi_wire_pb_message(e, &hqcore__job_select__descriptor); /* or another */
    if (!b)
        return;
    b->jobs = make_selector(e, &c->u.jobs.jobs);
    b->reason = hqi_wire_pb_bytes(c->u.jobs.reason);
    b->states = c->u.jobs.states;
    b->without_close = c->u.jobs.without_close;
    b->brief = c->u.jobs.brief;
    b->since = c->u.jobs.since;
}

static void make_job_list(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__JobList *b = m->job_list = hqi_wire_pb_message(e, &hqcore__job_list__descriptor);
    if (!b)
        return;
    b->states = c->u.job_list.states;
    b->all = c->u.job_list.all;
    b->from = c->u.job_list.from;
}

static void make_task_page(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__TaskPageRequest *b = m->task_page =
        hqi_wire_pb_message(e, &hqcore__task_page_request__descriptor);
    if (!b)
        return;
    b->job = c->u.task_page.job.n;
    b->cursor = c->u.task_page.cursor;
    b->states = c->u.task_page.states;
    b->limit = c->u.task_page.limit;
    if (c->u.task_page.ids.count)
        b->ids = hqi_wire_spec_make_ids(e, c->u.task_page.ids.ranges, c->u.task_page.ids.n_ranges);
}

static void make_workers(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__WorkerSelect *b = m->worker_list =
        hqi_wire_pb_message(e, &hqcore__worker_select__descriptor); /* or stop */
    if (!b)
        return;
    b->workers = make_selector(e, &c->u.workers.workers);
    b->offline_too = c->u.workers.offline_too;
    b->details = c->u.workers.details;
    b->from = c->u.workers.from;
}

static void make_worker_wait(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    m->worker_wait = hqi_wire_pb_message(e, &hqcore__worker_wait__descriptor);
    if (m->worker_wait)
        m->worker_wait->count = c->u.worker_wait.count;
}

static void make_debug_dump(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    m->debug_dump = hqi_wire_pb_message(e, &hqcore__debug_dump__descriptor);
    if (m->debug_dump)
        m->debug_dump->path = hqi_wire_pb_bytes(c->u.path);
}

static void make_journal_read(struct encode *e, Hqcore__Request *m, const struct command *c)
{
    Hqcore__JournalRead *b = m->journal_read = hqi_wire_pb_message(e, &hqcore__journal_read__descriptor);
    if (!b)
        return;
    b->file = c->u.journal_read.at.file;
    b->offset = c->u.journal_read.at.offset;
    b->wait = c->u.journal_read.wait;
}

/* ---- decoding ---- */

static bool read_selector(struct decode *d, const Hqcore__Selector *in, struct selector *ret)
{
    if (!hqi_wire_pb_given(d, "selector", in) ||
        !hqi_wire_pb_within(d, "Selector.kind", (uint32_t)in->kind, SELECT_IDS, SELECT_LAST))
        return false;
    ret->kind = (uint8_t)in->kind;
    return ret->kind != SELECT_IDS ||
           (hqi_wire_spec_read_set(d, "Selector.ids", in->ids, d->mem, &ret->ids) &&
            hqi_wire_pb_count(d, "Selector.ids", ret->ids.count, HQI_MAX_SELECT));
}

static bool read_nothing(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    return true;
}

static bool read_submit(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__Submit *b = m->submit;
    c->u.submit.job.n = b->job;
    c->u.submit.max_fails = b->limit_case ? b->max_fails : UINT32_MAX;
    c->u.submit.more = b->more;
    c->u.submit.n_auto = b->n_auto;
    if (!hqi_wire_pb_name(d, "Submit.name", b->name, HQI_MAX_NAME, &c->u.submit.name))
        return false;
    c->u.submit.spec = hqi_wire_spec_read(d, b->spec, true);
    return c->u.submit.spec;
}

static bool read_part(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__SubmitPart *b = m->submit_part;
    uint64_t total = 0;
    for (size_t i = 0; i < b->n_lengths; i++)
        total += b->lengths[i];
    c->u.part.lengths = b->lengths;
    c->u.part.n = (uint32_t)b->n_lengths;
    c->u.part.last = b->last;
    return hqi_wire_pb_count(d, "SubmitPart.lengths", b->n_lengths, HQI_PART_BYTES) &&
           hqi_wire_pb_blob(d, "SubmitPart.blob", b->blob, HQI_PART_BYTES, &c->u.part.blob) &&
           hqi_wire_pb_within(d, "SubmitPart.lengths (their sum)", total, b->blob.len, b->blob.len);
}

static bool read_job_open(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__JobOpen *b = m->job_open;
    c->u.job_open.max_fails = b->limit_case ? b->max_fails : UINT32_MAX;
    return hqi_wire_pb_name(d, "JobOpen.name", b->name, HQI_MAX_NAME, &c->u.job_open.name);
}

static bool read_jobs(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__JobSelect *b = m->job_close;
    c->u.jobs.states = b->states;
    c->u.jobs.without_close = b->without_close;
    c->u.jobs.brief = b->brief;
    c->u.jobs.since = b->since;
    return hqi_wire_pb_within(d, "JobSelect.states", b->states, 0, ALL_STATES) &&
           hqi_wire_pb_text(d, "JobSelect.reason", b->reason, HQI_MAX_REASON, &c->u.jobs.reason) &&
           read_selector(d, b->jobs, &c->u.jobs.jobs);
}

static bool read_job_list(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__JobList *b = m->job_list;
    c->u.job_list.states = b->states;
    c->u.job_list.all = b->all;
    c->u.job_list.from = b->from;
    return hqi_wire_pb_within(d, "JobList.states", b->states, 0, ALL_STATES);
}

static bool read_task_page(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__TaskPageRequest *b = m->task_page;
    c->u.task_page.job.n = b->job;
    c->u.task_page.cursor = b->cursor;
    c->u.task_page.states = b->states;
    c->u.task_page.limit = b->limit;
    return hqi_wire_pb_within(d, "TaskPageRequest.states", b->states, 0, ALL_STATES) &&
           hqi_wire_spec_read_set(d, "TaskPageRequest.ids", b->ids, d->mem, &c->u.task_page.ids);
}

static bool read_workers(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    const Hqcore__WorkerSelect *b = m->worker_list;
    c->u.workers.offline_too = b->offline_too;
    c->u.workers.details = b->details;
    c->u.workers.from = b->from;
    return read_selector(d, b->workers, &c->u.workers.workers);
}

static bool read_worker_wait(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    c->u.worker_wait.count = m->worker_wait->count;
    return true;
}

static bool read_debug_dump(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    return hqi_wire_pb_text(d, "DebugDump.path", m->debug_dump->path, HQI_MAX_PATH, &c->u.path);
}

static bool read_journal_read(struct decode *d, const Hqcore__Request *m, struct command *c)
{
    c->u.journal_read.at = (struct journal_place){m->journal_read->file, m->journal_read->offset};
    c->u.journal_read.wait = m->journal_read->wait;
    return true;
}

static const struct {
    void (*make)(struct encode *e, Hqcore__Request *m, const struct command *c);
    bool (*read)(struct decode *d, const Hqcore__Request *m, struct command *c);
} shapes[] = {
    [COMMAND_SERVER_INFO] = {make_nothing, read_nothing},
    [COMMAND_SERVER_STOP] = {make_nothing, read_nothing},
    [COMMAND_SUBMIT] = {make_submit, read_submit},
    [COMMAND_SUBMIT_PART] = {make_part, read_part},
    [COMMAND_JOB_OPEN] = {make_job_open, read_job_open},
    [COMMAND_JOB_CLOSE] = {make_jobs, read_jobs},
    [COMMAND_JOB_CANCEL] = {make_jobs, read_jobs},
    [COMMAND_JOB_FORGET] = {make_jobs, read_jobs},
    [COMMAND_JOB_LIST] = {make_job_list, read_job_list},
    [COMMAND_JOB_INFO] = {make_jobs, read_jobs},
    [COMMAND_JOB_WAIT] = {make_jobs, read_jobs},
    [COMMAND_JOB_PROGRESS] = {make_jobs, read_jobs},
    [COMMAND_TASK_PAGE] = {make_task_page, read_task_page},
    [COMMAND_WORKER_LIST] = {make_workers, read_workers},
    [COMMAND_WORKER_STOP] = {make_workers, read_workers},
    [COMMAND_WORKER_WAIT] = {make_worker_wait, read_worker_wait},
    [COMMAND_DEBUG_DUMP] = {make_debug_dump, read_debug_dump},
    [COMMAND_JOURNAL_FLUSH] = {make_nothing, read_nothing},
    [COMMAND_JOURNAL_PRUNE] = {make_nothing, read_nothing},
    [COMMAND_JOURNAL_READ] = {make_journal_read, read_journal_read},
};

void hqi_wire_client_encode_command(const struct command *c, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__Request m = HQCORE__REQUEST__INIT;
    m.id = c->id;
    m.key_a = c->key.a;
    m.key_b = c->key.b;
    m.body_case = (Hqcore__Request__BodyCase)c->kind;
    shapes[c->kind].make(&e, &m, c);
    hqi_wire_pb_encode_finish(&e, &m, out);
}

/* ---- the id of what cannot be decoded ---- */

static bool take_varint(struct bytes *in, uint64_t *ret)
{
    *ret = 0;
    for (unsigned shift = 0; shift < 64 && in->n; shift += 7) {
        uint8_t b = (uint8_t)*in->p++;
        in->n--;
        *ret |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            return true;
    }
    return false;
}

static bool skip_value(struct bytes *in, unsigned wire_type)
{
    uint64_t n = 0;
    switch (wire_type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return take_varint(in, &n);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        n = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!take_varint(in, &n))
            return false;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        n = 4;
        break;
    default:
        return false;
    }
    if (n > in->n)
        return false;
    in->p += n;
    in->n -= (size_t)n;
    return true;
}

static uint64_t find_id(struct bytes in)
{
    uint64_t tag, id;
    while (take_varint(&in, &tag)) {
        if (tag == (ID_FIELD << 3 | PROTOBUF_C_WIRE_TYPE_VARINT))
            return take_varint(&in, &id) ? id : 0;
        if (!skip_value(&in, tag & 7))
            break;
    }
    return 0;
}

int hqi_wire_client_decode_command(struct command *ret, struct bytes in, const struct alloc *a,
                                   struct arena *mem, hq_error *err)
{
    struct decode d = {.alloc = a, .mem = mem, .err = err};
    *ret = (struct command){0};
    const Hqcore__Request *m = hqi_wire_pb_unpack(&d, &hqcore__request__descriptor, in, PB_BUDGET);
    if (!m) {
        ret->id = find_id(in);
        return d.code;
    }
    ret->id = m->id;
    ret->key = (struct key){m->key_a, m->key_b};
    ret->kind = (uint8_t)m->body_case;
    if (m->body_case == HQCORE__REQUEST__BODY__NOT_SET)
        hqi_wire_pb_fail(&d, HQ_EPROTO, "Request.body is none that this version knows");
    else
        shapes[ret->kind].read(&d, m, ret);
    return d.code;
}

void hqi_wire_client_encode_reply(const struct reply *r, struct buf *out)
{
    hqi_wire_reply_encode(r, out);
}

int hqi_wire_client_decode_reply(struct reply_view *ret, struct bytes in, struct arena *mem, hq_error *err)
{
    return hqi_wire_reply_decode(ret, in, mem, err);
}
