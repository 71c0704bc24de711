/* SPDX-License-Identifier: MIT */
/* worker.c - messages between a server and its workers.
 *
 * Promise: a report or a hand-out of thousands of tasks is packed and unpacked in a few passes over columns (see
 * groups.c); nothing here runs once for each task but for entries. */
#include "wire/worker.h"

#include "wire/columns.h"
#include "wire/config.h"
#include "wire/groups.h"
#include "wire/load.h"
#include "wire/spec.h"
#include "wire/worker.pb-c.h"

/* ---- worker to server, encoding ---- */

static struct start_group *starts_of(struct encode *e, const struct report *r)
{
    struct start_group *v = hqi_wire_pb_array(e, r->n_started, sizeof *v);
    for (uint32_t i = 0; v && i < r->n_started; i++) {
        const struct report_start *s = &r->started[i];
        v[i] = (struct start_group){s->submit, s->instance, s->n, s->ordinals, s->age_ms, s->variant};
    }
    return v;
}

static struct end_group *ends_of(struct encode *e, const struct report *r)
{
    struct end_group *v = hqi_wire_pb_array(e, r->n_ended, sizeof *v);
    for (uint32_t i = 0; v && i < r->n_ended; i++) {
        const struct report_end *s = &r->ended[i];
        v[i] = (struct end_group){s->submit,      s->instance, s->n,       s->ordinals, s->age_ms,
                                  s->duration_ms, s->code,     s->variant, s->texts,    s->n_texts};
    }
    return v;
}

static Hqcore__Report *make_report(struct encode *e, const struct report *r)
{
    Hqcore__Report *m = hqi_wire_pb_message(e, &hqcore__report__descriptor);
    const struct start_group *starts = starts_of(e, r);
    const struct end_group *ends = ends_of(e, r);
    if (e->failed)
        return NULL;
    m->n_started = r->n_started;
    m->started = hqi_wire_groups_make_starts(e, starts, r->n_started);
    m->n_ended = r->n_ended;
    m->ended = hqi_wire_groups_make_ends(e, ends, r->n_ended);
    m->n_returned = r->n_returned;
    m->returned = hqi_wire_groups_make_tasks(e, r->returned, r->n_returned);
    m->n_rejected = r->n_rejected;
    m->rejected = hqi_wire_groups_make_tasks(e, r->rejected, r->n_rejected);
    m->n_crashed = r->n_crashed;
    m->crashed = hqi_wire_groups_make_tasks(e, r->crashed, r->n_crashed);
    return m;
}

static Hqcore__Attach *make_attach(struct encode *e, const struct attach *a)
{
    Hqcore__Attach *m = hqi_wire_pb_message(e, &hqcore__attach__descriptor);
    if (!m)
        return NULL;
    m->worker = a->worker.n;
    m->token = hqi_wire_pb_bytes(a->token);
    m->server_uid = hqi_wire_pb_bytes(a->server_uid);
    m->epoch = a->epoch;
    m->n_submits = a->n_submits;
    m->submits = (uint32_t *)a->submits; /* protobuf-c only reads it */
    m->n_waiting = a->n_waiting;
    m->waiting = hqi_wire_groups_make_tasks(e, a->waiting, a->n_waiting);
    m->news = make_report(e, &a->news);
    return m;
}

static Hqcore__Register *make_register(struct encode *e, const struct from_worker *f)
{
    Hqcore__Register *m = hqi_wire_pb_message(e, &hqcore__register__descriptor);
    if (!m)
        return NULL;
    m->config = hqi_wire_config_make(e, f->u.hello.config);
    m->attach = f->u.hello.attach ? make_attach(e, f->u.hello.attach) : NULL;
    return m;
}

