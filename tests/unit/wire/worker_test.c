/* SPDX-License-Identifier: MIT */
/* worker_test.c - reports and hand-outs: round trips, sizes, shapes that are refused, hostile bytes. */
#include "same.h"

#include "wire/worker.pb-c.h"

#define ROUNDS 60
#define HOSTILE_ROUNDS 4 /* each bit of each byte: thousands of decodings a round */
#define MANY 4000u

static int decode_from(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct from_worker m;
    int rc = hqi_wire_worker_decode_from(&m, in, a, mem, err);
    if (rc == HQ_OK && m.kind == FROM_WORKER_REGISTER)
        hqi_model_config_free(m.u.hello.config);
    return rc;
}

static void free_specs(const struct to_worker_batch *m)
{
    for (uint32_t i = 0; i < m->n; i++)
        if (m->items[i].kind == TO_WORKER_SPEC)
            hqi_model_spec_free((struct spec *)m->items[i].u.spec.spec);
}

static int decode_to(struct bytes in, const struct alloc *a, struct arena *mem, hq_error *err)
{
    struct to_worker_batch m;
    int rc = hqi_wire_worker_decode_to(&m, in, a, mem, err);
    free_specs(&m);
    return rc;
}

static void encode_from(const void *value, struct buf *out)
{
    hqi_wire_worker_encode_from(value, out);
}

static void encode_to(const void *value, struct buf *out)
{
    hqi_wire_worker_encode_to(value, out);
}

static struct start_group start_of(const struct report_start *r)
{
    return (struct start_group){r->submit, r->instance, r->n, r->ordinals, r->age_ms, r->variant};
}

static struct end_group end_of(const struct report_end *r)
{
    return (struct end_group){r->submit,      r->instance, r->n,       r->ordinals, r->age_ms,
                              r->duration_ms, r->code,     r->variant, r->texts,    r->n_texts};
}

static void same_report(const struct report *a, const struct report *b)
{
    same_field(a, b, n_started);
    same_field(a, b, n_ended);
    for (uint32_t i = 0; i < a->n_started; i++) {
        struct start_group x = start_of(&a->started[i]), y = start_of(&b->started[i]);
        same_start(&x, &y);
        if (!x.variant)
            assert_null(y.variant);
    }
    for (uint32_t i = 0; i < a->n_ended; i++) {
        struct end_group x = end_of(&a->ended[i]), y = end_of(&b->ended[i]);
        same_end(&x, &y);
    }
    same_tasks(a->returned, a->n_returned, b->returned, b->n_returned);
    same_tasks(a->rejected, a->n_rejected, b->rejected, b->n_rejected);
    same_tasks(a->crashed, a->n_crashed, b->crashed, b->n_crashed);
}

static void same_attach(const struct attach *a, const struct attach *b)
{
    assert_int_equal(a != NULL, b != NULL);
    if (!a)
        return;
    same_field(a, b, worker.n);
    same_bytes(a->token, b->token);
    same_bytes(a->server_uid, b->server_uid);
    same_field(a, b, epoch);
    same_field(a, b, n_submits);
    same_column(a->submits, b->submits, a->n_submits, sizeof *a->submits);
    same_tasks(a->waiting, a->n_waiting, b->waiting, b->n_waiting);
    same_report(&a->news, &b->news);
}

static void from_worker_round_trip(struct sample *s, uint8_t kind, struct buf *out)
{
    struct from_worker a = sample_from_worker(s, kind), b;
    hqi_base_buf_clear(out);
    encode_from(&a, out);
    assert_false(out->failed);
    assert_int_equal(
        hqi_wire_worker_decode_from(&b, hqi_base_buf_bytes(out), &hqi_base_alloc_libc, s->mem, NULL), HQ_OK);
    assert_int_equal(b.kind, kind);
    if (kind == FROM_WORKER_REGISTER) {
        same_config(a.u.hello.config, b.u.hello.config);
        hqi_model_config_free(b.u.hello.config);
        same_attach(a.u.hello.attach, b.u.hello.attach);
    } else if (kind == FROM_WORKER_REPORT)
        same_report(&a.u.report, &b.u.report);
    else if (kind == FROM_WORKER_OVERVIEW)
        same_load(a.u.overview, b.u.overview);
    else
        assert_int_equal(a.u.ending, b.u.ending);
    if (s->seed % ROUNDS < HOSTILE_ROUNDS) {
        hostile(hqi_base_buf_bytes(out), decode_from);
        starved(&a, encode_from);
    }
}

