/* SPDX-License-Identifier: MIT */
/* record_test.c - facts as a journal stores them: round trips, sizes, kinds of later versions, hostile bytes. */
#include "same.h"

#include "wire/pb.h"
#include "wire/record.pb-c.h"

#define ROUNDS 60
#define HOSTILE_ROUNDS 3

struct facts { /* for starved() */
    const struct fact *v;
    uint32_t n;
};

static int decode(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct fact *v;
    uint32_t n;
    int rc = hqi_wire_record_decode(&v, &n, in, a, mem, err);
    hqi_wire_record_drop(v, n);
    return rc;
}

static void encode(const void *value, struct buf *out)
{
    const struct facts *f = value;
    hqi_wire_record_encode(f->v, f->n, out);
}

static void same_submit(const struct fact *a, const struct fact *b)
{
    same_field(a, b, u.submit.job.n);
    same_field(a, b, u.submit.new_job);
    same_bytes(a->u.submit.name, b->u.submit.name);
    same_field(a, b, u.submit.max_fails);
    same_field(a, b, u.submit.submit);
    same_spec(a->u.submit.spec, b->u.submit.spec);
    same_field(a, b, u.submit.key.a);
    same_field(a, b, u.submit.key.b);
}

static void same_job_stop(const struct fact *a, const struct fact *b)
{
    same_field(a, b, u.job_cancel.job.n);
    same_bytes(a->u.job_cancel.reason, b->u.job_cancel.reason);
    same_field(a, b, u.job_cancel.n_active);
    for (uint32_t i = 0; i < a->u.job_cancel.n_active; i++) {
        const struct worker_tasks *x = &a->u.job_cancel.active[i], *y = &b->u.job_cancel.active[i];
        same_field(x, y, worker.n);
        same_tasks(x->groups, x->n_groups, y->groups, y->n_groups);
    }
}

static void same_trace(const struct worker_trace *a, const struct worker_trace *b)
{
    same_field(a, b, worker.n);
    same_field(a, b, has_last);
    same_field(a, b, last_task.job.n);
    same_field(a, b, last_task.index);
    same_field(a, b, last_ms);
    same_field(a, b, idle_since_ms);
    same_field(a, b, n_classes);
    for (uint32_t i = 0; i < a->n_classes; i++) {
        same_field(a, b, classes[i].class);
        same_field(a, b, classes[i].blocked);
        same_field(a, b, classes[i].rate_x16);
        same_field(a, b, classes[i].rate_ms);
    }
}