void hqi_wire_worker_encode_from(const struct from_worker *m, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__FromWorker pb = HQCORE__FROM_WORKER__INIT;
    Hqcore__Ending ending = HQCORE__ENDING__INIT;
    pb.body_case = (Hqcore__FromWorker__BodyCase)m->kind;
    if (m->kind == FROM_WORKER_REGISTER)
        pb.hello = make_register(&e, m);
    else if (m->kind == FROM_WORKER_REPORT)
        pb.report = make_report(&e, &m->u.report);
    else if (m->kind == FROM_WORKER_OVERVIEW)
        pb.overview = hqi_wire_load_make(&e, m->u.overview);
    else {
        ending.reason = (Hqcore__WorkerEnd)m->u.ending;
        pb.ending = &ending;
    }
    hqi_wire_pb_encode_finish(&e, &pb, out);
}

/* ---- worker to server, decoding ---- */

static bool read_starts(struct decode *d, const Hqcore__Report *in, struct report *ret)
{
    const struct start_group *groups;
    if (!hqi_wire_groups_read_starts(d, in->started, in->n_started, &groups, &ret->n_started))
        return false;
    struct report_start *v = hqi_wire_pb_get(d, ret->n_started, sizeof *v);
    for (uint32_t i = 0; v && i < ret->n_started; i++) {
        const struct start_group *g = &groups[i];
        v[i] = (struct report_start){g->submit, g->instance, g->n, g->ordinals, g->start_ms, g->variant};
    }
    ret->started = v;
    return v;
}

static bool read_ends(struct decode *d, const Hqcore__Report *in, struct report *ret)
{
    const struct end_group *groups;
    if (!hqi_wire_groups_read_ends(d, in->ended, in->n_ended, &groups, &ret->n_ended))
        return false;
    struct report_end *v = hqi_wire_pb_get(d, ret->n_ended, sizeof *v);
    for (uint32_t i = 0; v && i < ret->n_ended; i++) {
        const struct end_group *g = &groups[i];
        v[i] = (struct report_end){g->submit,      g->instance, g->n,       g->ordinals, g->start_ms,
                                   g->duration_ms, g->code,     g->variant, g->texts,    g->n_texts};
    }
    ret->ended = v;
    return v;
}

static bool read_report(struct decode *d, const Hqcore__Report *in, struct report *ret)
{
    return read_starts(d, in, ret) && read_ends(d, in, ret) &&
           hqi_wire_groups_read_tasks(d, in->returned, in->n_returned, &ret->returned, &ret->n_returned) &&
           hqi_wire_groups_read_tasks(d, in->rejected, in->n_rejected, &ret->rejected, &ret->n_rejected) &&
           hqi_wire_groups_read_tasks(d, in->crashed, in->n_crashed, &ret->crashed, &ret->n_crashed);
}

static bool read_attach(struct decode *d, const Hqcore__Attach *in, struct attach *ret)
{
    ret->worker.n = in->worker;
    ret->epoch = in->epoch;
    ret->submits = in->submits; /* lives as long as the message */
    ret->n_submits = (uint32_t)in->n_submits;
    return hqi_wire_pb_within(d, "Attach.worker", in->worker, 1, UINT32_MAX) &&
           hqi_wire_pb_blob(d, "Attach.token", in->token, PB_SHORT, &ret->token) &&
           hqi_wire_pb_text(d, "Attach.server_uid", in->server_uid, PB_SHORT, &ret->server_uid) &&
           hqi_wire_groups_read_tasks(d, in->waiting, in->n_waiting, &ret->waiting, &ret->n_waiting) &&
           hqi_wire_pb_given(d, "Attach.news", in->news) && read_report(d, in->news, &ret->news);
}

static bool read_register(struct decode *d, const Hqcore__Register *in, struct from_worker *ret)
{
    struct attach *a = in->attach ? hqi_wire_pb_get(d, 1, sizeof *a) : NULL;
    if (in->attach && (!a || !read_attach(d, in->attach, a)))
        return false;
    ret->u.hello.attach = a;
    ret->u.hello.config = hqi_wire_config_read(d, in->config);
    return ret->u.hello.config;
}

static bool read_reason(struct decode *d, const char *field, Hqcore__WorkerEnd in, uint8_t *ret)
{
    *ret = (uint8_t)in;
    return hqi_wire_pb_within(d, field, (uint32_t)in, HQ_WORKER_STOPPED, HQ_WORKER_TIME_LIMIT);
}