static void same_assign(const struct to_worker *a, const struct to_worker *b)
{
    same_field(a, b, u.assign.n_groups);
    for (uint32_t i = 0; i < a->u.assign.n_groups; i++) {
        const struct assign_group *x = &a->u.assign.groups[i], *y = &b->u.assign.groups[i];
        same_field(x, y, submit);
        same_field(x, y, instance);
        same_field(x, y, n_ranges);
        same_field(x, y, n_ids);
        same_column(x->ranges, y->ranges, x->n_ranges, sizeof *x->ranges);
        same_column(x->ids, y->ids, x->n_ids, sizeof *x->ids);
        same_list(x->entries, x->n_entries, y->entries, y->n_entries);
        if (!x->entries)
            assert_null(y->entries);
    }
}

static void same_item(const struct to_worker *a, const struct to_worker *b)
{
    assert_int_equal(a->kind, b->kind);
    switch (a->kind) {
    case TO_WORKER_SPEC:
        same_field(a, b, u.spec.submit);
        same_field(a, b, u.spec.job.n);
        same_bytes(a->u.spec.server_uid, b->u.spec.server_uid);
        same_spec(a->u.spec.spec, b->u.spec.spec);
        break;
    case TO_WORKER_ASSIGN:
        same_assign(a, b);
        break;
    case TO_WORKER_DROP:
        same_field(a, b, u.drop.submit);
        break;
    case TO_WORKER_STOP:
        same_field(a, b, u.stop.reason);
        break;
    default:
        same_tasks(a->u.tasks.groups, a->u.tasks.n_groups, b->u.tasks.groups, b->u.tasks.n_groups);
    }
}

static void to_worker_round_trip(struct sample *s, struct buf *out, bool with_hostile)
{
    struct to_worker_batch a = sample_to_worker(s), b;
    hqi_base_buf_clear(out);
    encode_to(&a, out);
    assert_int_equal(
        hqi_wire_worker_decode_to(&b, hqi_base_buf_bytes(out), &hqi_base_alloc_libc, s->mem, NULL), HQ_OK);
    same_field(&a, &b, has_registered);
    if (a.has_registered) {
        same_field(&a, &b, registered.worker.n);
        same_bytes(a.registered.server_uid, b.registered.server_uid);
        same_field(&a, &b, registered.idle_timeout_ms);
    }
    same_field(&a, &b, n);
    for (uint32_t i = 0; i < a.n; i++)
        same_item(&a.items[i], &b.items[i]);
    free_specs(&b);
    if (with_hostile && out->n < 3000) {
        hostile(hqi_base_buf_bytes(out), decode_to);
        starved(&a, encode_to);
    }
}

static void round_trips(void **state)
{
    struct arena mem;
    struct buf out;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        for (uint8_t kind = FROM_WORKER_REGISTER; kind <= FROM_WORKER_OVERVIEW; kind++)
            from_worker_round_trip(&(struct sample){seed, &mem}, kind, &out);
        to_worker_round_trip(&(struct sample){seed, &mem}, &out, seed < HOSTILE_ROUNDS * 2);
        hqi_base_arena_clear(&mem);
    }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

/* ---- sizes: what a busy server sends and keeps ---- */

static void fill_busy(uint32_t *ordinals, uint64_t *age, uint64_t *duration)
{
    for (uint32_t i = 0; i < MANY; i++) {
        ordinals[i] = 1000000 + i + (i % 7 == 0);
        age[i] = 100 - i * 90 / MANY + i % 3;
        duration[i] = 5 + i % 60;
    }
}

static void finishes_are_small(void **state)
{
    static uint32_t ordinals[MANY];
    static uint64_t age[MANY], duration[MANY];
    static uint16_t code[MANY];
    fill_busy(ordinals, age, duration);
    struct report_end end = {3, 0, MANY, ordinals, age, duration, code, NULL, NULL, 0};
    struct from_worker m = {.kind = FROM_WORKER_REPORT, .u.report = {.ended = &end, .n_ended = 1}};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_from(&m, &out);
    assert_in_range(out.n, 3 * MANY, 3 * MANY + 64);
    code[MANY / 2] = 1; /* one failure: the column of codes appears, a byte each */
    hqi_base_buf_clear(&out);
    hqi_wire_worker_encode_from(&m, &out);
    assert_in_range(out.n, 4 * MANY, 4 * MANY + 64);
    hqi_base_buf_fini(&out);
}

