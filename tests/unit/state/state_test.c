/* SPDX-License-Identifier: MIT */
/* What each kind of fact does, in small worlds. Every world is replayed when it closes. */
#include "world.h"

#define ONE                          \
    (struct spec_options)            \
    {                                \
        .crash_limit = CRASH_DEFAULT \
    }

static void counts_are(const uint64_t counts[HQ_TASK_STATES], uint64_t waiting, uint64_t running,
                       uint64_t finished, uint64_t failed, uint64_t canceled, uint64_t aborted)
{
    const uint64_t want[HQ_TASK_STATES] = {waiting, running, finished, failed, canceled, aborted};
    for (int i = 0; i < HQ_TASK_STATES; i++)
        assert_int_equal(counts[i], want[i]);
}

/* ---- server, jobs ---- */

static void a_server_starts(void **unused)
{
    struct world w;
    world_open(&w);
    struct fact f = {.kind = FACT_SERVER_START};
    f.u.server_start.epoch = 3;
    f.u.server_start.uid = bytes_of("aB3xyz");
    world_do(&w, f);
    assert_int_equal(w.st->epoch, 3);
    assert_string_equal(w.st->uid, "aB3xyz");
    assert_int_equal(w.st->position, 1);
    assert_string_equal(w.st->resources[0], "cpus");
    world_close(&w);
}

static void a_submit_waits(void **unused)
{
    struct world w;
    world_open(&w);
    struct submit *s = world_submit(&w, 10, ONE);
    struct job *j = hqi_state_job(w.st, job_id(1));
    assert_ptr_equal(s->job, j);
    assert_string_equal(j->name, "test");
    assert_int_equal(j->name_len, 4);
    assert_int_equal(j->max_fails, UINT32_MAX);
    assert_int_equal(s->position, 1);
    assert_false(j->open);
    assert_int_equal(j->submitted_ms, START_MS);
    assert_int_equal(j->ended_ms, 0);
    assert_int_equal(j->change, 1);
    counts_are(j->counts, 10, 0, 0, 0, 0, 0);
    assert_int_equal(hqi_state_job_total(j), 10);
    assert_int_equal(hqi_state_job_derived(j), HQ_TASK_WAITING);
    assert_int_equal(s->level->waiting, 10);
    assert_int_equal(s->class->waiting, 10);
    assert_ptr_equal(hqi_state_job_by_key(w.st, (struct key){1, 17}), j);
    assert_null(hqi_state_job_by_key(w.st, (struct key){17, 1}));
    assert_null(hqi_state_job_by_key(w.st, (struct key){0, 0}));
    assert_null(hqi_state_job(w.st, job_id(0)));
    assert_null(hqi_state_job(w.st, job_id(2)));
    assert_null(hqi_state_submit(w.st, 2));
    assert_int_equal(world_view(s, 9).state, HQ_TASK_WAITING);
    world_close(&w);
}

static void equal_requests_are_one_class(void **unused)
{
    struct world w;
    world_open(&w);
    struct submit *a = world_submit(&w, 1, (struct spec_options){.cpus = 2});
    struct submit *b = world_submit(&w, 1, (struct spec_options){.cpus = 3, .gpus = 1});
    struct submit *c = world_submit(&w, 1, (struct spec_options){.cpus = 2, .priority = 7});
    struct submit *d = world_submit(&w, 1, (struct spec_options){.cpus = 2});
    assert_ptr_equal(a->class, c->class);
    assert_ptr_not_equal(a->class, b->class);
    assert_ptr_not_equal(a->level, c->level);
    assert_ptr_equal(a->level, d->level);
    assert_int_equal(w.st->n_classes, 2);
    assert_int_equal(a->class->waiting, 3);
    assert_string_equal(w.st->resources[1], "gpus");
    assert_int_equal(b->class->resource[1], 1);
    /* priority descending, then class */
    struct tree_node *n = hqi_base_tree_first(&w.st->levels);
    assert_ptr_equal(hqi_container(n, struct level, by_rank), c->level);
    n = hqi_base_tree_next(n);
    assert_ptr_equal(hqi_container(n, struct level, by_rank), a->level);
    n = hqi_base_tree_next(n);
    assert_ptr_equal(hqi_container(n, struct level, by_rank), b->level);
    assert_null(hqi_base_tree_next(n));
    world_close(&w);
}

static void an_open_job_ends_when_closed_and_idle(void **unused)
{
    struct world w;
    world_open(&w);
    struct job *j = hqi_state_job(w.st, job_id(world_open_job(&w)));
    assert_int_equal(hqi_state_job_derived(j), HQ_JOB_OPENED);
    assert_int_equal(j->max_fails, 3);
    assert_int_equal(j->change, 1);
    assert_ptr_equal(hqi_state_job_by_key(w.st, (struct key){1, 23}), j);
    world_join(&w, 1, 0);
    hq_range r = {5, 1, 1};
    world_submit_ranges(&w, 1, &r, 1, ONE);
    assert_ptr_equal(hqi_state_job_by_key(w.st, (struct key){1, 17}), j);
    world_hand(&w, 1, 1, 0, 0, 1, true);
    world_end(&w, 1, 1, 0, (struct end_row){.start_ms = w.now});
    assert_int_equal(j->ended_ms, 0);
    assert_int_equal(hqi_state_job_derived(j), HQ_JOB_OPENED);
    assert_false(hqi_state_job_ended(j));
    w.now += 5;
    world_job(&w, FACT_JOB_CLOSE, 1);
    assert_int_equal(j->ended_ms, START_MS + 5);
    assert_int_equal(hqi_state_job_derived(j), HQ_TASK_FINISHED);
    world_job(&w, FACT_JOB_FORGET, 1);
    assert_null(hqi_state_job(w.st, job_id(1)));
    assert_null(hqi_state_submit(w.st, 1));
    assert_null(hqi_state_job_by_key(w.st, (struct key){1, 23}));
    assert_null(hqi_state_job_by_key(w.st, (struct key){1, 17}));
    assert_int_equal(w.st->live_jobs, 0);
    assert_int_equal(world_open_job(&w), 2); /* ids are never reused */
    world_close(&w);
}

