/* SPDX-License-Identifier: MIT */
/* client_test.c - commands and replies: round trips, trees, what is shown of long command lines, hostile bytes. */
#include "same.h"

#include <stdio.h>

#include "base/limits.h"

#define ROUNDS 40
#define HOSTILE_ROUNDS 2

static int decode_command(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct command c;
    int rc = hqi_wire_client_decode_command(&c, in, a, mem, err);
    if (c.kind == COMMAND_SUBMIT)
        hqi_model_spec_free(c.u.submit.spec);
    return rc;
}

static int decode_reply(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct reply_view v;
    return hqi_wire_client_decode_reply(&v, in, mem, err);
}

static void encode_command(const void *value, struct buf *out)
{
    hqi_wire_client_encode_command(value, out);
}

static void encode_reply(const void *value, struct buf *out)
{
    hqi_wire_client_encode_reply(value, out);
}

/* ---- commands ---- */

static void same_selector(const struct selector *a, const struct selector *b)
{
    same_field(a, b, kind);
    same_set(&a->ids, &b->ids);
}

static void same_submit(const struct command *a, const struct command *b)
{
    same_field(a, b, u.submit.job.n);
    same_bytes(a->u.submit.name, b->u.submit.name);
    same_field(a, b, u.submit.max_fails);
    same_spec(a->u.submit.spec, b->u.submit.spec);
    same_field(a, b, u.submit.more);
    same_field(a, b, u.submit.n_auto);
}

static void same_command(const struct command *a, const struct command *b)
{
    same_field(a, b, id);
    same_field(a, b, kind);
    same_field(a, b, key.a);
    same_field(a, b, key.b);
    switch (a->kind) {
    case COMMAND_SERVER_INFO:
    case COMMAND_SERVER_STOP:
    case COMMAND_JOURNAL_FLUSH:
    case COMMAND_JOURNAL_PRUNE:
        break;
    case COMMAND_JOURNAL_READ:
        same_field(a, b, u.journal_read.at.file);
        same_field(a, b, u.journal_read.at.offset);
        same_field(a, b, u.journal_read.wait);
        break;
    case COMMAND_SUBMIT:
        same_submit(a, b);
        break;
    case COMMAND_SUBMIT_PART:
        same_field(a, b, u.part.n);
        same_column(a->u.part.lengths, b->u.part.lengths, a->u.part.n, sizeof *a->u.part.lengths);
        same_bytes(a->u.part.blob, b->u.part.blob);
        same_field(a, b, u.part.last);
        break;
    case COMMAND_JOB_OPEN:
        same_bytes(a->u.job_open.name, b->u.job_open.name);
        same_field(a, b, u.job_open.max_fails);
        break;
    case COMMAND_JOB_LIST:
        same_field(a, b, u.job_list.states);
        same_field(a, b, u.job_list.all);
        same_field(a, b, u.job_list.from);
        break;
    case COMMAND_TASK_PAGE:
        same_field(a, b, u.task_page.job.n);
        same_field(a, b, u.task_page.cursor);
        same_field(a, b, u.task_page.states);
        same_field(a, b, u.task_page.limit);
        same_set(&a->u.task_page.ids, &b->u.task_page.ids);
        break;
    case COMMAND_WORKER_LIST:
    case COMMAND_WORKER_STOP:
        same_selector(&a->u.workers.workers, &b->u.workers.workers);
        same_field(a, b, u.workers.offline_too);
        same_field(a, b, u.workers.details);
        same_field(a, b, u.workers.from);
        break;
    case COMMAND_WORKER_WAIT:
        same_field(a, b, u.worker_wait.count);
        break;
    case COMMAND_DEBUG_DUMP:
        same_bytes(a->u.path, b->u.path);
        break;
    default:
        same_selector(&a->u.jobs.jobs, &b->u.jobs.jobs);
        same_bytes(a->u.jobs.reason, b->u.jobs.reason);
        same_field(a, b, u.jobs.states);
        same_field(a, b, u.jobs.without_close);
        same_field(a, b, u.jobs.brief);
        same_field(a, b, u.jobs.since);
    }
}