static void same_fact(const struct fact *a, const struct fact *b)
{
    assert_int_equal(a->kind, b->kind);
    same_field(a, b, utc_ms);
    switch (a->kind) {
    case FACT_SERVER_START:
        same_field(a, b, u.server_start.epoch);
        same_bytes(a->u.server_start.uid, b->u.server_start.uid);
        break;
    case FACT_SERVER_STOP:
        break;
    case FACT_JOB_OPEN:
        same_field(a, b, u.job_open.job.n);
        same_bytes(a->u.job_open.name, b->u.job_open.name);
        same_field(a, b, u.job_open.max_fails);
        same_field(a, b, u.job_open.key.a);
        same_field(a, b, u.job_open.key.b);
        break;
    case FACT_SUBMIT:
        same_submit(a, b);
        break;
    case FACT_JOB_CLOSE:
    case FACT_JOB_FORGET:
        same_field(a, b, u.job_close.job.n);
        same_field(a, b, u.job_close.key.a);
        same_field(a, b, u.job_close.key.b);
        break;
    case FACT_JOB_CANCEL:
    case FACT_JOB_ABORT:
        same_job_stop(a, b);
        same_field(a, b, u.job_cancel.key.a);
        same_field(a, b, u.job_cancel.key.b);
        break;
    case FACT_WORKER_JOIN:
        same_field(a, b, u.worker_join.worker.n);
        same_config(a->u.worker_join.config, b->u.worker_join.config);
        same_field(a, b, u.worker_join.uid);
        same_bytes(a->u.worker_join.token, b->u.worker_join.token);
        break;
    case FACT_WORKER_BACK:
        same_field(a, b, u.worker_back.worker.n);
        same_field(a, b, u.worker_back.n_submits);
        for (uint32_t i = 0; i < a->u.worker_back.n_submits; i++)
            same_field(a, b, u.worker_back.submits[i]);
        break;
    case FACT_WORKER_STOP:
    case FACT_WORKER_LOST:
        same_field(a, b, u.worker_stop.worker.n);
        same_field(a, b, u.worker_stop.reason);
        same_field(a, b, u.worker_stop.blameless);
        break;
    case FACT_STARTED:
        same_field(a, b, u.started.worker.n);
        same_field(a, b, u.started.n_groups);
        for (uint32_t i = 0; i < a->u.started.n_groups; i++)
            same_start(&a->u.started.groups[i], &b->u.started.groups[i]);
        break;
    case FACT_ENDED:
        same_field(a, b, u.ended.worker.n);
        same_field(a, b, u.ended.n_groups);
        for (uint32_t i = 0; i < a->u.ended.n_groups; i++)
            same_end(&a->u.ended.groups[i], &b->u.ended.groups[i]);
        break;
    case FACT_OVERVIEW:
        same_field(a, b, u.overview.worker.n);
        same_load(a->u.overview.load, b->u.overview.load);
        break;
    case FACT_CLASS:
        assert_true(hqi_model_request_equal(a->u.class.request, b->u.class.request));
        break;
    case FACT_REMAINS:
        same_field(a, b, u.remains.jobs);
        same_field(a, b, u.remains.submits);
        same_field(a, b, u.remains.workers);
        same_field(a, b, u.remains.n_traces);
        for (uint32_t i = 0; i < a->u.remains.n_traces; i++)
            same_trace(&a->u.remains.traces[i], &b->u.remains.traces[i]);
        break;
    default:
        same_field(a, b, u.tasks.worker.n);
        same_field(a, b, u.tasks.block);
        same_tasks(a->u.tasks.groups, a->u.tasks.n_groups, b->u.tasks.groups, b->u.tasks.n_groups);
    }
}

/* No record takes more room than it is given. */
static void fits(struct sample *s, struct bytes record)
{
    struct decode d = {.mem = s->mem};
    const void *m = hqi_wire_pb_unpack(&d, &hqcore__record__descriptor, record, SIZE_MAX);
    assert_non_null(m);
    assert_in_range(hqi_wire_pb_room(m), record.n, 64 * record.n);
}

static void round_trip(struct sample *s, struct buf *out)
{
    uint32_t n, n_back;
    struct fact *a = sample_facts(s, &n), *b;
    hqi_base_buf_clear(out);
    hqi_wire_record_encode(a, n, out);
    fits(s, hqi_base_buf_bytes(out));
    assert_int_equal(
        hqi_wire_record_decode(&b, &n_back, hqi_base_buf_bytes(out), &hqi_base_alloc_libc, s->mem, NULL),
        HQ_OK);
    assert_int_equal(n, n_back);
    for (uint32_t i = 0; i < n; i++)
        same_fact(&a[i], &b[i]);
    hqi_wire_record_drop(b, n_back);
    assert_null(b[FACT_SUBMIT - 1].u.submit.spec);
    hqi_wire_record_drop(b, n_back); /* what is gone is not freed again */
}

static void hostile_facts(struct sample *s, struct buf *out)
{
    uint32_t n;
    struct fact *v = sample_facts(s, &n);
    for (uint32_t i = 0; i < n; i++) { /* one by one: else a flip in the first hides the others */
        struct facts one = {&v[i], 1};
        hqi_base_buf_clear(out);
        encode(&one, out);
        hostile(hqi_base_buf_bytes(out), decode);
        starved(&one, encode);
    }
}

static void round_trips(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        round_trip(&(struct sample){seed, &mem}, &out);
        if (seed < HOSTILE_ROUNDS)
            hostile_facts(&(struct sample){seed, &mem}, &out);
        hqi_base_arena_clear(&mem);
    }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void the_empty_record(void **state)
{
    struct fact *v;
    uint32_t n;
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_wire_record_decode(&v, &n, (struct bytes){"", 0}, &hqi_base_alloc_libc, &mem, NULL),
                     HQ_OK);
    assert_int_equal(n, 0);
    hqi_base_arena_fini(&mem);
}