static void an_empty_open_job_ends_at_its_close(void **unused)
{
    struct world w;
    world_open(&w);
    world_open_job(&w);
    world_job(&w, FACT_JOB_CLOSE, 1);
    assert_int_equal(hqi_state_job(w.st, job_id(1))->ended_ms, START_MS);
    world_close(&w);
}

/* ---- ids ---- */

static void tasks_are_found_by_id(void **unused)
{
    static const struct {
        hq_range ranges[2];
        uint32_t n;
    } submits[] = {
        {{{0, 5, 10}}, 1},               /* 0 10 20 30 40 */
        {{{5, 5, 10}}, 1},               /* 5 15 25 35 45: within the first one's interval */
        {{{100, 3, 1}, {200, 1, 1}}, 2}, /* 100 101 102 200 */
        {{{12, 1, 1}, {150, 2, 25}}, 2}, /* 12 150 175 */
        {{{300, 1, 1}}, 1},
    };
    static const struct {
        uint32_t id, submit, ordinal; /* submit 0: none has it */
    } cases[] = {
        {0, 1, 0},   {40, 1, 4},  {50, 0, 0},  {5, 2, 0},  {45, 2, 4},  {6, 0, 0},   {100, 3, 0},
        {102, 3, 2}, {103, 0, 0}, {200, 3, 3}, {12, 4, 0}, {150, 4, 1}, {175, 4, 2}, {160, 0, 0},
        {300, 5, 0}, {301, 0, 0}, {11, 0, 0},  {20, 1, 2}, {199, 0, 0}, {201, 0, 0}, {UINT32_MAX, 0, 0},
    };
    struct world w;
    bool any;
    world_open(&w);
    struct job *j = hqi_state_job(w.st, job_id(world_open_job(&w)));
    hqi_state_job_max_id(j, &any);
    assert_false(any);
    for (size_t i = 0; i < sizeof submits / sizeof *submits; i++)
        world_submit_ranges(&w, 1, submits[i].ranges, submits[i].n, ONE);
    assert_int_equal(hqi_state_job_max_id(j, &any), 300);
    assert_true(any);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t ordinal = 99;
        struct submit *s = hqi_state_job_find(j, cases[i].id, &ordinal);
        assert_int_equal(s ? s->id : 0, cases[i].submit);
        if (s)
            assert_int_equal(ordinal, cases[i].ordinal);
    }
    world_close(&w);
}

static void known_ids_meet(void **unused)
{
    static const struct {
        hq_range range;
        bool meets;
        uint32_t first;
    } cases[] = {
        {{0, 5, 1}, false, 0},  {{10, 1, 1}, true, 10},  {{0, 11, 1}, true, 10},
        {{11, 9, 1}, false, 0}, {{0, 100, 1}, true, 10}, {{21, 100, 1}, true, 1000 / 25},
        {{41, 9, 1}, false, 0}, {{50, 1, 1}, false, 0},  {{40, 1, 1}, true, 40},
    };
    struct world w;
    struct arena mem;
    world_open(&w);
    struct job *j = hqi_state_job(w.st, job_id(world_open_job(&w)));
    const hq_range own[] = {{40, 1, 1}, {10, 2, 10}};
    world_submit_ranges(&w, 1, &own[0], 1, ONE); /* 40 */
    world_submit_ranges(&w, 1, &own[1], 1, ONE); /* 10 20 */
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct intset ids;
        uint32_t first = 0;
        assert_int_equal(hqi_model_intset_make(&ids, &mem, &cases[i].range, 1, NULL), HQ_OK);
        assert_int_equal(hqi_state_job_meets(j, &ids, &first), cases[i].meets);
        assert_int_equal(first, cases[i].first);
    }
    hqi_base_arena_fini(&mem);
    world_close(&w);
}

/* ---- workers ---- */

static void a_worker_joins(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *a = world_join(&w, 4, 0), *b = world_join(&w, 8, 2);
    assert_int_equal(a->id.n, 1);
    assert_int_equal(a->joined_ms, START_MS);
    assert_int_equal(a->idle_since_ms, START_MS);
    assert_int_equal(a->end, HQ_WORKER_RUNNING);
    assert_int_equal(a->n_resources, 1);
    assert_int_equal(a->free[0], 4 * HQ_UNITS);
    assert_int_equal(b->n_resources, 2);
    assert_int_equal(b->total[1], 2 * HQ_UNITS);
    assert_null(hqi_state_worker(w.st, worker_id(0)));
    assert_null(hqi_state_worker(w.st, worker_id(3)));
    world_close(&w);
}

