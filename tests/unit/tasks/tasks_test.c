/* SPDX-License-Identifier: MIT */
/* What starts when, who inherits, what is taken back: scripts of inputs, and the messages that follow. */
#include "rig.h"

/* ---- starting and staging ---- */

static void tasks_start_in_order_and_followers_are_staged(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 5);
    expect_mail(&r, "spec 1; launch 1.0; launch 1.1; stage 1.2>1.0; stage 1.3>1.1");
    assert_int_equal(hqi_tasks_n_running(r.tasks), 2);
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 3);
    expect_mail(&r, "");
    rig_started(&r, "1.0");
    rig_started(&r, "1.1");
    expect_report(&r, "started 1.0; started 1.1");
    rig_ended(&r, "1.1");
    expect_mail(&r, "stage 1.4>1.3");
    expect_report(&r, "ended 1.1=0");
    rig_ended(&r, "1.3");
    rig_ended(&r, "1.0");
    rig_ended(&r, "1.4");
    expect_mail(&r, "");
    assert_int_equal(hqi_tasks_n_running(r.tasks), 1);
    rig_ended_after(&r, "1.2", HQ_CODE_TEXT, 3, "oh");
    expect_report(&r, "ended 1.3=0; ended 1.0=0; ended 1.4=0; ended 1.2=513 (oh)");
    assert_int_equal(hqi_tasks_n_running(r.tasks), 0);
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 0);
    expect_report(&r, "");
    rig_fini(&r);
}

static void older_jobs_and_lower_ids_go_first(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 2, "cpus=1", 0);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 2, 0, 1);
    rig_assign(&r, 1, 5, 1);
    rig_assign(&r, 1, 1, 2);
    expect_mail(&r, "spec 1; launch 1.1; stage 1.2>1.1");
    rig_ended(&r, "1.1");
    expect_mail(&r, "stage 1.5>1.2");
    rig_ended(&r, "1.2");
    expect_mail(&r, "spec 2; stage 2.0>1.5"); /* an equal request of another submit */
    rig_fini(&r);
}

/* Of one priority whatever fits starts; a class that does not fit is skipped. */
static void first_fit_within_a_priority(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=4", 1);
    rig_submit(&r, 1, "cpus=3", 0);
    rig_submit(&r, 2, "cpus=1", 0);
    rig_assign(&r, 1, 0, 2);
    rig_assign(&r, 2, 0, 1);
    expect_mail(&r, "spec 1; launch 1.0; spec 2; launch 2.0; stage 1.1>1.0");
    rig_fini(&r);
}

static void two_helpers_share_the_slots(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=3", 2);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 6);
    expect_mail(&r, "spec 1; launch 1.0; launch 1.2; stage 1.3>1.0; stage 1.5>1.2; "
                    "spec 1; launch 1.1; stage 1.4>1.1");
    rig_fini(&r);
}

/* Short tasks get chains, so that a slot does not wait for the reports; they grow evenly. */
static void short_tasks_are_staged_in_chains(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 100);
    rig_mail(&r);
    rig_ended_after(&r, "1.0", 0, 10, NULL); /* 40 ms are four of them */
    expect_mail(&r, "stage 1.4>1.2; stage 1.5>1.4; stage 1.6>1.3; stage 1.7>1.5; stage 1.8>1.6; stage 1.9>1.7; stage "
                    "1.10>1.8");
    const char *mail = "";
    for (int i = 1; i <= 40; i++) { /* no longer short: back to one */
        char name[32];
        snprintf(name, sizeof name, "1.%d", i);
        rig_ended_after(&r, name, 0, 100000, NULL);
        mail = rig_mail(&r);
    }
    assert_string_equal(mail, "stage 1.44>1.41");
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 100 - 43);
    assert_int_equal(hqi_tasks_n_running(r.tasks), 2);
    rig_fini(&r);
}