int hqi_wire_worker_decode_from(struct from_worker *ret, struct bytes in, const struct alloc *a,
                                struct arena *mem, hq_error *err)
{
    struct decode d = {.alloc = a, .mem = mem, .err = err};
    *ret = (struct from_worker){0};
    const Hqcore__FromWorker *m = hqi_wire_pb_unpack(&d, &hqcore__from_worker__descriptor, in, PB_BUDGET);
    if (!m)
        return d.code;
    ret->kind = (uint8_t)m->body_case;
    switch (m->body_case) {
    case HQCORE__FROM_WORKER__BODY_HELLO:
        read_register(&d, m->hello, ret);
        break;
    case HQCORE__FROM_WORKER__BODY_REPORT:
        read_report(&d, m->report, &ret->u.report);
        break;
    case HQCORE__FROM_WORKER__BODY_ENDING:
        read_reason(&d, "Ending.reason", m->ending->reason, &ret->u.ending);
        break;
    case HQCORE__FROM_WORKER__BODY_OVERVIEW:
        ret->u.overview = hqi_wire_load_read(&d, m->overview);
        break;
    default:
        hqi_wire_pb_fail(&d, HQ_EPROTO, "FromWorker.body is none that this version knows");
    }
    return d.code;
}

/* ---- server to worker, encoding ---- */

static void fill_assign(struct encode *e, Hqcore__AssignGroup *m, const struct assign_group *g)
{
    const struct task_group tasks = {g->submit, g->instance, g->ranges, g->n_ranges, false, false};
    m->tasks = hqi_wire_pb_message(e, &hqcore__task_group__descriptor);
    if (m->tasks)
        hqi_wire_groups_fill_tasks(e, m->tasks, &tasks);
    m->ids = hqi_wire_spec_make_ids(e, g->ids, g->n_ids);
    if (!g->entries)
        return;
    size_t total = 0;
    for (uint32_t i = 0; i < g->n_entries; i++)
        total += g->entries[i].n;
    uint32_t *lengths = hqi_wire_pb_array(e, g->n_entries, sizeof *lengths);
    char *blob = hqi_wire_pb_array(e, total + 1, 1); /* never of size 0 */
    for (uint32_t i = 0, at = 0; lengths && blob && i < g->n_entries; i++) {
        size_t n = g->entries[i].n;
        lengths[i] = (uint32_t)n;
        if (n)
            memcpy(blob + at, g->entries[i].p, n);
        at += (uint32_t)n;
    }
    m->entry_lengths = lengths;
    m->n_entry_lengths = g->n_entries;
    m->entries = hqi_wire_pb_bytes((struct bytes){blob, total});
}

static Hqcore__Assign *make_assign(struct encode *e, const struct to_worker *t)
{
    Hqcore__Assign *m = hqi_wire_pb_message(e, &hqcore__assign__descriptor);
    if (!m)
        return NULL;
    m->n_groups = t->u.assign.n_groups;
    m->groups = hqi_wire_pb_list(e, &hqcore__assign_group__descriptor, m->n_groups);
    for (size_t i = 0; i < m->n_groups && !e->failed; i++)
        fill_assign(e, m->groups[i], &t->u.assign.groups[i]);
    return m;
}

static Hqcore__SpecNotice *make_notice(struct encode *e, const struct to_worker *t)
{
    Hqcore__SpecNotice *m = hqi_wire_pb_message(e, &hqcore__spec_notice__descriptor);
    if (!m)
        return NULL;
    m->submit = t->u.spec.submit;
    m->job = t->u.spec.job.n;
    m->server_uid = hqi_wire_pb_bytes(t->u.spec.server_uid);
    m->spec = hqi_wire_spec_make(e, t->u.spec.spec, false);
    return m;
}

static Hqcore__TaskGroups *make_groups(struct encode *e, const struct to_worker *t)
{
    Hqcore__TaskGroups *m = hqi_wire_pb_message(e, &hqcore__task_groups__descriptor);
    if (!m)
        return NULL;
    m->n_groups = t->u.tasks.n_groups;
    m->groups = hqi_wire_groups_make_tasks(e, t->u.tasks.groups, t->u.tasks.n_groups);
    return m;
}