static void classes_have_slots(void **unused)
{
    static const struct {
        struct spec_options o;
        uint32_t small, big; /* 4 cpus; 8 cpus and 2 gpus */
    } cases[] = {
        {{.cpus = 4}, 1, 2}, {{.cpus = 5}, 0, 1}, {{.cpus = 1}, 4, 8},
        {{.cpus = 9}, 0, 0}, {{.cpus = 1, .gpus = 2}, 0, 1}, {{.cpus = 3, .gpus = 1}, 0, 2},
        {{.gpus = 3}, 0, 0}, {{.all = true}, 1, 1},
    };
    struct world w;
    world_open(&w);
    struct worker *small = world_join(&w, 4, 0), *big = world_join(&w, 8, 2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct submit *s = world_submit(&w, 1, cases[i].o);
        assert_int_equal(hqi_state_class_slots(s->class, small), cases[i].small);
        assert_int_equal(hqi_state_class_slots(s->class, big), cases[i].big);
    }
    struct rclass *all = w.st->submits[8]->class;
    assert_int_equal(hqi_state_class_amount(all, 0, small), 4 * HQ_UNITS);
    assert_int_equal(hqi_state_class_amount(all, 0, big), 8 * HQ_UNITS);
    world_end_worker(&w, FACT_WORKER_STOP, 1, HQ_WORKER_STOPPED);
    assert_int_equal(small->stopping, HQ_WORKER_STOPPED);
    world_close(&w);
}

/* ---- from hand-out to end ---- */

static void a_hand_out_books_or_prefills(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 10, (struct spec_options){.cpus = 2});
    assert_false(hqi_state_knows(s, k->id));
    world_hand(&w, 1, 1, 0, 0, 2, true);
    world_hand(&w, 1, 1, 0, 2, 3, false);
    assert_true(hqi_state_knows(s, k->id));
    assert_false(hqi_state_knows(s, worker_id(2)));
    assert_int_equal(k->free[0], 0);
    assert_int_equal(k->n_active, 5);
    assert_int_equal(k->n_running, 0);
    struct wclass *wc = hqi_state_wclass(k, s->class);
    assert_int_equal(wc->booked, 2);
    assert_int_equal(wc->prefilled, 3);
    assert_int_equal(s->level->waiting, 5);
    assert_int_equal(s->active, 5);
    counts_are(s->counts, 10, 0, 0, 0, 0, 0); /* handed out still waits, to its user */
    uint32_t ordinal = 0;
    list_for(n, &k->active) {
        assert_int_equal(hqi_container(n, struct piece, in_worker)->first, ordinal++);
    }
    assert_ptr_equal(hqi_state_attempt(w.st, 1, 4)->worker, k);
    assert_null(hqi_state_attempt(w.st, 1, 5));
    world_close(&w);
}

static void a_start_is_clamped_and_books(void **unused)
{
    static const struct {
        int64_t told, stored; /* ms after the submit, which is 100 ms ago */
    } cases[] = {{30, 30}, {-50, 0}, {100, 100}, {5000, 100}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_open(&w);
        struct worker *k = world_join(&w, 4, 0);
        struct submit *s = world_submit(&w, 2, ONE);
        world_hand(&w, 1, 1, 0, 0, 1, false);
        world_do(&w, world_tasks(&w, FACT_RETRACT, 1, 1, 0, (struct ord_range){0, 1}, false));
        struct wclass *wc = hqi_state_wclass(k, s->class);
        assert_int_equal(wc->retracting, 1);
        w.now += 100;
        world_do(&w, world_started(&w, 1, 1, 0, 0, START_MS + (uint64_t)cases[i].told));
        struct task_view v = world_view(s, 0);
        assert_int_equal(v.state, HQ_TASK_RUNNING);
        assert_true(v.started);
        assert_int_equal(v.start_ms, START_MS + (uint64_t)cases[i].stored);
        assert_int_equal(v.worker, 1);
        assert_int_equal(wc->booked, 1);
        assert_int_equal(wc->prefilled, 0);
        assert_int_equal(wc->retracting, 0); /* it came too late */
        assert_int_equal(k->free[0], 3 * HQ_UNITS);
        assert_int_equal(k->n_running, 1);
        assert_true(k->has_last);
        assert_int_equal(k->last_task.index, 0);
        assert_int_equal(hqi_state_job_derived(s->job), HQ_TASK_RUNNING);
        uint64_t change = s->job->change;
        assert_int_equal(change, w.st->position);
        w.now += 7;
        world_start(&w, 1, 1, 0, 0); /* told again: nothing moves */
        assert_int_equal(world_view(s, 0).start_ms, v.start_ms);
        assert_int_equal(s->job->change, change);
        world_close(&w);
    }
}