/* A slot that a short chain has left is not idle while others have tasks staged. */
static void staged_tasks_move_to_where_there_is_room(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 4);
    rig_mail(&r);
    rig_ended(&r, "1.0");
    rig_ended(&r, "1.2");
    expect_mail(&r, "unstage 1.3");
    rig_unstaged(&r, "1.3");
    expect_mail(&r, "launch 1.3");
    rig_fini(&r);
}

/* ---- priorities ---- */

static void higher_priorities_start_first(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_submit(&r, 2, "cpus=1", 5);
    rig_assign(&r, 1, 0, 4);
    rig_assign(&r, 2, 0, 3);
    expect_mail(&r, "spec 2; launch 2.0; launch 2.1; stage 2.2>2.0; spec 1; stage 1.0>2.1");
    rig_fini(&r);
}

static void a_lower_priority_does_not_take_what_a_higher_waits_for(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=3", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_submit(&r, 2, "cpus=3", 5);
    rig_assign(&r, 1, 0, 1);
    expect_mail(&r, "spec 1; launch 1.0");
    rig_assign(&r, 2, 0, 1);
    rig_assign(&r, 1, 1, 5);
    expect_mail(&r, ""); /* two cpus are free, but 2.0 waits for all three */
    rig_ended(&r, "1.0");
    expect_mail(&r, "spec 2; launch 2.0");
    rig_ended(&r, "2.0");
    expect_mail(&r, "launch 1.1; launch 1.2; launch 1.3; stage 1.4>1.1; stage 1.5>1.2");
    rig_fini(&r);
}

/* cpus of the worker, cpus and number of the high priority, cpus of the low one: how many low ones start */
static void gaps_are_used(void **state)
{
    static const struct {
        const char *node, *high;
        uint32_t n_high;
        const char *low;
        uint32_t n_low;
    } cases[] = {
        {"cpus=4", "cpus=3", 3, "cpus=1", 1}, {"cpus=6", "cpus=3", 3, "cpus=2", 0}, {"cpus=8", "cpus=3", 3, "cpus=1", 2},
        {"cpus=12", "cpus=8", 2, "cpus=4", 1}, {"cpus=3", "cpus=5", 1, "cpus=1", 3}, {"cpus=4", "cpus=all", 2, "cpus=1", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct rig r;
        rig_init(&r, cases[i].node, 1);
        rig_submit(&r, 1, cases[i].high, 1);
        rig_submit(&r, 2, cases[i].low, 0);
        rig_assign(&r, 1, 0, cases[i].n_high);
        rig_assign(&r, 2, 0, 20);
        uint32_t n = 0;
        for (const char *p = rig_mail(&r); (p = strstr(p, "launch 2.")); p++)
            n++;
        assert_int_equal(n, cases[i].n_low);
        rig_fini(&r);
    }
}

/* Amounts would do, but not in one piece: nothing of a lower priority comes between. */
static void fragments_are_kept_for_the_higher_priority(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2x2", 1);
    rig_submit(&r, 1, "cpus=1 scatter", 5);
    rig_submit(&r, 2, "cpus=2 compact!", 5);
    rig_submit(&r, 3, "cpus=1", 0);
    rig_assign(&r, 1, 0, 1);
    rig_assign(&r, 3, 0, 1);
    rig_assign(&r, 2, 0, 2);
    expect_mail(&r, "spec 1; launch 1.0; spec 2; launch 2.0; stage 2.1>2.0"); /* one cpu stays free */
    rig_fini(&r);
}

static void staged_ones_make_way_for_higher_priorities(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_submit(&r, 2, "cpus=2", 5);
    rig_submit(&r, 3, "cpus=1", 9);
    rig_assign(&r, 1, 0, 6);
    rig_mail(&r);
    rig_assign(&r, 2, 0, 1);
    expect_mail(&r, "unstage 1.2; unstage 1.3");
    rig_unstaged(&r, "1.2");
    rig_ended(&r, "1.1"); /* too late for 1.3 */
    rig_started(&r, "1.3");
    rig_ended(&r, "1.0");
    expect_report(&r, "started 1.3; ended 1.1=0; ended 1.0=0");
    expect_mail(&r, "");
    rig_assign(&r, 3, 0, 1); /* equal to 1.x, and above them: fits at once */
    expect_mail(&r, "spec 3; launch 3.0");
    rig_ended(&r, "3.0");
    rig_ended(&r, "1.3");
    expect_mail(&r, "spec 2; launch 2.0");
    rig_ended(&r, "2.0");
    expect_mail(&r, "launch 1.2; launch 1.4; stage 1.5>1.2");
    rig_fini(&r);
}

static void a_higher_priority_of_the_same_class_goes_before_the_staged(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_submit(&r, 2, "cpus=1", 5);
    rig_assign(&r, 1, 0, 3);
    expect_mail(&r, "spec 1; launch 1.0; stage 1.1>1.0");
    rig_assign(&r, 2, 0, 1);
    expect_mail(&r, "unstage 1.1");
    rig_unstaged(&r, "1.1");
    expect_mail(&r, "spec 2; stage 2.0>1.0");
    rig_ended(&r, "1.0");
    expect_mail(&r, "stage 1.1>2.0");
    rig_fini(&r);
}

/* Not behind the higher ones either, as long as more of those wait: they would have to be asked back at once. */
static void short_lower_ones_do_not_queue_behind_waiting_higher_ones(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 5);
    rig_submit(&r, 2, "cpus=1", 0);
    rig_assign(&r, 2, 0, 5);
    rig_mail(&r);
    rig_ended_after(&r, "2.0", 0, 15, NULL);
    expect_mail(&r, "stage 2.2>2.1; stage 2.3>2.2; stage 2.4>2.3");
    rig_assign(&r, 1, 0, 3);
    expect_mail(&r, "unstage 2.4; unstage 2.3; unstage 2.2");
    rig_unstaged(&r, "2.4");
    rig_unstaged(&r, "2.3");
    rig_unstaged(&r, "2.2");
    expect_mail(&r, "spec 1; stage 1.0>2.1");
    rig_ended(&r, "2.1");
    expect_mail(&r, "stage 1.1>1.0");
    rig_ended(&r, "1.0");
    expect_mail(&r, "stage 1.2>1.1; stage 2.2>1.2; stage 2.3>2.2"); /* 2.x are still taken for short */
    rig_fini(&r);
}