static void fill_item(struct encode *e, Hqcore__ToWorkerItem *m, const struct to_worker *t)
{
    m->body_case = (Hqcore__ToWorkerItem__BodyCase)t->kind;
    switch (t->kind) {
    case TO_WORKER_SPEC:
        m->spec = make_notice(e, t);
        break;
    case TO_WORKER_ASSIGN:
        m->assign = make_assign(e, t);
        break;
    case TO_WORKER_RETRACT:
        m->retract = make_groups(e, t);
        break;
    case TO_WORKER_CANCEL:
        m->cancel = make_groups(e, t);
        break;
    case TO_WORKER_DROP:
        m->drop = hqi_wire_pb_message(e, &hqcore__drop__descriptor);
        if (m->drop)
            m->drop->submit = t->u.drop.submit;
        break;
    default:
        m->stop = hqi_wire_pb_message(e, &hqcore__stop__descriptor);
        if (m->stop)
            m->stop->reason = (Hqcore__WorkerEnd)t->u.stop.reason;
    }
}

void hqi_wire_worker_encode_to(const struct to_worker_batch *m, struct buf *out)
{
    struct encode e;
    hqi_wire_pb_encode_init(&e, out);
    Hqcore__ToWorker pb = HQCORE__TO_WORKER__INIT;
    Hqcore__Registered registered = HQCORE__REGISTERED__INIT;
    if (m->has_registered) {
        registered.worker = m->registered.worker.n;
        registered.server_uid = hqi_wire_pb_bytes(m->registered.server_uid);
        registered.idle_timeout_ms = m->registered.idle_timeout_ms;
        registered.token = hqi_wire_pb_bytes(m->registered.token);
        registered.durable = m->registered.durable;
        pb.registered = &registered;
    }
    pb.n_items = m->n;
    pb.items = hqi_wire_pb_list(&e, &hqcore__to_worker_item__descriptor, m->n);
    for (uint32_t i = 0; i < m->n && !e.failed; i++)
        fill_item(&e, pb.items[i], &m->items[i]);
    hqi_wire_pb_encode_finish(&e, &pb, out);
}

/* ---- server to worker, decoding ---- */

static bool read_assign_group(struct decode *d, const Hqcore__AssignGroup *in, struct assign_group *ret)
{
    struct task_group tasks;
    uint32_t count, ids;
    if (!hqi_wire_pb_given(d, "AssignGroup.tasks", in->tasks) ||
        !hqi_wire_groups_read_one(d, in->tasks, &tasks, &count) ||
        !hqi_wire_spec_read_ids(d, "AssignGroup.ids", in->ids, &ret->ids, &ret->n_ids, &ids) ||
        !hqi_wire_pb_within(d, "AssignGroup.ids (their number)", ids, count, count))
        return false;
    ret->submit = tasks.submit;
    ret->instance = tasks.instance;
    ret->ranges = tasks.ranges;
    ret->n_ranges = tasks.n_ranges;
    if (in->n_entry_lengths == 0)
        return true;
    ret->n_entries = count;
    ret->entries = hqi_wire_columns_length(d, "AssignGroup.entry_lengths", in->n_entry_lengths, count)
                       ? hqi_wire_columns_cut(d, "AssignGroup.entries", in->entry_lengths, count, in->entries)
                       : NULL;
    return ret->entries;
}

static bool read_assign(struct decode *d, const Hqcore__Assign *in, struct to_worker *ret)
{
    struct assign_group *v = hqi_wire_pb_get(d, in->n_groups, sizeof *v);
    for (size_t i = 0; v && i < in->n_groups; i++)
        if (!read_assign_group(d, in->groups[i], &v[i]))
            return false;
    ret->u.assign.groups = v;
    ret->u.assign.n_groups = (uint32_t)in->n_groups;
    return v;
}