static void tasks_end(void **unused)
{
    static const struct {
        struct end_row row; /* start_ms: after the submit */
        bool told;          /* STARTED came first, 10 ms after the submit */
        uint8_t state;
        bool started;
        uint64_t start, duration;
    } cases[] = {
        {{0, 40, 7, 0, NULL}, false, HQ_TASK_FINISHED, true, 40, 7},
        {{0, 40, 7, 0, NULL}, true, HQ_TASK_FINISHED, true, 10, 7},
        {{0, 40, 7, 3, NULL}, false, HQ_TASK_FAILED, true, 40, 7},
        {{0, 40, 7, HQ_CODE_SIGNAL + 9, NULL}, true, HQ_TASK_FAILED, true, 10, 7},
        {{0, 40, 7, HQ_CODE_TEXT, "No such thing"}, true, HQ_TASK_FAILED, true, 10, 7},
        {{0, 0, 0, HQ_CODE_LAUNCH, "No such program"}, false, HQ_TASK_FAILED, false, 0, 0},
        {{0, 40, UINT32_MAX - 1, 0, NULL}, false, HQ_TASK_FINISHED, true, 40, UINT32_MAX - 1},
        {{0, 40, UINT32_MAX, 0, NULL}, false, HQ_TASK_FINISHED, true, 40, UINT32_MAX},
        {{0, 40, 1ull << 40, 0, NULL}, true, HQ_TASK_FINISHED, true, 10, 1ull << 40},
        {{0, 1ull << 41, 1ull << 40, 1, "late"}, false, HQ_TASK_FAILED, true, 1ull << 41, 1ull << 40},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_open(&w);
        struct worker *k = world_join(&w, 4, 0);
        struct submit *s = world_submit(&w, 2, ONE);
        struct end_row row = cases[i].row;
        world_hand(&w, 1, 1, 0, 0, 2, true);
        w.now += 10;
        if (cases[i].told)
            world_start(&w, 1, 1, 0, 0);
        w.now += (1ull << 42);
        row.start_ms += START_MS;
        world_end(&w, 1, 1, 0, row);
        struct task_view v = world_view(s, 0);
        assert_int_equal(v.state, cases[i].state);
        assert_int_equal(v.code, row.code);
        assert_int_equal(v.started, cases[i].started);
        assert_int_equal(v.worker, cases[i].started ? 1 : 0);
        assert_int_equal(v.start_ms, cases[i].started ? START_MS + cases[i].start : 0);
        assert_int_equal(v.duration_ms, cases[i].duration);
        assert_int_equal(v.instance, 0);
        if (row.text)
            assert_string_equal(v.text, row.text);
        else
            assert_null(v.text);
        assert_int_equal(k->free[0], 3 * HQ_UNITS);
        assert_int_equal(k->n_active, 1);
        assert_int_equal(k->has_last, cases[i].started);
        assert_int_equal(k->idle_since_ms, START_MS); /* not idle yet */
        assert_int_equal(s->job->change, w.st->position);
        w.now += 11;
        world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 1, .start_ms = w.now});
        assert_int_equal(s->job->ended_ms, w.now);
        assert_int_equal(k->idle_since_ms, w.now);
        assert_int_equal(k->free[0], 4 * HQ_UNITS);
        world_job(&w, FACT_JOB_FORGET, 1);
        world_close(&w);
    }
}

static void a_start_beyond_the_column_is_kept_at_the_end(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 1, ONE);
    world_hand(&w, 1, 1, 0, 0, 1, true);
    w.now += 1ull << 42;
    world_start(&w, 1, 1, 0, 0);
    assert_int_equal(world_view(s, 0).start_ms,
                     START_MS + (1ull << 40) - 1); /* shown as: this late or later */
    world_end(&w, 1, 1, 0, (struct end_row){.duration_ms = 5});
    assert_int_equal(world_view(s, 0).start_ms, START_MS + (1ull << 42));
    assert_int_equal(world_view(s, 0).duration_ms, 5);
    world_close(&w);
}

static void news_of_other_attempts_change_nothing(void **unused)
{
    struct world w;
    world_open(&w);
    world_join(&w, 4, 0);
    world_join(&w, 4, 0);
    world_submit(&w, 10, ONE);
    world_hand(&w, 1, 1, 0, 0, 2, true);
    world_start(&w, 1, 1, 0, 1);
    struct fact strangers[] = {
        world_started(&w, 2, 1, 0, 0, START_MS), /* another worker */
        world_started(&w, 1, 1, 1, 0, START_MS), /* another instance */
        world_started(&w, 1, 1, 0, 5, START_MS), /* waits */
        world_started(&w, 1, 2, 0, 0, START_MS), /* no such submit */
        world_started(&w, 7, 1, 0, 0, START_MS), /* no such worker */
        world_ended(&w, 2, 1, 0, (struct end_row){0}),
        world_ended(&w, 1, 1, 1, (struct end_row){0}),
        world_ended(&w, 1, 1, 0, (struct end_row){.ordinal = 5}),
        world_ended(&w, 1, 1, 0, (struct end_row){.ordinal = 50}),
        world_tasks(&w, FACT_RETURN, 2, 1, 0, (struct ord_range){0, 2}, false),
        world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){1, 1}, false), /* runs */
        world_tasks(&w, FACT_RETRACT, 1, 1, 0, (struct ord_range){1, 9}, false),
        world_tasks(&w, FACT_HANDOUT, 7, 1, 0, (struct ord_range){2, 1}, false),
        world_tasks(&w, FACT_HANDOUT, 1, 1, 5, (struct ord_range){2, UINT32_MAX},
                    false), /* costs 8 tasks at most */
        world_tasks(&w, FACT_HANDOUT, 1, 1, 0, (struct ord_range){10, 5}, false),
        world_tasks(&w, FACT_CRASHED, 2, 1, 0, (struct ord_range){0, 2}, false),
        world_tasks(&w, FACT_CRASHED, 1, 1, 1, (struct ord_range){0, 2}, false),
        world_tasks(&w, FACT_CRASHED, 1, 2, 0, (struct ord_range){0, 2}, false),
    };
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
        struct job before = *w.st->jobs[1];
        strangers[i].utc_ms = w.now + 1;
        assert_int_equal(hqi_state_reserve(w.st, &strangers[i], NULL), HQ_OK);
        hqi_state_apply(w.st, &strangers[i]);
        world_verify(w.st);
        assert_memory_equal(&before, w.st->jobs[1], sizeof before);
        assert_int_equal(w.st->workers[1]->n_active, 2);
        assert_int_equal(w.st->workers[1]->n_running, 1);
        assert_int_equal(w.st->workers[2]->n_active, 0);
    }
    const hq_range r = {0, 1, 1};
    struct fact lost = {.kind = FACT_SUBMIT}; /* into a job that is not there */
    lost.u.submit.job = job_id(9);
    lost.u.submit.submit = 2;
    lost.u.submit.spec = world_spec(&r, 1, ONE);
    assert_int_equal(hqi_state_reserve(w.st, &lost, NULL), HQ_OK);
    hqi_state_apply(w.st, &lost);
    assert_non_null(lost.u.submit.spec); /* still the caller's */
    assert_int_equal(w.st->n_submits, 1);
    hqi_model_spec_free(lost.u.submit.spec);
    w.quick = true; /* those facts are not in the log */
    world_close(&w);
}