/* ---- retract, cancel, drop ---- */

static void retract_gives_back_what_waits(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 20);
    rig_mail(&r);
    rig_take(&r, TO_WORKER_RETRACT, 1, 5, 3);
    expect_report(&r, "returned 1.5-7");
    rig_take(&r, TO_WORKER_RETRACT, 1, 3, 4);
    expect_report(&r, "returned 1.3-4");
    rig_take(&r, TO_WORKER_RETRACT, 1, 0, 1); /* runs */
    expect_report(&r, "");
    assert_int_equal(rig_try_take(&r, TO_WORKER_RETRACT, 1, 8, 1, 3), 0); /* another attempt */
    expect_report(&r, "");
    rig_take(&r, TO_WORKER_RETRACT, 1, 0, 100);
    expect_mail(&r, "unstage 1.1");
    expect_report(&r, "returned 1.2; returned 1.8-19");
    rig_unstaged(&r, "1.1");
    expect_report(&r, "returned 1.1");
    rig_ended(&r, "1.0");
    expect_mail(&r, "");
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 0);
    rig_fini(&r);
}

static void a_retracted_task_that_has_started_is_reported_so(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 2);
    rig_mail(&r);
    rig_take(&r, TO_WORKER_RETRACT, 1, 1, 1);
    expect_mail(&r, "unstage 1.1");
    rig_ended(&r, "1.0");
    expect_report(&r, "ended 1.0=0");
    rig_started(&r, "1.1");
    expect_report(&r, "started 1.1");
    rig_ended(&r, "1.1");
    expect_report(&r, "ended 1.1=0");
    rig_fini(&r);
}

