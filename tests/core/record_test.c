/* SPDX-License-Identifier: MIT */
/* record_test.c - facts that cannot be recorded are not applied; what leaves when the record is safe, and what at once. */
#include "world.h"

static const hq_range one = {0, 1, 1};

static uint64_t digest(const struct world *w)
{
    return hqi_state_digest(hqi_core_core_state(w->core));
}

static void nothing_happens_unrecorded(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &one);
    world_join(&w, 2);
    world_tick(&w);
    world_forget_said(&w);
    uint64_t before = digest(&w);
    w.full = true;
    submit(&w, .ids = &one);
    expect(&w, "client 7 #2 error -2: what would happen cannot be recorded\n");
    world_jobs(&w, COMMAND_JOB_CANCEL, 1);
    expect(&w, "client 7 #3 1 failed 0/0\n");
    assert_int_equal(world_started(&w, 1, 1, 0, 0, 1), HQ_ENOMEM);
    assert_int_equal(world_ended(&w, 1, 1, 0, 0, 1, 0), HQ_ENOMEM);
    assert_int_equal(world_join(&w, 2), 0);
    world_forget_said(&w);
    assert_true(digest(&w) == before);
    w.full = false;
    assert_int_equal(world_ended(&w, 1, 1, 0, 0, 1, 0), HQ_OK); /* given again */
    assert_int_equal(world_count(&w, 1, HQ_TASK_FINISHED), 1);
    world_close(&w);
}

/* It gets nothing, and may come back, until its loss can be recorded. */
static void a_loss_comes_later(void **state)
{
    struct world w;
    world_open(&w);
    submit(&w, .ids = &one);
    world_join(&w, 2);
    world_tick(&w);
    w.full = true;
    world_lose(&w, 1, HQ_WORKER_HEARTBEAT_LOST);
    assert_int_equal(world_active(&w, 1), 1);
    w.full = false;
    world_forget_said(&w);
    submit(&w, .ids = &one);
    world_tick(&w);
    expect(&w, "client 7 #2 job 2\n");
    world_pass_ms(&w, 30000);
    world_tick(&w);
    assert_int_equal(world_active(&w, 1), 0);
    assert_int_equal(hqi_state_worker(hqi_core_core_state(w.core), (hq_worker_id){1})->end, HQ_WORKER_CONNECTION_LOST);
    world_close(&w);
}

/* Of the only entry that is there. */
static struct out next_out(struct world *w)
{
    const struct out *o = hqi_core_peek(w->core);
    assert_non_null(o);
    struct out copy = *o;
    hqi_core_pop(w->core);
    assert_null(hqi_core_peek(w->core));
    return copy;
}

static struct out ask(struct world *w, uint8_t kind)
{
    struct command cmd = {.kind = kind, .id = ++w->next_id, .u.jobs.jobs.kind = SELECT_ALL};
    hqi_core_on_command(w->core, &w->now, w->client, &cmd);
    return next_out(w);
}

/* Whoever was told of the stop finds it in the journal; it is there once, and it is last. */
static void a_stop_is_recorded(void **state)
{
    struct command stop = {.kind = COMMAND_SERVER_STOP, .id = 1};
    struct world w;
    world_open(&w);
    world_join(&w, 2);
    hqi_core_on_command(w.core, &w.now, w.client, &stop);
    world_drain(&w);
    world_lose(&w, 1, HQ_WORKER_STOPPED);
    uint64_t before = hqi_core_core_state(w.core)->position;
    size_t records = w.records.n;
    hqi_core_stopped(w.core, &w.now);
    struct out o = next_out(&w);
    assert_int_equal(o.class, OUT_SYNCED);
    assert_int_equal(o.position, before + 1);
    size_t with = w.records.n;
    assert_true(with > records);
    hqi_core_stopped(w.core, &w.now);
    assert_int_equal(w.records.n, with);
    world_close(&w);
}

/* The server ends all the same. */
static void a_stop_that_cannot_be_recorded(void **state)
{
    struct world w;
    world_open(&w);
    uint64_t before = digest(&w);
    hqi_core_stop(w.core, &w.now);
    w.full = true;
    hqi_core_stopped(w.core, &w.now);
    assert_true(digest(&w) == before);
    w.full = false;
    world_close(&w);
}

static void what_leaves_when(void **state)
{
    struct world w;
    struct out o;
    world_open(&w);
    submit(&w, .ids = &one);
    world_forget_said(&w);
    uint64_t position = hqi_core_core_state(w.core)->position;
    o = ask(&w, COMMAND_JOB_INFO); /* it may tell how a task ended */
    assert_true(o.class == OUT_SYNCED && o.position == position);
    o = ask(&w, COMMAND_WORKER_LIST);
    assert_true(o.class == OUT_WRITTEN && o.position == position);
    o = ask(&w, COMMAND_SERVER_INFO); /* nothing of what happened */
    assert_int_equal(o.position, 0);
    o = ask(&w, COMMAND_JOB_CANCEL);
    assert_true(o.class == OUT_SYNCED && o.position == position + 1);
    world_close(&w);
}

static void commands_are_refused_and_told(void **state)
{
    static const uint8_t changing[] = {COMMAND_SUBMIT, COMMAND_JOB_OPEN, COMMAND_JOB_CLOSE, COMMAND_JOB_CANCEL,
                                       COMMAND_JOB_FORGET, COMMAND_WORKER_STOP};
    struct world w;
    world_open(&w);
    hqi_core_core_refuse(w.core, "the disk is full");
    for (size_t i = 0; i < sizeof changing; i++) {
        struct out o = ask(&w, changing[i]);
        assert_int_equal(o.u.reply.code, HQ_EJOURNAL);
        assert_int_equal(o.position, 0); /* or it would wait for that very disk */
        assert_int_equal(o.class, OUT_WRITTEN);
    }
    assert_int_equal(ask(&w, COMMAND_JOB_LIST).u.reply.code, HQ_OK);
    hqi_core_core_refuse(w.core, NULL);
    submit(&w, .ids = &one);
    expect(&w, "client 7 #8 job 1\n");
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_happens_unrecorded),
        cmocka_unit_test(a_loss_comes_later),
        cmocka_unit_test(a_stop_is_recorded),
        cmocka_unit_test(a_stop_that_cannot_be_recorded),
        cmocka_unit_test(what_leaves_when),
        cmocka_unit_test(commands_are_refused_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