static void unknown_kinds(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        int code;
        const char *text;
    } cases[] = {
        /* facts {kind: 30, field 99: ""}: a later version's */
        {"\x0a\x06\xa8\x06\x1e\x9a\x06\x00", 8, HQ_EVERSION, "a fact of kind 30, this version knows 1 to 23"},
        {"\x0a\x06\xa8\x06\xff\xff\xff\x7f", 8, HQ_EVERSION, "a fact of kind 268435455"},
        {"\x0a\x00", 2, HQ_EPROTO, "Fact.kind is 0, Fact.body 0"},
        {"\x0a\x03\xa8\x06\x02", 5, HQ_EPROTO, "Fact.kind is 2, Fact.body 0"}, /* without its body */
        {"\x0a\x05\xa8\x06\x02\x22\x00", 7, HQ_EPROTO, "Fact.kind is 2, Fact.body 4"},
    };
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = decode((struct bytes){cases[i].bytes, cases[i].n}, &hqi_base_alloc_libc, &mem, &err);
        assert_int_equal(rc, cases[i].code);
        assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
    }
    hqi_base_arena_fini(&mem);
}

static void overlapping_ids_are_refused(void **state)
{
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    struct sample s = {7, &mem};
    hq_range twice[] = {{0, 5, 1}, {4, 5, 1}};
    struct spec *spec = sample_spec(&s, false);
    spec->ids = (struct intset){twice, NULL, 2, 10, true};
    struct fact f = {.kind = FACT_SUBMIT, .u.submit = {.job = {1}, .submit = 1, .spec = spec}};
    hqi_wire_record_encode(&f, 1, &out);
    assert_int_equal(decode(hqi_base_buf_bytes(&out), &hqi_base_alloc_libc, &mem, &err), HQ_EPROTO);
    assert_memory_equal(err.text, "Spec.ids: Ranges overlap", 24);
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void kept_memory_makes_the_same_records(void **state)
{
    struct arena mem, kept;
    struct buf once, again;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_arena_init(&kept, &hqi_base_alloc_libc);
    hqi_base_buf_init(&once, &hqi_base_alloc_libc);
    hqi_base_buf_init(&again, &hqi_base_alloc_libc);
    for (uint32_t seed = 1; seed <= ROUNDS; seed++) {
        struct sample s = {seed, &mem};
        uint32_t n;
        struct fact *v = sample_facts(&s, &n);
        hqi_base_buf_clear(&once);
        hqi_base_buf_clear(&again);
        hqi_wire_record_encode(v, n, &once);
        hqi_wire_record_encode_in(&kept, v, n, &again);
        assert_int_equal(once.n, again.n);
        assert_memory_equal(once.p, again.p, once.n);
        hqi_base_arena_clear(&mem);
    }
    hqi_base_buf_fini(&once);
    hqi_base_buf_fini(&again);
    hqi_base_arena_fini(&kept);
    hqi_base_arena_fini(&mem);
}

static void a_batch_of_ends_is_small(void **state)
{
    enum { N = 4000 };
    static uint32_t ordinals[N];
    static uint64_t start[N], duration[N];
    static uint16_t code[N];
    for (uint32_t i = 0; i < N; i++) {
        ordinals[i] = i;
        start[i] = 1700000000000 + i / 50;
        duration[i] = 10 + i % 30;
    }
    struct end_group g = {1, 0, N, ordinals, start, duration, code, NULL, NULL, 0};
    struct fact f = {.kind = FACT_ENDED, .utc_ms = 1700000000100, .u.ended = {{1}, &g, 1}};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_record_encode(&f, 1, &out);
    assert_in_range(out.n, 3 * N, 3 * N + 64);
    assert_in_range(out.room, out.n, 40 * N); /* is not measured, but does not get out of hand */
    hqi_base_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_empty_record),
        cmocka_unit_test(unknown_kinds),
        cmocka_unit_test(overlapping_ids_are_refused),
        cmocka_unit_test(kept_memory_makes_the_same_records),
        cmocka_unit_test(a_batch_of_ends_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