/* Nothing of it has left for the helper: it comes back at once, running slot or not. */
static void what_no_helper_has_seen_comes_back_at_once(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 3);
    expect_report(&r, ""); /* dispatches */
    rig_take(&r, TO_WORKER_RETRACT, 1, 0, 1);
    rig_take(&r, TO_WORKER_CANCEL, 1, 1, 1);
    expect_report(&r, "returned 1.0");
    expect_mail(&r, "spec 1; launch 1.2");
    rig_fini(&r);
}

static void cancel_kills_in_silence(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 10);
    rig_mail(&r);
    rig_started(&r, "1.0");
    rig_take(&r, TO_WORKER_CANCEL, 1, 0, 3);
    expect_mail(&r, "unstage 1.1; kill 1.1; kill 1.0");
    expect_report(&r, "");
    rig_unstaged(&r, "1.1");
    expect_mail(&r, "stage 1.3>1.0"); /* its allocation is inherited when it is gone */
    rig_ended_after(&r, "1.0", HQ_CODE_SIGNAL + 2, 10, NULL);
    expect_report(&r, "");
    rig_ended(&r, "1.3");
    expect_report(&r, "ended 1.3=0");
    rig_fini(&r);
}

/* From the end of a chain, so that nothing can start beside the task that it waits for. */
static void the_middle_of_a_chain_is_cancelled(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 5);
    rig_mail(&r);
    rig_ended_after(&r, "1.0", 0, 10, NULL);
    expect_mail(&r, "stage 1.2>1.1; stage 1.3>1.2; stage 1.4>1.3");
    rig_take(&r, TO_WORKER_CANCEL, 1, 2, 1);
    expect_mail(&r, "unstage 1.4; unstage 1.3; unstage 1.2; kill 1.2");
    rig_unstaged(&r, "1.4");
    expect_mail(&r, ""); /* not behind one that is asked back */
    rig_ended(&r, "1.1");
    rig_ended_after(&r, "1.2", HQ_CODE_SIGNAL + 2, 1, NULL); /* it had started */
    rig_started(&r, "1.3");
    expect_report(&r, "started 1.3; ended 1.0=0; ended 1.1=0");
    expect_mail(&r, "stage 1.4>1.3");
    rig_fini(&r);
}

static void a_dropped_submit_is_forgotten_when_its_processes_are_gone(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 3);
    rig_mail(&r);
    rig_drop(&r, 1);
    expect_mail(&r, "unstage 1.1; kill 1.1; kill 1.0");
    rig_submit(&r, 1, "cpus=1", 0); /* the number is free at once */
    rig_assign(&r, 1, 7, 1);
    rig_unstaged(&r, "1.1");
    expect_mail(&r, "spec 1; stage 1.7>1.0");
    rig_ended(&r, "1.0");
    expect_mail(&r, "drop 1");
    rig_ended(&r, "1.7");
    expect_report(&r, "ended 1.7=0");
    rig_drop(&r, 1);
    expect_mail(&r, "drop 1");
    rig_drop(&r, 1);
    rig_take(&r, TO_WORKER_CANCEL, 1, 0, 1);
    expect_mail(&r, "");
    rig_fini(&r);
}

static void unknown_or_broken_hand_outs_are_refused(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    assert_int_equal(rig_try_assign(&r, 1, 0, 1, 0), HQ_EPROTO);
    rig_submit(&r, 1, "cpus=1", 0);
    assert_int_equal(rig_try_assign(&r, 1, 0, 0, 0), HQ_EPROTO);
    struct to_worker item = {.kind = TO_WORKER_STOP};
    assert_int_equal(hqi_tasks_on_server(r.tasks, &r.now, &item, NULL), HQ_EPROTO);
    expect_mail(&r, "");
    struct tasks_options o = rig_options(&r);
    struct tasks *none = NULL;
    o.n_helpers = 65;
    assert_int_equal(hqi_tasks_tasks_new(&none, &o, NULL), HQ_ELIMIT);
    rig_fini(&r);
}

/* ---- what cannot run here ---- */

