/* SPDX-License-Identifier: MIT */
/* held_test.c - what a worker says that it has, to a server that it comes back to. */
#include "rig.h"

#include "wire/worker.h"

static const char *groups_text(struct rig *r, const struct task_group *v, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        hqi_base_buf_addf(&r->text, " %u/%u:", v[i].submit, v[i].instance);
        for (uint32_t k = 0; k < v[i].n_ranges; k++)
            hqi_base_buf_addf(&r->text, "%s%u+%u", k ? "," : "", v[i].ranges[k].first, v[i].ranges[k].count);
    }
    return r->text.p;
}

static void expect_held_at(struct rig *r, const struct attach *a, const char *text, const char *file, int line)
{
    hqi_base_buf_clear(&r->text);
    hqi_base_buf_adds(&r->text, "specs");
    for (uint32_t i = 0; i < a->n_submits; i++)
        hqi_base_buf_addf(&r->text, " %u", a->submits[i]);
    hqi_base_buf_adds(&r->text, "; waiting");
    groups_text(r, a->waiting, a->n_waiting);
    hqi_base_buf_adds(&r->text, "; runs");
    for (uint32_t i = 0; i < a->news.n_started; i++)
        for (uint32_t k = 0; k < a->news.started[i].n; k++)
            hqi_base_buf_addf(&r->text, " %u.%u/%u@%llu", a->news.started[i].submit, a->news.started[i].ordinals[k],
                              a->news.started[i].instance, (unsigned long long)a->news.started[i].age_ms[k]);
    hqi_base_buf_adds(&r->text, "; ended");
    for (uint32_t i = 0; i < a->news.n_ended; i++)
        for (uint32_t k = 0; k < a->news.ended[i].n; k++)
            hqi_base_buf_addf(&r->text, " %u.%u=%u", a->news.ended[i].submit, a->news.ended[i].ordinals[k],
                              a->news.ended[i].code[k]);
    hqi_base_buf_adds(&r->text, "; crashed");
    groups_text(r, a->news.crashed, a->news.n_crashed);
    if (strcmp(r->text.p, text) != 0) {
        print_error("--- held:     %s\n--- expected: %s\n", r->text.p, text);
        _fail(file, line);
    }
}
#define expect_held(r, a, text) expect_held_at(r, a, text, __FILE__, __LINE__)

static int take_reports(struct rig *r, struct buf frames[], int n)
{
    struct from_worker m = {.kind = FROM_WORKER_REPORT};
    while (hqi_tasks_take_report(r->tasks, &r->now, &m.u.report)) {
        hqi_base_buf_init(&frames[n], &hqi_base_alloc_libc);
        hqi_wire_worker_encode_from(&m, &frames[n++]);
    }
    return n;
}

static void all_that_there_is(void **state)
{
    struct buf frames[4];
    struct attach a = {0};
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_submit(&r, 2, "cpus=1", 0);
    rig_assign(&r, 1, 0, 6);
    assert_int_equal(rig_try_assign(&r, 2, 3, 2, 7), 0);
    rig_mail(&r);
    rig_started(&r, "1.0");
    rig_started(&r, "1.1");
    r.now.mono_ns += 1500 * HQI_MS;
    rig_ended(&r, "1.0");
    assert_int_equal(hqi_tasks_held(r.tasks, &r.now, &r.arena, &a, NULL), HQ_ENOMEM); /* 1.0 would be missing */
    int n = take_reports(&r, frames, 0);
    rig_mail(&r);
    for (int i = 0; i < n; i++)
        assert_int_equal(hqi_tasks_held_frame(hqi_base_buf_bytes(&frames[i]), &hqi_base_alloc_libc, &r.arena, &a, NULL), 0);
    assert_int_equal(hqi_tasks_held(r.tasks, &r.now, &r.arena, &a, NULL), 0);
    expect_held(&r, &a, "specs 1 2; waiting 1/0:5+1,2+3 2/7:3+2; runs 1.1/0@1500; ended 1.0=0; crashed");
    for (int i = 0; i < n; i++)
        hqi_base_buf_fini(&frames[i]);
    rig_fini(&r);
}

static void nothing_of_what_was_cancelled(void **state)
{
    struct attach a = {0};
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 3);
    rig_mail(&r);
    rig_started(&r, "1.0");
    rig_take(&r, TO_WORKER_CANCEL, 1, 0, 1);
    rig_take(&r, TO_WORKER_CANCEL, 1, 2, 1);
    assert_int_equal(hqi_tasks_held(r.tasks, &r.now, &r.arena, &a, NULL), 0);
    expect_held(&r, &a, "specs 1; waiting 1/0:1+1; runs; ended; crashed");
    rig_fini(&r);
}

/* A registration that was not acknowledged is such a frame as well. */
static void frames_of_two_sessions(void **state)
{
    uint32_t ordinals[] = {5};
    uint64_t zero[] = {0};
    uint16_t code[] = {1};
    const struct report_end end = {1, 0, 1, ordinals, zero, zero, code, NULL, NULL, 0};
    const struct ord_range range = {8, 1};
    const struct task_group crash = {.submit = 1, .instance = 2, .ranges = &range, .n_ranges = 1};
    struct attach before = {.worker = {1}, .server_uid = bytes_of("uid"), .news = {.ended = &end, .n_ended = 1}}, a = {0};
    struct from_worker m = {.kind = FROM_WORKER_REGISTER};
    struct rig r;
    struct buf frame;
    rig_init(&r, "cpus=1", 1);
    hqi_base_buf_init(&frame, &hqi_base_alloc_libc);
    r.config.on_server_lost = LOST_WAIT;
    r.config.hostname = r.config.group = bytes_of("node");
    m.u.hello.config = &r.config;
    m.u.hello.attach = &before;
    hqi_wire_worker_encode_from(&m, &frame);
    assert_int_equal(hqi_tasks_held_frame(hqi_base_buf_bytes(&frame), &hqi_base_alloc_libc, &r.arena, &a, NULL), 0);
    m.kind = FROM_WORKER_REPORT;
    m.u.report = (struct report){.crashed = &crash, .n_crashed = 1, .returned = &crash, .n_returned = 1};
    for (int i = 0; i < 5; i++) { /* the array grows */
        hqi_base_buf_clear(&frame);
        hqi_wire_worker_encode_from(&m, &frame);
        assert_int_equal(hqi_tasks_held_frame(hqi_base_buf_bytes(&frame), &hqi_base_alloc_libc, &r.arena, &a, NULL), 0);
    }
    m = (struct from_worker){.kind = FROM_WORKER_ENDING, .u.ending = HQ_WORKER_STOPPED};
    hqi_base_buf_clear(&frame);
    hqi_wire_worker_encode_from(&m, &frame);
    assert_int_equal(hqi_tasks_held_frame(hqi_base_buf_bytes(&frame), &hqi_base_alloc_libc, &r.arena, &a, NULL), 0);
    assert_int_equal(hqi_tasks_held_frame(bytes_of("\x01"), &hqi_base_alloc_libc, &r.arena, &a, NULL), HQ_EPROTO);
    expect_held(&r, &a, "specs; waiting; runs; ended 1.5=1; crashed 1/2:8+1 1/2:8+1 1/2:8+1 1/2:8+1 1/2:8+1");
    hqi_base_buf_fini(&frame);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_there_is),
        cmocka_unit_test(nothing_of_what_was_cancelled),
        cmocka_unit_test(frames_of_two_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
