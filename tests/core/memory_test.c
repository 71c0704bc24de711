/* SPDX-License-Identifier: MIT */
/* memory_test.c - each input with each of its allocations failing in turn. Either all of it happened, as if memory had not
 * been short, or nothing did and whoever asked was told so; asked again, it happens. */
#include "world.h"

static const hq_range four = {0, 4, 1};
static const hq_range odd[] = {{1, 2, 2}, {7, 1, 1}};

struct act {
    const char *name;
    void (*prepare)(struct world *w);
    int (*run)(struct world *w); /* HQ_ENOMEM: to be given again */
};

static void empty(struct world *w)
{
    world_join(w, 2);
}

static void running(struct world *w)
{
    submit(w, .ids = &four, .limit_fails = true, .crash_limit = 1);
    world_join(w, 2);
    world_join(w, 2);
    world_tick(w);
    world_started(w, 1, 1, 0, 0, 2);
}

static void waiting(struct world *w)
{
    submit(w, .ids = &four);
}

static void uploading(struct world *w)
{
    submit(w, .more = true, .key = 5);
    world_part(w, 5, "abc", 3, false);
}

static int do_submit(struct world *w)
{
    submit(w, .ids = odd, .n_ids = 2, .key = 9, .cwd = "%{JOB_ID}");
    return HQ_OK;
}

static int do_upload(struct world *w)
{
    submit(w, .more = true, .key = 9);
    return HQ_OK;
}

static int do_open(struct world *w)
{
    struct command cmd = {.kind = COMMAND_JOB_OPEN, .key = {9, 0}, .u.job_open = {bytes_of("a"), NO_LIMIT}};
    world_command(w, &cmd);
    return HQ_OK;
}

static int do_part(struct world *w)
{
    world_part(w, 5, "xyz", 3, true);
    return HQ_OK;
}

static int do_cancel(struct world *w)
{
    world_jobs(w, COMMAND_JOB_CANCEL, 1);
    return HQ_OK;
}

static int do_info(struct world *w)
{
    world_jobs(w, COMMAND_JOB_INFO, 1);
    return HQ_OK;
}

static int do_list(struct world *w)
{
    struct command cmd = {.kind = COMMAND_JOB_LIST};
    world_command(w, &cmd);
    return HQ_OK;
}

static int do_page(struct world *w)
{
    struct command cmd = {.kind = COMMAND_TASK_PAGE, .u.task_page.job = {1}};
    world_command(w, &cmd);
    return HQ_OK;
}

static int do_workers(struct world *w)
{
    struct command cmd = {.kind = COMMAND_WORKER_LIST, .u.workers.workers.kind = SELECT_ALL};
    world_command(w, &cmd);
    return HQ_OK;
}

static int do_server_info(struct world *w)
{
    struct command cmd = {.kind = COMMAND_SERVER_INFO};
    world_command(w, &cmd);
    return HQ_OK;
}

static int do_stop_worker(struct world *w)
{
    world_stop_worker(w, 1);
    return HQ_OK;
}

static int do_ended(struct world *w)
{
    return world_ended(w, 1, 1, 0, 0, 2, 0);
}

static int do_failed(struct world *w)
{
    return world_ended(w, 1, 1, 0, 0, 1, 1);
}

static int do_started(struct world *w)
{
    return world_started(w, 2, 1, 0, 2, 2);
}

static int do_returned(struct world *w)
{
    return world_given(w, RETURNED, 2, 1, 0, 2, 2);
}

static int do_crashed(struct world *w)
{
    return world_given(w, CRASHED, 1, 1, 0, 0, 1);
}

static const struct act acts[] = {
    {"submit", empty, do_submit},          {"upload", empty, do_upload},       {"last part", uploading, do_part},
    {"open", empty, do_open},              {"cancel", running, do_cancel},     {"cancel waiting", waiting, do_cancel},
    {"info", running, do_info},            {"list", running, do_list},         {"page", running, do_page},
    {"workers", running, do_workers},      {"server info", running, do_server_info},
    {"stop worker", running, do_stop_worker},
    {"ended", running, do_ended},          {"failed", running, do_failed},     {"started", running, do_started},
    {"returned", running, do_returned},    {"crashed", running, do_crashed},
};