static void requests_that_never_fit_are_rejected(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=3", 5);
    rig_submit(&r, 2, "gpus=1", 5);
    rig_submit(&r, 3, "cpus=1", 0);
    rig_assign(&r, 1, 0, 3);
    rig_assign(&r, 2, 7, 1);
    rig_assign(&r, 3, 0, 1);
    expect_mail(&r, "spec 3; launch 3.0");
    expect_report(&r, "rejected 1.0-2; rejected 2.7");
    rig_fini(&r);
}

static void time_requests_are_kept(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    hqi_tasks_tasks_free(r.tasks);
    struct tasks_options o = rig_options(&r);
    o.ends_mono_ns = r.now.mono_ns + 100 * HQI_SEC;
    assert_int_equal(hqi_tasks_tasks_new(&r.tasks, &o, NULL), 0);
    for (uint32_t i = 1; i <= 2; i++) { /* 101 s are too long, 50 s are not yet */
        struct spec *s = rig_spec("cpus=1", 0);
        ((struct request_variant *)s->request.variants)[0].min_time_ms = i == 1 ? 101000 : 50000;
        assert_int_equal(rig_give(&r, i, s), 0);
        rig_assign(&r, i, 0, 4);
    }
    expect_mail(&r, "spec 2; launch 2.0; stage 2.1>2.0");
    expect_report(&r, "rejected 1.0-3");
    assert_int_equal(hqi_tasks_deadline(r.tasks), r.now.mono_ns + 50 * HQI_SEC + 1);
    r.now.mono_ns += 50 * HQI_SEC;
    expect_report(&r, "");
    r.now.mono_ns++;
    expect_report(&r, "rejected 2.2-3");
    expect_mail(&r, "unstage 2.1");
    rig_unstaged(&r, "2.1");
    expect_report(&r, "rejected 2.1");
    assert_int_equal(hqi_tasks_deadline(r.tasks), UINT64_MAX);
    rig_fini(&r);
}

static void the_first_variant_that_fits_is_taken(void **state)
{
    struct rig r;
    struct report report;
    rig_init(&r, "cpus=4;gpus=[a]", 1);
    rig_submit(&r, 1, "cpus=1;gpus=1|cpus=2", 0);
    rig_assign(&r, 1, 0, 3);
    expect_mail(&r, "spec 1; launch 1.0; launch 1.1; stage 1.2>1.0");
    rig_started(&r, "1.0");
    rig_started(&r, "1.1");
    assert_true(hqi_tasks_take_report(r.tasks, &r.now, &report));
    assert_non_null(report.started[0].variant);
    assert_int_equal(report.started[0].variant[0], 0);
    assert_int_equal(report.started[0].variant[1], 1);
    rig_fini(&r);
}

/* ---- holding, ending, a new session, a lost helper ---- */

static void hold_starts_nothing_new(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=2", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 3);
    rig_mail(&r);
    hqi_tasks_hold(r.tasks, true);
    expect_mail(&r, "unstage 1.2");
    rig_unstaged(&r, "1.2");
    rig_ended(&r, "1.0");
    rig_assign(&r, 1, 3, 1);
    expect_mail(&r, "");
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 2);
    hqi_tasks_hold(r.tasks, false);
    expect_mail(&r, "launch 1.2; stage 1.3>1.1");
    rig_fini(&r);
}

static void the_end_kills_and_says_nothing(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 9);
    rig_mail(&r);
    rig_started(&r, "1.0");
    hqi_tasks_end(r.tasks);
    expect_mail(&r, "unstage 1.1; kill 1.1; kill 1.0");
    rig_unstaged(&r, "1.1");
    rig_assign(&r, 1, 10, 1);
    rig_submit(&r, 2, "cpus=1", 0);
    expect_mail(&r, "");
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 0);
    assert_int_equal(hqi_tasks_n_running(r.tasks), 1);
    rig_ended(&r, "1.0");
    expect_report(&r, "");
    assert_int_equal(hqi_tasks_n_running(r.tasks), 0);
    rig_fini(&r);
}

