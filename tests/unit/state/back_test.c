/* SPDX-License-Identifier: MIT */
/* back_test.c - the facts of workers that come back: adopted tasks, specs that they have, losses without blame. */
#include "world.h"

#define ONE ((struct spec_options){.crash_limit = CRASH_DEFAULT})

/* Whoever has it, the one who is believed has it then; no instance that was used comes again. */
static void adopted_tasks_come_from_anywhere(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *a = world_join(&w, 4, 0), *b = world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 10, ONE);
    world_hand(&w, 1, 1, 0, 0, 4, false);
    world_start(&w, 1, 1, 0, 0);
    world_start(&w, 1, 1, 0, 1);
    world_end_worker(&w, FACT_WORKER_LOST, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(a->n_active, 0);
    world_hand(&w, 2, 1, 1, 0, 2, true); /* 0 and 1 are with b, started; 2 and 3 wait for instance 1; the rest for 0 */
    world_start(&w, 2, 1, 1, 0);
    struct worker *c = world_join(&w, 4, 0);
    world_do(&w, world_tasks(&w, FACT_ADOPT, 3, 1, 0, (struct ord_range){0, 3}, false));
    world_do(&w, world_tasks(&w, FACT_ADOPT, 3, 1, 0, (struct ord_range){6, 2}, true));
    assert_int_equal(b->n_active, 0);
    assert_int_equal(b->free[0], 4 * HQ_UNITS);
    assert_int_equal(c->n_active, 5);
    assert_int_equal(c->free[0], 2 * HQ_UNITS);
    assert_int_equal(world_view(s, 0).instance, 0);
    world_end_worker(&w, FACT_WORKER_LOST, 3, HQ_WORKER_CONNECTION_LOST);
    static const uint32_t next[] = {2, 2, 1, 1, 0, 0, 1, 1, 0, 0};
    for (uint32_t i = 0; i < 10; i++)
        assert_int_equal(hqi_state_waiting(s, i)->instance, next[i]);
    world_close(&w);
}

/* A fact that was not checked: what it says of numbers that no task can have changes nothing. */
static void an_adopted_range_does_not_wrap(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    world_submit(&w, 10, ONE);
    struct fact f = world_tasks(&w, FACT_ADOPT, 1, 1, 0, (struct ord_range){UINT32_MAX - 1, 5}, true);
    assert_int_equal(hqi_state_reserve(w.st, &f, NULL), HQ_OK);
    hqi_state_apply(w.st, &f);
    assert_int_equal(w.st->workers[1]->n_active, 0);
    world_verify(w.st);
    world_close(&w);
}

/* Whoever has them keeps them; the instances that somebody else may have started do not come again. */
static void what_is_refused_is_spent(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 6, ONE);
    world_hand(&w, 1, 1, 0, 0, 4, false);
    world_start(&w, 1, 1, 0, 0);
    world_do(&w, world_tasks(&w, FACT_REFUSED, 2, 1, 3, (struct ord_range){0, 1}, false));
    world_do(&w, world_tasks(&w, FACT_REFUSED, 2, 1, 0, (struct ord_range){1, 2}, false));
    world_do(&w, world_tasks(&w, FACT_REFUSED, 2, 1, 1, (struct ord_range){2, 3}, false));
    world_do(&w, world_tasks(&w, FACT_REFUSED, 2, 1, 0, (struct ord_range){2, 1}, false)); /* 1 stays spent */
    assert_int_equal(world_view(s, 0).instance, 0);
    assert_int_equal(w.st->workers[1]->n_active, 4);
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){1, 2}, false));
    world_end_worker(&w, FACT_WORKER_LOST, 1, HQ_WORKER_CONNECTION_LOST);
    static const uint32_t next[] = {4, 1, 2, 2, 0, 0}; /* 4 was with nobody */
    for (uint32_t i = 0; i < 6; i++)
        assert_int_equal(hqi_state_waiting(s, i)->instance, next[i]);
    world_close(&w);
}

/* Every second task, from the middle of one piece, without running out of what was reserved. */
static void many_are_adopted_at_once(void **unused)
{
    enum { MANY = 9000 };
    struct ord_range *r = calloc(MANY, sizeof *r);
    struct world w;
    world_open(&w);
    w.quick = true;
    struct worker *a = world_join(&w, 4, 0), *b;
    world_submit(&w, 3 * MANY, ONE);
    world_hand(&w, 1, 1, 0, 0, 2 * MANY, false);
    b = world_join(&w, 4, 0);
    for (uint32_t i = 0; i < MANY; i++)
        r[i] = (struct ord_range){1 + 2 * i, 1};
    const struct task_group g = {.submit = 1, .instance = 0, .ranges = r, .n_ranges = MANY};
    struct fact f = {.kind = FACT_ADOPT};
    f.u.tasks.worker = worker_id(2);
    f.u.tasks.groups = &g;
    f.u.tasks.n_groups = 1;
    world_do(&w, f);
    world_verify(w.st);
    assert_int_equal(a->n_active, MANY);
    assert_int_equal(b->n_active, MANY);
    world_close(&w);
    free(r);
}

static void who_is_back_is_believed(void **unused)
{
    static const uint32_t has[] = {2, 3};
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *a = world_submit(&w, 10, ONE), *b = world_submit(&w, 10, ONE), *c = world_submit(&w, 10, ONE);
    struct fact f = world_tasks(&w, FACT_HANDOUT, 1, 1, 0, (struct ord_range){0, 1}, false);
    ((struct task_group *)f.u.tasks.groups)->with_spec = true;
    world_do(&w, f);
    f = world_tasks(&w, FACT_HANDOUT, 1, 2, 0, (struct ord_range){0, 1}, false);
    ((struct task_group *)f.u.tasks.groups)->with_spec = true;
    world_do(&w, f);
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){0, 1}, false));
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 2, 0, (struct ord_range){0, 1}, false));
    w.now += 5000;
    f = (struct fact){.kind = FACT_WORKER_BACK};
    f.u.worker_back.worker = worker_id(1);
    f.u.worker_back.submits = has;
    f.u.worker_back.n_submits = 2;
    world_do(&w, f);
    assert_false(hqi_state_knows(a, k->id));
    assert_true(hqi_state_knows(b, k->id));
    assert_true(hqi_state_knows(c, k->id));
    assert_int_equal(k->idle_since_ms, w.now);
    world_close(&w);
}

static void without_blame_no_crash_counts(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 1, (struct spec_options){.crash_limit = 1});
    world_hand(&w, 1, 1, 0, 0, 1, false);
    world_start(&w, 1, 1, 0, 0);
    struct fact f = {.kind = FACT_WORKER_LOST};
    f.u.worker_lost.worker = worker_id(1);
    f.u.worker_lost.reason = HQ_WORKER_CONNECTION_LOST;
    f.u.worker_lost.blameless = true;
    world_do(&w, f);
    assert_int_equal(hqi_state_waiting(s, 0)->crashes, 0);
    assert_int_equal(hqi_state_waiting(s, 0)->instance, 1);
    assert_int_equal(w.st->workers[1]->end, HQ_WORKER_CONNECTION_LOST);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adopted_tasks_come_from_anywhere),
        cmocka_unit_test(an_adopted_range_does_not_wrap),
        cmocka_unit_test(what_is_refused_is_spent),
        cmocka_unit_test(many_are_adopted_at_once),
        cmocka_unit_test(who_is_back_is_believed),
        cmocka_unit_test(without_blame_no_crash_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