static uint64_t digest(const struct world *w)
{
    return hqi_state_digest(hqi_core_core_state(w->core));
}

/* What is left of a reply's line behind its number. */
static bool says_no(const struct world *w)
{
    const char *said = w->said.n ? w->said.p : "";
    return strstr(said, " error -2: ") || strstr(said, " failed");
}

static void prepare(struct world *w, const struct act *a)
{
    world_open(w);
    a->prepare(w);
    world_forget_said(w);
}

static bool fails_well(const struct act *a, size_t fail_at, const char *wanted, uint64_t after)
{
    struct world w;
    prepare(&w, a);
    uint64_t before = digest(&w);
    w.mem.calls = 0;
    w.mem.fail_at = fail_at;
    int rc = a->run(&w);
    bool hit = w.mem.hit;
    w.mem.fail_at = 0;
    world_verify(&w);
    if (rc == HQ_OK && !says_no(&w)) { /* all, but for messages that nothing hangs on */
        if (digest(&w) != after)
            fail_msg("%s: allocation %zu: half of it happened", a->name, fail_at);
        if (!hit)
            assert_string_equal(w.said.n ? w.said.p : "", wanted);
    } else {
        assert_true(hit);
        if (rc == HQ_OK && digest(&w) != before)
            fail_msg("%s: allocation %zu: refused, but something happened", a->name, fail_at);
        world_forget_said(&w);
        assert_int_equal(a->run(&w), HQ_OK);
        if (strcmp(a->name, "last part") != 0) /* an upload is given up: the client begins anew */
            assert_int_equal(digest(&w) == after || rc != HQ_OK, true);
        if (rc != HQ_OK && digest(&w) != after)
            fail_msg("%s: allocation %zu: repeated, it came to something else", a->name, fail_at);
    }
    world_close(&w);
    return hit;
}

static void inputs_happen_or_do_not(void **state)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        struct world w;
        prepare(&w, &acts[i]);
        assert_int_equal(acts[i].run(&w), HQ_OK);
        assert_false(says_no(&w));
        uint64_t after = digest(&w);
        char *wanted = strdup(w.said.n ? w.said.p : "");
        world_close(&w);
        size_t n = 1;
        while (fails_well(&acts[i], n, wanted, after))
            n++;
        free(wanted);
    }
}

/* ---- planning ---- */

static void planning_is_resumed(void **state)
{
    bool hit = true;
    for (size_t i = 1; hit; i++) {
        struct world w;
        world_open(&w);
        submit(&w, .ids = &four);
        submit(&w, .ids = odd, .n_ids = 2);
        world_join(&w, 2);
        world_join(&w, 3);
        world_forget_said(&w);
        w.mem.calls = 0;
        w.mem.fail_at = i;
        hqi_core_tick(w.core, &w.now);
        world_drain(&w);
        hit = w.mem.hit;
        w.mem.fail_at = 0;
        world_verify(&w);
        if (hqi_core_deadline(w.core) != UINT64_MAX) {
            assert_int_equal(hqi_core_deadline(w.core), w.now.mono_ns + 100 * HQI_MS);
            world_pass_ms(&w, 100);
            world_tick(&w);
        }
        assert_true(world_active(&w, 1) + world_active(&w, 2) >= 5); /* one for each cpu */
        /* whoever holds tasks was told so */
        assert_true((strstr(w.said.p, "worker 1 assign") != NULL) == (world_active(&w, 1) > 0));
        assert_true((strstr(w.said.p, "worker 2 assign") != NULL) == (world_active(&w, 2) > 0));
        world_close(&w);
    }
}

