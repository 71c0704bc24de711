/* SPDX-License-Identifier: MIT */
/* The post whose tasks the host runs: what it is handed, and what its answers come to. */
#include "rig.h"

#define FUNCTION "cpus=1;function/f=1"

struct host_rig {
    struct rig rig;
    struct arena mem;
    struct host_tasks batch;
};

static void init(struct host_rig *h, const char *node)
{
    rig_init(&h->rig, node, 1);
    hqi_base_arena_init(&h->mem, &h->rig.mem.alloc);
}

static void fini(struct host_rig *h)
{
    hqi_base_arena_fini(&h->mem);
    rig_fini(&h->rig);
}

/* The ids of the next batch, "100-103"; "": none. */
static const char *take(struct host_rig *h)
{
    static char text[64];
    text[0] = '\0';
    hqi_base_arena_clear(&h->mem);
    if (!hqi_tasks_take_host(h->rig.tasks, &h->rig.now, &h->mem, &h->batch))
        return text;
    const struct host_tasks *b = &h->batch;
    for (uint32_t i = 1; i < b->n; i++)
        assert_int_equal(b->ids[i], b->ids[0] + i);
    snprintf(text, sizeof text, "%u-%u", b->ids[0], b->ids[b->n - 1]);
    rig_verify(&h->rig);
    return text;
}

static int answer(struct host_rig *h, uint32_t i, uint16_t code, uint64_t ms, const char *text)
{
    const struct helper_ended e = {.key = h->batch.keys[i], .code = code, .age_ms = ms, .duration_ms = ms, .text = bytes_of(text)};
    int rc = hqi_tasks_on_host(h->rig.tasks, &h->rig.now, &e, NULL);
    rig_verify(&h->rig);
    return rc;
}

static void answer_all(struct host_rig *h, uint64_t ms)
{
    for (uint32_t i = 0; i < h->batch.n; i++)
        assert_int_equal(answer(h, i, 0, ms, NULL), 0);
}

static void pass(struct host_rig *h, uint64_t ms)
{
    h->rig.now.mono_ns += ms * HQI_MS;
}