static void returned_tasks_wait_again(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 10, ONE);
    world_hand(&w, 1, 1, 0, 2, 5, true);
    assert_int_equal(s->level->waiting, 5);
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){3, 3}, false));
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){2, 1}, false));
    world_do(&w, world_tasks(&w, FACT_RETURN, 1, 1, 0, (struct ord_range){6, 1}, true));
    assert_int_equal(k->free[0], 4 * HQ_UNITS);
    assert_int_equal(k->n_active, 0);
    assert_true(hqi_state_wclass(k, s->class)->blocked);
    assert_true(k->blocks);
    /* one piece again, as it was */
    struct tree_node *n = hqi_base_tree_first(&s->level->pieces);
    assert_null(hqi_base_tree_next(n));
    assert_int_equal(hqi_container(n, struct piece, in_level)->count, 10);
    assert_int_equal(hqi_container(n, struct piece, in_level)->instance, 0);
    world_close(&w);
}

/* ---- losing workers ---- */

static void crash_limits(void **unused)
{
    static const struct {
        uint32_t limit;
        uint8_t reason;
        bool started;
        uint32_t losses; /* after which the task has failed; 0: it never does */
    } cases[] = {
        {CRASH_DEFAULT, HQ_WORKER_CONNECTION_LOST, true, 5},
        {CRASH_DEFAULT, HQ_WORKER_HEARTBEAT_LOST, true, 5},
        {CRASH_DEFAULT, HQ_WORKER_STOPPED, true, 0},
        {CRASH_DEFAULT, HQ_WORKER_IDLE_TIMEOUT, true, 0},
        {CRASH_DEFAULT, HQ_WORKER_CONNECTION_LOST, false, 0},
        {1, HQ_WORKER_CONNECTION_LOST, true, 1},
        {2, HQ_WORKER_CONNECTION_LOST, true, 2},
        {CRASH_NEVER_RESTART, HQ_WORKER_TIME_LIMIT, true, 1},
        {CRASH_NEVER_RESTART, HQ_WORKER_CONNECTION_LOST, true, 1},
        {CRASH_NEVER_RESTART, HQ_WORKER_CONNECTION_LOST, false, 0},
        {CRASH_UNLIMITED, HQ_WORKER_CONNECTION_LOST, true, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_open(&w);
        struct submit *s = world_submit(&w, 3, (struct spec_options){.crash_limit = cases[i].limit});
        for (uint32_t loss = 1; loss <= 7; loss++) {
            struct worker *k = world_join(&w, 1, 0);
            uint32_t instance = loss - 1;
            world_hand(&w, loss, 1, instance, 1, 1, false);
            assert_int_equal(world_view(s, 1).instance, instance);
            if (cases[i].started)
                world_start(&w, loss, 1, instance, 1);
            bool fails = hqi_state_crash_fails(hqi_state_attempt(w.st, 1, 1), cases[i].reason);
            assert_int_equal(fails, loss == cases[i].losses);
            world_end_worker(&w, FACT_WORKER_LOST, loss, cases[i].reason);
            assert_int_equal(k->end, cases[i].reason);
            assert_int_equal(k->ended_ms, w.now);
            assert_int_equal(k->free[0], HQ_UNITS);
            struct task_view v = world_view(s, 1);
            assert_int_equal(v.state, fails ? HQ_TASK_FAILED : HQ_TASK_WAITING);
            assert_false(v.started);
            if (fails) {
                assert_int_equal(v.code, HQ_CODE_CRASH_LIMIT);
                assert_int_equal(v.worker, 0);
                assert_int_equal(v.instance, instance);
                counts_are(s->job->counts, 2, 0, 0, 1, 0, 0);
                break;
            }
            counts_are(s->job->counts, 3, 0, 0, 0, 0, 0);
            assert_int_equal(s->level->waiting, 3);
        }
        world_close(&w);
    }
}

/* Their helper process died, the worker did not. */
static void crashed_tasks_leave_a_worker_that_stays(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 10, (struct spec_options){.crash_limit = 2});
    for (uint32_t crash = 0; crash < 2; crash++) {
        world_hand(&w, 1, 1, crash, 3, 2, false);
        world_start(&w, 1, 1, crash, 3);
        world_do(&w, world_tasks(&w, FACT_CRASHED, 1, 1, crash, (struct ord_range){3, 2}, false));
        assert_int_equal(world_view(s, 3).state, crash == 0 ? HQ_TASK_WAITING : HQ_TASK_FAILED);
        assert_int_equal(world_view(s, 4).state, HQ_TASK_WAITING); /* never started: not its fault */
        assert_int_equal(s->job->change, w.st->position);
        assert_int_equal(k->n_active, 0);
        assert_int_equal(k->free[0], 4 * HQ_UNITS);
        assert_int_equal(k->end, HQ_WORKER_RUNNING);
    }
    assert_int_equal(world_view(s, 3).code, HQ_CODE_CRASH_LIMIT);
    counts_are(s->counts, 9, 0, 0, 1, 0, 0);
    world_hand(&w, 1, 1, 2, 4, 1, false);
    world_close(&w);
}