static void command_round_trip(struct sample *s, uint8_t kind, struct buf *out, bool with_hostile)
{
    struct command a = sample_command(s, kind), b;
    hqi_base_buf_clear(out);
    encode_command(&a, out);
    assert_int_equal(
        hqi_wire_client_decode_command(&b, hqi_base_buf_bytes(out), &hqi_base_alloc_libc, s->mem, NULL),
        HQ_OK);
    same_command(&a, &b);
    if (kind == COMMAND_SUBMIT)
        hqi_model_spec_free(b.u.submit.spec);
    if (with_hostile) {
        hostile(hqi_base_buf_bytes(out), decode_command);
        starved(&a, encode_command);
    }
}

static void commands(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++)
        for (uint8_t kind = COMMAND_SERVER_INFO; kind <= COMMAND_LAST; kind++) {
            command_round_trip(&(struct sample){seed, &mem}, kind, &out, seed < HOSTILE_ROUNDS);
            hqi_base_arena_clear(&mem);
        }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void the_id_survives(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        uint64_t id;
    } cases[] = {
        {"\xf0\x01\x05", 3, 5},                           /* id, and nothing to do */
        {"\x0a\x05zz\xf0\x01\x05", 7, 0},                 /* the id belongs to a field that is cut */
        {"\x1a\x03\xff\xff\xff\xf0\x01\xac\x02", 9, 300}, /* a submit of garbage, then the id */
        {"\xf0\x01\x07\x1a\x01\xff", 6, 7},
        {"\x1a\x01\xff\xf0\x01\xff", 6, 0}, /* the id is cut */
    };
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct command c;
        struct bytes in = {cases[i].bytes, cases[i].n};
        assert_int_equal(hqi_wire_client_decode_command(&c, in, &hqi_base_alloc_libc, &mem, NULL), HQ_EPROTO);
        assert_int_equal(c.id, cases[i].id);
    }
    hqi_base_arena_fini(&mem);
}

