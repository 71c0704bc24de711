/* SPDX-License-Identifier: MIT */
/* What tasks cost: nothing while they wait, 16 bytes and a little when they have ended, nothing when forgotten. */
#include "world.h"

#define HUGE_TASKS 1000000000u

struct counted { /* knows how many bytes are out */
    struct alloc alloc;
    size_t bytes;
};

struct block {
    size_t size, pad;
};

static void *counting_realloc(void *user, void *ptr, size_t size)
{
    struct counted *c = user;
    struct block *old = ptr ? (struct block *)ptr - 1 : NULL;
    c->bytes -= old ? old->size : 0;
    if (size == 0) {
        free(old);
        return NULL;
    }
    struct block *b = realloc(old, sizeof *b + size);
    b->size = size;
    c->bytes += size;
    return b + 1;
}

/* A world of which the state's memory is counted; facts are not kept. */
static void open_counted(struct world *w, struct counted *c)
{
    world_open(w);
    hqi_state_state_free(w->st);
    w->quick = true;
    *c = (struct counted){.alloc = {counting_realloc, c}};
    assert_int_equal(hqi_state_state_new(&w->st, &c->alloc, NULL), HQ_OK);
}

static void close_counted(struct world *w, struct counted *c)
{
    world_verify(w->st);
    world_close(w);
    assert_int_equal(c->bytes, 0);
}

static void a_state_is_made_whole_or_not(void **unused)
{
    for (size_t i = 1;; i++) {
        struct failing f;
        struct state *st = NULL;
        hq_error err;
        failing_init(&f, i);
        int rc = hqi_state_state_new(&st, &f.alloc, &err);
        assert_int_equal(rc, f.hit ? HQ_ENOMEM : HQ_OK);
        hqi_state_state_free(st);
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
    hqi_state_state_free(NULL);
}

static void a_billion_tasks_cost_nothing(void **unused)
{
    struct world w;
    struct counted c;
    open_counted(&w, &c);
    struct submit *s = world_submit(&w, HUGE_TASKS, (struct spec_options){.crash_limit = 1});
    assert_in_range(c.bytes, 1, 8192);
    assert_int_equal(s->level->waiting, HUGE_TASKS);
    assert_int_equal(hqi_state_task_seek(s, 0, 1u << HQ_TASK_FAILED), HUGE_TASKS);
    world_job(&w, FACT_JOB_CANCEL, 1);
    assert_in_range(c.bytes, 1, 8192);
    assert_int_equal(s->counts[HQ_TASK_CANCELED], HUGE_TASKS);
    assert_int_equal(world_view(s, HUGE_TASKS - 1).state, HQ_TASK_CANCELED);
    assert_int_equal(s->level->waiting, 0);
    close_counted(&w, &c);
}

static void touching_some_of_a_billion_costs_their_chunks(void **unused)
{
    static const uint32_t spots[] = {0, HUGE_TASKS / 3, HUGE_TASKS / 2, HUGE_TASKS - 10};
    struct world w;
    struct counted c;
    open_counted(&w, &c);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, HUGE_TASKS, (struct spec_options){.crash_limit = 1});
    for (size_t i = 0; i < 4; i++)
        world_hand(&w, 1, 1, 0, spots[i], 10, false);
    world_start(&w, 1, 1, 0, spots[2]);
    assert_in_range(c.bytes, 1, 1100 << 10);
    world_verify(w.st);
    world_end_worker(&w, FACT_WORKER_LOST, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(hqi_state_task_seek(s, 0, 1u << HQ_TASK_FAILED), spots[2]);
    assert_int_equal(s->level->waiting, HUGE_TASKS - 1);
    world_job(&w, FACT_JOB_ABORT, 1);
    assert_int_equal(s->counts[HQ_TASK_ABORTED], HUGE_TASKS - 1);
    assert_int_equal(hqi_state_task_seek(s, spots[2], 1u << HQ_TASK_ABORTED), spots[2] + 1);
    world_job(&w, FACT_JOB_FORGET, 1);
    assert_in_range(c.bytes, 1, 64 << 10); /* spare pieces and a worker */
    close_counted(&w, &c);
}

/* Hands out and ends n tasks in batches; they never report a start. */
static void run_tasks(struct world *w, uint32_t submit, uint32_t n)
{
    enum { BATCH = 100 };
    static const uint64_t zero[BATCH];
    static const uint16_t code[BATCH];
    uint32_t ordinals[BATCH];
    struct end_group g = {.submit = submit, .n = BATCH, .ordinals = ordinals};
    struct fact f = {.kind = FACT_ENDED};
    g.start_ms = g.duration_ms = zero;
    g.code = code;
    f.u.ended.worker = worker_id(1);
    f.u.ended.groups = &g;
    f.u.ended.n_groups = 1;
    for (uint32_t at = 0; at < n; at += BATCH) {
        world_hand(w, 1, submit, 0, at, BATCH, true);
        for (uint32_t i = 0; i < BATCH; i++)
            ordinals[i] = at + i;
        world_do(w, f);
    }
}

static void finished_tasks_cost_their_columns(void **unused)
{
    struct world w;
    struct counted c;
    open_counted(&w, &c);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 1000000, (struct spec_options){.crash_limit = 1});
    run_tasks(&w, 1, 1000); /* spare pieces and tables are there */
    size_t before = c.bytes;
    world_submit(&w, 500000, (struct spec_options){.crash_limit = 1});
    run_tasks(&w, 2, 500000);
    assert_in_range(c.bytes - before, 16 * 500000, 17 * 500000);
    world_job(&w, FACT_JOB_FORGET, 2);
    assert_in_range(c.bytes, 1, before + 4096);
    assert_int_equal(s->counts[HQ_TASK_FINISHED], 1000);
    close_counted(&w, &c);
}