static void a_range_is_a_few_bytes(void **state)
{
    struct ord_range all = {0, 1000000000};
    hq_range ids = {1, 1000000000, 1};
    struct assign_group g = {7, 0, &all, 1, &ids, 1, NULL, 0};
    struct to_worker item = {.kind = TO_WORKER_ASSIGN, .u.assign = {&g, 1}};
    struct to_worker_batch m = {.items = &item, .n = 1};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_to(&m, &out);
    assert_in_range(out.n, 1, 48);
    hqi_base_buf_fini(&out);
}

/* ---- shapes that are refused ---- */

static void refused_report(const struct report *r, int code, const char *text)
{
    struct from_worker m = {.kind = FROM_WORKER_REPORT, .u.report = *r}, back;
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_from(&m, &out);
    assert_int_equal(
        hqi_wire_worker_decode_from(&back, hqi_base_buf_bytes(&out), &hqi_base_alloc_libc, &mem, &err), code);
    assert_memory_equal(err.text, text, strlen(text));
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void bad_groups(void **state)
{
    static const struct {
        uint32_t submit;
        struct ord_range range;
        const char *text;
    } cases[] = {
        {0, {0, 1}, "TaskGroup.submit is 0"},
        {1, {5, 0}, "TaskGroup.count: 0 ordinals from 5"},
        {1, {UINT32_MAX, 1}, "TaskGroup.count: 1 ordinals from 4294967295"},
        {1, {2, UINT32_MAX - 1}, "TaskGroup.count: 4294967294 ordinals from 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct task_group g = {cases[i].submit, 0, &cases[i].range, 1, false, false};
        refused_report(&(struct report){.returned = &g, .n_returned = 1}, HQ_EPROTO, cases[i].text);
    }
}

static void bad_ends(void **state)
{
    static const struct {
        uint32_t submit, ordinal;
        uint16_t code;
        uint8_t variant;
        uint32_t text_row;
        const char *text;
    } cases[] = {
        {0, 0, 0, 0, 0, "EndGroup.submit is 0"},
        {1, UINT32_MAX, 0, 0, 0, "EndGroup.ordinals is 4294967295"},
        {1, 0, 516, 0, 0, "EndGroup.codes is 516"},
        {1, 0, 0, 32, 0, "EndGroup.variants is 32"},
        {1, 0, 0, 0, 1, "text_rows: row 1 of 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t zero = 0;
        struct end_text text = {cases[i].text_row, {"x", 1}};
        struct report_end g = {cases[i].submit,   0,     1, &cases[i].ordinal, &zero, &zero, &cases[i].code,
                               &cases[i].variant, &text, 1};
        refused_report(&(struct report){.ended = &g, .n_ended = 1}, HQ_EPROTO, cases[i].text);
    }
}

static void columns_of_different_lengths(void **state)
{
    int32_t ordinals[3] = {0};
    int64_t starts[3] = {0};
    uint64_t durations[3] = {0};
    uint32_t codes[3] = {0};
    static const struct {
        size_t n[4];
        const char *text;
    } cases[] = {
        {{3, 3, 3, 0}, NULL}, /* the column of codes may be left out */
        {{3, 2, 3, 3}, "EndGroup.starts has 2 values, the other columns have 3"},
        {{3, 3, 2, 3}, "EndGroup.durations_ms has 2 values"},
        {{3, 3, 3, 2}, "EndGroup.codes has 2 values"},
        {{0, 0, 0, 1}, "EndGroup.codes has 1 values"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Hqcore__EndGroup group = HQCORE__END_GROUP__INIT, *groups = &group;
        Hqcore__Report report = HQCORE__REPORT__INIT;
        Hqcore__FromWorker m = HQCORE__FROM_WORKER__INIT;
        group.submit = 1;
        group.n_ordinals = cases[i].n[0], group.ordinals = ordinals;
        group.n_starts = cases[i].n[1], group.starts = starts;
        group.n_durations_ms = cases[i].n[2], group.durations_ms = durations;
        group.n_codes = cases[i].n[3], group.codes = codes;
        report.n_ended = 1, report.ended = &groups;
        m.body_case = HQCORE__FROM_WORKER__BODY_REPORT, m.report = &report;
        uint8_t bytes[256];
        struct arena mem;
        hq_error err;
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
        size_t n = hqcore__from_worker__pack(&m, bytes);
        int rc = decode_from((struct bytes){(char *)bytes, n}, &hqi_base_alloc_libc, &mem, &err);
        assert_int_equal(rc, cases[i].text ? HQ_EPROTO : HQ_OK);
        if (cases[i].text)
            assert_memory_equal(err.text, cases[i].text, strlen(cases[i].text));
        hqi_base_arena_fini(&mem);
    }
}

static void refused_assign(const struct assign_group *g, const char *text)
{
    struct to_worker item = {.kind = TO_WORKER_ASSIGN, .u.assign = {g, 1}};
    struct to_worker_batch m = {.items = &item, .n = 1};
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_to(&m, &out);
    assert_int_equal(decode_to(hqi_base_buf_bytes(&out), &hqi_base_alloc_libc, &mem, &err), HQ_EPROTO);
    assert_memory_equal(err.text, text, strlen(text));
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

static void bad_assigns(void **state)
{
    struct ord_range four = {0, 4};
    hq_range three = {0, 3, 1}, step0 = {0, 4, 0}, beyond = {UINT32_MAX - 2, 4, 1};
    struct bytes entries[3] = {{"a", 1}, {"b", 1}, {"c", 1}};
    hq_range ids = {0, 4, 1};
    refused_assign(&(struct assign_group){1, 0, &four, 1, &three, 1, NULL, 0},
                   "AssignGroup.ids (their number) is 3");
    refused_assign(&(struct assign_group){1, 0, &four, 1, NULL, 0, NULL, 0},
                   "AssignGroup.ids (their number) is 0");
    refused_assign(&(struct assign_group){1, 0, &four, 1, &step0, 1, NULL, 0},
                   "AssignGroup.ids: 4 ids from 0 by 0");
    refused_assign(&(struct assign_group){1, 0, &four, 1, &beyond, 1, NULL, 0},
                   "AssignGroup.ids: 4 ids from 4294967293");
    refused_assign(&(struct assign_group){1, 0, &four, 1, &ids, 1, entries, 3},
                   "AssignGroup.entry_lengths has 3");
}

static void unknown_body(void **state)
{
    static const char field9[] = "\x4a\x00"; /* a message of a later version */
    static const char item9[] = "\x12\x02\x4a\x00";
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(decode_from((struct bytes){field9, 2}, &hqi_base_alloc_libc, &mem, &err), HQ_EPROTO);
    assert_string_equal(err.text, "FromWorker.body is none that this version knows");
    assert_int_equal(decode_to((struct bytes){item9, 4}, &hqi_base_alloc_libc, &mem, &err), HQ_EPROTO);
    assert_string_equal(err.text, "ToWorkerItem.body is none that this version knows");
    hqi_base_arena_fini(&mem);
}

/* Two bytes on the wire, a struct each in memory: the budget must end it, long before memory does. */
static void a_bomb_is_defused(void **state)
{
    size_t n = 8u << 20;
    char *bomb = test_malloc(n);
    for (size_t i = 0; i < n; i += 2) {
        bomb[i] = 0x12; /* ToWorker.items, empty */
        bomb[i + 1] = 0;
    }
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(decode_to((struct bytes){bomb, n}, &hqi_base_alloc_libc, &mem, &err), HQ_ELIMIT);
    assert_non_null(strstr(err.text, "a ToWorker of 8388608 bytes needs more than"));
    hqi_base_arena_fini(&mem);
    test_free(bomb);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(finishes_are_small),
        cmocka_unit_test(a_range_is_a_few_bytes),
        cmocka_unit_test(bad_groups),
        cmocka_unit_test(bad_ends),
        cmocka_unit_test(columns_of_different_lengths),
        cmocka_unit_test(bad_assigns),
        cmocka_unit_test(unknown_body),
        cmocka_unit_test(a_bomb_is_defused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