static void refused(const struct command *c, int code, const char *text)
{
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    encode_command(c, &out);
    assert_false(out.failed);
    assert_int_equal(decode_command(hqi_base_buf_bytes(&out), &hqi_base_alloc_libc, &mem, &err), code);
    assert_memory_equal(err.text, text, strlen(text));
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static struct command submit_of(struct spec *s)
{
    return (struct command){.id = 1, .kind = COMMAND_SUBMIT, .u.submit.spec = s};
}

static void command_limits(void **state)
{
    static char long_name[HQI_MAX_NAME + 2];
    memset(long_name, 'x', HQI_MAX_NAME + 1);
    hq_range million = {0, HQI_MAX_SELECT + 1, 1};
    uint32_t length = 2;
    struct command open = {.kind = COMMAND_JOB_OPEN, .u.job_open.name = bytes_of(long_name)};
    refused(&open, HQ_ELIMIT, "JobOpen.name has 4097 bytes, at most 4096");
    open.u.job_open.name = bytes_of("a\xff");
    refused(&open, HQ_EPROTO, "JobOpen.name is not valid UTF-8");
    struct command info = {.kind = COMMAND_JOB_INFO};
    refused(&info, HQ_EPROTO, "Selector.kind is 0");
    info.u.jobs.jobs = (struct selector){SELECT_IDS, {&million, NULL, 1, million.count, true}};
    refused(&info, HQ_ELIMIT, "Selector.ids has 1000001 items");
    info.u.jobs.jobs = (struct selector){.kind = SELECT_ALL};
    info.u.jobs.states = 128;
    refused(&info, HQ_EPROTO, "JobSelect.states is 128");
    info.u.jobs.states = 0;
    info.u.jobs.reason = (struct bytes){long_name, HQI_MAX_REASON + 1};
    refused(&info, HQ_ELIMIT, "JobSelect.reason has 201 bytes");
    struct command part = {.kind = COMMAND_SUBMIT_PART, .u.part = {&length, 1, {"abc", 3}, true}};
    refused(&part, HQ_EPROTO, "SubmitPart.lengths (their sum) is 2");
    struct command dump = {.kind = COMMAND_DEBUG_DUMP, .u.path = {long_name, HQI_MAX_PATH + 1}};
    refused(&dump, HQ_ELIMIT, "DebugDump.path has 4096 bytes, at most 4095");
    dump.u.path = (struct bytes){"a\0b", 3};
    refused(&dump, HQ_EPROTO, "DebugDump.path holds a zero byte");
}

static void spec_shapes(void **state)
{
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    struct sample s = {3, &mem};
    struct spec *spec = sample_spec(&s, true);
    struct command c = submit_of(spec);
    struct bytes nul = {"a\0b", 3};
    const struct spec good = *spec;
    spec->argv = &nul, spec->n_argv = 1;
    refused(&c, HQ_EPROTO, "Spec.argv holds a zero byte");
    *spec = good, spec->n_argv = 0;
    refused(&c, HQ_EPROTO, "Spec.argv (their number) is 0");
    *spec = good, spec->cwd = nul;
    refused(&c, HQ_EPROTO, "Spec.cwd holds a zero byte");
    *spec = good, spec->out.kind = 9;
    refused(&c, HQ_EPROTO, "Stdio.kind is 9");
    *spec = good, spec->pin = 3;
    refused(&c, HQ_EPROTO, "Spec.pin is 3");
    *spec = good, spec->request.n_variants = 0;
    refused(&c, HQ_EPROTO, "ResourceRequest.variants (their number) is 0");
    hqi_base_arena_fini(&mem);
}

/* ---- replies ---- */

static void same_page(const struct task_page *a, const struct task_page *b)
{
    same_field(a, b, n);
    same_field(a, b, next);
    same_column(a->ids, b->ids, a->n, sizeof *a->ids);
    same_column(a->state, b->state, a->n, sizeof *a->state);
    same_column(a->code, b->code, a->n, sizeof *a->code);
    same_column(a->start_ms, b->start_ms, a->n, sizeof *a->start_ms);
    same_column(a->duration_ms, b->duration_ms, a->n, sizeof *a->duration_ms);
    same_column(a->worker, b->worker, a->n, sizeof *a->worker);
    same_column(a->instance, b->instance, a->n, sizeof *a->instance);
    same_texts(a->texts, a->n_texts, b->texts, b->n_texts);
    same_field(a, b, n_workers);
    for (uint32_t i = 0; i < a->n_workers; i++) {
        same_field(&a->workers[i], &b->workers[i], id.n);
        same_bytes(a->workers[i].hostname, b->workers[i].hostname);
    }
}

static const struct hq_doc *member(const struct hq_doc *d, const char *name)
{
    const struct hq_doc *m = hqi_model_doc_get(d, name);
    if (!m)
        fail_msg("no member %s", name);
    return m;
}

static void is_uint(const struct hq_doc *d, const char *name, uint64_t value)
{
    const struct hq_doc *m = member(d, name);
    assert_int_equal(m->kind, DOC_UINT);
    assert_int_equal(m->v.u, value);
}

static void is_int(const struct hq_doc *d, const char *name, int64_t value)
{
    const struct hq_doc *m = member(d, name);
    assert_int_equal(m->kind, DOC_INT);
    assert_int_equal(m->v.i, value);
}

static void is_bool(const struct hq_doc *d, const char *name, bool value)
{
    const struct hq_doc *m = member(d, name);
    assert_int_equal(m->kind, DOC_BOOL);
    assert_int_equal(m->v.b, value);
}

static void is_bytes(const struct hq_doc *m, struct bytes value)
{
    assert_int_equal(m->kind, DOC_BYTES);
    same_bytes((struct bytes){m->v.p, m->n}, value);
    assert_int_equal(m->v.p[m->n], 0);
}

static void has_bytes(const struct hq_doc *d, const char *name, struct bytes value)
{
    is_bytes(member(d, name), value);
}

static const struct hq_doc *list_of(const struct hq_doc *d, const char *name, uint32_t n)
{
    const struct hq_doc *m = member(d, name);
    assert_int_equal(m->kind, DOC_LIST);
    assert_int_equal(m->n, n);
    return m->v.child;
}

static void numbers_are(const struct hq_doc *d, const char *name, const uint32_t *v, uint32_t n)
{
    const struct hq_doc *items = list_of(d, name, n);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(items[i].kind, DOC_UINT);
        assert_int_equal(items[i].v.u, v[i]);
    }
}