static void a_lost_worker_gives_everything_back(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *a = world_submit(&w, 3000, ONE),
                  *b = world_submit(&w, 3, (struct spec_options){.all = true});
    world_hand(&w, 1, 1, 0, 1000, 1000, false);
    world_hand(&w, 1, 2, 0, 1, 1, true);
    world_start(&w, 1, 1, 0, 1500);
    world_do(&w, world_tasks(&w, FACT_RETRACT, 1, 1, 0, (struct ord_range){1600, 10}, false));
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 1999, .start_ms = w.now, .duration_ms = 1});
    world_end_worker(&w, FACT_WORKER_LOST, 1, HQ_WORKER_CONNECTION_LOST);
    assert_int_equal(k->n_active, 0);
    assert_int_equal(k->free[0], 4 * HQ_UNITS);
    assert_int_equal(w.st->attempts.count, 0);
    assert_int_equal(a->level->waiting, 2999);
    counts_are(a->job->counts, 2999, 0, 1, 0, 0, 0);
    /* 0-999, 1000-1499 again, 1500 crashed, 1501-1998 again, 2000-2999; merged where they are alike */
    static const uint32_t pieces[][4] = {
        {0, 1000, 0, 0}, {1000, 500, 1, 0}, {1500, 1, 1, 1}, {1501, 498, 1, 0}, {2000, 1000, 0, 0}};
    struct tree_node *n = hqi_base_tree_first(&a->level->pieces);
    for (size_t i = 0; i < 5; i++, n = hqi_base_tree_next(n)) {
        const struct piece *p = hqi_container(n, struct piece, in_level);
        assert_int_equal(p->first, pieces[i][0]);
        assert_int_equal(p->count, pieces[i][1]);
        assert_int_equal(p->instance, pieces[i][2]);
        assert_int_equal(p->crashes, pieces[i][3]);
    }
    assert_null(n);
    assert_int_equal(b->level->waiting, 3);
    world_join(&w, 4, 0);
    world_hand(&w, 2, 1, 1, 1000, 500, false);
    world_hand(&w, 2, 1, 1, 1500, 499, false); /* crashes differ, the instance does not */
    world_end(&w, 2, 1, 1,
              (struct end_row){.ordinal = 1500, .start_ms = w.now, .code = HQ_CODE_TEXT, .text = "x"});
    assert_int_equal(world_view(a, 1500).instance, 1);
    assert_string_equal(world_view(a, 1500).text, "x");
    world_close(&w);
}

/* ---- giving up ---- */