/* A chunk is no larger than what is left of its submit, nor is its directory. */
static void a_task_alone_costs_its_column(void **unused)
{
    struct world w;
    struct counted c;
    open_counted(&w, &c);
    world_join(&w, 4, 0);
    const struct spec_options o = {.crash_limit = 1};
    world_submit(&w, 1, o);
    size_t before = c.bytes;
    world_hand(&w, 1, 1, 0, 0, 1, true);
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 0});
    assert_in_range(c.bytes - before, 16, 1024); /* a piece among it, spare now */
    world_verify(w.st);
    world_submit(&w, CHUNK_TASKS + 1, o);
    before = c.bytes;
    world_hand(&w, 1, 2, 0, CHUNK_TASKS, 1, true);
    world_end(&w, 1, 2, 0, (struct end_row){.ordinal = CHUNK_TASKS});
    assert_in_range(c.bytes - before, 16, 1024);
    world_verify(w.st);
    close_counted(&w, &c);
}

static void spare_pieces_are_bounded(void **unused)
{
    struct world w;
    struct counted c;
    open_counted(&w, &c);
    world_join(&w, 4, 0);
    world_submit(&w, 500000, (struct spec_options){.crash_limit = 1});
    size_t before = c.bytes;
    world_hand(&w, 1, 1, 0, 0, 500000, false);
    assert_in_range(c.bytes - before, 500000 * sizeof(struct piece), 500000 * (sizeof(struct piece) + 64));
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){0, 500000}, false));
    assert_int_equal(w.st->submits[1]->level->waiting, 500000);
    assert_in_range(w.st->n_spare, 1, 13000);
    close_counted(&w, &c);
}

/* A reservation that fails late must not sit on what it got. */
static void a_failed_reservation_lets_go(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    world_submit(&w, 500000, (struct spec_options){.crash_limit = 1});
    struct fact f = world_tasks(&w, FACT_HANDOUT, 1, 1, 0, (struct ord_range){0, 500000}, false);
    w.mem.calls = 0;
    w.mem.fail_at = 100000;
    assert_int_equal(hqi_state_reserve(w.st, &f, NULL), HQ_ENOMEM);
    assert_in_range(w.st->n_spare, 0, 1000);
    w.mem.fail_at = 0;
    world_do(&w, f);
    assert_int_equal(w.st->attempts.count, 500000);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_made_whole_or_not),
        cmocka_unit_test(a_billion_tasks_cost_nothing),
        cmocka_unit_test(touching_some_of_a_billion_costs_their_chunks),
        cmocka_unit_test(finished_tasks_cost_their_columns),
        cmocka_unit_test(a_task_alone_costs_its_column),
        cmocka_unit_test(spare_pieces_are_bounded),
        cmocka_unit_test(a_failed_reservation_lets_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