static void check_server(const struct server_info *a, const struct hq_doc *d)
{
    has_bytes(d, "uid", a->uid);
    has_bytes(d, "version", a->version);
    has_bytes(d, "client_host", a->client_host);
    has_bytes(d, "worker_host", a->worker_host);
    has_bytes(d, "journal_path", a->journal_path);
    is_uint(d, "client_port", a->client_port);
    is_uint(d, "worker_port", a->worker_port);
    is_uint(d, "pid", a->pid);
    is_uint(d, "start_ms", a->start_ms);
}

static void check_outcomes(const struct reply *a, const struct hq_doc *d)
{
    const struct hq_doc *ids = list_of(d, "ids", a->u.outcomes.n);
    is_uint(d, "forgotten", a->u.outcomes.forgotten);
    is_uint(d, "ignored", a->u.outcomes.ignored);
    for (uint32_t i = 0; i < a->u.outcomes.n; i++) {
        is_uint(&ids[i], "id", a->u.outcomes.ids[i].id);
        is_uint(&ids[i], "outcome", a->u.outcomes.ids[i].outcome);
        is_uint(&ids[i], "done", a->u.outcomes.ids[i].done);
        is_uint(&ids[i], "already", a->u.outcomes.ids[i].already);
    }
}

static void check_stdio(const struct stdio_spec *a, const struct hq_doc *d)
{
    is_uint(d, "kind", a->kind);
    has_bytes(d, "path", a->path);
    is_bool(d, "rm_if_finished", a->rm_if_finished);
}

static void check_request(const struct resource_request *a, const struct hq_doc *d)
{
    const struct hq_doc *variants = list_of(d, "variants", a->n_variants);
    for (uint32_t i = 0; i < a->n_variants; i++) {
        const struct request_variant *v = &a->variants[i];
        const struct hq_doc *entries = list_of(&variants[i], "entries", v->n_entries);
        is_uint(&variants[i], "n_nodes", v->n_nodes);
        is_uint(&variants[i], "min_time_ms", v->min_time_ms);
        is_uint(&variants[i], "weight", v->weight);
        for (uint32_t k = 0; k < v->n_entries; k++) {
            has_bytes(&entries[k], "name", v->entries[k].name);
            is_uint(&entries[k], "policy", v->entries[k].policy);
            is_uint(&entries[k], "amount", v->entries[k].amount);
        }
    }
}

static void check_ids(const struct intset *a, const struct hq_doc *d)
{
    const struct hq_doc *first = list_of(d, "first", a->n_ranges), *count = list_of(d, "count", a->n_ranges);
    const struct hq_doc *step = list_of(d, "step", a->n_ranges);
    for (uint32_t i = 0; i < a->n_ranges; i++) {
        assert_int_equal(first[i].v.u, a->ranges[i].first);
        assert_int_equal(count[i].v.u, a->ranges[i].count);
        assert_int_equal(step[i].v.u, a->ranges[i].step);
    }
}

static void check_submit(const struct submit_info *a, const struct hq_doc *d)
{
    const struct spec *s = a->spec;
    const struct hq_doc *argv = list_of(d, "argv", s->n_argv), *env = list_of(d, "env", s->n_env);
    is_uint(d, "submit", a->submit);
    is_uint(d, "at_ms", a->at_ms);
    for (uint32_t i = 0; i < s->n_argv; i++)
        is_bytes(&argv[i], s->argv[i]);
    for (uint32_t i = 0; i < s->n_env; i++) {
        has_bytes(&env[i], "name", s->env[i].name);
        has_bytes(&env[i], "value", s->env[i].value);
    }
    has_bytes(d, "submit_dir", s->submit_dir);
    has_bytes(d, "cwd", s->cwd);
    check_stdio(&s->out, member(d, "stdout"));
    check_stdio(&s->err, member(d, "stderr"));
    check_request(&s->request, member(d, "request"));
    check_ids(&s->ids, member(d, "ids"));
    is_int(d, "priority", s->priority);
    is_uint(d, "crash_limit", s->crash_limit);
    is_uint(d, "time_limit_ms", s->time_limit_ms);
    is_uint(d, "pin", s->pin);
    is_bool(d, "task_dir", s->task_dir);
    is_uint(d, "n_entries", s->entries.n);
    is_uint(d, "stdin_bytes", s->stdin_data.n);
    is_uint(d, "n_args", s->n_argv);
}