static void waiters_are_answered_later(void **state)
{
    bool hit = true;
    for (size_t i = 1; hit; i++) {
        struct command progress = {.kind = COMMAND_JOB_PROGRESS, .u.jobs.jobs.kind = SELECT_ALL};
        struct world w;
        world_open(&w);
        submit(&w, .n_auto = 1);
        world_command(&w, &progress);
        world_forget_said(&w);
        w.mem.calls = 0;
        w.mem.fail_at = i;
        hqi_core_tick(w.core, &w.now);
        world_drain(&w);
        hit = w.mem.hit;
        w.mem.fail_at = 0;
        if (hqi_core_deadline(w.core) != UINT64_MAX) {
            world_pass_ms(&w, 100);
            world_tick(&w);
        }
        expect(&w, "client 7 #2 1 waiting 1/0/0/0/0/0\n");
        world_close(&w);
    }
}

static void losses_happen_in_any_case(void **state)
{
    bool hit = true;
    for (size_t i = 1; hit; i++) {
        struct world w;
        world_open(&w);
        running(&w);
        world_forget_said(&w);
        w.mem.calls = 0;
        w.mem.fail_at = i;
        world_lose(&w, 1, HQ_WORKER_CONNECTION_LOST);
        hit = w.mem.hit;
        w.mem.fail_at = 0;
        assert_int_equal(world_active(&w, 1), 0);
        assert_int_equal(world_count(&w, 1, HQ_TASK_FAILED), 2);
        assert_int_equal(world_count(&w, 1, HQ_TASK_ABORTED), hit ? world_count(&w, 1, HQ_TASK_ABORTED) : 2);
        world_close(&w);
    }
}

/* The reply to a stop has its memory before anything stops. */
static void stop_is_answered(void **state)
{
    bool hit = true;
    for (size_t i = 1; hit; i++) {
        struct command stop = {.kind = COMMAND_SERVER_STOP};
        struct world w;
        world_open(&w);
        world_join(&w, 1);
        w.mem.calls = 0;
        w.mem.fail_at = i;
        world_command(&w, &stop);
        hit = w.mem.hit;
        w.mem.forever = true;
        if (hqi_core_stopping(w.core)) {
            w.mem.fail_at = 1;
            world_forget_said(&w);
            hqi_core_stopped(w.core, &w.now);
            world_drain(&w);
            expect(&w, "client 7 #1\n");
        } else {
            expect(&w, "client 7 #1 error -2: The server is out of memory; nothing was changed\n");
        }
        w.mem.fail_at = 0;
        world_close(&w);
    }
}

/* Nothing at all can be had: still an answer. */
static void no_memory_is_told_without_memory(void **state)
{
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        struct world w;
        prepare(&w, &acts[i]);
        uint64_t before = digest(&w);
        w.mem.fail_at = 1;
        w.mem.forever = true;
        int rc = acts[i].run(&w);
        if (rc == HQ_OK && digest(&w) == before)
            assert_true(w.said.n > 0);
        w.mem.fail_at = 0;
        world_close(&w);
    }
}

static void a_core_is_made_or_not(void **state)
{
    bool hit = true;
    for (size_t i = 1; hit; i++) {
        struct failing mem;
        struct core *c = NULL;
        failing_init(&mem, i);
        const struct core_options o = {.alloc = &mem.alloc};
        int rc = hqi_core_core_new(&c, &o, NULL);
        hit = mem.hit;
        assert_int_equal(rc, hit ? HQ_ENOMEM : HQ_OK);
        if (rc == HQ_OK)
            hqi_core_core_free(c);
        assert_int_equal(mem.live, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_happen_or_do_not),
        cmocka_unit_test(planning_is_resumed),
        cmocka_unit_test(waiters_are_answered_later),
        cmocka_unit_test(losses_happen_in_any_case),
        cmocka_unit_test(stop_is_answered),
        cmocka_unit_test(no_memory_is_told_without_memory),
        cmocka_unit_test(a_core_is_made_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