static void a_new_session_starts_from_nothing(void **state)
{
    struct rig r;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 9);
    rig_mail(&r);
    rig_started(&r, "1.0");
    hqi_tasks_reset(r.tasks);
    expect_report(&r, "");
    expect_mail(&r, "unstage 1.1; kill 1.1; kill 1.0");
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 4, 1);
    expect_mail(&r, "");
    rig_ended(&r, "1.0");
    rig_unstaged(&r, "1.1");
    expect_mail(&r, "spec 1; launch 1.4; drop 1");
    rig_fini(&r);
}

static void add_pid(void *user, int32_t pid, uint64_t start_ticks)
{
    *(uint64_t *)user += (uint64_t)pid * start_ticks;
}

static void a_lost_helper_crashes_what_it_ran(void **state)
{
    struct rig r;
    uint64_t sum = 0;
    struct from_helper started = {.kind = FROM_HELPER_STARTED, .u.started = {.pid = 7, .start_ticks = 100}};
    struct from_helper hello = {.kind = FROM_HELPER_HELLO};
    rig_init(&r, "cpus=2", 2);
    rig_submit(&r, 1, "cpus=1", 0);
    rig_assign(&r, 1, 0, 6);
    expect_mail(&r, "spec 1; launch 1.0; stage 1.2>1.0; spec 1; launch 1.1; stage 1.3>1.1");
    assert_int_equal(rig_try_say(&r, "1.0", started), 0);
    rig_started(&r, "1.1");
    expect_report(&r, "started 1.0; started 1.1");
    hqi_tasks_each_process(r.tasks, 0, add_pid, &sum);
    assert_int_equal(sum, 700);
    hqi_tasks_on_helper_lost(r.tasks, &r.now, 0);
    expect_report(&r, "crashed 1.0");
    expect_mail(&r, "launch 1.2; stage 1.4>1.2"); /* by the other helper */
    rig_ended(&r, "1.0");          /* an echo */
    expect_report(&r, "");
    hqi_tasks_on_helper_lost(r.tasks, &r.now, 1);
    expect_report(&r, "crashed 1.1-2");
    expect_mail(&r, "");
    assert_int_equal(hqi_tasks_n_waiting(r.tasks), 3);
    assert_int_equal(hqi_tasks_on_helper(r.tasks, &r.now, 1, &hello, NULL), 0);
    expect_mail(&r, "spec 1; launch 1.3; launch 1.4; stage 1.5>1.3");
    rig_fini(&r);
}

/* ---- memory ---- */

/* One life of a worker; false when memory failed somewhere: then the input is given again. */
static void live(struct rig *r)
{
    const struct bytes entries[] = {bytes_of("one"), bytes_of("two")};
    const struct ord_range range = {20, 2};
    const hq_range ids = {120, 2, 1};
    const struct assign_group g = {.submit = 1, .ranges = &range, .n_ranges = 1, .ids = &ids, .n_ids = 1,
                                   .entries = entries, .n_entries = 2};
    struct to_worker item = {.kind = TO_WORKER_ASSIGN};
    struct from_helper end = {.kind = FROM_HELPER_ENDED};
    item.u.assign.groups = &g;
    item.u.assign.n_groups = 1;
    while (rig_give(r, 1, rig_spec("cpus=1", 0)) == HQ_ENOMEM)
        ;
    while (rig_try_assign(r, 1, 0, 10, 0) == HQ_ENOMEM)
        ;
    while (hqi_tasks_on_server(r->tasks, &r->now, &item, NULL) == HQ_ENOMEM)
        ;
    while (rig_try_take(r, TO_WORKER_RETRACT, 1, 4, 2, 0) == HQ_ENOMEM)
        ;
    end.u.ended.code = HQ_CODE_TEXT;
    end.u.ended.text = bytes_of("because");
    for (int i = 0; i < 3; i++) { /* what was short of memory is there the next time */
        rig_mail(r);
        r->now.mono_ns += 20 * HQI_MS;
        struct report report;
        while (hqi_tasks_take_report(r->tasks, &r->now, &report))
            hqi_base_buf_addf(&r->text, "%u ", report.n_returned);
    }
    while (rig_try_say(r, "1.0", end) == HQ_ENOMEM)
        ;
    while (rig_try_take(r, TO_WORKER_CANCEL, 1, 1, 8, 0) == HQ_ENOMEM)
        ;
}