static bool read_notice(struct decode *d, const Hqcore__SpecNotice *in, struct to_worker *ret)
{
    ret->u.spec.submit = in->submit;
    ret->u.spec.job.n = in->job;
    if (!hqi_wire_pb_within(d, "SpecNotice.submit", in->submit, 1, UINT32_MAX) ||
        !hqi_wire_pb_within(d, "SpecNotice.job", in->job, 1, UINT32_MAX) ||
        !hqi_wire_pb_text(d, "SpecNotice.server_uid", in->server_uid, PB_SHORT, &ret->u.spec.server_uid))
        return false;
    ret->u.spec.spec = hqi_wire_spec_read(d, in->spec, false);
    return ret->u.spec.spec;
}

static bool read_groups(struct decode *d, const Hqcore__TaskGroups *in, struct to_worker *ret)
{
    return hqi_wire_groups_read_tasks(d, in->groups, in->n_groups, &ret->u.tasks.groups,
                                      &ret->u.tasks.n_groups);
}

static bool read_item(struct decode *d, const Hqcore__ToWorkerItem *in, struct to_worker *ret)
{
    ret->kind = (uint8_t)in->body_case;
    switch (in->body_case) {
    case HQCORE__TO_WORKER_ITEM__BODY_SPEC:
        return read_notice(d, in->spec, ret);
    case HQCORE__TO_WORKER_ITEM__BODY_ASSIGN:
        return read_assign(d, in->assign, ret);
    case HQCORE__TO_WORKER_ITEM__BODY_RETRACT:
        return read_groups(d, in->retract, ret);
    case HQCORE__TO_WORKER_ITEM__BODY_CANCEL:
        return read_groups(d, in->cancel, ret);
    case HQCORE__TO_WORKER_ITEM__BODY_DROP:
        ret->u.drop.submit = in->drop->submit;
        return hqi_wire_pb_within(d, "Drop.submit", in->drop->submit, 1, UINT32_MAX);
    case HQCORE__TO_WORKER_ITEM__BODY_STOP:
        return read_reason(d, "Stop.reason", in->stop->reason, &ret->u.stop.reason);
    default:
        return hqi_wire_pb_fail(d, HQ_EPROTO, "ToWorkerItem.body is none that this version knows");
    }
}

static void drop_specs(struct to_worker *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].kind == TO_WORKER_SPEC) {
            hqi_model_spec_free((struct spec *)items[i].u.spec.spec);
            items[i].u.spec.spec = NULL;
        }
}

static bool read_registered(struct decode *d, const Hqcore__Registered *in, struct to_worker_batch *ret)
{
    ret->has_registered = in;
    if (!in)
        return true;
    ret->registered.worker.n = in->worker;
    ret->registered.idle_timeout_ms = in->idle_timeout_ms;
    ret->registered.durable = in->durable;
    if (in->token.len && !hqi_wire_pb_within(d, "Registered.token (its length)", in->token.len, HQI_TOKEN_BYTES, HQI_TOKEN_BYTES))
        return false;
    ret->registered.token = (struct bytes){(const char *)in->token.data, in->token.len};
    return hqi_wire_pb_within(d, "Registered.worker", in->worker, 1, UINT32_MAX) &&
           hqi_wire_pb_text(d, "Registered.server_uid", in->server_uid, PB_SHORT,
                            &ret->registered.server_uid);
}

int hqi_wire_worker_decode_to(struct to_worker_batch *ret, struct bytes in, const struct alloc *a,
                              struct arena *mem, hq_error *err)
{
    struct decode d = {.alloc = a, .mem = mem, .err = err};
    *ret = (struct to_worker_batch){0};
    const Hqcore__ToWorker *m = hqi_wire_pb_unpack(&d, &hqcore__to_worker__descriptor, in, PB_BUDGET);
    if (!m || !read_registered(&d, m->registered, ret))
        return d.code;
    struct to_worker *items = hqi_wire_pb_get(&d, m->n_items, sizeof *items);
    for (size_t i = 0; items && i < m->n_items; i++)
        if (!read_item(&d, m->items[i], &items[i])) {
            drop_specs(items, i + 1);
            return d.code;
        }
    ret->items = items;
    ret->n = items ? (uint32_t)m->n_items : 0;
    return d.code;
}