static void check_stats(const struct job_stats *a, const struct hq_doc *d)
{
    static const char *const names[HQ_TASK_STATES] = {"waiting", "running",  "finished",
                                                      "failed",  "canceled", "aborted"};
    is_uint(d, "total", a->total);
    for (int i = 0; i < HQ_TASK_STATES; i++)
        is_uint(d, names[i], a->count[i]);
}

static void check_job(const struct job_info *a, const struct hq_doc *d)
{
    is_uint(d, "id", a->id.n);
    has_bytes(d, "name", a->name);
    is_uint(d, "state", a->state);
    is_bool(d, "open", a->open);
    if (a->max_fails == UINT32_MAX)
        assert_int_equal(member(d, "max_fails")->kind, DOC_NULL);
    else
        is_uint(d, "max_fails", a->max_fails);
    has_bytes(d, "cancel_reason", a->cancel_reason);
    check_stats(&a->stats, member(d, "stats"));
    is_uint(d, "submitted_ms", a->submitted_ms);
    is_uint(d, "ended_ms", a->ended_ms);
    is_uint(d, "change", a->change);
    const struct hq_doc *submits = list_of(d, "submits", a->n_submits),
                        *failed = list_of(d, "failed", a->n_failed);
    const struct hq_doc *workers = list_of(d, "workers", a->n_workers);
    for (uint32_t i = 0; i < a->n_submits; i++)
        check_submit(&a->submits[i], &submits[i]);
    for (uint32_t i = 0; i < a->n_workers; i++) {
        is_uint(&workers[i], "id", a->workers[i].id.n);
        has_bytes(&workers[i], "hostname", a->workers[i].hostname);
    }
    for (uint32_t i = 0; i < a->n_failed; i++) {
        is_uint(&failed[i], "id", a->failed[i].id);
        is_uint(&failed[i], "worker", a->failed[i].worker.n);
        is_uint(&failed[i], "code", a->failed[i].code);
        has_bytes(&failed[i], "text", a->failed[i].text);
        is_uint(&failed[i], "crash_limit", a->failed[i].crash_limit);
    }
}

static void check_jobs(const struct reply *a, const struct reply_view *v)
{
    const struct hq_doc *jobs = list_of(v->doc, "jobs", a->u.jobs.n);
    for (uint32_t i = 0; i < a->u.jobs.n; i++)
        check_job(&a->u.jobs.jobs[i], &jobs[i]);
    numbers_are(v->doc, "missing", a->u.jobs.missing, a->u.jobs.n_missing);
    is_uint(v->doc, "total", a->u.jobs.total);
    is_uint(v->doc, "next", a->u.jobs.next);
    is_uint(v->doc, "change", a->u.jobs.change);
    assert_int_equal(v->next, a->u.jobs.next);
    assert_int_equal(v->change, a->u.jobs.change);
}

static void check_resource(const struct resource_def *a, const struct hq_doc *d)
{
    const struct hq_doc *labels = list_of(d, "labels", a->n_labels);
    has_bytes(d, "name", a->name);
    is_uint(d, "kind", a->kind);
    is_uint(d, "start", a->start);
    is_uint(d, "end", a->end);
    is_uint(d, "sum", a->sum);
    for (uint32_t i = 0; i < a->n_labels; i++)
        is_bytes(&labels[i], a->labels[i]);
    numbers_are(d, "group_sizes", a->group_sizes, a->n_groups);
}