static void no_memory_loses_nothing(void **state)
{
    for (size_t i = 1;; i++) {
        struct rig r;
        rig_init(&r, "cpus=2", 1);
        failing_init(&r.mem, 0);
        hqi_tasks_tasks_free(r.tasks);
        failing_init(&r.mem, i);
        struct tasks_options o = rig_options(&r);
        while (hqi_tasks_tasks_new(&r.tasks, &o, NULL) == HQ_ENOMEM)
            ;
        live(&r);
        rig_mail(&r);
        r.now.mono_ns += 20 * HQI_MS;
        expect_report(&r, "ended 1.0=513 (because)");
        rig_mail(&r);
        assert_int_equal(hqi_tasks_n_running(r.tasks), 2);
        bool hit = r.mem.hit;
        rig_fini(&r);
        if (!hit)
            return;
    }
}

/* A report is cut where a message would become too long, and nothing is left out. */
static void long_reports_come_in_parts(void **state)
{
    struct rig r;
    struct report report;
    uint32_t n = 0, parts = 0;
    rig_init(&r, "cpus=1", 1);
    rig_submit(&r, 1, "gpus=1", 0);
    for (uint32_t i = 0; i < 30000; i++) {
        rig_assign(&r, 1, 2 * i, 1);
        hqi_tasks_deadline(r.tasks);
    }
    for (; hqi_tasks_take_report(r.tasks, &r.now, &report); parts++)
        for (uint32_t i = 0; i < report.n_rejected; i++)
            for (uint32_t j = 0; j < report.rejected[i].n_ranges; j++)
                assert_int_equal(report.rejected[i].ranges[j].first, 2 * n++);
    assert_int_equal(n, 30000);
    assert_in_range(parts, 2, 10);
    rig_fini(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_start_in_order_and_followers_are_staged),
        cmocka_unit_test(older_jobs_and_lower_ids_go_first),
        cmocka_unit_test(first_fit_within_a_priority),
        cmocka_unit_test(two_helpers_share_the_slots),
        cmocka_unit_test(short_tasks_are_staged_in_chains),
        cmocka_unit_test(staged_tasks_move_to_where_there_is_room),
        cmocka_unit_test(higher_priorities_start_first),
        cmocka_unit_test(a_lower_priority_does_not_take_what_a_higher_waits_for),
        cmocka_unit_test(gaps_are_used),
        cmocka_unit_test(fragments_are_kept_for_the_higher_priority),
        cmocka_unit_test(staged_ones_make_way_for_higher_priorities),
        cmocka_unit_test(a_higher_priority_of_the_same_class_goes_before_the_staged),
        cmocka_unit_test(short_lower_ones_do_not_queue_behind_waiting_higher_ones),
        cmocka_unit_test(retract_gives_back_what_waits),
        cmocka_unit_test(a_retracted_task_that_has_started_is_reported_so),
        cmocka_unit_test(what_no_helper_has_seen_comes_back_at_once),
        cmocka_unit_test(cancel_kills_in_silence),
        cmocka_unit_test(the_middle_of_a_chain_is_cancelled),
        cmocka_unit_test(a_dropped_submit_is_forgotten_when_its_processes_are_gone),
        cmocka_unit_test(unknown_or_broken_hand_outs_are_refused),
        cmocka_unit_test(requests_that_never_fit_are_rejected),
        cmocka_unit_test(time_requests_are_kept),
        cmocka_unit_test(the_first_variant_that_fits_is_taken),
        cmocka_unit_test(hold_starts_nothing_new),
        cmocka_unit_test(the_end_kills_and_says_nothing),
        cmocka_unit_test(a_new_session_starts_from_nothing),
        cmocka_unit_test(a_lost_helper_crashes_what_it_ran),
        cmocka_unit_test(no_memory_loses_nothing),
        cmocka_unit_test(long_reports_come_in_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