static void cancel_and_abort(void **unused)
{
    static const struct {
        uint8_t kind, state;
    } cases[] = {{FACT_JOB_CANCEL, HQ_TASK_CANCELED}, {FACT_JOB_ABORT, HQ_TASK_ABORTED}};
    for (size_t i = 0; i < 4; i++) {
        uint8_t state = cases[i % 2].state;
        bool named = i < 2; /* the fact names what is handed out, or leaves apply to search */
        struct world w;
        world_open(&w);
        struct worker *k = world_join(&w, 4, 0);
        struct submit *s = world_submit(&w, 5000, ONE), *other = world_submit(&w, 5, ONE);
        world_hand(&w, 1, 1, 0, 1, 4, false);
        world_hand(&w, 1, 2, 0, 0, 2, false);
        world_start(&w, 1, 1, 0, 2);
        world_start(&w, 1, 1, 0, 3);
        world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 3});
        w.now += 50;
        const struct ord_range ranges[] = {{1, 2}, {4, 1}};
        const struct task_group group = {.submit = 1, .ranges = ranges, .n_ranges = 2};
        const struct worker_tasks tasks = {worker_id(1), &group, 1};
        struct fact f = {.kind = cases[i % 2].kind};
        f.u.job_cancel.job = job_id(1);
        f.u.job_cancel.reason = bytes_of("enough");
        f.u.job_cancel.active = &tasks;
        f.u.job_cancel.n_active = named;
        world_do(&w, f);
        counts_are(s->counts, 0, 0, 1, 0, state == HQ_TASK_CANCELED ? 4999 : 0,
                   state == HQ_TASK_ABORTED ? 4999 : 0);
        assert_int_equal(s->job->ended_ms, w.now);
        assert_int_equal(s->rest_state, state);
        assert_int_equal(s->rest_ms, w.now);
        assert_int_equal(s->level->waiting, 3); /* of the other job */
        assert_int_equal(k->n_active, 2);
        assert_int_equal(k->free[0], 4 * HQ_UNITS);
        struct task_view ran = world_view(s, 2), held = world_view(s, 1), never = world_view(s, 4999);
        assert_int_equal(ran.state, state);
        assert_true(ran.started);
        assert_int_equal(ran.start_ms, START_MS);
        assert_int_equal(ran.duration_ms, 50);
        assert_int_equal(held.state, state);
        assert_false(held.started);
        assert_int_equal(never.state, state);
        assert_int_equal(world_view(s, 3).state, HQ_TASK_FINISHED);
        assert_int_equal(hqi_state_task_seek(s, 0, 1u << HQ_TASK_FINISHED), 3);
        assert_int_equal(hqi_state_task_seek(s, 4, 1u << HQ_TASK_FINISHED), 5000);
        assert_int_equal(hqi_state_task_seek(s, 3, 1u << state), 4);
        assert_int_equal(hqi_state_task_seek(s, 4000, 1u << state), 4000);
        assert_int_equal(hqi_state_task_seek(s, 0, 1u << HQ_TASK_WAITING), 5000);
        counts_are(other->counts, 5, 0, 0, 0, 0, 0);
        if (state == HQ_TASK_CANCELED)
            assert_string_equal(s->job->cancel_reason, "enough");
        else
            assert_null(s->job->cancel_reason);
        world_close(&w);
    }
}

static void the_latest_reason_counts(void **unused)
{
    static const char *const reasons[] = {"first", "second", "", "fourth"};
    struct world w;
    world_open(&w);
    struct job *j = hqi_state_job(w.st, job_id(world_open_job(&w)));
    for (uint32_t i = 0; i < 4; i++) {
        hq_range r = {i, 1, 1};
        world_submit_ranges(&w, 1, &r, 1, ONE);
        struct fact f = {.kind = FACT_JOB_CANCEL};
        f.u.job_cancel.job = job_id(1);
        f.u.job_cancel.reason = bytes_of(reasons[i]);
        world_do(&w, f);
        assert_int_equal(j->counts[HQ_TASK_CANCELED], i + 1);
        if (reasons[i][0])
            assert_string_equal(j->cancel_reason, reasons[i]);
        else
            assert_null(j->cancel_reason);
        assert_int_equal(j->reason_len, strlen(reasons[i]));
    }
    assert_int_equal(j->ended_ms, 0);
    world_close(&w);
}

/* ---- details ---- */