static void test_batches_grow_with_short_tasks(void **state)
{
    struct host_rig h;
    init(&h, "cpus=2;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 100);
    assert_string_equal(take(&h), "100-103"); /* two run, one is staged behind each: nothing is known of them yet */
    assert_string_equal(take(&h), "");
    expect_mail(&h.rig, ""); /* nothing of it goes to a helper */
    answer_all(&h, 0);
    assert_string_equal(take(&h), "104-199");
    assert_int_equal(h.batch.job.n, 1);
    assert_true(bytes_is(h.batch.function, "f"));
    assert_null(h.batch.entries);
    answer_all(&h, 0);
    assert_string_equal(take(&h), "");
    assert_int_equal(hqi_tasks_n_running(h.rig.tasks), 0);
    fini(&h);
}

static void test_long_tasks_come_one_by_one(void **state)
{
    struct host_rig h;
    init(&h, "cpus=1;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 100);
    assert_string_equal(take(&h), "100-101");
    answer_all(&h, 10000);
    assert_string_equal(take(&h), "102-103");
    fini(&h);
}

static void test_beside_programs(void **state)
{
    struct host_rig h;
    init(&h, "cpus=2;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_submit(&h.rig, 2, "cpus=1", 0);
    rig_assign(&h.rig, 1, 0, 1);
    rig_assign(&h.rig, 2, 0, 3);
    assert_string_equal(take(&h), "100-100");
    expect_mail(&h.rig, "spec 2; launch 2.0; stage 2.1>2.0"); /* the other cpu */
    answer_all(&h, 1000);
    expect_mail(&h.rig, "launch 2.2"); /* and this one, which a function does not inherit */
    expect_report(&h.rig, "ended 1.0=0");
    fini(&h);
}

static void test_answers(void **state)
{
    struct host_rig h;
    init(&h, "cpus=4;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 4);
    assert_string_equal(take(&h), "100-103");
    answer(&h, 2, 0, 5, NULL);
    answer(&h, 2, 7, 5, NULL); /* the second time it is nobody's */
    answer(&h, 0, HQ_CODE_TEXT, 5, "why");
    answer(&h, 3, 9, 5, NULL);
    expect_report(&h.rig, "ended 1.2=0; ended 1.0=513 (why); ended 1.3=9");
    fini(&h);
}

static void test_started_is_told_late(void **state)
{
    struct host_rig h;
    init(&h, "cpus=2;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 2);
    assert_string_equal(take(&h), "100-101");
    expect_report(&h.rig, "");
    assert_int_equal(hqi_tasks_deadline(h.rig.tasks), h.rig.now.mono_ns + 20 * HQI_MS);
    pass(&h, 19);
    answer(&h, 0, 0, 19, NULL);
    expect_report(&h.rig, "ended 1.0=0");
    pass(&h, 1);
    expect_report(&h.rig, "started 1.1");
    expect_report(&h.rig, "");
    assert_int_equal(hqi_tasks_deadline(h.rig.tasks), UINT64_MAX);
    answer(&h, 1, 0, 20, NULL);
    expect_report(&h.rig, "ended 1.1=0");
    fini(&h);
}

static void test_what_the_host_has_cannot_be_taken_back(void **state)
{
    struct host_rig h;
    init(&h, "cpus=1;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 10);
    assert_string_equal(take(&h), "100-101");
    rig_take(&h.rig, TO_WORKER_RETRACT, 1, 0, 10);
    expect_report(&h.rig, "returned 1.2-9");
    answer_all(&h, 0);
    expect_report(&h.rig, "ended 1.0=0; ended 1.1=0");
    fini(&h);
}

static void test_cancelled(void **state)
{
    struct host_rig h;
    init(&h, "cpus=1;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 10);
    assert_string_equal(take(&h), "100-101");
    assert_true(hqi_tasks_host_wants(h.rig.tasks, h.batch.keys[1]));
    rig_take(&h.rig, TO_WORKER_CANCEL, 1, 1, 9);
    assert_true(hqi_tasks_host_wants(h.rig.tasks, h.batch.keys[0]));
    assert_false(hqi_tasks_host_wants(h.rig.tasks, h.batch.keys[1]));
    rig_drop(&h.rig, 1);
    assert_string_equal(take(&h), "");
    rig_submit(&h.rig, 2, FUNCTION, 0);
    rig_assign(&h.rig, 2, 0, 1);
    struct host_tasks first = h.batch;
    uint64_t keys[2] = {first.keys[0], first.keys[1]};
    assert_string_equal(take(&h), ""); /* the cpu is not free before it is answered */
    h.batch.keys = keys;
    answer(&h, 0, 0, 1, NULL);
    answer(&h, 1, 0, 1, NULL);
    expect_report(&h.rig, "");
    assert_string_equal(take(&h), "200-200");
    fini(&h);
}

static void test_variables_of_the_allocation(void **state)
{
    struct host_rig h;
    struct bytes value;
    init(&h, "cpus=1;function/f=sum(1000);gpus/nvidia=[4]");
    rig_submit(&h.rig, 1, "cpus=1;function/f=1;gpus/nvidia=1", 0);
    rig_assign(&h.rig, 1, 0, 1);
    assert_string_equal(take(&h), "100-100");
    assert_true(hqi_tasks_host_variable(h.rig.tasks, h.batch.keys[0], "CUDA_VISIBLE_DEVICES", &value));
    assert_true(bytes_is(value, "4"));
    assert_false(hqi_tasks_host_variable(h.rig.tasks, h.batch.keys[0], "HOME", &value));
    assert_false(hqi_tasks_host_variable(h.rig.tasks, h.batch.keys[0] + 1, "CUDA_VISIBLE_DEVICES", &value));
    fini(&h);
}

static void test_holding_and_ending(void **state)
{
    struct host_rig h;
    init(&h, "cpus=1;function/f=sum(1000)");
    rig_submit(&h.rig, 1, FUNCTION, 0);
    rig_assign(&h.rig, 1, 0, 10);
    hqi_tasks_hold(h.rig.tasks, true);
    assert_string_equal(take(&h), "");
    hqi_tasks_hold(h.rig.tasks, false);
    assert_string_equal(take(&h), "100-101");
    hqi_tasks_end(h.rig.tasks);
    answer(&h, 0, 0, 1, NULL);
    expect_report(&h.rig, "");
    assert_string_equal(take(&h), "");
    fini(&h); /* with one that was never answered */
}

static void test_no_memory(void **state)
{
    for (size_t i = 1;; i++) {
        struct host_rig h;
        const char *got = "";
        init(&h, "cpus=2;function/f=sum(1000)");
        rig_submit(&h.rig, 1, FUNCTION, 0);
        rig_assign(&h.rig, 1, 0, 2);
        h.rig.mem.calls = 0;
        h.rig.mem.fail_at = i;
        for (int tries = 0; tries < 3 && !*got; tries++) { /* what failed comes later, whole */
            got = take(&h);
            pass(&h, 10);
            expect_report(&h.rig, "");
        }
        assert_string_equal(got, "100-101");
        int rc = answer(&h, 0, HQ_CODE_TEXT, 1, "why");
        if (rc < 0)
            rc = answer(&h, 0, HQ_CODE_TEXT, 1, "why");
        assert_int_equal(rc, 0);
        bool hit = h.rig.mem.hit;
        fini(&h);
        if (!hit)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_grow_with_short_tasks),
        cmocka_unit_test(test_long_tasks_come_one_by_one),
        cmocka_unit_test(test_beside_programs),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_started_is_told_late),
        cmocka_unit_test(test_what_the_host_has_cannot_be_taken_back),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_variables_of_the_allocation),
        cmocka_unit_test(test_holding_and_ending),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
