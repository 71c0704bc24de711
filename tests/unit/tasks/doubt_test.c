/* SPDX-License-Identifier: MIT */
/* doubt_test.c - failures inside an allocation, which may be no more than its end: whoever ends it signals the tasks and the
 * worker alike, in no order. */
#include "rig.h"

#define KILLED (HQ_CODE_SIGNAL + 15)
#define SOON_NS (999 * HQI_MS)

static void init(struct rig *r, uint8_t manager)
{
    rig_init(r, "cpus=4", 1);
    r->config.manager = manager;
    rig_submit(r, 1, "cpus=1", 0);
    rig_assign(r, 1, 0, 6);
    rig_mail(r);
    for (int i = 0; i < 4; i++) {
        snprintf(r->name, sizeof r->name, "1.%d", i);
        rig_started(r, r->name);
    }
    expect_report(r, "started 1.0; started 1.1; started 1.2; started 1.3");
}

static void told_a_second_later(void **state)
{
    struct rig r;
    init(&r, MANAGER_SLURM);
    rig_ended_after(&r, "1.0", KILLED, 10, NULL);
    rig_ended_after(&r, "1.1", 1, 10, NULL);
    rig_ended(&r, "1.2");
    expect_report(&r, "ended 1.2=0");
    assert_int_equal(hqi_tasks_deadline(r.tasks), r.now.mono_ns + HQI_SEC);
    r.now.mono_ns += SOON_NS;
    rig_ended_after(&r, "1.3", HQ_CODE_TEXT, 10, "oh");
    expect_report(&r, "");
    r.now.mono_ns += HQI_MS;
    expect_report(&r, "ended 1.0=271; ended 1.1=1");
    r.now.mono_ns += SOON_NS;
    expect_report(&r, "ended 1.3=513 (oh)");
    rig_fini(&r);
}

/* Their slots are free at once. */
static void others_start_meanwhile(void **state)
{
    struct rig r;
    init(&r, MANAGER_PBS);
    rig_ended_after(&r, "1.0", KILLED, 10, NULL);
    rig_started(&r, "1.4");
    expect_report(&r, "started 1.4");
    rig_fini(&r);
}

static void told_at_once(void **state)
{
    struct rig r;
    init(&r, MANAGER_NONE);
    rig_ended_after(&r, "1.0", KILLED, 10, NULL);
    expect_report(&r, "ended 1.0=271");
    rig_fini(&r);
    init(&r, MANAGER_SLURM); /* these are no matter of signals */
    rig_ended_after(&r, "1.0", HQ_CODE_TIME_LIMIT, 10, NULL);
    rig_ended_after(&r, "1.1", HQ_CODE_LAUNCH, 0, "no such file");
    expect_report(&r, "ended 1.0=512; ended 1.1=514 (no such file)");
    rig_fini(&r);
}

static void never_told(void **state)
{
    struct rig r;
    init(&r, MANAGER_SLURM);
    rig_ended_after(&r, "1.0", KILLED, 10, NULL);
    hqi_tasks_end(r.tasks); /* it was the end */
    r.now.mono_ns += 2 * HQI_SEC;
    expect_report(&r, "");
    rig_fini(&r);
    init(&r, MANAGER_SLURM);
    rig_ended_after(&r, "1.0", 1, 10, NULL);
    rig_ended_after(&r, "1.1", 1, 10, NULL);
    rig_drop(&r, 1);
    r.now.mono_ns += 2 * HQI_SEC;
    expect_report(&r, "");
    rig_fini(&r);
}

/* To a server that the worker comes back to. */
static void said_to_run(void **state)
{
    struct attach a = {0};
    struct rig r;
    init(&r, MANAGER_SLURM);
    rig_submit(&r, 2, "cpus=1", 0);
    rig_ended_after(&r, "1.2", KILLED, 10, NULL);
    assert_int_equal(hqi_tasks_held(r.tasks, &r.now, &r.arena, &a, NULL), 0);
    assert_int_equal(a.news.n_ended, 0);
    assert_int_equal(a.news.n_started, 1);
    assert_int_equal(a.news.started[0].submit, 1);
    assert_int_equal(a.news.started[0].n, 4);
    assert_int_equal(a.news.started[0].ordinals[0], 2);
    r.now.mono_ns += HQI_SEC;
    expect_report(&r, "ended 1.2=271");
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(told_a_second_later), cmocka_unit_test(others_start_meanwhile), cmocka_unit_test(told_at_once),
        cmocka_unit_test(never_told),          cmocka_unit_test(said_to_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