static void derived_states(void **unused)
{
    static const struct {
        uint64_t counts[HQ_TASK_STATES];
        bool open;
        uint8_t state;
    } cases[] = {
        {{1, 1, 1, 1, 1, 1}, false, HQ_TASK_RUNNING},  {{1, 0, 1, 1, 1, 1}, true, HQ_TASK_WAITING},
        {{0, 0, 1, 1, 1, 1}, true, HQ_TASK_FAILED},    {{0, 0, 1, 0, 1, 1}, false, HQ_TASK_ABORTED},
        {{0, 0, 1, 0, 1, 0}, true, HQ_TASK_CANCELED},  {{0, 0, 1, 0, 0, 0}, true, HQ_JOB_OPENED},
        {{0, 0, 1, 0, 0, 0}, false, HQ_TASK_FINISHED}, {{0, 0, 0, 0, 0, 0}, false, HQ_TASK_FINISHED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct job j = {.open = cases[i].open};
        memcpy(j.counts, cases[i].counts, sizeof j.counts);
        assert_int_equal(hqi_state_job_derived(&j), cases[i].state);
        bool idle = cases[i].counts[0] + cases[i].counts[1] == 0;
        assert_int_equal(hqi_state_job_idle(&j), idle);
        assert_int_equal(hqi_state_job_ended(&j), idle && !cases[i].open);
    }
}

/* Ends n tasks of submit 1 on worker 1, in one fact. */
static void end_range(struct world *w, uint32_t first, uint32_t n)
{
    uint32_t *ordinals = hqi_base_arena_zero(&w->facts, n, sizeof *ordinals);
    struct end_group *g = hqi_base_arena_zero(&w->facts, 1, sizeof *g);
    struct fact f = {.kind = FACT_ENDED};
    for (uint32_t i = 0; i < n; i++)
        ordinals[i] = first + i;
    *g = (struct end_group){.submit = 1, .n = n, .ordinals = ordinals};
    g->start_ms = g->duration_ms = hqi_base_arena_zero(&w->facts, n, sizeof *g->start_ms);
    g->code = hqi_base_arena_zero(&w->facts, n, sizeof *g->code);
    f.u.ended.worker = worker_id(1);
    f.u.ended.groups = g;
    f.u.ended.n_groups = 1;
    world_do(w, f);
}

static void the_rate_follows_the_finishes(void **unused)
{
    static const struct {
        uint64_t every_ms;
        uint32_t tasks, rate; /* ends per batch, per second */
    } cases[] = {{20, 10, 500}, {1000, 3, 3}, {10, 1, 100}, {5000, 10, 2}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_open(&w);
        w.quick = true;
        struct worker *k = world_join(&w, 4, 0);
        struct submit *s = world_submit(&w, 10000, ONE);
        uint32_t at = 0;
        for (uint32_t batch = 0; batch < 1000; batch++) {
            w.now += cases[i].every_ms;
            world_hand(&w, 1, 1, 0, at, cases[i].tasks, true);
            end_range(&w, at, cases[i].tasks);
            at += cases[i].tasks;
        }
        uint32_t rate = hqi_state_wclass(k, s->class)->rate_x16 / 16;
        assert_in_range(rate, cases[i].rate - cases[i].rate / 10 - 1, cases[i].rate + cases[i].rate / 10);
        world_close(&w);
    }
}

static void the_first_batch_counts_from_the_hand_out(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    struct submit *s = world_submit(&w, 10, ONE);
    world_hand(&w, 1, 1, 0, 0, 10, true);
    w.now += 1000;
    end_range(&w, 0, 10);
    assert_int_equal(hqi_state_wclass(k, s->class)->rate_x16, 10 * 16 / 2);
    assert_int_equal(hqi_state_wclass(k, s->class)->rate_ms, w.now);
    world_close(&w);
}

/* After a compaction: what was forgotten before leaves gaps. */
static void ids_may_have_gaps(void **unused)
{
    struct world w;
    world_open(&w);
    struct fact f = {.kind = FACT_JOB_OPEN};
    f.u.job_open.job = job_id(5000);
    world_do(&w, f);
    f = (struct fact){.kind = FACT_WORKER_JOIN};
    f.u.worker_join.worker = worker_id(300);
    f.u.worker_join.config = world_config(1, 0);
    world_do(&w, f);
    const hq_range r = {0, 1, 1};
    f = (struct fact){.kind = FACT_SUBMIT};
    f.u.submit.job = job_id(5000);
    f.u.submit.submit = 700;
    f.u.submit.spec = world_spec(&r, 1, ONE);
    world_do(&w, f);
    assert_null(hqi_state_job(w.st, job_id(4999)));
    assert_null(hqi_state_submit(w.st, 699));
    assert_null(hqi_state_worker(w.st, worker_id(299)));
    assert_int_equal(w.st->live_jobs, 1);
    world_hand(&w, 300, 700, 0, 0, 1, true);
    f = (struct fact){.kind = FACT_JOB_CANCEL};
    f.u.job_cancel.job = job_id(5000);
    world_do(&w, f); /* names nothing: the search meets the gaps */
    assert_int_equal(w.st->attempts.count, 0);
    assert_int_equal(w.st->keys.count, 0); /* a key of zeros is none */
    assert_int_equal(world_open_job(&w), 5001);
    world_close(&w);
}

static void the_last_task_is_the_one_started_last(void **unused)
{
    struct world w;
    world_open(&w);
    struct worker *k = world_join(&w, 4, 0);
    const hq_range r = {100, 10, 10};
    world_submit_ranges(&w, 0, &r, 1, ONE);
    world_hand(&w, 1, 1, 0, 0, 10, false);
    w.now += 100;
    world_do(&w, world_started(&w, 1, 1, 0, 3, START_MS + 20));
    assert_int_equal(k->last_task.index, 130);
    world_do(&w, world_started(&w, 1, 1, 0, 4, START_MS + 10));
    assert_int_equal(k->last_task.index, 130);
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 5, .start_ms = START_MS + 30});
    assert_int_equal(k->last_task.index, 150);
    assert_int_equal(k->last_task.job.n, 1);
    assert_int_equal(k->last_ms, START_MS + 30);
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 3});
    world_end(&w, 1, 1, 0, (struct end_row){.ordinal = 6, .code = HQ_CODE_LAUNCH, .start_ms = START_MS + 90});
    assert_int_equal(k->last_task.index, 150);
    world_close(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_starts),
        cmocka_unit_test(a_submit_waits),
        cmocka_unit_test(equal_requests_are_one_class),
        cmocka_unit_test(an_open_job_ends_when_closed_and_idle),
        cmocka_unit_test(an_empty_open_job_ends_at_its_close),
        cmocka_unit_test(tasks_are_found_by_id),
        cmocka_unit_test(known_ids_meet),
        cmocka_unit_test(a_worker_joins),
        cmocka_unit_test(classes_have_slots),
        cmocka_unit_test(a_hand_out_books_or_prefills),
        cmocka_unit_test(a_start_is_clamped_and_books),
        cmocka_unit_test(tasks_end),
        cmocka_unit_test(a_start_beyond_the_column_is_kept_at_the_end),
        cmocka_unit_test(news_of_other_attempts_change_nothing),
        cmocka_unit_test(returned_tasks_wait_again),
        cmocka_unit_test(crash_limits),
        cmocka_unit_test(crashed_tasks_leave_a_worker_that_stays),
        cmocka_unit_test(a_lost_worker_gives_everything_back),
        cmocka_unit_test(cancel_and_abort),
        cmocka_unit_test(the_latest_reason_counts),
        cmocka_unit_test(derived_states),
        cmocka_unit_test(the_rate_follows_the_finishes),
        cmocka_unit_test(the_first_batch_counts_from_the_hand_out),
        cmocka_unit_test(ids_may_have_gaps),
        cmocka_unit_test(the_last_task_is_the_one_started_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