static void check_config(const struct worker_config *a, const struct hq_doc *d)
{
    has_bytes(d, "hostname", a->hostname);
    has_bytes(d, "group", a->group);
    has_bytes(d, "work_dir", a->work_dir);
    has_bytes(d, "listen_address", a->listen_address);
    has_bytes(d, "manager_job_id", a->manager_job_id);
    is_uint(d, "manager", a->manager);
    is_uint(d, "on_server_lost", a->on_server_lost);
    is_uint(d, "pid", a->pid);
    is_uint(d, "min_utilization", a->min_utilization);
    is_uint(d, "heartbeat_ms", a->heartbeat_ms);
    is_uint(d, "idle_timeout_ms", a->idle_timeout_ms);
    is_uint(d, "time_limit_ms", a->time_limit_ms);
    is_uint(d, "overview_interval_ms", a->overview_interval_ms);
    const struct hq_doc *items = list_of(d, "resources", a->resources.n);
    for (uint32_t i = 0; i < a->resources.n; i++)
        check_resource(&a->resources.items[i], &items[i]);
}

static void check_worker(const struct worker_info *a, const struct hq_doc *d)
{
    is_uint(d, "id", a->id.n);
    is_uint(d, "end", a->end);
    check_config(a->config, member(d, "config"));
    is_uint(d, "idle_timeout_ms", a->idle_timeout_ms);
    is_uint(d, "joined_ms", a->joined_ms);
    is_uint(d, "ended_ms", a->ended_ms);
    is_uint(d, "assigned", a->assigned);
    is_uint(d, "running", a->running);
    const struct hq_doc *last = member(d, "last");
    if (!a->has_last) {
        assert_int_equal(last->kind, DOC_NULL);
        return;
    }
    is_uint(last, "job", a->last_task.job.n);
    is_uint(last, "task", a->last_task.index);
    is_uint(last, "at_ms", a->last_ms);
}

static void check_workers(const struct reply *a, const struct reply_view *v)
{
    const struct hq_doc *workers = list_of(v->doc, "workers", a->u.workers.n);
    for (uint32_t i = 0; i < a->u.workers.n; i++)
        check_worker(&a->u.workers.workers[i], &workers[i]);
    numbers_are(v->doc, "missing", a->u.workers.missing, a->u.workers.n_missing);
    is_uint(v->doc, "next", a->u.workers.next);
    assert_int_equal(v->next, a->u.workers.next);
}

static void check_journal(const struct reply *a, const struct hq_doc *doc)
{
    const struct hq_doc *data = member(doc, "data");
    is_uint(doc, "file", a->u.journal.at.file);
    is_uint(doc, "offset", a->u.journal.at.offset);
    is_uint(doc, "position", a->u.journal.position);
    is_uint(doc, "restated", a->u.journal.restated);
    same_bytes(a->u.journal.data, (struct bytes){data->v.p, data->n});
}

static void check_reply(const struct reply *a, const struct reply_view *v)
{
    same_field(a, v, id);
    same_field(a, v, code);
    same_field(a, v, kind);
    same_bytes(bytes_of(a->text), v->text);
    switch (a->kind) {
    case COMMAND_SERVER_INFO:
        check_server(&a->u.server, v->doc);
        break;
    case COMMAND_SERVER_STOP:
    case COMMAND_DEBUG_DUMP:
    case COMMAND_JOURNAL_FLUSH:
    case COMMAND_JOURNAL_PRUNE:
        assert_null(v->doc);
        break;
    case COMMAND_SUBMIT:
    case COMMAND_SUBMIT_PART:
    case COMMAND_JOB_OPEN:
        assert_int_equal(v->credit, a->more ? a->u.part.credit : 0);
        assert_int_equal(v->job.n, a->more ? 0 : a->u.job.job.n);
        break;
    case COMMAND_JOB_CLOSE:
    case COMMAND_JOB_CANCEL:
    case COMMAND_JOB_FORGET:
    case COMMAND_WORKER_STOP:
        check_outcomes(a, v->doc);
        break;
    case COMMAND_TASK_PAGE:
        same_page(&a->u.tasks, &v->tasks);
        break;
    case COMMAND_JOURNAL_READ:
        check_journal(a, v->doc);
        break;
    case COMMAND_WORKER_LIST:
    case COMMAND_WORKER_WAIT:
        check_workers(a, v);
        break;
    default:
        check_jobs(a, v);
    }
}

static void replies(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++)
        for (uint8_t kind = COMMAND_SERVER_INFO; kind <= COMMAND_LAST; kind++) {
            struct sample s = {seed, &mem};
            struct reply a = sample_reply(&s, kind);
            struct reply_view v;
            hqi_base_buf_clear(&out);
            encode_reply(&a, &out);
            assert_int_equal(hqi_wire_client_decode_reply(&v, hqi_base_buf_bytes(&out), &mem, NULL), HQ_OK);
            check_reply(&a, &v);
            if (seed < HOSTILE_ROUNDS && out.n < 3000) {
                hostile(hqi_base_buf_bytes(&out), decode_reply);
                starved(&a, encode_reply);
            }
            hqi_base_arena_clear(&mem);
        }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void failures_have_no_body(void **state)
{
    struct arena mem;
    struct buf out;
    struct reply_view v;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    /* The union is not looked at: a failure may leave it as it was. */
    struct reply r = {.id = 4, .code = HQ_ENOENT, .text = "Job 7 not found", .kind = COMMAND_JOB_INFO};
    memset(&r.u, 0x5a, sizeof r.u);
    encode_reply(&r, &out);
    assert_int_equal(hqi_wire_client_decode_reply(&v, hqi_base_buf_bytes(&out), &mem, NULL), HQ_OK);
    assert_int_equal(v.id, 4);
    assert_int_equal(v.code, HQ_ENOENT);
    same_bytes(v.text, bytes_of("Job 7 not found"));
    assert_null(v.doc);
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void long_command_lines_are_cut(void **state)
{
    static char text[300];
    static struct bytes argv[200];
    struct arena mem;
    struct buf out;
    struct reply_view v;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 200; i++)
        argv[i] = (struct bytes){text, 256 + (size_t)(i == 1)};
    struct spec *spec = sample_spec(&(struct sample){1, &mem}, true);
    spec->argv = argv;
    spec->n_argv = 200;
    spec->stdin_data = (struct bytes){text, 300};
    struct submit_info submit = {1, spec, 0};
    struct job_info job = {.id = {1}, .submits = &submit, .n_submits = 1};
    struct reply r = {.kind = COMMAND_JOB_INFO, .u.jobs = {.jobs = &job, .n = 1}};
    encode_reply(&r, &out);
    assert_int_equal(hqi_wire_client_decode_reply(&v, hqi_base_buf_bytes(&out), &mem, NULL), HQ_OK);
    const struct hq_doc *shown = list_of(list_of(v.doc, "jobs", 1), "submits", 1);
    const struct hq_doc *args = list_of(shown, "argv", 128);
    is_bytes(&args[0], argv[0]);
    is_bytes(&args[1], bytes_of("<257 bytes>"));
    is_uint(shown, "n_args", 200);
    is_uint(shown, "stdin_bytes", 300);
    assert_null(hqi_model_doc_get(shown, "stdin_data"));
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void replies_that_do_not_fit(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        {"", 0, "Reply.kind is 0"},
        {"\x88\x02\x63", 3, "Reply.kind is 99"},
        {"\x88\x02\x01", 3, "Reply.body 0 does not answer a request of kind 1"},
        {"\x88\x02\x0a\x22\x00", 5, "Reply.body 4 does not answer a request of kind 10"},
        {"\x88\x02\x0a\xf8\x01\x01\x2a\x00", 8, "Reply.body 5 does not answer a request of kind 10"},
        {"\x88\x02\x03\x12\x00", 5, "JobMade.job is 0"},
        {"\x88\x02\x0d\x32\x03\x0a\x01\x02", 8, "TaskPage.starts_ms has 0 values"},
        {"\x88\x02\x0d\x32\x09\x0a\x01\x02\x22\x01\x01\x12\x01\x06", 14, "TaskPage.states is 6"},
    };
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply_view v;
        struct bytes in = {cases[i].bytes, cases[i].n};
        assert_int_equal(hqi_wire_client_decode_reply(&v, in, &mem, &err), HQ_EPROTO);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
    }
    hqi_base_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands),
        cmocka_unit_test(the_id_survives),
        cmocka_unit_test(command_limits),
        cmocka_unit_test(spec_shapes),
        cmocka_unit_test(replies),
        cmocka_unit_test(failures_have_no_body),
        cmocka_unit_test(long_command_lines_are_cut),
        cmocka_unit_test(replies_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
